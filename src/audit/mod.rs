//! One record per call, always: an intent that is durable before an effect, and an outcome that closes it.

mod journal;
mod pending;
mod settings;

pub use journal::{Audit, OpenError, Opened, Unwritten};
pub use pending::{CallFacts, Ended, Outcome, Pending, RecordId};
pub use settings::{Level, Levels, OnFailure, Rotate, Settings, SyncPolicy};
