//! A finding of the watch.

use jiff::Timestamp;
use serde_json::Value;

use super::{list, text};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// Why a launch is a finding.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Reason {
    pub(in crate::admin) check: String,
    pub(in crate::admin) field: String,
    pub(in crate::admin) detail: String,
    pub(in crate::admin) risk: u64,
}

/// One finding, over all its events.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Finding {
    pub(in crate::admin) id: String,
    pub(in crate::admin) check: String,
    pub(in crate::admin) title: String,
    pub(in crate::admin) severity: Severity,
    pub(in crate::admin) score: u64,
    /// Full id of the container; empty if it is of none.
    pub(in crate::admin) container: String,
    pub(in crate::admin) name: String,
    pub(in crate::admin) principal: String,
    pub(in crate::admin) opened: Timestamp,
    pub(in crate::admin) updated: Timestamp,
    pub(in crate::admin) closed: Option<Timestamp>,
    pub(in crate::admin) reasons: Vec<Reason>,
    /// `T1610 Deploy Container`
    pub(in crate::admin) techniques: Vec<String>,
    /// `AN0693 (DET0249)`
    pub(in crate::admin) analytic: Option<String>,
}

impl Severity {
    /// From the worst to the least.
    pub(in crate::admin) const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    fn of(name: Option<&str>) -> Self {
        match name {
            Some("low") => Self::Low,
            Some("medium") => Self::Medium,
            Some("high") => Self::High,
            // A word that is not known must not look harmless.
            Some(_) | None => Self::Critical,
        }
    }

    /// The word for it.
    pub(in crate::admin) const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// A shape beside the word: one more edge, or a fuller one, for worse.
    pub(in crate::admin) const fn shape(self) -> &'static str {
        match self {
            Self::Low => "○",
            Self::Medium => "◐",
            Self::High => "▲",
            Self::Critical => "◆",
        }
    }
}

impl Finding {
    pub(super) fn new(id: String, record: &Value, time: Timestamp) -> Self {
        let mut finding = Self {
            id,
            check: String::new(),
            title: String::new(),
            severity: Severity::Low,
            score: 0,
            container: String::new(),
            name: String::new(),
            principal: String::new(),
            opened: time,
            updated: time,
            closed: None,
            reasons: Vec::new(),
            techniques: Vec::new(),
            analytic: None,
        };
        finding.update(record, time);
        finding
    }

    /// Takes over what a later event says; each says all.
    pub(super) fn update(&mut self, record: &Value, time: Timestamp) {
        let at = |pointer: &str| text(record, pointer).unwrap_or_default();
        let plain = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        self.check = at("/check");
        self.title = at("/title");
        self.severity = Severity::of(plain("/severity"));
        self.score = record.pointer("/score").and_then(Value::as_u64).unwrap_or_default();
        self.container = at("/container/id");
        self.name = at("/container/name");
        self.principal = at("/principal/name");
        self.updated = time;
        self.closed = (plain("/event") == Some("close")).then_some(time);
        self.reasons = list(record, "/reasons").map(Reason::of).collect();
        let technique =
            |one: &Value| [text(one, "/id"), text(one, "/name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        self.techniques = list(record, "/attack/techniques").map(technique).collect();
        self.analytic = text(record, "/analytic/uid").map(|uid| match text(record, "/analytic/strategy") {
            Some(strategy) => format!("{uid} ({strategy})"),
            None => uid,
        });
    }

    pub(in crate::admin) const fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Twelve digits of its container's id, as Docker shows it.
    pub(in crate::admin) fn short(&self) -> &str {
        self.container.get(..12).unwrap_or(&self.container)
    }
}

impl Reason {
    fn of(reason: &Value) -> Self {
        let at = |pointer: &str| text(reason, pointer).unwrap_or_default();
        let risk = reason.pointer("/risk").and_then(Value::as_u64).unwrap_or_default();
        Self { check: at("/check"), field: at("/field"), detail: at("/detail"), risk }
    }
}
