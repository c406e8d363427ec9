//! A finished call, as the console shows it.

use jiff::Timestamp;
use serde_json::Value;

use super::{cut, list, text};

/// Longest line that is kept whole, in bytes; of a longer one the journal has the rest.
const LINE: usize = 8 << 10;

/// What the gate did with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Act {
    Allowed,
    Denied,
    /// Refused until an admin approves it.
    Asked,
    /// Monitor mode let it through.
    Observed,
    /// The gate did not live to see its end.
    Crashed,
}

/// A check that fired.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Fired {
    pub(in crate::admin) check: String,
    pub(in crate::admin) detail: String,
    pub(in crate::admin) field: String,
    pub(in crate::admin) reaction: String,
}

/// A finished call.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Call {
    pub(in crate::admin) id: String,
    pub(in crate::admin) time: Timestamp,
    pub(in crate::admin) principal: String,
    pub(in crate::admin) is_admin: bool,
    /// The login name, certificate or address behind the principal.
    pub(in crate::admin) who: String,
    pub(in crate::admin) operation: String,
    /// What it was about: an image, a container, or else its target.
    pub(in crate::admin) subject: String,
    pub(in crate::admin) act: Act,
    /// Those worth a warning; the record has all.
    pub(in crate::admin) fired: Vec<Fired>,
    pub(in crate::admin) status: Option<u64>,
    pub(in crate::admin) ended: String,
    pub(in crate::admin) approval: Option<String>,
    /// Full id of the container it made or was about.
    pub(in crate::admin) container: Option<String>,
    pub(in crate::admin) name: Option<String>,
    pub(in crate::admin) image: Option<String>,
    pub(in crate::admin) image_allowed: Option<bool>,
    /// The journal's line; `None` if it is too long to keep.
    pub(in crate::admin) line: Option<Box<str>>,
}

impl Call {
    /// Reads the outcome of a call. `None` for its intent, and for a ping that nothing stands against.
    pub(super) fn of(record: &Value, time: Timestamp, line: &[u8]) -> Option<Self> {
        if record.pointer("/stage").and_then(Value::as_str) != Some("outcome") {
            return None;
        }
        let at = |pointer: &str| text(record, pointer);
        let operation = at("/request/operation").unwrap_or_else(|| "unknown".to_owned());
        let (act, fired) = (act(record), fired(record));
        if operation == "SystemPing" && act == Act::Allowed && fired.is_empty() {
            return None;
        }
        let of_image = operation == "ContainerCreate" || operation.starts_with("Image");
        let subject = match of_image {
            true => ["/image/reference", "/container/name", "/container/id", "/request/target"],
            false => ["/container/name", "/container/id", "/image/reference", "/request/target"],
        };
        Some(Self {
            id: at("/id")?,
            time,
            principal: at("/principal/name").unwrap_or_else(|| "–".to_owned()),
            is_admin: record.pointer("/principal/admin").and_then(Value::as_bool).unwrap_or_default(),
            who: who(record),
            operation,
            subject: subject.into_iter().find_map(at).map(short).unwrap_or_default(),
            act,
            fired,
            status: record.pointer("/outcome/status").and_then(Value::as_u64),
            ended: at("/outcome/ended").unwrap_or_default(),
            approval: at("/approval/id"),
            container: at("/container/id"),
            name: at("/container/name"),
            image: at("/image/reference").or_else(|| at("/image/asked")),
            image_allowed: record.pointer("/image/allowed").and_then(Value::as_bool),
            line: Some(line)
                .filter(|line| line.len() <= LINE)
                .and_then(|line| str::from_utf8(line).ok())
                .map(Box::from),
        })
    }

    /// Whether the engine did it.
    pub(super) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (100..400).contains(&status))
    }
}

impl Act {
    /// The word for it.
    pub(in crate::admin) const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Asked => "waits",
            Self::Observed => "observed",
            Self::Crashed => "crashed",
        }
    }
}

/// The full id of a container as Docker shows it, and whatever else as it is.
fn short(text: String) -> String {
    match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => text.chars().take(12).collect(),
        false => text,
    }
}

fn act(record: &Value) -> Act {
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    match (at("/verdict/action"), at("/approval/state")) {
        (Some("allow"), _) => Act::Allowed,
        (Some("observe"), _) => Act::Observed,
        (Some("deny"), Some("asked")) => Act::Asked,
        (Some(_), _) => Act::Denied,
        (None, _) => Act::Crashed,
    }
}

fn fired(record: &Value) -> Vec<Fired> {
    let of = |finding: &Value, pointer: &str| text(finding, pointer).unwrap_or_default();
    let all = list(record, "/verdict/findings").filter(|finding| {
        matches!(finding.pointer("/reaction").and_then(Value::as_str), Some("warn" | "approve" | "deny"))
    });
    all.map(|finding| Fired {
        check: of(finding, "/check"),
        detail: of(finding, "/detail"),
        field: of(finding, "/field"),
        reaction: of(finding, "/reaction"),
    })
    .collect()
}

fn who(record: &Value) -> String {
    let named = ["/peer/user", "/peer/subject", "/peer/address"].into_iter().find_map(|pointer| text(record, pointer));
    let number = || record.pointer("/peer/uid").and_then(Value::as_u64).map(|uid| cut(&format!("uid {uid}")));
    named.or_else(number).unwrap_or_else(|| "unknown".to_owned())
}
