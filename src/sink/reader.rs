//! What a sink has not had yet, in batches, and what it can no longer get.

use std::io;
use std::path::{Path, PathBuf};

use super::cursor::Cursor;
use super::settings::Settings;
use super::wire::Shape;
use crate::audit::{Follower, Line};

/// Messages and bytes at which a batch is full: more at once is no faster.
const MESSAGES: usize = 256;
const BYTES: usize = 64 << 10;

/// Reads the journal from where a sink is.
#[derive(Debug)]
pub(super) struct Reader {
    journal: PathBuf,
    follower: Follower,
    /// The last record that was read; `None` before the first of a new sink.
    at: Option<Cursor>,
    /// What the sink has had, while it is looked for.
    had: Option<Cursor>,
    /// Read, and not yet given out.
    held: Option<Line>,
    jump: Option<Jump>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// Records to send.
    Batch(Batch),
    /// Records that are not there.
    Jump(Jump),
}

/// Records to send.
#[derive(Debug)]
pub(super) struct Batch {
    /// As they go over the wire.
    pub(super) messages: Vec<Vec<u8>>,
    /// The last record of it, those that the sink does not take included.
    pub(super) last: Cursor,
}

/// A sink goes on at another place than after what it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jump {
    /// What it had.
    pub(super) from: u64,
    /// It goes on after this.
    pub(super) to: Cursor,
    /// How many it will never get; `None` if that cannot be known.
    pub(super) lost: Option<u64>,
    /// Why.
    pub(super) reason: &'static str,
}

/// One line, or why it is not there.
enum Item {
    Record(Line, Cursor),
    Jump(Jump),
}

impl Reader {
    /// Reads what comes after `had`; everything that is kept for a sink that had nothing.
    ///
    /// # Errors
    /// If there is no journal, or it cannot be read.
    pub(super) fn open(journal: &Path, had: Option<&Cursor>) -> io::Result<Self> {
        let follower = Follower::open_near(journal, had.map_or(0, |had| had.seq))?;
        Ok(Self { journal: journal.to_owned(), follower, at: None, had: had.cloned(), held: None, jump: None })
    }

    /// Waits for a record and takes what else is there. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(super) async fn next(&mut self, settings: &Settings, shape: Shape) -> io::Result<Next> {
        loop {
            if let Some(next) = self.try_next(settings, shape)? {
                return Ok(next);
            }
            self.held = Some(self.follower.next().await?);
        }
    }

    /// What is already there.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(super) fn try_next(&mut self, settings: &Settings, shape: Shape) -> io::Result<Option<Next>> {
        let (mut messages, mut bytes, mut last) = (Vec::new(), 0, None);
        while messages.len() < MESSAGES && bytes < BYTES {
            match self.item()? {
                Some(Item::Record(line, cursor)) => {
                    for message in
                        line.record().map(|record| shape.messages(settings, &line.bytes, &record)).unwrap_or_default()
                    {
                        bytes += message.len();
                        messages.push(message);
                    }
                    last = Some(cursor);
                }
                // First what is before it.
                Some(Item::Jump(jump)) if last.is_some() => {
                    self.jump = Some(jump);
                    break;
                }
                Some(Item::Jump(jump)) => return Ok(Some(Next::Jump(jump))),
                None => break,
            }
        }
        Ok(last.map(|last| Next::Batch(Batch { messages, last })))
    }

    fn item(&mut self) -> io::Result<Option<Item>> {
        if let Some(jump) = self.jump.take() {
            return Ok(Some(Item::Jump(jump)));
        }
        loop {
            let Some(line) = self.held.take().map_or_else(|| self.follower.try_next(), |line| Ok(Some(line)))? else {
                return self.at_the_end();
            };
            // What is no line of ours nobody can be told; `journal verify` finds it.
            let Some(seq) = line.seq else { continue };
            if let Some(had) = &self.had {
                if seq < had.seq {
                    self.at = Some(Cursor { seq, hash: None });
                    continue;
                }
                let at = Cursor { seq, hash: line.hash().map(str::to_owned) };
                if seq == had.seq && (had.hash.is_none() || had.hash == at.hash) {
                    (self.at, self.had) = (Some(at), None);
                    continue;
                }
                if seq == had.seq {
                    return self.start_over().map(Some);
                }
                self.at = self.had.take();
            }
            return Ok(Some(self.follow(line, seq)));
        }
    }

    /// The line, if it is the next one.
    fn follow(&mut self, line: Line, seq: u64) -> Item {
        let before = seq.saturating_sub(1);
        let (from, lost, reason) = match &self.at {
            Some(at) if at.seq == before => {
                let cursor = Cursor { seq, hash: line.hash().map(str::to_owned) };
                self.at = Some(cursor.clone());
                return Item::Record(line, cursor);
            }
            Some(at) if at.seq < before => {
                (at.seq, Some(before - at.seq), "older files were removed before it had them")
            }
            Some(at) => (at.seq, None, REPLACED),
            None => (before, Some(0), "it is new"),
        };
        let to = Cursor { seq: before, hash: None };
        self.at = Some(to.clone());
        self.held = Some(line);
        Item::Jump(Jump { from, to, lost, reason })
    }

    /// Everything was read. What the sink had must have been among it.
    fn at_the_end(&mut self) -> io::Result<Option<Item>> {
        match &self.had {
            Some(had) if had.seq > 0 => self.start_over().map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// It is not the journal that the sink was reading: all of it is new to it.
    fn start_over(&mut self) -> io::Result<Item> {
        self.follower = Follower::open_from_start(&self.journal)?;
        let from = self.had.take().map_or(0, |had| had.seq);
        self.at = None;
        let to = Cursor { seq: 0, hash: None };
        Ok(Item::Jump(Jump { from, to, lost: None, reason: REPLACED }))
    }
}

const REPLACED: &str = "the journal is another one than it was reading";
