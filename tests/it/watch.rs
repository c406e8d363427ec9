//! What containers did first: launches and findings, with the engine's events alone.

use serde_json::Value;

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};

/// A short window, so that launches end.
const POLICY: &str = r#"
version = 1
mode = "monitor"
[an0693]
time-window = "8s"
"#;

fn start(engine: &Engine) -> Gate {
    Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() })
}

/// The records of a kind on one container, in order.
fn told(gate: &Gate, kind: &str, container: &str) -> Vec<Value> {
    let of = |record: &Value| record["kind"] == kind && record["container"]["id"] == container;
    gate.records().into_iter().filter(of).collect()
}

fn events(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["event"].as_str()).collect()
}

/// Waits for the launch of a container to be over, and returns its records and those of its findings.
fn over(gate: &Gate, container: &str) -> (Vec<Value>, Vec<Value>) {
    eventually("the launch is over", || {
        let launches = told(gate, "launch", container);
        launches.last().is_some_and(|last| last["event"] == "closed").then_some(())
    });
    (told(gate, "launch", container), told(gate, "finding", container))
}

fn whats(record: &Value) -> Vec<&str> {
    record["timeline"].as_array().unwrap().iter().filter_map(|entry| entry["what"].as_str()).collect()
}

#[test]
fn a_risky_launch_is_a_finding_from_its_start_to_the_end_of_its_window() {
    let engine = Engine::shared();
    let gate = start(&engine);
    let docker = Docker::at(&gate.socket());
    let name = unique("risky");
    let id = docker.ok(&["create", "--name", &name, "--pid", "host", "busybox:1.0", "sleep", "600"]);
    docker.ok(&["start", &name]);
    let (launches, findings) = over(&gate, &id);
    assert_eq!(events(&launches), ["open", "armed", "closed"]);
    assert_eq!((events(&findings).first(), events(&findings).last()), (Some(&"open"), Some(&"close")));
    let [open, .., close] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!((&open["check"], &open["finding"]), (&Value::from("launch.an0693"), &close["finding"]));
    assert_eq!(open["analytic"]["uid"], "AN0693");
    assert_eq!(open["container"]["name"], name.as_str());
    assert_eq!(open["principal"]["name"], "fallback");
    assert!(open["score"].as_u64().unwrap() >= 4, "{open:#}");
    let checks: Vec<&str> = open["reasons"].as_array().unwrap().iter().filter_map(|r| r["check"].as_str()).collect();
    assert!(checks.contains(&"namespace.pid.host") && checks.contains(&"principal.non-admin"), "{checks:?}");
    assert!(whats(close).starts_with(&["create"]) && whats(close).contains(&"start"), "{close:#}");
    // It stands as evidence: the records it names are there, and of the calls that did it.
    let records = gate.records();
    for id in open["records"].as_array().unwrap() {
        assert!(records.iter().any(|record| record["kind"] == "call" && record["id"] == *id), "{id}");
    }
    assert_eq!(open["records"].as_array().unwrap().len(), 2, "create and start: {open:#}");
    docker.ok(&["rm", "-f", &name]);
}

#[test]
fn a_container_that_is_gone_at_once_leaves_a_whole_launch() {
    let engine = Engine::shared();
    let gate = start(&engine);
    let docker = Docker::at(&gate.socket());
    let name = unique("short");
    docker.ok(&["run", "--rm", "--name", &name, "--network", "none", "busybox:1.0", "true"]);
    let id = eventually("its launch", || {
        let of = |record: &Value| record["kind"] == "launch" && record["container"]["name"] == name.as_str();
        gate.records().into_iter().find(of)?["container"]["id"].as_str().map(str::to_owned)
    });
    let (launches, _) = over(&gate, &id);
    assert_eq!(events(&launches), ["open", "armed", "closed"]);
    let whats = whats(launches.last().unwrap());
    for what in ["create", "start", "die", "destroy"] {
        assert!(whats.contains(&what), "no {what} in {whats:?}");
    }
}

#[test]
fn a_container_made_behind_the_gate_is_told_when_it_starts_and_one_from_before_is_not() {
    let engine = Engine::shared();
    let behind = Docker::at(engine.socket());
    let before = behind.ok(&["create", "--name", &unique("before"), "busybox:1.0", "sleep", "600"]);
    let gate = start(&engine);
    // The door takes connections a little before it is served, and the watch begins.
    Docker::at(&gate.socket()).ok(&["version"]);
    let name = unique("behind");
    let id = behind.ok(&["run", "-d", "--name", &name, "busybox:1.0", "sleep", "600"]);
    behind.ok(&["start", &before]);
    let (_, findings) = over(&gate, &id);
    assert_eq!((&findings[0]["check"], &findings[0]["severity"]), (&"launch.bypass".into(), &"high".into()));
    assert_eq!(events(&findings).last(), Some(&"close"));
    assert_eq!(findings[0]["container"]["name"], name.as_str());
    let (_, findings) = over(&gate, &before);
    assert_eq!(findings, Vec::<Value>::new());
    behind.ok(&["rm", "-f", &before, &id]);
}

#[test]
fn an_exec_through_the_gate_is_explained_and_one_behind_it_is_out_of_band() {
    let engine = Engine::shared();
    let gate = start(&engine);
    let (docker, behind) = (Docker::at(&gate.socket()), Docker::at(engine.socket()));
    let id = docker.ok(&["run", "-d", "--name", &unique("exec"), "busybox:1.0", "sleep", "600"]);
    docker.ok(&["exec", &id, "echo", "through"]);
    behind.ok(&["exec", &id, "echo", "behind", "--password=hunter2"]);
    let odd = eventually("a finding", || {
        told(&gate, "finding", &id).into_iter().find(|record| record["check"] == "exec.out-of-band")
    });
    let timeline = odd["timeline"].as_array().unwrap();
    assert_eq!(timeline.len(), 1, "{odd:#}");
    let argv = timeline[0]["argv"].to_string();
    assert!(argv.contains("behind") && !argv.contains("hunter2"), "{argv}");
    let (launches, _) = over(&gate, &id);
    let exec = launches.last().unwrap()["timeline"].as_array().unwrap().iter().find(|entry| entry["what"] == "exec");
    assert!(exec.is_some_and(|exec| exec["record"].is_string()), "{launches:#?}");
    docker.ok(&["rm", "-f", &id]);
}

#[test]
fn a_health_check_is_no_exec_of_anybodys() {
    let engine = Engine::shared();
    let gate = start(&engine);
    let docker = Docker::at(&gate.socket());
    let line = ["run", "-d", "--name", &unique("healthy"), "--health-cmd", "echo well", "--health-interval", "1s"];
    let id = docker.ok(&[line.as_slice(), &["busybox:1.0", "sleep", "600"]].concat());
    let (_, findings) = over(&gate, &id);
    assert!(findings.iter().all(|finding| finding["check"] != "exec.out-of-band"), "{findings:#?}");
    assert_eq!(docker.ok(&["inspect", "-f", "{{.State.Health.Status}}", &id]), "healthy");
    docker.ok(&["rm", "-f", &id]);
}

#[test]
fn a_gate_that_is_killed_goes_on_with_its_launches() {
    let engine = Engine::shared();
    let (mut gate, name) = (start(&engine), unique("resumed"));
    let docker = Docker::at(&gate.socket());
    let id = docker.ok(&["create", "--name", &name, "--pid", "host", "busybox:1.0", "sleep", "600"]);
    // Between create and start; and the start itself is nobody's to see.
    gate.kill9();
    Docker::at(engine.socket()).ok(&["start", &name]);
    gate.start_again();
    eventually("the finding opens", || events(&told(&gate, "finding", &id)).contains(&"open").then_some(()));
    // Between start and first action.
    gate.kill9();
    gate.start_again();
    docker.ok(&["exec", &id, "true"]);
    let (launches, findings) = over(&gate, &id);
    assert_eq!(events(&launches), ["open", "armed", "closed"]);
    assert!(launches.iter().all(|launch| launch["launch"] == launches[0]["launch"]));
    let opened = |event: &str| findings.iter().filter(|finding| finding["event"] == event).count();
    assert_eq!((opened("open"), opened("close")), (1, 1), "{findings:#?}");
    assert!(findings.iter().all(|finding| finding["check"] == "launch.an0693"));
    let close = findings.last().unwrap();
    assert_eq!(whats(close).iter().filter(|what| **what == "start").count(), 1, "{close:#}");
    assert!(whats(close).contains(&"exec"), "{close:#}");
    docker.ok(&["rm", "-f", &name]);
}

#[test]
fn an_engine_that_is_killed_is_listened_to_again() {
    let engine = Engine::own();
    // The engine takes longer to come back than the other tests' window lasts.
    let policy = POLICY.replace("8s", "50s");
    let gate = Gate::start(engine.socket(), Options { policy: Some(&policy), ..Options::default() });
    let docker = Docker::at(&gate.socket());
    let id = docker.ok(&["run", "-d", "--name", "lives", "busybox:1.0", "sleep", "600"]);
    engine.kill9();
    engine.restart();
    let (launches, _) = over(&gate, &id);
    assert!(whats(launches.last().unwrap()).contains(&"die"), "it ended with its engine: {launches:#?}");
    docker.ok(&["start", &id]);
    eventually("its second launch", || {
        let launches = told(&gate, "launch", &id);
        launches
            .iter()
            .any(|launch| launch["event"] == "armed" && launch["launch"] != launches[0]["launch"])
            .then_some(())
    });
    let next = docker.ok(&["run", "-d", "--name", "next", "busybox:1.0", "sleep", "600"]);
    eventually("the next launch", || events(&told(&gate, "launch", &next)).contains(&"armed").then_some(()));
    let bypassed = gate.records().into_iter().filter(|record| record["check"] == "launch.bypass").count();
    assert_eq!(bypassed, 0);
}

#[test]
fn what_is_refused_is_no_launch_and_what_passes_is_told_in_enforce_mode_too() {
    let engine = Engine::shared();
    let gate = Gate::enforce(engine.socket());
    let docker = Docker::at(&gate.socket());
    let refused = unique("refused");
    assert!(!docker.run(&["run", "-d", "--name", &refused, "--pid", "host", "busybox:1.0", "true"]).status.success());
    let name = unique("passes");
    let id = docker.ok(&["run", "-d", "--name", &name, "busybox:1.0", "sleep", "600"]);
    eventually("the launch is armed", || events(&told(&gate, "launch", &id)).contains(&"armed").then_some(()));
    let named = |record: &Value| record["kind"] == "launch" && record["container"]["name"] == refused.as_str();
    assert!(!gate.records().iter().any(named));
    docker.ok(&["rm", "-f", &name]);
}

#[test]
fn launches_are_listed_and_shown_as_dossiers() {
    let engine = Engine::shared();
    let gate = start(&engine);
    let docker = Docker::at(&gate.socket());
    let name = unique("shown");
    let id = docker.ok(&["run", "-d", "--name", &name, "--pid", "host", "busybox:1.0", "sleep", "600"]);
    eventually("the finding opens", || events(&told(&gate, "finding", &id)).contains(&"open").then_some(()));
    let launches = |args: &[&str]| {
        let journal = gate.journal();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidewaiter"));
        let output = command.args(["launches", "--journal"]).arg(journal).args(args).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (_, list) = launches(&[]);
    let line = list.lines().find(|line| line.contains(&name)).unwrap();
    assert!(line.contains("armed") && line.contains("fallback") && line.contains("busybox:1.0"), "{line}");
    let (_, dossier) = launches(&[&name]);
    for wanted in ["namespace.pid.host", "processes of the host", "launch.an0693", "docker pause", "\"uid\":0"] {
        assert!(dossier.contains(wanted), "no {wanted} in {dossier}");
    }
    let (_, json) = launches(&[&id, "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["create"]["request"]["operation"], "ContainerCreate");
    assert_eq!(json["findings"][0]["check"], "launch.an0693");
    assert!(!launches(&["nothing-of-that-name"]).0);
    docker.ok(&["rm", "-f", &name]);
}
