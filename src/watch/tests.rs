//! The join over scripted facts: a replay of what gate, engine and kernel would tell.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::call::{self, Told};
use super::fact::{Did, Fact, Happened, Network, Ran};
use super::join::{Gap, Join, Sensor, Settings};
use super::tell::Telling;
use crate::diagnostic::Source;
use crate::policy::Policy;

const ID: &str = "c0";

/// What comes in: a record of the journal, or a fact of the engine's or the kernel's.
#[derive(Debug, Clone)]
enum In {
    Record(Value),
    Fact(Fact),
}

fn at(millis: i64) -> Timestamp {
    "2026-11-24T02:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(millis)
}

fn join() -> Join {
    let text = "version = 1\n[an0693]\ntime-window = \"1m\"\n".to_owned();
    let (policy, _) = Policy::parse(&Source { path: "policy.toml".into(), text }).unwrap();
    Join::new(Settings { an0693: policy.an0693().clone(), sensor: Sensor::Kernel, epoch: at(-1_000_000) })
}

fn call(operation: &str, stage: &str, millis: i64, by: &str, more: Value) -> In {
    let mut record = json!({
        "v": 1, "id": format!("r-{operation}-{millis}"), "time": at(millis).to_string(), "kind": "call", "stage": stage,
        "principal": {"name": by, "admin": false}, "request": {"operation": operation, "target": "/v1.41/exec/e1/start"},
        "container": {"id": ID, "name": "web"}, "image": {"reference": "docker.io/library/busybox:latest", "allowed": false},
        "verdict": {"action": "observe", "findings": []}, "outcome": {"status": 204, "ended": "complete"},
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    In::Record(record)
}

fn create(millis: i64) -> In {
    let findings = json!([
        {"check": "privileged", "field": "HostConfig.Privileged", "detail": "true", "risk": 3, "exception": null},
        {"check": "image.not-allowed", "field": "Image", "detail": "busybox", "risk": 1, "exception": null},
        {"check": "image.latest", "field": "Image", "detail": "busybox", "risk": 1, "exception": null},
        {"check": "principal.non-admin", "field": "peer", "detail": "ann", "risk": 1, "exception": null},
        {"check": "mount.sensitive", "field": "HostConfig.Binds[0]", "detail": "/etc", "risk": 3, "exception": "known"},
        {"check": "rootfs.writable", "field": "HostConfig", "detail": "true", "risk": 0, "exception": null},
    ]);
    let outcome = json!({"status": 201, "ended": "complete", "made": ID});
    let verdict = json!({"action": "observe", "findings": findings});
    call("ContainerCreate", "outcome", millis, "ann", json!({"outcome": outcome, "verdict": verdict}))
}

fn fact(millis: i64, what: Happened) -> In {
    In::Fact(Fact { at: at(millis), what })
}

fn ran(millis: i64, pid: u32, is_init: bool, path: &str) -> In {
    let argv = vec![path.to_owned()];
    fact(millis, Happened::Ran(Ran { pid, uid: 0, is_init, path: path.to_owned(), argv }))
}

fn entered(millis: i64, pid: u32) -> In {
    fact(millis, Happened::Entered { pid })
}

fn network(millis: i64, did: Did, remote: &str) -> In {
    let (protocol, remote) = ("tcp".to_owned(), Some(remote.to_owned()));
    fact(millis, Happened::Network(Network { did, protocol, local: None, remote, process: None }))
}

/// Made by ann, started by bob, whose first process runs before the start event; one exec through the gate.
fn usual() -> Vec<In> {
    vec![
        create(0),
        fact(10, Happened::Created { image: "busybox".into(), name: "web".into() }),
        call("ContainerStart", "intent", 1000, "bob", json!({})),
        entered(1300, 41),
        ran(1310, 41, true, "/sbin/docker-init"),
        ran(1315, 42, false, "/bin/server"),
        fact(1320, Happened::Started),
        network(1400, Did::Listen, "0.0.0.0:0"),
        fact(1450, Happened::Dns { name: "c2.example".into() }),
        network(1500, Did::Connect, "198.51.100.7:443"),
        call("ExecStart", "intent", 3000, "ann", json!({})),
        fact(3010, Happened::ExecStarted { exec: "e1".into() }),
        entered(3050, 50),
        ran(3060, 50, false, "/bin/sh"),
        ran(3070, 50, false, "/bin/ls"),
        fact(9000, Happened::Died { code: Some(0) }),
        fact(9005, Happened::Destroyed),
    ]
}

fn put(join: &mut Join, input: In) {
    match input {
        In::Record(record) => {
            if let Some(told) = call::read(&record) {
                join.put_record(told);
            }
        }
        In::Fact(fact) => join.put(ID, fact),
    }
}

/// Takes everything in, and tells when all is over.
fn told_at_the_end(inputs: Vec<In>) -> Vec<Telling> {
    let mut join = join();
    inputs.into_iter().for_each(|input| put(&mut join, input));
    join.tell(at(1_000_000))
}

/// Takes each thing in at its time, and looks whenever it is due.
fn told_as_it_comes(inputs: Vec<In>, until: i64) -> Vec<Telling> {
    let mut join = join();
    let mut all = Vec::new();
    let mut inputs = inputs.into_iter().peekable();
    for millis in (0..until).step_by(5) {
        while let Some(input) = inputs.next_if(|input| time(input) <= at(millis)) {
            put(&mut join, input);
        }
        all.extend(join.tell(at(millis)));
    }
    all
}

fn time(input: &In) -> Timestamp {
    match input {
        In::Record(record) => record["time"].as_str().unwrap().parse().unwrap(),
        In::Fact(fact) => fact.at,
    }
}

fn events(tellings: &[Telling], kind: &str) -> Vec<&'static str> {
    tellings.iter().filter(|telling| telling.kind == kind).map(|telling| telling.event).collect()
}

fn whats(telling: &Telling) -> Vec<String> {
    let timeline = telling.members["timeline"].as_array().unwrap();
    timeline.iter().map(|entry| entry["what"].as_str().unwrap().to_owned()).collect()
}

fn last<'t>(tellings: &'t [Telling], kind: &str) -> &'t Telling {
    tellings.iter().rfind(|telling| telling.kind == kind).unwrap()
}

#[test]
fn a_launch_is_told_from_its_create_to_its_end() {
    let tellings = told_as_it_comes(usual(), 20_000);
    assert_eq!(events(&tellings, "launch"), ["open", "armed", "closed"]);
    let findings = events(&tellings, "finding");
    assert_eq!((findings.first(), findings.last()), (Some(&"open"), Some(&"close")));
    assert!((3..=10).contains(&findings.len()), "{findings:?}");
    let close = last(&tellings, "finding");
    let wanted =
        ["create", "process", "process", "start", "listen", "dns", "connect", "exec", "process", "die", "destroy"];
    assert_eq!(whats(close), wanted);
    let timeline = close.members["timeline"].as_array().unwrap();
    let first: Vec<bool> = timeline.iter().map(|entry| entry["first"] == true).collect();
    assert_eq!(first.iter().filter(|first| **first).count(), 2, "docker-init, and what it started: {timeline:#?}");
    assert_eq!(timeline[7]["record"], "r-ExecStart-3000");
    assert_eq!(close.members["starter"]["name"], "bob");
    assert_eq!(close.members["records"], json!(["r-ContainerCreate-0", "r-ContainerStart-1000", "r-ExecStart-3000"]));
    // Each check once, off the list and latest as one, nothing that an exception lets pass, nothing that is no flag.
    assert_eq!((close.members["score"].as_u64(), close.members["severity"].as_str()), (Some(5), Some("high")));
}

#[test]
fn what_the_kernel_only_counted_is_in_the_launch_that_it_belongs_to() {
    let mut inputs = usual();
    inputs.insert(15, fact(4000, Happened::Untold { execs: 30, network: 0 }));
    // The rest is told once the container is gone.
    inputs.push(fact(9500, Happened::Untold { execs: 6, network: 2 }));
    let tellings = told_as_it_comes(inputs, 20_000);
    assert_eq!(last(&tellings, "launch").members["untold"], json!({"execs": 36, "network": 2}));
    assert_eq!(last(&tellings, "finding").members["untold"], json!({"execs": 36, "network": 2}));
    assert_eq!(last(&told_as_it_comes(usual(), 20_000), "launch").members.get("untold"), None);
}

#[test]
fn a_start_that_was_found_before_its_event_came_is_one_start() {
    // The engine was asked what runs in the moment between the two.
    let found = fact(1290, Happened::Started);
    for inputs in [[usual(), vec![found.clone()]].concat(), [vec![found], usual()].concat()] {
        let tellings = told_at_the_end(inputs);
        assert_eq!(events(&tellings, "launch"), ["open", "armed", "closed"]);
        let whats = whats(last(&tellings, "launch"));
        assert_eq!(whats.iter().filter(|what| **what == "start").count(), 1, "{whats:?}");
        assert!(whats.contains(&"connect".to_owned()) && whats.contains(&"die".to_owned()), "{whats:?}");
    }
}

#[test]
fn a_first_process_long_before_its_start_is_told_belongs_to_that_start() {
    // A loaded engine: seconds from what it ran to what it says. Before that it had died, which took it as long.
    let mut inputs = usual();
    inputs.truncate(15);
    inputs.extend([
        ran(4000, 60, false, "/bin/last"),
        fact(5000, Happened::Died { code: Some(1) }),
        entered(5300, 80),
        ran(5310, 80, true, "/bin/first"),
        fact(12_000, Happened::Started),
        fact(20_000, Happened::Died { code: Some(1) }),
        fact(20_005, Happened::Destroyed),
    ]);
    let tellings = told_at_the_end(inputs);
    let said = last(&tellings, "launch").members["timeline"].to_string();
    assert!(said.contains("/bin/first") && !said.contains("/bin/last"), "{said}");
    let before = tellings.iter().find(|telling| (telling.kind, telling.event) == ("launch", "closed")).unwrap();
    let said = before.members["timeline"].to_string();
    assert!(said.contains("/bin/last") && !said.contains("/bin/first"), "{said}");
}

#[test]
fn what_is_no_risk_is_no_finding() {
    let mut inputs = usual();
    let In::Record(create) = &mut inputs[0] else { panic!() };
    create["verdict"]["findings"] = json!([{"check": "principal.non-admin", "risk": 1}]);
    let tellings = told_as_it_comes(inputs, 20_000);
    assert_eq!((events(&tellings, "launch").len(), events(&tellings, "finding").len()), (3, 0));
}

#[test]
fn a_process_that_no_exec_explains_is_out_of_band_and_a_slow_record_still_explains_it() {
    let late = |millis: i64| {
        let mut inputs = usual();
        let record = inputs.remove(10);
        let started = inputs.remove(10);
        let mut join = join();
        let mut all = Vec::new();
        inputs.into_iter().for_each(|input| put(&mut join, input));
        all.extend(join.tell(at(3100)));
        all.extend(join.tell(at(millis - 1)));
        put(&mut join, record);
        put(&mut join, started);
        all.extend(join.tell(at(millis)));
        all.extend(join.tell(at(8000)));
        let is = |telling: &&Telling| telling.members.get("check") == Some(&json!("exec.out-of-band"));
        all.iter().filter(is).filter(|telling| telling.event == "open").count()
    };
    assert_eq!(late(6000), 0);
    assert_eq!(late(7000), 1);
}

#[test]
fn one_exec_explains_one_process_only() {
    let mut inputs = usual();
    inputs.splice(15..15, [entered(3100, 60), ran(3110, 60, false, "/bin/implant")]);
    let tellings = told_as_it_comes(inputs, 20_000);
    let odd = tellings.iter().find(|telling| telling.members.get("check") == Some(&json!("exec.out-of-band"))).unwrap();
    assert_eq!(odd.members["timeline"][0]["path"], "/bin/implant");
    assert_eq!(odd.members["severity"], "high");
}

#[test]
fn an_exec_at_the_end_of_the_window_is_not_out_of_band_because_its_launch_is_over() {
    let mut inputs = usual();
    inputs.truncate(10);
    inputs.extend([
        call("ExecStart", "intent", 61_300, "ann", json!({})),
        fact(61_310, Happened::ExecStarted { exec: "e1".into() }),
        entered(61_330, 50),
        ran(61_340, 50, false, "/bin/sh"),
        // And one long after.
        entered(100_000, 70),
        ran(100_010, 70, false, "/bin/implant"),
    ]);
    let tellings = told_as_it_comes(inputs, 200_000);
    let odd: Vec<&Telling> =
        tellings.iter().filter(|telling| telling.members.get("check") == Some(&json!("exec.out-of-band"))).collect();
    assert_eq!(odd.iter().map(|telling| telling.event).collect::<Vec<_>>(), ["open", "close"], "{odd:#?}");
    assert_eq!(odd[0].members["timeline"][0]["path"], "/bin/implant");
}

#[test]
fn a_restart_is_a_launch_of_its_own() {
    let mut inputs = usual();
    inputs.truncate(15);
    inputs.extend([
        call("ContainerRestart", "intent", 5000, "eve", json!({})),
        fact(5100, Happened::Died { code: Some(137) }),
        entered(5300, 80),
        ran(5310, 80, true, "/bin/server"),
        fact(5320, Happened::Started),
        fact(6000, Happened::Died { code: Some(1) }),
        // Brought back by the engine.
        fact(6100, Happened::Started),
        ran(6110, 90, true, "/bin/server"),
    ]);
    let tellings = told_as_it_comes(inputs, 80_000);
    let ids: HashMap<&str, usize> =
        tellings.iter().filter(|telling| telling.kind == "launch").fold(HashMap::new(), |mut ids, telling| {
            *ids.entry(telling.id.as_str()).or_default() += 1;
            ids
        });
    let mut counts: Vec<usize> = ids.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [3, 3, 3], "three launches, each opened, armed and closed");
    let findings: Vec<&Telling> = tellings.iter().filter(|t| t.kind == "finding" && t.event == "open").collect();
    assert_eq!(findings.len(), 2, "the engine's own start is nobody's launch: {findings:#?}");
    assert_eq!(findings[1].members["starter"]["name"], "eve");
    assert!(whats(last(&tellings, "launch")).contains(&"process".to_owned()));
}

#[test]
fn a_start_by_the_engine_itself_is_nobodys_though_the_launch_before_it_is_over() {
    let mut inputs = usual();
    inputs.truncate(10);
    for restart in [10_000, 20_000, 40_000] {
        inputs.extend([fact(restart - 9000, Happened::Died { code: Some(3) }), fact(restart, Happened::Started)]);
    }
    // And one that somebody asks for again.
    inputs.extend([
        call("ContainerRestart", "intent", 50_000, "eve", json!({})),
        fact(50_100, Happened::Died { code: Some(137) }),
        fact(50_200, Happened::Started),
    ]);
    inputs.sort_by_key(time);
    let tellings = told_as_it_comes(inputs, 120_000);
    let by: Vec<Option<&str>> = tellings
        .iter()
        .filter(|telling| telling.kind == "launch" && telling.event == "closed")
        .map(|telling| {
            let timeline = telling.members["timeline"].as_array().unwrap();
            timeline.iter().find(|entry| entry["what"] == "start").unwrap()["principal"].as_str()
        })
        .collect();
    assert_eq!(by, [Some("bob"), None, None, None, Some("eve")]);
    let opened = tellings.iter().filter(|telling| telling.kind == "finding" && telling.event == "open").count();
    assert_eq!(opened, 2, "bob's and eve's");
}

#[test]
fn an_exec_is_explained_for_as_long_as_its_process_is_known() {
    let mut join = join();
    usual().into_iter().take(10).for_each(|input| put(&mut join, input));
    join.tell(at(90_000));
    join.put_health(ID, "/bin/check".into());
    let check = [
        fact(100_000, Happened::ExecCreated { exec: "e2".into(), command: "/bin/check".into() }),
        fact(100_001, Happened::ExecStarted { exec: "e2".into() }),
        entered(100_050, 60),
        ran(100_060, 60, false, "/bin/check"),
    ];
    check.into_iter().for_each(|input| put(&mut join, input));
    // Old facts are let go of one by one; there is a look between any two of them.
    for millis in [104_000].into_iter().chain((279_990..280_080).step_by(5)) {
        put(&mut join, fact(millis, Happened::Dns { name: format!("n{millis}.example") }));
        assert_eq!(join.tell(at(millis)), [], "at {millis}");
    }
}

#[test]
fn what_nobody_made_is_a_bypass_after_a_grace_and_not_before() {
    let inputs = || {
        vec![fact(10, Happened::Created { image: "busybox".into(), name: "evil".into() }), fact(100, Happened::Started)]
    };
    let tellings = told_as_it_comes(inputs(), 80_000);
    let bypass = tellings.iter().find(|telling| telling.kind == "finding").unwrap();
    assert_eq!((&bypass.members["check"], bypass.event), (&json!("launch.bypass"), "open"));
    assert_eq!(
        (&bypass.members["container"]["name"], &bypass.members["image"]["reference"]),
        (&json!("evil"), &json!("busybox"))
    );
    // A record that comes late, but in time.
    let mut late = join();
    inputs().into_iter().for_each(|input| put(&mut late, input));
    assert_eq!(late.tell(at(3099)), []);
    put(&mut late, create(0));
    let tellings = late.tell(at(3100));
    assert!(
        tellings.iter().all(|telling| telling.members.get("check") != Some(&json!("launch.bypass"))),
        "{tellings:#?}"
    );
    // From before there was a gate.
    let mut before = join();
    put(&mut before, fact(-2_000_000, Happened::Created { image: "busybox".into(), name: "old".into() }));
    put(&mut before, fact(100, Happened::Started));
    assert_eq!(events(&before.tell(at(10_000)), "finding"), Vec::<&str>::new());
}

#[test]
fn a_call_that_failed_starts_nothing() {
    let mut inputs = usual();
    let failed = json!({"outcome": {"status": 304, "ended": "complete"}});
    inputs.insert(3, call("ContainerStart", "outcome", 1000, "bob", failed));
    let tellings = told_at_the_end(inputs);
    assert_eq!(last(&tellings, "launch").members.get("starter"), None);
}

#[test]
fn a_gap_is_a_finding_and_stands_in_the_launches_it_blinded() {
    let mut join = join();
    usual().into_iter().for_each(|input| put(&mut join, input));
    join.put_gap(Gap { from: at(2000), to: at(2500), lost: 12 });
    let mut tellings = join.tell(at(3000));
    join.put_gap(Gap { from: at(2500), to: at(2600), lost: 3 });
    tellings.extend(join.tell(at(50_000)));
    let gaps: Vec<&Telling> =
        tellings.iter().filter(|telling| telling.members.get("check") == Some(&json!("sensor.gap"))).collect();
    assert_eq!(gaps.iter().map(|telling| telling.event).collect::<Vec<_>>(), ["open", "close"]);
    assert_eq!(gaps[1].members["gaps"][0]["lost"], 15);
    assert_eq!(last(&tellings, "launch").members["gaps"][0]["lost"], 12);
}

#[test]
fn what_was_told_before_a_crash_is_not_told_again() {
    let mut first = join();
    usual().into_iter().take(7).for_each(|input| put(&mut first, input));
    let before = first.tell(at(1400));
    assert_eq!(events(&before, "launch"), ["open", "armed"]);
    // Nothing was saved; the journal is read once more.
    let mut second = join();
    for Telling { kind, event, id, .. } in &before {
        let record = json!({"kind": kind, "event": event, (*kind): id});
        second.put_record(call::read(&record).unwrap());
    }
    usual().into_iter().for_each(|input| put(&mut second, input));
    let after = second.tell(at(50_000));
    assert_eq!((events(&after, "launch"), events(&after, "finding")), (vec!["closed"], vec!["close"]));
    assert!(before.iter().any(|telling| telling.id == last(&after, "finding").id), "the same finding goes on");
}

#[test]
fn a_saved_launch_goes_on_as_if_nothing_had_been() {
    for cut in 1..usual().len() {
        let mut first = join();
        usual().into_iter().take(cut).for_each(|input| put(&mut first, input));
        let mut tellings = first.tell(at(2000));
        let mut second = join();
        for (_, saved) in first.unsaved() {
            second.restore(&saved.unwrap()).unwrap();
        }
        usual().into_iter().skip(cut).for_each(|input| put(&mut second, input));
        tellings.extend(second.tell(at(50_000)));
        assert_eq!(events(&tellings, "launch"), ["open", "armed", "closed"], "cut at {cut}");
        assert_eq!(last(&tellings, "launch"), last(&told_at_the_end(usual()), "launch"), "cut at {cut}");
    }
}

#[test]
fn a_container_that_is_gone_leaves_nothing_behind() {
    let mut join = join();
    usual().into_iter().for_each(|input| put(&mut join, input));
    join.tell(at(50_000));
    assert!(join.container(ID).is_none());
    assert_eq!(join.unsaved(), [(ID.to_owned(), None)]);
    assert_eq!(join.next(), None);
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(inputs in Just(usual()).prop_shuffle(), again in 0_usize..17) {
        let mut twice = inputs.clone();
        twice.push(inputs[again % inputs.len()].clone());
        let wanted = told_at_the_end(usual());
        prop_assert_eq!(&told_at_the_end(inputs), &wanted);
        prop_assert_eq!(&told_at_the_end(twice), &wanted, "what is told twice counts once");
    }

    #[test]
    fn of_a_storm_the_first_actions_stay(order in Just((0_i64..600).collect::<Vec<_>>()).prop_shuffle()) {
        let mut inputs = usual();
        inputs.extend(order.into_iter().map(|n| network(1500 + n, Did::Connect, &format!("198.51.100.7:{n}"))));
        let tellings = told_at_the_end(inputs);
        let timeline = last(&tellings, "launch").members["timeline"].as_array().unwrap();
        let remotes: Vec<&str> = timeline.iter().filter_map(|entry| entry["remote"].as_str()).collect();
        prop_assert!(remotes.len() <= 40 && remotes.contains(&"198.51.100.7:0") && !remotes.contains(&"198.51.100.7:599"));
        prop_assert!(timeline.iter().any(|entry| entry["what"] == "die"), "one class pushes no other out");
        prop_assert_eq!(&last(&tellings, "launch").members["truncated"], &json!(true));
    }

    #[test]
    fn no_record_makes_it_panic(text in "\\PC{0,40}", number in any::<i64>()) {
        for kind in ["call", "launch", "finding"] {
            for operation in ["ContainerCreate", "ContainerStart", "ExecStart"] {
                let record = json!({
                    "kind": kind, "stage": text, "time": number, "request": {"operation": operation, "target": text},
                    "launch": text, "event": number, "container": {"id": text}, "outcome": {"status": number},
                });
                let read = call::read(&record);
                prop_assert!(read.is_none() || matches!(read, Some(Told::Failed { .. })), "{:?}", read);
            }
        }
    }
}
