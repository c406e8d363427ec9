//! What the headers say about the body, and whether everybody reads them alike.
//!
//! hyper has parsed the head before, and refuses or repairs much of this. What it lets through is judged here all the same:
//! the engine gets these headers too, and reads them by its own rules.

use http::header::{
    AsHeaderName, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, TRANSFER_ENCODING,
};
use http::{Method, Version};

use super::asked::irregular;
use super::{BodyPlan, Head, Irregular, Irregularity, Operation};

/// Headers that give a request its meaning, so that `Connection` must not name them: a proxy that takes them out for that
/// changes what is asked, and the engine does not take them out.
const MEANINGFUL: &[&str] = &[
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
    "x-registry-auth",
    "x-registry-config",
];

impl Head<'_> {
    /// Whether the head announces a body; a length that cannot be read counts as one.
    pub fn has_body(&self) -> bool {
        let mut lengths = self.headers.get_all(CONTENT_LENGTH).iter();
        self.headers.contains_key(TRANSFER_ENCODING) || lengths.any(|length| !is_zero(length.as_bytes()))
    }
}

/// Reports everything odd about a head but its target.
pub(super) fn check(head: &Head<'_>, operation: Operation, odd: &mut Vec<Irregularity>) {
    check_version(head, odd);
    if head.headers.is_empty() {
        return;
    }
    if count(head.headers, HOST) > 1 {
        odd.push(irregular(Irregular::Malformed, "Host", "more than one; write one"));
    }
    check_length(head, odd);
    check_encoding(head, odd);
    check_connection(head.headers, odd);
    check_type(head, operation, odd);
}

fn check_version(head: &Head<'_>, odd: &mut Vec<Irregularity>) {
    let http2 = matches!(head.version, Version::HTTP_2 | Version::HTTP_3) || head.method.as_str() == "PRI";
    if http2 {
        let detail = "HTTP/2 reaches BuildKit before any route and is not read; use HTTP/1.1";
        odd.push(irregular(Irregular::Http2, "version", detail));
    } else if !matches!(head.version, Version::HTTP_10 | Version::HTTP_11) {
        odd.push(irregular(Irregular::Malformed, "version", "an HTTP version the engine refuses; use HTTP/1.1"));
    }
}

fn check_length(head: &Head<'_>, odd: &mut Vec<Irregularity>) {
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return;
    };
    let mut report = |kind, detail| odd.push(irregular(kind, "Content-Length", detail));
    if lengths.next().is_some() {
        report(Irregular::Ambiguous, "more than one; write one");
    }
    let digits = length.as_bytes().trim_ascii();
    if digits.is_empty() {
        // Debian builds of the engine take it for a body that lasts until the connection ends, others for none.
        report(Irregular::Ambiguous, "empty: no body to some engines, an endless one to others; write a number");
    } else if !digits.iter().all(u8::is_ascii_digit)
        || !str::from_utf8(digits).is_ok_and(|digits| digits.parse::<i64>().is_ok())
    {
        report(Irregular::Malformed, "not a length; write a decimal number");
    }
    if head.headers.contains_key(TRANSFER_ENCODING) {
        report(Irregular::Ambiguous, "stands beside Transfer-Encoding, which the engine prefers; write one of them");
    }
}

fn check_encoding(head: &Head<'_>, odd: &mut Vec<Irregularity>) {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return;
    };
    let mut report = |kind, detail| odd.push(irregular(kind, "Transfer-Encoding", detail));
    if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        report(Irregular::Malformed, "the engine reads 'chunked' only, once");
    }
    if head.version == Version::HTTP_10 {
        report(Irregular::Ambiguous, "the engine ignores it in HTTP/1.0 and takes the body for the next request");
    }
}

fn check_connection(headers: &HeaderMap, odd: &mut Vec<Irregularity>) {
    let options = headers.get_all(CONNECTION).into_iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    for option in options.map(<[u8]>::trim_ascii) {
        let named = MEANINGFUL.iter().find(|name| option.eq_ignore_ascii_case(name.as_bytes()));
        if let Some(named) = named {
            let detail = format!("names {named}, which must arrive; leave it out");
            odd.push(irregular(Irregular::Ambiguous, "Connection", detail));
        }
    }
}

fn check_type(head: &Head<'_>, operation: Operation, odd: &mut Vec<Irregularity>) {
    let mut report = |kind, field: &str, detail| odd.push(irregular(kind, field, detail));
    let types = || head.headers.get_all(CONTENT_TYPE).iter().map(|line| media_type(line.as_bytes()));

    if types().any(is_grpc) {
        // Podman hands any such request to a gRPC server, whatever its path.
        report(Irregular::Ambiguous, "Content-Type", "gRPC is no route's type; leave it out");
    }
    if !head.has_body() {
        return;
    }
    if count(head.headers, CONTENT_TYPE) > 1 {
        report(Irregular::Ambiguous, "Content-Type", "more than one, of which the engine reads the first; write one");
    }
    // Go folds these as Unicode: `appl\u{130}cation/json` is JSON to it.
    if types().any(|kind| !kind.is_ascii()) {
        report(Irregular::Malformed, "Content-Type", "not ASCII; write a registered type");
    }
    if reads_forms(head.method) && types().any(is_form) {
        let detail = "a form's values override the query to the engine; put them into the query and send no form";
        report(Irregular::FormBody, "Content-Type", detail);
    }
    if operation.body_plan() == BodyPlan::Stream {
        return;
    }
    // A start's body is a legacy form, which the engine reads by its length, not by its type.
    let json = types().next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"));
    if !json && operation != Operation::ContainerStart {
        report(Irregular::Malformed, "Content-Type", "not JSON to the engine; write 'application/json'");
    }
    let mut codings = head.headers.get_all(CONTENT_ENCODING).iter().map(|line| line.as_bytes().trim_ascii());
    if codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")) {
        report(Irregular::Malformed, "Content-Encoding", "the engine does not decode it; send the body as it is");
    }
}

/// What stands before the parameters of a `Content-Type`.
fn media_type(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

fn is_form(media_type: &[u8]) -> bool {
    media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") || starts_with(media_type, b"multipart/")
}

fn is_grpc(media_type: &[u8]) -> bool {
    starts_with(media_type, b"application/grpc")
}

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
}

/// The methods whose bodies Go's `ParseForm` reads.
fn reads_forms(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Whether a `Content-Length` is none, in any number of digits.
fn is_zero(length: &[u8]) -> bool {
    let digits = length.trim_ascii();
    !digits.is_empty() && digits.iter().all(|byte| *byte == b'0')
}

fn count(headers: &HeaderMap, name: impl AsHeaderName) -> usize {
    headers.get_all(name).iter().count()
}
