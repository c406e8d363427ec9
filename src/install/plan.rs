//! What there is to do, and why it cannot be done. Pure: a host as it was found becomes a list of actions.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{DOOR, EngineState, MOVED, PUBLIC, unit};

/// Where our units go where no package has brought any.
pub(super) const UNITS: &str = "/etc/systemd/system";
pub(super) const DROP_IN: &str = "/etc/systemd/system/docker.socket.d/tidewaiter.conf";
pub(super) const CONFIG: &str = "/etc/tidewaiter/tidewaiter.toml";
pub(super) const POLICY: &str = "/etc/tidewaiter/policy.toml";

pub(super) const DROP_IN_TEXT: &str = include_str!("../../systemd/docker.socket.d/tidewaiter.conf");
const SERVICE_TEXT: &str = include_str!("../../systemd/tidewaiter.service");
const SOCKET_TEXT: &str = include_str!("../../systemd/tidewaiter.socket");
const CONFIG_TEXT: &str = include_str!("../../systemd/tidewaiter.toml");
const POLICY_TEXT: &str = include_str!("../../conf/policy.toml");

/// By this line a unit is known to be ours to change and remove.
pub(super) const MARK: &str = "# Written by `tidewaiter install`; `tidewaiter uninstall` removes it.\n";

/// Both of our units, in the order in which they start.
pub(super) const OURS: [&str; 2] = ["tidewaiter.socket", "tidewaiter.service"];

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Write a file, and make the folders above it.
    Write {
        /// The file.
        path: PathBuf,
        /// All of it.
        text: String,
    },
    /// Remove a file.
    Remove(PathBuf),
    /// Remove a folder, if it is empty.
    RemoveFolder(PathBuf),
    /// Ask systemd.
    Systemctl(Vec<&'static str>),
}

/// Why it cannot be done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What is in the way.
    pub why: String,
    /// What to do.
    pub help: String,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Where, without the folder that is looked at as the root.
    pub(super) path: PathBuf,
    /// All of it.
    pub(super) text: String,
}

/// A host, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// `docker.socket` and its drop-ins, in systemd's order; empty if there is none.
    pub(super) docker_socket: Vec<File>,
    /// `docker.service`, likewise.
    pub(super) docker_service: Vec<File>,
    /// Whether `docker.socket` is masked.
    pub(super) masked: bool,
    /// `/etc/docker/daemon.json`.
    pub(super) daemon_json: Option<String>,
    /// `/etc/default/docker`, whose options Debian's unit adds to the command line.
    pub(super) docker_defaults: Option<String>,
    /// Our units, wherever they are.
    pub(super) units: Vec<File>,
    /// Whether both are enabled.
    pub(super) enabled: bool,
    /// The configuration.
    pub(super) config: Option<String>,
    /// Why the configuration cannot be used, or does not fit; looked at only if there is one.
    pub(super) config_problem: Option<String>,
    /// The policy beside it.
    pub(super) policy: Option<String>,
    /// This program.
    pub(super) executable: PathBuf,
    /// Why units must not start this program.
    pub(super) executable_problem: Option<String>,
    /// What runs; `None` if it is not the running system that is looked at.
    pub(super) live: Option<Live>,
}

/// What runs on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Live {
    /// Whether systemd is the init.
    pub(super) systemd: bool,
    /// Whether we are root.
    pub(super) root: bool,
    /// Whether `docker.socket` already listens where it is moved to.
    pub(super) moved: bool,
    /// Whether our socket and our service are active.
    pub(super) active: bool,
    /// The engine, if it runs.
    pub(super) engine: Option<EngineState>,
}

/// What it takes to put the gate in Docker's place; nothing if it is there. `stop_containers`: containers may be stopped.
///
/// # Errors
/// Everything that is in the way.
pub fn install(found: &Found, stop_containers: bool) -> Result<Vec<Action>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    able(found, &mut refusals);
    docker(found, &mut refusals);
    own_files(found, &mut refusals);
    let mut actions = units(found);
    if found.config.is_none() {
        actions.push(write(CONFIG, CONFIG_TEXT.to_owned()));
        if found.policy.is_none() {
            actions.push(write(POLICY, POLICY_TEXT.to_owned()));
        }
    }
    if drop_in(found).is_none() {
        actions.push(write(DROP_IN, DROP_IN_TEXT.to_owned()));
    }
    let live = found.live.as_ref();
    let moves = live.is_some_and(|live| !live.moved);
    if !actions.is_empty() || moves {
        actions.push(Action::Systemctl(vec!["daemon-reload"]));
    }
    if !found.enabled {
        actions.push(systemctl("enable"));
    }
    if moves {
        running(live, stop_containers, &mut refusals);
        // docker.service requires the socket and restarts with it, and so does what requires docker.service.
        actions.extend(restart_docker());
    }
    if live.is_some_and(|live| !live.active) {
        // Not start: an earlier try may have left the socket failed.
        actions.push(systemctl("restart"));
    }
    if refusals.is_empty() { Ok(actions) } else { Err(refusals) }
}

/// Its units may have been restarted so often just now that systemd would refuse the next time.
fn restart_docker() -> [Action; 2] {
    [
        Action::Systemctl(vec!["reset-failed", "docker.socket", "docker.service"]),
        Action::Systemctl(vec!["restart", "docker.socket"]),
    ]
}

/// What it takes to give Docker its place back; nothing if it has it. Journal and state stay.
///
/// # Errors
/// Everything that is in the way.
pub fn uninstall(found: &Found, stop_containers: bool) -> Result<Vec<Action>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    able(found, &mut refusals);
    own_drop_in(found, &mut refusals);
    let written: Vec<&File> = found.units.iter().filter(|unit| unit.text.starts_with(MARK)).collect();
    let drop_in = drop_in(found);
    let live = found.live.as_ref();
    let moves = live.is_some_and(|live| live.moved || drop_in.is_some());
    if drop_in.is_none() && written.is_empty() && !found.enabled && !moves {
        return if refusals.is_empty() { Ok(Vec::new()) } else { Err(refusals) };
    }
    let mut actions = vec![systemctl("disable")];
    actions.extend(live.is_some().then(|| systemctl("stop")));
    if let Some(file) = drop_in {
        actions.push(Action::Remove(file.path.clone()));
        actions.push(Action::RemoveFolder(format!("{UNITS}/docker.socket.d").into()));
    }
    actions.extend(written.iter().map(|unit| Action::Remove(unit.path.clone())));
    // Where a package brought the units, it brought these too.
    let ours = [(CONFIG, &found.config, CONFIG_TEXT), (POLICY, &found.policy, POLICY_TEXT)];
    let ours = ours.iter().filter(|(_, is, was)| !written.is_empty() && is.as_deref() == Some(was));
    actions.extend(ours.map(|(path, ..)| Action::Remove(path.into())));
    actions.extend((!written.is_empty()).then(|| Action::RemoveFolder("/etc/tidewaiter".into())));
    actions.push(Action::Systemctl(vec!["daemon-reload"]));
    if moves {
        running(live, stop_containers, &mut refusals);
        actions.extend(restart_docker());
        // Its RemoveOnStop= was in the override, which is gone by now.
        actions.push(Action::Remove(MOVED.into()));
        actions.extend(Path::new(MOVED).parent().map(|folder| Action::RemoveFolder(folder.to_owned())));
    }
    if refusals.is_empty() { Ok(actions) } else { Err(refusals) }
}

// === what is in the way ===

fn able(found: &Found, refusals: &mut Vec<Refusal>) {
    let Some(live) = &found.live else { return };
    if !live.systemd {
        let help = format!("let the engine listen on unix://{MOVED}, and give tidewaiter.toml a door unix://{PUBLIC}");
        refuse(refusals, "systemd is not the init of this host", help);
    }
    if !live.root {
        refuse(refusals, "only root may change units", "run it by sudo, or look at --dry-run");
    }
}

/// Whether Docker's socket can be moved by moving `docker.socket`, and whether that closes every door of the engine.
fn docker(found: &Found, refusals: &mut Vec<Refusal>) {
    if found.masked {
        return refuse(refusals, "docker.socket is masked", "systemctl unmask docker.socket");
    }
    let by_hand =
        format!("let the engine listen on unix://{MOVED} only, and give tidewaiter.toml a door unix://{PUBLIC}");
    if found.docker_socket.is_empty() {
        return refuse(refusals, "there is no docker.socket: Docker is rootless, or not from a package", by_hand);
    }
    for file in found.docker_socket.iter().skip(1).filter(|file| file.path != Path::new(DROP_IN)) {
        if !unit::values([file], "Socket", "ListenStream").is_empty() {
            let why = format!("{} gives docker.socket another place", file.path.display());
            refuse(refusals, why, "take its ListenStream= away");
        }
    }
    let mut hosts = Vec::new();
    for command in unit::values(&found.docker_service, "Service", "ExecStart") {
        hosts.extend(unit::hosts(&unit::words(&command)));
    }
    if !hosts.iter().any(|host| host.starts_with("fd://")) {
        refuse(refusals, "docker.service does not take its socket from docker.socket (no -H fd://)", by_hand);
    }
    let defaults = found.docker_defaults.as_deref().unwrap_or_default();
    for line in defaults.lines().filter(|line| !line.trim_start().starts_with('#')) {
        hosts.extend(line.split_once('=').map(|(_, options)| unit::hosts(&unit::words(options))).unwrap_or_default());
    }
    for host in hosts.iter().filter(|host| !host.starts_with("fd://")) {
        let why = format!("dockerd also listens on {host}, past the gate");
        refuse(refusals, why, "take that -H away from docker.service or /etc/default/docker");
    }
    daemon_json(found.daemon_json.as_deref(), refusals);
}

fn daemon_json(text: Option<&str>, refusals: &mut Vec<Refusal>) {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return };
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        Ok(settings) if settings.contains_key("hosts") => {
            let why = "/etc/docker/daemon.json has \"hosts\": doors past the gate, and a contradiction to -H fd://";
            refuse(refusals, why, "take \"hosts\" away from it; doors go into tidewaiter.toml");
        }
        Ok(_) => {}
        Err(error) => {
            let why = format!("/etc/docker/daemon.json cannot be read: {error}");
            refuse(refusals, why, "mend it: the engine would not come back from its restart");
        }
    }
}

/// Whether what is ours can be used.
fn own_files(found: &Found, refusals: &mut Vec<Refusal>) {
    own_drop_in(found, refusals);
    if let Some(problem) = &found.config_problem {
        let help = format!(
            "write [engine] address = \"unix://{MOVED}\" and a door with address = \"fd://{DOOR}\" into {CONFIG}; \
             tidewaiter check shows every mistake"
        );
        refuse(refusals, problem, help);
    }
    if let Some(problem) = found.executable_problem.as_ref().filter(|_| !units(found).is_empty()) {
        refuse(refusals, problem, "install it as /usr/local/bin/tidewaiter, owned by root, and run that");
    }
}

fn own_drop_in(found: &Found, refusals: &mut Vec<Refusal>) {
    if drop_in(found).is_some_and(|file| file.text != DROP_IN_TEXT) {
        let why = format!("{DROP_IN} is not as this version writes it");
        refuse(refusals, why, "look at it, remove it if nothing in it is yours, and run this again");
    }
}

/// Restarting dockerd ends its containers, unless it is told to leave them.
fn running(live: Option<&Live>, stop_containers: bool, refusals: &mut Vec<Refusal>) {
    let Some(engine) = live.and_then(|live| live.engine.as_ref()) else { return };
    if engine.running > 0 && !engine.live_restore && !stop_containers {
        let why = format!("the engine must restart once, and would stop its running containers ({})", engine.running);
        let help = "write \"live-restore\": true into /etc/docker/daemon.json and run systemctl reload docker, or say \
                    --stop-containers";
        refuse(refusals, why, help);
    }
}

fn refuse(refusals: &mut Vec<Refusal>, why: impl Into<String>, help: impl Into<String>) {
    refusals.push(Refusal { why: why.into(), help: help.into() });
}

// === what to do ===

fn drop_in(found: &Found) -> Option<&File> {
    found.docker_socket.iter().find(|file| file.path == Path::new(DROP_IN))
}

/// Our units where there are none, and those that we wrote as this version writes them. A package's are left to the package,
/// and an administrator's to him.
fn units(found: &Found) -> Vec<Action> {
    let mut actions = Vec::new();
    for (name, text) in OURS.iter().zip([SOCKET_TEXT, SERVICE_TEXT]) {
        let text = text.replace("=/usr/bin/tidewaiter ", &format!("={} ", found.executable.display()));
        let text = format!("{MARK}{text}");
        let there = found.units.iter().find(|unit| unit.path.ends_with(name));
        if there.is_none_or(|unit| unit.text.starts_with(MARK) && unit.text != text) {
            actions.push(write(&format!("{UNITS}/{name}"), text));
        }
    }
    actions
}

fn write(path: &str, text: String) -> Action {
    Action::Write { path: path.into(), text }
}

fn systemctl(verb: &'static str) -> Action {
    let [socket, service] = OURS;
    Action::Systemctl(vec![verb, socket, service])
}
