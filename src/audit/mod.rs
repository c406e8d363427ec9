//! One record per call, always: an intent that is durable before an effect, and an outcome that closes it.
//!
//! Pure: `record` and `known` render a call, `redact` takes the secrets out, `recorded` reads it back, `chain` links the lines. `writer` is the thread that owns the
//! file, `recover` reads its end after a crash, `verify` and `follow` read it for others.

// What a record says.
mod approval;
mod json;
mod known;
mod lifecycle;
mod record;
mod redact;
mod settings;
mod watched;

// How it is kept.
mod chain;
mod file;
mod journal;
mod keys;
mod pending;
mod recover;
mod writer;

// How it is read.
mod follow;
mod line;
mod recorded;
mod verify;

#[cfg(test)]
mod tests;

pub use approval::{ApprovalEvent, Via, Word};
pub use file::writer;
pub use follow::{Follower, Line};
pub use journal::{Audit, OpenError, Opened, Stats, Streaming, Unwritten};
pub use keys::{host_key, public_key_file};
pub use lifecycle::{LifecycleEvent, ReloadResult, ReloadTrigger};
pub use pending::{CallFacts, Ended, Outcome, Pending, RecordId};
pub use recorded::{Calls, Entry, Recorded, Unreplayable, known_of};
pub use settings::{Level, Levels, OnFailure, Rotate, Settings, SyncPolicy};
pub use verify::{Fault, PublicKey, Report, files, verify};
pub use watched::{WatchEvent, WatchKind};
