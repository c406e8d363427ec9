//! Elastic Common Schema. What it has no field for stands below `tidewaiter`, as the schema wants it of others' fields.

use serde_json::{Value, json};

use super::reading::{chain, command, file_name, members, number, pruned, reasons, rest, socket, text};
use super::{Kind, Severity, summary};

/// The version whose fields are used.
const ECS: &str = "8.17.0";

/// What has a field that holds all of it, or is in every record.
const MAPPED: &[&str] = &["v", "seq", "id", "time", "host", "kind", "prev", "hash", "container", "title"];

/// Renders a record.
pub(super) fn render(record: &Value) -> Value {
    let mut own = rest(record, MAPPED);
    own.insert("kind".to_owned(), json!(text(record, "/kind")));
    own.insert("chain".to_owned(), chain(record));
    let peer = if Kind::of(record) == Kind::Approval { "/by" } else { "/peer" };
    let none = Value::Null;
    let peer = record.pointer(peer).unwrap_or(&none);
    let address = socket(peer, "/address");
    pruned(json!({
        "@timestamp": text(record, "/time"),
        "ecs": {"version": ECS},
        "message": summary(record),
        "event": event(record),
        "host": {"name": text(record, "/host"), "hostname": text(record, "/host")},
        "observer": {"vendor": "Tidewaiter", "product": "Tidewaiter", "type": "proxy", "version": env!("CARGO_PKG_VERSION")},
        "service": {"name": "docker"},
        "user": user(record, peer),
        "process": process(record, peer),
        "client": address.map(|address| json!({
            "address": address.ip().to_string(), "ip": address.ip().to_string(), "port": address.port(),
        })),
        "tls": certificate(peer),
        "container": container(record),
        "http": http(record),
        "url": text(record, "/request/target").map(|target| {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            json!({"original": target, "path": path, "query": Some(query).filter(|query| !query.is_empty())})
        }),
        "user_agent": {"original": text(record, "/request/user_agent")},
        "rule": rule(record),
        "threat": threat(record),
        "tidewaiter": own,
    }))
}

fn event(record: &Value) -> Value {
    let kind = Kind::of(record);
    let (sort, category): (&str, &[&str]) = match kind {
        Kind::Finding => ("alert", &["intrusion_detection"]),
        Kind::Intent | Kind::Call => ("event", &["api"]),
        Kind::Approval => ("event", &["api", "iam"]),
        Kind::Launch | Kind::Exec => ("event", &["process"]),
        Kind::Lifecycle | Kind::Other => ("event", &["configuration"]),
    };
    json!({
        "kind": sort, "category": category, "type": types(record),
        "action": text(record, "/request/operation").or(text(record, "/check")).or(text(record, "/event")),
        "id": text(record, "/id"), "sequence": number(record, "/seq"),
        "module": "tidewaiter", "dataset": format!("tidewaiter.{}", kind.name()),
        "outcome": outcome(record, kind),
        "reason": reasons(record, "/verdict/findings").or_else(|| reasons(record, "/reasons")),
        "duration": number(record, "/outcome/duration_us").map(|duration| duration.saturating_mul(1000)),
        "severity": Severity::of(record).ocsf(),
        "risk_score": number(record, "/score"),
        "hash": text(record, "/hash"),
    })
}

fn types(record: &Value) -> Vec<&'static str> {
    let operation = text(record, "/request/operation").unwrap_or_default();
    let effect = match (Kind::of(record), text(record, "/request/method")) {
        (Kind::Intent | Kind::Call, Some("GET" | "HEAD")) => "access",
        (Kind::Intent | Kind::Call, Some("DELETE")) => "deletion",
        (Kind::Intent | Kind::Call, _) if operation.ends_with("Create") => "creation",
        (Kind::Intent | Kind::Call, _) if operation.ends_with("Start") => "start",
        (Kind::Intent | Kind::Call | Kind::Approval | Kind::Lifecycle, _) => "change",
        (Kind::Launch | Kind::Exec, _) => "start",
        (Kind::Finding | Kind::Other, _) => "info",
    };
    let verdict = match text(record, "/verdict/action") {
        Some("deny") => Some("denied"),
        Some("allow" | "observe") => Some("allowed"),
        Some(_) | None => None,
    };
    [effect].into_iter().chain(verdict).collect()
}

fn outcome(record: &Value, kind: Kind) -> &'static str {
    match (kind, text(record, "/outcome/ended"), number(record, "/outcome/status")) {
        (Kind::Call, Some("complete" | "client_gone"), Some(..400)) => "success",
        (Kind::Call, _, _) => "failure",
        (Kind::Lifecycle, _, _) if text(record, "/error").is_some() => "failure",
        (Kind::Lifecycle, _, _) => "success",
        _ => "unknown",
    }
}

fn user(record: &Value, peer: &Value) -> Value {
    let name = text(peer, "/user").or(text(peer, "/spiffe")).or(text(peer, "/subject"));
    let names: Vec<&str> = members(peer, "/groups").filter_map(Value::as_str).collect();
    json!({
        "name": name.or(text(record, "/principal/name")),
        "id": number(peer, "/uid").map(|uid| uid.to_string()),
        "roles": text(record, "/principal/profile").map(|profile| [profile]),
        "group": names.first().map(|name| json!({"name": name})),
    })
}

/// The caller's process; of a launch the container's first one.
fn process(record: &Value, peer: &Value) -> Option<Value> {
    let is_first = |step: &&Value| text(step, "/what") == Some("process");
    let (of, path, words) = match members(record, "/timeline").find(is_first) {
        Some(first) => (first, "/path", "/argv"),
        None => (peer, "/exe", "/cmdline"),
    };
    let pid = number(of, "/pid")?;
    Some(json!({
        "pid": pid, "executable": text(of, path), "name": text(of, path).map(file_name),
        "command_line": command(of, words), "args": of.pointer(words),
    }))
}

fn certificate(peer: &Value) -> Option<Value> {
    let sha256 = text(peer, "/sha256")?;
    Some(json!({"client": {
        "subject": text(peer, "/subject"), "issuer": text(peer, "/issuer"), "hash": {"sha256": sha256.to_uppercase()},
        "x509": {"serial_number": text(peer, "/serial"), "alternative_names": peer.get("sans"), "not_after": text(peer, "/not_after")},
        "not_after": text(peer, "/not_after"),
    }}))
}

fn container(record: &Value) -> Value {
    json!({
        "id": text(record, "/container/id"), "name": text(record, "/container/name"),
        "image": {"name": text(record, "/image/reference"), "hash": {"all": text(record, "/image/id").map(|id| [id])}},
        "security_context": {"privileged": record.pointer("/runtime/privileged")},
        "runtime": text(record, "/container/id").map(|_| "docker"),
    })
}

fn http(record: &Value) -> Value {
    json!({
        "request": {
            "id": text(record, "/request/method").and(text(record, "/id")), "method": text(record, "/request/method"),
            "body": {"bytes": number(record, "/request/body_bytes")},
        },
        "response": {"status_code": number(record, "/outcome/status"), "body": {"bytes": number(record, "/outcome/bytes_out")}},
    })
}

fn rule(record: &Value) -> Value {
    let check = |finding: &Value| text(finding, "/check").map(str::to_owned);
    let mut checks: Vec<String> = members(record, "/verdict/findings").filter_map(check).collect();
    checks.extend(text(record, "/check").map(str::to_owned));
    json!({
        "id": checks, "name": text(record, "/title"), "ruleset": text(record, "/principal/profile"),
        "version": number(record, "/policy/generation").map(|generation| generation.to_string()),
        "reference": text(record, "/analytic/strategy").zip(text(record, "/analytic/uid"))
            .map(|(strategy, uid)| format!("https://attack.mitre.org/detectionstrategies/{strategy}#{uid}")),
    })
}

fn threat(record: &Value) -> Option<Value> {
    let called =
        members(record, "/verdict/findings").flat_map(|finding| members(finding, "/attack")).filter_map(Value::as_str);
    let mut ids: Vec<&str> =
        called.chain(members(record, "/attack/techniques").filter_map(|known| text(known, "/id"))).collect();
    ids.sort_unstable();
    ids.dedup();
    let names: Vec<&str> = members(record, "/attack/techniques").filter_map(|known| text(known, "/name")).collect();
    let tactics: Vec<&str> = members(record, "/attack/techniques")
        .flat_map(|known| members(known, "/tactics"))
        .filter_map(Value::as_str)
        .collect();
    (!ids.is_empty()).then(|| {
        json!({
            "framework": "MITRE ATT&CK", "technique": {"id": ids, "name": names}, "tactic": {"name": tactics},
        })
    })
}
