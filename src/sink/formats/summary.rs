//! A record in one line, for the message of a log.

use serde_json::Value;

use super::Kind;
use super::reading::{reasons, text};

/// Says what a record is about.
pub(in crate::sink) fn summary(record: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut say = |part: Option<&str>| parts.extend(part.filter(|part| !part.is_empty()).map(str::to_owned));
    match Kind::of(record) {
        kind @ (Kind::Intent | Kind::Call) => {
            say((kind == Kind::Intent).then_some("asked:"));
            say(text(record, "/verdict/action"));
            say(text(record, "/principal/name"));
            say(text(record, "/request/operation"));
            let subjects = ["/image/reference", "/container/name", "/container/id", "/request/target"];
            say(subjects.iter().find_map(|pointer| text(record, pointer)));
            say(reasons(record, "/verdict/findings").map(|reasons| format!("[{reasons}]")).as_deref());
            say(text(record, "/outcome/ended").filter(|ended| *ended != "complete"));
        }
        Kind::Approval => {
            for pointer in ["/by/user", "/event", "/approval/id", "/approval/summary", "/why"] {
                say(text(record, pointer));
            }
        }
        Kind::Finding => {
            for pointer in ["/event", "/check", "/title", "/container/name"] {
                say(text(record, pointer));
            }
        }
        Kind::Launch | Kind::Exec | Kind::Lifecycle | Kind::Other => {
            let pointers =
                ["/kind", "/event", "/container/name", "/image/reference", "/door", "/sink", "/reason", "/error"];
            for pointer in pointers {
                say(text(record, pointer));
            }
        }
    }
    parts.join(" ")
}
