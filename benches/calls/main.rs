//! What a call costs through the gate, beside what it costs through others, all in one run: `make bench`.
//!
//! A stub stands in for the engine. In front of it stand, in turn: nothing, a minimal hyper relay, the gate in monitor mode
//! with policy and records, and HAProxy if it is installed. Each has one core, the clients and the stub share another.
//! `cargo bench --bench calls -- create` measures only the calls with that in their name.
//! Numbers differ from machine to machine and from hour to hour; the ratios within one run are what counts.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench ends at the first thing that goes wrong, and prints what it found"
)]

#[path = "../create.rs"]
mod create;
mod load;
mod relay;
mod stub;

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::Instant;

use load::{Load, Run};

/// Each point is measured so often, in turn with the others, and its median taken: a busy machine is busy for all.
const ROUNDS: usize = 3;
/// How long each time.
const TIME: Duration = Duration::from_millis(800);
const CLIENTS: [usize; 2] = [1, 16];

const POLICY: &str = r#"version = 1
mode = "monitor"
[[principal]]
name = "operators"
profile = "privileged"
match = [ { user = "operator" }, { group = "operators" } ]
[[principal]]
name = "builders"
profile = "builders"
match = [ { uid = 0 }, { gid = 1000 } ]
[profile.builders]
extends = "baseline"
images = [ "registry.example.com/**", "busybox:*" ]
binds = [ { path = "/srv/data/**", access = "rw" } ]
capabilities = [ "NET_BIND_SERVICE" ]
"#;

const HAPROXY: &str = r"global
    maxconn 1000
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend docker
    bind unix@{door}
    http-request deny unless { path,url_dec -m reg -i ^(/v[\d\.]+)?/(_ping|version|info|events) } || { path,url_dec -m reg -i ^(/v[\d\.]+)?/(containers|images|networks|volumes)(/.*)?$ }
    default_backend engine
backend engine
    server engine unix@{engine}
";

/// What stands between the clients and the stub.
struct Way {
    name: &'static str,
    socket: PathBuf,
    child: Option<Child>,
}

/// One way under one load: CPU of the middle and time, per call.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
struct Cost {
    cpu: f64,
    latency: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stub", socket] => runtime().block_on(stub::serve(Path::new(socket))),
        ["relay", socket, engine] => runtime().block_on(relay::serve(Path::new(socket), Path::new(engine))),
        ["measure"] => measure(""),
        ["measure", only] => measure(only),
        _ => {
            // The clients of this process, too, stay away from the core of what is measured.
            let error = on_core(0).arg(std::env::current_exe().unwrap()).arg("measure").args(arguments).exec();
            panic!("cannot run taskset: {error}");
        }
    }
}

fn measure(only: &str) {
    let dir = tempfile::tempdir().unwrap();
    let engine = dir.path().join("engine.sock");
    let mut stub = on_core(0);
    stub.arg(std::env::current_exe().unwrap()).arg("stub").arg(&engine);
    let _stub = start("stub", stub, &engine);
    let ways = ways(&dir, &engine);
    let mut rows = Vec::new();
    for load in Load::all().iter().filter(|load| load.name.contains(only)) {
        for clients in CLIENTS {
            let costs = compare(&ways, load, clients);
            rows.push((format!("{} × {clients}", load.name), costs));
        }
    }
    print(&ways, &rows);
}

fn ways(dir: &TempDir, engine: &Path) -> Vec<Way> {
    let at = |name: &str| dir.path().join(name);
    let mut relay = on_core(1);
    relay.arg(std::env::current_exe().unwrap()).arg("relay").arg(at("relay.sock")).arg(engine);
    let mut ways = vec![
        Way { name: "direct", socket: engine.to_owned(), child: None },
        start("hyper relay", relay, &at("relay.sock")),
        gate("gate", "never", dir, engine),
        gate("gate, fsync", "effects", dir, engine),
    ];
    let config = at("haproxy.cfg");
    let text = HAPROXY.replace("{door}", &at("haproxy.sock").display().to_string());
    std::fs::write(&config, text.replace("{engine}", &engine.display().to_string())).unwrap();
    if Command::new("haproxy").arg("-v").output().is_ok() {
        let mut haproxy = on_core(1);
        haproxy.args(["haproxy", "-db", "-f"]).arg(config).stdout(File::create(at("haproxy.log")).unwrap());
        ways.push(start("HAProxy", haproxy, &at("haproxy.sock")));
    } else {
        println!("haproxy is not installed: it is left out");
    }
    ways
}

/// The gate, with a journal on a disk: a temporary directory may be memory, where an fsync costs nothing.
fn gate(name: &'static str, sync: &str, dir: &TempDir, engine: &Path) -> Way {
    let (socket, policy, config) = (
        dir.path().join(format!("{sync}.sock")),
        dir.path().join("policy.toml"),
        dir.path().join(format!("{sync}.toml")),
    );
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{sync}"));
    std::fs::remove_dir_all(&state).ok();
    std::fs::write(policy, POLICY).unwrap();
    let text = format!(
        "policy = 'policy.toml'\n[engine]\naddress = 'unix://{}'\n[listen.local]\naddress = 'unix://{}'\n\
         [audit]\njournal = '{}/log/journal.jsonl'\nsync = '{sync}'\n[state]\ndirectory = '{}'\n",
        engine.display(),
        socket.display(),
        state.display(),
        state.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut gate = on_core(1);
    gate.arg(env!("CARGO_BIN_EXE_tidewaiter")).args(["run", "--log-level", "error", "--config"]).arg(config);
    start(name, gate, &socket)
}

/// `taskset` becomes what it starts, so that the pid of the child is that of what is measured.
fn on_core(core: usize) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.min(cores - 1).to_string()]);
    command
}

fn start(name: &'static str, mut command: Command, socket: &Path) -> Way {
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(socket).is_err() {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "{name} does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    Way { name, socket: socket.to_owned(), child: Some(child) }
}

impl Way {
    /// CPU time of all its threads so far, dead ones included.
    fn cpu(&self) -> Duration {
        let Some(child) = &self.child else { return Duration::ZERO };
        let clock = clock_getcpuclockid(Pid::from_raw(child.id().try_into().unwrap())).unwrap();
        clock.now().unwrap().into()
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// The cost of each way under one load: the median of the rounds.
fn compare(ways: &[Way], load: &Load, clients: usize) -> Vec<Cost> {
    let mut rounds = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, costs) in ways.iter().zip(&mut rounds) {
            let before = way.cpu();
            let Run { calls, median } = load.run(&way.socket, clients, TIME);
            let cpu = (way.cpu() - before).as_secs_f64() * 1e6;
            costs.push(Cost { cpu: cpu / calls as f64, latency: median.as_secs_f64() * 1e6 });
        }
    }
    let middle = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let median = |costs: &Vec<Cost>| Cost {
        cpu: middle(costs.iter().map(|cost| cost.cpu).collect()),
        latency: middle(costs.iter().map(|cost| cost.latency).collect()),
    };
    rounds.iter().map(median).collect()
}

fn print(ways: &[Way], rows: &[(String, Vec<Cost>)]) {
    let gate = ways.iter().position(|way| way.name == "gate").unwrap();
    println!("\nMicroseconds per call: CPU of what stands between, and time added to the direct call's.\n");
    let mut head = "| call × clients | direct |".to_owned();
    let mut line = "|---|--:|".to_owned();
    for way in &ways[1..] {
        head += &format!(" {} CPU | + |", way.name);
        line += "--:|--:|";
    }
    for way in ways[1..].iter().filter(|way| !way.name.starts_with("gate")) {
        head += &format!(" gate ÷ {} CPU | + |", way.name);
        line += "--:|--:|";
    }
    println!("{head}\n{line}");
    for (name, costs) in rows {
        let added = |cost: &Cost| cost.latency - costs[0].latency;
        let mut row = format!("| {name} | {:.0} |", costs[0].latency);
        for cost in &costs[1..] {
            row += &format!(" {:.0} | {:.0} |", cost.cpu, added(cost));
        }
        for (_, cost) in ways.iter().zip(costs).skip(1).filter(|(way, _)| !way.name.starts_with("gate")) {
            row += &format!(" {:.2} | {:.2} |", costs[gate].cpu / cost.cpu, added(&costs[gate]) / added(cost));
        }
        println!("{row}");
    }
}
