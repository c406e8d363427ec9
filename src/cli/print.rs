//! The only place that prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a command line tool says goes to its terminal")]

use std::fmt;
use std::io::{self, IsTerminal, Write as _};

use crate::config::Report;
use crate::diagnostic;

/// Prints one line of a result. Whoever has read enough (`| head`) is no failure.
pub(super) fn out(line: impl fmt::Display) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Ok(()) => {}
        Err(_) => println!("{line}"),
    }
}

/// Prints why something did not work.
pub(super) fn error(what: impl fmt::Display) {
    eprintln!("tidewaiter: {what}");
}

/// Prints what was found in the files, with carets.
pub(super) fn reports(reports: &[Report]) {
    let colour = coloured(&io::stderr());
    for report in reports {
        eprint!("{}", diagnostic::render(&report.source, &report.diagnostics, colour));
    }
}

/// Whether colours are wanted there: on a terminal, unless `NO_COLOR` says otherwise.
pub(super) fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
