//! Hours in minutes: whatever clients do for long, the gate holds in the end what it held at the start. `make soak`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use tokio::time::Instant;

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options, WITH_ADMIN};
use super::support::raw::{Wire, ask};

/// Files change often enough to be part of it.
const ROTATE: &str = "[audit]\nrotate = { size = \"8MiB\", keep = 3 }\n";

/// How long, in minutes, unless `TIDEWAITER_SOAK_MINUTES` says otherwise.
const MINUTES: u64 = 10;
/// Clients at once.
const CLIENTS: usize = 8;
/// What one client does in one round, in calls.
const CALLS: usize = 400;
/// Rounds after which what is kept for a while (the console's last calls, pools, caches) is full, but for the console's 300
/// launches.
const WARM: usize = 3;
/// What may be more at the end than after the warm-up: descriptors, threads (those that wait for a disk come and go), and
/// kilobytes of memory.
const SPARE_FILES: usize = 4;
const SPARE_THREADS: usize = 4;
const SPARE_MEMORY: usize = 16 << 10;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    files: usize,
    threads: usize,
    /// Resident, in kilobytes.
    memory: usize,
}

impl Held {
    fn by(gate: &Gate) -> Self {
        let process = Path::new("/proc").join(gate.pid().to_string());
        let status = String::from_utf8(fs::read(process.join("status")).unwrap()).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
        };
        let files = fs::read_dir(process.join("fd")).unwrap().count();
        Self { files, threads: number("Threads"), memory: number("VmRSS") }
    }
}

/// Everything that clients do, well or badly.
fn client(socket: &Path, salt: usize) {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: d\r\n\r\n");
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let denied = r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#;
    let mut wire = Wire::open(socket);
    for number in 0..CALLS {
        match (number + salt) % 20 {
            0 => wire = Wire::open(socket),
            // A stream that its reader leaves.
            1 => drop(Wire::open(socket).send(get("/v1.40/events")).head()),
            // A head that never ends, a body that never comes, and a caller that is gone before his answer.
            2 => drop(Wire::open(socket).send("GET /_ping HTTP/1.1\r\nHost: d\r\n")),
            3 => drop(
                Wire::open(socket)
                    .send("POST /v1.40/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 900\r\n\r\n{"),
            ),
            4 => drop(Wire::open(socket).send(get("/v1.40/containers/json"))),
            5 => drop(Wire::open(socket).send("no request\r\n\r\n").answer()),
            6 | 7 => drop(wire.send(post("/v1.40/containers/create", denied)).answer()),
            8 => drop(wire.send(get("/v1.40/containers/no-such/json")).answer()),
            9 => drop(wire.send(post("/v1.40/containers/no-such/stop", "")).answer()),
            10 => drop(wire.send(get("/v1.40/containers/json?all=1")).answer()),
            _ => drop(wire.send(get("/_ping")).answer()),
        }
    }
}

/// Containers that live for moments, one that is entered, and one whose client is gone.
const CONTAINERS: &str = r#"
docker run --rm busybox:1.0 sh -c 'for i in 1 2 3; do /bin/true; done'
docker run -d --name $NAME busybox:1.0 sleep 600
docker exec $NAME true
docker cp $NAME:/bin/busybox - > /dev/null
timeout --signal=KILL 0.3 docker logs -f $NAME || true
timeout --signal=KILL 0.3 docker attach $NAME || true
timeout --signal=KILL 0.3 docker exec -i $NAME cat || true
docker rm -f $NAME
"#;

fn round(gate: &Gate) {
    let socket = gate.socket();
    std::thread::scope(|scope| {
        for salt in 0..CLIENTS {
            let socket = &socket;
            scope.spawn(move || client(socket, salt));
        }
        let said = Docker::at(&socket).script(CONTAINERS, &[("NAME", &unique("soak"))]);
        assert!(said.status.success(), "{said:#?}");
        kill(gate.pid(), Signal::SIGHUP).unwrap();
    });
    let admin = gate.dir().join("admin.sock");
    eventually("nothing is open any more", || {
        let text = ask(&admin, "GET /metrics HTTP/1.1\r\nHost: tidewaiter\r\n\r\n").unwrap().text();
        ["tidewaiter_calls_open 0", "tidewaiter_reader_lag_records 0"]
            .iter()
            .all(|wanted| text.lines().any(|line| line == *wanted))
            .then_some(())
    });
}

#[test]
#[ignore = "goes on for minutes: run by `make soak`"]
fn what_goes_on_for_long_leaves_nothing_behind() {
    let minutes = std::env::var("TIDEWAITER_SOAK_MINUTES").map_or(MINUTES, |text| text.parse().expect("a number"));
    let engine = Engine::own();
    let config = format!("{WITH_ADMIN}{ROTATE}");
    let options = Options { config: Some(&config), mode: Some("enforce"), ..Options::default() };
    let mut gate = Gate::start(engine.socket(), options);
    println!("at start: {:?}", Held::by(&gate));
    let (begun, mut held) = (Instant::now(), Vec::new());
    while held.len() < WARM * 2 || begun.elapsed() < Duration::from_secs(minutes * 60) {
        round(&gate);
        held.push(Held::by(&gate));
        println!("{:>4} s, round {}: {:?}", begun.elapsed().as_secs(), held.len(), held.last().unwrap());
    }
    let (warm, later) = held.split_at(WARM);
    let most = |of: fn(&Held) -> usize| warm.iter().map(of).max().unwrap();
    let last = later.last().unwrap();
    assert!(last.files <= most(|held| held.files) + SPARE_FILES, "descriptors are left open: {held:#?}");
    assert!(last.threads <= most(|held| held.threads) + SPARE_THREADS, "threads are left: {held:#?}");
    assert!(last.memory <= most(|held| held.memory) + SPARE_MEMORY, "memory grows: {held:#?}");
    assert!(gate.terminate().success());
}
