//! What a container did first: Process Activity and Network Activity, from the launch that is over.

use serde_json::{Value, json};

use super::entity::{actor, endpoint, process};
use super::{Class, Event, Version, unmapped};
use crate::sink::formats::reading::{members, milliseconds, text};

/// What of a launch has an attribute of its own; its timeline is told by the finding, and here by its first steps.
const MAPPED: &[&str] = &["container", "timeline"];

/// The first process and the first connection of a launch that has ended.
pub(super) fn steps(record: &Value, version: Version) -> Vec<Value> {
    if text(record, "/event") != Some("closed") {
        return Vec::new();
    }
    let is = |words: &'static [&'static str]| {
        move |step: &&Value| text(step, "/what").is_some_and(|what| words.contains(&what))
    };
    let is_first = |step: &&Value| step.get("first") == Some(&Value::Bool(true));
    let processes = || members(record, "/timeline").filter(is(&["process"]));
    let first = processes().find(is_first).or_else(|| processes().next());
    let connection = members(record, "/timeline").find(is(&["connect", "send", "inbound", "listen"]));
    let first = first.and_then(|step| started(step, record, version));
    first.into_iter().chain(connection.and_then(|step| connected(step, record, version))).collect()
}

fn started(step: &Value, record: &Value, version: Version) -> Option<Value> {
    let process = process(step, record)?;
    let event = Event { record, version, class: Class::ProcessActivity, activity: (1, "Launch"), part: "process" };
    Some(event.with(json!({
        "time": milliseconds(step, "/at").or(milliseconds(record, "/time")).unwrap_or_default(),
        "actor": actor(record, "/peer"),
        "process": process,
        "status_id": 1, "status": "Success",
        "unmapped": unmapped(record, MAPPED),
    })))
}

fn connected(step: &Value, record: &Value, version: Version) -> Option<Value> {
    let (activity, from, to) = match text(step, "/what") {
        Some("listen") => ((7, "Listen"), "", "/local"),
        Some("inbound") => ((1, "Open"), "/remote", "/local"),
        Some("send") => ((6, "Traffic"), "/local", "/remote"),
        Some(_) | None => ((1, "Open"), "/local", "/remote"),
    };
    let from = Some(from).filter(|from| !from.is_empty()).and_then(|from| endpoint(step, from));
    let to = endpoint(step, to);
    from.as_ref().or(to.as_ref())?;
    let process = step.get("process").and_then(|of| process(of, record));
    let mut who = actor(record, "/peer");
    if let (Value::Object(who), Some(process)) = (&mut who, process) {
        who.insert("process".to_owned(), process);
    }
    let event = Event { record, version, class: Class::NetworkActivity, activity, part: "network" };
    Some(event.with(json!({
        "time": milliseconds(step, "/at").or(milliseconds(record, "/time")).unwrap_or_default(),
        "actor": who,
        "connection_info": connection(step),
        "src_endpoint": from, "dst_endpoint": to,
        "unmapped": unmapped(record, MAPPED),
    })))
}

/// Which way, and by what protocol.
pub(super) fn connection(step: &Value) -> Value {
    let (direction, name) = match text(step, "/what") {
        Some("connect" | "send") => (2, "Outbound"),
        Some("inbound") => (1, "Inbound"),
        Some(_) | None => (0, "Unknown"),
    };
    json!({"direction_id": direction, "direction": name, "protocol_name": text(step, "/protocol")})
}
