//! Tables: what stays, and what becomes a tag.

use super::*;

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
