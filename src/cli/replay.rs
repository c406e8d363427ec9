//! `tidewaiter replay`: what another policy would have made of what was recorded.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{BAD_CONFIG, NO, given, print};
use crate::offline::{self, Change, Replayed};

const EXAMPLES: &str = "\
Examples:
  tidewaiter replay /var/log/tidewaiter/journal.jsonl --policy new.toml
  tidewaiter replay journal.jsonl --policy new.toml --json | jq .newly_refused

The policy is judged as if it enforced, whatever mode it says. Exit 1 if a call that passed would be refused.";

/// Arguments of `tidewaiter replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Replay {
    /// The journal, beside which those that were set aside are found.
    journal: PathBuf,
    /// The policy to ask.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(replay: &Replay) -> ExitCode {
    let Some((policy, _source)) = given::policy(&replay.policy) else { return ExitCode::from(BAD_CONFIG) };
    let mut replaying = offline::Replay::new(policy, jiff::Timestamp::now());
    if let Err(error) = given::journal(&replay.journal, |line| replaying.line(line)) {
        print::error(format!("{}: {error}", replay.journal.display()));
        return ExitCode::from(NO);
    }
    let done = replaying.finish();
    if replay.json {
        print::out(serde_json::json!(done));
    } else {
        tell(&done);
    }
    if done.refused > 0 { ExitCode::from(NO) } else { ExitCode::SUCCESS }
}

fn tell(done: &Replayed) {
    let Replayed { judged, refused, passed, .. } = done;
    print::out(format!(
        "{judged} calls: {refused} that passed would be refused, {passed} that were refused would pass"
    ));
    for (title, changes) in [("would be refused", &done.newly_refused), ("would pass", &done.newly_passed)] {
        if !changes.is_empty() {
            print::out(format!("{title}:"));
            changes.iter().map(one).for_each(print::out);
        }
    }
    for (why, (calls, example)) in &done.unreplayable {
        print::out(format!("not judged again: {calls}: {why}; e.g. {example}"));
    }
}

fn one(change: &Change) -> String {
    let Change { principal, check, calls, first, examples } = change;
    format!("  {principal:<16} {check:<28} {calls:>5}  {}; e.g. {}", first.escape_debug(), examples.join(", "))
}
