//! `tidewaiter doctor` beside a real engine and a running gate.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};

const CONFIG: &str = "policy = 'policy.toml'\n[engine]\naddress = 'unix://{engine}'\n[listen.local]\n\
                      address = 'unix://{dir}/docker.sock'\n[audit]\njournal = '{dir}/journal.jsonl'\n\
                      [state]\ndirectory = '{dir}/state'\n";
const POLICY: &str = "version = 1\nmode = 'monitor'\n";

fn gate(engine: &Engine) -> Gate {
    Gate::start(engine.socket(), Options { config: Some(CONFIG), policy: Some(POLICY), ..Options::default() })
}

/// Asks the doctor, and gives back its code and what it says of a topic.
fn doctor(gate: &Gate) -> (i32, Vec<Value>) {
    let config = gate.socket().with_file_name("tidewaiter.toml");
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    let output = command.args(["doctor", "--json", "--config"]).arg(config).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code().unwrap(), said["findings"].as_array().unwrap().clone())
}

fn about<'a>(findings: &'a [Value], topic: &str, words: &str) -> &'a Value {
    let found = findings.iter().find(|f| f["topic"] == topic && f["what"].as_str().unwrap().contains(words));
    found.unwrap_or_else(|| panic!("nothing about {topic} '{words}' in {findings:#?}"))
}

fn open_to(socket: &Path, mode: u32) {
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_engines_socket_that_is_roots_alone_is_as_it_should_be() {
    let engine = Engine::own();
    let gate = gate(&engine);
    let socket = engine.socket().display().to_string();
    open_to(engine.socket(), 0o600);
    let (_, findings) = doctor(&gate);
    assert_eq!(about(&findings, "engine.socket", &socket)["level"], "ok");
    assert_eq!(about(&findings, "gate.socket", "is the gate's")["level"], "ok");
    assert_eq!(about(&findings, "journal", "verify")["level"], "ok");
    assert_eq!(about(&findings, "policy", "monitor")["level"], "warn");
    about(&findings, "sensor", "as the kernel tells it: o");
}

#[test]
fn an_engines_socket_that_others_can_open_is_a_way_around() {
    let dir = tempfile::TempDir::new().unwrap();
    open_to(dir.path(), 0o755);
    let socket = dir.path().join("engine.sock");
    // Nobody listens there any more: who could connect stands in the file system.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    open_to(&socket, 0o666);
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.env("XDG_RUNTIME_DIR", dir.path()).env("XDG_STATE_HOME", dir.path());
    let output = command.args(["doctor", "--engine", &format!("unix://{}", socket.display())]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("can be opened past the gate by everybody on this host\n      to do: tidewaiter install"),
        "{said}"
    );
}

#[test]
fn a_running_container_that_the_policy_would_not_start_is_told() {
    let engine = Engine::shared();
    let gate = gate(&engine);
    let docker = Docker::at(&gate.socket());
    let (plain, odd, inside) = (unique("plain"), unique("odd"), unique("inside"));
    let volume = format!("{}:/engine.sock", engine.socket().display());
    docker.ok(&["run", "-d", "--name", &plain, "busybox:1.0", "sleep", "600"]);
    docker.ok(&["run", "-d", "--name", &odd, "--cap-add", "SYS_ADMIN", "busybox:1.0", "sleep", "600"]);
    docker.ok(&["run", "-d", "--name", &inside, "-v", &volume, "busybox:1.0", "sleep", "600"]);
    let (code, findings) = doctor(&gate);
    docker.ok(&["rm", "-f", &plain, &odd, &inside]);
    assert_eq!(code, 1);
    let told = about(&findings, "container.policy", &odd);
    assert_eq!(told["level"], "warn");
    let what = told["what"].as_str().unwrap();
    assert!(what.contains("made by fallback") && what.contains("capability.added"), "{what}");
    assert_eq!(about(&findings, "container.socket", &inside)["level"], "bad");
    assert!(!findings.iter().any(|f| f["what"].as_str().unwrap().contains(&plain)), "{findings:#?}");
}
