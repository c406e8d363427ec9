//! `tidewaiter journal`: a place kept for verify, show and follow.

use std::process::ExitCode;

use super::print;

/// Arguments of `tidewaiter journal`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Reads the journal.
pub(super) fn run(_args: Args) -> ExitCode {
    print::error("not in this version");
    ExitCode::from(super::NO)
}
