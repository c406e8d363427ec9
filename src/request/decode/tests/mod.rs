//! What the decoder must see, restated from what engines were observed to do.

mod bodies;
mod create;
mod fuzzed;
mod json;
mod odd;
mod properties;
mod service;

use super::{Decoded, decode};
use crate::request::{Asked, Body, Call, ContainerCreate, HostConfig, Irregular, Irregularity, Operation};

fn asked(operation: Operation) -> Asked {
    let none = Irregularity { kind: Irregular::Path, field: String::new(), detail: String::new() };
    let mut asked = Asked::unreadable(none);
    asked.operation = operation;
    asked.irregularities.clear();
    asked
}

/// The create with a busybox that has these members more.
fn create_of(members: &str) -> String {
    format!(r#"{{"Image":"busybox:1.0","Cmd":["sleep","60"]{}{members}}}"#, if members.is_empty() { "" } else { "," })
}

fn create(body: &str) -> (ContainerCreate<'_>, Vec<Irregularity>) {
    let Decoded { body: decoded, irregularities, .. } = decode(Operation::ContainerCreate, body.as_bytes());
    let Body::ContainerCreate(create) = decoded else { panic!("{body}: {irregularities:?}") };
    (*create, irregularities)
}

/// What a create with this `HostConfig` is judged by, and what is odd about it: kind and field.
fn host_of<T>(host: &str, see: impl Fn(&HostConfig<'_>) -> T) -> (T, Vec<(Irregular, String)>) {
    let body = create_of(&format!(r#""HostConfig":{host}"#));
    let (create, odd) = create(&body);
    (see(&create.host), pairs(odd))
}

fn pairs(odd: Vec<Irregularity>) -> Vec<(Irregular, String)> {
    odd.into_iter().map(|odd| (odd.kind, odd.field)).collect()
}

fn odd_of(operation: Operation, body: &[u8]) -> Vec<(Irregular, String)> {
    pairs(decode(operation, body).irregularities)
}

fn canonical(operation: Operation, body: &str) -> Option<String> {
    let asked = asked(operation);
    Call::decode(&asked, body.as_bytes()).canonical_body().map(|body| String::from_utf8(body).unwrap())
}
