//! What is given to the offline tools: a policy file that need not be in force, and a journal.

use std::io;
use std::path::Path;

use super::{check, print};
use crate::audit::{self, Fault, Follower};
use crate::config::Report;
use crate::diagnostic::Source;
use crate::policy::Policy;

/// Largest file: a whole request of the largest body and more.
const MOST: u64 = 16 << 20;

/// Reads a policy, whoever may have written it: nothing here goes by it but an answer. `None` if it cannot be used, which
/// has been said then.
pub(super) fn policy(path: &Path) -> Option<(Policy, Source)> {
    let text = match text(path) {
        Ok(text) => text,
        Err(error) => {
            print::error(format!("{}: {error}", path.display()));
            return None;
        }
    };
    let source = Source { path: path.to_owned(), text };
    match Policy::parse(&source) {
        Ok((policy, _warnings)) => Some((policy, source)),
        Err(diagnostics) => {
            let reports = [Report { source, diagnostics }];
            print::reports(&reports);
            print::error(check::count(&reports));
            None
        }
    }
}

/// The text of a file, as [`read`].
pub(super) fn text(path: &Path) -> io::Result<String> {
    read(path).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
}

/// A file of some megabytes at most; `-` is standard input.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;

    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)
    };
    match read? as u64 {
        read if read > MOST => Err(io::Error::other(format!("larger than {} MiB", MOST >> 20))),
        _small => Ok(bytes),
    }
}

/// Reads a journal from the oldest file that is kept. If somebody has changed it, that is said: what comes of it may not be
/// what was recorded.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(super) fn journal(path: &Path, mut line: impl FnMut(&[u8])) -> io::Result<()> {
    if let Some(Fault { file, line, why }) = audit::verify(&audit::files(path)?, None)?.fault {
        let place = format!("{}:{line}", file.display());
        print::error(format!(
            "warning: {place}: {why}; not all of this is as it was recorded: tidewaiter journal verify"
        ));
    }
    let mut follower = Follower::open_from_start(path)?;
    while let Some(next) = follower.try_next()? {
        line(&next.bytes);
    }
    Ok(())
}
