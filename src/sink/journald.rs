//! Entries of the system's journal, in its native protocol. Pure.
//!
//! Containers have the fields by which Docker's own log driver names them, so that `journalctl CONTAINER_NAME=web` shows what
//! a container wrote and what was done with it, in one order.

use serde_json::Value;

use super::formats::{reasons, summary, text};
use super::{Kind, Severity};

/// One entry.
pub(super) fn entry(record: &Value, event: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len() + 512);
    field(&mut out, "MESSAGE", &summary(record));
    field(&mut out, "PRIORITY", &Severity::of(record).syslog().to_string());
    field(&mut out, "SYSLOG_IDENTIFIER", "tidewaiter");
    field(&mut out, "TIDEWAITER_KIND", Kind::of(record).name());
    if let Some(seq) = record.get("seq").and_then(Value::as_u64) {
        field(&mut out, "TIDEWAITER_SEQ", &seq.to_string());
    }
    for (name, pointer) in [
        ("TIDEWAITER_ID", "/id"),
        ("TIDEWAITER_TIME", "/time"),
        ("TIDEWAITER_EVENT", "/event"),
        ("TIDEWAITER_DOOR", "/door"),
        ("TIDEWAITER_PRINCIPAL", "/principal/name"),
        ("TIDEWAITER_OPERATION", "/request/operation"),
        ("TIDEWAITER_ACTION", "/verdict/action"),
        ("TIDEWAITER_ENDED", "/outcome/ended"),
        ("TIDEWAITER_CHECK", "/check"),
        ("CONTAINER_NAME", "/container/name"),
        ("CONTAINER_ID_FULL", "/container/id"),
        ("IMAGE_NAME", "/image/reference"),
    ] {
        if let Some(text) = text(record, pointer) {
            field(&mut out, name, text);
        }
    }
    if let Some(reasons) = reasons(record, "/verdict/findings").or_else(|| reasons(record, "/reasons")) {
        field(&mut out, "TIDEWAITER_REASONS", &reasons);
    }
    field(&mut out, "TIDEWAITER_RECORD", event);
    out
}

/// A field with its length: a client's newline must not begin a field of its own.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;

    /// Reads an entry as systemd's journal does.
    fn fields(mut entry: &[u8]) -> Vec<(String, String)> {
        let mut all = Vec::new();
        while !entry.is_empty() {
            let end = entry.iter().position(|byte| *byte == b'\n').unwrap();
            let name = String::from_utf8(entry[..end].to_vec()).unwrap();
            let length: usize = u64::from_le_bytes(entry[end + 1..end + 9].try_into().unwrap()).try_into().unwrap();
            let value = String::from_utf8(entry[end + 9..end + 9 + length].to_vec()).unwrap();
            assert_eq!(entry[end + 9 + length], b'\n');
            all.push((name, value));
            entry = &entry[end + 10 + length..];
        }
        all
    }

    proptest! {
        #[test]
        fn a_client_cannot_write_a_field_of_its_own(text in any::<String>()) {
            let record = json!({"kind": "call", "id": "x", "container": {"name": text}, "principal": {"name": text}});
            let fields = fields(&entry(&record, "{}"));
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, [
                "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "TIDEWAITER_KIND", "TIDEWAITER_ID", "TIDEWAITER_PRINCIPAL",
                "CONTAINER_NAME", "TIDEWAITER_RECORD",
            ]);
            assert_eq!(fields[6].1, text);
        }
    }
}
