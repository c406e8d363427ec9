//! The stable vocabulary: every check, its risk and the ATT&CK techniques it speaks of.

/// A check. Ids are a public contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// `privileged`
    Privileged,
}

impl Check {
    /// The stable id: `mount.host-path`.
    pub const fn id(self) -> &'static str {
        "privileged"
    }

    /// Risk weight, 0–5.
    pub const fn risk(self) -> u8 {
        0
    }

    /// ATT&CK technique ids.
    pub const fn attack(self) -> &'static [&'static str] {
        &[]
    }
}
