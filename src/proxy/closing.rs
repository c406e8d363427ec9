//! A call whose answer is on its way out: what was counted, and the record it still owes.

use std::time::Duration;

use tokio::time::Instant;

use crate::audit::{Ended, Outcome, Pending, Streaming};
use crate::policy::HeldImage;

/// The record of a call, with what has been counted so far. Dropped unfinished it records `aborted`.
#[derive(Debug)]
pub(super) struct Closing {
    pending: Pending,
    arrived: Instant,
    ended: Ended,
    outcome: Outcome,
    stream: Option<Streaming>,
}

impl Closing {
    /// Now that it is known whether the call may go on.
    pub(super) fn new(pending: Pending, arrived: Instant) -> Self {
        let outcome = Outcome { gate: Some(arrived.elapsed()), ..Outcome::default() };
        Self { pending, arrived, ended: Ended::Complete, outcome, stream: None }
    }

    pub(super) fn status(mut self, status: u16) -> Self {
        self.outcome.status = Some(status);
        self
    }

    pub(super) fn ended(mut self, ended: Ended) -> Self {
        self.ended = ended;
        self
    }

    /// The policy has changed against it, for a reason.
    pub(super) fn revoked(mut self, why: String) -> Self {
        self.outcome.revoked = Some(why);
        self.ended(Ended::Revoked)
    }

    pub(super) fn moved(mut self, bytes_in: u64, bytes_out: u64) -> Self {
        self.outcome.bytes_in += bytes_in;
        self.outcome.bytes_out += bytes_out;
        self
    }

    /// The answer is a stream, and is counted as one until its record is finished.
    pub(super) fn stream(mut self, stream: Streaming) -> Self {
        self.stream = Some(stream);
        self
    }

    pub(super) fn made(mut self, id: Option<String>) -> Self {
        self.outcome.made = id;
        self
    }

    pub(super) fn image(mut self, used: Option<HeldImage>) -> Self {
        self.outcome.image = used;
        self
    }

    pub(super) fn finish(self) {
        let outcome = Outcome { duration: self.elapsed(), ..self.outcome };
        self.pending.finish(self.ended, &outcome);
    }

    fn elapsed(&self) -> Duration {
        self.arrived.elapsed()
    }
}
