//! Both files and the flags over them become a [`Config`], or a list of every mistake.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::address::{self, Place};
use super::sections::{self, DOOR_MODE, Draft};
use super::table::At;
use super::trusted::{self, Untrusted};
use super::value::Bad;
use super::{Config, Host};
use crate::audit::OnFailure;
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::policy::{Mode, Policy};
use crate::{audit, engine, listen};

/// Directory of the journal's keys, in that of the state.
const KEYS: &str = "keys";

/// What the command line says; each replaces what the file says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The configuration.
    pub config: Option<PathBuf>,
    /// The doors.
    pub listen: Vec<String>,
    /// The engine.
    pub engine: Option<String>,
    /// The policy.
    pub policy: Option<PathBuf>,
    /// Mode of the policy, its profiles' own modes included.
    pub mode: Option<Mode>,
}

/// A configuration that can be run, and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// What to run by.
    pub config: Config,
    /// Where the policy came from; `None`: built in.
    pub policy: Option<PathBuf>,
    /// Warnings.
    pub reports: Vec<Report>,
}

/// What was found in one file or flag.
#[derive(Debug)]
pub struct Report {
    /// The text.
    pub source: Source,
    /// Its mistakes, in order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads everything.
///
/// # Errors
/// Every mistake of both files and of the flags, warnings included.
pub fn load(flags: &Flags, host: &Host) -> Result<Loaded, Vec<Report>> {
    let mut reports = Vec::new();
    let draft = read_config(flags, host, &mut reports);
    let (policy, named) = read_policy(flags, host, &draft, &mut reports);
    let engine = read_engine(flags, host, &draft, &mut reports);
    let doors = read_doors(flags, host, &draft, &mut reports);
    let admin = read_admin(host, &draft, policy.as_ref(), &mut reports);
    let places = places(&draft, host, &mut reports);
    // Where an address could not be read its default stands in, and would be blamed for what nobody wrote.
    if !broken(&reports) {
        no_loop(&engine, &doors, &mut reports);
    }
    reports.retain(|report| !report.diagnostics.is_empty());
    match (policy, places) {
        (Some(policy), Some((journal, state))) if !broken(&reports) => {
            let config = assemble(draft, policy, Places { engine, doors, admin, journal, state });
            Ok(Loaded { config, policy: named, reports })
        }
        _ => Err(reports),
    }
}

/// The files that [`load`] reads, whether they are there or not.
pub fn files(flags: &Flags, host: &Host) -> Vec<PathBuf> {
    let draft = read_config(flags, host, &mut Vec::new());
    let policy = policy_path(flags, host, &draft).map(|(path, _span)| path);
    [config_path(flags, host)].into_iter().chain(policy).collect()
}

impl Report {
    /// Logs what was found, each with its place.
    pub fn log(&self) {
        for found in &self.diagnostics {
            let start = found.span.as_ref().map(|span| self.source.place(span.start));
            let (line, column) = start.unzip();
            let (file, help) = (self.source.path.display(), found.help.as_deref());
            match found.severity {
                Severity::Error => tracing::error!(%file, line, column, help, "{}", found.message),
                Severity::Warning => tracing::warn!(%file, line, column, help, "{}", found.message),
            }
        }
    }

    /// The first mistake in one line, `file:line:column: message`; `None` if there are only warnings.
    pub fn first_error(&self) -> Option<String> {
        let error = self.diagnostics.iter().find(|found| found.severity == Severity::Error)?;
        let place = error.span.as_ref().map(|span| self.source.place(span.start));
        let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        Some(format!("{}{place}: {}", self.source.path.display(), error.message))
    }
}

/// Where the journal and its keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The journal.
    pub journal: PathBuf,
    /// Directory of the keys.
    pub keys: PathBuf,
}

/// Finds the journal as [`load`] does. The policy is not looked at: a mistake in it must keep nobody from the records.
///
/// # Errors
/// Every mistake of the file, warnings included.
pub fn records(config: Option<PathBuf>, host: &Host) -> Result<Records, Vec<Report>> {
    let mut reports = Vec::new();
    let draft = read_config(&Flags { config, ..Flags::default() }, host, &mut reports);
    match places(&draft, host, &mut reports) {
        Some((journal, state)) if !broken(&reports) => Ok(Records { journal, keys: state.join(KEYS) }),
        Some(_) | None => Err(reports),
    }
}

/// The journal and the state directory.
fn places(draft: &Draft, host: &Host, reports: &mut Vec<Report>) -> Option<(PathBuf, PathBuf)> {
    let journal = draft.journal.clone().or_else(|| host.journal());
    let state = draft.state.clone().or_else(|| host.state());
    let both = journal.zip(state);
    if both.is_none() {
        reports.push(whole(
            Path::new("tidewaiter.toml"),
            "no place for the journal and the state: neither XDG_STATE_HOME nor HOME is set".to_owned(),
            Some("set XDG_STATE_HOME, or write [audit] journal and [state] directory".to_owned()),
        ));
    }
    both
}

/// Where admins reach a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminDoors {
    /// The admin socket.
    pub socket: PathBuf,
    /// The console's port.
    pub console: Option<SocketAddr>,
}

/// Finds the admin doors of a running gate as [`load`] does, but for the policy.
///
/// # Errors
/// Every mistake of the file, warnings included, or that no place is known.
pub fn admin_doors(config: Option<PathBuf>, host: &Host) -> Result<AdminDoors, Vec<Report>> {
    let mut reports = Vec::new();
    let draft = read_config(&Flags { config, ..Flags::default() }, host, &mut reports);
    let place = draft.admin.or_else(|| host.admin());
    if place.is_none() && !broken(&reports) {
        reports.push(no_admin());
    }
    let console = draft.console;
    place.filter(|_| !broken(&reports)).map(|socket| AdminDoors { socket, console }).ok_or(reports)
}

struct Places {
    engine: engine::Address,
    doors: Vec<listen::Settings>,
    admin: Option<PathBuf>,
    journal: PathBuf,
    state: PathBuf,
}

fn assemble(draft: Draft, policy: Policy, places: Places) -> Config {
    // Enforce loses no record; monitor changes nothing that a client can see.
    let enforces = policy.refuses();
    let on_failure = draft.on_failure.unwrap_or(if enforces { OnFailure::Refuse } else { OnFailure::Forward });
    let limits = draft.limits;
    Config {
        engine: places.engine,
        doors: places.doors,
        policy,
        audit: audit::Settings {
            journal: places.journal,
            keys: places.state.join(KEYS),
            levels: draft.levels,
            sync: draft.sync,
            on_failure,
            rotate: draft.rotate,
            // A call in work and one that waits on every connection, and what streams on after its head.
            capacity: limits.connections.saturating_mul(2).saturating_add(limits.calls),
        },
        sinks: draft.sinks,
        admin: places.admin,
        console: draft.console,
        state: places.state,
        sensor: draft.sensor,
        limits,
    }
}

// === the files ===

fn config_path(flags: &Flags, host: &Host) -> PathBuf {
    match &flags.config {
        Some(path) => host.directory.join(path),
        None => host.default_file.clone(),
    }
}

/// The policy's file, and where the configuration names it.
fn policy_path(flags: &Flags, host: &Host, draft: &Draft) -> Option<(PathBuf, Option<Range<usize>>)> {
    match (&flags.policy, &draft.policy) {
        (Some(path), _) => Some((host.directory.join(path), None)),
        (None, Some(At { value, span })) => Some((value.clone(), Some(span.clone()))),
        (None, None) => None,
    }
}

fn read_config(flags: &Flags, host: &Host, reports: &mut Vec<Report>) -> Draft {
    let path = config_path(flags, host);
    let source = match trusted::read(&path, host.uid) {
        Ok(source) => source,
        // Only the default file may be absent, and only it may be somebody else's secret.
        Err(error) if flags.config.is_none() && (error.is_absent() || unreadable(&error, host)) => {
            return Draft::default();
        }
        Err(error) => {
            reports.push(whole(&path, error.to_string(), None));
            return Draft::default();
        }
    };
    let base = path.parent().unwrap_or(Path::new("/"));
    let (draft, diagnostics) = sections::read(&source, base, host);
    reports.push(Report { source, diagnostics });
    draft
}

fn unreadable(error: &Untrusted, host: &Host) -> bool {
    host.uid != 0
        && matches!(error, Untrusted::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn read_policy(
    flags: &Flags,
    host: &Host,
    draft: &Draft,
    reports: &mut Vec<Report>,
) -> (Option<Policy>, Option<PathBuf>) {
    let Some((path, span)) = policy_path(flags, host, draft) else {
        return (Some(Policy::builtin(flags.mode.unwrap_or(Mode::Monitor))), None);
    };
    let source = match trusted::read(&path, host.uid) {
        Ok(source) => source,
        Err(error) => {
            let message = format!("the policy cannot be used: {error}");
            match (span, reports.last_mut()) {
                // The config names it: the caret stands under that name.
                (Some(span), Some(report)) => report.diagnostics.push(error_at(span, message, None)),
                (Some(_) | None, _) => reports.push(whole(&path, message, None)),
            }
            return (None, Some(path));
        }
    };
    let (policy, mut diagnostics) = match Policy::parse(&source) {
        Ok((policy, warnings)) => (Some(policy), warnings),
        Err(mistakes) => (None, mistakes),
    };
    let policy = policy.map(|policy| match flags.mode {
        Some(mode) => policy.with_mode(mode),
        None => policy,
    });
    diagnostics.extend(policy.iter().flat_map(|policy| policy.warnings(host.now)));
    reports.push(Report { source, diagnostics });
    (policy, Some(path))
}

// === the places ===

fn read_engine(flags: &Flags, host: &Host, draft: &Draft, reports: &mut Vec<Report>) -> engine::Address {
    let default = || engine::Address::Unix(PathBuf::from("/var/run/docker.sock"));
    let configured = || draft.engine.clone().unwrap_or_else(default);
    let Some(text) = &flags.engine else { return configured() };
    match address::engine(text, &host.directory, false) {
        Ok(address::Engine::Unix(path)) => engine::Address::Unix(path),
        Ok(address::Engine::Tcp(address)) => engine::Address::Tcp(address),
        // Only with TLS, which a flag has not.
        Ok(address::Engine::Tls(..)) => configured(),
        Err(bad) => {
            reports.push(flag("--engine", text, bad));
            configured()
        }
    }
}

fn read_doors(flags: &Flags, host: &Host, draft: &Draft, reports: &mut Vec<Report>) -> Vec<listen::Settings> {
    if flags.listen.is_empty() {
        if let Some(doors) = &draft.doors {
            return doors.clone();
        }
        let Some(path) = host.door() else {
            let message = "no door: XDG_RUNTIME_DIR is not set, and no --listen or [listen.NAME] names one";
            let help = "write --listen unix:///path/of/docker.sock";
            reports.push(whole(Path::new("--listen"), message.to_owned(), Some(help.to_owned())));
            return Vec::new();
        };
        return vec![settings("local".to_owned(), Place::Unix(path))];
    }
    let mut doors: Vec<listen::Settings> = Vec::new();
    for (index, text) in flags.listen.iter().enumerate() {
        match address::door(text, &host.directory, false) {
            Ok(place) => {
                let name = if index == 0 { "local".to_owned() } else { format!("local-{}", index + 1) };
                doors.push(settings(name, place));
            }
            Err(bad) => reports.push(flag("--listen", text, bad)),
        }
    }
    doors
}

/// The admin socket, where the file names one, or something needs one: a policy, or nobody could approve; a console, or nobody
/// could ask for a link to it.
fn read_admin(host: &Host, draft: &Draft, policy: Option<&Policy>, reports: &mut Vec<Report>) -> Option<PathBuf> {
    let needed = draft.console.is_some() || policy.is_some_and(Policy::asks_approval);
    if draft.admin.is_some() || !needed {
        return draft.admin.clone();
    }
    let place = host.admin();
    if place.is_none() {
        reports.push(no_admin());
    }
    place
}

fn no_admin() -> Report {
    let message = "no place for the admin socket: XDG_RUNTIME_DIR is not set";
    let help = "write [admin] address = \"unix:///path/of/admin.sock\"";
    whole(Path::new("tidewaiter.toml"), message.to_owned(), Some(help.to_owned()))
}

fn settings(name: String, place: Place) -> listen::Settings {
    let address = match place {
        Place::Unix(path) => listen::Address::Unix { path, mode: DOOR_MODE, owner: None, group: None },
        Place::Tcp(address) => listen::Address::Tcp(address),
        Place::Inherited(name) => listen::Address::Inherited(name),
    };
    listen::Settings { name, address }
}

/// A door on the engine's own socket would take the engine's place and then call itself.
fn no_loop(engine: &engine::Address, doors: &[listen::Settings], reports: &mut Vec<Report>) {
    // `/var/run` is a link to `/run` nearly everywhere, and both names are in use for the same socket.
    let plain = |path: &Path| match path.strip_prefix("/var/run") {
        Ok(rest) => Path::new("/run").join(rest),
        Err(_) => path.to_owned(),
    };
    for door in doors {
        let same = match (&door.address, engine) {
            (listen::Address::Unix { path, .. }, engine::Address::Unix(engine)) => plain(path) == plain(engine),
            (door, engine::Address::Tcp(engine)) => door.tcp() == Some(*engine),
            (_, engine::Address::Unix(_) | engine::Address::Tls(_)) => false,
        };
        if same {
            reports.push(whole(
                Path::new(&door.address.to_string()),
                format!("the door '{}' has the engine's own address", door.name),
                Some("let the engine listen elsewhere (dockerd -H unix:///run/docker-engine/docker.sock)".to_owned()),
            ));
        }
    }
}

// === reports ===

fn broken(reports: &[Report]) -> bool {
    reports.iter().flat_map(|report| &report.diagnostics).any(|found| found.severity == Severity::Error)
}

fn error_at(span: Range<usize>, message: String, help: Option<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Error, span: Some(span), message, help }
}

fn whole(path: &Path, message: String, help: Option<String>) -> Report {
    Report {
        source: Source { path: path.to_owned(), text: String::new() },
        diagnostics: vec![Diagnostic { severity: Severity::Error, span: None, message, help }],
    }
}

fn flag(name: &str, text: &str, bad: Bad) -> Report {
    Report {
        source: Source { path: PathBuf::from(name), text: text.to_owned() },
        diagnostics: vec![error_at(0..text.len(), bad.message, bad.help)],
    }
}
