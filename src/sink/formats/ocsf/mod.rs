//! Open Cybersecurity Schema Framework: calls are API Activity, findings Detection Finding, a container's first steps Process
//! and Network Activity, what happens to the gate Application Lifecycle.
//!
//! Only attributes that OCSF 1.5 has: `metadata.version` can be chosen, for consumers that lag.

mod call;
mod entity;
mod finding;
mod first;

use serde_json::{Map, Value, json};

use super::reading::{chain, milliseconds, number, pruned, rest, text};
use super::{Kind, Severity, summary};

/// A version of OCSF, for `metadata.version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 1.5.0
    #[default]
    V1_5,
    /// 1.6.0
    V1_6,
    /// 1.7.0
    V1_7,
    /// 1.8.0
    V1_8,
}

impl Version {
    /// Every version, by its name.
    pub const NAMES: &[(&str, Self)] =
        &[("1.5.0", Self::V1_5), ("1.6.0", Self::V1_6), ("1.7.0", Self::V1_7), ("1.8.0", Self::V1_8)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, version)| *version == self).map_or("1.5.0", |(name, _)| name)
    }
}

/// A class of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Base,
    ProcessActivity,
    DetectionFinding,
    NetworkActivity,
    ApplicationLifecycle,
    ApiActivity,
}

impl Class {
    const fn uid(self) -> u32 {
        match self {
            Self::Base => 0,
            Self::ProcessActivity => 1007,
            Self::DetectionFinding => 2004,
            Self::NetworkActivity => 4001,
            Self::ApplicationLifecycle => 6002,
            Self::ApiActivity => 6003,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Base => "Base Event",
            Self::ProcessActivity => "Process Activity",
            Self::DetectionFinding => "Detection Finding",
            Self::NetworkActivity => "Network Activity",
            Self::ApplicationLifecycle => "Application Lifecycle",
            Self::ApiActivity => "API Activity",
        }
    }

    /// The profiles whose attributes its events have.
    const fn profiles(self) -> &'static [&'static str] {
        match self {
            Self::Base | Self::ApplicationLifecycle => &["host"],
            Self::ProcessActivity | Self::NetworkActivity => &["container", "host"],
            Self::DetectionFinding | Self::ApiActivity => &["container", "host", "security_control"],
        }
    }
}

/// What an event is, before anything is said of it.
struct Event<'a> {
    record: &'a Value,
    version: Version,
    class: Class,
    /// Number and name of the activity.
    activity: (u32, &'a str),
    /// Marks it among those of the same record.
    part: &'a str,
}

/// Renders a record.
pub(super) fn render(record: &Value, version: Version) -> Vec<Value> {
    let events = match Kind::of(record) {
        Kind::Intent | Kind::Call => vec![call::call(record, version)],
        Kind::Approval => vec![call::approval(record, version)],
        Kind::Finding => vec![finding::finding(record, version)],
        Kind::Launch => first::steps(record, version),
        Kind::Lifecycle => vec![lifecycle(record, version)],
        Kind::Exec | Kind::Other => vec![unknown(record, version)],
    };
    events.into_iter().map(pruned).collect()
}

impl Event<'_> {
    /// The event with what every event has, and `more`.
    fn with(&self, more: Value) -> Value {
        let Self { record, version, class, activity: (activity, activity_name), part } = *self;
        let severity = Severity::of(record);
        let id = text(record, "/id").unwrap_or("unknown");
        let uid = if part.is_empty() { id.to_owned() } else { format!("{id}/{part}") };
        let mut event = json!({
            "activity_id": activity, "activity_name": activity_name,
            "category_uid": class.uid() / 1000,
            "class_uid": class.uid(), "class_name": class.name(),
            "type_uid": class.uid() * 100 + activity, "type_name": format!("{}: {activity_name}", class.name()),
            "severity_id": severity.ocsf(), "severity": capital(severity.name()),
            "time": milliseconds(record, "/time").unwrap_or_default(),
            "message": summary(record),
            "metadata": {
                "version": version.name(), "uid": uid, "sequence": number(record, "/seq"),
                "correlation_uid": id, "original_time": text(record, "/time"),
                "product": entity::product(), "log_name": text(record, "/kind"), "profiles": class.profiles(),
            },
            "device": entity::device(record),
        });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        event
    }
}

/// What happens to the gate itself.
fn lifecycle(record: &Value, version: Version) -> Value {
    let activity = match text(record, "/event") {
        Some("start") => (3, "Start"),
        Some("stop") => (4, "Stop"),
        Some(other) => (99, other),
        None => (99, "Other"),
    };
    let error = text(record, "/error");
    let (status, status_name) = if error.is_some() { (2, "Failure") } else { (1, "Success") };
    Event { record, version, class: Class::ApplicationLifecycle, activity, part: "" }.with(json!({
        "app": entity::product(), "status_id": status, "status": status_name, "status_detail": error,
        "unmapped": unmapped(record, &["error"]),
    }))
}

/// A record of a later version: all of it goes along.
fn unknown(record: &Value, version: Version) -> Value {
    let event = Event { record, version, class: Class::Base, activity: (0, "Unknown"), part: "" };
    event.with(json!({"unmapped": unmapped(record, &[])}))
}

/// What no attribute holds, but for what `mapped` names.
fn unmapped(record: &Value, mapped: &[&str]) -> Map<String, Value> {
    let everywhere = ["v", "id", "seq", "time", "host", "kind", "prev", "hash"];
    let known: Vec<&str> = everywhere.iter().chain(mapped).copied().collect();
    let mut rest = rest(record, &known);
    rest.insert("chain".to_owned(), chain(record));
    rest
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
