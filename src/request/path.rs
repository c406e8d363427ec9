//! The path, read as `net/http` and `gorilla/mux` read it: escapes once, then cleaned, then the version off its front.

use std::borrow::Cow;

use super::asked::irregular;
use super::escape::{Place, unescape};
use super::{ApiVersion, Irregular, Irregularity};

/// Longest path that is quoted back to a client that has to write it otherwise.
const QUOTED: usize = 200;

/// Reads a raw path. Where the engine would not execute it but answer with a redirect, this is the path it redirects to, so
/// that monitor mode judges what the client is after. `None` where the path has no reading.
pub(super) fn canonical<'a>(raw: &'a str, odd: &mut Vec<Irregularity>) -> Option<Cow<'a, str>> {
    let Some(path) = unescape(raw, Place::Path) else {
        odd.push(irregular(Irregular::Malformed, "path", "a '%' without two hex digits; write it as '%25'"));
        return None;
    };
    if !path.exact {
        odd.push(irregular(Irregular::Malformed, "path", "escapes that are not UTF-8; names are ASCII"));
    }
    if path.text.chars().any(char::is_control) {
        odd.push(irregular(Irregular::Path, "path", "an escaped control character; leave it out"));
    }
    if is_clean(&path.text) {
        return Some(path.text);
    }
    let cleaned = clean(&path.text);
    let instead = if cleaned.len() <= QUOTED { format!("write '{cleaned}'") } else { "write it without".to_owned() };
    let detail = format!("empty, '.' or '..' segments, or no leading '/': the engine only redirects; {instead}");
    odd.push(irregular(Irregular::Path, "path", detail));
    Some(Cow::Owned(cleaned))
}

/// Takes the version off the front of a canonical path.
pub(super) fn split_version<'p>(path: &'p str, odd: &mut Vec<Irregularity>) -> (Option<ApiVersion>, &'p str) {
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|tail| tail.find('/').map(|at| tail.split_at(at)))
    else {
        return (None, path);
    };
    let docker = version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    let podman = version.starts_with(|first: char| first.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if version.is_empty() || !(docker || podman) {
        return (None, path);
    }
    if !docker {
        let detail = "a version with letters is one to Podman and none to Docker; write '/v1.41/'";
        odd.push(irregular(Irregular::Path, "path", detail));
    }
    (Some(ApiVersion::read(version)), rest)
}

impl ApiVersion {
    /// Reads a version as the engine compares it: by dotted integers, where no integer is 0 and one too large is the
    /// largest. What follows the second one is dropped: `1.40.99` is older than 1.41 and is forwarded as `1.40`.
    fn read(text: &str) -> Self {
        let mut parts = text.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse().unwrap_or(u32::MAX) } else { 0 }
        });
        Self { major: parts.next().unwrap_or(0), minor: parts.next().unwrap_or(0) }
    }
}

/// Whether `path.Clean` would leave it, but for a slash at its end.
fn is_clean(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let (segments, last) = rest.rsplit_once('/').map_or((None, rest), |(before, last)| (Some(before), last));
    !matches!(last, "." | "..") && segments.is_none_or(|all| all.split('/').all(|one| !matches!(one, "" | "." | "..")))
}

/// Cleans a path as `gorilla/mux` does: `path.Clean`, and the slash at the end kept.
fn clean(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            named => kept.push(named),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if kept.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}
