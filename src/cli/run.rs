//! `tidewaiter run`: configuration, logs, runtime, and then [`crate::app`].

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::{BAD_CONFIG, NO, Shared, USAGE, check, print};
use crate::app::{self, Setup};
use crate::audit::Follower;
use crate::config::Report;

/// Arguments of `tidewaiter run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    shared: Shared,
    /// What to log (error, warn, info, debug, trace, or directives as in RUST_LOG) [default: RUST_LOG, else info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

pub(super) fn run(run: Run) -> ExitCode {
    let filter = match filter(run.log_level.as_deref()) {
        Ok(filter) => filter,
        Err(why) => {
            print::error(why);
            return ExitCode::from(USAGE);
        }
    };
    let (setup, warnings) = match Setup::load(run.shared.into()) {
        Ok(loaded) => loaded,
        Err(reports) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    log(filter);
    warn(&warnings);
    match serve(setup) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print::error(why);
            ExitCode::from(NO)
        }
    }
}

/// On a terminal with carets; elsewhere as log records, so that nothing else stands among them.
fn warn(reports: &[Report]) {
    if io::stderr().is_terminal() {
        print::reports(reports);
    } else {
        reports.iter().for_each(Report::log);
    }
}

fn serve(setup: Setup) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    if io::stdout().is_terminal() {
        runtime.spawn(show_calls(setup.config().audit.journal.clone()));
    }
    let ended = runtime.block_on(Box::pin(app::run(setup))).map_err(|error| error.to_string());
    // A look-up that hangs in the name service must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Prints the calls that matter, read from the journal so that a slow terminal holds up nobody.
async fn show_calls(journal: PathBuf) {
    let mut follower = loop {
        match Follower::open_at_end(&journal) {
            Ok(follower) => break follower,
            // It is made when the gate opens.
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let colour = print::coloured(&io::stdout());
    loop {
        match follower.next().await {
            Ok(record) => {
                if let Some(line) = record.record().and_then(|record| crate::sink::line(&record, colour)) {
                    print::out(line);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "calls are no longer shown; they are in the journal");
                return;
            }
        }
    }
}

/// A filter that is misspelt must not silently log nothing.
fn filter(flag: Option<&str>) -> Result<EnvFilter, String> {
    let (name, text) = match flag {
        Some(text) => ("--log-level", text.to_owned()),
        None => ("RUST_LOG", std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default()),
    };
    match text.as_str() {
        "" => Ok(EnvFilter::new("info")),
        text => EnvFilter::try_new(text).map_err(|error| format!("cannot read {name} '{text}': {error}")),
    }
}

fn log(filter: EnvFilter) {
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match io::stderr().is_terminal() {
        true => logs.compact().with_ansi(print::coloured(&io::stderr())).init(),
        false => logs.json().init(),
    }
}
