#!/usr/bin/env bash
# A gate to try, in front of the machine's Docker Engine or, where none answers, of one made for the occasion.
#
#   make run               builds the gate and calls this
#   examples/gate.sh       the same with what is built already; Ctrl-C ends it
#
# An engine at /var/run/docker.sock is used as it is. Nothing outlives the gate but what you make through it.
set -euo pipefail
cd "$(dirname "$0")/.."

machine=/var/run/docker.sock
if [ -n "${TIDEWAITER_TEST_ENGINE:-}" ]; then
    engine=$TIDEWAITER_TEST_ENGINE
    whose="an engine of its own, stopped when the gate ends"
elif docker -H "unix://$machine" version >/dev/null 2>&1; then
    engine=$machine
    whose="the engine of this machine"
else
    echo "No engine answers at $machine: starting one."
    exec tests/engine.sh with examples/gate.sh
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/tidewaiter-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XDG_STATE_HOME=$dir/state

cat <<TEXT

A Tidewaiter gate at unix://$dir/docker.sock
in front of unix://$engine ($whose).

In another terminal:

  docker -H unix://$dir/docker.sock run --rm busybox id              # passes
  docker -H unix://$dir/docker.sock create --privileged busybox id   # is refused, with the reasons
  find $dir/state -name '*.jsonl' -exec tail -n 2 {} +    # who asked, for what, and what was decided

TEXT
target/release/tidewaiter run --listen "unix://$dir/docker.sock" --engine "unix://$engine" --mode enforce
