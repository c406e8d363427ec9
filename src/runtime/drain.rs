//! Draining: one signal that every task can wait for.

use tokio::sync::watch;

/// Says that it is time to stop.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Hears it.
#[derive(Debug, Clone)]
pub struct Watch(watch::Receiver<bool>);

/// A signal that has not been given.
pub fn channel() -> (Trigger, Watch) {
    let (trigger, watch) = watch::channel(false);
    (Trigger(trigger), Watch(watch))
}

impl Trigger {
    /// Gives the signal.
    pub fn drain(&self) {
        self.0.send_replace(true);
    }
}

impl Watch {
    /// Waits until the signal is given, or can no longer be.
    pub async fn signaled(mut self) {
        // An error means that the trigger is gone, and with it the application.
        let _gone = self.0.wait_for(|draining| *draining).await.is_err();
    }
}
