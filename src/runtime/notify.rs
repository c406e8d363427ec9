//! What the service manager is told: `sd_notify(3)`. Nothing happens where there is none.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// Says that the gate is open, and what it does in a line for `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says what it does now.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Says that it is ending, and may take as long.
pub fn stopping(most: Duration) {
    let most = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::Status("draining"), NotifyState::ExtendTimeoutUsec(most)]);
}

/// Shows the manager's watchdog, if it wants to be shown, that the program is alive: three times within its period, so that
/// one late sign costs nothing, and only when `alive` says so. Never returns.
pub async fn keep_alive(mut alive: impl AsyncFnMut(Duration) -> bool) {
    let Some(period) = sd_notify::watchdog_enabled().map(|whole| whole / 3).filter(|third| !third.is_zero()) else {
        return std::future::pending().await;
    };
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if alive(period).await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
