//! In enforce mode the engine gets what was judged, not what was sent: the target, the headers and the JSON written anew.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;

use crate::policy::Known;
use crate::request::Call;

/// The judged target cannot be written as HTTP.
#[derive(Debug, thiserror::Error)]
#[error("the judged target cannot be written: {0}")]
pub(super) struct Unwritable(#[from] http::uri::InvalidUri);

/// Writes a judged head anew, and returns the judged body, if it has one.
pub(super) fn rewrite(head: &mut Parts, call: &Call<'_>, known: &Known) -> Result<Option<Bytes>, Unwritable> {
    let target = match &known.container {
        // The name may come to mean another container before the engine reads it.
        Some(stored) => call.asked.on_container(&stored.id).canonical_target(),
        None => call.asked.canonical_target(),
    };
    head.uri = target.parse()?;
    let body = call.canonical_body().map(Bytes::from);
    if body.is_some() {
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reframe(head);
    }
    Ok(body)
}

/// The body has been read: its length is known.
fn reframe(head: &mut Parts) {
    // hyper writes the length of what it is given.
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
}
