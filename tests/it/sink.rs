//! Records reach those who are to have them, whatever happens on either side: rsyslog and systemd's journal, both real.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};
use super::support::raw::ask;
use super::support::receiver::{Receiver, Way};

/// Calls between two events; enough that some are on their way.
const CALLS: usize = 100;

fn gate(sinks: &str) -> Gate {
    let config = format!(
        "[engine]\naddress = 'unix://{{engine}}'\n[listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n\
         [audit]\njournal = '{{dir}}/journal.jsonl'\n[state]\ndirectory = '{{dir}}/own'\n{sinks}"
    );
    Gate::start(
        Engine::shared().socket(),
        Options { config: Some(&config), mode: Some("monitor"), ..Options::default() },
    )
}

fn calls(socket: &Path) {
    for _ in 0..CALLS {
        ask(socket, "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").unwrap();
    }
}

/// A call whose record is large: labels' names stay in it. The status.
fn create(gate: &Gate, name: &str, image: &str, labels: usize) -> u16 {
    let labels: Vec<String> = (0..labels).map(|number| format!("\"label-{number}-{}\":\"\"", "x".repeat(40))).collect();
    let body = format!("{{\"Image\":\"{image}\",\"Labels\":{{{}}}}}", labels.join(","));
    let request = format!(
        "POST /v1.41/containers/create?name={name} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(&gate.socket(), &request).unwrap().status()
}

/// Large calls that make nothing.
fn large_calls(gate: &Gate, count: usize) {
    for _ in 0..count {
        assert_eq!(create(gate, "none", "no-such-image:1.0", 1500), 404);
    }
}

fn numbers(records: &[Value]) -> BTreeSet<u64> {
    records.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
}

/// Waits until every record of the journal has arrived, and holds each against the journal's.
fn all_arrive(gate: &Gate, receiver: &Receiver) {
    let wanted = numbers(&gate.records());
    eventually("every record arrives", || numbers(&receiver.records()).is_superset(&wanted).then_some(()));
}

/// Whether records came in order, those that came again left out.
fn in_order(records: &[Value]) -> bool {
    let mut most = 0;
    let mut seen = BTreeSet::new();
    records.iter().map(|record| record["seq"].as_u64().unwrap()).all(|seq| {
        let is_new = seen.insert(seq);
        let fits = !is_new || seq > most;
        most = most.max(seq);
        fits
    })
}

fn events(gate: &Gate) -> Vec<Value> {
    let of_sinks = |record: &Value| record["event"].as_str().is_some_and(|event| event.starts_with("sink_"));
    gate.records().into_iter().filter(of_sinks).collect()
}

fn wait_for(gate: &Gate, event: &str, count: usize) {
    eventually(event, || {
        (events(gate).iter().filter(|record| record["event"] == event).count() >= count).then_some(())
    });
}

fn nothing_is_lost(receiver: &mut Receiver) {
    let mut gate = gate(&receiver.sink(""));
    calls(&gate.socket());
    all_arrive(&gate, receiver);

    receiver.stop();
    calls(&gate.socket());
    wait_for(&gate, "sink_down", 1);
    calls(&gate.socket());
    receiver.start();
    all_arrive(&gate, receiver);
    wait_for(&gate, "sink_up", 1);

    calls(&gate.socket());
    gate.kill9();
    gate.start_again();
    calls(&gate.socket());
    all_arrive(&gate, receiver);

    receiver.stop();
    calls(&gate.socket());
    gate.kill9();
    gate.start_again();
    receiver.start();
    all_arrive(&gate, receiver);

    assert!(gate.terminate().success());
    let records = gate.records();
    assert!(records.iter().any(|record| record["event"] == "stop"));
    all_arrive(&gate, receiver);
    let arrived = receiver.records();
    let again = arrived.len() - numbers(&arrived).len();
    println!("{} records, {again} came again, {:?}", records.len(), events(&gate).len());
    assert!(in_order(&arrived), "{:?}", arrived.iter().map(|record| &record["seq"]).collect::<Vec<_>>());
    for record in &records {
        assert!(arrived.contains(record), "as it is in the journal: {record}");
    }
    let events = events(&gate);
    assert!(events.len() <= 6 && events.iter().all(|event| event["sink"] == "logs"), "{events:#?}");
}

#[test]
fn nothing_is_lost_to_rsyslog_on_a_unix_socket() {
    nothing_is_lost(&mut Receiver::rsyslog(Way::Unix));
}

#[test]
fn nothing_is_lost_to_rsyslog_over_tcp() {
    nothing_is_lost(&mut Receiver::rsyslog(Way::Tcp));
}

#[test]
fn nothing_is_lost_to_rsyslog_over_tls() {
    nothing_is_lost(&mut Receiver::rsyslog(Way::Tls));
}

#[test]
fn nothing_is_lost_to_the_systems_journal() {
    nothing_is_lost(&mut Receiver::journald());
}

#[test]
fn what_was_on_its_way_to_a_killed_receiver_comes_again() {
    let mut receiver = Receiver::rsyslog(Way::Tcp);
    let gate = gate(&receiver.sink(""));
    calls(&gate.socket());
    receiver.kill9();
    calls(&gate.socket());
    receiver.start();
    all_arrive(&gate, &receiver);
    assert!(in_order(&receiver.records()));
}

#[test]
fn a_receiver_that_hangs_slows_no_call() {
    let mut receiver = Receiver::rsyslog(Way::Tcp);
    let gate = gate(&receiver.sink(""));
    receiver.hang(true);
    // More than the sockets between them hold.
    large_calls(&gate, 100);
    receiver.hang(false);
    all_arrive(&gate, &receiver);
    assert!(in_order(&receiver.records()));
    receiver.stop();
}

#[test]
fn what_rotation_took_from_a_sink_is_said() {
    let mut receiver = Receiver::rsyslog(Way::Tcp);
    let gate = gate(&receiver.sink("").replace("[sink.logs]", "[audit.rotate]\nsize = '1MiB'\nkeep = 1\n[sink.logs]"));
    calls(&gate.socket());
    all_arrive(&gate, &receiver);
    let had = *numbers(&receiver.records()).last().unwrap();
    eventually("the sink knows that they arrived", || {
        let saved = std::fs::read(gate.dir().join("own/sinks/logs.json")).ok()?;
        let saved: Value = serde_json::from_slice(&saved).ok()?;
        (saved["seq"].as_u64() >= Some(had)).then_some(())
    });
    receiver.stop();
    large_calls(&gate, 40);
    receiver.start();
    let gap = eventually("the gap", || receiver.records().into_iter().find(|record| record["event"] == "sink_gap"));
    let (after, lost) = (gap["after"].as_u64().unwrap(), gap["lost"].as_u64().unwrap());
    assert!(gap["sink"] == "logs" && lost > 0 && after >= had, "{gap}");
    all_arrive(&gate, &receiver);
    let arrived = numbers(&receiver.records());
    assert!(arrived.contains(&after) && arrived.contains(&(after + lost + 1)), "{gap}");
    assert!((after + 1..=after + lost).all(|seq| !arrived.contains(&seq)), "{gap}");
}

#[test]
fn a_message_has_its_head_and_is_written_as_chosen() {
    let receiver = Receiver::rsyslog(Way::Tcp);
    let gate = gate(&receiver.sink("format = 'ocsf'\nkinds = ['call']\nmin-severity = 'low'"));
    let docker = Docker::at(&gate.socket());
    let name = unique("sink");
    docker.ok(&["create", "--privileged", "--name", &name, "busybox:1.0"]);
    docker.ok(&["rm", &name]);
    let (head, event) =
        eventually("the call", || receiver.lines().into_iter().find(|(_, text)| text.contains("\"ContainerCreate\"")));
    let event: Value = serde_json::from_str(&event).unwrap();
    let host = gate.records()[0]["host"].as_str().unwrap().to_owned();
    assert_eq!(head, format!("{host}|tidewaiter|call|13"));
    assert_eq!((&event["class_uid"], &event["action_id"]), (&json!(6003), &json!(3)), "{event}");
    assert_eq!(event["api"]["request"]["containers"][0]["name"], name);
    for (_, text) in receiver.lines() {
        let event: Value = serde_json::from_str(&text).unwrap();
        assert!(event["severity_id"].as_u64() >= Some(2) && event["class_uid"] == 6003, "{event}");
    }
}

#[test]
fn a_record_that_receivers_do_not_take_comes_without_its_body() {
    for way in [Way::Unix, Way::Tcp] {
        let receiver = Receiver::rsyslog(way);
        let gate = gate(&receiver.sink(""));
        assert_eq!(create(&gate, "none", "no-such-image:1.0", 6000), 404);
        all_arrive(&gate, &receiver);
        let intent = |records: Vec<Value>| records.into_iter().find(|record| record["stage"] == "intent").unwrap();
        let (ours, theirs) = (intent(gate.records()), intent(receiver.records()));
        assert_eq!((&ours["hash"], &ours["request"]), (&theirs["hash"], &theirs["request"]));
        assert!(theirs["body"]["omitted"].as_u64() > Some(256 << 10), "{theirs}");
    }
}

#[test]
fn an_entry_is_found_by_its_container_however_large_it_is() {
    let receiver = Receiver::journald();
    let gate = gate(&receiver.sink(""));
    let name = unique("sink");
    // More than a datagram holds.
    assert_eq!(create(&gate, &name, "busybox:1.0", 6000), 201);
    Docker::at(&gate.socket()).ok(&["rm", &name]);
    let entries = eventually("the entries of the container", || {
        let entries = receiver.entries(&format!("CONTAINER_NAME={name}"));
        (entries.len() >= 4).then_some(entries)
    });
    let records = gate.records();
    for entry in &entries {
        let record: Value = serde_json::from_str(entry["TIDEWAITER_RECORD"].as_str().unwrap()).unwrap();
        assert!(records.contains(&record));
        assert_eq!(entry["TIDEWAITER_ID"], record["id"]);
        assert_eq!(entry["SYSLOG_IDENTIFIER"], "tidewaiter");
    }
    let largest = entries.iter().filter_map(|entry| entry["TIDEWAITER_RECORD"].as_str()).map(str::len).max();
    assert!(largest > Some(256 << 10), "{largest:?}");
    assert!(entries.iter().any(|entry| entry["MESSAGE"].as_str().is_some_and(|text| text.contains("ContainerCreate"))));
}
