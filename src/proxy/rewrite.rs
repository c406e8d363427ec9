//! In enforce mode the engine gets what was judged, not what was sent: the target, the headers and the JSON written anew.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;

use crate::policy::Known;
use crate::request::Call;

/// The judged request cannot be written anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritable {
    /// Not as HTTP.
    #[error("the request target is too long: {0}")]
    Target(#[from] http::uri::InvalidUri),
    /// Not narrowed to what the principal made.
    #[error("the filters cannot be read; write {{\"label\":[\"a=b\"]}}")]
    Filters,
    /// Not on the container that was judged.
    #[error("the body cannot be read; write an object with each field once")]
    Body,
    /// Not with a label of its owner.
    #[error("the labels cannot be read; write an object of strings")]
    Labels,
}

/// Writes a judged head anew, and returns the judged body, if it has one.
pub(super) fn rewrite(
    head: &mut Parts,
    call: &Call<'_>,
    known: &Known,
    owner: Option<&str>,
) -> Result<Option<Bytes>, Unwritable> {
    let mut asked = Cow::Borrowed(call.asked);
    let mut body = call.canonical_body();
    if let Some(stored) = &known.container {
        // The name may come to mean another container before the engine reads it.
        asked = Cow::Owned(asked.on_container(&stored.id));
        body = body.map(|body| asked.body_on_container(body, &stored.id).ok_or(Unwritable::Body)).transpose()?;
    }
    if let Some(owner) = owner {
        asked = Cow::Owned(asked.narrowed(owner).ok_or(Unwritable::Filters)?);
        body = body.map(|body| asked.labelled(&body, owner).ok_or(Unwritable::Labels)).transpose()?;
    }
    head.uri = asked.canonical_target().parse()?;
    if body.is_some() {
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reframe(head);
    }
    Ok(body.map(Bytes::from))
}

/// The body has been read: its length is known.
fn reframe(head: &mut Parts) {
    // hyper writes the length of what it is given.
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
}
