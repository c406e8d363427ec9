//! What the look-ups add to a create and to a start, beside the engine's own time. Needs a real engine:
//! `tests/engine.sh with cargo bench --bench lookups`.
//!
//! Direct calls and calls through a gate in enforce mode alternate on the same engine, so that both meet the same noise.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench ends at the first thing that is not as it should be, and prints its numbers"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

/// Containers made and started on each way.
const ROUNDS: usize = 60;

const BODY: &str =
    r#"{"Image":"busybox:1.0","Cmd":["true"],"HostConfig":{"NetworkMode":"none","Binds":["bench-volume:/v"]}}"#;

/// A kept connection.
struct Way(BufReader<UnixStream>);

impl Way {
    fn open(socket: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(socket).unwrap()))
    }

    /// Sends one call and returns its answer's body and how long it took.
    fn call(&mut self, method: &str, path: &str, body: &str) -> (String, Duration) {
        let length = body.len();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let call = format!("{method} /v1.41{path} HTTP/1.1\r\nHost: d\r\n{kind}Content-Length: {length}\r\n\r\n{body}");
        let began = Instant::now();
        self.0.get_mut().write_all(call.as_bytes()).unwrap();
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if status.is_empty() {
                status.clone_from(&line);
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).unwrap();
        let took = began.elapsed();
        let answer = String::from_utf8(answer).unwrap();
        assert!(status.contains(" 20"), "{status}{answer}");
        (answer, took)
    }

    /// Makes, starts and removes a container; returns how long create and start took.
    fn round(&mut self) -> (Duration, Duration) {
        let (answer, create) = self.call("POST", "/containers/create", BODY);
        let id = answer.split('"').nth(3).unwrap().to_owned();
        let (_, start) = self.call("POST", &format!("/containers/{id}/start"), "");
        self.call("DELETE", &format!("/containers/{id}?force=1"), "");
        (create, start)
    }
}

/// A gate that is killed with the value.
struct Gate(Child, PathBuf);

impl Gate {
    fn start(dir: &Path, engine: &Path, mode: &str) -> Self {
        let socket = dir.join(format!("{mode}.sock"));
        let address = |path: &Path| format!("unix://{}", path.display());
        let child = Command::new(env!("CARGO_BIN_EXE_tidewaiter"))
            .args(["run", "--mode", mode, "--listen", &address(&socket), "--engine", &address(engine)])
            .env("XDG_STATE_HOME", dir.join(mode))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while UnixStream::connect(&socket).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self(child, socket)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn main() {
    let engine = std::env::var_os("TIDEWAITER_TEST_ENGINE");
    let Some(engine) = engine.map(PathBuf::from) else {
        println!("lookups: not run: it needs an engine; use `tests/engine.sh with cargo bench --bench lookups`");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::start(dir.path(), &engine, "enforce");
    let mut ways = [("direct", Way::open(&engine), vec![]), ("gate", Way::open(&gate.1), vec![])];
    for round in 0..=ROUNDS {
        for (_, way, times) in &mut ways {
            let took = way.round();
            // The first is for caches to warm up.
            if round > 0 {
                times.push(took);
            }
        }
    }
    println!("{ROUNDS} containers each way, with one named volume; milliseconds");
    println!("{:8}{:>16}{:>16}{:>16}{:>16}", "", "create median", "create p95", "start median", "start p95");
    for (name, _, times) in &ways {
        let column = |pick: fn(&(Duration, Duration)) -> Duration, part: f64| {
            let mut sorted: Vec<Duration> = times.iter().map(pick).collect();
            sorted.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let at = (part * (sorted.len() - 1) as f64) as usize;
            sorted[at].as_secs_f64() * 1000.0
        };
        let cells = [(0, 0.5), (0, 0.95), (1, 0.5), (1, 0.95)];
        let cells = cells.map(|(what, part)| column(if what == 0 { |t| t.0 } else { |t| t.1 }, part));
        println!("{name:8}{:>16.2}{:>16.2}{:>16.2}{:>16.2}", cells[0], cells[1], cells[2], cells[3]);
    }
    Way::open(&engine).call("DELETE", "/volumes/bench-volume", "");
}
