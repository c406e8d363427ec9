//! The journal's file: appended to by one process, cut back after a failed write, set aside when it is full.
//!
//! A file that is set aside is called `<journal>.<number of its first line>`, 20 digits. Such a name is given once and never
//! changes, so a reader's cursor stays good; names sort in order of the chain, and a missing file shows in the numbers.
//! (With `.1 … .N` every rotation would rename every file under the hands of who reads them.)

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::keys::{libc_nofollow, refuse_foreign, sync_parent};

#[expect(clippy::cast_possible_truncation, reason = "the kernel's constants are small; libc gives them in two types")]
const WRITE: libc::c_short = libc::F_WRLCK as libc::c_short;

/// Digits of the number in the name of a file that was set aside.
const DIGITS: usize = 20;

/// What the writer needs of a file. The second implementation is the tests', which fails on demand.
pub(super) trait Storage: Send + 'static {
    /// Appends all of `bytes` or, as far as readers will ever see, nothing.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Brings what was appended to the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Bytes in the current file.
    fn len(&self) -> u64;
    /// Sets the current file, whose first line is number `first`, aside and begins an empty one; keeps `keep` old ones.
    fn rotate(&mut self, first: u64, keep: u32) -> io::Result<()>;
}

/// The file, and the lock that makes us its only writer.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    /// Length after the last good write.
    len: u64,
    /// Whether there may be bytes beyond `len`.
    ragged: bool,
    _lock: File,
}

impl JournalFile {
    /// Opens or creates the journal, and locks it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !parent.try_exists()? {
            DirBuilder::new().recursive(true).mode(0o750).create(parent)?;
        }
        refuse_foreign(parent, &parent.metadata()?, 0o022)?;
        let lock = lock(path)?;
        let file = append_to(path)?;
        let meta = file.metadata()?;
        refuse_foreign(path, &meta, 0o022)?;
        sync_parent(path)?;
        Ok(Self { path: path.to_owned(), file, len: meta.len(), ragged: false, _lock: lock })
    }

    /// Keeps everything from `good` on in a file of its own, and cuts it off.
    pub(super) fn heal(&mut self, good: u64, time: jiff::Timestamp) -> io::Result<()> {
        let torn = suffixed(&self.path, &format!("torn-{}", time.as_nanosecond()));
        let mut aside = OpenOptions::new().write(true).create_new(true).mode(0o600).open(torn)?;
        let mut source = File::open(&self.path)?;
        io::Seek::seek(&mut source, io::SeekFrom::Start(good))?;
        io::copy(&mut source, &mut aside)?;
        aside.sync_all()?;
        self.file.set_len(good)?;
        self.file.sync_all()?;
        self.len = good;
        sync_parent(&self.path)
    }
}

impl Storage for JournalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.ragged {
            self.file.set_len(self.len)?;
            self.ragged = false;
        }
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.len += bytes.len() as u64;
                Ok(())
            }
            Err(e) => {
                // Cut at once, so that readers see no half line; if even that fails, before the next write.
                self.ragged = self.file.set_len(self.len).is_err();
                Err(e)
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn rotate(&mut self, first: u64, keep: u32) -> io::Result<()> {
        let aside = suffixed(&self.path, &format!("{first:0DIGITS$}"));
        // An earlier attempt may have got as far as this; the name is never given twice.
        if !aside.try_exists()? {
            std::fs::rename(&self.path, &aside)?;
        }
        let file = append_to(&self.path)?;
        let len = file.metadata()?.len();
        sync_parent(&self.path)?;
        self.file = file;
        self.len = len;
        self.ragged = false;
        prune(&self.path, keep);
        Ok(())
    }
}

/// The files of a journal that were set aside, in order, each with the number of its first line.
pub(super) fn set_aside(journal: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let parent = match journal.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut prefix = journal.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .filter(|digits| digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if let Some(first) = number {
            files.push((first, parent.join(name)));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// `<path>.<suffix>`
fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(suffix);
    name.into()
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(libc_nofollow()).open(path)
}

/// The lock has a file of its own, because the journal's name moves from file to file.
///
/// It is locked twice: `flock` holds as long as the file is open, a lock of `fcntl` tells others whose it is ([`writer`]).
fn lock(path: &Path) -> io::Result<File> {
    let file = append_to(&suffixed(path, "lock"))?;
    match file.try_lock() {
        Ok(()) => {
            fcntl(&file, FcntlArg::F_SETLK(&whole()))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another gate is writing to it")),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// The process that writes a journal; `None` if there is none. The number is its number here, and 0 if it is of another PID
/// namespace, that we do not see into.
///
/// # Errors
/// If the journal's lock cannot be looked at.
pub fn writer(journal: &Path) -> io::Result<Option<i32>> {
    let file = match OpenOptions::new().read(true).custom_flags(libc_nofollow()).open(suffixed(journal, "lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut lock = whole();
    fcntl(&file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid.max(0)))
}

/// A lock of a whole file.
const fn whole() -> libc::flock {
    libc::flock { l_type: WRITE, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 }
}

/// Removes the oldest files. That one cannot be removed is no reason to stop recording.
fn prune(journal: &Path, keep: u32) {
    let files = set_aside(journal).unwrap_or_default();
    let surplus = files.len().saturating_sub(keep as usize);
    for (_, path) in files.iter().take(surplus) {
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(%error, path = %path.display(), "cannot remove an old journal file");
        }
    }
}
