//! The engine, as far as its restart matters.

use std::path::Path;

use serde::Deserialize;

use crate::engine::{Address, Dialer, Inspect, InspectError};

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EngineState {
    /// Which engine it is.
    #[serde(rename = "ID")]
    pub id: String,
    /// Containers that run.
    #[serde(rename = "ContainersRunning")]
    pub running: u64,
    /// Whether they go on while the engine restarts.
    #[serde(rename = "LiveRestoreEnabled", default)]
    pub live_restore: bool,
}

/// Asks the engine behind a socket, directly or through a gate.
///
/// # Errors
/// If nobody answers there, or no engine does.
pub async fn engine_state(socket: &Path) -> Result<EngineState, InspectError> {
    let answer = Inspect::new(Dialer::new(Address::Unix(socket.to_owned()))).get("/info").await?;
    answer.ok_or_else(|| InspectError::Answer("no /info".to_owned()))
}
