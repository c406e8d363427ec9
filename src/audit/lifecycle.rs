//! What happens to the gate itself: start, stop, reload, trouble at a door, and what the journal says about itself.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::RecordId;
use super::chain::{Claim, Link, hex};
use super::json::{Object, string};

/// Longest text in a lifecycle record; error messages name paths.
const TEXT: usize = 4096;
/// Longest host name in a record; the kernel's own limit is 64.
const HOST: usize = 256;

/// An event in the life of the gate, for [`Audit::lifecycle`](super::Audit::lifecycle).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LifecycleEvent {
    /// A door is open.
    Listen {
        /// Name of the door.
        door: String,
        /// Where it listens.
        address: String,
    },
    /// A door cannot take connections, or takes them again (`error` is `None`); or takes no more of one caller, who holds his
    /// share.
    Accept {
        /// Name of the door.
        door: String,
        /// What the kernel said, or who holds his share.
        error: Option<String>,
        /// How often in a row.
        count: u64,
    },
    /// A TLS door let somebody not in.
    Handshake {
        /// Name of the door.
        door: String,
        /// Where they came from.
        address: String,
        /// Why not.
        error: String,
        /// Subject of the certificate that was shown. Nobody has proved to hold its key.
        subject: Option<String>,
        /// SHA-256 of that certificate.
        certificate: Option<String>,
        /// How many more were refused since the record before this one, and have none of their own.
        more: u64,
    },
    /// Configuration and policy were read again.
    Reload {
        /// What asked for it.
        trigger: ReloadTrigger,
        /// Whether what was read is in force.
        result: ReloadResult,
        /// Generation of the policy in force after it.
        generation: u64,
        /// SHA-256 of the policy in force after it.
        sha256: String,
        /// What is other than before, in words.
        changed: Vec<String>,
        /// Settings that were changed and wait for a restart.
        needs_restart: Vec<String>,
        /// The first mistake: its file, line and column, and what is wrong.
        error: Option<String>,
    },
    /// A sink no longer takes records. Said once, however often it is tried again.
    SinkDown {
        /// Name of the sink.
        sink: String,
        /// Why.
        error: String,
    },
    /// What of the kernel is watched from here on.
    Sensor {
        /// Whether anything is.
        on: bool,
        /// What is on, what is off, and why.
        status: String,
    },
    /// A sink takes records again; it is given all since those it had.
    SinkUp {
        /// Name of the sink.
        sink: String,
    },
    /// Records that a sink can no longer be given.
    SinkGap {
        /// Name of the sink.
        sink: String,
        /// How many; `None` if that cannot be known. It may have had the first of them, if they were on their way.
        lost: Option<u64>,
        /// Number of the last record that is known to have arrived.
        after: u64,
        /// Why.
        reason: String,
    },
    /// The gate was told to stop, and waits for its streams.
    Drain {
        /// What told it: the signal's name.
        reason: String,
        /// Calls still open. Not `open`: that is a checkpoint's list of them.
        #[serde(rename = "open_calls")]
        open: u64,
    },
}

/// What asked for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadTrigger {
    /// SIGHUP, of which `tidewaiter reload` makes use.
    Signal,
    /// A file was changed.
    File,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadResult {
    /// What was read is in force.
    Loaded,
    /// It cannot be used; what was in force before is so still.
    Failed,
}

/// What the journal says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum JournalEvent {
    /// The journal was opened.
    Start {
        version: &'static str,
        pid: u32,
        /// Bytes of a torn end that were cut off and kept aside.
        healed_bytes: u64,
        /// Intents without outcome, closed as `crashed`.
        crashed: u64,
    },
    /// The journal is closed in good order.
    Stop,
    /// Records could not be written; the count is of those that are gone for good.
    Gap { lost: u64, failures: u64 },
    /// The kernel could not bring lines to the disk: what was written since the last fsync, from `since` on, may be
    /// missing from the file before this one after a crash.
    SyncFailed { since: u64 },
}

/// The fields every record begins with, `kind` included.
pub(super) fn head(out: &mut Vec<u8>, id: RecordId, time: Timestamp, host: &str, kind: &str) {
    super::json::display(out, format_args!("\"id\":\"{id}\",\"time\":\"{time:.9}\",\"host\":"));
    string(out, host, HOST);
    super::json::display(out, format_args!(",\"kind\":\"{kind}\""));
}

/// Renders a lifecycle record's content.
pub(super) fn render(event: &impl Serialize, time: Timestamp, host: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    head(&mut out, RecordId::new(), time, host, "lifecycle");
    // Neither event has a map with keys that are no strings, the only way for this to fail.
    if let Ok(Value::Object(members)) = serde_json::to_value(event) {
        let mut object = Object::resume(&mut out);
        // First, so that a checkpoint or a gap is found by its first bytes.
        if let Some(name) = members.get("event").and_then(Value::as_str) {
            object.text("event", name, TEXT);
        }
        for (key, value) in members.iter().filter(|(key, _)| *key != "event") {
            match value {
                Value::String(text) => object.text(key, text, TEXT),
                Value::Array(texts) => object.array(key, |array| {
                    texts.iter().filter_map(Value::as_str).for_each(|text| array.text(text, TEXT));
                }),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => object.display(key, value),
            }
        }
    }
    out
}

/// A checkpoint's members that recovery and verification search for.
pub(super) const CHECKPOINT: &[u8] = b",\"kind\":\"lifecycle\",\"event\":\"checkpoint\"";

/// Renders a checkpoint: a signed statement of where the chain stands, and the calls that are open there, so that nobody has
/// to read further back than this.
pub(super) fn checkpoint(
    key: &SigningKey,
    link: Link,
    reason: &str,
    open: &BTreeSet<RecordId>,
    time: Timestamp,
    host: &str,
) -> Vec<u8> {
    let text = format!("{time:.9}");
    let claim = Claim { host, time: &text, reason, link };
    let mut out = Vec::with_capacity(512 + open.len() * 40);
    head(&mut out, RecordId::new(), time, host, "lifecycle");
    let mut object = Object::resume(&mut out);
    object.text("event", "checkpoint", TEXT);
    object.text("reason", reason, TEXT);
    object.array("open", |array| {
        for id in open {
            array.text(&id.to_string(), TEXT);
        }
    });
    object.text("key", &hex(key.verifying_key().as_bytes()), TEXT);
    object.text("signature", &claim.sign(key), TEXT);
    out
}

/// Renders the outcome of a call that the gate did not live to see; its intent, with the same id, has the rest.
pub(super) fn crashed(id: RecordId, time: Timestamp, host: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    head(&mut out, id, time, host, "call");
    out.extend_from_slice(b",\"stage\":\"outcome\",\"outcome\":{\"ended\":\"crashed\"}");
    out
}
