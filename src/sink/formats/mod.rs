//! What a record looks like elsewhere: renderers over one line of the journal. Pure.
//!
//! The journal's line is the evidence; what is rendered from it for others keeps its id, its number and its hash, so that each
//! leads back to it. What a format has no place for goes along unmapped rather than being left out.

mod ecs;
mod kind;
mod ocsf;
mod reading;
mod summary;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use kind::{Kind, Severity};
pub use ocsf::Version;
pub(super) use reading::{reasons, text};
pub(super) use summary::summary;

/// How a record is written for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The line as it is in the journal, so that it can be verified.
    Native,
    /// Open Cybersecurity Schema Framework.
    Ocsf(Version),
    /// Elastic Common Schema.
    Ecs,
}

impl Format {
    /// Renders one record, each event as one line of JSON without its newline. In OCSF some are several, and the states of a
    /// launch before its end none: the calls say the same.
    ///
    /// `line` is what `record` was read from.
    pub fn render(self, line: &[u8], record: &Value) -> Vec<String> {
        match self {
            Self::Native => vec![String::from_utf8_lossy(line).into_owned()],
            Self::Ocsf(version) => ocsf::render(record, version).iter().map(Value::to_string).collect(),
            Self::Ecs => vec![ecs::render(record).to_string()],
        }
    }
}
