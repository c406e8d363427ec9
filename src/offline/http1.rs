//! Requests as they come over the wire. What a gate's HTTP library refuses before anybody judges it is told as malformed.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::asking::Asking;
use crate::request::{self, Asked, BodyPlan, Head, Irregular, Irregularity};

/// Most header lines.
const HEADERS: usize = 128;
/// Largest judged body, as a gate has it if nothing else is said.
const BODY: usize = 4 << 20;
/// What begins an HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Reads every request of a connection. What ends its reading is a request of its own: a gate answers it, and closes.
pub(super) fn requests(bytes: &[u8]) -> Result<Vec<Asking>, String> {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if !first.windows(6).any(|part| part == b" HTTP/") {
        return Err("this is neither JSON nor an HTTP request; a command line goes behind --".to_owned());
    }
    let (mut all, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        match one(rest) {
            Ok((asking, after)) => {
                all.push(asking);
                rest = after;
            }
            Err(why) => {
                all.push(unreadable(why));
                break;
            }
        }
    }
    Ok(all)
}

fn unreadable((kind, detail): (Irregular, String)) -> Asking {
    let why = Irregularity { kind, field: "head".to_owned(), detail };
    Asking::of(Asked::unreadable(why), None, Vec::new())
}

type Bad = (Irregular, String);

fn malformed(why: impl ToString) -> Bad {
    (Irregular::Malformed, why.to_string())
}

fn one(bytes: &[u8]) -> Result<(Asking, &[u8]), Bad> {
    if bytes.starts_with(PREFACE) {
        return Err((
            Irregular::Http2,
            "HTTP/2 reaches BuildKit before any route and is not read; use HTTP/1.1".into(),
        ));
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(bytes).map_err(malformed)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Err(malformed("the head does not end")),
    };
    let method: Method = parsed.method.unwrap_or_default().parse().map_err(malformed)?;
    let target = parsed.path.unwrap_or_default();
    let uri: Uri = target.parse().map_err(malformed)?;
    let is_opaque = !target.starts_with('/') && !target.contains("://") && target != "*";
    if is_opaque {
        return Err(malformed("a target without a leading slash"));
    }
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut map = HeaderMap::new();
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(malformed)?;
        map.append(name, HeaderValue::from_bytes(header.value).map_err(malformed)?);
    }
    let asked = request::read(&Head { method: &method, uri: &uri, version, headers: &map });
    let rest = bytes.get(head..).unwrap_or_default();
    let (body, after, odd) = body(&map, rest)?;
    let is_judged = asked.body == BodyPlan::Judge;
    let body = if is_judged && body.len() <= BODY { Some(body) } else { None };
    let too_large = is_judged && body.is_none();
    let detail = "larger than limits.body, so that it is not read; send less".to_owned();
    let large = too_large.then(|| Irregularity { kind: Irregular::TooLarge, field: "body".to_owned(), detail });
    let odd = odd.into_iter().chain(large).collect();
    Ok((Asking::of(asked, body, odd), after))
}

/// A body, what is behind it, and what is odd about how it came.
type Framed<'b> = (Vec<u8>, &'b [u8], Option<Irregularity>);

fn body<'b>(headers: &HeaderMap, rest: &'b [u8]) -> Result<Framed<'b>, Bad> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return chunks(rest);
    }
    let lengths: Vec<&[u8]> =
        headers.get_all(CONTENT_LENGTH).iter().map(|value| value.as_bytes().trim_ascii()).collect();
    let Some(first) = lengths.first() else { return Ok((Vec::new(), rest, None)) };
    if lengths.iter().any(|length| length != first) {
        return Err(malformed("lengths that differ"));
    }
    let text = str::from_utf8(first).map_err(malformed)?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("a length that is none"));
    }
    let length: usize = text.parse().map_err(malformed)?;
    match rest.split_at_checked(length) {
        Some((body, after)) => Ok((body.to_vec(), after, None)),
        None => Ok((rest.to_vec(), &[], Some(broken()))),
    }
}

fn broken() -> Irregularity {
    let detail = "ends before its length; send all of it".to_owned();
    Irregularity { kind: Irregular::Malformed, field: "body".to_owned(), detail }
}

fn chunks(mut rest: &[u8]) -> Result<Framed<'_>, Bad> {
    let mut body = Vec::new();
    loop {
        let (at, length) = match httparse::parse_chunk_size(rest).map_err(|_bad| malformed("a chunk without a size"))? {
            httparse::Status::Complete(size) => size,
            httparse::Status::Partial => return Ok((body, &[], Some(broken()))),
        };
        let length = usize::try_from(length).map_err(malformed)?;
        let chunk = rest.get(at..).unwrap_or_default();
        if length == 0 {
            return Ok((body, trailers(chunk), None));
        }
        let Some((data, after)) = chunk.split_at_checked(length) else { return Ok((body, &[], Some(broken()))) };
        body.extend_from_slice(data);
        rest = after.strip_prefix(b"\r\n").ok_or_else(|| malformed("a chunk that goes on behind its size"))?;
    }
}

/// What is behind the trailers, which nobody reads.
fn trailers(mut rest: &[u8]) -> &[u8] {
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        rest = rest.get(end + 2..).unwrap_or_default();
        if end == 0 {
            break;
        }
    }
    rest
}
