//! Is there a way around the gate on this host? Looks at the host, the engine and the gate's own files, and changes nothing.
//!
//! `processes` and `reach` say who listens where and who could connect; `doors`, `containers` and `records` make of it what
//! an operator is told.

// What is looked at.
mod processes;
mod reach;
// What is told.
mod containers;
mod doors;
mod records;

pub use containers::{look_up, protected};

use serde::Serialize;

use crate::config::{Host, Loaded};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth a look: no way around the gate, or one that was left open on purpose, or nothing could be learned.
    Warn,
    /// A way around the gate, or a journal that cannot be trusted.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, a stable name: `engine.socket`.
    pub topic: &'static str,
    /// What was found, and what it means.
    pub what: String,
    /// What to do; `None` if nothing.
    pub todo: Option<String>,
}

impl Finding {
    fn ok(topic: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, topic, what: what.into(), todo: None }
    }

    fn warn(topic: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Warn, topic, what: what.into(), todo: Some(todo.into()) }
    }

    fn bad(topic: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Bad, topic, what: what.into(), todo: Some(todo.into()) }
    }
}

/// Looks at everything.
pub async fn examine(loaded: &Loaded, host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    if host.uid != 0 {
        let what = "only root sees who listens where; what is not found may be there nevertheless";
        findings.push(Finding::warn("doctor", what, "run it by sudo"));
    }
    doors::examine(&loaded.config, &mut findings);
    containers::examine(loaded, host, &mut findings).await;
    records::examine(loaded, host, &mut findings);
    findings
}
