#!/bin/bash
# takeover.sh PACKAGE.deb SUITE: boots a Debian of its own under systemd-nspawn, with Docker as Debian has it, and puts the gate
# in Docker's place there, restarts, upgrades and takes it out again. Every step's state is shown, and held against what it must
# be. Root. The tree is fetched once into TIDEWAITER_TREES (default: target/takeover).
set -euo pipefail

PACKAGE=$(realpath "${1:?takeover.sh PACKAGE.deb SUITE}") SUITE=${2:?takeover.sh PACKAGE.deb SUITE}
TREES=${TIDEWAITER_TREES:-target/takeover}
# Empty: the one that debootstrap knows.
MIRROR=${DEBIAN_MIRROR:-}
MOST_SECONDS=300
PARTS=systemd-sysv,dbus,docker.io,busybox-static,procps
[ "$SUITE" = bookworm ] || PARTS+=,docker-cli

die() { echo "takeover.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "needs root"
for tool in debootstrap systemd-nspawn; do
    command -v $tool >/dev/null || die "$tool is missing: apt-get install debootstrap systemd-container"
done

mkdir -p "$TREES"
TREES=$(realpath "$TREES")
if [ ! -e "$TREES/$SUITE.ready" ]; then
    rm -rf --one-file-system "${TREES:?}/$SUITE"
    debootstrap --variant=minbase --include=$PARTS "$SUITE" "$TREES/$SUITE" ${MIRROR:+"$MIRROR"} >"$TREES/$SUITE.log" ||
        die "cannot fetch Debian $SUITE: see $TREES/$SUITE.log"
    touch "$TREES/$SUITE.ready"
fi

# The tree itself is never written to.
work=$(mktemp -d)
clean() {
    umount -l "$work/root" 2>/dev/null || true
    umount -l "$work/up" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT
mkdir "$work/up" "$work/root"
mount -t tmpfs -o size=3g none "$work/up"
mkdir "$work/up/upper" "$work/up/work"
mount -t overlay -o "lowerdir=$TREES/$SUITE,upperdir=$work/up/upper,workdir=$work/up/work" overlay "$work/root"
root=$work/root

: >"$root/etc/machine-id"
cp "$PACKAGE" "$root/tidewaiter.deb"
# No network of its own, and an overlay below: what Docker needs to run in there.
echo 'DOCKER_OPTS="--storage-driver=vfs --iptables=false --ip6tables=false --bridge=none --data-root=/docker-data"' \
    >"$root/etc/default/docker"
cat >"$root/etc/systemd/system/trial.service" <<'EOF'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /trial.sh
ExecStopPost=systemctl poweroff
StandardOutput=file:/trial.log
StandardError=inherit
EOF
mkdir -p "$root/etc/systemd/system/graphical.target.wants"
ln -s ../trial.service "$root/etc/systemd/system/graphical.target.wants/trial.service"
cat >"$root/trial.sh" <<'EOF'
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
failed=0
step() { printf '\n== %s\n' "$*"; }
# must DESCRIPTION COMMAND…: says whether it holds.
must() {
    local what=$1
    shift
    if "$@" >/tmp/out 2>&1; then echo "ok    $what"; else
        echo "FAIL  $what"
        sed 's/^/      /' /tmp/out
        failed=1
    fi
}
not() { ! "$@"; }
as_joe() { su joe -c "$*"; }
state() {
    for unit in docker.socket docker.service tidewaiter.socket tidewaiter.service; do
        printf '  %-20s %s, %s\n' $unit "$(systemctl is-active $unit)" "$(systemctl is-enabled $unit 2>/dev/null | tail -1)"
    done
    stat -c '  %a %U:%G %n' /run/docker.sock /run/docker-engine/docker.sock 2>/dev/null
    docker ps --format '  container {{.Names}}: {{.Status}}' 2>&1
}
own() { find /etc/tidewaiter /etc/systemd -mindepth 1 2>/dev/null | sort; }

# Containers take cgroups that may be written to, and /run/docker.sock a Docker that listens.
for cgroup in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,rw,bind "$cgroup" 2>/dev/null; done
systemctl start docker
mkdir -p /tmp/image/bin
cp /bin/busybox /tmp/image/bin/
for applet in sh sleep echo; do ln -s busybox /tmp/image/bin/$applet; done
tar -C /tmp/image -c . | docker import - busybox:1.0 >/dev/null
useradd joe
usermod -aG docker joe

step "Docker alone ($(docker version --format '{{.Server.Version}}'), $(systemctl --version | head -1), $(cat /etc/debian_version))"
docker run -d --name long --network none busybox:1.0 sleep 10000 >/dev/null || echo "  containers do not start here"
docker create --name made --network none busybox:1.0 true >/dev/null
state

step "the package is installed; nothing is taken over"
must "dpkg -i" dpkg -i /tidewaiter.deb
must "the units are clean" systemd-analyze verify --man=no /lib/systemd/system/tidewaiter.{service,socket}
must "neither is enabled" not systemctl is-enabled tidewaiter.socket tidewaiter.service
must "the doctor sees a way around" not tidewaiter doctor
state
own >/tmp/before

step "install is refused while it would stop containers, and says how not to"
if [ -n "$(docker ps -q)" ]; then
    must "refused" not tidewaiter install
    mkdir -p /etc/docker
    echo '{"live-restore": true}' >/etc/docker/daemon.json
    systemctl reload docker
    until [ "$(docker info --format '{{.LiveRestoreEnabled}}')" = true ]; do :; done
fi

step "install"
tidewaiter install --dry-run | sed 's/^/  /'
must "install" tidewaiter install
must "a second run has nothing to do" tidewaiter install
must "the engine's socket is root's alone" not as_joe docker --host unix:///run/docker-engine/docker.sock version
state

step "a member of the docker group works through the gate"
must "docker ps" as_joe docker ps
must "docker run" as_joe docker run --rm --network none busybox:1.0 echo through
must "he is named in the journal" grep -q '"user":"joe"' /var/log/tidewaiter/journal.jsonl
must "his program too" grep -q '"exe":"/usr/bin/docker"' /var/log/tidewaiter/journal.jsonl
must "the doctor finds no way around" tidewaiter doctor
grep CapEff /proc/"$(systemctl show -P MainPID tidewaiter.service)"/status | sed 's/^/  /'
systemd-analyze security tidewaiter.service --no-pager 2>/dev/null | tail -1

step "enforce, by a reload"
sed -i 's/^mode = .*/mode = "enforce"/' /etc/tidewaiter/policy.toml
must "systemctl reload" systemctl reload tidewaiter
must "a privileged container is refused" bash -c 'su joe -c "docker create --privileged busybox:1.0 true" 2>&1 | grep -q "tidewaiter: denied for fallback"'
echo 'nonsense = 1' >>/etc/tidewaiter/policy.toml
must "a bad policy fails the reload" not systemctl reload tidewaiter
sed -i '$d' /etc/tidewaiter/policy.toml
must "and the old one still holds" docker version

step "docker is restarted"
must "restart" systemctl restart docker
must "clients are answered" docker version
state

step "the gate is restarted under load: clients wait, none fails"
(for i in $(seq 40); do docker version >/dev/null 2>&1 || echo "failed: $i" >>/tmp/load; done) &
until grep -q . /proc/$!/status; do :; done
must "restart" systemctl restart tidewaiter.service
wait
must "no client failed" test ! -e /tmp/load

step "upgrade"
before=$(systemctl show -P MainPID tidewaiter.service)
must "dpkg -i, again" dpkg -i /tidewaiter.deb
must "the gate runs" systemctl is-active tidewaiter.service
must "clients are answered" as_joe docker version
echo "  process $before, then $(systemctl show -P MainPID tidewaiter.service)"
state

step "the package cannot be removed under the gate"
must "dpkg -r is refused" not dpkg -r tidewaiter

step "uninstall"
must "uninstall" tidewaiter uninstall
must "a second run has nothing to do" tidewaiter uninstall
must "the journal is whole" tidewaiter journal verify /var/log/tidewaiter/journal.jsonl
own >/tmp/after
must "/etc is as it was" diff /tmp/before /tmp/after
must "Docker answers itself" as_joe docker ps
state

step "purge"
must "dpkg -P" dpkg -P tidewaiter
must "no program is left" not test -e /usr/bin/tidewaiter
must "no configuration is left" not test -e /etc/tidewaiter
must "no unit is left" not test -e /lib/systemd/system/tidewaiter.service
must "the records are kept" test -s /var/log/tidewaiter/journal.jsonl
must "Docker answers" docker version
[ $failed = 0 ] && printf '\nTAKEOVER OK\n'
EOF

timeout $MOST_SECONDS systemd-nspawn --directory "$root" --boot --register=no --keep-unit --machine=tidewaiter \
    --capability=all --system-call-filter='@keyring bpf' >"$TREES/$SUITE.console" 2>&1 </dev/null || true
cat "$root/trial.log" 2>/dev/null || die "it did not boot: see $TREES/$SUITE.console"
grep -qx 'TAKEOVER OK' "$root/trial.log" || die "Debian $SUITE: not as it must be"
