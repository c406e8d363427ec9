//! Records become what the console shows.

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use serde_json::json;

use super::*;

const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn at(seconds: i64) -> String {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap().to_string()
}

fn call(id: &str, seconds: i64, operation: &str, status: u16) -> Value {
    json!({"kind": "call", "stage": "outcome", "id": id, "time": at(seconds),
        "peer": {"kind": "unix", "uid": 998, "user": "runner"}, "principal": {"name": "ci", "admin": false},
        "request": {"operation": operation, "class": "containers", "target": "/x"},
        "container": {"id": CONTAINER, "name": "web"},
        "image": {"reference": "docker.io/library/alpine:latest", "allowed": false},
        "verdict": {"action": "allow", "findings": []}, "outcome": {"status": status, "ended": "complete"}})
}

fn launch(event: &str, seconds: i64, timeline: Value) -> Value {
    json!({"kind": "launch", "event": event, "id": "l", "time": at(seconds), "container": {"id": CONTAINER, "name": "web"},
        "principal": {"name": "ci", "admin": false}, "sensor": "kernel", "records": ["create", "start"], "timeline": timeline})
}

fn finding(id: &str, event: &str, severity: &str, seconds: i64) -> Value {
    json!({"kind": "finding", "event": event, "finding": id, "id": "f", "time": at(seconds), "check": "launch.an0693",
        "title": "risky launch", "score": 5, "severity": severity, "container": {"id": CONTAINER, "name": "web"},
        "analytic": {"uid": "AN0693", "strategy": "DET0249"}, "principal": {"name": "ci"}})
}

fn view(records: &[Value]) -> View {
    let mut view = View::default();
    for record in records {
        view.add(record, record.to_string().as_bytes());
    }
    view
}

fn names(launch: &Launch) -> Vec<&str> {
    launch.timeline().iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn a_launch_is_told_by_the_gates_own_calls_where_nothing_watches() {
    let mut by_name = call("end", 9, "ContainerDelete", 204);
    by_name["container"] = json!({"name": "web"});
    let view = view(&[
        call("create", 0, "ContainerCreate", 201),
        call("refused", 1, "ContainerStart", 403),
        call("start", 2, "ContainerStart", 204),
        call("exec", 5, "ContainerExec", 201),
        by_name,
    ]);
    let launch = view.launch("0123456789ab").unwrap();
    assert_eq!(names(launch), ["create", "start", "exec", "destroy"]);
    assert_eq!((launch.principal.as_deref(), launch.who.as_str(), launch.name.as_str()), (Some("ci"), "runner", "web"));
    assert_eq!((launch.zero().to_string(), launch.image_allowed), (at(2), Some(false)));
    assert_eq!(launch.records, ["create", "refused", "start", "exec", "end"]);
    assert_eq!((launch.state(), view.open_launches()), ("not watched", 0));
}

#[test]
fn the_watchs_word_is_the_fuller_one_and_nothing_is_told_twice() {
    let timeline = json!([
        {"at": at(0), "what": "create", "record": "create", "principal": {"name": "ci"}},
        {"at": at(2), "what": "start", "record": "start", "principal": {"name": "ci"}},
        {"at": at(3), "what": "process", "pid": 7, "uid": 0, "path": "/bin/sh", "argv": ["sh", "-c", "id"], "first": true},
        {"at": at(4), "what": "exec", "pid": 9, "uid": 0, "path": "/bin/id", "out_of_band": true},
        {"at": at(5), "what": "connect", "protocol": "tcp", "local": "10.0.0.2:5", "remote": "192.0.2.1:443", "process": 7},
        {"what": "without a time"}
    ]);
    let mut records = vec![call("create", 0, "ContainerCreate", 201), call("start", 2, "ContainerStart", 204)];
    records.push(launch("armed", 3, timeline));
    records.push(call("other", 6, "ContainerExec", 201));
    let watched = view(&records);
    assert_eq!(watched.open_launches(), 1);
    let one = watched.launch(CONTAINER).unwrap();
    assert_eq!(names(one), ["create", "start", "process", "exec", "connect", "exec"]);
    let of = |at: usize| one.timeline()[at].clone();
    assert_eq!(
        (of(2).who.as_str(), of(2).detail.as_str(), of(2).is_first),
        ("pid 7, uid 0", "sh -c id  (/bin/sh)", true)
    );
    assert!(of(3).is_out_of_band && !of(5).is_out_of_band);
    assert_eq!((of(4).who.as_str(), of(4).detail.as_str()), ("pid 7", "tcp 10.0.0.2:5 → 192.0.2.1:443"));
    records.push(launch("closed", 300, json!([])));
    let closed = view(&records);
    assert_eq!((closed.open_launches(), names(closed.launch(CONTAINER).unwrap()).len()), (0, 6));
}

#[test]
fn a_finding_of_a_part_adds_to_its_launch_and_a_restart_begins_anew() {
    let process = |seconds, path: &str| json!({"at": at(seconds), "what": "exec", "path": path, "out_of_band": true});
    let start = |seconds| json!({"at": at(seconds), "what": "start", "principal": "ci"});
    let mut odd = finding("a", "open", "high", 400);
    odd["check"] = json!("exec.out-of-band");
    odd["timeline"] = json!([process(5, "/bin/sh"), process(399, "/bin/id")]);
    let mut records = vec![launch("closed", 300, json!([start(2), process(5, "/bin/sh")])), odd];
    let first = view(&records);
    let first = first.launch(CONTAINER).unwrap();
    assert_eq!((names(first), first.timeline()[0].who.as_str()), (vec!["start", "exec", "exec"], "ci"));
    let end = json!({"at": at(510), "what": "die", "code": 137});
    records.push(launch("armed", 500, json!([start(500), end])));
    let again = view(&records);
    let again = again.launch(CONTAINER).unwrap();
    assert_eq!(
        (names(again), again.timeline()[3].detail.as_str()),
        (vec!["exec", "exec", "start", "die"], "exit code 137")
    );
}

#[test]
fn a_finding_is_one_over_all_its_events_and_its_launch_is_known() {
    let mut records = vec![finding("a", "open", "low", 0), finding("b", "open", "high", 10)];
    records.push(finding("a", "update", "critical", 20));
    let found = view(&records);
    let severities = |view: &View| Severity::ALL.map(|severity| view.open_findings(severity));
    assert_eq!(severities(&found), [1, 1, 0, 0]);
    assert_eq!(found.findings().iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found.findings_of(CONTAINER).len(), 2);
    assert_eq!(found.findings()[0].analytic.as_deref(), Some("AN0693 (DET0249)"));
    records.push(finding("a", "close", "critical", 30));
    let closed = view(&records);
    assert_eq!(severities(&closed), [0, 1, 0, 0]);
    let now: Timestamp = at(3 * 3600).parse().unwrap();
    // Three hours ago, and ten seconds less.
    let counted = |severity| closed.hours(severity, now).iter().position(|count| *count == 1);
    assert_eq!((counted(Severity::Critical), counted(Severity::High)), (Some(20), Some(21)));
    assert_eq!(view(&[finding("x", "open", "no such word", 0)]).open_findings(Severity::Critical), 1);
}

#[test]
fn what_is_kept_is_bounded_and_pings_are_left_out() {
    let mut view = View::default();
    for number in 0..CALLS + 10 {
        let mut record = call(&number.to_string(), 0, "ContainerCreate", 201);
        record["container"]["id"] = json!(format!("{number:064x}"));
        view.add(&record, b"{}");
    }
    assert_eq!((view.calls().count(), view.launches().len()), (CALLS, LAUNCHES));
    assert_eq!(view.calls().next().unwrap().id, (CALLS + 9).to_string());
    for number in 0..i64::try_from(FINDINGS + 10).unwrap() {
        view.add(&finding(&number.to_string(), "open", "low", 1 + number), b"");
    }
    assert_eq!(view.findings().len(), FINDINGS);
    assert!(!view.add(&call("ping", 0, "SystemPing", 200), b""));
    // A day later all of them are gone but the new one.
    view.add(&call("late", 24 * 3600 + 60 * 60, "ContainerCreate", 201), b"");
    assert_eq!(view.launches().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_text_of_a_caller_reaches_a_page_with_its_control_characters(text in any::<String>()) {
        let mut record = call("c", 0, "ContainerCreate", 201);
        for pointer in ["/container/name", "/image/reference", "/principal/name", "/peer/user"] {
            *record.pointer_mut(pointer).unwrap() = json!(text);
        }
        let view = view(&[record]);
        let call = view.calls().next().unwrap();
        let hidden = |text: &str| text.chars().any(|c| c.is_control() || c == '\u{202e}');
        prop_assert!(![&call.subject, &call.principal, &call.who].iter().any(|text| hidden(text)));
        prop_assert!(call.subject.len() <= TEXT * 10 + 4);
    }
}
