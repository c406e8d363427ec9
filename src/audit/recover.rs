//! What a journal says about its own end: where the chain goes on, what is torn, which calls were left open.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::RecordId;
use super::chain::{Broken, Link};
use super::lifecycle::CHECKPOINT;
use super::line::{Brief, Read1, Stage, read};

/// First stretch from the end in which the last checkpoint is looked for; each further one is four times as long.
const STRETCH: u64 = 1 << 20;

/// The end of a journal file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Where the chain goes on.
    pub(super) link: Link,
    /// Number of the file's first line; `None` if it has no whole line.
    pub(super) first: Option<u64>,
    /// Calls with an intent and no outcome.
    pub(super) open: BTreeSet<RecordId>,
    /// Lines since the last checkpoint.
    pub(super) unsigned: u64,
    /// Bytes up to the end of the last good line.
    pub(super) good: u64,
    /// Bytes after that.
    pub(super) torn: u64,
}

/// A journal cannot be continued.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unrecoverable {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not the mark of a crash: whole lines that are not ours.
    #[error(
        "the line at byte {at} does not verify: {why}; keep the file as evidence (`tidewaiter journal verify`) and move \
         it and its older files away to begin a new journal"
    )]
    Broken { at: u64, why: Broken },
}

/// Reads the end of a file, from its last checkpoint on.
pub(super) fn tail(path: &Path) -> Result<Tail, Unrecoverable> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let first = first_number(&mut file)?;
    let start = last_checkpoint(&mut file, len)?;
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Tail { link: Link::GENESIS, first, open: BTreeSet::new(), unsigned: 0, good: start, torn: 0 };
    let mut from = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    loop {
        match read(&mut from, &mut line)? {
            Read1::Whole => {}
            Read1::End => break,
            Read1::Torn | Read1::TooLong => {
                tail.torn = len - tail.good;
                break;
            }
        }
        // A power loss leaves blocks that were never written as zeros; no line of ours has one, they are escaped.
        if memchr::memchr(0, &line).is_some() {
            tail.torn = len - tail.good;
            break;
        }
        tail.take(&line, start).map_err(|why| Unrecoverable::Broken { at: tail.good, why })?;
        tail.good += line.len() as u64 + 1;
    }
    if tail.good == start && start > 0 {
        let why = Broken::Form;
        return Err(Unrecoverable::Broken { at: start, why });
    }
    if tail.good == 0 {
        tail.first = None;
    }
    Ok(tail)
}

impl Tail {
    fn take(&mut self, line: &[u8], start: u64) -> Result<(), Broken> {
        if self.good == start {
            self.link = Link::before(line)?;
        }
        self.link.follow(line)?;
        let brief = Brief::parse(line).ok_or(Broken::Form)?;
        self.unsigned += 1;
        if brief.is_checkpoint() {
            self.unsigned = 0;
            self.open = brief.open.iter().flatten().filter_map(|id| RecordId::parse(id)).collect();
        }
        match (brief.stage, RecordId::parse(&brief.id)) {
            (Some(Stage::Intent), Some(id)) => {
                self.open.insert(id);
            }
            (Some(Stage::Outcome), Some(id)) => {
                self.open.remove(&id);
            }
            (None, _) | (_, None) => {}
        }
        Ok(())
    }
}

fn first_number(file: &mut File) -> io::Result<Option<u64>> {
    let mut head = Vec::with_capacity(64);
    file.by_ref().take(64).read_to_end(&mut head)?;
    Ok(super::chain::seq(&head))
}

/// Where the last whole checkpoint line begins; 0 if there is none.
fn last_checkpoint(file: &mut File, len: u64) -> io::Result<u64> {
    let finder = memchr::memmem::FinderRev::new(CHECKPOINT);
    let mut stretch = STRETCH;
    loop {
        let from = len.saturating_sub(stretch);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.by_ref().take(len - from).read_to_end(&mut bytes)?;
        // The last line may be torn, so that it cannot be started from.
        let whole = memchr::memrchr(b'\n', &bytes).unwrap_or(0);
        let found = finder.rfind(bytes.get(..whole).unwrap_or_default());
        let newline = found.and_then(|at| memchr::memrchr(b'\n', bytes.get(..at)?));
        match (newline, from) {
            (Some(newline), _) => return Ok(from + newline as u64 + 1),
            (None, 0) => return Ok(0),
            (None, _) => stretch = stretch.saturating_mul(4),
        }
    }
}
