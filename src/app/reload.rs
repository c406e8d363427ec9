//! Reading both files again while calls go on: all or nothing, and no connection is dropped.
//!
//! A file that cannot be used changes nothing. What cannot change while the gate runs (doors, engine, journal, state) is
//! told and left as it is; everything else is taken at once. Calls that were judged go on; open streams are judged again, in
//! `proxy/standing.rs`.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::certificates;
use crate::audit::{self, Audit, LifecycleEvent, ReloadResult, ReloadTrigger};
use crate::config::{self, Config, Flags, Host, Limits, Loaded, Report};
use crate::policy::An0693;
use crate::proxy::{self, Gate, Rules};
use crate::runtime::{Files, Hangup, Live};

/// Most changes that one record names.
const MAX_NAMED: usize = 64;

/// What to run by, and where it came from.
#[derive(Debug)]
pub struct Setup {
    flags: Flags,
    files: Files,
    config: Config,
}

/// Something that was built from the configuration, and can be built anew while it is in use.
pub(super) trait Part: Send + Sync {
    /// Builds the whole new value, and returns what puts it in force. That cannot fail, and until it is called nothing has
    /// changed: it is called only if all parts could be built.
    fn build(&self, config: &Config) -> Result<Box<dyn FnOnce() + Send>, String>;
}

/// Waits until there is something new to read, reads it, and puts it in force.
pub(super) struct Reloader {
    /// In force.
    config: Config,
    flags: Flags,
    files: Files,
    parts: Vec<Box<dyn Part>>,
    audit: Audit,
}

impl Setup {
    /// Reads both files. On success the warnings come beside it.
    ///
    /// # Errors
    /// Every mistake of both files and of the flags, warnings included.
    pub fn load(flags: Flags) -> Result<(Self, Vec<Report>), Vec<Report>> {
        let (files, loaded) = read(&flags, Vec::new());
        let Loaded { config, reports, .. } = loaded?;
        Ok((Self { flags, files, config }, reports))
    }

    /// What to run by.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

/// Reads everything. The files are looked at before they are read, so that no change of theirs is missed; which certificates
/// there are, beside those in force, stands in one of them.
fn read(flags: &Flags, mut certificates: Vec<PathBuf>) -> (Files, Result<Loaded, Vec<Report>>) {
    let host = Host::current();
    loop {
        let looked = config::files(flags, &host).into_iter().chain(certificates.iter().cloned()).collect();
        let (files, loaded) = (Files::look(looked), config::load(flags, &host));
        let named = loaded.as_ref().map(|loaded| loaded.config.certificate_files()).unwrap_or_default();
        if named.iter().all(|file| certificates.contains(file)) {
            return (files, loaded);
        }
        certificates = named;
    }
}

impl Reloader {
    pub(super) fn new(setup: Setup, audit: Audit, parts: Vec<Box<dyn Part>>) -> Self {
        let Setup { flags, files, config } = setup;
        Self { config, flags, files, parts, audit }
    }

    /// What is in force.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Reloads whenever it is told to, or a file has changed. Dropped, it leaves in force what is.
    pub(super) async fn run(&mut self, mut hangup: Hangup) -> Infallible {
        loop {
            let trigger = tokio::select! {
                () = hangup.requested() => ReloadTrigger::Signal,
                () = self.files.changed() => ReloadTrigger::File,
            };
            self.reload(trigger).await;
        }
    }

    async fn reload(&mut self, trigger: ReloadTrigger) {
        let (flags, certificates) = (self.flags.clone(), self.config.certificate_files());
        let Ok((files, loaded)) = spawn_blocking(move || read(&flags, certificates)).await else {
            // The runtime is shutting down.
            return;
        };
        self.files = files;
        let reports = match &loaded {
            Ok(loaded) => &loaded.reports,
            Err(reports) => reports,
        };
        reports.iter().for_each(Report::log);
        let first = |reports: Vec<Report>| reports.iter().find_map(Report::first_error).unwrap_or_default();
        let taken = match loaded.map_err(first) {
            Ok(loaded) => self.take(trigger, loaded.config).await,
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            tracing::error!(error, "the files cannot be used; what was in force stays in force");
            self.record(trigger, Err(error)).await;
        }
    }

    async fn take(&mut self, trigger: ReloadTrigger, mut new: Config) -> Result<(), String> {
        new.policy = new.policy.with_generation(self.config.policy.generation().saturating_add(1));
        let built = self.parts.iter().map(|part| part.build(&new)).collect::<Result<Vec<_>, _>>()?;
        let changes = Changes::between(&self.config, &new);
        self.config = merge(&self.config, new);
        // The record first: whoever reads the journal has seen a generation begin before a call was judged by it.
        self.record(trigger, Ok(changes)).await;
        built.into_iter().for_each(|put_in_force| put_in_force());
        Ok(())
    }

    async fn record(&self, trigger: ReloadTrigger, taken: Result<Changes, String>) {
        let (generation, sha256) = (self.config.policy.generation(), self.config.policy.sha256().to_string());
        let (result, Changes { changed, needs_restart }, error) = match taken {
            Ok(changes) => (ReloadResult::Loaded, changes, None),
            Err(error) => (ReloadResult::Failed, Changes::default(), Some(error)),
        };
        if !needs_restart.is_empty() {
            tracing::warn!(?needs_restart, "settings were changed that take a restart; all others are in force");
        }
        if error.is_none() {
            tracing::info!(generation, sha256, ?changed, "reloaded");
        }
        let event = LifecycleEvent::Reload { trigger, result, generation, sha256, changed, needs_restart, error };
        self.audit.lifecycle(event).await;
    }
}

/// What a reload finds changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    changed: Vec<String>,
    needs_restart: Vec<String>,
}

impl Changes {
    fn between(old: &Config, new: &Config) -> Self {
        // Taken apart whole: no setting can be added without saying here what a reload makes of it.
        let Config { engine, doors, policy, audit, state, sensor, sinks, admin, console, limits } = new;
        let audit::Settings { journal, keys: _, levels, sync, on_failure, rotate, capacity: _ } = audit;
        let Limits { connections, calls, body: _, headers: _, head_timeout: _, body_timeout: _, drain: _ } = *limits;
        let fixed = [
            ("engine", *engine != old.engine),
            ("listen", *doors != old.doors),
            ("audit.journal", *journal != old.audit.journal),
            ("audit.sync", *sync != old.audit.sync),
            ("audit.rotate", *rotate != old.audit.rotate),
            ("sink", *sinks != old.sinks),
            ("admin", *admin != old.admin || *console != old.console),
            ("state.directory", *state != old.state),
            ("watch.sensor", *sensor != old.sensor),
            ("limits.connections", connections != old.limits.connections),
            ("limits.calls", calls != old.limits.calls),
        ];
        let taken = [
            ("policy", policy.sha256() != old.policy.sha256()),
            ("audit.level", *levels != old.audit.levels),
            ("audit.on-failure", *on_failure != old.audit.on_failure),
            ("limits", Limits { connections, calls, ..old.limits } != *limits),
        ];
        let named = |all: &[(&str, bool)]| {
            all.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
        };
        let mut changed = named(&taken);
        changed.extend(certificates::changed(old, new));
        changed.extend(policy.changes_since(&old.policy));
        if changed.len() > MAX_NAMED {
            let more = changed.len() - MAX_NAMED;
            changed.truncate(MAX_NAMED);
            changed.push(format!("{more} more"));
        }
        Self { changed, needs_restart: named(&fixed) }
    }
}

/// What is in force after a reload: what waits for a restart is as it was, so that it is told again next time.
fn merge(old: &Config, new: Config) -> Config {
    let Limits { connections, calls, .. } = old.limits;
    let audit::Settings { levels, on_failure, .. } = new.audit;
    Config {
        policy: new.policy,
        limits: Limits { connections, calls, ..new.limits },
        audit: audit::Settings { levels, on_failure, ..old.audit.clone() },
        ..old.clone()
    }
}

// === the parts ===

/// What calls are decided by.
pub(super) fn rules(config: &Config) -> Rules {
    let Limits { body, headers, head_timeout, body_timeout, .. } = config.limits;
    Rules { policy: config.policy.clone(), limits: proxy::Limits { body, headers, head_timeout, body_timeout } }
}

impl Part for Arc<Gate> {
    fn build(&self, config: &Config) -> Result<Box<dyn FnOnce() + Send>, String> {
        let (gate, rules) = (Self::clone(self), rules(config));
        Ok(Box::new(move || gate.rules.replace(rules)))
    }
}

impl Part for Arc<Live<An0693>> {
    fn build(&self, config: &Config) -> Result<Box<dyn FnOnce() + Send>, String> {
        let (live, an0693) = (Self::clone(self), config.policy.an0693().clone());
        Ok(Box::new(move || live.replace(an0693)))
    }
}

impl Part for Audit {
    fn build(&self, config: &Config) -> Result<Box<dyn FnOnce() + Send>, String> {
        let (audit, settings) = (self.clone(), config.audit.clone());
        Ok(Box::new(move || audit.adopt(&settings)))
    }
}
