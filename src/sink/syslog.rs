//! Syslog messages (RFC 5424), and their frames on a stream (RFC 6587, octet counting).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::formats::text;
use super::{Kind, Severity};

/// Facility "log audit".
const FACILITY: u8 = 13;

/// Longest message. A datagram may have a little more than 200 KiB by the kernel's default; and rsyslog, which takes 200,000
/// bytes by its own, would take a longer frame for a text without end and lose all that follows.
pub(super) const MOST: usize = 128 << 10;

/// One message. Its text is JSON: it has no newline, and no byte order mark, which parsers of JSON do not take.
pub(super) fn message(record: &Value, event: &str) -> Vec<u8> {
    let priority = FACILITY * 8 + Severity::of(record).syslog();
    // Microseconds are the most that RFC 5424 has.
    let time = text(record, "/time").and_then(|time| time.parse::<Timestamp>().ok());
    let time = time.map_or("-".to_owned(), |time| format!("{time:.6}"));
    let host = name(text(record, "/host").unwrap_or_default(), 255);
    let (process, kind) = (std::process::id(), Kind::of(record).name());
    format!("<{priority}>1 {time} {host} tidewaiter {process} {kind} - {event}").into_bytes()
}

/// The record without what makes it too long for one message. The journal has the whole of it, under the same hash.
pub(super) fn shortened(line: &[u8], record: &Value) -> Value {
    let mut short = record.clone();
    if let Some(body) = short.get_mut("body") {
        *body = json!({"omitted": body.to_string().len()});
    }
    if short.to_string().len() <= MOST / 2 {
        return short;
    }
    let member = |key: &str| record.get(key).filter(|value| value.to_string().len() <= 128);
    let kept = ["v", "seq", "id", "time", "host", "kind", "stage", "event", "prev", "hash"];
    let mut stub: Map<String, Value> =
        kept.iter().filter_map(|key| Some(((*key).to_owned(), member(key)?.clone()))).collect();
    stub.insert("omitted".to_owned(), line.len().into());
    stub.into()
}

/// One message in its frame.
pub(super) fn frame(record: &Value, event: &str) -> Vec<u8> {
    let message = message(record, event);
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend(message);
    frame
}

/// A field of the header: printable ASCII without spaces, or nothing.
fn name(text: &str, most: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_head_of_rfc_5424() {
        let record = json!({
            "v": 1, "seq": 7, "id": "x", "time": "2026-11-24T02:31:07.123456789Z", "host": "build 7\u{e9}", "kind": "call",
            "stage": "outcome", "verdict": {"action": "deny"},
        });
        let head = format!("<108>1 2026-11-24T02:31:07.123456Z build7 tidewaiter {} call - ", std::process::id());
        assert_eq!(message(&record, "{}"), format!("{head}{{}}").into_bytes());
        let length = head.len() + 2;
        assert_eq!(frame(&record, "{}"), format!("{length} {head}{{}}").into_bytes());
        assert_eq!(
            message(&json!({}), "{}"),
            format!("<110>1 - - tidewaiter {} other - {{}}", std::process::id()).into_bytes()
        );
    }

    #[test]
    fn what_is_too_long_loses_its_body_and_if_it_must_all_but_its_place() {
        let long = "x".repeat(MOST);
        let record =
            json!({"v": 1, "seq": 7, "id": "x", "kind": "call", "hash": "ab", "body": {"a": long}, "door": "local"});
        let short = json!({"v": 1, "seq": 7, "id": "x", "kind": "call", "hash": "ab", "body": {"omitted": MOST + 8}, "door": "local"});
        assert_eq!(shortened(record.to_string().as_bytes(), &record), short);
        let record = json!({"v": 1, "seq": 7, "id": "x", "kind": "call", "hash": "ab", "door": long});
        let stub = json!({"v": 1, "seq": 7, "id": "x", "kind": "call", "hash": "ab", "omitted": 9});
        assert_eq!(shortened(b"123456789", &record), stub);
    }
}
