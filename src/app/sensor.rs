//! The kernel sensor, as long as the gate runs.

use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_blocking;

use super::RunError;
use crate::watch::Notice;
use crate::watch::sensor::{self, Handle, Setting, Want};

/// Starts the sensor and says in one line what of it is on. Without one there are no notices.
pub(super) async fn start(want: Want) -> Result<(Option<Receiver<Notice>>, Handle), RunError> {
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
    Ok((status.is_on().then_some(notices), handle))
}
