//! What a client or the engine can tell on the wire: each request goes to the engine directly and through a gate in monitor
//! mode, and the answers must be equal in status, reason, headers and body.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};
use super::support::raw::{Answer, Wire};

/// Runs the same exchange directly and through the gate, each on a connection of its own.
fn both<T>(exchange: impl Fn(&mut Wire) -> T) -> (T, T) {
    let engine = Engine::shared();
    let gate = Gate::monitor(engine.socket());
    (exchange(&mut Wire::open(engine.socket())), exchange(&mut Wire::open(&gate.socket())))
}

/// As [`both`], and the two must be equal.
fn same(exchange: impl Fn(&mut Wire) -> Option<Answer>) -> Answer {
    let (direct, through) = both(|wire| exchange(wire).map(Answer::comparable));
    assert_eq!(direct, through);
    direct.expect("an answer")
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n")
}

fn post(target: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A running container on the shared engine, removed with the value.
struct Running {
    docker: Docker,
    name: String,
}

impl Running {
    fn new(command: &str) -> Self {
        let docker = Docker::at(Engine::shared().socket());
        let name = unique("wire");
        docker.ok(&["run", "-d", "-i", "--name", &name, "busybox:1.0", "sh", "-c", command]);
        Self { docker, name }
    }

    fn exec(&self, command: &str) -> String {
        let body = serde_json::json!({
            "AttachStdin": true, "AttachStdout": true, "Cmd": ["sh", "-c", command]
        });
        let request = post(&format!("/v1.41/containers/{}/exec", self.name), &body.to_string());
        let answer = Wire::open(Engine::shared().socket()).send(request).answer().unwrap();
        let made: Value = serde_json::from_slice(&answer.body).unwrap();
        made["Id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.docker.run(&["rm", "-fv", &self.name]);
    }
}

/// Whether a record has a finding of this check.
fn found(record: &Value, check: &str) -> bool {
    record["verdict"]["findings"].as_array().unwrap().iter().any(|finding| finding["check"] == check)
}

/// A container's output without the engine's frames (eight bytes each, the last four a length): how much of it the engine
/// puts into one depends on when the container writes.
fn unframed(mut stream: &[u8]) -> String {
    let mut output = Vec::new();
    while let Some((head, rest)) = stream.split_first_chunk::<8>() {
        let length = usize::try_from(u32::from_be_bytes([head[4], head[5], head[6], head[7]])).unwrap();
        output.extend_from_slice(&rest[..length]);
        stream = &rest[length..];
    }
    assert!(stream.is_empty(), "half a frame: {stream:?}");
    String::from_utf8(output).unwrap()
}

/// Descriptors that a process holds.
fn descriptors(gate: &Gate) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gate.pid())).unwrap().count()
}

// ---- heads and framing ----

#[test]
fn head_answers_have_their_lengths_and_no_body() {
    same(|wire| wire.send("HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n").head());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (direct, through) = both(|wire| {
        wire.send(get("/_ping") + &get("/v1.41/containers/none/json") + &get("/version"));
        [(); 3].map(|()| wire.answer().unwrap().comparable())
    });
    assert_eq!(direct, through);
}

#[test]
fn a_connection_outlives_refusals_and_errors() {
    let (direct, through) = both(|wire| {
        let first = wire.send(post("/v1.41/containers/create", "{")).answer().unwrap().comparable();
        [first, wire.send(get("/_ping")).answer().unwrap().comparable()]
    });
    assert_eq!(direct, through);
}

#[test]
fn raw_json_in_a_query_is_taken() {
    let answer = same(|wire| wire.send(get(r#"/v1.41/containers/json?filters={"status":["dead"]}"#)).answer());
    assert_eq!(answer.status(), 200);
}

#[test]
fn raw_json_in_a_query_is_taken_on_a_kept_connection_too() {
    let answer = same(|wire| {
        wire.send(get("/_ping")).answer()?;
        wire.send(get(r#"/v1.41/containers/json?filters={"status":["dead"]}"#)).answer()
    });
    assert_eq!(answer.status(), 200);
}

#[test]
fn a_head_of_a_mebibyte_is_taken_and_a_larger_one_is_refused() {
    let ping = |bytes: usize| format!("GET /_ping HTTP/1.1\r\nHost: docker\r\nX-Long: {}\r\n\r\n", "x".repeat(bytes));
    let (direct, through) = both(|wire| wire.send(ping(1_040_000)).answer().unwrap().status());
    assert_eq!((direct, through), (200, 200));
    let (direct, through) = both(|wire| wire.send(ping(1_200_000)).answer().unwrap().status());
    assert_eq!((direct, through), (431, 431));
}

#[test]
fn http_1_0_and_connection_close_end_the_connection() {
    for request in ["GET /version HTTP/1.0\r\n\r\n", "GET /version HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"] {
        let (direct, through) = both(|wire| {
            let answer = wire.send(request).answer().map(Answer::comparable);
            (answer, wire.rest())
        });
        assert_eq!(direct, through, "{request}");
    }
}

#[test]
fn a_judged_body_that_breaks_off_is_the_engines_to_answer() {
    // Closed though more was announced: engines up to 26 create it. Open, or a chunk without a size: none does.
    let [closed, open] = [r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#, r#"{"Image":"busybox:1.0""#];
    let head = "POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n";
    let requests = [
        format!("{head}Content-Length: {}\r\n\r\n{closed}", closed.len() + 9),
        format!("{head}Content-Length: {}\r\n\r\n{open}", open.len() + 9),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n16\r\n{open}\r\nno size\r\n"),
    ];
    for request in requests {
        let (direct, through) = both(|wire| {
            let answer = wire.send(&request).finish().answer().unwrap();
            if let Ok(made) = serde_json::from_slice::<Value>(&answer.body)
                && let Some(id) = made["Id"].as_str()
            {
                Docker::at(Engine::shared().socket()).ok(&["rm", id]);
            }
            answer.status()
        });
        assert_eq!(direct, through, "{request}");
    }
}

#[test]
fn what_closed_in_a_broken_body_is_judged_and_recorded() {
    let gate = Gate::monitor(Engine::shared().socket());
    let request = post("/v1.41/containers/create", r#"{"Image":"none:1","HostConfig":{"Privileged":true}} "#);
    assert_eq!(Wire::open(&gate.socket()).send(request.trim_end()).finish().answer().unwrap().status(), 404);
    let record = outcome(&gate);
    assert!(found(&record, "privileged") && found(&record, "request.malformed"), "{record}");
    assert_eq!(record["request"]["body_bytes"], 51);
}

#[test]
fn a_judged_body_that_stays_open_is_judged_and_forwarded_in_time() {
    let config = "[engine]\naddress = \"unix://{engine}\"\n[listen.local]\naddress = \"unix://{dir}/docker.sock\"\n\
                  [audit]\njournal = \"{dir}/journal.jsonl\"\n[state]\ndirectory = \"{dir}/state\"\n\
                  [limits]\nbody-timeout = \"1s\"\n";
    let options = Options { mode: Some("monitor"), config: Some(config), policy: None };
    let gate = Gate::start(Engine::shared().socket(), options);
    let request = post("/v1.41/containers/create", r#"{"Image":"none:1","HostConfig":{"Privileged":true}} "#);
    let mut client = Wire::open(&gate.socket());
    client.send(request.trim_end());
    let intent = eventually("an intent", || gate.records().into_iter().find(|record| record["stage"] == "intent"));
    assert!(found(&intent, "privileged") && found(&intent, "request.malformed"), "{intent}");
    assert_eq!(client.send(" ").answer().unwrap().status(), 404);
}

#[test]
fn an_empty_chunked_body_stays_chunked() {
    // Engines refuse a start with chunks, even with none.
    let head = "POST /v1.41/containers/none/start HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = same(|wire| wire.send(format!("{head}0\r\n\r\n")).answer());
    assert_eq!(answer.status(), 400);
}

#[test]
fn a_streamed_body_with_a_broken_chunk_is_the_engines_to_answer() {
    let head = "PUT /v1.41/containers/none/archive?path=/ HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n";
    same(|wire| wire.send(format!("{head}3\r\ntar\r\nno size\r\n")).answer());
}

#[test]
fn a_body_is_sent_only_when_the_engine_asks_for_it() {
    let request = "PUT /v1.41/containers/none/archive?path=/ HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\n\
                   Content-Type: application/x-tar\r\nContent-Length: 10240\r\n\r\n";
    let refused = same(|wire| wire.send(request).answer());
    assert_eq!(refused.status(), 404);

    let container = Running::new("cat");
    let request = request.replace("none", &container.name);
    let taken = same(|wire| {
        assert_eq!(wire.send(&request).head()?.status(), 100);
        wire.send(vec![0; 10240]).answer()
    });
    assert_eq!(taken.status(), 200);
}

#[test]
fn a_judged_body_may_expect_a_continue() {
    let body = r#"{"Image":"none:none"}"#;
    let head = post("/v1.41/containers/create", body).replace("Host", "Expect: 100-continue\r\nHost");
    let head = head.strip_suffix(body).unwrap();
    let answer = same(|wire| {
        assert_eq!(wire.send(head).head()?.status(), 100);
        wire.send(body).answer()
    });
    assert_eq!(answer.status(), 404);
}

#[test]
fn chunked_requests_and_their_trailers_pass() {
    let request = "POST /v1.41/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                   5\r\n{\"Ima\r\n16\r\nge\":\"none:none\", \"a\":1\r\n1\r\n}\r\n0\r\nX-Sum: 1\r\n\r\n";
    assert_eq!(same(|wire| wire.send(request).answer()).status(), 404);
}

// ---- the client's end of stream ----

#[test]
fn a_client_that_has_sent_all_keeps_its_answer() {
    for target in ["/version", "/_ping", "/v1.41/images/json", "/v1.41/containers/none/json"] {
        let (direct, through) = both(|wire| wire.send(get(target)).finish().answer().map(Answer::comparable));
        if target == "/version" {
            assert_eq!(direct.map(|answer| answer.status()), through.map(|answer| answer.status()));
        } else {
            assert_eq!(direct, through, "{target}");
        }
    }
}

#[test]
fn streams_end_when_the_client_has_sent_all() {
    let container = Running::new("echo said; cat");
    for target in [
        "/v1.41/events?since=0&until=9999999999&filters={%22image%22:[%22none%22]}".to_owned(),
        format!("/v1.41/containers/{}/logs?follow=1&stdout=1", container.name),
    ] {
        let (direct, through) = both(|wire| {
            let head = wire.send(get(&target)).head().unwrap().comparable();
            if target.contains("logs") {
                wire.until(b"said\n");
            }
            wire.finish();
            (head, String::from_utf8(wire.rest()).unwrap())
        });
        assert_eq!(direct, through, "{target}");
    }
    let wait = format!("/v1.41/containers/{}/wait", container.name);
    let (direct, through) = both(|wire| {
        let head = wire.send(post(&wait, "")).head().unwrap().comparable();
        wire.finish();
        (head, String::from_utf8(wire.rest()).unwrap())
    });
    assert_eq!(direct, through);
}

#[test]
fn a_vanished_client_frees_everything() {
    let container = Running::new("echo said; cat");
    let gate = Gate::monitor(Engine::shared().socket());
    Wire::open(&gate.socket()).send(get("/_ping")).answer();
    let before = descriptors(&gate);
    let logs = format!("/v1.41/containers/{}/logs?follow=1&stdout=1", container.name);
    let wait = format!("/v1.41/containers/{}/wait", container.name);
    for _ in 0..5 {
        for request in [get("/v1.41/events"), get(&logs), post(&wait, "")] {
            let mut wire = Wire::open(&gate.socket());
            assert_eq!(wire.send(request).head().unwrap().status(), 200);
        }
        // Half a head, half a body, and nothing at all.
        Wire::open(&gate.socket()).send("GET /_pi");
        Wire::open(&gate.socket())
            .send("POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{");
        Wire::open(&gate.socket());
    }
    eventually("every descriptor is closed", || (descriptors(&gate) <= before).then_some(()));
}

// ---- hijacked streams ----

#[test]
fn exec_is_a_raw_stream_with_and_without_an_upgrade() {
    let container = Running::new("cat");
    for (upgrade, status) in [("Connection: Upgrade\r\nUpgrade: tcp\r\n", 101), ("", 200)] {
        let exchange = |wire: &mut Wire| {
            let exec = container.exec("cat; echo after");
            let start = post(&format!("/v1.41/exec/{exec}/start"), r#"{"Detach":false,"Tty":false}"#);
            let head = wire.send(start.replace("Host", &format!("{upgrade}Host"))).head().unwrap();
            wire.send("to the container\n").finish();
            (head, unframed(&wire.rest()))
        };
        let (direct, through) = both(exchange);
        assert_eq!(direct, through);
        assert_eq!((direct.0.status(), direct.1.as_str()), (status, "to the container\nafter\n"));
    }
}

#[test]
fn attach_is_a_raw_stream_and_its_errors_pass() {
    let container = Running::new("while read line; do echo \"got $line\"; done; echo end");
    let attach = format!("/v1.41/containers/{}/attach?stream=1&stdin=1&stdout=1", container.name);
    let gate = Gate::monitor(Engine::shared().socket());
    let mut wire = Wire::open(&gate.socket());
    assert_eq!(wire.send(post(&attach, "")).head().unwrap().line, "HTTP/1.1 200 OK");
    wire.send("one\n");
    wire.until(b"got one\n");
    wire.finish();

    let missing = "/v1.41/containers/none/attach?stream=1&stdout=1";
    let upgraded = post(missing, "").replace("Host", "Connection: Upgrade\r\nUpgrade: tcp\r\nHost");
    for request in [post(missing, ""), upgraded] {
        let (direct, through) = both(|wire| {
            let head = wire.send(&request).head().unwrap().comparable();
            (head, wire.rest())
        });
        assert_eq!(direct, through);
    }
}

#[test]
fn a_detached_exec_is_an_ordinary_answer() {
    let container = Running::new("cat");
    let (direct, through) = both(|wire| {
        let exec = container.exec("true");
        let start = post(&format!("/v1.41/exec/{exec}/start"), r#"{"Detach":true}"#);
        let first = wire.send(start).answer().unwrap().comparable();
        [first, wire.send(get("/_ping")).answer().unwrap().comparable()]
    });
    assert_eq!(direct, through);
}

#[test]
fn a_session_is_switched_to_http_2() {
    let (direct, through) = both(|wire| {
        let head = "POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n";
        let session = format!("{head}X-Docker-Expose-Session-Uuid: {}\r\n\r\n", unique("session"));
        let head = wire.send(session).head().unwrap();
        (head, wire.take(24))
    });
    assert_eq!(direct, through);
    assert_eq!(direct.1, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

// ---- refusals ----

#[test]
fn a_refused_upload_reads_its_refusal_instead_of_a_broken_pipe() {
    let policy = "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"p\"\n[profile.p]\napi = [\"read\"]\n";
    let gate = Gate::start(Engine::shared().socket(), Options { policy: Some(policy), ..Options::default() });
    let body = vec![0; 16 << 20];
    let mut client = UnixStream::connect(gate.socket()).unwrap();
    let length = body.len();
    write!(client, "POST /v1.41/images/load HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n").unwrap();
    client.write_all(&body).unwrap();
    let mut answer = String::new();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("api.not-allowed: images.mint"), "{answer}");
}

// ---- what never becomes a call ----

/// The outcomes recorded for connections of a gate, once there is one.
fn outcome(gate: &Gate) -> Value {
    eventually("a record", || {
        gate.records().into_iter().find(|record| record["kind"] == "call" && record["stage"] == "outcome")
    })
}

#[test]
fn an_http_2_preface_is_refused_with_a_record() {
    let gate = Gate::monitor(Engine::shared().socket());
    let answer = Wire::open(&gate.socket()).send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").answer().unwrap();
    assert_eq!(answer.status(), 505);
    let record = outcome(&gate);
    assert_eq!(record["verdict"]["findings"][0]["check"], "request.http2");
    assert!(answer.text().contains(record["id"].as_str().unwrap()), "{}", answer.text());
}

#[test]
fn bytes_that_are_no_request_are_refused_with_a_record() {
    let gate = Gate::monitor(Engine::shared().socket());
    let answer = Wire::open(&gate.socket()).send("\x16\x03\x01 TLS?\r\n\r\n").answer().unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(outcome(&gate)["verdict"]["findings"][0]["check"], "request.malformed");
}

// ---- the engine's life ----

#[test]
fn a_missing_engine_is_a_clear_error_in_dockers_shape() {
    let gate = Gate::monitor(Path::new("/nonexistent/docker.sock"));
    let answer = Wire::open(&gate.socket()).send(get("/version")).answer().unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("cannot connect to the Docker Engine at unix:///nonexistent/docker.sock"), "{message}");
    assert_eq!(outcome(&gate)["outcome"]["ended"], "engine_unreachable");
}

#[test]
fn after_an_engine_restart_the_next_call_works_on_a_kept_connection() {
    let engine = Engine::own();
    let gate = Gate::monitor(engine.socket());
    let mut kept = Wire::open(&gate.socket());
    assert_eq!(kept.send(get("/_ping")).answer().unwrap().status(), 200);
    engine.stop();
    assert_eq!(kept.send(get("/_ping")).answer().unwrap().status(), 503);
    engine.restart();
    assert_eq!(kept.send(get("/_ping")).answer().unwrap().status(), 200);
}

#[test]
fn sigterm_drains_open_streams_and_records_what_it_cut() {
    let gate_config = "[engine]\naddress = \"unix://{engine}\"\n[listen.local]\naddress = \"unix://{dir}/docker.sock\"\n\
                       [audit]\njournal = \"{dir}/journal.jsonl\"\n[state]\ndirectory = \"{dir}/state\"\n\
                       [limits]\ndrain = \"1s\"\n";
    let options = Options { mode: Some("monitor"), config: Some(gate_config), policy: None };
    let mut gate = Gate::start(Engine::shared().socket(), options);
    let mut events = Wire::open(&gate.socket());
    assert_eq!(events.send(get("/v1.41/events")).head().unwrap().status(), 200);
    assert!(gate.terminate().success());
    assert_eq!(outcome(&gate)["outcome"]["ended"], "aborted");
}
