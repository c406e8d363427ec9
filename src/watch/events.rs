//! The engine's events, from where the last look ended, over restarts of the engine.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::container::later;
use super::fact::Happened;
use crate::engine::Inspect;

/// Events of one moment may come in another order than their times say: each connection begins this much earlier.
pub(super) const OVERLAP: SignedDuration = SignedDuration::from_secs(-5);
/// Pauses between tries to reach the engine.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// Longest name, id, image or command that is taken over.
const TEXT: usize = 4096;

/// What is heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The engine answers; events follow, the first of them perhaps for the second time.
    Connected,
    /// An event.
    Event(Event),
}

/// One event of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Full id of the container.
    pub(super) container: String,
    /// When, by the engine's clock.
    pub(super) at: Timestamp,
    /// What.
    pub(super) what: Happened,
}

#[derive(Debug, Deserialize)]
struct Wire {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
    #[serde(rename = "timeNano", default)]
    time_nano: i64,
}

#[derive(Debug, Default, Deserialize)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: HashMap<String, String>,
}

/// Listens for ever, from a moment on.
pub(super) async fn listen(inspect: Inspect, mut since: Timestamp, to: mpsc::Sender<Heard>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match inspect.lines(&path(later(since, OVERLAP))).await {
            Ok(mut lines) => {
                if to.send(Heard::Connected).await.is_err() {
                    return;
                }
                while let Some(line) = lines.next().await {
                    pause = FIRST_PAUSE;
                    let Some(event) = read(&line) else { continue };
                    since = since.max(event.at);
                    if to.send(Heard::Event(event)).await.is_err() {
                        return;
                    }
                }
                tracing::info!("the engine's events have ended; asking again");
            }
            Err(error) => tracing::debug!(%error, "the engine's events cannot be read"),
        }
        sleep(pause).await;
        pause = LAST_PAUSE.min(pause * 2);
    }
}

fn path(since: Timestamp) -> String {
    let (seconds, nanoseconds) = (since.as_second().max(0), since.subsec_nanosecond().max(0));
    let filters = "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D";
    format!("/events?since={seconds}.{nanoseconds:09}&filters={filters}")
}

/// Reads one line; `None` if it is of nothing that matters here.
pub(super) fn read(line: &[u8]) -> Option<Event> {
    let Wire { kind, action, actor: Actor { id, mut attributes }, time_nano } = serde_json::from_slice(line).ok()?;
    let at = Timestamp::from_nanosecond(i128::from(time_nano)).ok().filter(|at| *at > Timestamp::UNIX_EPOCH)?;
    let mut text = |key: &str| short(attributes.remove(key).unwrap_or_default());
    if kind == "network" {
        let (container, network) = (text("container"), text("name"));
        let is_connect = action == "connect" && is_id(&container);
        return is_connect.then_some(Event { container, at, what: Happened::Connected { network } });
    }
    if kind != "container" || !is_id(&id) {
        return None;
    }
    // The action of an exec carries its command: `exec_create: sh -c …`.
    let (verb, rest) = action.split_once(": ").unwrap_or((&action, ""));
    let what = match verb {
        "create" => Happened::Created { image: text("image"), name: text("name") },
        "start" => Happened::Started,
        "die" | "died" => Happened::Died { code: text("exitCode").parse().ok() },
        "oom" => Happened::OutOfMemory,
        "destroy" | "remove" => Happened::Destroyed,
        "rename" => Happened::Renamed { name: text("name") },
        "exec_create" => Happened::ExecCreated { exec: text("execID"), command: short(rest.to_owned()) },
        "exec_start" => Happened::ExecStarted { exec: text("execID") },
        _other => return None,
    };
    Some(Event { container: id, at, what })
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn short(mut text: String) -> String {
    let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, action: &str, attributes: serde_json::Value) -> Option<Event> {
        let id = "a".repeat(64);
        let line = json!({
            "Type": kind, "Action": action, "timeNano": 1_764_000_000_123_456_789_i64,
            "Actor": {"ID": id, "Attributes": attributes},
        });
        read(line.to_string().as_bytes())
    }

    #[test]
    fn what_the_engine_says_is_read() {
        let network = event("network", "connect", json!({"container": "b".repeat(64), "name": "bridge"})).unwrap();
        assert_eq!((network.container, network.at.as_nanosecond()), ("b".repeat(64), 1_764_000_000_123_456_789));
        let table = [
            ("start", json!({}), Some(Happened::Started)),
            ("die", json!({"exitCode": "137"}), Some(Happened::Died { code: Some(137) })),
            ("die", json!({"exitCode": "x"}), Some(Happened::Died { code: None })),
            (
                "create",
                json!({"image": "i", "name": "n"}),
                Some(Happened::Created { image: "i".into(), name: "n".into() }),
            ),
            (
                "exec_create: sh -c echo: a",
                json!({"execID": "e"}),
                Some(Happened::ExecCreated { exec: "e".into(), command: "sh -c echo: a".into() }),
            ),
            ("exec_die", json!({"execID": "e"}), None),
            ("attach", json!({}), None),
        ];
        for (action, attributes, wanted) in table {
            assert_eq!(event("container", action, attributes).map(|event| event.what), wanted, "{action}");
        }
    }

    #[test]
    fn what_is_no_event_of_a_container_is_passed_over() {
        for line in
            ["", "null", "{}", "[]", r#"{"Type":"container","Action":"start","Actor":{"ID":"short"},"timeNano":1}"#]
        {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
        assert_eq!(event("network", "connect", json!({"container": "web"})), None);
        assert_eq!(event("image", "start", json!({})), None);
    }

    #[test]
    fn a_long_text_ends_at_a_letter() {
        assert_eq!(short("é".repeat(TEXT)).len(), TEXT);
        assert_eq!(short(format!("a{}", "é".repeat(TEXT))).len(), TEXT - 1);
    }
}
