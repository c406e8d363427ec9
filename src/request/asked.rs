//! The head of a request, read: which operation, on what, at which API version, and what is odd about it.

use std::fmt::{self, Write as _};

use http::{HeaderMap, Method, Uri, Version};

use super::escape::{Place, escape};
use super::table::{self, Route};
use super::{Class, Operation, Query, framing, path};

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
    /// The `{name}` or `{id}` of the path, decoded; it may hold slashes.
    pub resource: Option<String>,
    /// The `{checkpoint}` of the one path that has two names.
    pub checkpoint: Option<String>,
    /// Decoded query, in order, duplicates kept.
    pub query: Query,
    /// What is to be done with the body before judging.
    pub body: BodyPlan,
    /// Everything that is odd about the head.
    pub irregularities: Vec<Irregularity>,
    /// The pattern that matched.
    route: Option<&'static Route>,
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
    let mut irregularities = Vec::new();
    let path = path::canonical(head.uri.path(), &mut irregularities).unwrap_or_default();
    let (api_version, path) = path::split_version(&path, &mut irregularities);
    let found = table::find(head.method, path);
    let query = Query::read(head.uri.query().unwrap_or_default(), found.operation, &mut irregularities);
    framing::check(head, found.operation, &mut irregularities);
    Asked {
        operation: found.operation,
        method: head.method.clone(),
        target: head.uri.to_string(),
        api_version,
        resource: found.resource.map(str::to_owned),
        checkpoint: found.checkpoint.map(str::to_owned),
        query,
        body: found.operation.body_plan(),
        irregularities,
        route: found.route,
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
            checkpoint: None,
            query: Query::default(),
            body: BodyPlan::Stream,
            irregularities: vec![why],
            route: None,
        }
    }

    /// The class a profile allows or refuses it by: that of the operation, but an image is created by a pull only if
    /// `fromImage` names one; else the engine imports `fromSrc`.
    pub fn class(&self) -> Class {
        let imports =
            self.operation == Operation::ImageCreate && self.query.first("fromImage").unwrap_or_default().is_empty();
        if imports { Class::ImagesMint } else { self.operation.class() }
    }

    /// The target to send to the engine in place of the client's: canonical path, the version that was judged, the query
    /// written anew from its judged values. What matched no pattern stays as it came.
    pub fn canonical_target(&self) -> String {
        let Some(route) = self.route else {
            return self.target.clone();
        };
        let mut out = String::with_capacity(self.target.len());
        if let Some(version) = self.api_version {
            // Writing to a String does not fail.
            _ = write!(out, "/v{version}");
        }
        self.write_path(route, &mut out);
        self.query.write(&mut out);
        out
    }

    /// The canonical path without its version and query; what stands before the query of a target that matched no pattern.
    pub fn canonical_path(&self) -> String {
        let Some(route) = self.route else {
            return self.target.split('?').next().unwrap_or_default().to_owned();
        };
        let mut out = String::new();
        self.write_path(route, &mut out);
        out
    }

    fn write_path(&self, route: &Route, out: &mut String) {
        let resource = self.resource.as_deref().unwrap_or_default();
        let checkpoint = self.checkpoint.as_deref().unwrap_or_default();
        for part in route.spell(resource, checkpoint) {
            escape(out, part, Place::Path);
        }
    }
}

/// One thing that is odd about a head.
pub(super) fn irregular(kind: Irregular, field: impl Into<String>, detail: impl Into<String>) -> Irregularity {
    Irregularity { kind, field: field.into(), detail: detail.into() }
}

// === impl ApiVersion ===

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
