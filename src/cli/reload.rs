//! `tidewaiter reload`: has the running gate read its files again, and says what came of it.
//!
//! The gate is found by the lock on its journal, told by SIGHUP, and answers with a record in that journal.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use super::{BAD_CONFIG, NO, check, print};
use crate::audit::{self, Follower};
use crate::config::{self, Host};
use crate::runtime::Process;

/// How long the gate may take to read two files.
const DEADLINE: Duration = Duration::from_secs(30);

/// Arguments of `tidewaiter reload`.
#[derive(Debug, clap::Args)]
pub(super) struct Reload {
    /// Configuration file of the gate [default: /etc/tidewaiter/tidewaiter.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the record of the reload as JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What the journal says of a reload.
#[derive(Debug, serde::Deserialize)]
struct Said {
    event: String,
    trigger: String,
    result: String,
    generation: u64,
    changed: Vec<String>,
    needs_restart: Vec<String>,
    error: Option<String>,
}

/// Why nobody reads anything.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no gate writes to {}; is it running, and with this configuration?", .0.display())]
    NoGate(PathBuf),
    #[error("the gate runs in another container, where its process cannot be seen; send it SIGHUP there")]
    Unseen,
    #[error("cannot tell the gate, process {pid}: {error}")]
    Untold { pid: i32, error: io::Error },
    #[error("cannot read {}: {error}", .journal.display())]
    Journal { journal: PathBuf, error: io::Error },
    #[error("the gate was told, and has not said within {} s what came of it; see its log", DEADLINE.as_secs())]
    Late,
}

/// Runs `tidewaiter reload`. 0: what was read is in force; 1: it is not; 78: the configuration cannot be used.
pub(super) fn run(reload: Reload) -> ExitCode {
    let journal = match config::records(reload.config, &Host::current()) {
        Ok(records) => records.journal,
        Err(reports) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    match ask(&journal) {
        Ok((said, line)) => {
            let loaded = said.result == "loaded";
            if reload.json {
                print::out(line);
            } else if loaded {
                said.lines().iter().for_each(print::out);
            } else {
                print::error(format!("{}; what was in force stays in force", said.error.unwrap_or_default()));
            }
            if loaded { ExitCode::SUCCESS } else { ExitCode::from(NO) }
        }
        Err(failure) => {
            print::error(failure);
            ExitCode::from(NO)
        }
    }
}

/// Tells the gate, and waits for its record.
fn ask(journal: &Path) -> Result<(Said, String), Failure> {
    let broken = |error| Failure::Journal { journal: journal.to_owned(), error };
    if audit::writer(journal).map_err(broken)?.is_none() {
        return Err(Failure::NoGate(journal.to_owned()));
    }
    let mut records = Follower::open_at_end(journal).map_err(broken)?;
    tell(journal)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let answer = async {
        loop {
            let line = records.next().await?.bytes;
            // Calls have other members.
            if let Ok(said) = serde_json::from_slice::<Said>(&line)
                && (said.event.as_str(), said.trigger.as_str()) == ("reload", "signal")
            {
                return Ok((said, String::from_utf8_lossy(&line).into_owned()));
            }
        }
    };
    runtime.block_on(async { timeout(DEADLINE, answer).await }).map_err(|_late| Failure::Late)?.map_err(broken)
}

fn tell(journal: &Path) -> Result<(), Failure> {
    let find = || match audit::writer(journal) {
        Ok(Some(pid @ 1..)) => Ok(pid),
        Ok(Some(_unseen)) => Err(Failure::Unseen),
        Ok(None) => Err(Failure::NoGate(journal.to_owned())),
        Err(error) => Err(Failure::Journal { journal: journal.to_owned(), error }),
    };
    let pid = find()?;
    let untold = |error| Failure::Untold { pid, error };
    let process = Process::open(pid).map_err(untold)?;
    // SIGHUP ends most processes. Still the gate's number, it was the gate's when it was opened.
    if find()? != pid {
        return Err(Failure::NoGate(journal.to_owned()));
    }
    process.hang_up().map_err(untold)
}

impl Said {
    /// What came of it, for people.
    fn lines(&self) -> Vec<String> {
        let changed = if self.changed.is_empty() { "nothing has changed".to_owned() } else { self.changed.join(", ") };
        let mut lines = vec![format!("generation {} is in force: {changed}", self.generation)];
        if !self.needs_restart.is_empty() {
            lines.push(format!("changed, and waiting for a restart: {}", self.needs_restart.join(", ")));
        }
        lines
    }
}
