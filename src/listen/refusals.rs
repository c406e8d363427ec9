//! Clients that a TLS door let not in, on their way to the journal: anybody can make as many of them as he likes, so their number
//! in it is bounded, and those without a record of their own are counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::HandshakeError;

/// Refusals that may wait for their record: a burst of a misled fleet is told one by one.
const WAITING: usize = 64;

/// Least time between two records: 36,000 an hour, some 15 MB.
const PACE: Duration = Duration::from_millis(100);

/// One refusal.
#[derive(Debug)]
pub struct Refusal {
    /// Where the client came from.
    pub remote: Option<SocketAddr>,
    /// Why.
    pub error: HandshakeError,
    /// Refusals before it that were only counted.
    pub more: u64,
}

/// Where refusals are put. Never waits.
#[derive(Debug, Clone)]
pub struct Refusals {
    waiting: mpsc::Sender<Refusal>,
    more: Arc<AtomicU64>,
}

/// Where they are taken out.
#[derive(Debug)]
pub struct Refused {
    waiting: mpsc::Receiver<Refusal>,
    more: Arc<AtomicU64>,
    next: Instant,
}

/// Both ends.
pub fn refusals() -> (Refusals, Refused) {
    let (sender, waiting) = mpsc::channel(WAITING);
    let more = Arc::new(AtomicU64::new(0));
    let refused = Refused { waiting, more: Arc::clone(&more), next: Instant::now() };
    (Refusals { waiting: sender, more }, refused)
}

impl Refusals {
    /// Puts one in, or counts it if there is no room.
    pub fn put(&self, remote: Option<SocketAddr>, error: HandshakeError) {
        tracing::debug!(?remote, error = error.why, "a TLS client was not let in");
        if self.waiting.try_send(Refusal { remote, error, more: 0 }).is_err() {
            self.more.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Refused {
    /// The next one, not before its time; `None` when the door is closed and all are told.
    pub async fn next(&mut self) -> Option<Refusal> {
        sleep_until(self.next).await;
        let refusal = self.waiting.recv().await?;
        self.next = Instant::now() + PACE;
        Some(Refusal { more: self.more.swap(0, Ordering::Relaxed), ..refusal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_is_counted_and_told_at_a_bounded_pace() {
        let (refusals, mut refused) = refusals();
        let begin = Instant::now();
        for _ in 0..1000 {
            refusals.put(None, HandshakeError { why: "no".to_owned(), shown: None });
        }
        drop(refusals);
        let (mut told, mut counted) = (0, 0);
        while let Some(refusal) = refused.next().await {
            told += 1;
            counted += refusal.more;
        }
        assert_eq!((told, told + counted), (WAITING as u64, 1000));
        assert!(begin.elapsed() >= PACE * 63, "{:?}", begin.elapsed());
    }
}
