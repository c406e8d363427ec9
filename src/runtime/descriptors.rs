//! How many files the process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one: a connection takes two, and the soft one is 1024 by tradition only.
///
/// # Errors
/// If the kernel refuses; the old limit holds then.
pub fn raise_limit() -> nix::Result<u64> {
    let (_soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
