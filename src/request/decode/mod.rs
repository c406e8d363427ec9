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
mod service;
mod small;

pub use json::{Document, JsonError, Kind, Limits, Value};

use schema::{Field, Shape};
use walk::{Found, Place};

use super::{Body, ContainerCreate, ExecStart, Irregular, Irregularity, Operation};

/// Below 1.24 a start may have a body, which engines read if it is longer than this, or chunked; nothing fits in less.
const MAX_IGNORED_START: usize = 7;

/// The bodies that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    ContainerCreate,
    ContainerStart,
    ContainerUpdate,
    ExecCreate,
    ExecStart,
    VolumeCreate,
    NetworkCreate,
    NetworkConnect,
    NetworkDisconnect,
    CheckpointCreate,
    ServiceSpec,
}

const JUDGED: [(Operation, Judged); 12] = [
    (Operation::ContainerCreate, Judged::ContainerCreate),
    (Operation::ContainerStart, Judged::ContainerStart),
    (Operation::ContainerUpdate, Judged::ContainerUpdate),
    (Operation::ContainerExec, Judged::ExecCreate),
    (Operation::ExecStart, Judged::ExecStart),
    (Operation::VolumeCreate, Judged::VolumeCreate),
    (Operation::NetworkCreate, Judged::NetworkCreate),
    (Operation::NetworkConnect, Judged::NetworkConnect),
    (Operation::NetworkDisconnect, Judged::NetworkDisconnect),
    (Operation::CheckpointCreate, Judged::CheckpointCreate),
    (Operation::ServiceCreate, Judged::ServiceSpec),
    (Operation::ServiceUpdate, Judged::ServiceSpec),
];

/// A body, decoded.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) body: Body<'a>,
    pub(super) document: Option<Document<'a>>,
    pub(super) irregularities: Vec<Irregularity>,
}

/// Decodes the whole body of a request. One that is not judged as JSON stays unread.
pub(super) fn decode(operation: Operation, bytes: &[u8]) -> Decoded<'_> {
    let mut found = Found::default();
    let (body, document) = match Judged::of(operation) {
        Some(judged) => read(judged, bytes, &mut found),
        None => (Body::Unread, None),
    };
    Decoded { body, document, irregularities: found.into_list() }
}

/// Reads a container as the engine has it, in the shape of a create's body.
pub(super) fn stored(body: &[u8]) -> Option<ContainerCreate<'_>> {
    let Body::ContainerCreate(create) = decode(Operation::ContainerCreate, body).body else { return None };
    Some(*create)
}

fn read<'a>(judged: Judged, bytes: &'a [u8], found: &mut Found) -> (Body<'a>, Option<Document<'a>>) {
    if judged == Judged::ContainerStart && bytes.len() <= MAX_IGNORED_START {
        return (Body::Unread, None);
    }
    if judged == Judged::ExecStart && bytes.is_empty() {
        return (Body::ExecStart(ExecStart::default()), None);
    }
    let document = match Document::read(bytes, Limits::default()) {
        Ok(document) => document,
        Err(error) => {
            found.push(Irregular::Malformed, &Place::Root, format_args!("is no JSON that the engine reads: {error}"));
            return (Body::Unread, None);
        }
    };
    if !document.rest().is_empty() {
        let detail = format_args!("goes on behind its JSON value, where engines differ; send one value");
        found.push(Irregular::Ambiguous, &Place::Root, detail);
    }
    if let Some(offset) = document.flaw() {
        let detail = format_args!("holds text that is no Unicode at byte {offset}, where readers differ; send UTF-8");
        found.push(Irregular::Ambiguous, &Place::Root, detail);
    }
    let root = document.root();
    if root.kind() != Kind::Object {
        found.push(Irregular::Malformed, &Place::Root, format_args!("is no JSON object"));
        return (Body::Unread, Some(document));
    }
    walk::check(root, &Shape::Struct(judged.fields()), &Place::Root, found);
    let body = typed(judged, root, found);
    (body, Some(document))
}

/// Writes a judged body anew: known keys in their own spelling, unknown ones and all values as they came.
pub(super) fn write(operation: Operation, document: &Document<'_>) -> Option<Vec<u8>> {
    let known = Judged::of(operation)?.fields();
    let mut out = Vec::with_capacity(document.root().raw().len());
    walk::write(document.root(), &Shape::Struct(known), &mut out);
    Some(out)
}

fn typed<'a>(judged: Judged, root: Value<'_, 'a>, found: &mut Found) -> Body<'a> {
    match judged {
        Judged::ContainerCreate => {
            let container::Create { create, flat } = container::create(root);
            for name in flat {
                let detail =
                    format_args!("is HostConfig's, where engines from 27 on ignore it; write it in HostConfig");
                found.push(Irregular::UnknownField, &Place::Field(&Place::Root, name), detail);
            }
            Body::ContainerCreate(Box::new(create))
        }
        Judged::ContainerStart => Body::ContainerStart(Box::new(container::start(root))),
        Judged::ContainerUpdate => {
            for name in small::ignored_by_update(root) {
                let detail = format_args!("is not changed by an update: the engine ignores it; make a new container");
                found.push(Irregular::UnknownField, &Place::Field(&Place::Root, name), detail);
            }
            Body::ContainerUpdate(small::container_update(root))
        }
        Judged::ExecCreate => Body::ExecCreate(small::exec_create(root)),
        Judged::ExecStart => Body::ExecStart(small::exec_start(root)),
        Judged::VolumeCreate => Body::VolumeCreate(small::volume_create(root)),
        Judged::NetworkCreate => Body::NetworkCreate(small::network_create(root)),
        Judged::NetworkConnect => Body::NetworkConnect(small::network_connect(root)),
        Judged::NetworkDisconnect => Body::NetworkDisconnect(small::network_disconnect(root)),
        Judged::CheckpointCreate => Body::CheckpointCreate(small::checkpoint_create(root)),
        Judged::ServiceSpec => Body::ServiceSpec(Box::new(service::spec(root))),
    }
}

impl Judged {
    fn of(operation: Operation) -> Option<Self> {
        JUDGED.iter().find(|(of, _)| *of == operation).map(|(_, judged)| *judged)
    }

    /// The struct that the engine decodes it into.
    const fn fields(self) -> &'static [Field] {
        match self {
            Self::ContainerCreate | Self::ContainerStart => schema::CONTAINER_CREATE,
            Self::ContainerUpdate => schema::CONTAINER_UPDATE,
            Self::ExecCreate => schema::EXEC_CREATE,
            Self::ExecStart => schema::EXEC_START,
            Self::VolumeCreate => schema::VOLUME_CREATE,
            Self::NetworkCreate => schema::NETWORK_CREATE,
            Self::NetworkConnect => schema::NETWORK_CONNECT,
            Self::NetworkDisconnect => schema::NETWORK_DISCONNECT,
            Self::CheckpointCreate => schema::CHECKPOINT_CREATE,
            Self::ServiceSpec => service::SPEC,
        }
    }
}

#[cfg(test)]
mod tests;
