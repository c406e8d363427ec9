//! The command line: one file per subcommand.
//!
//! Exit codes: 0 good, 1 no, 2 wrong usage, 78 a configuration that cannot be used (`EX_CONFIG` of sysexits.h).

mod approve;
mod check;
mod compat;
mod console;
mod doctor;
mod explain;
mod export;
mod generate;
mod given;
mod help;
mod install;
mod journal;
mod launches;
mod learn;
mod print;
mod reload;
mod replay;
mod run;
mod store;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Flags;
use crate::policy::Mode;

const NO: u8 = 1;
const USAGE: u8 = 2;
const BAD_CONFIG: u8 = 78;

const EXAMPLES: &str = "\
Examples:
  tidewaiter run --listen unix:///tmp/tw.sock          refuse nothing, record everything
  tidewaiter explain -- docker run -v /:/h busybox     would this pass, why not
  tidewaiter help mount.host-path                      what a check means
  tidewaiter learn /var/log/tidewaiter/journal.jsonl   the least for what was seen

tidewaiter(1), tidewaiter.toml(5), tidewaiter-policy(5)";

/// An auditing proxy in front of the Docker Engine API.
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the doors and judge every call until told to stop.
    Run(run::Run),
    /// Validate the configuration and the policy; every mistake at once.
    Check(check::Check),
    /// Have the running gate read its configuration and policy again; no connection is dropped.
    Reload(reload::Reload),
    /// Read the journal.
    Journal(journal::Args),
    /// Show who launched what and what it did first; one launch as a dossier.
    Launches(launches::Args),
    /// Say what a policy makes of a call, and why; exit 1 if it would be refused.
    Explain(explain::Explain),
    /// Run policy tests: files that say who asks what and what is to come of it; exit 1 if one fails.
    Test(test::Test),
    /// Write the least policy that lets pass what was recorded.
    Learn(learn::Learn),
    /// Judge what was recorded by another policy; exit 1 if a call that passed would be refused.
    Replay(replay::Replay),
    /// Let a call pass once that waits for approval, or list what waits.
    Approve(approve::Approve),
    /// Refuse a call that waits for approval, or take an approval back.
    Reject(approve::Reject),
    /// Print a link to the console, good once and for five minutes.
    Console(console::Args),
    /// Look after the index of who made what.
    Store(store::Args),
    /// Look for ways around the gate on this host; exit 1 if there is one.
    Doctor(doctor::Args),
    /// Put the gate in Docker's place: systemd units, Docker's socket.
    Install(install::Args),
    /// Give Docker its place back.
    Uninstall(install::Args),
    /// Say what a check means, why it is dangerous and how to allow it narrowly; or help for a command.
    Help(help::Help),
    /// Write man pages and completions.
    #[command(hide = true)]
    Generate(generate::Generate),
}

/// What `run` and `check` have in common.
#[derive(Debug, Args)]
struct Shared {
    /// Configuration file [default: /etc/tidewaiter/tidewaiter.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of a door (unix://PATH, or tcp://ADDRESS:PORT on loopback); replaces the doors of the file. May be repeated.
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Address of the Docker Engine (unix://PATH, or tcp://ADDRESS:PORT on loopback); replaces that of the file.
    #[arg(long, value_name = "ADDRESS")]
    engine: Option<String>,
    /// Policy file; replaces that of the file.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Mode of the policy, its profiles' own modes included.
    #[arg(long)]
    mode: Option<ModeArg>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// Refuse what is denied.
    Enforce,
    /// Forward everything; record what would have been refused.
    Monitor,
}

impl From<Shared> for Flags {
    fn from(shared: Shared) -> Self {
        Self {
            config: shared.config,
            listen: shared.listen,
            engine: shared.engine,
            policy: shared.policy,
            mode: shared.mode.map(|mode| match mode {
                ModeArg::Enforce => Mode::Enforce,
                ModeArg::Monitor => Mode::Monitor,
            }),
        }
    }
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors too; they are printed to standard output and are good.
            let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
            return error.print().map_or(ExitCode::from(NO), |()| code);
        }
    };
    match cli.command {
        Command::Run(run) => run::run(run),
        Command::Check(check) => check::run(check),
        Command::Reload(reload) => reload::run(reload),
        Command::Journal(args) => journal::run(args),
        Command::Launches(args) => launches::run(args),
        Command::Explain(explain) => explain::run(explain),
        Command::Test(test) => test::run(&test),
        Command::Help(help) => help::run(&help),
        Command::Learn(learn) => learn::run(&learn),
        Command::Replay(replay) => replay::run(&replay),
        Command::Approve(approve) => approve::approve(approve),
        Command::Reject(reject) => approve::reject(reject),
        Command::Console(args) => console::run(args),
        Command::Store(args) => store::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Install(args) => install::run(&args, install::Way::In),
        Command::Generate(args) => generate::run(&args),
        Command::Uninstall(args) => install::run(&args, install::Way::Out),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
