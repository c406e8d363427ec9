//! A request's body before the judgement: read whole where it is judged, left alone where it is not.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::body::{ForwardBody, ReadEnd, read_whole};
use super::gate::Limits;
use super::wire::Wire;
use crate::request::{Asked, BodyPlan, Call, Irregular, Irregularity};

/// A request's body.
#[derive(Debug)]
pub(super) enum Taken {
    /// Not judged; it streams through.
    Unread(Incoming),
    /// Read whole.
    Whole(Vec<u8>),
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
        let mut first = Vec::new();
        let read = timeout(limits.body_timeout, read_whole(&mut body, &mut first, limits.body, wire)).await;
        let why = match read {
            Ok(ReadEnd::Whole) => return Self::Whole(first),
            Ok(ReadEnd::Broken) => return Self::Broken(first),
            Ok(ReadEnd::TooLarge) => too_large(limits.body),
            Err(_late) => late(limits.body_timeout.as_secs()),
        };
        Self::Partial { first, rest: body, why }
    }

    /// Decodes what was read.
    pub(super) fn decode<'a>(&'a self, asked: &'a Asked) -> Call<'a> {
        match self {
            Self::Whole(bytes) => Call::decode(asked, bytes),
            Self::Unread(_) => Call::unread(asked),
            Self::Partial { why, .. } => {
                let mut call = Call::unread(asked);
                call.irregularities.push(why.clone());
                call
            }
            Self::Broken(_) => {
                let mut call = Call::unread(asked);
                call.irregularities.push(broken());
                call
            }
        }
    }

    /// The client's bytes, where all of them were read.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Unread(_) | Self::Partial { .. } | Self::Broken(_) => None,
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
            Self::Whole(_) | Self::Broken(_) => false,
        }
    }

    /// The body to forward: the client's own bytes, or those written anew in their place.
    pub(super) fn forward(self, wire: &Arc<Wire>, anew: Option<Bytes>) -> ForwardBody {
        match (self, anew) {
            (Self::Unread(body), _) => ForwardBody::streamed(wire, Bytes::new(), body),
            (Self::Partial { first, rest, .. }, _) => ForwardBody::streamed(wire, first.into(), rest),
            (Self::Whole(_), Some(anew)) => ForwardBody::whole(wire, anew),
            (Self::Whole(bytes) | Self::Broken(bytes), _) => ForwardBody::whole(wire, bytes.into()),
        }
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
