//! What the kernel sensor costs: the time in its own programs per event, and that of 10,000 programs in a container with it and
//! without, in turn. Root, and a kernel with BTF: `cargo bench --bench sensor`.
//!
//! The container is a cgroup with the name of one, in mounts of its own.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at the first thing that goes wrong, and prints what it found"
)]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};
use tidewaiter::watch::Notice;
use tidewaiter::watch::sensor::{self, Setting};
use tokio::time::Instant;

const EXECS: u32 = 10_000;
/// Each is measured so often, in turn with the others: a busy machine is busy for all.
const ROUNDS: usize = 3;

/// How the programs run, and how much of them is told.
const CASES: [(&str, Option<u64>, bool); 4] = [
    ("in a container, no sensor", None, true),
    ("in a container, all told", Some(u64::MAX), true),
    ("in a container, 64 told, the others counted", Some(64), true),
    ("on the host, filtered out", Some(64), false),
];

fn main() {
    let cgroup = root().join(format!("{:064x}", std::process::id()));
    let mut walls: HashMap<&str, Vec<Duration>> = HashMap::new();
    for round in 0..ROUNDS {
        for (name, budget, inside) in CASES {
            let Some(budget) = budget else {
                walls.entry(name).or_default().push(run(&cgroup, inside));
                continue;
            };
            let (wall, spent) = with_sensor(budget, || run(&cgroup, inside));
            walls.entry(name).or_default().push(wall);
            if round == 0 {
                println!("{name}: {spent}");
            }
        }
    }
    println!("\n{EXECS} programs, median of {ROUNDS}, [all]:");
    for (name, ..) in CASES {
        let mut times = walls.remove(name).unwrap();
        times.sort();
        println!("  {name:45} {:?} {times:?}", times.get(ROUNDS / 2).unwrap());
    }
}

/// Runs work beside a sensor whose notices are taken; returns its wall time, and a line on the sensor's programs.
fn with_sensor(budget: u64, work: impl FnOnce() -> Duration) -> (Duration, String) {
    let ids = || loaded_programs().flatten().map(|program| program.id()).collect::<HashSet<_>>();
    let before = ids();
    let setting = Setting { budget, probe: vec!["true".to_owned()], ..Setting::default() };
    let (status, mut notices, handle) = sensor::start(setting);
    assert!(status.is_on(), "{status}");
    let taking = std::thread::spawn(move || {
        let (mut events, mut lost) = (0_u64, 0_u64);
        while let Some(notice) = notices.blocking_recv() {
            match notice {
                Notice::Event(_) => events += 1,
                Notice::Gap { lost: more, .. } => lost += more,
            }
        }
        (events, lost)
    });
    let stats = enable_stats(Stats::RunTime).unwrap();
    let wall = work();
    let mut spent: Vec<String> = loaded_programs()
        .flatten()
        .filter(|program| !before.contains(&program.id()) && program.run_count() > u64::from(EXECS) / 2)
        .map(|program| {
            let each = program.run_time().as_nanos() / u128::from(program.run_count());
            format!("{} {} × {each} ns", program.name_as_str().unwrap_or("?"), program.run_count())
        })
        .collect();
    spent.sort();
    drop(stats);
    handle.stop();
    let (events, lost) = taking.join().unwrap();
    (wall, format!("{events} notices, {lost} lost; {}", spent.join(", ")))
}

/// Runs the programs and removes the cgroup.
fn run(cgroup: &Path, inside: bool) -> Duration {
    fs::create_dir(cgroup).unwrap();
    let enter = if inside { format!("echo 0 >'{}/cgroup.procs'", cgroup.display()) } else { String::from(":") };
    let run = format!("{enter}; n=0; while [ $n -lt {EXECS} ]; do /bin/true; n=$((n+1)); done");
    let start = Instant::now();
    assert!(Command::new("unshare").args(["-m", "sh", "-ec", &run]).status().unwrap().success());
    let wall = start.elapsed();
    // Who was in it may not be wholly gone yet.
    while fs::remove_dir(cgroup).is_err() {
        std::thread::yield_now();
    }
    wall
}

/// Where cgroup2 is mounted.
fn root() -> PathBuf {
    let unified = PathBuf::from("/sys/fs/cgroup/unified");
    if unified.exists() { unified } else { PathBuf::from("/sys/fs/cgroup") }
}
