//! From what was seen to the least that lets it pass: usual clients in monitor mode, a policy learned from the journal, the
//! same clients under it, and twelve ways to the host that it refuses.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use super::support::docker::Docker;
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};

/// What a developer, a build, a compose file, a reverse proxy and an updater ask of the engine.
const CLIENTS: &str = r#"
docker version >/dev/null; docker info >/dev/null; docker ps -a >/dev/null; docker images >/dev/null
docker run --rm --name one busybox:1.0 true
docker run -d --name web -p 127.0.0.1:18080:80 -v "$DATA:/data:ro" -v "$OUT:/out" --tmpfs /t --sysctl net.ipv4.tcp_fin_timeout=5 \
    --cap-drop ALL --cap-add NET_BIND_SERVICE --memory 64m --restart unless-stopped busybox:1.0 sleep 600
docker exec web id; docker exec -u 5 web true; docker top web >/dev/null; docker logs web
docker cp web:/etc/hostname "$OUT/hostname"; docker cp "$OUT/hostname" web:/t/x
docker stop -t 0 web; docker start web; docker restart -t 0 web; docker inspect web >/dev/null
docker update --memory 32m --memory-swap 64m web >/dev/null
docker run --rm --network container:web busybox:1.0 true
docker volume create stuff; docker run --rm -v stuff:/s busybox:1.0 touch /s/x
docker network create inner; docker run -d --name on-inner --network inner busybox:1.0 sleep 600
docker network connect bridge on-inner; docker network disconnect bridge on-inner
printf 'FROM busybox:1.0\nRUN true\n' | DOCKER_BUILDKIT=0 docker build -t learned:1 - ; docker run --rm learned:1 true
docker tag learned:1 learned:2; docker rmi learned:2
docker rm -f web on-inner; docker network rm inner; docker volume rm stuff

# Compose.
docker-compose -p flow -f "$COMPOSE" up -d; docker-compose -p flow -f "$COMPOSE" ps
docker-compose -p flow -f "$COMPOSE" exec -T app true; docker-compose -p flow -f "$COMPOSE" down -v

# Docker's SDK for Python.
python3 -c 'import docker
client = docker.from_env()
assert client.containers.run("busybox:1.0", "echo sdk", remove=True, network="none", user="5") == b"sdk\n"
client.images.list(); client.volumes.create("by-sdk").remove()'

# Another user, who only looks.
setpriv --reuid=61003 --keep-groups docker ps >/dev/null

# A reverse proxy that looks for containers.
engine() { curl -sfS --unix-socket "${DOCKER_HOST#unix://}" "$@"; }
docker run -d --name seen --label traefik.enable=true busybox:1.0 sleep 600
engine http://d/v1.24/version >/dev/null; engine http://d/v1.24/containers/json >/dev/null
engine "http://d/v1.24/containers/seen/json" >/dev/null
engine "http://d/v1.24/events?until=1" >/dev/null

# An updater: looks, stops, renames, makes the same anew, starts, removes the old.
engine http://d/v1.30/containers/json >/dev/null; engine http://d/v1.30/images/busybox:1.0/json >/dev/null
engine -X POST 'http://d/v1.30/containers/seen/stop?t=0'; engine -X POST 'http://d/v1.30/containers/seen/rename?name=old'
engine http://d/v1.30/containers/old/json | python3 -c 'import json,sys
c=json.load(sys.stdin); b=c["Config"]; b["HostConfig"]=c["HostConfig"]; b["NetworkingConfig"]={"EndpointsConfig":{"bridge":{}}}
print(json.dumps(b))' | engine -X POST -H 'Content-Type: application/json' -d @- 'http://d/v1.30/containers/create?name=seen' >/dev/null
engine -X POST http://d/v1.30/containers/seen/start; engine -X DELETE 'http://d/v1.30/containers/old?v=1&force=1'
docker rm -f seen
"#;

const COMPOSE: &str = "\
version: '2.4'
services:
  db:
    image: busybox:1.0
    command: sleep 600
    volumes: [ 'data:/var/lib/data' ]
    environment: { PASSWORD: hunter2 }
  app:
    image: busybox:1.0
    command: sleep 600
    depends_on: [ db ]
    ports: [ '127.0.0.1:18081:80' ]
    networks: [ default, back ]
volumes: { data: {} }
networks: { back: {} }
";

/// Ways to the host, none of which the clients above went.
const ATTACKS: [(&str, &str); 16] = [
    ("privileged", "docker create --privileged busybox:1.0 true"),
    ("host processes", "docker create --pid host busybox:1.0 true"),
    ("/etc", "docker create -v /etc:/h busybox:1.0 true"),
    ("docker.sock", "docker create -v /var/run/docker.sock:/s busybox:1.0 true"),
    ("capability", "docker create --cap-add SYS_ADMIN busybox:1.0 true"),
    ("device", "docker create --device /dev/kmsg busybox:1.0 true"),
    ("another image", "docker create busybox:other true"),
    ("privileged exec", "docker exec --privileged target true"),
    ("build in the host's network", "echo FROM busybox:1.0 | DOCKER_BUILDKIT=0 docker build --network host -"),
    ("volume that is a bind", "docker volume create -o type=none -o o=bind -o device=/etc evil"),
    ("a data folder written that was only read", "docker create -v \"$DATA:/data\" busybox:1.0 true"),
    ("by the user who only looked", "setpriv --reuid=61003 --keep-groups docker create busybox:1.0 true"),
    ("another's processes", "docker create --pid container:behind busybox:1.0 true"),
    ("an old version", "engine -X POST -H 'Content-Type: application/json' -d '{}' http://d/v1.12/containers/create"),
    (
        "a version in other digits",
        "engine -X POST -H 'Content-Type: application/json' -d '{}' http://d/v01.41/containers/create",
    ),
    (
        "a path in escapes",
        "engine --path-as-is -X POST -H 'Content-Type: application/json' -d '{}' http://d/v1.41/x/../cont%61iners/create",
    ),
];

/// Folders that the clients bind, the same in both runs.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("learn-").tempdir().unwrap();
        for name in ["data", "out"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("compose.yml"), COMPOSE).unwrap();
        Self { dir }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn run(&self, gate: &Gate, script: &str) -> super::support::docker::Said {
        let (data, out, compose) = (self.at("data"), self.at("out"), self.at("compose.yml"));
        let variables = [("DATA", data.as_str()), ("OUT", &out), ("COMPOSE", &compose)];
        Docker::at(&gate.socket()).script(script, &variables)
    }
}

fn tidewaiter(dir: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.env("XDG_STATE_HOME", dir).env("XDG_CONFIG_HOME", dir).env("XDG_RUNTIME_DIR", dir).args(args);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Records of calls that the gate refused.
fn refused(gate: &Gate) -> Vec<Value> {
    gate.records().into_iter().filter(|record| record["outcome"]["ended"] == "refused").collect()
}

#[test]
fn a_learned_policy_lets_pass_what_was_seen_and_none_of_sixteen_attacks() {
    let (engine, place) = (Engine::own(), Place::new());
    let direct = Docker::at(engine.socket());
    let mut gate = Gate::monitor(engine.socket());
    let said = place.run(&gate, CLIENTS);
    assert!(said.status.success(), "{said:#?}");
    assert!(gate.terminate().success());

    let journal = gate.journal().display().to_string();
    let learned = tidewaiter(place.dir.path(), &["learn", &journal]);
    let (policy, notes) = (text(&learned.stdout), text(&learned.stderr));
    assert!(learned.status.success(), "{notes}");
    println!("{notes}\n{policy}");
    let doubts = ["warning", "not learned", "still refused"];
    assert!(!doubts.iter().any(|doubt| notes.contains(doubt)), "{notes}");
    assert!(!policy.contains("hunter2"));
    assert!(policy.contains("uid = 61003") && notes.contains("by 2 callers"), "{policy}");
    let file = PathBuf::from(place.at("learned.toml"));
    std::fs::write(&file, &policy).unwrap();
    let file = file.display().to_string();

    let checked = tidewaiter(place.dir.path(), &["check", "--policy", &file]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let replayed = tidewaiter(place.dir.path(), &["replay", &journal, "--policy", &file]);
    assert!(replayed.status.success(), "{}", text(&replayed.stdout));
    assert!(text(&replayed.stdout).contains(" calls: 0 that passed would be refused"), "{}", text(&replayed.stdout));
    let restricted = PathBuf::from(place.at("restricted.toml"));
    std::fs::write(&restricted, "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"restricted\"\n").unwrap();
    let stricter = tidewaiter(place.dir.path(), &["replay", &journal, "--policy", &restricted.display().to_string()]);
    assert_eq!(stricter.status.code(), Some(1), "{}", text(&stricter.stdout));
    assert!(text(&stricter.stdout).contains("image.not-allowed"), "{}", text(&stricter.stdout));

    let gate = Gate::start(engine.socket(), Options { policy: Some(&policy), ..Options::default() });
    let said = place.run(&gate, CLIENTS);
    assert!(said.status.success(), "{said:#?}\n{:#?}", refused(&gate));
    assert_eq!(refused(&gate), Vec::<Value>::new(), "zero refusals");

    direct.ok(&["tag", "busybox:1.0", "busybox:other"]);
    place.run(&gate, "docker run -d --name target busybox:1.0 sleep 600");
    direct.ok(&["run", "-d", "--name", "behind", "busybox:1.0", "sleep", "600"]);
    let before = direct.ok(&["ps", "-aq"]);
    for (count, (what, attack)) in ATTACKS.iter().enumerate() {
        let script = format!("engine() {{ curl -sS --unix-socket \"${{DOCKER_HOST#unix://}}\" \"$@\"; }}\n{attack}");
        let said = place.run(&gate, &script);
        assert!((said.stdout.clone() + &said.stderr).contains("tidewaiter: "), "{what}: {said:#?}");
        // The answer may be there before the line that tells of it.
        eventually("a record of the refusal", || (refused(&gate).len() == count + 1).then_some(()));
    }
    assert_eq!(direct.ok(&["ps", "-aq"]), before, "nothing was made");
    assert!(!direct.ok(&["volume", "ls", "-q"]).contains("evil"));
}

#[test]
fn whoever_learns_from_a_journal_that_was_changed_is_told() {
    let (engine, dir) = (Engine::shared(), tempfile::tempdir().unwrap());
    let mut gate = Gate::monitor(engine.socket());
    Docker::at(&gate.socket()).ok(&["ps"]);
    assert!(gate.terminate().success());
    let lines = text(&std::fs::read(gate.journal()).unwrap());
    let without: Vec<&str> = lines.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    let changed = dir.path().join("changed.jsonl");
    std::fs::write(&changed, without.join("\n") + "\n").unwrap();
    let policy = dir.path().join("policy.toml");
    std::fs::write(&policy, "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"baseline\"\n").unwrap();
    let (changed, policy) = (changed.display().to_string(), policy.display().to_string());
    for args in [&["learn", &changed][..], &["replay", &changed, "--policy", &policy]] {
        let notes = text(&tidewaiter(dir.path(), args).stderr);
        assert!(notes.contains(&format!("warning: {changed}:2: ")) && notes.contains("journal verify"), "{notes}");
    }
}
