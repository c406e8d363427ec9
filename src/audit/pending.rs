//! A call between its intent and its outcome.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::line::Stage;
use super::record::Common;
use super::writer::{Entry, Record};
use super::{Level, Levels};
use crate::peer::Peer;
use crate::policy::{Action, HeldImage, Known, Reaction, Verdict};
use crate::request::{Call, Operation};

/// Id of a record: a UUID of version 7, shown to the client in a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(uuid::Uuid);

/// Everything a call's record says before its outcome is known.
#[derive(Debug)]
pub struct CallFacts<'a> {
    /// Id of the record.
    pub id: RecordId,
    /// When the call arrived.
    pub time: Timestamp,
    /// Name of the door it came through.
    pub door: &'a str,
    /// Who.
    pub peer: &'a Peer,
    /// What.
    pub call: &'a Call<'a>,
    /// What was looked up for it.
    pub known: &'a Known,
    /// Paths that no container may see, by which it was judged.
    pub protected: &'a [String],
    /// The decision.
    pub verdict: &'a Verdict,
    /// The judged body as the client sent it; `None` if it was not read.
    pub body: Option<&'a [u8]>,
    /// `User-Agent`, if one was sent.
    pub user_agent: Option<&'a str>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The answer went out whole.
    Complete,
    /// Refused by the gate.
    Refused,
    /// The client went away.
    ClientGone,
    /// The engine broke off.
    EngineGone,
    /// The engine could not be reached.
    EngineUnreachable,
    /// The gate was told to stop, or the call was dropped.
    Aborted,
    /// The policy changed, and would now refuse it; the gate cut the stream.
    Revoked,
}

/// What came of a call.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Status sent to the client, if one was.
    pub status: Option<u16>,
    /// Request body bytes, or bytes of the stream from the client.
    pub bytes_in: u64,
    /// Response body bytes, or bytes of the stream to the client.
    pub bytes_out: u64,
    /// From arrival to end.
    pub duration: Duration,
    /// From arrival to leave or refusal: reading the judged body, looking up, judging, and recording the intent.
    pub gate: Option<Duration>,
    /// The id the engine gave what was made (container, exec, …), from its answer.
    pub made: Option<String>,
    /// The image that a new container was really made from, read back from the engine.
    pub image: Option<HeldImage>,
    /// Why a stream was cut when the policy changed.
    pub revoked: Option<String>,
}

/// A call whose outcome is still owed. Dropped without [`Pending::finish`] it records `aborted`.
#[must_use = "a call must be finished"]
#[derive(Debug)]
pub struct Pending {
    id: RecordId,
    open: Option<Box<Open>>,
}

/// What a recorded call holds until its outcome.
#[derive(Debug)]
pub(super) struct Open {
    common: Common,
    /// The place in the queue that makes finishing infallible.
    place: mpsc::OwnedPermit<Entry>,
    /// One of the calls that may be open.
    call: OwnedSemaphorePermit,
    since: Instant,
    durable: bool,
}

impl RecordId {
    /// A new id.
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7())
    }

    /// Reads an id as it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(Self)
    }
}

impl Default for RecordId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Ended {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::ClientGone => "client_gone",
            Self::EngineGone => "engine_gone",
            Self::EngineUnreachable => "engine_unreachable",
            Self::Aborted => "aborted",
            Self::Revoked => "revoked",
        }
    }
}

impl Open {
    pub(super) fn new(
        common: Common,
        place: mpsc::OwnedPermit<Entry>,
        call: OwnedSemaphorePermit,
        durable: bool,
    ) -> Box<Self> {
        let since = Instant::now();
        Box::new(Self { common, place, call, since, durable })
    }

    fn end(self, id: RecordId, ended: Ended, outcome: &Outcome) {
        let record = Record {
            content: self.common.outcome(ended, outcome),
            call: Some((Stage::Outcome, id)),
            durable: self.durable,
            ack: None,
        };
        self.place.send(Entry::Record(record));
        drop(self.call);
    }
}

impl Pending {
    /// For a call that is not recorded (level `none`, or `on-failure = "forward"` and no place in the queue).
    pub(super) const fn unrecorded(id: RecordId) -> Self {
        Self { id, open: None }
    }

    pub(super) const fn recorded(id: RecordId, open: Box<Open>) -> Self {
        Self { id, open: Some(open) }
    }

    /// Id of the record.
    pub const fn id(&self) -> RecordId {
        self.id
    }

    /// Records the outcome. Never blocks: the place in the queue was reserved with the intent.
    pub fn finish(mut self, ended: Ended, outcome: &Outcome) {
        self.end(ended, outcome);
    }

    /// The intent's line; `None` for a call that is not recorded.
    pub(super) fn intent(&self) -> Option<Vec<u8>> {
        self.open.as_ref().map(|open| open.common.intent())
    }

    /// The body stands in the intent: a stream of hours need not hold it.
    pub(super) fn forget_body(&mut self) {
        if let Some(open) = &mut self.open {
            open.common.forget_body();
        }
    }

    /// Records that the gate refused the call because its intent could not be written.
    pub(super) fn refuse_unwritten(mut self) {
        let outcome = Outcome { status: Some(503), duration: self.elapsed(), ..Outcome::default() };
        self.end(Ended::Refused, &outcome);
    }

    fn end(&mut self, ended: Ended, outcome: &Outcome) {
        if let Some(open) = self.open.take() {
            open.end(self.id, ended, outcome);
        }
    }

    fn elapsed(&self) -> Duration {
        self.open.as_ref().map(|open| open.since.elapsed()).unwrap_or_default()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.open.is_some() {
            let outcome = Outcome { duration: self.elapsed(), ..Outcome::default() };
            self.end(Ended::Aborted, &outcome);
        }
    }
}

/// How much of a call is recorded. What the policy spoke of is recorded whatever the operator chose for its kind.
pub(super) fn level_of(levels: Levels, facts: &CallFacts<'_>) -> Level {
    let operation = facts.call.asked.operation;
    let chosen = if operation == Operation::SystemPing {
        levels.ping
    } else if operation.has_effect() {
        levels.effects
    } else {
        levels.default
    };
    let spoken_of =
        facts.verdict.action != Action::Allow || facts.verdict.findings.iter().any(|f| f.reaction > Reaction::Allow);
    if spoken_of { chosen.max(Level::Metadata) } else { chosen }
}

/// Whether the call must not be forwarded before its intent is written.
pub(super) const fn intent_needed(facts: &CallFacts<'_>, failing: bool) -> bool {
    match facts.verdict.action {
        Action::Deny => false,
        Action::Allow | Action::Observe => failing || facts.call.asked.operation.has_effect(),
    }
}
