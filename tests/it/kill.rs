//! The gate is killed in the middle of everything: the journal verifies, and nothing exists that has no intent.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::Gate;
use super::support::{DEADLINE, eventually};

const CLIENTS: usize = 200;
const KILLS: usize = 5;

/// One request on a connection of its own; the status, or `None` if the gate was gone.
fn ask(socket: &Path, method: &str, target: &str, body: &str) -> Option<u16> {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    str::from_utf8(&line).ok()?.split(' ').nth(1)?.parse().ok()
}

/// Creates, starts and removes one container, once each, whatever comes of it.
fn live(socket: &Path, name: &str) {
    let body = r#"{"Image":"busybox:1.0","Cmd":["true"],"HostConfig":{"NetworkMode":"none"}}"#;
    ask(socket, "POST", &format!("/v1.41/containers/create?name={name}"), body);
    ask(socket, "POST", &format!("/v1.41/containers/{name}/start"), "");
    ask(socket, "DELETE", &format!("/v1.41/containers/{name}?force=1"), "");
}

/// All clients at once, while the gate is killed and started again.
fn storm(gate: &mut Gate, prefix: &str) {
    let done = AtomicUsize::new(0);
    let socket = gate.socket();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (name, socket, done) = (format!("{prefix}-{client}"), &socket, &done);
            scope.spawn(move || {
                live(socket, &name);
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        for kill in 1..=KILLS {
            // Spread over the run by what has been done, not by the clock.
            eventually("enough clients are through", || {
                (done.load(Ordering::Relaxed) * (KILLS + 1) >= kill * CLIENTS / 2).then_some(())
            });
            gate.kill9();
            gate.start_again();
        }
    });
}

#[test]
fn nothing_exists_without_an_intent_though_the_gate_is_killed_five_times() {
    let engine = Engine::shared();
    let docker = Docker::at(engine.socket());
    let mut gate = Gate::enforce(engine.socket());
    let prefix = unique("kill");
    // The engine remembers 256 events only, so that they are listened to from the start.
    let heard = tempfile::NamedTempFile::new().unwrap();
    let mut listener = Command::new("docker")
        .args(["-H", docker.host(), "events", "--filter", "event=create", "--format", "{{.Actor.Attributes.name}}"])
        .stdout(File::create(heard.path()).unwrap())
        .spawn()
        .unwrap();
    let hears =
        |name: &str| std::fs::read(heard.path()).unwrap().windows(name.len()).any(|part| part == name.as_bytes());
    let sentinel = |name: &str| {
        docker.ok(&["create", "--name", name, "busybox:1.0"]);
        docker.ok(&["rm", name]);
    };
    eventually("the listener hears", || {
        let name = unique("before");
        sentinel(&name);
        hears("before").then_some(())
    });
    storm(&mut gate, &prefix);
    assert!(gate.terminate().success());

    let last = unique("after");
    sentinel(&last);
    eventually("the listener has heard all", || hears(&last).then_some(()));
    listener.kill().unwrap();
    listener.wait().unwrap();
    let made = String::from_utf8(std::fs::read(heard.path()).unwrap()).unwrap();
    let records = gate.records();
    let intents: HashSet<&str> = records
        .iter()
        .filter(|record| record["stage"] == "intent" && record["request"]["operation"] == "ContainerCreate")
        .filter_map(|record| record["container"]["name"].as_str())
        .collect();
    let made: Vec<&str> = made.lines().filter(|name| name.starts_with(&prefix)).collect();
    let unseen: Vec<&&str> = made.iter().filter(|name| !intents.contains(**name)).collect();
    assert!(!made.is_empty() && unseen.is_empty(), "{} made, without an intent: {unseen:?}", made.len());

    let verify = Command::new(env!("CARGO_BIN_EXE_tidewaiter"))
        .args(["journal", "verify"])
        .arg(gate.journal())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verify.stdout).into_owned() + &String::from_utf8_lossy(&verify.stderr);
    println!("{} containers made, {} intents\n{said}", made.len(), intents.len());
    assert!(verify.status.success(), "{said}");
    for name in made {
        docker.run(&["rm", "-f", name]);
    }
}
