//! The kernel sensor, as long as the gate runs.

use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;

use super::RunError;
use crate::audit::LifecycleEvent;
use crate::watch::Notice;
use crate::watch::sensor::{self, Handle, Setting, Want};

/// The sensor, or that there is none: it stops with its handle.
pub(super) struct Started {
    pub(super) notices: Option<Receiver<Notice>>,
    pub(super) handle: Handle,
    /// For the journal: what was and was not watched is part of the evidence.
    pub(super) record: LifecycleEvent,
}

/// Starts the sensor and says in one line what of it is on. Without one there are no notices.
pub(super) async fn start(want: Want) -> Result<Started, RunError> {
    let setting = Setting { want, ..Setting::default() };
    let starting = spawn_blocking(move || sensor::start(setting));
    let (status, notices, handle) = starting.await.map_err(|error| RunError::Sensor(error.to_string()))?;
    if status.is_whole() || status.is_unwanted() {
        tracing::info!(%status, "kernel sensor");
    } else if want == Want::Kernel && !status.is_on() {
        return Err(RunError::Sensor(status.to_string()));
    } else {
        tracing::warn!(%status, "kernel sensor");
    }
    let record = LifecycleEvent::Sensor { on: status.is_on(), status: status.to_string() };
    Ok(Started { notices: status.is_on().then_some(notices), handle, record })
}
