//! What a record says, and that no secret is in it.

use proptest::prelude::*;

use super::*;
use crate::audit::record::Common;
use crate::audit::redact::Redactor;
use crate::peer::{Certificate, TlsPeer};
use crate::policy::{Facts, Known, Policy, judge};
use crate::request::BodyPlan;

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
fn a_tls_peer_is_named_by_its_certificate() {
    let asked = asked(Operation::ContainerCreate);
    let call = Call::unread(&asked);
    let certificate = Certificate {
        subject: "CN=ann".into(),
        common_names: vec!["ann".into()],
        units: vec![],
        sans: vec!["spiffe://corp.example/ann".into()],
        spiffe: Some("spiffe://corp.example/ann".into()),
        issuer: "CN=CA".into(),
        serial: "0a".into(),
        sha256: "ab".into(),
        not_after: Timestamp::UNIX_EPOCH,
    };
    let peer = Peer::Tls(Box::new(TlsPeer { address: ([192, 0, 2, 7], 4000).into(), certificate }));
    let verdict = verdict(Action::Deny);
    let line = Common::render(&facts(&call, &peer, &verdict), Level::Metadata, "h", &redactor()).intent();
    let expected = concat!(
        r#""peer":{"kind":"tls","address":"192.0.2.7:4000","subject":"CN=ann","common_names":["ann"],"units":[],"sans":["spiffe://corp.example/ann"],"#,
        r#""spiffe":"spiffe://corp.example/ann","issuer":"CN=CA","serial":"0a","sha256":"ab","#,
        r#""not_after":"1970-01-01T00:00:00Z"}"#
    );
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains(expected), "{line}");
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

/// The line of a call with a body, at the level that tells most.
fn line_of(method: &Method, target: &str, body: &str) -> String {
    let (uri, headers) = (target.parse().unwrap(), HeaderMap::new());
    let asked = crate::request::read(&Head { method, uri: &uri, version: Version::HTTP_11, headers: &headers });
    let is_read = asked.body == BodyPlan::Judge;
    let call = if is_read { Call::decode(&asked, body.as_bytes()) } else { Call::unread(&asked) };
    let policy = Policy::builtin(Mode::Enforce);
    let peer = peer();
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let verdict = judge(&policy, &peer, &call, &Facts { now, protected: &[], known: Known::NOTHING });
    let mut facts = facts(&call, &peer, &verdict);
    facts.body = is_read.then_some(body.as_bytes());
    String::from_utf8(Common::render(&facts, Level::Request, "h", &redactor()).intent()).unwrap()
}

#[test]
fn what_a_swarm_keeps_secret_is_in_no_record() {
    let service = r#"{"Name":"s","Labels":{"l":"s3cr3t"},"TaskTemplate":{"ContainerSpec":{"Image":"busybox:1.0",
        "Env":["A=s3cr3t"],"Labels":{"l":"s3cr3t"},"Args":["--password","s3cr3t"],"Healthcheck":{"Test":["CMD","s3cr3t"]},
        "Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"type":"cifs","o":"password=s3cr3t"}}}}],
        "Privileges":{"CredentialSpec":{"Config":"s3cr3t"},"Seccomp":{"Mode":"custom","Profile":"s3cr3t"}}},
        "PluginSpec":{"Remote":"p","Env":["A=s3cr3t"]},"LogDriver":{"Name":"splunk","Options":{"splunk-token":"s3cr3t"}},
        "Networks":[{"Target":"n","DriverOpts":{"key":"s3cr3t"}}]}}"#;
    for (target, body) in [
        ("/v1.41/services/create", service),
        ("/v1.41/services/s/update?version=1", service),
        ("/v1.41/secrets/create", r#"{"Name":"n","Data":"s3cr3t"}"#),
        ("/v1.41/secrets/n/update?version=1", r#"{"Name":"n","Data":"s3cr3t"}"#),
        ("/v1.41/configs/create", r#"{"Name":"n","Data":"s3cr3t"}"#),
        ("/v1.41/swarm/join", r#"{"RemoteAddrs":["h:2377"],"JoinToken":"SWMTKN-1-s3cr3t"}"#),
        ("/v1.41/swarm/unlock", r#"{"UnlockKey":"SWMKEY-1-s3cr3t"}"#),
        ("/v1.41/auth", r#"{"username":"u","password":"s3cr3t"}"#),
        ("/v1.41/plugins/pull?remote=p", r#"[{"Name":"network","Value":["s3cr3t"]}]"#),
        ("/v1.41/swarm/update?version=1&joinToken=s3cr3t", "{}"),
    ] {
        let line = line_of(&Method::POST, target, body);
        assert!(!line.contains("s3cr3t"), "{target}: {line}");
    }
}

#[test]
fn a_services_record_tells_its_image_and_its_mounts() {
    let body = r#"{"TaskTemplate":{"ContainerSpec":{"Image":"busybox:1.0","User":"7","CapabilityAdd":["NET_ADMIN"],
        "Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}]}}}"#;
    let line = line_of(&Method::POST, "/v1.41/services/create", body);
    let value: serde_json::Value = serde_json::from_str(&format!("{{{line}}}")).unwrap();
    assert_eq!(value["image"]["asked"], "busybox:1.0", "{line}");
    let runtime = &value["runtime"];
    assert_eq!((&runtime["capabilities"][0], &runtime["user"]), (&"NET_ADMIN".into(), &"7".into()), "{line}");
    assert_eq!(runtime["mounts"][0]["source"], "/etc", "{line}");
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
