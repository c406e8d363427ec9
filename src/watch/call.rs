//! What a record of a call tells of a container. Pure.

use jiff::Timestamp;
use serde_json::Value;

use super::fact::{Asked, Fact, Happened, Made, Reason, Who};

/// Most findings that are taken from one record.
const REASONS: usize = 64;

/// What a record of the journal tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A container was made.
    Made {
        /// Its id.
        container: String,
        made: Box<Made>,
    },
    /// A start or an exec was asked for.
    Asked {
        /// Id of the container.
        container: String,
        fact: Fact,
    },
    /// What was asked for did not happen.
    Failed {
        /// Id of the container.
        container: String,
        /// Id of the call's record.
        record: String,
    },
    /// A launch or a finding was told before.
    Before {
        /// Id of the launch or the finding.
        id: String,
        /// `open`, `armed`, `update`, `close` or `closed`.
        event: String,
    },
}

/// Words that every line holds which [`read`] makes anything of; lines without any need not be parsed.
pub(super) const WORDS: [&str; 6] = [
    "\"operation\":\"ContainerCreate\"",
    "\"operation\":\"ContainerStart\"",
    "\"operation\":\"ContainerRestart\"",
    "\"operation\":\"ExecStart\"",
    "\"kind\":\"launch\"",
    "\"kind\":\"finding\"",
];

/// Reads a record; `None` if it tells nothing here.
pub(super) fn read(record: &Value) -> Option<Told> {
    match text(record, "/kind")? {
        kind @ ("launch" | "finding") => {
            let id = record.get(kind).and_then(Value::as_str)?.to_owned();
            Some(Told::Before { id, event: text(record, "/event")?.to_owned() })
        }
        "call" => call(record),
        _other => None,
    }
}

fn call(record: &Value) -> Option<Told> {
    let is_outcome = text(record, "/stage")? == "outcome";
    match text(record, "/request/operation")? {
        "ContainerCreate" => {
            let container = text(record, "/outcome/made").filter(|_| is_outcome)?.to_owned();
            Some(Told::Made { container, made: Box::new(made(record)?) })
        }
        "ContainerStart" | "ContainerRestart" => asked(record, is_outcome, None),
        "ExecStart" => asked(record, is_outcome, Some(exec(text(record, "/request/target")?)?)),
        _other => None,
    }
}

/// The intent is written before the engine hears of the call, so that it is there in time; an exec's outcome comes when its
/// stream ends, which may be days later.
fn asked(record: &Value, is_outcome: bool, exec: Option<String>) -> Option<Told> {
    let container = text(record, "/container/id")?.to_owned();
    let id = text(record, "/id")?.to_owned();
    if is_outcome {
        let status = record.pointer("/outcome/status").and_then(Value::as_u64);
        // 304: it ran already. Without any status nobody knows, and the intent stands.
        return status.filter(|status| *status >= 300).map(|_| Told::Failed { container, record: id });
    }
    let asked = Asked { exec, record: id, by: who(record)?, reasons: reasons(record) };
    Some(Told::Asked { container, fact: Fact { at: time(record)?, what: Happened::Asked(asked) } })
}

/// Reads who made a container from either record of its create: a gate that was killed may have written the first only.
pub(super) fn made(record: &Value) -> Option<Made> {
    let owned = |pointer: &str| text(record, pointer).map(str::to_owned);
    Some(Made {
        at: time(record)?,
        record: owned("/id")?,
        by: who(record)?,
        name: owned("/container/name"),
        image: owned("/image/reference").or_else(|| owned("/image/asked")).unwrap_or_default(),
        image_id: owned("/outcome/image/id").or_else(|| owned("/image/id")),
        allowed: record.pointer("/image/allowed").and_then(Value::as_bool).unwrap_or(false),
        reasons: reasons(record),
        is_whole: true,
    })
}

fn who(record: &Value) -> Option<Who> {
    let admin = record.pointer("/principal/admin").and_then(Value::as_bool).unwrap_or(false);
    Some(Who { name: text(record, "/principal/name")?.to_owned(), admin })
}

/// What the verdict found. What a named and dated exception lets pass is known to be good.
fn reasons(record: &Value) -> Vec<Reason> {
    let found = record.pointer("/verdict/findings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let reason = |finding: &Value| {
        Some(Reason {
            check: text(finding, "/check")?.to_owned(),
            field: text(finding, "/field").unwrap_or_default().to_owned(),
            detail: text(finding, "/detail").unwrap_or_default().to_owned(),
            risk: finding.get("risk").and_then(Value::as_u64).and_then(|risk| u32::try_from(risk).ok())?,
        })
    };
    found.iter().filter(|finding| text(finding, "/exception").is_none()).filter_map(reason).take(REASONS).collect()
}

/// The exec's id in `/v1.41/exec/ID/start`.
fn exec(target: &str) -> Option<String> {
    let (_version, rest) = target.split_once("/exec/")?;
    rest.split('/').next().filter(|id| !id.is_empty()).map(str::to_owned)
}

fn time(record: &Value) -> Option<Timestamp> {
    text(record, "/time")?.parse().ok()
}

fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}
