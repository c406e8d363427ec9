#!/usr/bin/env bash
# Podman's Docker-compatible socket for the tests: installed if missing, with a root of its own, always stopped.
#
#   tests/podman.sh with CMD…   run CMD beside a fresh Podman (root only); its socket is in TIDEWAITER_TEST_PODMAN
#
# Podman's own state on the machine is never asked or changed.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
START_SECONDS=30

die() { echo "podman.sh: $*" >&2; exit 1; }

# Sets OWN to the command of a Podman that lives in DIR.
own() {
    OWN=(podman --root "$1/data" --runroot "$1/run" --tmpdir "$1/tmp" --network-config-dir "$1/net"
        --volumepath "$1/volumes" --events-backend file --cgroup-manager cgroupfs)
}

clean() {
    local dir=$1 mount
    own "$dir"
    "${OWN[@]}" rm --all --force --time 0 >/dev/null 2>&1 || true
    [ ! -s "$dir/pid" ] || kill "$(cat "$dir/pid")" 2>/dev/null || true
    wait
    awk -v dir="$dir/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r |
        while read -r mount; do umount -l "$mount" || true; done
    rm -rf --one-file-system "$dir"
}

with() {
    [ $# -gt 0 ] || die "with: no command"
    [ "$(id -u)" = 0 ] || die "run as root: rootless Podman is another engine"
    command -v podman >/dev/null || "$here/engine.sh" install podman
    local dir docker name deadline status=0
    dir=$(mktemp -d "${TMPDIR:-/var/tmp}/tidewaiter-podman-XXXXXX")
    # shellcheck disable=SC2064 # the value of now
    trap "clean '$dir'" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # Its default is more than some machines give.
    printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' >"$dir/containers.conf"
    export CONTAINERS_CONF=$dir/containers.conf TIDEWAITER_TEST_PODMAN=$dir/podman.sock
    own "$dir"
    "${OWN[@]}" system service --time=0 "unix://$dir/podman.sock" >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    docker="docker -H unix://$dir/podman.sock"
    deadline=$((SECONDS + START_SECONDS))
    until $docker version >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { tail -n 30 "$dir/log" >&2; die "Podman did not start"; }
        sleep 0.1
    done
    "$here/engine.sh" make_image "$dir"
    $docker load -q -i "$dir/image.tar" >/dev/null
    # As a pull names them. The archive's bare names become localhost's.
    for name in busybox:1.0 busybox:latest; do
        $docker tag "localhost/$name" "docker.io/library/$name"
        $docker rmi "localhost/$name" >/dev/null
    done
    "$@" || status=$?
    return "$status"
}

case ${1:-} in
    with) "$@" ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
