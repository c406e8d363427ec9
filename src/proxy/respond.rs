//! The one place where a refusal or an error becomes HTTP, in Docker's own error shape so that every client prints it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::body::AnswerBody;
use super::closing::Closing;
use super::rewrite::Unwritable;
use super::wire::Wire;
use crate::audit::{Ended, RecordId, Unwritten};
use crate::engine;
use crate::policy::Verdict;
use crate::request::Target;

/// Why the gate answers in the engine's place.
#[derive(Debug)]
pub(super) enum Refusal<'a> {
    /// Policy says no.
    Denied(&'a Verdict),
    /// No record can be written, and nothing goes through unrecorded.
    Unwritten(&'a Unwritten),
    /// No engine.
    Unreachable(&'a engine::OpenError),
    /// No engine to look up what the call acts on.
    NothingKnown(&'a str),
    /// The engine does not have what the call acts on.
    Absent(Target<'a>),
    /// The engine took the connection over where nothing was judged as a stream.
    UnexpectedHijack,
    /// The judged request cannot be written anew.
    Unwritable(&'a Unwritable),
    /// The client's body ended early; nobody may be left to read this.
    BrokenBody,
}

impl Refusal<'_> {
    fn status(&self) -> StatusCode {
        match self {
            Self::Denied(verdict) => verdict.status(),
            Self::Unwritten(_) | Self::Unreachable(_) | Self::NothingKnown(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Absent(_) => StatusCode::NOT_FOUND,
            Self::UnexpectedHijack => StatusCode::BAD_GATEWAY,
            Self::Unwritable(Unwritable::Target(_)) => StatusCode::URI_TOO_LONG,
            Self::Unwritable(_) => StatusCode::BAD_REQUEST,
            Self::BrokenBody => StatusCode::BAD_REQUEST,
        }
    }

    const fn ended(&self) -> Ended {
        match self {
            Self::Denied(_) | Self::Unwritten(_) | Self::Absent(_) | Self::Unwritable(_) => Ended::Refused,
            Self::Unreachable(_) | Self::NothingKnown(_) => Ended::EngineUnreachable,
            Self::UnexpectedHijack => Ended::EngineGone,
            Self::BrokenBody => Ended::ClientGone,
        }
    }

    fn message(&self, id: RecordId) -> String {
        match self {
            Self::Denied(verdict) => format!("tidewaiter: {}; see record {id}", verdict.summary()),
            Self::Unwritten(why) => format!("tidewaiter: refused, because {why}"),
            Self::Unreachable(why) => format!("tidewaiter: {why}; is the engine running? See record {id}"),
            Self::NothingKnown(why) => format!("tidewaiter: {why}; is the engine running? See record {id}"),
            // The engine's own words.
            Self::Absent(Target::Container(name)) => format!("No such container: {name}"),
            Self::Absent(Target::Exec(id)) => format!("No such exec instance: {id}"),
            Self::UnexpectedHijack => format!("tidewaiter: the engine switched protocols unasked; see record {id}"),
            Self::Unwritable(why) => format!("tidewaiter: {why}; see record {id}"),
            Self::BrokenBody => format!("tidewaiter: the request body ended early; see record {id}"),
        }
    }
}

/// The answer to a call that goes no further.
pub(super) fn refuse(
    refusal: &Refusal<'_>,
    wire: &Arc<Wire>,
    id: RecordId,
    record: Option<Closing>,
) -> Response<AnswerBody> {
    let status = refusal.status();
    let body = Bytes::from(error_body(&refusal.message(id)));
    let record = record.map(|record| record.status(status.as_u16()));
    let mut response = Response::new(AnswerBody::from_gate(body, wire, record, refusal.ended()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The raw answer to an HTTP/2 preface, after which the connection is closed.
pub(super) fn http2_refusal(id: RecordId) -> Vec<u8> {
    let why = format!("tidewaiter: HTTP/2 is refused, since it cannot be judged; use HTTP/1.1. See record {id}");
    let body = error_body(&why);
    let head = format!(
        "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_slice()].concat()
}

/// Docker's error shape.
fn error_body(message: &str) -> Vec<u8> {
    let mut body = serde_json::json!({ "message": message }).to_string().into_bytes();
    body.push(b'\n');
    body
}
