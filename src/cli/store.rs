//! `tidewaiter store`: the index of who made what.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::{BAD_CONFIG, NO, check, print};
use crate::app;
use crate::config::{self, Config, Flags, Host};
use crate::store::Store;

/// Arguments of `tidewaiter store`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fill the index anew from the journal; a running gate goes on and knows it at once
    Rebuild {
        /// Configuration file [default: /etc/tidewaiter/tidewaiter.toml, if it is there]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs `tidewaiter store`.
pub(super) fn run(args: Args) -> ExitCode {
    let Command::Rebuild { config } = args.command;
    let loaded = match config::load(&Flags { config, ..Flags::default() }, &Host::current()) {
        Ok(loaded) => loaded,
        Err(reports) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    match rebuild(&loaded.config) {
        Ok(launches) => {
            print::out(format!("{launches} containers were made through this gate, as its journal has it"));
            ExitCode::SUCCESS
        }
        Err(why) => {
            print::error(why);
            ExitCode::from(NO)
        }
    }
}

fn rebuild(config: &Config) -> Result<u64, app::RunError> {
    let store = Store::open(&config.state)?;
    app::rebuild_store(&store, &config.audit.journal)
}
