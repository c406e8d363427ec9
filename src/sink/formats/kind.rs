//! What sort of record it is, and how much it matters: the same for every format and every sink.

use serde_json::Value;

use super::reading::{members, number, text};

/// What sort of record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call, before its effect.
    Intent,
    /// What came of a call.
    Call,
    /// An admin's word.
    Approval,
    /// A container's first steps.
    Launch,
    /// Something to be looked at.
    Finding,
    /// A command in a container.
    Exec,
    /// The gate itself.
    Lifecycle,
    /// Of a later version.
    Other,
}

impl Kind {
    /// Every kind that can be chosen, by its name.
    pub const NAMES: &[(&str, Self)] = &[
        ("call", Self::Call),
        ("intent", Self::Intent),
        ("approval", Self::Approval),
        ("launch", Self::Launch),
        ("finding", Self::Finding),
        ("exec", Self::Exec),
        ("lifecycle", Self::Lifecycle),
    ];

    /// The kind of a record.
    pub fn of(record: &Value) -> Self {
        match (text(record, "/kind"), text(record, "/stage")) {
            (Some("call"), Some("intent")) => Self::Intent,
            (Some(name), _) => Self::named(name).unwrap_or(Self::Other),
            (None, _) => Self::Other,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("other", |(name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is as it should be.
    Informational,
    /// Worth knowing.
    Low,
    /// Something was refused, or does not work.
    Medium,
    /// To be looked at today; or records were lost.
    High,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// Every severity, by its name.
    pub const NAMES: &[(&str, Self)] = &[
        ("informational", Self::Informational),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("critical", Self::Critical),
    ];

    /// The severity of a record.
    pub fn of(record: &Value) -> Self {
        match Kind::of(record) {
            Kind::Finding => Self::named(text(record, "/severity")).unwrap_or(Self::Medium),
            Kind::Intent | Kind::Call => Self::of_call(record),
            Kind::Approval => match text(record, "/event") {
                Some("refused") => Self::Medium,
                Some(_) | None => Self::Low,
            },
            Kind::Lifecycle => Self::of_lifecycle(record),
            Kind::Launch | Kind::Exec | Kind::Other => Self::Informational,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, severity)| *severity == self).map_or("informational", |(name, _)| name)
    }

    /// By the name that records have for it.
    fn named(name: Option<&str>) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| Some(*known) == name).map(|(_, severity)| *severity)
    }

    fn of_call(record: &Value) -> Self {
        if text(record, "/outcome/ended") == Some("crashed") {
            return Self::Medium;
        }
        match text(record, "/verdict/action") {
            Some("deny") => Self::Medium,
            Some("observe") => Self::Low,
            Some(_) | None => {
                let warns = |finding: &Value| matches!(text(finding, "/reaction"), Some("warn" | "approve" | "deny"));
                if members(record, "/verdict/findings").any(warns) { Self::Low } else { Self::Informational }
            }
        }
    }

    fn of_lifecycle(record: &Value) -> Self {
        let is_wrong = text(record, "/error").is_some() || number(record, "/crashed").is_some_and(|calls| calls > 0);
        match text(record, "/event") {
            Some("gap" | "sync_failed" | "sink_gap") => Self::High,
            Some(_) if is_wrong => Self::Medium,
            Some(_) | None => Self::Informational,
        }
    }

    /// As OCSF counts: 1 informational to 5 critical.
    pub(super) const fn ocsf(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }

    /// As syslog and the journal count (RFC 5424, table 2): 6 informational to 2 critical.
    pub(in crate::sink) const fn syslog(self) -> u8 {
        match self {
            Self::Informational => 6,
            Self::Low => 5,
            Self::Medium => 4,
            Self::High => 3,
            Self::Critical => 2,
        }
    }
}
