//! A record as one line for a terminal. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";

/// Renders a finished call that matters (an effect, a refusal, a finding worth a warning), a finding of the watch that opens, or an admin's word. `None` for every other record.
///
/// Whatever a client chose (names, paths, images) is shown with its control characters escaped: a container's name must not
/// move the operator's cursor.
pub fn line(record: &Value, colour: bool) -> Option<String> {
    line_in(record, &TimeZone::system(), colour)
}

fn line_in(record: &Value, zone: &TimeZone, colour: bool) -> Option<String> {
    if text(record, "/kind") == Some("approval") {
        return Some(decision(record, zone, colour));
    }
    if text(record, "/kind") == Some("finding") {
        // Updates are for those who look closer.
        return (text(record, "/event") == Some("open")).then(|| opened(record, zone, colour));
    }
    if text(record, "/kind") != Some("call") || text(record, "/stage") != Some("outcome") || !matters(record) {
        return None;
    }
    let paint = |code: &str, text: &str| painted(colour, code, text);
    let action = match text(record, "/verdict/action") {
        Some("deny") if text(record, "/approval/state") == Some("asked") => paint(YELLOW, "ask    "),
        Some("allow") => paint(GREEN, "allow  "),
        Some("observe") => paint(YELLOW, "observe"),
        Some("deny") => paint(RED, "deny   "),
        Some(_) | None => paint(RED, "unknown"),
    };
    let mut line = format!(
        "{} {action} {} {}",
        paint(DIM, &clock(record, zone)),
        shown(text(record, "/principal/name").unwrap_or("-")),
        shown(text(record, "/request/operation").unwrap_or("-")),
    );
    if let Some(subject) = subject(record) {
        push(&mut line, &subject);
    }
    for finding in findings(record) {
        let code = if text(finding, "/reaction") == Some("deny") { RED } else { YELLOW };
        push(&mut line, &paint(code, &described(finding)));
    }
    if let Some(id) = text(record, "/approval/id") {
        let state = text(record, "/approval/state").unwrap_or("-");
        push(&mut line, &paint(YELLOW, &format!("approval {} {}", shown(id), shown(state))));
    }
    if let Some(status) = record.pointer("/outcome/status").and_then(Value::as_u64) {
        push(&mut line, &status.to_string());
    }
    match text(record, "/outcome/ended") {
        Some("complete" | "refused") | None => {}
        Some(ended) => push(&mut line, &paint(YELLOW, &shown(ended))),
    }
    if let Some(id) = text(record, "/id") {
        // The end of a version 7 UUID is its random part; the start is the time, the same for calls of one moment.
        let skipped = id.chars().count().saturating_sub(12);
        push(&mut line, &paint(DIM, &format!("…{}", shown(&id.chars().skip(skipped).collect::<String>()))));
    }
    Some(line)
}

/// A finding that opens.
fn opened(record: &Value, zone: &TimeZone, colour: bool) -> String {
    let at = |pointer: &str| shown(text(record, pointer).unwrap_or("-"));
    let severity = at("/severity");
    let code = if matches!(severity.as_str(), "high" | "critical") { RED } else { YELLOW };
    let time = painted(colour, DIM, &clock(record, zone));
    let mut line = format!("{time} {} {}", painted(colour, code, "finding"), at("/check"));
    push(&mut line, &painted(colour, code, &severity));
    push(&mut line, &at("/title"));
    for reason in record.get("reasons").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        push(&mut line, &described(reason));
    }
    line
}

/// An admin's word.
fn decision(record: &Value, zone: &TimeZone, colour: bool) -> String {
    let word = match text(record, "/event") {
        Some("approve") => painted(colour, GREEN, "approve"),
        Some("reject") => painted(colour, RED, "reject "),
        Some(_) | None => painted(colour, RED, "refused"),
    };
    let at = |pointer: &str| shown(text(record, pointer).unwrap_or("-"));
    let time = painted(colour, DIM, &clock(record, zone));
    let mut line = format!("{time} {word} {} approval {}", at("/by/user"), at("/approval/id"));
    push(&mut line, &format!("{}: {}", at("/approval/principal"), at("/approval/summary")));
    if let Some(why) = text(record, "/why") {
        push(&mut line, &shown(why));
    }
    line
}

fn painted(colour: bool, code: &str, text: &str) -> String {
    match colour {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

fn matters(record: &Value) -> bool {
    match text(record, "/request/class") {
        // What only reads is worth a line when something stands against it.
        Some("read") => text(record, "/verdict/action") != Some("allow") || findings(record).next().is_some(),
        Some(_) | None => true,
    }
}

/// Findings that the operator should see.
fn findings(record: &Value) -> impl Iterator<Item = &Value> {
    let all = record.pointer("/verdict/findings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    all.iter().filter(|finding| matches!(text(finding, "/reaction"), Some("warn" | "approve" | "deny")))
}

fn described(finding: &Value) -> String {
    let mut out = shown(text(finding, "/check").unwrap_or("-"));
    if let Some(detail) = text(finding, "/detail").filter(|detail| !detail.is_empty()) {
        let _infallible = write!(out, ": {}", shown(detail));
    }
    if let Some(field) = text(finding, "/field").filter(|field| !field.is_empty()) {
        let _infallible = write!(out, " ({})", shown(field));
    }
    out
}

/// What the call was about: an image, a container, or else its target.
fn subject(record: &Value) -> Option<String> {
    ["/image/reference", "/container/name", "/container/id", "/request/target"]
        .into_iter()
        .find_map(|pointer| text(record, pointer).filter(|text| !text.is_empty()))
        .map(shown)
}

fn clock(record: &Value, zone: &TimeZone) -> String {
    match text(record, "/time").and_then(|time| time.parse::<Timestamp>().ok()) {
        Some(time) => time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string(),
        None => "--:--:--".to_owned(),
    }
}

fn push(line: &mut String, part: &str) {
    line.push_str("  ");
    line.push_str(part);
}

fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}

/// A text without anything that a terminal would act on, or that turns the direction of writing: that is shown escaped.
pub fn shown(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match hidden(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;

    fn record(class: &str, action: &str, findings: Value) -> Value {
        json!({
            "v": 1, "id": "0192f3aa-0000-7000-8000-0123456789ab", "time": "2026-11-24T02:31:07.123456789Z",
            "kind": "call", "stage": "outcome",
            "principal": {"name": "gitlab-runner"},
            "request": {"operation": "ContainerCreate", "class": class, "target": "/v1.41/containers/create"},
            "image": {"reference": "docker.io/library/alpine:latest"},
            "verdict": {"action": action, "findings": findings},
            "outcome": {"status": 403, "ended": "refused"},
        })
    }

    fn finding(reaction: &str) -> Value {
        json!([{"check": "privileged", "field": "HostConfig.Privileged", "detail": "true", "reaction": reaction}])
    }

    #[test]
    fn a_refusal_says_who_what_and_why() {
        let line = line_in(&record("containers", "deny", finding("deny")), &TimeZone::UTC, false);
        let wanted = "02:31:07 deny    gitlab-runner ContainerCreate  docker.io/library/alpine:latest  \
                      privileged: true (HostConfig.Privileged)  403  …0123456789ab";
        assert_eq!(line.as_deref(), Some(wanted));
    }

    #[test]
    fn what_asks_for_approval_and_an_admins_word_are_shown() {
        let mut asked = record("containers", "deny", finding("approve"));
        asked["approval"] = json!({"id": "7f3k", "state": "asked"});
        let wanted = "02:31:07 ask     gitlab-runner ContainerCreate  docker.io/library/alpine:latest  \
                      privileged: true (HostConfig.Privileged)  approval 7f3k asked  403  …0123456789ab";
        assert_eq!(line_in(&asked, &TimeZone::UTC, false).as_deref(), Some(wanted));
        let word = json!({
            "time": "2026-11-24T02:31:07Z", "kind": "approval", "event": "approve", "by": {"uid": 0, "user": "root"},
            "approval": {"id": "7f3k", "principal": "ci", "summary": "ContainerCreate\u{1b}[2J"},
        });
        let wanted = "02:31:07 approve root approval 7f3k  ci: ContainerCreate\\u{1b}[2J";
        assert_eq!(line_in(&word, &TimeZone::UTC, false).as_deref(), Some(wanted));
    }

    #[test]
    fn a_finding_is_shown_when_it_opens() {
        let mut finding = json!({
            "time": "2026-11-24T02:31:07Z", "kind": "finding", "event": "open", "check": "launch.an0693", "severity": "high",
            "title": "risky launch of web\u{1b}[2J", "reasons": [{"check": "privileged", "field": "HostConfig.Privileged",
            "detail": "true", "risk": 3}],
        });
        let wanted = "02:31:07 finding launch.an0693  high  risky launch of web\\u{1b}[2J  \
                      privileged: true (HostConfig.Privileged)";
        assert_eq!(line_in(&finding, &TimeZone::UTC, false).as_deref(), Some(wanted));
        finding["event"] = json!("update");
        assert_eq!(line_in(&finding, &TimeZone::UTC, false), None);
    }

    #[test]
    fn only_what_matters_is_shown() {
        let table = [
            ("read", "allow", json!([]), false),
            ("read", "allow", finding("allow"), false),
            ("read", "allow", finding("warn"), true),
            ("read", "deny", json!([]), true),
            ("read", "observe", json!([]), true),
            ("containers", "allow", json!([]), true),
        ];
        for (class, action, findings, wanted) in table {
            let record = record(class, action, findings);
            assert_eq!(line_in(&record, &TimeZone::UTC, false).is_some(), wanted, "{record}");
        }
        let mut intent = record("containers", "allow", json!([]));
        intent["stage"] = json!("intent");
        assert_eq!(line_in(&intent, &TimeZone::UTC, false), None);
    }

    #[test]
    fn anything_but_a_record_is_passed_over() {
        for value in [json!(null), json!([]), json!({}), json!({"kind": 1}), json!({"kind": "lifecycle"})] {
            assert_eq!(line(&value, true), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_client_cannot_reach_the_terminal(text in any::<String>()) {
            let mut record = record("containers", "deny", finding("deny"));
            record["image"]["reference"] = json!(text);
            record["verdict"]["findings"][0]["detail"] = json!(text);
            record["principal"]["name"] = json!(text);
            let line = line_in(&record, &TimeZone::UTC, false).unwrap();
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}
