//! Judged bodies: JSON as the engine reads it (Go's `encoding/json`), held against the engine's own structs.

mod json;

// Against the engine's structs.
mod fold;
mod schema;
mod walk;

// Into what is judged.
mod container;
mod host;
mod read;
mod small;

pub use json::{Document, JsonError, Kind, Limits, Value};

use schema::{Field, Shape};
use walk::{Place, irregular};

use super::{Asked, Body, Irregular, Irregularity, Operation};

/// A body, decoded.
#[derive(Debug, Default)]
pub(super) struct Decoded<'a> {
    pub(super) body: Body<'a>,
    pub(super) document: Option<Document<'a>>,
    pub(super) irregularities: Vec<Irregularity>,
}

/// Decodes the whole body of a judged operation.
pub(super) fn decode<'a>(asked: &Asked, bytes: &'a [u8]) -> Decoded<'a> {
    let mut decoded = Decoded::default();
    let Some(known) = fields_of(asked.operation) else { return decoded };
    if bytes.is_empty() {
        if asked.operation == Operation::ExecStart {
            // Read as `{}`: attach to the exec.
            decoded.body = Body::ExecStart(super::ExecStart::default());
        } else if asked.operation != Operation::ContainerStart {
            decoded.odd(Irregular::Malformed, "is empty; the engine wants a JSON object");
        }
        return decoded;
    }
    let document = match Document::read(bytes, Limits::default()) {
        Ok(document) => document,
        Err(error) => {
            decoded.odd(Irregular::Malformed, &format!("is no JSON the engine reads: {error}"));
            return decoded;
        }
    };
    if !document.rest().is_empty() {
        decoded.odd(Irregular::Ambiguous, "goes on behind its JSON value, where engines differ; send one value");
    }
    if let Some(offset) = document.flaw() {
        decoded.odd(Irregular::Ambiguous, &format!("is no valid UTF-8 at byte {offset}, where readers differ"));
    }
    if document.root().kind() == Kind::Object {
        walk::check(document.root(), &Shape::Struct(known), &Place::Root, &mut decoded.irregularities);
        decoded.body = typed(asked.operation, document.root());
        if matches!(&decoded.body, Body::ContainerCreate(create) if create.flat) {
            decoded.odd(Irregular::UnknownField, "has HostConfig's fields outside it, which engines from 27 on ignore");
        }
    } else {
        decoded.odd(Irregular::Malformed, "is no JSON object");
    }
    decoded.document = Some(document);
    decoded
}

/// Writes a judged body anew: each known key in its own spelling, unknown ones and all values as they came.
pub(super) fn write(operation: Operation, document: &Document<'_>) -> Option<Vec<u8>> {
    let known = fields_of(operation)?;
    let mut out = Vec::with_capacity(document.root().raw().len());
    walk::write(document.root(), &Shape::Struct(known), &mut out);
    Some(out)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "eight of some hundred operations have a judged body")]
fn typed<'a>(operation: Operation, root: Value<'_, 'a>) -> Body<'a> {
    match operation {
        Operation::ContainerCreate => Body::ContainerCreate(Box::new(container::create(root))),
        Operation::ContainerStart => Body::ContainerStart(Box::new(container::create(root).host)),
        Operation::ContainerUpdate => Body::ContainerUpdate(small::container_update(root)),
        Operation::ContainerExec => Body::ExecCreate(small::exec_create(root)),
        Operation::ExecStart => Body::ExecStart(small::exec_start(root)),
        Operation::VolumeCreate => Body::VolumeCreate(small::volume_create(root)),
        Operation::NetworkCreate => Body::NetworkCreate(small::network_create(root)),
        Operation::NetworkConnect => Body::NetworkConnect(small::network_connect(root)),
        _unread => Body::Unread,
    }
}

/// The struct that an operation's body is decoded into.
#[expect(clippy::wildcard_enum_match_arm, reason = "eight of some hundred operations have a judged body")]
const fn fields_of(operation: Operation) -> Option<&'static [Field]> {
    match operation {
        Operation::ContainerCreate | Operation::ContainerStart => Some(schema::CONTAINER_CREATE),
        Operation::ContainerUpdate => Some(schema::HOST_CONFIG),
        Operation::ContainerExec => Some(schema::EXEC_CREATE),
        Operation::ExecStart => Some(schema::EXEC_START),
        Operation::VolumeCreate => Some(schema::VOLUME_CREATE),
        Operation::NetworkCreate => Some(schema::NETWORK_CREATE),
        Operation::NetworkConnect => Some(schema::NETWORK_CONNECT),
        _unread => None,
    }
}

impl Decoded<'_> {
    fn odd(&mut self, kind: Irregular, detail: &str) {
        self.irregularities.push(irregular(kind, &Place::Root, detail));
    }
}

#[cfg(test)]
mod tests;
