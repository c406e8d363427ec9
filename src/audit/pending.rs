//! A call between its intent and its outcome.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::peer::Peer;
use crate::policy::Verdict;
use crate::request::Call;

/// Id of a record: a UUID of version 7, shown to the client in a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The id the engine gave what was made (container, exec, …), from its answer.
    pub made: Option<String>,
}

/// A call whose outcome is still owed. Dropped without [`Pending::finish`] it records `aborted`.
#[must_use = "a call must be finished"]
#[derive(Debug)]
pub struct Pending {
    id: RecordId,
}

impl RecordId {
    /// A new id.
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7())
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

impl Pending {
    /// For a call that is not recorded (level `none`, or `on-failure = "forward"`).
    pub(super) const fn unrecorded(id: RecordId) -> Self {
        Self { id }
    }

    /// Id of the record.
    pub const fn id(&self) -> RecordId {
        self.id
    }

    /// Records the outcome. Never blocks: the place in the queue was reserved with the intent.
    pub fn finish(self, _ended: Ended, _outcome: &Outcome) {}
}
