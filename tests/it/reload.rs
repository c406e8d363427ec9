//! Reloading: a new policy is in force at once and whole, or not at all; nobody's connection is dropped for it but that of a
//! stream that may no longer be.

use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};
use super::support::raw::{Wire, ask};

/// A gate whose policy and settings are files in its folder.
struct Reloaded {
    gate: Gate,
    dir: PathBuf,
}

const CONFIG: &str = "[engine]\naddress = 'unix://{engine}'\n\
    [listen.local]\naddress = 'unix://{dir}/docker.sock'\n";

/// The policy of these tests with an `api` for everybody.
fn policy(api: &str) -> String {
    format!(
        "version = 1\nmode = 'enforce'\n[fallback]\nprofile = 'everybody'\n[profile.everybody]\nextends = 'baseline'\n\
         api = [{api}]\n"
    )
}

/// Everything that these tests do.
const WIDE: &str = "'read', 'containers', 'exec', 'images.pull'";
/// How often the policy is read again while calls go on.
const RELOADS: usize = 100;
/// Neither containers nor what goes on in them.
const NARROW: &str = "'read'";

impl Reloaded {
    fn start(policy: &str) -> Self {
        let options = Options { config: Some(CONFIG), policy: Some(policy), ..Options::default() };
        let gate = Gate::start(Engine::shared().socket(), options);
        // The door is open before the journal is.
        assert_eq!(ask(&gate.socket(), &get("/_ping")).unwrap().status(), 200);
        let dir = gate.socket().parent().unwrap().to_owned();
        Self { gate, dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Puts another policy in the place of the old one, as an editor does.
    fn replace(&self, text: &str) {
        let new = self.file("policy.toml.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file("policy.toml")).unwrap();
    }

    /// `tidewaiter reload ARGS`
    fn ask(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tidewaiter"))
            .args(["reload", "--config"])
            .arg(self.file("tidewaiter.toml"))
            .args(args)
            .env("XDG_STATE_HOME", self.file("state"))
            .output()
            .unwrap()
    }

    /// Replaces the policy and reloads it.
    ///
    /// # Panics
    /// If that fails.
    fn reload(&self, policy: &str) -> String {
        self.replace(policy);
        let said = self.ask(&[]);
        assert!(said.status.success(), "{said:#?}");
        String::from_utf8(said.stdout).unwrap()
    }

    /// The records of reloads so far.
    fn reloads(&self) -> Vec<Value> {
        self.gate.records().into_iter().filter(|record| record["event"] == "reload").collect()
    }

    /// The outcome of the last call to an operation, once there is one.
    fn outcome(&self, operation: &str) -> Value {
        eventually(operation, || {
            let is_it = |record: &&Value| record["request"]["operation"] == operation && record["stage"] == "outcome";
            self.gate.records().iter().rev().find(is_it).cloned()
        })
    }

    /// The outcome of the last call to an operation, which the policy of a generation has cut.
    fn revoked(&self, operation: &str, generation: u64) -> Value {
        let outcome = self.outcome(operation);
        assert_eq!(outcome["outcome"]["ended"], "revoked", "{outcome:#}");
        assert_eq!(outcome["policy"]["generation"], 1, "what it was opened by: {outcome:#}");
        let why = outcome["outcome"]["revoked"].as_str().unwrap();
        assert!(why.contains("denied for fallback (profile everybody): api.not-allowed"), "{why}");
        assert!(why.ends_with(&format!(", by generation {generation} of the policy")), "{why}");
        outcome
    }

    /// Whether a container may be made at all.
    fn lets_create(&self) -> bool {
        let body = r#"{"Image":"busybox:1.0"}"#;
        let request = format!(
            "POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match ask(&self.gate.socket(), &request).unwrap().status() {
            201 => true,
            403 => false,
            status => panic!("{status}"),
        }
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n")
}

fn attach(container: &str) -> String {
    format!(
        "POST /v1.41/containers/{container}/attach?stream=1&stdout=1&stdin=1 HTTP/1.1\r\nHost: docker\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_stream_that_lost_its_right_ends_at_once_and_others_go_on() {
    let engine = Engine::shared();
    let direct = Docker::at(engine.socket());
    let reloaded = Reloaded::start(&policy(WIDE));
    let name = unique("echo");
    direct.ok(&["run", "-d", "-i", "--name", &name, "busybox:1.0", "cat"]);
    let open = |request: &str, status| {
        let mut wire = Wire::open(&reloaded.gate.socket());
        assert_eq!(wire.send(request).head().unwrap().status(), status);
        wire
    };
    let filter = format!("%7B%22container%22%3A%5B%22{name}%22%5D%7D");
    let mut events = open(&get(&format!("/v1.41/events?filters={filter}")), 200);
    let mut logs = open(&get(&format!("/v1.41/containers/{name}/logs?follow=1&stdout=1")), 200);
    let mut waits = open(&format!("POST /v1.41/containers/{name}/wait HTTP/1.1\r\nHost: docker\r\n\r\n"), 200);
    let mut attached = open(&attach(&name), 101);
    attached.send("before\n");
    assert!(attached.until(b"before\n").ends_with(b"before\n"));

    // The first reload takes nothing from anybody.
    reloaded.reload(&format!("{}# the same\n", policy(WIDE)));
    attached.send("between\n");
    assert!(attached.until(b"between\n").ends_with(b"between\n"));

    reloaded.reload(&policy(NARROW));
    assert_eq!(attached.rest(), b"", "cut");
    let attach = reloaded.revoked("ContainerAttach", 3);
    assert_eq!((&attach["outcome"]["bytes_in"], &attach["outcome"]["status"]), (&15.into(), &101.into()), "{attach:#}");

    // The others hear what happens after that.
    direct.ok(&["exec", &name, "sh", "-c", "echo after >/proc/1/fd/1"]);
    assert!(logs.until(b"after\n").ends_with(b"after\n"));
    assert!(events.until(b"exec_start").ends_with(b"exec_start"));

    // Nor do answers in chunks outlive their right; cut, they lack their last chunk.
    reloaded.reload(&policy("'system'"));
    for (operation, wire) in
        [("SystemEvents", &mut events), ("ContainerLogs", &mut logs), ("ContainerWait", &mut waits)]
    {
        assert!(!wire.rest().ends_with(b"0\r\n\r\n"), "{operation}");
        reloaded.revoked(operation, 4);
    }
    direct.ok(&["rm", "-f", &name]);
}

#[test]
fn a_bad_policy_changes_nothing_and_is_recorded_with_its_place() {
    let reloaded = Reloaded::start(&policy(WIDE));
    let path = reloaded.file("policy.toml").display().to_string();
    reloaded.replace("version = 1\nmode = 'enforce'\n[fallback]\nprofile = 'nobody'\n");
    let said = reloaded.ask(&[]);
    let told = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("{path}:4:11: ")) && told.contains("stays in force"), "{told}");
    assert!(reloaded.lets_create(), "the old policy is in force");
    let reloads = reloaded.reloads();
    let [failed] = reloads.as_slice() else { panic!("{reloads:#?}") };
    assert_eq!((&failed["result"], &failed["generation"]), (&"failed".into(), &1.into()), "{failed:#}");
    assert!(failed["error"].as_str().unwrap().starts_with(&format!("{path}:4:11: ")), "{failed:#}");
    assert!(reloaded.gate.log().contains("\"line\":4"), "the log has every mistake:\n{}", reloaded.gate.log());

    let said = reloaded.reload(&policy(NARROW));
    assert!(said.contains("generation 2 is in force: policy, profile everybody"), "{said}");
    assert!(!reloaded.lets_create(), "the new policy is in force");
    eventually("a call is judged by it", || {
        (reloaded.outcome("ContainerCreate")["policy"]["generation"] == 2).then_some(())
    });
}

#[test]
fn ten_thousand_calls_in_flight_do_not_notice_a_hundred_reloads() {
    let reloaded = Reloaded::start(&policy(WIDE));
    let answered = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let socket = reloaded.gate.socket();
    std::thread::scope(|scope| {
        let client = || {
            let mut kept = Wire::open(&socket);
            while !done.load(Ordering::Relaxed) || answered.load(Ordering::Relaxed) < 10_000 {
                let target = get("/v1.41/containers/json?all=1");
                assert_eq!(kept.send(&target).answer().unwrap().status(), 200);
                assert_eq!(ask(&socket, &target).unwrap().status(), 200);
                answered.fetch_add(2, Ordering::Relaxed);
            }
        };
        let clients: Vec<_> = (0..16).map(|_| scope.spawn(client)).collect();
        for turn in 0..RELOADS {
            // Twice the same is a generation too.
            let api = if turn % 3 == 0 { NARROW } else { WIDE };
            reloaded.reload(&policy(api));
        }
        done.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    let answered = answered.into_inner();
    let records = reloaded.gate.records();
    let mut policies = vec![(1, None)];
    let mut seen = std::collections::BTreeSet::new();
    for record in &records {
        if record["event"] == "reload" {
            policies.push((record["generation"].as_u64().unwrap(), Some(record["sha256"].clone())));
        }
        if record["kind"] == "call" {
            let generation = record["policy"]["generation"].as_u64().unwrap();
            let sha256 = record["policy"]["sha256"].clone();
            let exists =
                policies.iter().any(|(g, sha)| *g == generation && sha.as_ref().is_none_or(|sha| *sha == sha256));
            assert!(exists, "no such policy before it: {record:#}");
            seen.insert(generation);
        }
    }
    assert_eq!(policies.len(), RELOADS + 1);
    println!("{answered} calls by generations {seen:?}");
    assert!(seen.len() > RELOADS / 2, "{seen:?}");
}

#[test]
fn a_body_sent_slowly_does_not_keep_an_old_policy() {
    let reloaded = Reloaded::start(&policy(WIDE));
    let mut slow = Wire::open(&reloaded.gate.socket());
    slow.send("POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n");
    slow.send("Expect: 100-continue\r\nContent-Length: 23\r\n\r\n");
    // The gate reads the body: the call has begun.
    assert_eq!(slow.head().unwrap().status(), 100);
    slow.send(r#"{"Image":"#);
    reloaded.reload(&policy(NARROW));
    slow.send(r#""busybox:1.0"}"#);
    assert_eq!(slow.answer().unwrap().status(), 403);
}

#[test]
fn a_policy_that_begins_to_refuse_refuses_what_cannot_be_recorded() {
    let monitor = policy(WIDE).replace("enforce", "monitor");
    let reloaded = Reloaded::start(&monitor);
    reloaded.reload(&policy(WIDE));
    let changed = &reloaded.reloads()[0]["changed"];
    assert_eq!(*changed, serde_json::json!(["policy", "audit.on-failure", "mode"]));
}

#[test]
fn a_policy_that_is_replaced_under_its_old_time_is_noticed() {
    let reloaded = Reloaded::start(&policy(WIDE));
    let path = reloaded.file("policy.toml");
    let old = path.metadata().unwrap().modified().unwrap();
    let new = reloaded.file("policy.toml.new");
    std::fs::write(&new, policy(NARROW)).unwrap();
    File::options().write(true).open(&new).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
    std::fs::rename(&new, &path).unwrap();
    eventually("the file is noticed", || (!reloaded.reloads().is_empty()).then_some(()));
    assert!(!reloaded.lets_create());
    let reload = &reloaded.reloads()[0];
    assert_eq!((&reload["trigger"], &reload["result"]), (&"file".into(), &"loaded".into()), "{reload:#}");
}

#[test]
fn a_policy_that_others_may_write_is_refused_at_a_reload_too() {
    let reloaded = Reloaded::start(&policy(NARROW));
    let path = reloaded.file("policy.toml");
    std::fs::write(&path, policy(WIDE)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let said = reloaded.ask(&["--json"]);
    assert_eq!(said.status.code(), Some(1), "{said:#?}");
    let record: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(record["error"].as_str().unwrap().contains("can be written by others (mode 0666)"), "{record:#}");
    assert!(!reloaded.lets_create());
    // Mended, it is noticed without a word.
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    eventually("the mended file is noticed", || reloaded.lets_create().then_some(()));
}

#[test]
fn what_cannot_change_is_told_and_the_rest_is_taken() {
    let reloaded = Reloaded::start(&policy(WIDE));
    let config = String::from_utf8(std::fs::read(reloaded.file("tidewaiter.toml")).unwrap()).unwrap();
    let more = "[listen.other]\naddress = 'tcp://127.0.0.1:1'\n[limits]\nbody = '4KiB'\ncalls = 7\n\
                [audit]\nlevel = { ping = 'none' }\nsync = 'never'\non-failure = 'forward'\n";
    std::fs::write(reloaded.file("tidewaiter.toml"), config + more).unwrap();
    kill(reloaded.gate.pid(), Signal::SIGHUP).unwrap();
    eventually("the signal is heard", || (!reloaded.reloads().is_empty()).then_some(()));
    let reload = &reloaded.reloads()[0];
    assert_eq!(reload["changed"], serde_json::json!(["audit.level", "audit.on-failure", "limits"]), "{reload:#}");
    assert_eq!(reload["needs_restart"], serde_json::json!(["listen", "audit.sync", "limits.calls"]), "{reload:#}");
    assert_eq!((&reload["trigger"], &reload["error"]), (&"signal".into(), &Value::Null), "{reload:#}");

    let large = format!(r#"{{"Image":"busybox:1.0","Env":["A={}"]}}"#, "a".repeat(4096));
    let head = "POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{large}", large.len());
    assert_eq!(ask(&reloaded.gate.socket(), &request).unwrap().status(), 413, "limits.body is in force");
    assert_eq!(ask(&reloaded.gate.socket(), &get("/_ping")).unwrap().status(), 200);
    assert_eq!(ask(&reloaded.gate.socket(), &get("/v1.41/version")).unwrap().status(), 200);
    reloaded.outcome("SystemVersion");
    let pings = reloaded.gate.records().iter().filter(|record| record["request"]["operation"] == "SystemPing").count();
    assert_eq!(pings, 1, "audit.level is in force");

    let said = String::from_utf8(reloaded.ask(&[]).stdout).unwrap();
    assert!(said.contains("nothing has changed"), "{said}");
    assert!(said.contains("waiting for a restart: listen, audit.sync, limits.calls"), "still: {said}");
}

#[test]
fn without_a_gate_nothing_is_told() {
    let mut reloaded = Reloaded::start(&policy(WIDE));
    assert!(reloaded.gate.terminate().success());
    let said = reloaded.ask(&[]);
    assert_eq!(said.status.code(), Some(1), "{said:#?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("no gate writes to"), "{said:#?}");
}

/// Members of these groups are principals of their own.
const OWNERS: &str = "version = 1\nmode = 'enforce'\n\
    [[principal]]\nname = 'ann'\nprofile = 'own'\nmatch = [{ gid = 61001 }]\n\
    [fallback]\nprofile = 'baseline'\n[profile.own]\nextends = 'baseline'\n";

#[test]
fn who_may_only_look_at_his_own_from_now_on_keeps_only_his_own_streams() {
    let engine = Engine::shared();
    let reloaded = Reloaded::start(OWNERS);
    let through = Docker::at(&reloaded.gate.socket());
    let (own, foreign) = (unique("own"), unique("foreign"));
    let run = |name: &str| format!("docker run -d --name {name} busybox:1.0 sh -c 'echo hello; sleep 600'");
    let as_ann = |command: &str| format!("setpriv --regid=61001 --clear-groups {command}");
    for (name, command) in [(&own, as_ann(&run(&own))), (&foreign, run(&foreign))] {
        let said = through.script(&command, &[]);
        assert!(said.status.success(), "{name}: {said:#?}");
    }
    // `docker logs -f` of both as ann, each told apart by its file.
    let follow = |name: &str| {
        let log = reloaded.file(name);
        let child = Command::new("setpriv")
            .args(["--regid=61001", "--clear-groups", "docker", "-H", through.host(), "logs", "-f", name])
            .stdout(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        eventually("the log is followed", || (std::fs::read(&log).unwrap() == b"hello\n").then_some(()));
        child
    };
    let (mut follows_own, mut follows_foreign) = (follow(&own), follow(&foreign));
    reloaded.reload(&format!("{OWNERS}own-only = true\n"));
    eventually("the other's log is cut", || follows_foreign.try_wait().unwrap());
    let outcome = reloaded.outcome("ContainerLogs");
    assert_eq!(outcome["outcome"]["ended"], "revoked", "{outcome:#}");
    assert!(
        outcome["outcome"]["revoked"].as_str().unwrap().contains("container.unseen")
            || outcome["outcome"]["revoked"].as_str().unwrap().contains("container.foreign"),
        "{outcome:#}"
    );
    assert!(follows_own.try_wait().unwrap().is_none(), "one's own goes on");
    Docker::at(engine.socket()).ok(&["rm", "-f", &own, &foreign]);
    assert!(follows_own.wait().unwrap().success());
    let outcome = reloaded.outcome("ContainerLogs");
    assert_eq!(outcome["outcome"]["ended"], "complete", "{outcome:#}");
}
