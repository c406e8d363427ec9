//! What the tests stand on: a real engine, the built gate, the Docker CLI, and bytes on a socket.

pub(crate) mod browser;
pub(crate) mod case;
pub(crate) mod docker;
pub(crate) mod engine;
pub(crate) mod gate;
pub(crate) mod pki;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod registry;
pub(crate) mod table;

use std::time::Duration;

use tokio::time::Instant;

/// How long anything in a test may take to happen: generous, since only a failure waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Polls until `look` finds something.
///
/// # Panics
/// If the deadline passes first; `what` says what was waited for.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
