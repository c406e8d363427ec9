//! Both files an operator writes, validated once: every mistake at once, each with its place.

use std::path::PathBuf;
use std::time::Duration;

use crate::policy::Policy;
use crate::{audit, engine, listen};

/// Everything the program runs by.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the engine is.
    pub engine: engine::Address,
    /// The doors; at least one.
    pub doors: Vec<listen::Settings>,
    /// The policy.
    pub policy: Policy,
    /// The journal.
    pub audit: audit::Settings,
    /// State directory.
    pub state: PathBuf,
    /// Limits.
    pub limits: Limits,
}

/// Limits; all have defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest judged body, in bytes.
    pub body: usize,
    /// Largest request head, in bytes.
    pub headers: usize,
    /// Client connections at once, per door.
    pub connections: usize,
    /// Calls at once, over all doors; a stream counts until the engine's head is there.
    pub calls: usize,
    /// From the first byte of a head to its last.
    pub head_timeout: Duration,
    /// From the head of a judged request to the last byte of its body.
    pub body_timeout: Duration,
    /// How long streams may go on after SIGTERM.
    pub drain: Duration,
}
