//! What every call shares: the policy, the journal, the way to the engine, the limits.

use std::time::Duration;

use tokio::time::timeout;
use tower::limit::GlobalConcurrencyLimitLayer;

use crate::audit::Audit;
use crate::engine::Dialer;
use crate::facts::LookUp;
use crate::policy::{HeldImage, Policy};
use crate::runtime::Live;
use crate::store::{Approved, Launch, Store};

/// Everything a call meets on its way.
#[derive(Debug)]
pub struct Gate {
    /// What a reload replaces.
    pub rules: Live<Rules>,
    /// The journal.
    pub audit: Audit,
    /// The way to the engine.
    pub dialer: Dialer,
    /// Who made what.
    pub store: Store,
    /// The gate's own questions to it, and to the host.
    pub facts: LookUp,
    /// Absolute paths no container may see.
    pub protected: Vec<String>,
    /// Absolute paths of its Unix doors.
    pub doors: Vec<String>,
    /// Calls at once, over all doors.
    pub calls: GlobalConcurrencyLimitLayer,
}

/// What is decided by; replaced whole by a reload.
#[derive(Debug)]
pub struct Rules {
    /// Who may do what.
    pub policy: Policy,
    /// Limits of one call.
    pub limits: Limits,
}

/// How long a create's answer is held for its image to be read back.
const READ_BACK: Duration = Duration::from_secs(2);

impl Gate {
    /// Remembers a container that was just made, and returns the image that it was really made from.
    pub(super) async fn made(&self, launch: Launch) -> Option<HeldImage> {
        let container = launch.container.clone();
        if let Err(error) = self.store.remember(launch).await {
            tracing::error!(%error, container, "cannot remember who made a container; `tidewaiter store rebuild` mends it");
        }
        match timeout(READ_BACK, self.facts.used_image(&container)).await {
            Ok(Ok(image)) => return image,
            Ok(Err(error)) => tracing::warn!(%error, container, "cannot read back the image"),
            Err(_late) => tracing::warn!(container, "the engine is too slow to read back the image"),
        }
        None
    }

    /// Remembers what an approved call has just made.
    pub(super) async fn made_approved(&self, approved: Approved) {
        let made = approved.made.clone();
        if let Err(error) = self.store.remember_approved(approved).await {
            tracing::error!(%error, made, "cannot remember what was approved; it will be asked for again");
        }
    }
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
