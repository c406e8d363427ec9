//! Reading a record. What is absent or of another type reads as nothing: a renderer must take any JSON.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A text.
pub(in crate::sink) fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}

/// A whole number.
pub(super) fn number(record: &Value, pointer: &str) -> Option<u64> {
    record.pointer(pointer).and_then(Value::as_u64)
}

/// The elements of a list.
pub(super) fn members<'a>(record: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    record.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter()
}

/// The words of a command, as one text.
pub(super) fn command(record: &Value, pointer: &str) -> Option<String> {
    let words: Vec<&str> = members(record, pointer).filter_map(Value::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A moment in milliseconds since 1970.
pub(super) fn milliseconds(record: &Value, pointer: &str) -> Option<i64> {
    text(record, pointer)?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// An IP address and a port.
pub(super) fn socket(record: &Value, pointer: &str) -> Option<SocketAddr> {
    text(record, pointer)?.parse().ok()
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}

/// What the checks found, in one line.
pub(in crate::sink) fn reasons(record: &Value, pointer: &str) -> Option<String> {
    let one = |finding: &Value| {
        let part = |pointer| text(finding, pointer).unwrap_or_default();
        let (check, field, detail) = (part("/check"), part("/field"), part("/detail"));
        match (field, detail) {
            ("", "") => check.to_owned(),
            ("", detail) => format!("{check}: {detail}"),
            (field, "") => format!("{check} ({field})"),
            (field, detail) => format!("{check}: {detail} ({field})"),
        }
    };
    let all: Vec<String> = members(record, pointer).map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Where the record stands in the chain, so that whoever has what was rendered can find and verify it.
pub(super) fn chain(record: &Value) -> Value {
    json!({"seq": record.get("seq"), "prev": record.get("prev"), "hash": record.get("hash")})
}

/// The record's members, without those that `mapped` names.
pub(super) fn rest(record: &Value, mapped: &[&str]) -> Map<String, Value> {
    let all = record.as_object().into_iter().flatten();
    all.filter(|(key, _)| !mapped.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Takes out what says nothing: nulls, and the lists and objects that hold nothing else.
pub(super) fn pruned(value: Value) -> Value {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    match value {
        Value::Object(all) => {
            let kept = all.into_iter().map(|(key, value)| (key, pruned(value))).filter(|(_, value)| says(value));
            Value::Object(kept.collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(pruned).filter(says).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
