//! `tidewaiter help`: a check in a paragraph, or a command.

use std::process::ExitCode;

use clap::CommandFactory as _;
use globset::Glob;

use super::{Cli, USAGE, print};
use crate::policy::{Check, help};

/// Arguments of `tidewaiter help`.
#[derive(Debug, clap::Args)]
pub(super) struct Help {
    /// A check (privileged, mount.host-path), a pattern of checks (namespace.*), or a command.
    #[arg(value_name = "CHECK|COMMAND")]
    topic: Option<String>,
}

pub(super) fn run(help: &Help) -> ExitCode {
    let mut command = Cli::command();
    command.build();
    let Some(topic) = help.topic.as_deref() else {
        print::out(command.render_long_help());
        return ExitCode::SUCCESS;
    };
    let is_command = command.find_subcommand(topic).is_some();
    if let Some(found) = command.find_subcommand_mut(topic).filter(|_| is_command) {
        print::out(found.render_long_help());
        return ExitCode::SUCCESS;
    }
    let matcher = Glob::new(topic).ok().map(|glob| glob.compile_matcher());
    let fits = |check: &&Check| matcher.as_ref().is_some_and(|matcher| matcher.is_match(check.id()));
    let checks: Vec<&Check> = Check::ALL.iter().filter(fits).collect();
    if checks.is_empty() {
        let near = Check::ALL.iter().min_by_key(|check| strsim::damerau_levenshtein(check.id(), topic));
        let near = near.map(|check| format!("; did you mean '{}'?", check.id())).unwrap_or_default();
        print::error(format!("'{topic}' is neither a check nor a command{near}"));
        return ExitCode::from(USAGE);
    }
    let paragraphs: Vec<String> = checks.into_iter().map(|check| paragraph(*check)).collect();
    print::out(paragraphs.join("\n"));
    ExitCode::SUCCESS
}

fn paragraph(check: Check) -> String {
    let told = help(check);
    let attack =
        if check.attack().is_empty() { String::new() } else { format!(", ATT&CK {}", check.attack().join(", ")) };
    let (baseline, restricted) = check.builtin();
    format!(
        "{} – {}\n  risk {}{attack}; baseline: {}, restricted: {}\n  {}\n  Danger: {}\n  To allow it: {}\n",
        check.id(),
        check.title(),
        check.risk(),
        baseline.word(),
        restricted.word(),
        told.means,
        told.danger,
        told.narrowly,
    )
}
