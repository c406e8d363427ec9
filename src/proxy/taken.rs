//! A request's body before the judgement: read whole where it is judged, left alone where it is not.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::body::{ForwardBody, ReadEnd, Rest, read_whole};
use super::gate::Limits;
use super::wire::Wire;
use crate::request::{Asked, BodyPlan, Call, Irregular, Irregularity};

/// A request's body.
#[derive(Debug)]
pub(super) enum Taken {
    /// Not judged; it streams through.
    Unread(Incoming),
    /// Read whole. `framed` if the head announced a body: engines tell an empty one in chunks from none at all.
    Whole { bytes: Vec<u8>, framed: bool },
    /// Judged, but it could not be read whole: what was read, what is still to come, and why.
    Partial { first: Vec<u8>, rest: Incoming, why: Irregularity },
    /// The client went away in the middle of it.
    Broken(Vec<u8>),
}

impl Taken {
    /// Reads a judged body whole. A timeout or a limit keeps what was read, so that monitor mode forwards it all the same;
    /// that is why this is no tower layer, which would drop the half-read body with its future.
    pub(super) async fn take(plan: BodyPlan, mut body: Incoming, limits: &Limits, wire: &Wire) -> Self {
        match plan {
            BodyPlan::Stream => return Self::Unread(body),
            BodyPlan::Judge => {}
        }
        let framed = !body.is_end_stream();
        let mut first = Vec::new();
        let read = timeout(limits.body_timeout, read_whole(&mut body, &mut first, limits.body, wire)).await;
        let why = match read {
            Ok(ReadEnd::Whole) => return Self::Whole { bytes: first, framed },
            Ok(ReadEnd::Broken) => return Self::Broken(first),
            Ok(ReadEnd::TooLarge) => too_large(limits.body),
            Err(_late) => late(limits.body_timeout.as_secs()),
        };
        Self::Partial { first, rest: body, why }
    }

    /// Decodes what was read. Engines act on a JSON value when it has closed, whatever becomes of the rest of the body; so
    /// that value is judged too, besides the body's not being whole.
    pub(super) fn decode<'a>(&'a self, asked: &'a Asked) -> Call<'a> {
        let (first, why) = match self {
            Self::Unread(_) => return Call::unread(asked),
            Self::Whole { bytes, .. } => return Call::decode(asked, bytes),
            Self::Partial { first, why, .. } => (first, why.clone()),
            Self::Broken(first) => (first, broken()),
        };
        let mut call = Call::decode(asked, first);
        if call.document.is_none() {
            call = Call::unread(asked);
        }
        call.irregularities.push(why);
        call
    }

    /// The client's bytes, as far as they were read.
    pub(super) fn read(&self) -> Option<&[u8]> {
        match self {
            Self::Unread(_) => None,
            Self::Whole { bytes, .. } => Some(bytes),
            Self::Partial { first, .. } | Self::Broken(first) => Some(first),
        }
    }

    /// The whole body, of a call without one too; `None` where some of it was not read.
    pub(super) fn bound(&self) -> Option<&[u8]> {
        match self {
            Self::Whole { bytes, .. } => Some(bytes),
            Self::Unread(rest) => rest.is_end_stream().then_some(&[]),
            Self::Partial { .. } | Self::Broken(_) => None,
        }
    }

    pub(super) const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Whether any of it was read: then `100 Continue` has gone out already.
    pub(super) const fn is_read(&self) -> bool {
        !matches!(self, Self::Unread(_))
    }

    /// Whether the client may still be sending.
    pub(super) fn is_left(&self) -> bool {
        match self {
            Self::Unread(rest) | Self::Partial { rest, .. } => !rest.is_end_stream(),
            Self::Whole { .. } | Self::Broken(_) => false,
        }
    }

    /// The body to forward: the client's own bytes, or those written anew in their place.
    pub(super) fn forward(self, wire: &Arc<Wire>, anew: Option<Bytes>) -> ForwardBody {
        let (first, rest) = match (self, anew) {
            (Self::Unread(body), _) => (Bytes::new(), Rest::Stream(body)),
            (Self::Partial { first, rest, .. }, _) => (first.into(), Rest::Stream(rest)),
            (Self::Whole { .. }, Some(anew)) => (anew, Rest::Nothing),
            (Self::Whole { bytes, framed: true }, None) if bytes.is_empty() => (Bytes::new(), Rest::End),
            (Self::Whole { bytes, .. }, None) => (bytes.into(), Rest::Nothing),
            (Self::Broken(first), _) => (first.into(), Rest::Broken),
        };
        ForwardBody::new(wire, first, rest)
    }
}

fn too_large(limit: usize) -> Irregularity {
    Irregularity {
        kind: Irregular::TooLarge,
        field: "body".into(),
        detail: format!("larger than {limit} bytes, so that it cannot be judged; raise limits.body if this is meant"),
    }
}

fn late(seconds: u64) -> Irregularity {
    Irregularity {
        kind: Irregular::Malformed,
        field: "body".into(),
        detail: format!("not complete within {seconds} s, so that it cannot be judged; see limits.body-timeout"),
    }
}

fn broken() -> Irregularity {
    Irregularity { kind: Irregular::Malformed, field: "body".into(), detail: "ended before it was complete".into() }
}
