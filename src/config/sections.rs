//! The sections of `tidewaiter.toml`. Pure but for names of users and groups, which the host resolves, and the files of TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Group, User};
use toml::de::DeTable;

use super::address::{self, Place};
use super::table::{At, Problems, Table};
use super::value::{self, Bad};
use super::{Host, Limits, sink, tls};
use crate::audit::{Level, Levels, OnFailure, Rotate, SyncPolicy};
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::watch::sensor::Want;
use crate::{engine, listen, sink as sinks};

const SECTIONS: &[&str] = &["policy", "engine", "listen", "audit", "state", "limits", "watch", "sink", "admin"];
const ENGINE: &[&str] = &["address", "tls"];
const DOOR: &[&str] = &["address", "mode", "owner", "group", "tls"];
const LEVELS: &[(&str, Level)] = &[("metadata", Level::Metadata), ("request", Level::Request), ("none", Level::None)];
const SENSORS: &[(&str, Want)] = &[("auto", Want::Auto), ("kernel", Want::Kernel), ("off", Want::Off)];

/// Owner and group may use it: what the engine's own socket has.
pub(super) const DOOR_MODE: u32 = 0o660;

/// What a file says; what it does not say is `None`, or the default where that depends on nothing else.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) policy: Option<At<PathBuf>>,
    pub(super) engine: Option<engine::Address>,
    pub(super) doors: Option<Vec<listen::Settings>>,
    pub(super) journal: Option<PathBuf>,
    pub(super) levels: Levels,
    pub(super) sync: SyncPolicy,
    pub(super) on_failure: Option<OnFailure>,
    pub(super) rotate: Rotate,
    pub(super) state: Option<PathBuf>,
    pub(super) sensor: Want,
    pub(super) admin: Option<PathBuf>,
    pub(super) sinks: Vec<sinks::Settings>,
    pub(super) console: Option<SocketAddr>,
    pub(super) limits: Limits,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            policy: None,
            engine: None,
            doors: None,
            journal: None,
            levels: Levels { default: Level::Metadata, effects: Level::Request, ping: Level::Metadata },
            sync: SyncPolicy::Effects,
            on_failure: None,
            rotate: Rotate { size: 64 << 20, keep: 20 },
            state: None,
            sensor: Want::default(),
            admin: None,
            sinks: Vec::new(),
            console: None,
            limits: Limits::default(),
        }
    }
}

/// Reads a file whose relative paths start from `base`; with every mistake in it.
pub(super) fn read(source: &Source, base: &Path, host: &Host) -> (Draft, Vec<Diagnostic>) {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let problems = Problems::default();
    let file = Table::new("", root.get_ref(), SECTIONS, &problems);
    let mut draft = Draft {
        policy: file.read("policy", "policy.toml", |text| path(text, base)),
        engine: engine(&file, &problems, base, host),
        doors: doors(&file, &problems, base, host),
        sinks: sink::sinks(&file, &problems, base, host),
        ..Draft::default()
    };
    audit(&file, &problems, base, &mut draft);
    if let Some(state) = file.table("state", &["directory"]) {
        draft.state = state.read("directory", "/var/lib/tidewaiter", |text| path(text, base)).map(|at| at.value);
    }
    if let Some(table) = file.table("admin", &["address"]) {
        admin(&table, &problems, base, &mut draft);
    }
    if let Some(table) = file.table("limits", LIMITS) {
        limits(&table, &problems, &mut draft.limits);
    }
    if let Some(watch) = file.table("watch", &["sensor"]) {
        set(&mut draft.sensor, watch.word("sensor", SENSORS));
    }
    if errors.is_empty() {
        return (draft, problems.into_sorted());
    }
    // What follows a broken line is read wrongly: only the syntax errors are worth showing.
    let syntax = errors.into_iter().map(|error| Diagnostic {
        severity: Severity::Error,
        span: error.span(),
        message: error.message().to_owned(),
        help: None,
    });
    (draft, syntax.collect())
}

pub(super) fn path(text: &str, base: &Path) -> Result<PathBuf, Bad> {
    match text {
        "" => Err(Bad::new("the path is empty", "write a path, relative to this file or absolute")),
        text if text.contains('\0') => Err(Bad::new("a path has no NUL", "write a path without it")),
        text => Ok(base.join(text)),
    }
}

fn engine(file: &Table<'_>, problems: &Problems, base: &Path, host: &Host) -> Option<engine::Address> {
    let table = file.table("engine", ENGINE)?;
    if table.span("address").is_none() {
        missing(file, problems, "engine", "[engine] has no address", "write address = \"unix:///var/run/docker.sock\"");
    }
    let is_tls = table.span("tls").is_some();
    let At { value, span } =
        table.read("address", "unix:///var/run/docker.sock", |text| address::engine(text, base, is_tls))?;
    match value {
        address::Engine::Unix(path) => Some(engine::Address::Unix(path)),
        address::Engine::Tcp(address) => Some(engine::Address::Tcp(address)),
        address::Engine::Tls(name, port) => {
            let message = "links of paths on the engine's host cannot be followed from here";
            problems.warning(span, Bad::new(message, "run the gate beside its engine"));
            tls::engine(&table, problems, base, host, (name, port)).map(engine::Address::Tls)
        }
    }
}

fn missing(file: &Table<'_>, problems: &Problems, section: &str, message: &str, help: &str) {
    if let Some(span) = file.span(section) {
        problems.error(span, Bad::new(message, help));
    }
}

// === doors ===

fn doors(file: &Table<'_>, problems: &Problems, base: &Path, host: &Host) -> Option<Vec<listen::Settings>> {
    let tables = file.named("listen", DOOR)?;
    let mut doors: Vec<listen::Settings> = Vec::new();
    for (name, table) in tables {
        let Some((door, span)) = door(&name, &table, problems, base, host) else {
            continue;
        };
        if let Some(other) = doors.iter().find(|other| same(&other.address, &door.address)) {
            let message = format!("the doors '{}' and '{}' have the same address", other.name, door.name);
            problems.error(span, Bad::new(message, "give each door an address of its own"));
        }
        doors.push(door);
    }
    Some(doors)
}

fn door(
    name: &At<&str>,
    table: &Table<'_>,
    problems: &Problems,
    base: &Path,
    host: &Host,
) -> Option<(listen::Settings, std::ops::Range<usize>)> {
    // All of them are read before anything is missed, so that all their mistakes are shown.
    let mode = table.read("mode", "0660", value::mode);
    let owner = table.name_or_number("owner", user);
    let group = table.name_or_number("group", group);
    if table.span("address").is_none() {
        let message = format!("[listen.{}] has no address", name.value);
        problems.error(name.span.clone(), Bad::new(message, "write address = \"unix:///run/docker.sock\""));
    }
    let is_tls = table.span("tls").is_some();
    let At { value: place, span } =
        table.read("address", "unix:///run/docker.sock", |text| address::door(text, base, is_tls))?;
    let address = match place {
        Place::Unix(path) => {
            if let Some(At { span, .. }) = mode.as_ref().filter(|mode| mode.value & 0o002 != 0) {
                let message = "everybody on this host may use this door";
                problems.warning(span.clone(), Bad::new(message, "write \"0660\" and name a group"));
            }
            listen::Address::Unix { path, mode: mode.map_or(DOOR_MODE, |mode| mode.value), owner, group }
        }
        Place::Tcp(address) => {
            for key in ["mode", "owner", "group"] {
                table.refuse(key, &format!("a tcp:// door has no {key}"), "remove it, or use a unix:// door");
            }
            match is_tls {
                true => listen::Address::Tls { address, tls: tls::door(table, problems, base, host)? },
                false => listen::Address::Tcp(address),
            }
        }
        Place::Inherited(name) => {
            for key in ["mode", "owner", "group"] {
                let message = format!("the {key} of an fd:// door is said where it is made");
                table.refuse(key, &message, "remove it, and write SocketMode=, SocketUser=, SocketGroup= in the unit");
            }
            listen::Address::Inherited(name)
        }
    };
    Some((listen::Settings { name: name.value.to_owned(), address }, span))
}

fn same(one: &listen::Address, other: &listen::Address) -> bool {
    match (one, other) {
        (listen::Address::Unix { path: one, .. }, listen::Address::Unix { path: other, .. }) => one == other,
        (listen::Address::Inherited(one), listen::Address::Inherited(other)) => one == other,
        (one, other) => one.tcp().is_some_and(|one| Some(one) == other.tcp() && one.port() != 0),
    }
}

fn user(name: &str) -> Result<u32, Bad> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(Bad::new(format!("no user '{name}' on this host"), "write a name or a number")),
        Err(error) => Err(Bad::new(format!("cannot look up the user '{name}': {error}"), "write a number")),
    }
}

fn group(name: &str) -> Result<u32, Bad> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => {
            let help = format!("make it (groupadd --system {name}), or write another name or a number");
            Err(Bad::new(format!("no group '{name}' on this host"), help))
        }
        Err(error) => Err(Bad::new(format!("cannot look up the group '{name}': {error}"), "write a number")),
    }
}

// === the rest ===

fn audit(file: &Table<'_>, problems: &Problems, base: &Path, draft: &mut Draft) {
    let Some(audit) = file.table("audit", &["journal", "level", "sync", "on-failure", "rotate"]) else {
        return;
    };
    draft.journal =
        audit.read("journal", "/var/log/tidewaiter/journal.jsonl", |text| path(text, base)).map(|at| at.value);
    if let Some(level) = audit.table("level", &["default", "effects", "ping"]) {
        let effects = level.word("effects", LEVELS);
        if let Some(At { span, .. }) = effects.as_ref().filter(|at| at.value == Level::None) {
            let message = "calls with an effect leave no record unless they are refused";
            problems.warning(span.clone(), Bad::new(message, "write \"request\" or \"metadata\""));
        }
        set(&mut draft.levels.effects, effects);
        set(&mut draft.levels.default, level.word("default", LEVELS));
        set(&mut draft.levels.ping, level.word("ping", LEVELS));
    }
    let sync = [("effects", SyncPolicy::Effects), ("always", SyncPolicy::Always), ("never", SyncPolicy::Never)];
    set(&mut draft.sync, audit.word("sync", &sync));
    let on_failure = [("refuse", OnFailure::Refuse), ("forward", OnFailure::Forward)];
    draft.on_failure = audit.word("on-failure", &on_failure).map(|at| at.value);
    if let Some(rotate) = audit.table("rotate", &["size", "keep"]) {
        // Smaller files would each hold little but their own checkpoints.
        set(&mut draft.rotate.size, bytes(&rotate, problems, "size", 1 << 20, 1 << 40));
        set(&mut draft.rotate.keep, rotate.count("keep", 1..=100_000));
    }
}

/// One socket and one port at the most.
fn admin(table: &Table<'_>, problems: &Problems, base: &Path, draft: &mut Draft) {
    let example = "unix:///run/tidewaiter/admin.sock";
    for At { value, span } in table.read_all("address", example, |text| address::admin(text, base)) {
        let again = match value {
            address::Admin::Unix(path) => draft.admin.replace(path).is_some(),
            address::Admin::Tcp(address) => draft.console.replace(address).is_some(),
        };
        if again {
            problems.error(span, Bad::new("[admin] has one socket and one port at the most", "remove one"));
        }
    }
}

const LIMITS: &[&str] = &["body", "headers", "connections", "calls", "head-timeout", "body-timeout", "drain"];

fn limits(table: &Table<'_>, problems: &Problems, limits: &mut Limits) {
    // A judged body and a head are held in memory, once per call.
    set_usize(&mut limits.body, bytes(table, problems, "body", 4 << 10, 1 << 30));
    set_usize(&mut limits.headers, bytes(table, problems, "headers", 4 << 10, 1 << 20));
    set_usize(&mut limits.connections, table.count("connections", 1..=1_000_000).map(widen));
    set_usize(&mut limits.calls, table.count("calls", 1..=1_000_000).map(widen));
    set(&mut limits.head_timeout, time(table, "head-timeout"));
    set(&mut limits.body_timeout, time(table, "body-timeout"));
    set(&mut limits.drain, time(table, "drain"));
}

fn time(table: &Table<'_>, key: &str) -> Option<At<Duration>> {
    table.read(key, "30s", value::duration)
}

fn bytes(table: &Table<'_>, problems: &Problems, key: &str, least: u64, most: u64) -> Option<At<u64>> {
    let at = table.read(key, "4MiB", value::size)?;
    if (least..=most).contains(&at.value) {
        return Some(at);
    }
    let help = format!("write a size from {}KiB to {}KiB", least >> 10, most >> 10);
    problems.error(at.span, Bad::new(format!("'{key}' is out of range"), help));
    None
}

fn widen(at: At<u32>) -> At<u64> {
    At { value: u64::from(at.value), span: at.span }
}

fn set<T>(place: &mut T, read: Option<At<T>>) {
    if let Some(At { value, .. }) = read {
        *place = value;
    }
}

fn set_usize(place: &mut usize, read: Option<At<u64>>) {
    if let Some(value) = read.and_then(|At { value, .. }| usize::try_from(value).ok()) {
        *place = value;
    }
}
