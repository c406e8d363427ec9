//! May they: a policy file becomes a [`Policy`]; [`judge`] turns a peer and a call into a [`Verdict`].
//!
//! Pure: the time and every fact come in as arguments.

// The words.
mod approval;
mod check;
mod help;
mod verdict;
// The file.
mod an0693;
mod load;
mod lint;
mod principal;
mod profile;
mod raw;
mod resolve;
// The site's own checks.
mod rule;
// The judgement.
mod checks;
mod facts;
mod image;
mod judge;
mod mount;
// What it comes to.
mod changes;
mod origin;
mod summary;

pub use an0693::An0693;
pub use approval::{Approval, Approver, Earlier};
pub use check::{Check, CheckId};
pub use facts::{
    EngineFacts, Facts, HeldImage, HeldNetwork, HeldVolume, Joined, Known, Maker, RealPath, Stored, StoredExec,
    StoredMount,
};
pub use help::{Help, help};
pub use image::image_name;
pub use judge::{depends_on_engine, judge, judge_as};
pub use load::Policy;
pub use mount::{Sources, clean as clean_path, holds as holds_path, joined, service_sources, sources, volume_sources};
pub use origin::{Decided, Origin};
pub use summary::{Expired, Summary, Which, Who};
pub use verdict::{Action, Finding, Permit, Reaction, Verdict};

/// Whether a policy refuses or only records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse what is denied.
    Enforce,
    /// Forward everything untouched; record what would have been refused.
    Monitor,
}

#[cfg(test)]
mod tests;
