//! Syslog messages (RFC 5424), and their frames on a stream (RFC 6587, octet counting).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::formats::text;
use super::{Kind, Severity};

/// Facility "log audit".
const FACILITY: u8 = 13;

/// Longest message in a datagram: what the kernel lets through by default is a little more than 200 KiB.
pub(super) const DATAGRAM: usize = 128 << 10;

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

/// One message that fits a datagram; of a longer one it says which it is, and how long.
pub(super) fn datagram(record: &Value, event: &str) -> Vec<u8> {
    let message = message(record, event);
    if message.len() <= DATAGRAM {
        return message;
    }
    let member = |key: &str| record.get(key).filter(|value| value.to_string().len() <= 64);
    let stub = json!({
        "v": member("v"), "seq": member("seq"), "id": member("id"), "kind": member("kind"), "hash": text(record, "/hash"),
        "omitted_bytes": event.len(),
    });
    self::message(record, &stub.to_string())
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
    fn what_does_not_fit_a_datagram_is_told_by_its_id() {
        let record = json!({"v": 1, "seq": 7, "id": "x", "kind": "call", "hash": "ab"});
        let long = "x".repeat(DATAGRAM);
        let message = String::from_utf8(datagram(&record, &long)).unwrap();
        let stub: Value =
            serde_json::from_str(message.split_once(" - {").map(|(_, rest)| format!("{{{rest}")).unwrap().as_str())
                .unwrap();
        assert_eq!(stub, json!({"v": 1, "seq": 7, "id": "x", "kind": "call", "hash": "ab", "omitted_bytes": DATAGRAM}));
    }
}
