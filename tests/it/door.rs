//! The door, on a real gate: who may come in, whose socket it is, what happens when the process runs out of descriptors, and
//! how it closes.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tokio::time::Instant;

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};
use super::support::raw::{Wire, ask};

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
const EVENTS: &str = "GET /v1.41/events HTTP/1.1\r\nHost: docker\r\n\r\n";

/// Longer than any of these tests: whoever waits for it to pass fails at the deadline of the tests.
const NEVER: &str = "10m";

fn start(door: &str, drain: &str) -> Gate {
    let config = format!(
        "[engine]\naddress = 'unix://{{engine}}'\n[listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n{door}\n\
         [limits]\ndrain = '{drain}'\n"
    );
    Gate::start(Engine::shared().socket(), Options { config: Some(&config), ..Options::default() })
}

/// Runs a gate that is to be refused a door, and returns its status and what it said.
fn refused(listen: &str) -> (Option<i32>, String) {
    let state = tempfile::tempdir().unwrap();
    // A gate that opens after all would run for ever.
    let Output { status, stderr, .. } = Command::new("timeout")
        .args(["20", env!("CARGO_BIN_EXE_tidewaiter"), "run", "--listen", listen])
        .env("XDG_STATE_HOME", state.path())
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn lifecycle<'a>(records: &'a [Value], event: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["event"] == event).collect()
}

/// Asks the gate to end, and waits until it says that it does.
fn begin_to_drain(gate: &Gate) {
    kill(gate.pid(), Signal::SIGTERM).unwrap();
    eventually("the gate drains", || (!lifecycle(&gate.records(), "drain").is_empty()).then_some(()));
    eventually("the door is closed", || UnixStream::connect(gate.socket()).is_err().then_some(()));
}

/// A client with an open stream of events.
fn listener(gate: &Gate) -> Wire {
    let mut events = Wire::open(&gate.socket());
    assert_eq!(events.send(EVENTS).head().unwrap().status(), 200);
    events
}

/// How the call to this operation ended, by its record.
fn ended(gate: &Gate, operation: &str) -> String {
    let records = gate.records();
    let outcome = records.iter().rfind(|r| r["request"]["operation"] == operation && r["stage"] == "outcome").unwrap();
    outcome["outcome"]["ended"].as_str().unwrap().to_owned()
}

#[test]
fn only_the_owner_and_the_group_of_a_door_come_in() {
    if !nix::unistd::geteuid().is_root() {
        println!("only root can be somebody else");
        return;
    }
    let gate = start("mode = '0660'\nowner = 4711\ngroup = 4712", NEVER);
    let made = gate.socket().metadata().unwrap();
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (4711, 4712, 0o660));
    let folder = gate.socket().parent().unwrap().to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).unwrap();
    let docker = Docker::at(&gate.socket());
    let comes_in = |who: &str| {
        let said = docker.script(&format!("setpriv {who} docker version --format '{{{{.Server.Version}}}}'"), &[]);
        assert!(said.status.success() || said.stderr.contains("permission denied"), "{who}: {said:#?}");
        said.status.success()
    };
    assert!(!comes_in("--reuid 4713 --regid 4713 --clear-groups"), "a stranger");
    assert!(comes_in("--reuid 4713 --regid 4713 --groups 4712"), "a member of the group");
    assert!(comes_in("--reuid 4711 --regid 4713 --clear-groups"), "the owner");
}

#[test]
fn a_dead_gates_socket_is_taken_over_and_a_living_one_keeps_its_own() {
    let mut gate = start("", NEVER);
    let listen = format!("unix://{}", gate.socket().display());
    let (status, said) = refused(&listen);
    let pid = gate.pid();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&format!("another tidewaiter, process {pid}, holds")), "{said}");
    assert_eq!(ask(&gate.socket(), PING).unwrap().status(), 200, "the first still answers");

    gate.kill9();
    assert!(gate.socket().exists() && UnixStream::connect(gate.socket()).is_err());
    gate.start_again();
    assert_eq!(ask(&gate.socket(), PING).unwrap().status(), 200);
    assert!(gate.terminate().success());
    assert!(!gate.socket().exists(), "removed in good order");
}

#[test]
fn another_programs_socket_is_never_stolen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let owner = UnixListener::bind(&path).unwrap();
    let (status, said) = refused(&format!("unix://{}", path.display()));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&format!("process {} listens there", std::process::id())), "{said}");
    owner.set_nonblocking(true).unwrap();
    owner.accept().expect("it was tried, and is still there");
    UnixStream::connect(&path).unwrap();
}

#[test]
fn plain_tcp_is_refused_off_loopback() {
    for listen in ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:2375"] {
        let (status, said) = refused(listen);
        assert_eq!(status, Some(78), "{listen}: {said}");
        assert!(said.contains("whoever reaches it is root on this host"), "{listen}: {said}");
    }
}

#[test]
fn a_gate_that_ran_out_of_descriptors_says_so_and_recovers() {
    let gate = start("", NEVER);
    assert_eq!(ask(&gate.socket(), PING).unwrap().status(), 200);
    // Few more than it has by now.
    let open = std::fs::read_dir(format!("/proc/{}/fd", gate.pid())).unwrap().count();
    let limit = format!("--nofile={}", open + 8);
    let lowered = Command::new("prlimit").args(["--pid", &gate.pid().to_string(), &limit]).status().unwrap();
    assert!(lowered.success());

    let held: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(gate.socket()).unwrap()).collect();
    let trouble = eventually("a record of the trouble", || {
        lifecycle(&gate.records(), "accept").first().map(|record| (*record).clone())
    });
    assert!(trouble["error"].as_str().unwrap().contains("Too many open files"), "{trouble}");
    assert_eq!(trouble["door"], "local");

    drop(held);
    eventually("calls are served again", || (ask(&gate.socket(), PING)?.status() == 200).then_some(()));
    let over = eventually("a record of its end", || {
        lifecycle(&gate.records(), "accept").get(1).map(|record| (*record).clone())
    });
    assert!(over["error"].is_null() && over["count"].as_u64() > Some(0), "{over}");
    assert_eq!(lifecycle(&gate.records(), "accept").len(), 2, "one episode, however often it failed");
}

#[test]
fn an_idle_gate_ends_at_once() {
    let mut gate = start("", NEVER);
    let mut kept_alive = Wire::open(&gate.socket());
    assert_eq!(kept_alive.send(PING).answer().unwrap().status(), 200);
    assert!(gate.terminate().success());
    assert_eq!(kept_alive.answer(), None);
}

#[test]
fn a_call_under_way_is_answered_before_the_gate_ends() {
    let engine = Engine::shared();
    let docker = Docker::at(engine.socket());
    let name = unique("door");
    docker.ok(&["run", "-d", "--name", &name, "busybox:1.0", "sleep", "1000"]);
    let mut gate = start("", NEVER);
    let mut waits = Wire::open(&gate.socket());
    waits.send(format!("POST /v1.41/containers/{name}/wait HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"));
    // The engine's head is there: it waits.
    assert_eq!(waits.head().unwrap().status(), 200);
    begin_to_drain(&gate);
    docker.ok(&["rm", "-f", &name]);
    assert!(String::from_utf8(waits.rest()).unwrap().contains("\"StatusCode\":137"));
    assert!(gate.wait().success());
    assert_eq!(ended(&gate, "ContainerWait"), "complete");
}

#[test]
fn a_stream_is_cut_at_the_deadline_of_the_drain() {
    let mut gate = start("", "2s");
    let mut events = listener(&gate);
    let asked = Instant::now();
    assert!(gate.terminate().success());
    assert!(asked.elapsed() >= Duration::from_secs(2), "not before: {:?}", asked.elapsed());
    events.rest();
    assert_eq!(ended(&gate, "SystemEvents"), "aborted");
    assert_eq!(lifecycle(&gate.records(), "drain").first().unwrap()["open_calls"], 1);
}

#[test]
fn a_second_sigterm_cuts_what_is_open() {
    let mut gate = start("", NEVER);
    let mut events = listener(&gate);
    begin_to_drain(&gate);
    assert!(gate.terminate().success());
    events.rest();
    assert_eq!(ended(&gate, "SystemEvents"), "aborted");
    assert!(is_closed(&gate.journal()), "the journal is closed in good order");
}

fn is_closed(journal: &Path) -> bool {
    let report = tidewaiter::audit::verify(&tidewaiter::audit::files(journal).unwrap(), None).unwrap();
    report.fault.is_none() && report.closed && report.open == 0
}

#[test]
fn idle_connections_of_one_user_leave_room_for_others() {
    let config = "[engine]\naddress = 'unix://{engine}'\n[listen.local]\naddress = 'unix://{dir}/docker.sock'\n\
                  [limits]\nconnections = 6\n";
    let gate = Gate::start(Engine::shared().socket(), Options { config: Some(config), ..Options::default() });
    for (path, mode) in [(gate.dir(), 0o755), (&gate.socket(), 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let idle: Vec<UnixStream> = (0..6).map(|_| UnixStream::connect(gate.socket()).unwrap()).collect();
    idle.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    let is_closed = |stream: &&UnixStream| Read::read(&mut &**stream, &mut [0; 1]).is_ok_and(|count| count == 0);
    eventually("those beyond the half are closed", || (idle.iter().filter(is_closed).count() == 3).then_some(()));
    let told =
        eventually("it is told", || lifecycle(&gate.records(), "accept").first().map(|record| (*record).clone()));
    assert!(told["error"].as_str().unwrap().starts_with("uid:0 holds half"), "{told}");
    let script = "setpriv --reuid=61001 --regid=61001 --clear-groups env HOME=/ docker version";
    let said = Docker::at(&gate.socket()).script(script, &[]);
    assert!(said.status.success(), "{said:#?}");
    assert_eq!(lifecycle(&gate.records(), "accept").len(), 1, "once, however many were cut");
}
