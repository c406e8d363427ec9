//! One golden record per sort, in every format; `tests/ocsf.py` holds the same records against the published schema.

use insta::{Settings, assert_json_snapshot};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::{Map, Value};

use super::{Format, Kind, Severity, Version};

const RECORDS: &str = include_str!("../../../tests/data/records.jsonl");

const OCSF: Format = Format::Ocsf(Version::V1_5);

fn rendered(format: Format, takes: impl Fn(&Value) -> bool) -> Vec<Value> {
    let records = RECORDS.lines().map(|line| (line, serde_json::from_str::<Value>(line).unwrap()));
    let taken = records.filter(|(_, record)| takes(record));
    taken
        .flat_map(|(line, record)| format.render(line.as_bytes(), &record))
        .map(|event| serde_json::from_str(&event).unwrap())
        .collect()
}

fn golden(name: &str, events: &[Value]) {
    let mut settings = Settings::clone_current();
    settings.add_filter(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")), "\"version\": \"[version]\"");
    settings.bind(|| assert_json_snapshot!(name, events));
}

#[test]
fn every_class_of_ocsf() {
    let all = rendered(OCSF, |_record| true);
    for (name, class) in [
        ("api_activity", 6003),
        ("detection_finding", 2004),
        ("process_activity", 1007),
        ("network_activity", 4001),
        ("application_lifecycle", 6002),
        ("base_event", 0),
    ] {
        let of_class: Vec<Value> = all.iter().filter(|event| event["class_uid"] == class).cloned().collect();
        golden(&format!("ocsf_{name}"), &of_class);
    }
}

#[test]
fn every_kind_in_ecs() {
    for (name, _kind) in Kind::NAMES.iter().filter(|(_, kind)| *kind != Kind::Exec) {
        golden(&format!("ecs_{name}"), &rendered(Format::Ecs, |record| Kind::of(record).name() == *name));
    }
}

#[test]
fn native_is_the_line_itself() {
    for line in RECORDS.lines() {
        let record = serde_json::from_str(line).unwrap();
        assert_eq!(Format::Native.render(line.as_bytes(), &record), [line]);
    }
}

#[test]
fn every_record_is_told_once_and_leads_back_to_its_line() {
    let untold = ["open", "armed"];
    for line in RECORDS.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let events = rendered(OCSF, |other| other == &record);
        let is_state = record["kind"] == "launch" && untold.contains(&record["event"].as_str().unwrap());
        assert_eq!(events.is_empty(), is_state, "{record}");
        for event in &events {
            assert_eq!(event["unmapped"]["chain"]["hash"], record["hash"], "{event}");
        }
    }
    let mut uids: Vec<String> =
        rendered(OCSF, |_| true).iter().map(|event| event["metadata"]["uid"].to_string()).collect();
    let all = uids.len();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), all, "no two events have the same id");
}

/// Every text of a record.
fn texts(record: &Value) -> Vec<&str> {
    match record {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::Object(all) => all.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[test]
fn nothing_that_a_record_says_is_left_out() {
    for line in RECORDS.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        for format in [OCSF, Format::Ecs] {
            // Of a launch OCSF has the first steps only.
            if format == OCSF && record["kind"] == "launch" {
                continue;
            }
            let said = format.render(line.as_bytes(), &record).concat();
            for text in texts(&record) {
                assert!(said.contains(&Value::from(text).to_string()), "{text} of {record} in {said}");
            }
        }
    }
}

#[test]
fn the_version_is_the_one_that_was_chosen() {
    for (name, version) in Version::NAMES {
        let events = rendered(Format::Ocsf(*version), |_record| true);
        assert!(events.iter().all(|event| event["metadata"]["version"] == *name), "{name}");
    }
}

#[test]
fn what_matters_more_is_more_severe() {
    let table = [
        (r#"{"kind":"call","verdict":{"action":"allow","findings":[]}}"#, Severity::Informational),
        (r#"{"kind":"call","verdict":{"action":"allow","findings":[{"reaction":"warn"}]}}"#, Severity::Low),
        (r#"{"kind":"call","verdict":{"action":"observe"}}"#, Severity::Low),
        (r#"{"kind":"call","verdict":{"action":"deny"}}"#, Severity::Medium),
        (r#"{"kind":"call","outcome":{"ended":"crashed"}}"#, Severity::Medium),
        (r#"{"kind":"finding","severity":"critical"}"#, Severity::Critical),
        (r#"{"kind":"finding","severity":"?"}"#, Severity::Medium),
        (r#"{"kind":"lifecycle","event":"gap","lost":3}"#, Severity::High),
        (r#"{"kind":"lifecycle","event":"sink_gap"}"#, Severity::High),
        (r#"{"kind":"lifecycle","event":"sink_down","error":"x"}"#, Severity::Medium),
        (r#"{"kind":"lifecycle","event":"start","crashed":1}"#, Severity::Medium),
        (r#"{"kind":"lifecycle","event":"accept","error":null}"#, Severity::Informational),
        ("[]", Severity::Informational),
    ];
    for (record, wanted) in table {
        assert_eq!(Severity::of(&serde_json::from_str(record).unwrap()), wanted, "{record}");
    }
}

/// Any JSON, with the names that renderers look for in places where they look.
fn records() -> impl Strategy<Value = Value> {
    let names =
        "kind|stage|event|call|finding|launch|closed|timeline|what|process|connect|peer|pid|local|at|verdict|findings";
    let key = prop_oneof![names, Just("kind".to_owned()), Just("timeline".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        names.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let object = proptest::collection::vec((key.clone(), inner.clone()), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_can_be_rendered_as_one_line_each(record in records()) {
        let line = record.to_string();
        for format in [Format::Native, OCSF, Format::Ecs] {
            for event in format.render(line.as_bytes(), &record) {
                assert!(!event.contains('\n'), "{event}");
            }
        }
    }
}
