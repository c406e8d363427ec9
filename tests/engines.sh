#!/usr/bin/env bash
# Newer Docker Engines beside the machine's own: unpacked from Debian's packages into a folder, never installed.
#
#   tests/engines.sh with SUITE CMD…   run CMD beside a fresh engine of a Debian suite (trixie: 26.1, sid: 28.5)
#   tests/engines.sh compare DIR       print in what the tables of rows that tests left in DIR differ
#
# They come from where this machine's own apt takes Debian from; DEBIAN_MIRROR names another place.
# The packages are kept in ${TIDEWAITER_ENGINES:-/var/tmp/tidewaiter-engines} and are fetched once. Their signatures are
# checked by apt with the keys that this machine trusts.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
KEPT=${TIDEWAITER_ENGINES:-/var/tmp/tidewaiter-engines}
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
PROGRAMS=(dockerd containerd containerd-shim-runc-v2 runc docker-proxy)
PACKAGES=(docker.io containerd runc libc6 libsystemd0 libseccomp2 libcap2 libgcc-s1 libselinux1 libpcre2-8-0
    libudev1 libdevmapper1.02.1 libbtrfs0t64 libnftables1 libnftnl11 libmnl0 libjansson4 libxtables12 libedit2 libgmp10
    libbsd0 libmd0 libtinfo6)

die() { echo "engines.sh: $*" >&2; exit 1; }

# Where this machine takes Debian from.
mirror() {
    local site=${DEBIAN_MIRROR:-}
    # shellcheck disable=SC2016 # apt's own variables
    [ -n "$site" ] || site=$(apt-get indextargets --format '$(LABEL) $(SITE)' | awk '$1 == "Debian" {print $2; exit}')
    [ -n "$site" ] || die "this machine's apt knows no Debian mirror: set DEBIAN_MIRROR to the URL of one"
    echo "$site"
}

# apt, with lists and a cache of our own, so that the machine's are neither read nor changed.
own_apt() {
    local command=$1 dir=$2
    shift 2
    "$command" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
        -o APT::Sandbox::User=root -o APT::Get::List-Cleanup=false -qq "$@"
}

fetch() {
    local suite=$1 dir=$2 program file site
    site=$(mirror)
    mkdir -p "$dir"/{lists/partial,cache/archives/partial,debs,root,bin}
    echo "deb [signed-by=$KEYS] $site $suite main" >"$dir/sources.list"
    : >"$dir/status"
    own_apt apt-get "$dir" update
    (cd "$dir/debs" && own_apt apt-get "$dir" download "${PACKAGES[@]}")
    for file in "$dir"/debs/*.deb; do
        dpkg -x "$file" "$dir/root"
    done
    # They want a newer C library than this machine's: each is pointed at the one it came with.
    file=$(find "$dir/root/usr/lib64" "$dir/root/usr/lib" -maxdepth 1 -name 'ld-linux*' -print -quit)
    for program in "${PROGRAMS[@]}"; do
        find "$dir"/root/usr/{bin,sbin} -name "$program" -type f -exec cp {} "$dir/bin/" \; -quit
        patchelf --set-interpreter "$file" --force-rpath --set-rpath "$(dirname "$(find "$dir/root/usr/lib" \
            -name libc.so.6 -print -quit)")" "$dir/bin/$program"
    done
    rm -r "$dir"/{debs,lists,cache}
    touch "$dir/complete"
}

with() {
    local suite=$1 dir=$KEPT/$1
    shift
    for need in patchelf dpkg apt-get; do
        command -v "$need" >/dev/null || die "missing here: $need"
    done
    [ -e "$dir/complete" ] || { rm -rf "$dir" && fetch "$suite" "$dir"; }
    PATH=$dir/bin:$PATH "$here/engine.sh" with "$@"
}

# Prints the rows that fared otherwise on one engine than on another. Those of one engine only are left out.
compare() {
    awk -F'\t' '
        { engine = FILENAME; sub(".*/", "", engine); held = $4 == "" ? "nothing" : $4
          row[$1] = row[$1] sprintf("    %-16s %-14s then: %s\n", engine, $3, held)
          if ($1 in first && first[$1] != $3) differs[$1] = 1
          first[$1] = $3; expected[$1] = $2 }
        END { for (id in differs) { n++; printf "%s, expected %s:\n%s", id, expected[id], row[id] }
              printf "%d rows differ between engines\n", n }' "$1"/*
}

case ${1:-} in
    with | compare) "$@" ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
