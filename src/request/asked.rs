//! The head of a request, read: which operation, on what, at which API version, and what is odd about it.

use std::fmt;

use http::{HeaderMap, Method, Uri, Version};

use super::{Operation, Query};

/// The head of a request as it came from the wire.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Method, case kept.
    pub method: &'a Method,
    /// Request target; absolute form and unusual schemes included.
    pub uri: &'a Uri,
    /// HTTP version.
    pub version: Version,
    /// All header lines.
    pub headers: &'a HeaderMap,
}

/// What a request asks for, as far as its head tells.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The endpoint; [`Operation::Unknown`] if there is none.
    pub operation: Operation,
    /// Method as it came.
    pub method: Method,
    /// Target as it came, for the record.
    pub target: String,
    /// API version said in the path; `None` if unversioned.
    pub api_version: Option<ApiVersion>,
    /// The `{name}` or `{id}` of the path, decoded, without the leading `/` the engine tolerates.
    pub resource: Option<String>,
    /// Decoded query, in order, duplicates kept.
    pub query: Query,
    /// What is to be done with the body before judging.
    pub body: BodyPlan,
    /// Everything that is odd about the head.
    pub irregularities: Vec<Irregularity>,
}

/// What is to be done with a request's body before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// Read it whole and decode it.
    Judge,
    /// Let it stream through unread.
    Stream,
}

/// An Engine API version, `1.41`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Before the dot.
    pub major: u32,
    /// After the dot.
    pub minor: u32,
}

/// The kinds of irregularity; each is a check of the same name (`request.ambiguous`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Irregular {
    /// Has two readings.
    Ambiguous,
    /// Has no reading.
    Malformed,
    /// Exceeds a limit, so that it could not be read.
    TooLarge,
    /// The path is not canonical.
    Path,
    /// A form body, whose values would override the judged query.
    FormBody,
    /// An HTTP/2 preface.
    Http2,
    /// Holds a field we do not know.
    UnknownField,
}

/// One irregularity: what, where, and the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Irregularity {
    /// Which kind.
    pub kind: Irregular,
    /// Where: `path`, `query.t`, `Content-Type`, `HostConfig.Binds[0]`, …
    pub field: String,
    /// What is odd, and for a refusal what to write instead.
    pub detail: String,
}

/// Reads a request's head. Never fails: what cannot be read is an [`Irregularity`] and [`Operation::Unknown`].
pub fn read(head: &Head<'_>) -> Asked {
    Asked {
        operation: Operation::Unknown,
        method: head.method.clone(),
        target: head.uri.to_string(),
        api_version: None,
        resource: None,
        query: Query::default(),
        body: BodyPlan::Stream,
        irregularities: Vec::new(),
    }
}

impl Asked {
    /// What stands in the record for bytes that never became a request (an HTTP/2 preface, a broken head).
    pub fn unreadable(why: Irregularity) -> Self {
        Self {
            operation: Operation::Unknown,
            method: Method::default(),
            target: String::new(),
            api_version: None,
            resource: None,
            query: Query::default(),
            body: BodyPlan::Stream,
            irregularities: vec![why],
        }
    }

    /// The target to send to the engine in place of the client's: canonical path, the version that was judged, the query
    /// written anew from its judged values.
    pub fn canonical_target(&self) -> String {
        self.target.clone()
    }
}

// === impl ApiVersion ===

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
