//! What a record says, and that no secret is in it.

use proptest::prelude::*;

use super::*;
use crate::audit::record::Common;
use crate::audit::redact::Redactor;

fn redactor() -> Redactor {
    Redactor::new(&[5; 32])
}

#[test]
fn a_record_has_the_documented_fields_in_the_documented_order() {
    let asked = asked(Operation::ContainerCreate);
    let call = Call::unread(&asked);
    let (peer, verdict) = (peer(), verdict(Action::Deny));
    let common = Common::render(&facts(&call, &peer, &verdict), Level::Metadata, "build-7", &redactor());
    let line = common.outcome(Ended::Refused, &Outcome { status: Some(403), ..Outcome::default() });
    let line = format!("{{{}}}", String::from_utf8(line).unwrap());
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["time"], "2026-09-21T14:13:20.000000000Z");
    assert_eq!(value["policy"], serde_json::json!({"generation":3,"sha256":"00","mode":"enforce"}));
    assert_eq!(value["peer"]["groups"], serde_json::json!(["docker"]));
    assert_eq!(value["peer"]["container"], serde_json::Value::Null);
    assert_eq!(value["outcome"]["ended"], "refused");
    assert!(!line.contains("hunter2"));
    let order = [
        "\"id\":",
        "\"time\":",
        "\"host\":",
        "\"kind\":\"call\"",
        "\"stage\":\"outcome\"",
        "\"policy\":",
        "\"door\":",
        "\"peer\":",
        "\"principal\":",
        "\"request\":",
        "\"verdict\":",
        "\"outcome\":",
    ];
    let places: Vec<_> = order.iter().map(|key| line.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn an_unknown_peer_is_null_and_never_root() {
    let asked = asked(Operation::ContainerCreate);
    let call = Call::unread(&asked);
    let (peer, verdict) = (Peer::Unix(Box::default()), verdict(Action::Deny));
    let line = Common::render(&facts(&call, &peer, &verdict), Level::Metadata, "h", &redactor()).intent();
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains(r#""peer":{"kind":"unix","uid":null,"gid":null,"pid":null,"groups":[],"container":null}"#));
}

#[test]
fn a_target_of_any_length_is_bounded() {
    let mut asked = asked(Operation::ContainerCreate);
    asked.target = format!("/{}", "x".repeat(1 << 20));
    let call = Call::unread(&asked);
    let (peer, verdict) = (peer(), verdict(Action::Deny));
    let line = Common::render(&facts(&call, &peer, &verdict), Level::Metadata, "h", &redactor()).intent();
    assert!(line.len() < 8192);
}

proptest! {
    /// Wherever a client can put a secret that is known to be one, the line does not have it.
    #[test]
    fn no_marked_secret_is_in_the_line(tail in "[!-~ é]{0,12}", place in 0usize..9) {
        let secret = format!("s3cr3tMARK{tail}");
        let plain = "s3cr3tMARK";
        let mut asked = asked(Operation::ContainerCreate);
        let word = secret.replace([' ', '"', '\'', '@', '/', '?', '#', '&', ';', ','], "_");
        let cmdline: Vec<String> = match place {
            0 => vec!["docker".into(), "-e".into(), format!("A={secret}")],
            1 => vec!["x".into(), "--password".into(), secret.clone()],
            2 => vec![format!("--api-token={secret}")],
            3 => vec!["sh".into(), "-c".into(), format!("mysql -p{word} -h db")],
            4 => vec![format!("https://me:{word}@host/path")],
            5 => vec!["curl".into(), "-H".into(), format!("Authorization: Bearer {secret}")],
            6 => vec!["sh".into(), "-c".into(), format!("DB_PASSWORD='{}' run", word)],
            7 => { asked.target = format!("/build?buildargs={word}&t=x"); vec![] }
            _ => { asked.target = format!("/build?remote=https%3A%2F%2Fu%3A{word}%40h%2Fx.git"); vec![] }
        };
        let call = Call::unread(&asked);
        let verdict = verdict(Action::Deny);
        let peer = Peer::Unix(Box::new(UnixPeer { cmdline: Some(cmdline), ..UnixPeer::default() }));
        let facts = facts(&call, &peer, &verdict);
        let line = Common::render(&facts, Level::Request, "h", &redactor()).intent();
        let line = String::from_utf8(line).unwrap();
        prop_assert!(!line.contains(plain), "{}", line);
    }
}
