//! `tidewaiter learn`: the least that lets pass what was recorded, as a policy.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{NO, given, print};
use crate::offline::{Learned, Learner};

const EXAMPLES: &str = "\
Examples:
  tidewaiter journal verify /var/log/tidewaiter/journal.jsonl
  tidewaiter learn /var/log/tidewaiter/journal.jsonl > learned.toml
  tidewaiter check --policy learned.toml
  tidewaiter replay /var/log/tidewaiter/journal.jsonl --policy learned.toml

Run the gate in monitor mode for as long as it takes to see everything usual. Calls that had been refused are not learned,
nor are those that nobody can judge (request.*, facts.missing, api.unknown): both are told.";

/// Arguments of `tidewaiter learn`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Learn {
    /// The journal, beside which those that were set aside are found.
    journal: PathBuf,
    /// Write patterns in place of lines that differ in one part: tags, networks of one project, files of one folder, ports.
    #[arg(long)]
    generalise: bool,
}

pub(super) fn run(learn: &Learn) -> ExitCode {
    let mut learner = Learner::new(jiff::Timestamp::now());
    if let Err(error) = given::journal(&learn.journal, |line| learner.line(line)) {
        print::error(format!("{}: {error}", learn.journal.display()));
        return ExitCode::from(NO);
    }
    match learner.finish(learn.generalise) {
        Ok(learned) => {
            tell(&learned);
            print::out(learned.toml.trim_end());
            ExitCode::SUCCESS
        }
        Err(why) => {
            print::error(why);
            ExitCode::from(NO)
        }
    }
}

fn tell(learned: &Learned) {
    print::error(format!("learned from {} calls by {} callers", learned.calls, learned.callers));
    if learned.refused > 0 {
        print::error(format!("{} calls that had been refused were left aside", learned.refused));
    }
    for (check, (calls, example)) in &learned.unlearned {
        print::error(format!("still refused: {calls} by {check}, which is not learned; e.g. {example}"));
    }
    for (why, (calls, example)) in &learned.unreplayable {
        print::error(format!("not learned: {calls}: {why}; e.g. {example}"));
    }
}
