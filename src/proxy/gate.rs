//! What every call shares: the policy, the journal, the way to the engine, the limits.

use std::time::Duration;

use tower::limit::GlobalConcurrencyLimitLayer;

use crate::audit::Audit;
use crate::engine::Dialer;
use crate::facts::LookUp;
use crate::policy::Policy;

/// Everything a call meets on its way.
#[derive(Debug)]
pub struct Gate {
    /// Who may do what.
    pub policy: Policy,
    /// The journal.
    pub audit: Audit,
    /// The way to the engine.
    pub dialer: Dialer,
    /// The gate's own questions to it, and to the host.
    pub facts: LookUp,
    /// Absolute paths no container may see.
    pub protected: Vec<String>,
    /// Limits of one call.
    pub limits: Limits,
    /// Calls at once, over all doors.
    pub calls: GlobalConcurrencyLimitLayer,
}

/// Limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest judged body, in bytes.
    pub body: usize,
    /// Largest request head, in bytes.
    pub headers: usize,
    /// From the first byte of a head to its last.
    pub head_timeout: Duration,
    /// From the head of a judged request to the last byte of its body.
    pub body_timeout: Duration,
}
