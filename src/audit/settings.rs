//! What an operator chooses about the journal.

use std::path::PathBuf;

/// Settings of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file that is appended to.
    pub journal: PathBuf,
    /// Directory of the host's keys (redaction, checkpoints); created 0700.
    pub keys: PathBuf,
    /// How much of each call is recorded.
    pub levels: Levels,
    /// When the file is fsynced.
    pub sync: SyncPolicy,
    /// What a call meets when its record cannot be written.
    pub on_failure: OnFailure,
    /// When a new file is begun, and how many old ones are kept.
    pub rotate: Rotate,
    /// Calls that may be open at once; each has a place in the queue reserved for its outcome.
    pub capacity: usize,
}

/// How much of a call is recorded, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Everything that is neither of the others.
    pub default: Level,
    /// Calls with an effect.
    pub effects: Level,
    /// `/_ping`.
    pub ping: Level,
}

/// How much of one call is recorded, as in Kubernetes auditing. A refused call is recorded at least as `Metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    None,
    /// Who, what, verdict, outcome; no body.
    Metadata,
    /// Also the judged body, redacted.
    Request,
}

/// When the journal is fsynced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncPolicy {
    /// Left to the kernel.
    Never,
    /// Before a call with an effect is forwarded.
    Effects,
    /// Every record.
    Always,
}

/// What a call meets when its record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// 503; nothing is forwarded unrecorded.
    Refuse,
    /// Forwarded; the loss is counted, logged, and recorded as soon as records can be written again.
    Forward,
}

/// Rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate {
    /// Size in bytes at which a new file is begun.
    pub size: u64,
    /// Old files kept.
    pub keep: u32,
}
