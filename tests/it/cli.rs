//! The Docker CLI and docker-compose through the gate: each script runs against the engine, then through a gate in monitor
//! mode, and must say the same, byte for byte, but for the names and
//! ids of what it made.

use super::support::docker::{Docker, Said, unique};
use super::support::engine::Engine;
use super::support::gate::Gate;

/// What every script may use, and how it cleans up. `$NAME` is its own: containers, networks and images are named after it.
const PRELUDE: &str = r#"
cd "$(mktemp -d)"
PTY="python3 $TESTS/it/support/terminal.py"
run() { docker run --rm --name "$NAME" "$@"; }
# Polls a command for a minute.
until_ok() { local n; for n in $(seq 600); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.1; done; echo "in vain: $*"; exit 1; }
clean() {
    jobs -p | xargs -r kill -KILL # a stream that outlives the script would hold its output open
    docker ps -aq --filter "name=$NAME" | xargs -r docker rm -fv
    docker network ls -q --filter "name=$NAME" | xargs -r docker network rm
    docker images -q "$NAME" | xargs -r docker rmi -f
    rm -r "$PWD"
}
trap 'clean >/dev/null 2>&1' EXIT
"#;

/// One test per script, so that the runner names, filters and spreads them.
macro_rules! scripts {
    ($($name:ident: $script:literal)*) => {$(
        #[test]
        fn $name() {
            same(&stringify!($name).replace('_', "-"), $script);
        }
    )*};
}

scripts! {
    version_info_and_lists: r#"
        docker version --format '{{.Server.Version}} {{.Server.APIVersion}}'
        docker info --format '{{.Driver}} {{.ServerVersion}}'
        docker images busybox
        docker ps --filter name=nothing
        docker inspect busybox:1.0
    "#

    errors_and_exit_statuses: r#"
        run busybox sh -c 'echo out; echo err >&2; exit 3' || echo "status $?"
        run busybox /no/such/program || echo "status $?"
        docker inspect "$NAME" || echo "status $?"
        docker rm "$NAME" || echo "status $?"
        docker attach "$NAME" || echo "status $?"
        docker network create --subnet 300.0.0.0/8 "$NAME" || echo "status $?"
    "#

    the_end_of_stdin_reaches_the_container: r#"
        echo x | run -i busybox cat
        run -i busybox sh -c 'cat; echo after' </dev/null
        head -c 3000000 /dev/zero | run -i busybox md5sum
    "#

    output_of_some_size_comes_whole: r#"
        run busybox sh -c 'seq 1 200000; seq 1 100000 >&2' >out 2>err
        md5sum out err
    "#

    a_terminal_is_resized: r#"
        wait_for_size='until [ "$(stty size)" = "$1" ]; do sleep 0.05; done; echo "size $1"'
        docker create -it --name "$NAME" busybox \
            sh -c "f() { $wait_for_size; }; f '24 80'; f '40 132'; read line; echo got \$line; exit 5" >/dev/null
        $PTY "docker start -ai $NAME" size=24x80 'wait=size 24 80' size=40x132 'wait=size 40 132' raw 'send=hello\r'
    "#

    a_terminal_is_detached_and_attached: r#"
        docker create -it --name "$NAME" busybox sh -c '
            read one; echo "one $one"
            until [ "$(stty size)" = "30 100" ]; do sleep 0.05; done; echo attached
            read two; echo "two $two"; exit 6' >/dev/null
        $PTY "docker start -ai $NAME" raw 'send=first\r' 'wait=one first' 'send=\x10\x11'
        docker inspect -f '{{.State.Running}}' "$NAME"
        $PTY "docker attach --detach-keys ctrl-x $NAME" size=30x100 wait=attached raw 'send=second\r' 'wait=two second'
        $PTY "docker start -ai --detach-keys ctrl-x,y $NAME" raw 'send=\x18y'
    "#

    a_signal_reaches_an_attached_container: r#"
        docker run --rm --name "$NAME" busybox sh -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.1; done' >out &
        until_ok grep ready out
        kill -INT $!
        wait $! || echo "status $?"
        cat out
    "#

    exec_in_all_forms: r#"
        docker run -d --name "$NAME" busybox sleep 1000 >/dev/null
        docker exec "$NAME" sh -c 'echo out; echo err >&2; exit 4' || echo "status $?"
        echo piped | docker exec -i "$NAME" cat
        docker exec -e A=b -w /tmp -u 1:1 "$NAME" sh -c 'echo $A; pwd; id'
        docker exec -d "$NAME" sh -c 'echo done >/tmp/done'
        until_ok docker exec "$NAME" cat /tmp/done
        docker exec "$NAME" no-such-program || echo "status $?"
        $PTY "docker exec -it $NAME sh -c 'echo ready; read line; echo got \$line; exit 7'" wait=ready raw 'send=hello\r'
        docker top "$NAME" -eo pid,args | awk '{ $1 = ""; print }'
        docker diff "$NAME"
        docker kill "$NAME" >/dev/null
        docker exec "$NAME" true || echo "status $?"
    "#

    logs_are_followed_to_the_end: r#"
        docker run -d --name "$NAME" busybox sh -c 'echo one; sleep 1; echo two >&2; sleep 1; echo three' >/dev/null
        docker logs -f "$NAME" >out 2>err
        cat out err
        docker logs --tail 1 "$NAME"
    "#

    a_followed_log_is_cancelled: r#"
        docker run -d --name "$NAME" busybox sh -c 'echo one; sleep 1000' >/dev/null
        docker logs -f "$NAME" >out &
        until_ok grep one out
        kill -INT $!
        wait $! || echo "status $?"
    "#

    events_come_as_they_happen: r#"
        since=$(date +%s)
        docker events --since "$since" --filter "container=$NAME" --format '{{.Type}} {{.Action}}' >out &
        run busybox true
        until_ok grep destroy out
        kill -INT $!
        wait $! || echo "status $?"
        cat out
    "#

    wait_returns_the_exit_status: r#"
        docker run -d --name "$NAME" busybox sh -c 'sleep 1; exit 3' >/dev/null
        docker wait "$NAME"
        docker stop "$NAME"
        docker start "$NAME"
        docker restart -t 0 "$NAME"
        docker pause "$NAME"
        docker unpause "$NAME"
        docker rename "$NAME" "$NAME-b"
        docker update --memory 64m --memory-swap 64m "$NAME-b"
        docker kill "$NAME-b"
        docker wait "$NAME-b"
    "#

    a_gibibyte_is_copied_in_and_out: r#"
        docker create --name "$NAME" busybox true >/dev/null
        # Cheap to make, dear to mistake: every 16 bytes are different.
        seq -f '%015.0f' 1 67108864 | head -c 1073741824 >big
        before=$(sha256sum <big)
        docker cp -q big "$NAME:/tmp/big"
        rm big
        docker cp -q "$NAME:/tmp/big" back
        [ "$(sha256sum <back)" = "$before" ] && stat -c %s back
    "#

    copies_by_tar_streams: r#"
        docker create --name "$NAME" busybox true >/dev/null
        mkdir -p d/e && echo text >d/e/f && ln -s e/f d/link
        docker cp d "$NAME:/tmp/"
        tar -c d | docker cp - "$NAME:/root"
        docker cp "$NAME:/tmp/d" - | tar -t
        docker cp "$NAME:/root/d/e/f" -  | tar -xO
        docker cp "$NAME:/no/such" . || echo "status $?"
        docker export "$NAME" | tar -t | sort | md5sum
    "#

    images_are_saved_and_loaded: r#"
        docker run --name "$NAME" busybox dd if=/dev/zero of=/zero bs=1M count=200 2>/dev/null
        docker commit "$NAME" "$NAME:1" >/dev/null
        id=$(docker inspect -f '{{.Id}}' "$NAME:1")
        docker save "$NAME:1" >saved.tar
        tar -xOf saved.tar manifest.json | sed 's/[0-9a-f]\{64\}/ID/g'
        docker rmi "$NAME:1" >/dev/null
        docker load -q -i saved.tar
        [ "$(docker inspect -f '{{.Id}}' "$NAME:1")" = "$id" ] && echo same
        docker save "$NAME:1" | docker load
        echo 'FROM scratch' | docker import - "$NAME:2" || echo "status $?"
        docker history --format '{{.CreatedBy}}' "$NAME:1"
        docker tag "$NAME:1" "$NAME:3"
    "#

    a_classic_build: r#"
        export DOCKER_BUILDKIT=0
        echo content >file
        printf '%s\n' 'FROM busybox:1.0' 'ARG A=none' 'COPY file /file' 'RUN echo "$A"; cat /file' 'CMD ["cat", "/file"]' >Dockerfile
        docker build --no-cache --build-arg A=given -t "$NAME:1" .
        run "$NAME:1"
        echo 'RUN echo failing; exit 3' >>Dockerfile
        docker build . || echo "status $?"
        docker build -q - <<<'FROM busybox:1.0'
        docker builder prune -f --filter until=1000h
    "#

    a_build_is_cancelled: r#"
        export DOCKER_BUILDKIT=0
        printf '%s\n' 'FROM busybox:1.0' "RUN echo $NAME started; sleep 1000" | docker build --no-cache - >out 2>err &
        until_ok grep "^$NAME started" out
        kill -INT $!
        wait $! || echo "status $?"
        none_left() { [ -z "$(docker ps -q --no-trunc --filter "ancestor=busybox:1.0" | xargs -r docker inspect -f '{{.Config.Cmd}}' | grep "$NAME")" ]; }
        until_ok none_left
    "#

    stats_once_and_as_a_stream: r#"
        docker run -d --name "$NAME" busybox sleep 1000 >/dev/null
        docker stats --no-stream --format '{{.Name}} {{.PIDs}}' "$NAME"
        docker stats --format '{{.Name}} {{.PIDs}}' "$NAME" | grep -m1 -o "$NAME 1" || echo "status $?"
    "#

    a_published_port_and_networks: r#"
        docker network create "$NAME-net" >/dev/null
        docker run -d --name "$NAME" --network "$NAME-net" --network-alias web -p 127.0.0.1::8080 busybox \
            sh -c 'mkdir w; echo hello >w/index.html; exec httpd -f -p 8080 -h w' >/dev/null
        address=$(docker port "$NAME" 8080)
        until_ok busybox wget -qO- "http://$address/"
        busybox wget -qO- "http://$address/"
        docker network inspect -f '{{range .Containers}}{{.Name}}{{end}}' "$NAME-net"
        docker network disconnect "$NAME-net" "$NAME"
        docker network connect --alias again "$NAME-net" "$NAME"
        docker network rm "$NAME-net" || echo "status $?"
    "#

    volumes: r#"
        docker volume create --label a=b "$NAME-volume"
        run -v "$NAME-volume:/v" busybox sh -c 'echo kept >/v/file'
        run -v "$NAME-volume:/v:ro" busybox sh -c 'cat /v/file; touch /v/no' || echo "status $?"
        run --mount "type=bind,source=$PWD,target=/b" --tmpfs /t busybox sh -c 'echo bound >/b/file; touch /t/x'
        cat file
        docker volume inspect -f '{{.Labels}} {{.Driver}}' "$NAME-volume"
        docker volume rm "$NAME-volume"
    "#

    compose_up_and_down: r#"
        export COMPOSE_PROJECT_NAME=$NAME
        cat >docker-compose.yml <<YAML
version: "2.4"
services:
  db:
    image: busybox:1.0
    command: sh -c 'echo db is up; exec sleep 1000'
    stop_signal: SIGKILL
    volumes: ["data:/data"]
  web:
    image: busybox:1.0
    command: sh -c 'echo web is up; exec sleep 1000'
    stop_signal: SIGKILL
    depends_on: [db]
    environment: {A: b}
volumes:
  data: {}
YAML
        docker-compose config -q
        docker-compose up -d >/dev/null 2>&1
        docker ps --filter "name=$NAME" --format '{{.Names}} {{.Image}}' | sort
        until_ok sh -c 'docker-compose logs web 2>&1 | grep "web is up"'
        docker-compose exec -T web sh -c 'echo $A; cat' <<<piped
        docker-compose run --rm -T web echo once 2>/dev/null
        docker-compose exec -T web false || echo "status $?"
        docker-compose down -v >/dev/null 2>&1
        docker ps -a --filter "name=$NAME" --format '{{.Names}}'
        docker volume ls --filter "name=$NAME" --format '{{.Name}}'
    "#

    compose_in_the_foreground: r#"
        export COMPOSE_PROJECT_NAME=$NAME
        cat >docker-compose.yml <<YAML
version: "2.4"
services:
  one:
    image: busybox:1.0
    command: sh -c 'echo a line; exit 2'
YAML
        docker-compose up --exit-code-from one >out 2>&1 || echo "status $?"
        grep -o 'a line' out
        docker-compose down >/dev/null 2>&1
    "#
}

/// Runs a script directly and through a gate.
///
/// # Panics
/// If the two do not say the same, or if the gate saw nothing.
fn same(what: &str, script: &str) {
    let engine = Engine::shared();
    let gate = Gate::monitor(engine.socket());
    let direct = said(&Docker::at(engine.socket()), &unique(what), script);
    let through = said(&Docker::at(&gate.socket()), &unique(what), script);
    assert_eq!(direct.stdout, through.stdout, "direct (left) and through the gate (right)\n{direct:#?}\n{through:#?}");
    assert_eq!(direct, through, "direct (left) and through the gate (right)");
    // A script that stopped half-way would agree with itself too.
    assert!(direct.status.success(), "{direct:#?}");
    assert!(!gate.records().is_empty(), "the gate was not in the way");
}

fn said(docker: &Docker, name: &str, script: &str) -> Said {
    let text = format!("{PRELUDE}{script}");
    let mut said = docker.script(&text, &[("NAME", name), ("TESTS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))]);
    for text in [&mut said.stdout, &mut said.stderr] {
        *text = without_ids(&text.replace(docker.host(), "HOST").replace(name, "NAME"));
    }
    said
}

/// Puts `ID` in place of what the engine makes up: 12 or more hexadecimal digits on end.
fn without_ids(text: &str) -> String {
    const SHORT_ID: usize = 12;
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_hexdigit() {
            word.push(letter);
            continue;
        }
        out.push_str(if word.len() < SHORT_ID { &word } else { "ID" });
        word.clear();
        out.push(letter);
    }
    out.pop();
    out
}

#[test]
fn ids_are_taken_out_and_nothing_else() {
    let text = format!("Running in 0123456789ab\nsha256:{}\nbeef 12:30 deadbeef", "c0de".repeat(16));
    assert_eq!(without_ids(&text), "Running in ID\nsha256:ID\nbeef 12:30 deadbeef");
}
