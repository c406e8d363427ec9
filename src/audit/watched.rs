//! What the watch tells: a launch or a finding, as a record of its own.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::RecordId;
use super::json::{Object, display, string};
use super::lifecycle::head;
use super::redact::{Argv, Redactor};

/// Longest text.
const TEXT: usize = 4096;
/// Elements of one list.
const ELEMENTS: usize = 512;
/// Words of a command line, and the longest of them.
const WORDS: usize = 64;
const WORD: usize = 512;
/// How deep values may be nested.
const DEPTH: usize = 8;

/// What the watch tells, for [`Audit::watched`](super::Audit::watched).
#[derive(Debug, Clone, Copy)]
pub struct WatchEvent<'a> {
    /// What of.
    pub kind: WatchKind,
    /// What became of it: `open`, `armed`, `update`, `close` or `closed`.
    pub event: &'a str,
    /// Its own id, the same over its events.
    pub id: &'a str,
    /// Everything else. Command lines in it have been through [`Audit::command`](super::Audit::command).
    pub members: &'a Map<String, Value>,
}

/// What the watch tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchKind {
    /// A launch.
    Launch,
    /// A finding.
    Finding,
}

impl WatchKind {
    /// The kind in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Finding => "finding",
        }
    }
}

/// Renders the record's content.
pub(super) fn render(event: &WatchEvent<'_>, time: Timestamp, host: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    head(&mut out, RecordId::new(), time, host, event.kind.name());
    let mut object = Object::resume(&mut out);
    object.text("event", event.event, TEXT);
    object.text(event.kind.name(), event.id, TEXT);
    for (key, value) in event.members {
        write(object.key(key), value, DEPTH);
    }
    out
}

/// Writes a value with every text and list bounded. Keys are our own words.
fn write(out: &mut Vec<u8>, value: &Value, depth: usize) {
    match value {
        Value::String(text) => string(out, text, TEXT),
        Value::Array(values) if depth > 0 => {
            out.push(b'[');
            for (at, value) in values.iter().take(ELEMENTS).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(out, value, depth - 1);
            }
            out.push(b']');
        }
        Value::Object(members) if depth > 0 => {
            let mut object = Object::begin(out);
            for (key, value) in members {
                write(object.key(key), value, depth - 1);
            }
            object.end();
        }
        Value::Array(_) | Value::Object(_) => display(out, "null"),
        Value::Null | Value::Bool(_) | Value::Number(_) => display(out, value),
    }
}

/// A command line without its secrets.
pub(super) fn command(words: &[String], redactor: &Redactor) -> Vec<String> {
    let mut argv = Argv::new(redactor);
    let mut out: Vec<String> = words.iter().take(WORDS).map(|word| short(&argv.arg(word))).collect();
    if let Some(more) = words.len().checked_sub(WORDS).filter(|more| *more > 0) {
        out.push(format!("…+{more}"));
    }
    out
}

fn short(word: &str) -> String {
    match word.char_indices().nth(WORD) {
        Some((end, _)) => format!("{}…+{}", word.get(..end).unwrap_or_default(), word.len() - end),
        None => word.to_owned(),
    }
}
