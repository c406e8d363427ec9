//! Where records go beside the journal. A sink reads the journal behind its own cursor; none can slow or stop a call.
//!
//! `formats` says what a record looks like elsewhere, `journald` and `syslog` what a message is; `wire` brings messages there,
//! `reader` knows which are next, and `deliver` puts it all together.

// What is shown and sent.
mod console;
mod formats;
mod journald;
mod syslog;

// How it gets there.
mod cursor;
mod deliver;
mod progress;
mod reader;
mod settings;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::cursor::Saved;
use self::deliver::Delivery;
use crate::audit::Audit;
use crate::runtime::{self, Trigger};

pub use console::{line, shown};
pub use formats::{Format, Kind, Severity, Version};
pub use progress::{Come, Progress};
pub use settings::{Settings, Target};
pub use tls::{Files, Tls};

/// The sinks at work, on a thread of their own: what they read and render takes no time from a call.
#[derive(Debug)]
pub struct Sinks {
    trigger: Trigger,
    ended: oneshot::Receiver<()>,
    progress: Progress,
}

impl Sinks {
    /// Begins to deliver a journal to each sink, from where it was; positions are kept below `state`.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub fn start(sinks: &[Settings], journal: &Path, state: &Path, audit: &Audit) -> io::Result<Self> {
        let of = |settings: &Settings| {
            Delivery::new(settings.clone(), journal.to_owned(), audit.clone(), Saved::of(&settings.name, state))
        };
        let deliveries: Vec<Delivery> = sinks.iter().map(of).collect();
        let progress = deliveries.iter().map(Delivery::place).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ((trigger, end), (done, ended)) = (runtime::channel(), oneshot::channel());
        std::thread::Builder::new().name("sinks".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut open = JoinSet::new();
                for delivery in deliveries {
                    open.spawn(delivery.run(end.clone()));
                }
                while open.join_next().await.is_some() {}
            });
            // Nobody waits if it took too long.
            let _late = done.send(());
        })?;
        Ok(Self { trigger, ended, progress })
    }

    /// How far they have come.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Gives each sink that is up the rest, and ends. What is not there `within` that time is sent after the next start.
    pub async fn end(self, within: Duration) {
        self.trigger.drain();
        if tokio::time::timeout(within, self.ended).await.is_err() {
            tracing::warn!("a sink did not take the last records in time; they are sent after the next start");
        }
    }
}
