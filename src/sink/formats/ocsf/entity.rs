//! OCSF's objects: who, from where, and what was acted on.

use serde_json::{Value, json};

use crate::sink::formats::reading::{command, file_name, members, number, socket, text};

/// This program.
pub(super) fn product() -> Value {
    json!({"name": "Tidewaiter", "vendor_name": "Tidewaiter", "version": env!("CARGO_PKG_VERSION")})
}

/// The host of the gate.
pub(super) fn device(record: &Value) -> Value {
    json!({"hostname": text(record, "/host").unwrap_or("unknown"), "type_id": 0, "type": "Unknown"})
}

/// Who called: the peer as kernel or certificate tell it, and only without one the principal it was taken for.
pub(super) fn actor(record: &Value, peer: &str) -> Value {
    let none = Value::Null;
    let peer = record.pointer(peer).unwrap_or(&none);
    let principal = text(record, "/principal/name");
    let uid = number(peer, "/uid").map(|uid| uid.to_string());
    let name = text(peer, "/user").or(text(peer, "/spiffe")).or(text(peer, "/subject"));
    let name = if name.is_none() && uid.is_none() { principal } else { name };
    if name.is_none() && uid.is_none() {
        return json!({"app_name": "unknown"});
    }
    let (kind, kind_name) =
        if record.pointer("/principal/admin") == Some(&Value::Bool(true)) { (2, "Admin") } else { (1, "User") };
    let groups = members(peer, "/groups").map(|group| match group.as_str() {
        Some(name) => json!({"name": name}),
        None => json!({"uid": group.to_string()}),
    });
    json!({
        "user": {
            "name": name, "uid": uid, "type_id": kind, "type": kind_name,
            "groups": groups.collect::<Vec<_>>(), "credential_uid": text(peer, "/sha256"),
        },
        "session": text(peer, "/sha256").map(|sha256| json!({
            "credential_uid": sha256, "issuer": text(peer, "/issuer"), "uid": text(peer, "/serial"), "is_remote": true,
        })),
        "process": caller(peer),
    })
}

/// The process of a caller.
fn caller(peer: &Value) -> Option<Value> {
    let pid = number(peer, "/pid")?;
    Some(json!({
        "pid": pid, "file": text(peer, "/exe").map(file), "cmd_line": command(peer, "/cmdline"),
        "name": text(peer, "/exe").map(file_name),
        "container": text(peer, "/container/id").map(|id| json!({"uid": id})),
    }))
}

/// A process in a container, as the timeline has it: a number, or more.
pub(super) fn process(of: &Value, record: &Value) -> Option<Value> {
    if let Some(pid) = of.as_u64() {
        return Some(json!({"pid": pid, "container": container(record)}));
    }
    let pid = number(of, "/pid")?;
    Some(json!({
        "pid": pid, "file": text(of, "/path").map(file), "name": text(of, "/path").map(file_name),
        "cmd_line": command(of, "/argv"),
        "user": number(of, "/uid").map(|uid| json!({"uid": uid.to_string(), "type_id": 0})),
        "container": container(record),
    }))
}

fn file(path: &str) -> Value {
    json!({"path": path, "name": file_name(path), "type_id": 1, "type": "Regular File"})
}

/// The container a record is about.
pub(super) fn container(record: &Value) -> Option<Value> {
    let (id, name) = (text(record, "/container/id"), text(record, "/container/name"));
    id.or(name)?;
    Some(json!({"uid": id, "name": name, "image": image(record), "runtime": "docker"}))
}

/// Its image. One without an id has no place in OCSF but among the resources.
fn image(record: &Value) -> Option<Value> {
    let id = text(record, "/image/id").filter(|id| !id.is_empty())?;
    Some(json!({"uid": id, "name": text(record, "/image/reference")}))
}

/// What was acted on.
pub(super) fn resources(record: &Value) -> Vec<Value> {
    let (id, name) = (text(record, "/container/id"), text(record, "/container/name"));
    let container = id.or(name).map(|_| json!({"uid": id, "name": name, "type": "container"}));
    let id = text(record, "/image/id").filter(|id| !id.is_empty());
    let name = text(record, "/image/reference").or(text(record, "/image/asked"));
    let image = id.or(name).map(|_| json!({"uid": id, "name": name, "type": "image"}));
    container.into_iter().chain(image).collect()
}

/// One end of a connection.
pub(super) fn endpoint(of: &Value, pointer: &str) -> Option<Value> {
    match socket(of, pointer) {
        Some(address) => Some(json!({"ip": address.ip().to_string(), "port": address.port()})),
        None => text(of, pointer).filter(|name| !name.is_empty()).map(|name| json!({"name": name})),
    }
}

/// A technique of ATT&CK; `T1552.007` is a sub-technique of `T1552`. What has no name here is called by its id.
pub(super) fn technique(id: &str, name: Option<&str>) -> Value {
    let named = |uid: &str, name: Option<&str>| json!({"uid": uid, "name": name.unwrap_or(uid)});
    match id.split_once('.') {
        Some((parent, _)) => json!({"technique": named(parent, None), "sub_technique": named(id, name)}),
        None => json!({"technique": named(id, name)}),
    }
}
