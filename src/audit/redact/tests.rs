//! Tables: what stays, and what becomes a tag.

use proptest::prelude::*;

use super::*;
use crate::request::decode::{Document, Limits};

fn redactor() -> Redactor {
    Redactor::new(&[9; 32])
}

/// Tags as `<…>` with what they hide, so that a table can be read.
fn shown(text: &str, secrets: &[&str]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| {
        text.replace(&redactor().tag(secret.as_bytes()).to_string(), &format!("<{secret}>"))
    })
}

#[test]
fn a_tag_is_a_truncated_hmac() {
    // printf %s x | openssl dgst -sha256 -mac HMAC -macopt hexkey:0909…
    let mac = Hmac::<Sha256>::new_from_slice(&[9; 32]).unwrap().chain_update(b"x").finalize().into_bytes();
    let hex: String = mac.iter().take(16).map(|b| format!("{b:02x}")).collect();
    assert_eq!(redactor().tag(b"x").to_string(), format!("hmac:{hex}"));
    assert_ne!(Redactor::new(&[8; 32]).tag(b"x"), redactor().tag(b"x"));
}

#[test]
fn command_lines() {
    let table: &[(&[&str], &[&str])] = &[
        (
            &["docker", "run", "-p", "8080:80", "-v", "/a:/b", "alpine"],
            &["docker", "run", "-p", "8080:80", "-v", "/a:/b", "alpine"],
        ),
        (
            &["docker", "run", "-e", "A=S1", "--env=B=S1", "-eC=S1", "img"],
            &["docker", "run", "-e", "A=<S1>", "--env=B=<S1>", "-eC=<S1>", "img"],
        ),
        (&["docker", "run", "-e", "HOME"], &["docker", "run", "-e", "HOME"]),
        (&["x", "--password", "S1", "next"], &["x", "--password", "<S1>", "next"]),
        (&["x", "--token=S1", "key=S2"], &["x", "--token=<S1>", "key=<S2>"]),
        (&["mysql", "-pS1", "-uroot"], &["mysql", "-p<S1>", "-uroot"]),
        (&["curl", "-u", "me:S1", "https://a:S2@h/p"], &["curl", "-u", "me:<S1>", "https://<a:S2>@h/p"]),
        (&["docker", "run", "-u", "1000:1000"], &["docker", "run", "-u", "1000:1000"]),
        (&["curl", "-H", "X-Api-Key: S1"], &["curl", "-H", "X-Api-Key: <S1>"]),
        (&["sh", "-c", "mysql -pS1 && echo done"], &["sh", "-c", "mysql -p<S1> && echo done"]),
        (&["sh", "-c", "PGPASSWORD=S1 psql"], &["sh", "-c", "PGPASSWORD=<S1> psql"]),
        (&["sh", "-c", "x --password 'S1 S2' y"], &["sh", "-c", "x --password '<S1 S2>' y"]),
        (&["sh", "-c", "sh -c \"x --secret S1\""], &["sh", "-c", "sh -c \"x --secret <S1>\""]),
        (&["find", "/", "-print0"], &["find", "/", "-print0"]),
        (&["psql", "postgres://u:S1@db/x?password=S2"], &["psql", "postgres://<u:S1>@db/x?password=<S2>"]),
        (&["mvn", "-Dpassword=S1"], &["mvn", "-Dpassword=<S1>"]),
        (&["registry:5000/app:1@sha256:00"], &["registry:5000/app:1@sha256:00"]),
    ];
    for (given, expected) in table {
        let redactor = redactor();
        let mut argv = Argv::new(&redactor);
        let got: Vec<_> = given.iter().map(|a| shown(&argv.arg(a), &["S1", "S2", "S1 S2", "a:S2", "u:S1"])).collect();
        assert_eq!(&got, expected);
    }
}

#[test]
fn targets() {
    let table = [
        ("/v1.41/containers/create?name=web", "/v1.41/containers/create?name=web"),
        ("/build?t=a%2Fb&buildargs=S1&nocache=1", "/build?t=a%2Fb&buildargs=<S1>&nocache=1"),
        ("/build?remote=https://u:S1@h/x", "/build?remote=https://<u:S1>@h/x"),
        ("/build?remote=https%3A%2F%2Fu%3AS1%40h", "/build?remote=https://<u:S1>@h"),
        ("/x?%62uildargs=S1;authToken=S2", "/x?%62uildargs=<S1>;authToken=<S2>"),
        ("/x?name=", "/x?name="),
        ("/containers/json?filters=%7B%22status%22%3A1%7D", "/containers/json?filters=%7B%22status%22%3A1%7D"),
    ];
    for (given, expected) in table {
        assert_eq!(shown(&redactor().target(given), &["S1", "S2", "u:S1"]), expected);
    }
}

fn body(json: &str) -> (String, bool) {
    let document = document(json);
    let mut out = Vec::new();
    let redactor = redactor();
    let tagged = Redacted::new(&redactor).write(&mut out, document.root());
    (String::from_utf8(out).unwrap(), tagged)
}

fn document(json: &str) -> Document<'_> {
    Document::read(json.as_bytes(), Limits::default()).unwrap()
}

#[test]
fn bodies() {
    let table = [
        (
            r#"{"HostConfig":{"Binds":["/:/h:ro"],"Memory":1},"Image":"alpine","Tty":true}"#,
            r#"{"HostConfig":{"Binds":["/:/h:ro"],"Memory":1},"Image":"alpine","Tty":true}"#,
            false,
        ),
        (r#"{"Env":["A=S1","B=S1","C"]}"#, r#"{"Env":["A=<S1>","B=<S1>","C"]}"#, true),
        (r#"{"eNV":["A=S1"]}"#, r#"{"eNV":["A=<S1>"]}"#, true),
        (r#"{"Labels":{"a":"S1"}}"#, r#"{"Labels":{"a":"<S1>"}}"#, true),
        (r#"{"Cmd":["x","--password","S1"]}"#, r#"{"Cmd":["x","--password","<S1>"]}"#, true),
        (r#"{"Entrypoint":"x --password S1"}"#, r#"{"Entrypoint":"x --password <S1>"}"#, true),
        (
            r#"{"HostConfig":{"LogConfig":{"Config":{"t":"S1"},"Type":"splunk"}}}"#,
            r#"{"HostConfig":{"LogConfig":{"Config":{"t":"<S1>"},"Type":"splunk"}}}"#,
            true,
        ),
        (r#"{"Healthcheck":{"Retries":3,"Test":["S1"]}}"#, r#"{"Healthcheck":{"Retries":3,"Test":["<S1>"]}}"#, true),
        (r#"{"Image":{"a":"S1"},"Tty":"S1"}"#, r#"{"Image":"<{"a":"S1"}>","Tty":"S1"}"#, true),
        (
            r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["web"],"DriverOpts":{"o":"S1"}}}}}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["web"],"DriverOpts":{"o":"<S1>"}}}}}"#,
            true,
        ),
        (
            r#"{"TaskTemplate":{"ContainerSpec":{"Env":["A=S1"],"Args":["--token","S2"],"Dir":"/d"},"LogDriver":{"Name":"splunk","Options":{"t":"S1"}}}}"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Env":["A=<S1>"],"Args":["--token","<S2>"],"Dir":"/d"},"LogDriver":{"Name":"splunk","Options":{"t":"<S1>"}}}}"#,
            true,
        ),
        (
            r#"{"TaskTemplate":{"ContainerSpec":{"Secrets":[{"File":{"Mode":292,"Name":"n"},"SecretName":"db"}],"Privileges":{"Seccomp":{"Mode":"custom","Profile":"S1"}}}}}"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Secrets":[{"File":{"Mode":292,"Name":"n"},"SecretName":"db"}],"Privileges":{"Seccomp":{"Mode":"custom","Profile":"<S1>"}}}}}"#,
            true,
        ),
        (
            r#"{"Networks":[{"DriverOpts":{"o":"S1"},"Target":"n"}],"EndpointSpec":{"Ports":[{"PublishedPort":80}]}}"#,
            r#"{"Networks":[{"DriverOpts":{"o":"<S1>"},"Target":"n"}],"EndpointSpec":{"Ports":[{"PublishedPort":80}]}}"#,
            true,
        ),
        (r#"{"NewField":"S1"}"#, r#"{"NewField":"<S1>"}"#, true),
        (r#"{"Data":"S2","Password":"S1"}"#, r#"{"Data":"<S2>","Password":"<S1>"}"#, true),
    ];
    for (given, expected, tagged) in table {
        let (got, any) = body(given);
        let got = shown(&got, &["S1", "S2", r#"{"a":"S1"}"#]).replace("\"<S1>\"", "<S1>");
        assert_eq!((got.replace('"', ""), any), (expected.replace('"', ""), tagged), "{given}");
    }
}

proptest! {
    #[test]
    fn a_redacted_body_is_json_without_the_secret(key in "[ -~]{0,12}", deep in 0usize..24) {
        let name = serde_json::Value::from(key.clone()).to_string();
        let mut json = format!("{{{name}:\"s3cr3tMARK\",\"Env\":[\"A=s3cr3tMARK\"]}}");
        for _ in 0..deep {
            json = format!("{{\"HostConfig\":{json}}}");
        }

        let (out, tagged) = body(&json);
        prop_assert!(tagged);
        prop_assert!(!out.contains("s3cr3tMARK"), "{}", out);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
    }
}
