//! Calls, and an admin's word on one: API Activity.

use serde_json::{Value, json};

use super::entity::{actor, container, endpoint, resources, technique};
use super::{Class, Event, Version, unmapped};
use crate::sink::formats::Kind;
use crate::sink::formats::reading::{members, number, reasons, text};

/// What of a call has an attribute that holds all of it.
const MAPPED: &[&str] = &["container", "runtime", "body"];

/// A call.
pub(super) fn call(record: &Value, version: Version) -> Value {
    let is_intent = Kind::of(record) == Kind::Intent;
    // Both of its records have the id of the call.
    let part = if is_intent { "intent" } else { "" };
    let event = Event { record, version, class: Class::ApiActivity, activity: activity(record), part };
    let (status, status_name) = status(record, is_intent);
    let code = number(record, "/outcome/status");
    let mut call = event.with(json!({
        "actor": actor(record, "/peer"),
        "api": api(record),
        "src_endpoint": source(record),
        "dst_endpoint": {"hostname": text(record, "/host"), "svc_name": "docker"},
        "http_request": http_request(record),
        "http_response": code.map(|code| json!({"code": code})),
        "resources": resources(record),
        "status_id": status, "status": status_name, "status_code": code.map(|code| code.to_string()),
        "status_detail": if is_intent { Some("intent") } else { text(record, "/outcome/ended") },
        "duration": number(record, "/outcome/duration_us").map(|duration| duration / 1000),
        "unmapped": unmapped(record, MAPPED),
    }));
    if let (Value::Object(call), Value::Object(verdict)) = (&mut call, verdict(record)) {
        call.extend(verdict);
    }
    call
}

/// An admin's word: a call to the gate, about a call to the engine.
pub(super) fn approval(record: &Value, version: Version) -> Value {
    let word = text(record, "/event").unwrap_or("unknown");
    let is_refused = word == "refused";
    let (status, status_name) = if is_refused { (2, "Failure") } else { (1, "Success") };
    Event { record, version, class: Class::ApiActivity, activity: (3, "Update"), part: "" }.with(json!({
        "actor": actor(record, "/by"),
        "api": {"operation": word, "service": {"name": "tidewaiter"}, "request": {"uid": text(record, "/id").unwrap_or("unknown")}},
        "src_endpoint": {"name": "unix:admin"},
        "status_id": status, "status": status_name, "status_detail": text(record, "/why"),
        "unmapped": unmapped(record, &["why"]),
    }))
}

/// By what HTTP says; Docker makes and removes things by POST too.
fn activity(record: &Value) -> (u32, &'static str) {
    let operation = text(record, "/request/operation").unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|word| operation.ends_with(word));
    match text(record, "/request/method") {
        Some("GET" | "HEAD") => (2, "Read"),
        Some("DELETE") => (4, "Delete"),
        Some(_) if is(&["Delete", "Prune"]) => (4, "Delete"),
        Some(_) if is(&["Create", "Build", "Commit", "Load", "Import", "Pull"]) => (1, "Create"),
        Some(_) => (3, "Update"),
        None => (0, "Unknown"),
    }
}

fn api(record: &Value) -> Value {
    let code = number(record, "/outcome/status");
    let data = json!({"runtime": record.get("runtime"), "body": record.get("body")});
    json!({
        "operation": text(record, "/request/operation").unwrap_or("Unknown"),
        "version": text(record, "/request/api_version"),
        "service": {"name": "docker"},
        "request": {
            "uid": text(record, "/id").unwrap_or("unknown"),
            "containers": container(record).into_iter().collect::<Vec<_>>(),
            "data": data,
        },
        "response": code.map(|code| json!({
            "code": code,
            "message": text(record, "/outcome/ended"),
            "data": record.pointer("/outcome/made").map(|made| json!({"made": made})),
        })),
    })
}

fn http_request(record: &Value) -> Value {
    let target = text(record, "/request/target");
    let (path, query) = match target.map(|target| target.split_once('?').unwrap_or((target, ""))) {
        Some((path, query)) => (Some(path), Some(query).filter(|query| !query.is_empty())),
        None => (None, None),
    };
    json!({
        "http_method": text(record, "/request/method"),
        "url": target.map(|_| json!({"path": path, "query_string": query})),
        "user_agent": text(record, "/request/user_agent"),
        "body_length": number(record, "/request/body_bytes"),
    })
}

fn source(record: &Value) -> Value {
    let door = text(record, "/door").unwrap_or("unknown");
    endpoint(record, "/peer/address").unwrap_or_else(|| json!({"name": format!("unix:{door}")}))
}

fn status(record: &Value, is_intent: bool) -> (u32, &'static str) {
    match (text(record, "/outcome/ended"), number(record, "/outcome/status")) {
        _ if is_intent => (0, "Unknown"),
        (Some("complete"), Some(..400)) => (1, "Success"),
        // The client had what it came for; it need not see the end of a stream.
        (Some("client_gone"), Some(..400)) => (1, "Success"),
        _ => (2, "Failure"),
    }
}

/// The profile `security_control`.
fn verdict(record: &Value) -> Value {
    let (action, action_name, disposition, disposition_name) = match text(record, "/verdict/action") {
        Some("allow") => (1, "Allowed", 1, "Allowed"),
        Some("deny") => (2, "Denied", 2, "Blocked"),
        // In monitor mode: it would have been refused.
        Some("observe") => (3, "Observed", 17, "Logged"),
        Some(_) | None => (0, "Unknown", 0, "Unknown"),
    };
    let mut ids: Vec<&str> = members(record, "/verdict/findings")
        .flat_map(|finding| members(finding, "/attack"))
        .filter_map(Value::as_str)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let profile = text(record, "/principal/profile");
    let policy = json!({
        "name": profile, "uid": text(record, "/policy/sha256"),
        "version": number(record, "/policy/generation").map(|generation| generation.to_string()),
        "is_applied": text(record, "/policy/mode").map(|mode| mode == "enforce"),
    });
    let has_policy = profile.or(text(record, "/policy/sha256")).is_some();
    let risks = members(record, "/verdict/findings").filter_map(|finding| number(finding, "/risk"));
    json!({
        "action_id": action, "action": action_name,
        "disposition_id": disposition, "disposition": disposition_name,
        "is_alert": action == 2,
        "policy": has_policy.then_some(policy),
        "authorizations": text(record, "/verdict/action").map(|decision| {
            json!([{"decision": decision, "policy": profile.map(|name| json!({"name": name}))}])
        }),
        "attacks": ids.into_iter().map(|id| technique(id, None)).collect::<Vec<_>>(),
        "risk_score": record.pointer("/verdict/findings").map(|_| risks.sum::<u64>()),
        "risk_details": reasons(record, "/verdict/findings"),
    })
}
