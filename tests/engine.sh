#!/usr/bin/env bash
# A Docker Engine of its own for the tests: installed if missing, started in a fresh folder, always stopped.
#
#   tests/engine.sh setup        install what the tests need and the machine lacks (apt; root or sudo)
#   tests/engine.sh with CMD…    run CMD beside a fresh engine, stop it, return CMD's status
#   tests/engine.sh start DIR    start an engine that lives in DIR (socket: DIR/docker.sock)
#   tests/engine.sh stop DIR     stop it and keep its data: `start DIR` brings it back
#   tests/engine.sh remove DIR   stop it and remove every trace
#
# TIDEWAITER_DOCKERD_OPTIONS are given to every dockerd that is started.
# An engine that already runs on the machine is never asked, changed or stopped.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
START_SECONDS=60 # a cold engine on a loaded two-core machine took 6
STOP_SECONDS=30  # the engine itself gives its containers 15
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION

die() { echo "engine.sh: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# ---- setup --------------------------------------------------------------------------------------

# Prints the packages behind the commands that this machine lacks.
missing_packages() {
    local need
    for need in dockerd=docker.io busybox=busybox-static docker-compose=docker-compose docker-registry=docker-registry \
        /usr/bin/python3=python3-minimal ip=iproute2 setsid=util-linux systemctl=systemd rsyslogd=rsyslog cc=build-essential \
        clang=clang; do
        command -v "${need%%=*}" >/dev/null || echo "${need#*=}"
    done
    # What rsyslog speaks TLS by is no command.
    compgen -G '/usr/lib/*/rsyslog/lmnsd_gtls.so' >/dev/null || echo rsyslog-gnutls
    [ -e /usr/include/bpf/bpf_helpers.h ] || echo libbpf-dev
    # Debian 13 and later ship the client apart from the engine.
    if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
        echo docker-cli
    fi
}

setup() {
    local packages
    packages=$(missing_packages)
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null ||
        die "missing here: $(echo "$packages" | xargs). No apt-get: install these by hand."
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "missing here: $(echo "$packages" | xargs). Run 'tests/engine.sh setup' as root."
    echo "engine.sh: installing $(echo "$packages" | xargs)" >&2
    # Two installs at the same time would restore each other's policy-rc.d.
    # shellcheck disable=SC2086 # a list of words
    as_root flock /run/lock/tidewaiter-setup "$0" install $packages
}

# Installs packages without letting their services start (policy-rc.d is Debian's switch for that):
# a system engine that was not there before must not be there afterwards.
install() {
    local policy=/usr/sbin/policy-rc.d saved
    saved=$(mktemp -d)
    [ ! -e "$policy" ] || mv "$policy" "$saved/"
    # shellcheck disable=SC2064 # the values of now
    trap "rm -f $policy; mv $saved/policy-rc.d $policy 2>/dev/null || true; rmdir $saved" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "$@" >&2 ||
        { apt-get update && apt-get install -y --no-install-recommends "$@"; } >&2 ||
        die "apt-get could not install: $*"
}

# ---- the test image -----------------------------------------------------------------------------

# Writes a `docker load` archive of busybox:1.0 and busybox:latest to DIR/image.tar. Nothing is pulled,
# and with fixed times and owners the image id depends on the busybox binary only.
make_image() {
    local dir=$1 root=$1/image/root layer=$1/image/layer.tar busybox applet digest
    busybox=$(command -v busybox)
    mkdir -p "$root"/{bin,etc,tmp,root}
    cp "$busybox" "$root/bin/busybox"
    for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    chmod 755 "$root" "$root"/{bin,etc} && chmod 1777 "$root/tmp" && chmod 644 "$root"/etc/*
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$root" -cf "$layer" .
    digest=$(sha256sum "$layer")
    cat >"$dir/image/config.json" <<JSON
{"architecture":"$(dpkg --print-architecture)","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"Env":["PATH=/bin"],"Cmd":["sh"]},
"rootfs":{"type":"layers","diff_ids":["sha256:${digest%% *}"]},
"history":[{"created":"1970-01-01T00:00:00Z"}]}
JSON
    echo '[{"Config":"config.json","RepoTags":["busybox:1.0","busybox:latest"],"Layers":["layer.tar"]}]' \
        >"$dir/image/manifest.json"
    tar -C "$dir/image" -cf "$dir/image.tar" config.json manifest.json layer.tar
    rm -r "$dir/image"
}

# ---- one engine in one folder -------------------------------------------------------------------

# Takes the first free number for this engine and leaves it in DIR/slot.
#
# Engines that share a network namespace clash twice: all of them want the bridge docker0, and each
# flushes the others' iptables chains when it starts. So each gets a bridge and a /24 of its own, and
# none touches iptables or ip_forward. Published ports still work, by docker-proxy; what the containers
# lose is the way out of the machine, which no test wants. `ip link add` of a taken name fails, which
# makes the name of the bridge the lock.
take_slot() {
    local dir=$1 n error=
    for n in $(seq 1 250); do
        if error=$(as_root ip link add name "tidewaiter$n" type bridge 2>&1); then
            as_root ip addr add "10.219.$n.1/25" dev "tidewaiter$n"
            as_root ip link set "tidewaiter$n" up
            echo "$n" >"$dir/slot"
            return
        fi
    done
    die "cannot make a network bridge: $error"
}

pid_of() { cat "$1.pid" 2>/dev/null || echo none; }
# A zombie is not alive: the first process of a container or a virtual machine may be slow to reap.
alive() { grep -qs '^State:.[^Z]' "/proc/$(pid_of "$1")/status"; }
dead() { ! alive "$1"; }
answers() { docker -H "unix://$1/docker.sock" version >/dev/null 2>&1; }

# wait_for SECONDS COMMAND…
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# spawn NAME COMMAND…: in the background, away from the terminal's Ctrl-C, output in NAME.log.
spawn() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # expanded by the inner shell, whose pid the exec keeps
    as_root setsid sh -c 'echo $$ >"$1.pid"; shift; exec "$@"' sh "$name" "$@" \
        >>"$name.log" 2>&1 </dev/null &
}

came_up() { answers "$1" || dead "$1/dockerd"; }

start() {
    local dir=$1 slot
    mkdir -p "$dir"
    dir=$(realpath "$dir")
    if alive "$dir/dockerd"; then die "an engine already runs in $dir"; fi
    [ -e "$dir/slot" ] || take_slot "$dir"
    slot=$(cat "$dir/slot")
    # Its own containerd: dockerd would borrow the machine's, and with it another engine's containers.
    # It outlives a killed dockerd, as do the containers; the next dockerd ends them (10 seconds each).
    if dead "$dir/containerd"; then
        printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$dir/containerd.toml"
        rm -f "$dir/run/containerd.sock"
        spawn "$dir/containerd" containerd --config "$dir/containerd.toml" --root "$dir/containerd" \
            --state "$dir/run/containerd" --address "$dir/run/containerd.sock"
        wait_for "$START_SECONDS" test -S "$dir/run/containerd.sock" ||
            { tail -n 30 "$dir/containerd.log" >&2; die "containerd did not start"; }
    fi
    rm -f "$dir/dockerd.pid"
    echo '{}' >"$dir/daemon.json" # and not the machine's
    # shellcheck disable=SC2086 # options, apart
    spawn "$dir/dockerd" dockerd --config-file "$dir/daemon.json" --host "unix://$dir/docker.sock" \
        --group "$(id -g)" --data-root "$dir/data" --exec-root "$dir/run" \
        --pidfile "$dir/run/dockerd.pid" --containerd "$dir/run/containerd.sock" \
        --bridge "tidewaiter$slot" --default-address-pool "base=10.219.$slot.128/25,size=28" \
        --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false ${TIDEWAITER_DOCKERD_OPTIONS:-}
    wait_for 5 test -s "$dir/dockerd.pid" || true
    if ! wait_for "$START_SECONDS" came_up "$dir" || ! alive "$dir/dockerd"; then
        echo "engine.sh: the engine did not come up; the end of its log:" >&2
        tail -n 30 "$dir/dockerd.log" >&2
        exit 1
    fi
    if ! docker -H "unix://$dir/docker.sock" image inspect busybox:1.0 >/dev/null 2>&1; then
        [ -n "${TIDEWAITER_TEST_IMAGE_TAR:-}" ] || make_image "$dir"
        docker -H "unix://$dir/docker.sock" load -q \
            -i "${TIDEWAITER_TEST_IMAGE_TAR:-$dir/image.tar}" >/dev/null
    fi
}

# end NAME: TERM, then KILL at the deadline.
end() {
    alive "$1" || return 0
    as_root kill -TERM "$(pid_of "$1")" 2>/dev/null || true
    wait_for "$STOP_SECONDS" dead "$1" || as_root kill -KILL "$(pid_of "$1")" || true
    wait_for 5 dead "$1" || true
}

stop() {
    local dir shim
    dir=$(realpath "$1")
    # Busybox as a container's first process ignores TERM; the engine would wait for each.
    if alive "$dir/dockerd" && answers "$dir"; then
        docker -H "unix://$dir/docker.sock" ps -q |
            xargs -r timeout 20 docker -H "unix://$dir/docker.sock" kill >/dev/null 2>&1 || true
    fi
    end "$dir/dockerd"
    # What a killed engine left behind. The folder's name is random: these are ours.
    for shim in $(pgrep -f -- "containerd-shim.* -address $dir/run/" || true); do
        as_root pkill -KILL -P "$shim" || true
        as_root kill -KILL "$shim" 2>/dev/null || true
    done
    end "$dir/containerd"
    rm -f "$dir"/*.pid
}

remove() {
    local dir slot link
    [ -d "$1" ] || return 0
    dir=$(realpath "$1")
    stop "$dir"
    if slot=$(cat "$dir/slot" 2>/dev/null); then
        # Its bridge and those of the networks it made: all have an address of its /24.
        for link in $(ip -o -4 addr show | awk -v net="10.219.$slot." 'index($4, net) == 1 {print $2}'); do
            as_root ip link del "$link" || true
        done
    fi
    awk -v dir="$dir/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r |
        while read -r mount; do as_root umount -l "$mount" || true; done
    as_root rm -rf --one-file-system "$dir"
}

# ---- with ---------------------------------------------------------------------------------------

# Tests put engines of their own below the folder; one that was killed leaves them to us.
clean() {
    local slot
    for slot in "$1"/*/slot "$1/slot"; do
        [ ! -e "$slot" ] || remove "${slot%/slot}"
    done
    rm -rf "$1"
}

with() {
    [ $# -gt 0 ] || die "with: no command"
    local dir status=0
    dir=$(mktemp -d "${TMPDIR:-/var/tmp}/tidewaiter-XXXXXX") # /tmp is memory on many machines
    # shellcheck disable=SC2064 # the value of now
    trap "clean '$dir'" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    make_image "$dir"
    export TIDEWAITER_TEST_IMAGE_TAR=$dir/image.tar TIDEWAITER_TEST_ENGINE=$dir/docker.sock
    start "$dir"
    "$@" || status=$?
    return "$status"
}

case ${1:-} in
    setup | install | with | start | stop | remove | make_image) "$@" ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
