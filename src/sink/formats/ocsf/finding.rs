//! Findings: Detection Finding, with what happened as its evidence.

use serde_json::{Value, json};

use super::entity::{actor, container, endpoint, process, resources, technique};
use super::first::connection;
use super::{Class, Event, Version, unmapped};
use crate::sink::formats::reading::{members, milliseconds, number, reasons, text};

/// What of a finding has an attribute that holds all of it.
const MAPPED: &[&str] = &["finding", "title", "score", "analytic", "attack", "container", "records", "timeline"];

/// A finding, at one of its three stages.
pub(super) fn finding(record: &Value, version: Version) -> Value {
    let activity = match text(record, "/event") {
        Some("open") => (1, "Create"),
        Some("update") => (2, "Update"),
        Some("close") => (3, "Close"),
        Some(_) | None => (0, "Unknown"),
    };
    Event { record, version, class: Class::DetectionFinding, activity, part: "" }.with(json!({
        "finding_info": info(record),
        "evidences": members(record, "/timeline").map(|step| evidence(step, record)).collect::<Vec<_>>(),
        "actor": actor(record, "/peer"),
        "resources": resources(record),
        // That its window has ended is nobody's judgement of it.
        "status_id": 1, "status": "New",
        "is_alert": true,
        "action_id": 3, "action": "Observed", "disposition_id": 15, "disposition": "Detected",
        "risk_score": number(record, "/score"),
        "risk_details": reasons(record, "/reasons"),
        "unmapped": unmapped(record, MAPPED),
    }))
}

fn info(record: &Value) -> Value {
    let check = text(record, "/check").unwrap_or("unknown");
    let analytic = match text(record, "/analytic/uid") {
        Some(uid) => json!({"uid": uid, "name": check, "type_id": 2, "type": "Behavioral"}),
        None => json!({"uid": check, "name": check, "type_id": 1, "type": "Rule"}),
    };
    let strategy = text(record, "/analytic/strategy")
        .map(|strategy| json!([{"uid": strategy, "name": strategy, "type_id": 2, "type": "Behavioral"}]));
    let records = members(record, "/records").filter_map(Value::as_str);
    json!({
        "uid": text(record, "/finding").or(text(record, "/id")).unwrap_or("unknown"),
        "title": text(record, "/title"),
        "desc": reasons(record, "/reasons"),
        "types": [check],
        "analytic": analytic,
        "related_analytics": strategy,
        "attacks": attacks(record),
        "first_seen_time": members(record, "/timeline").find_map(|step| milliseconds(step, "/at")),
        "last_seen_time": members(record, "/timeline").filter_map(|step| milliseconds(step, "/at")).last(),
        "modified_time": milliseconds(record, "/time"),
        "data_sources": ["docker api", text(record, "/sensor").unwrap_or("none")],
        "related_events": records.map(|uid| json!({"uid": uid})).collect::<Vec<_>>(),
    })
}

/// Each technique with each of its tactics: the attribute that holds several is on its way out.
fn attacks(record: &Value) -> Vec<Value> {
    let version = text(record, "/attack/version");
    let mut attacks = Vec::new();
    for known in members(record, "/attack/techniques") {
        let Some(id) = text(known, "/id") else { continue };
        let tactics: Vec<Option<&str>> = members(known, "/tactics").map(Value::as_str).collect();
        let tactics = if tactics.is_empty() { vec![None] } else { tactics };
        for tactic in tactics {
            let mut attack = technique(id, text(known, "/name"));
            if let Value::Object(attack) = &mut attack {
                attack.insert("tactic".to_owned(), json!({"name": tactic}));
                attack.insert("version".to_owned(), json!(version));
            }
            attacks.push(attack);
        }
    }
    attacks
}

/// One step of the timeline: whole as it is recorded, and in OCSF's words where it has them.
fn evidence(step: &Value, record: &Value) -> Value {
    let mut evidence = match text(step, "/what") {
        Some("process" | "exec") => json!({"process": process(step, record)}),
        Some("connect" | "send" | "inbound" | "listen") => {
            let (from, to) =
                if text(step, "/what") == Some("inbound") { ("/remote", "/local") } else { ("/local", "/remote") };
            json!({
                "connection_info": connection(step), "src_endpoint": endpoint(step, from), "dst_endpoint": endpoint(step, to),
                "process": step.get("process").and_then(|of| process(of, record)),
            })
        }
        Some("dns") => json!({"query": text(step, "/name").map(|name| json!({"hostname": name}))}),
        Some(_) | None => json!({}),
    };
    if let Value::Object(evidence) = &mut evidence {
        evidence.insert("name".to_owned(), json!(text(step, "/what")));
        evidence.insert("data".to_owned(), step.clone());
        evidence.insert("container".to_owned(), json!(container(record)));
    }
    evidence
}
