//! `tidewaiter doctor`: is there a way around the gate on this host?

use std::io;
use std::process::ExitCode;

use serde_json::json;

use super::{BAD_CONFIG, NO, Shared, check, print};
use crate::config::{self, Host};
use crate::doctor::{self, Finding, Level};

/// Arguments of `tidewaiter doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    shared: Shared,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> ExitCode {
    let host = Host::current();
    let loaded = match config::load(&args.shared.into(), &host) {
        Ok(loaded) => loaded,
        Err(reports) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(format!("cannot start the runtime: {error}"));
            return ExitCode::from(NO);
        }
    };
    let findings = runtime.block_on(Box::pin(doctor::examine(&loaded, &host)));
    let bad = findings.iter().any(|finding| finding.level == Level::Bad);
    if args.json {
        print::out(json!({ "ok": !bad, "findings": findings }));
    } else {
        let colour = print::coloured(&io::stdout());
        findings.iter().for_each(|finding| tell(finding, colour));
        print::out(if bad {
            "there is a way around the gate, or its journal cannot be trusted"
        } else {
            "no way around the gate was found"
        });
    }
    if bad { ExitCode::from(NO) } else { ExitCode::SUCCESS }
}

fn tell(finding: &Finding, colour: bool) {
    let (word, paint) = match finding.level {
        Level::Ok => ("ok  ", "\x1b[32m"),
        Level::Warn => ("warn", "\x1b[33m"),
        Level::Bad => ("bad ", "\x1b[31m"),
    };
    let word = if colour { format!("{paint}{word}\x1b[0m") } else { word.to_owned() };
    print::out(format!("{word}  {}: {}", finding.topic, finding.what));
    if let Some(todo) = &finding.todo {
        print::out(format!("      to do: {todo}"));
    }
}
