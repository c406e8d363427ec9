//! The engine's doors, and those of its neighbours: who else can open them.

use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use super::Finding;
use super::processes::{Place, Process, listening};
use super::reach::Reach;
use crate::config::Config;
use crate::install::PUBLIC;
use crate::listen;

/// Programs that can make containers, and so be root on the host for whoever reaches them.
const ENGINES: [&str; 6] = ["dockerd", "containerd", "podman", "crio", "buildkitd", "cri-dockerd"];

/// The sockets of those that systemd starts when somebody connects: nobody may hold them now.
const ASLEEP: [&str; 5] = [
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/docker-engine/docker.sock",
];

/// Swarm's own ports, where nodes talk to each other by mutual TLS.
const SWARM: [u16; 2] = [2377, 7946];

/// Looks at every door that leads to containers.
pub(super) fn examine(config: &Config, findings: &mut Vec<Finding>) {
    let programs: Vec<&str> = ENGINES.into_iter().chain(["tidewaiter"]).collect();
    let processes = match listening(&programs) {
        Ok(processes) => processes,
        Err(error) => {
            let what = format!("nobody knows who listens where: {error}");
            findings.push(Finding::warn("doctor", what, "run it on the host itself, with /proc"));
            Vec::new()
        }
    };
    let (gates, engines): (Vec<_>, Vec<_>) = processes.into_iter().partition(|process| process.name == "tidewaiter");
    gate(config, &gates, findings);
    let mut seen = Vec::from_iter(config.engine.path().map(PathBuf::from));
    if let Some(engine) = config.engine.path() {
        socket("engine.socket", "the engine's own socket", engine, findings);
    }
    for process in &engines {
        for place in &process.places {
            of_engine(process, place, &mut seen, findings);
        }
    }
    for path in ASLEEP.map(PathBuf::from) {
        if path.exists() && !seen.iter().any(|known| same(known, &path)) {
            socket("other.socket", "a socket by which an engine may be started", &path, findings);
        }
    }
}

/// Whether a gate runs, and who may use it.
fn gate(config: &Config, gates: &[Process], findings: &mut Vec<Finding>) {
    // Other commands of ours, this one too, listen nowhere.
    let held: Vec<&Place> = gates.iter().flat_map(|gate| &gate.places).collect();
    if held.is_empty() {
        let todo = "systemctl start tidewaiter, or tidewaiter run";
        findings.push(Finding::warn("gate.process", "no gate runs on this host", todo));
    }
    let paths = config.doors.iter().filter_map(|door| match &door.address {
        listen::Address::Unix { path, .. } => Some(path.clone()),
        listen::Address::Inherited(_) => Some(PUBLIC.into()),
        listen::Address::Tcp(_) | listen::Address::Tls { .. } => None,
    });
    for path in paths {
        let is_held = held.iter().any(|place| matches!(place, Place::Unix(held) if same(held, &path)));
        let shown = path.display();
        findings.push(match Reach::of(&path) {
            Ok(reach) if is_held => {
                let what = format!("{shown} is the gate's; {} may use it, as the policy lets them", who(&reach));
                Finding::ok("gate.socket", what)
            }
            Ok(_) => {
                let what = format!("{shown} is to be the gate's door, and no gate listens there");
                Finding::warn("gate.socket", what, "tidewaiter install, or start the gate")
            }
            Err(error) => {
                let what = format!("the gate's door {shown} is not there: {error}");
                Finding::warn("gate.socket", what, "start the gate")
            }
        });
    }
}

/// One place where a process of an engine listens.
fn of_engine(process: &Process, place: &Place, seen: &mut Vec<PathBuf>, findings: &mut Vec<Finding>) {
    let owner = format!("{} (pid {})", process.name, process.pid);
    match place {
        Place::Unix(path) if seen.iter().any(|known| same(known, path)) => {}
        Place::Unix(path) => {
            seen.push(path.clone());
            let topic = if process.name == "dockerd" { "engine.socket" } else { "other.socket" };
            socket(topic, &format!("a socket of {owner}"), path, findings);
        }
        Place::Abstract(name) => {
            let what =
                format!("{owner} listens on the abstract socket @{name}: containers with the host's network reach it");
            findings.push(Finding::warn("other.socket", what, "see what it is for"));
        }
        Place::Tcp(address) if process.name == "dockerd" && SWARM.contains(&address.port()) => {
            let what = format!("{owner} listens on {address} for the other nodes of a swarm, by mutual TLS");
            findings.push(Finding::warn("engine.tcp", what, "let a firewall keep others away"));
        }
        Place::Tcp(address) if process.name == "dockerd" && is_door(process, *address) => {
            let todo = "take that address away from dockerd's -H or from \"hosts\" in /etc/docker/daemon.json, and give the \
                        gate a TLS door instead";
            let what = format!("{owner} listens on {address}: whoever reaches it is past the gate");
            findings.push(Finding::bad("engine.tcp", what, todo));
        }
        Place::Tcp(address) => {
            let what = format!("{owner} listens on {address}, which may be its metrics or a stream of its own");
            findings.push(Finding::warn("other.tcp", what, "make sure that no API answers there"));
        }
    }
}

/// dockerd listens on TCP for nothing else but its API, swarm and its metrics.
fn is_door(process: &Process, address: std::net::SocketAddr) -> bool {
    let metrics = process.command.iter().any(|word| word.contains("metrics-addr"));
    let port = format!(":{}", address.port());
    let said = process.command.iter().any(|word| word.contains("tcp://") && word.ends_with(&port));
    said || !metrics || matches!(address.port(), 2375 | 2376)
}

fn socket(topic: &'static str, name: &str, path: &Path, findings: &mut Vec<Finding>) {
    let shown = path.display();
    findings.push(match Reach::of(path) {
        Ok(reach) if reach.is_roots_alone() => Finding::ok(topic, format!("{name}, {shown}, is root's alone")),
        Ok(reach) => {
            let todo = if topic == "engine.socket" {
                "tidewaiter install moves it to a folder of root's".to_owned()
            } else {
                format!("chmod 0700 {}", path.parent().unwrap_or(path).display())
            };
            Finding::bad(topic, format!("{name}, {shown}, can be opened past the gate by {}", who(&reach)), todo)
        }
        Err(error) => {
            let todo = "start the engine, or write its socket into [engine] address";
            Finding::warn(topic, format!("{name}, {shown}, cannot be looked at: {error}"), todo)
        }
    });
}

/// `/run` and `/var/run` are one.
fn same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// Who it is, by name, and the members of a group with it.
fn who(reach: &Reach) -> String {
    if reach.all {
        return "everybody on this host".to_owned();
    }
    let mut names = Vec::new();
    if let Some(uid) = reach.user {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        names.push(format!("user {}", user.map_or_else(|| uid.to_string(), |user| user.name)));
    }
    if let Some(gid) = reach.group {
        names.push(match Group::from_gid(Gid::from_raw(gid)).ok().flatten() {
            Some(group) if group.mem.is_empty() => format!("group {} (no members listed)", group.name),
            Some(group) => format!("group {} ({})", group.name, group.mem.join(", ")),
            None => format!("group {gid}"),
        });
    }
    if names.is_empty() { "root alone".to_owned() } else { names.join(" and ") }
}
