//! Follows a journal while it is written, over rotations. The kernel says when to look (inotify), so that an idle follower
//! costs nothing and a busy one lags by no pause.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::net::unix::pipe;

use super::chain;
use super::file::set_aside;
use super::line::{Read1, read};

/// Pause between looks where the kernel cannot say when: no watch is left, or the directory is not ours to read.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that are read at once when looking back for the end of a line.
const LOOK_BACK: u64 = 1 << 16;

/// Reads a journal's lines as they are written.
#[derive(Debug)]
pub struct Follower {
    journal: PathBuf,
    current: Current,
    /// `None` until a line is waited for.
    changes: Option<Changes>,
}

/// One line of a journal, as it stands in the file, without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number; `None` if it does not begin like a journal line.
    pub seq: Option<u64>,
    /// The line.
    pub bytes: Vec<u8>,
}

impl Line {
    /// The record; `None` if the line is no JSON.
    pub fn record(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.bytes).ok()
    }

    /// Its hash; `None` if it does not end like a journal line.
    pub fn hash(&self) -> Option<&str> {
        chain::hash(&self.bytes)
    }
}

#[derive(Debug)]
struct Current {
    file: BufReader<File>,
    inode: u64,
    /// Where the next line begins.
    at: u64,
    /// Number of the file's first line; `None` until it has one.
    first: Option<u64>,
    /// The journal's name has moved on: what is left here is all there will be.
    finished: bool,
}

impl Follower {
    /// Follows from the oldest line that is kept.
    ///
    /// # Errors
    /// If there is no journal, or it cannot be read.
    pub fn open_from_start(journal: &Path) -> io::Result<Self> {
        let current = match set_aside(journal)?.first() {
            Some((_, oldest)) => Current::open(oldest)?,
            None => Current::open(journal)?,
        };
        Ok(Self { journal: journal.to_owned(), current, changes: None })
    }

    /// Follows from the beginning of the file that holds record `seq`, or from the oldest line that is kept if it is no longer
    /// there.
    ///
    /// # Errors
    /// If there is no journal, or it cannot be read.
    pub fn open_near(journal: &Path, seq: u64) -> io::Result<Self> {
        let newest = Current::open(journal)?;
        let current = if newest.first.is_some_and(|first| first <= seq) {
            newest
        } else {
            let files = set_aside(journal)?;
            match files.iter().rfind(|(first, _)| *first <= seq).or(files.first()) {
                Some((_, path)) => Current::open(path)?,
                None => newest,
            }
        };
        Ok(Self { journal: journal.to_owned(), current, changes: None })
    }

    /// Follows from a line that has about as many bytes behind it, for whoever wants the recent past; from the oldest of the
    /// file before the current one at the most.
    ///
    /// # Errors
    /// If there is no journal, or it cannot be read.
    pub fn open_near_end(journal: &Path, bytes: u64) -> io::Result<Self> {
        let mut current = Current::open(journal)?;
        let held = current.file.get_ref().metadata()?.len();
        let mut wanted = bytes;
        if held < bytes
            && let Some((_, older)) = set_aside(journal)?.last()
        {
            current = Current::open(older)?;
            wanted -= held;
        }
        current.skip_to_last(wanted)?;
        Ok(Self { journal: journal.to_owned(), current, changes: None })
    }

    /// Follows from the end: only what is written from now on.
    ///
    /// # Errors
    /// If there is no journal, or it cannot be read.
    pub fn open_at_end(journal: &Path) -> io::Result<Self> {
        let mut current = Current::open(journal)?;
        current.skip_to_end()?;
        Ok(Self { journal: journal.to_owned(), current, changes: None })
    }

    /// Waits for the next line. Dropping the future loses nothing. Must be called within a tokio runtime that has I/O and
    /// time.
    ///
    /// # Errors
    /// If the journal cannot be read, or a line is longer than any of ours.
    pub async fn next(&mut self) -> io::Result<Line> {
        loop {
            if let Some(line) = self.try_next()? {
                return Ok(line);
            }
            match &self.changes {
                Some(changes) => changes.wait().await?,
                // Then look once more: what was written before the watch was set is not told.
                None => self.changes = Some(Changes::beside(&self.journal)),
            }
        }
    }

    /// The next line that is already there.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub fn try_next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.current.next()? {
                return Ok(Some(line));
            }
            if self.current.finished {
                self.current = self.following()?;
            } else if self.has_moved_on()? {
                // Lines may have been written between our last look and the rotation.
                self.current.finished = true;
            } else {
                return Ok(None);
            }
        }
    }

    fn has_moved_on(&self) -> io::Result<bool> {
        match self.journal.metadata() {
            Ok(meta) => Ok(meta.ino() != self.current.inode),
            // Between two names.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The file after the current one: by its number, since more than one rotation may have passed.
    fn following(&self) -> io::Result<Current> {
        let after = |journal: &Path| -> io::Result<Option<PathBuf>> {
            let mut files = set_aside(journal)?.into_iter();
            Ok(files.find(|(first, _)| Some(*first) > self.current.first).map(|(_, path)| path))
        };
        if let Some(path) = after(&self.journal)? {
            return Current::open(&path);
        }
        let newest = Current::open(&self.journal)?;
        // It may have been rotated away, more than once, while it was opened.
        match after(&self.journal)? {
            Some(path) => Current::open(&path),
            None => Ok(newest),
        }
    }
}

/// How a follower learns that there may be something new.
#[derive(Debug)]
enum Changes {
    /// Events are read as a pipe is, by the one type that waits for any descriptor without `unsafe`.
    Told(pipe::Receiver),
    Polled,
}

impl Changes {
    /// Watches the journal's directory: writes to the journal, and the rotation that puts another in its place.
    fn beside(journal: &Path) -> Self {
        Self::watch(journal).unwrap_or_else(|error| {
            tracing::debug!(%error, journal = %journal.display(), "the journal is looked at again and again");
            Self::Polled
        })
    }

    fn watch(journal: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let parent = journal.parent().filter(|parent| !parent.as_os_str().is_empty());
        let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(parent.unwrap_or(Path::new(".")), changes)?;
        Ok(Self::Told(pipe::Receiver::from_owned_fd_unchecked(inotify.into())?))
    }

    async fn wait(&self) -> io::Result<()> {
        let Self::Told(changes) = self else {
            tokio::time::sleep(PAUSE).await;
            return Ok(());
        };
        loop {
            changes.readable().await?;
            // What the events say does not matter; a full queue says that it is full, which is as good.
            match changes.try_read(&mut [0; 4096]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(drop),
            }
        }
    }
}

impl Current {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::with_capacity(64);
        file.by_ref().take(64).read_to_end(&mut head)?;
        file.rewind()?;
        let inode = file.metadata()?.ino();
        Ok(Self {
            file: BufReader::with_capacity(1 << 16, file),
            inode,
            at: 0,
            first: chain::seq(&head),
            finished: false,
        })
    }

    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        match read(&mut self.file, &mut bytes)? {
            Read1::Whole => {}
            Read1::End => return Ok(None),
            Read1::Torn => {
                // Being written; or a failed write, which will be cut off and written anew: read it again.
                self.file.seek(SeekFrom::Start(self.at))?;
                return Ok(None);
            }
            Read1::TooLong => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any of ours"));
            }
        }
        self.at += bytes.len() as u64 + 1;
        let seq = chain::seq(&bytes);
        self.first = self.first.or(seq);
        Ok(Some(Line { seq, bytes }))
    }

    /// Goes to the first line that begins within the last bytes.
    fn skip_to_last(&mut self, bytes: u64) -> io::Result<()> {
        let Some(before) = self.file.get_ref().metadata()?.len().checked_sub(bytes).and_then(|at| at.checked_sub(1))
        else {
            return Ok(());
        };
        self.at = self.file.seek(SeekFrom::Start(before))?;
        // The rest of a line; none if a line begins exactly there.
        self.at += self.file.skip_until(b'\n')? as u64;
        Ok(())
    }

    /// Goes behind the last newline.
    fn skip_to_end(&mut self) -> io::Result<()> {
        let mut end = self.file.get_ref().metadata()?.len();
        while end > 0 {
            let from = end.saturating_sub(LOOK_BACK);
            self.file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            self.file.by_ref().take(end - from).read_to_end(&mut bytes)?;
            if let Some(newline) = memchr::memrchr(b'\n', &bytes) {
                end = from + newline as u64 + 1;
                break;
            }
            end = from;
        }
        self.at = end;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }
}
