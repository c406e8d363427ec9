//! Files that nobody but root or the running user could have written.
//!
//! Whoever can write the policy is root on this host. The file is opened once, below a directory that was opened and looked at
//! before, and everything is asked of the open descriptors: nothing can be exchanged between the look and the read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::diagnostic::Source;

/// A configuration is a few KiB; more is a mistake, or an attack on our memory.
const MAX_FILE: u64 = 1 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// It cannot be opened or read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// A symbolic link may be turned elsewhere by whoever owns its directory.
    #[error("{0} is a symbolic link; name the file that it leads to")]
    Link(PathBuf),
    /// A directory, a device, a pipe.
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    /// Group or others may write.
    #[error("{path} can be written by others (mode {mode:04o}); run: chmod go-w {path}")]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A secret that group or others may read.
    #[error("{path} is secret and can be read by others (mode {mode:04o}); run: chmod go= {path}")]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("{path} belongs to uid {owner}, neither root nor uid {uid}, which we run as; run: chown {uid} {path}")]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who may own it beside root.
        uid: u32,
    },
    /// Larger than any configuration.
    #[error("{0} is larger than 1 MiB")]
    TooLarge(PathBuf),
    /// Not UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
}

impl Untrusted {
    /// Whether the file is simply not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a file that only root or `uid` can have written.
///
/// # Errors
/// If the file or its directory belongs to somebody else or can be written by others, or the file is not a text of reasonable
/// size. A sticky directory such as `/tmp` may be written by others: they cannot exchange what is not theirs.
pub fn read(path: &Path, uid: u32) -> Result<Source, Untrusted> {
    open_and_read(path, uid, false)
}

/// Reads a file that only root or `uid` can have written or read.
///
/// # Errors
/// As [`read`], and if its group or others may read it.
pub(super) fn read_secret(path: &Path, uid: u32) -> Result<Source, Untrusted> {
    open_and_read(path, uid, true)
}

fn open_and_read(path: &Path, uid: u32, is_secret: bool) -> Result<Source, Untrusted> {
    let Some(name) = path.file_name() else {
        return Err(Untrusted::NotAFile(path.to_owned()));
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let unreadable = |path: &Path, error: io::Error| Untrusted::Unreadable { path: path.to_owned(), error };

    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open(parent, flags, Mode::empty()).map_err(|error| unreadable(parent, error.into()))?;
    let directory = File::from(directory);
    let found = directory.metadata().map_err(|error| unreadable(parent, error))?;
    judge(parent, &found, uid, found.mode() & 0o1000 != 0)?;

    // O_NONBLOCK: to open a named pipe must not wait for its writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(&directory, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ELOOP) => return Err(Untrusted::Link(path.to_owned())),
        Err(error) => return Err(unreadable(path, error.into())),
    };
    let found = file.metadata().map_err(|error| unreadable(path, error))?;
    if !found.is_file() {
        return Err(Untrusted::NotAFile(path.to_owned()));
    }
    judge(path, &found, uid, false)?;
    if is_secret && found.mode() & 0o077 != 0 {
        return Err(Untrusted::Readable { path: path.to_owned(), mode: found.mode() & 0o7777 });
    }

    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(Untrusted::TooLarge(path.to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path: path.to_owned(), text }),
        Err(_) => Err(Untrusted::NotText(path.to_owned())),
    }
}

fn judge(path: &Path, found: &Metadata, uid: u32, sticky: bool) -> Result<(), Untrusted> {
    let owner = found.uid();
    if owner != 0 && owner != uid {
        return Err(Untrusted::Owner { path: path.to_owned(), owner, uid });
    }
    if found.mode() & 0o022 != 0 && !sticky {
        return Err(Untrusted::Writable { path: path.to_owned(), mode: found.mode() & 0o7777 });
    }
    Ok(())
}
