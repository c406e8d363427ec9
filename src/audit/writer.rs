//! The writer thread: takes all that is queued, writes it at once, brings it to the disk at most once, wakes who waits.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::chain::Link;
use super::file::Storage;
use super::lifecycle::{self, JournalEvent};
use super::line::Stage;
use super::{RecordId, Rotate, SyncPolicy, Unwritten};

/// Bytes that are written at once; more waits for the next round, so that the first does not wait for all.
const BATCH: usize = 1 << 20;
/// Lines between checkpoints.
const SIGN_EVERY: u64 = 1024;
/// Bytes of outcomes that are kept while they cannot be written; then the newest are lost, and counted.
const BACKLOG: usize = 8 << 20;
/// How long closing waits for calls that are still open.
const CLOSE: Duration = Duration::from_secs(2);

/// What is sent to the thread.
#[derive(Debug)]
pub(super) enum Entry {
    Record(Record),
    /// Answer once what was queued before is written, or has failed.
    Ping(oneshot::Sender<()>),
    /// Write what is queued, close the journal, drop the sender.
    Close(oneshot::Sender<()>),
}

/// A rendered record, without the members that make the chain.
#[derive(Debug)]
pub(super) struct Record {
    /// Members from `"id"` on.
    pub(super) content: Vec<u8>,
    /// Which line of which call; `None` for other kinds.
    pub(super) call: Option<(Stage, RecordId)>,
    /// Whether it must be on the disk before the waiter is woken.
    pub(super) durable: bool,
    /// Who waits for it. A record nobody waits for is kept and tried again.
    pub(super) ack: Option<oneshot::Sender<Result<(), Unwritten>>>,
}

/// What the thread counts, for metrics.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) records: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Streams that are open.
    pub(super) streams: AtomicU64,
    /// Whether the last attempt failed.
    pub(super) failing: AtomicBool,
}

/// How the thread works.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) host: Arc<str>,
    pub(super) sync: SyncPolicy,
    pub(super) rotate: Rotate,
    pub(super) key: SigningKey,
}

/// The state of the thread.
pub(super) struct Writer<S> {
    storage: S,
    manner: Manner,
    counters: Arc<Counters>,
    link: Link,
    /// Number of the current file's first line; `None` while it is empty.
    first: Option<u64>,
    /// Calls with an intent and no outcome.
    open: BTreeSet<RecordId>,
    /// Lines since the last checkpoint.
    unsigned: u64,
    /// First line that no fsync has covered.
    unsynced: u64,
    /// The file failed an fsync: its tail may never reach the disk, and the kernel will not say so again.
    distrusted: bool,
    /// Length at which rotation is tried next.
    rotate_at: u64,
    /// Records that could not be written yet.
    backlog: VecDeque<Record>,
    backlog_bytes: usize,
    /// What the journal must say about itself before the next record.
    notices: Vec<JournalEvent>,
    /// Failures and losses since the last good write.
    gap: (u64, u64),
}

impl<S: Storage> Writer<S> {
    /// Takes over a file at whose end the chain stands at `link`.
    pub(super) fn new(
        storage: S,
        manner: Manner,
        counters: Arc<Counters>,
        (link, first): (Link, Option<u64>),
        open: BTreeSet<RecordId>,
        unsigned: u64,
    ) -> Self {
        Self {
            storage,
            counters,
            link,
            first,
            open,
            unsigned,
            unsynced: link.seq,
            distrusted: false,
            rotate_at: manner.rotate.size,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            notices: Vec::new(),
            gap: (0, 0),
            manner,
        }
    }

    /// Opens the books: closes what a crash left open and records the start.
    pub(super) fn start(&mut self, healed_bytes: u64) -> io::Result<u64> {
        let now = Timestamp::now();
        let orphans: Vec<_> = self.open.iter().copied().collect();
        let crashed = orphans.len() as u64;
        self.notices.push(JournalEvent::Start {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            healed_bytes,
            crashed,
        });
        let outcomes = orphans.into_iter().map(|id| Record {
            content: lifecycle::crashed(id, now, &self.manner.host),
            call: Some((Stage::Outcome, id)),
            durable: true,
            ack: None,
        });
        self.write(outcomes.collect())?;
        self.sync()?;
        Ok(crashed)
    }

    /// Works until the journal is closed. What it returns tells the closer, once the file and its lock are gone.
    pub(super) fn run(
        mut self,
        mut queue: mpsc::Receiver<Entry>,
        calls: &Semaphore,
        all: usize,
    ) -> Option<oneshot::Sender<()>> {
        let mut closer = None;
        while closer.is_none() {
            let Some(entry) = queue.blocking_recv() else { break };
            // Whoever is about to send more on this core does so first: one write and one fsync then serve all of them.
            std::thread::yield_now();
            closer = self.round(&mut queue, Some(entry));
        }
        // Streams are drained by now; what remains are outcomes that are being rendered this moment.
        let mut patience = CLOSE;
        let nap = Duration::from_millis(5);
        while calls.available_permits() < all && !patience.is_zero() && closer.is_some() {
            std::thread::sleep(nap);
            patience = patience.saturating_sub(nap);
        }
        queue.close();
        while let Ok(entry) = queue.try_recv() {
            self.round(&mut queue, Some(entry));
        }
        self.notices.push(JournalEvent::Stop);
        let stopped = self.write(Vec::new()).and_then(|()| self.append_checkpoint("close"));
        if let Err(error) = stopped.and_then(|()| self.sync()) {
            tracing::error!(%error, "the journal could not be closed in good order");
        }
        closer
    }

    /// Writes one batch: what was received and everything queued behind it.
    fn round(&mut self, queue: &mut mpsc::Receiver<Entry>, mut next: Option<Entry>) -> Option<oneshot::Sender<()>> {
        let (mut batch, mut pings, mut bytes, mut closer) = (Vec::new(), Vec::new(), 0, None);
        while let Some(entry) = next.take() {
            match entry {
                Entry::Record(record) => {
                    bytes += record.content.len();
                    batch.push(record);
                }
                Entry::Ping(answer) => pings.push(answer),
                Entry::Close(done) => closer = Some(done),
            }
            if bytes < BATCH {
                next = queue.try_recv().ok();
            }
        }
        // To write nothing would succeed on a full disk, and say that it is not. What waits is tried again.
        if !batch.is_empty() || !self.backlog.is_empty() {
            // Reported to the waiters and counted; the thread goes on.
            let _seen = self.write(batch);
        }
        // Who asked may have stopped waiting.
        pings.into_iter().for_each(|ping| _ = ping.send(()));
        closer
    }

    /// Writes records, those that failed before first.
    fn write(&mut self, batch: Vec<Record>) -> io::Result<()> {
        let mut records: Vec<Record> = std::mem::take(&mut self.backlog).into();
        self.backlog_bytes = 0;
        records.extend(batch);
        if let Err(e) = self.trusted_file() {
            self.fail(records, &e);
            return Err(e);
        }
        let mut link = self.link;
        let mut out = Vec::with_capacity(records.iter().map(|r| r.content.len() + 256).sum());
        self.seal_notices(&mut link, &mut out);
        for record in &records {
            link.seal(&mut out, &record.content);
        }
        if let Err(e) = self.storage.append(&out) {
            self.fail(records, &e);
            return Err(e);
        }
        self.written(link, out.len(), &records);
        let synced = match self.must_sync(&records) {
            true => self.sync(),
            false => Ok(()),
        };
        for record in records {
            if let Some(ack) = record.ack {
                let result = match &synced {
                    Err(e) if record.durable => Err(Unwritten::new(e)),
                    Err(_) | Ok(()) => Ok(()),
                };
                // The waiter may have been cancelled; its guard then records the outcome.
                let _gone = ack.send(result);
            }
        }
        self.keep_up();
        synced
    }

    /// Gives up on a file whose fsync failed, and begins a new one.
    fn trusted_file(&mut self) -> io::Result<()> {
        if !self.distrusted {
            return Ok(());
        }
        self.begin_file()?;
        self.distrusted = false;
        self.notices.push(JournalEvent::SyncFailed { since: self.unsynced });
        self.unsynced = self.link.seq;
        Ok(())
    }

    /// Seals what the journal says about itself: a new file's first checkpoint, and the notices.
    fn seal_notices(&mut self, link: &mut Link, out: &mut Vec<u8>) {
        if self.first.is_none() {
            let checkpoint = self.checkpoint(*link, "begin");
            link.seal(out, &checkpoint);
        }
        let now = Timestamp::now();
        let (failures, lost) = self.gap;
        let gap = (failures > 0).then_some(JournalEvent::Gap { lost, failures });
        for event in self.notices.iter().copied().chain(gap) {
            link.seal(out, &lifecycle::render(&event, now, &self.manner.host));
        }
    }

    /// Takes over what was appended.
    fn written(&mut self, link: Link, bytes: usize, records: &[Record]) {
        let lines = link.seq - self.link.seq;
        self.first.get_or_insert(self.link.seq);
        self.link = link;
        self.unsigned += lines;
        self.notices.clear();
        self.gap = (0, 0);
        for record in records {
            match record.call {
                Some((Stage::Intent, id)) => _ = self.open.insert(id),
                Some((Stage::Outcome, id)) => _ = self.open.remove(&id),
                None => {}
            }
        }
        self.counters.failing.store(false, Ordering::Relaxed);
        self.counters.records.fetch_add(lines, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.counters.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Refuses the records somebody waits for, and keeps the others for later.
    fn fail(&mut self, records: Vec<Record>, error: &io::Error) {
        self.note_failure(error);
        for record in records {
            if let Some(ack) = record.ack {
                // Not lost: whoever waits still owes the outcome, which says all that the intent would have said.
                let _gone = ack.send(Err(Unwritten::new(error)));
                continue;
            }
            let bytes = self.backlog_bytes + record.content.len();
            if bytes > BACKLOG {
                self.gap.1 += 1;
                self.counters.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.backlog_bytes = bytes;
            self.backlog.push_back(record);
        }
    }

    fn note_failure(&mut self, error: &io::Error) {
        self.gap.0 += 1;
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        if !self.counters.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the journal cannot be written");
        }
    }

    fn must_sync(&self, records: &[Record]) -> bool {
        match self.manner.sync {
            SyncPolicy::Never => false,
            SyncPolicy::Effects => records.iter().any(|r| r.durable),
            SyncPolicy::Always => true,
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.manner.sync == SyncPolicy::Never {
            return Ok(());
        }
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        match self.storage.sync() {
            Ok(()) => {
                self.unsynced = self.link.seq;
                Ok(())
            }
            Err(e) => {
                // After EIO the kernel marks the pages clean: a second fsync would succeed without them.
                self.distrusted = true;
                self.note_failure(&e);
                Err(e)
            }
        }
    }

    /// What is due after a write: a checkpoint, a new file.
    fn keep_up(&mut self) {
        let full = self.storage.len() >= self.rotate_at && !self.distrusted;
        let due = match (full, self.unsigned >= SIGN_EVERY) {
            (true, _) => self.rotate(),
            (false, true) => self.append_checkpoint("count"),
            (false, false) => Ok(()),
        };
        if let Err(e) = due {
            self.note_failure(&e);
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        // If it fails, not again with every record.
        self.rotate_at = self.storage.len() + self.manner.rotate.size / 8;
        self.append_checkpoint("rotate")?;
        self.sync()?;
        self.begin_file()
    }

    fn begin_file(&mut self) -> io::Result<()> {
        if let Some(first) = self.first {
            self.storage.rotate(first, self.manner.rotate.keep)?;
            self.first = None;
            self.rotate_at = self.manner.rotate.size;
        }
        Ok(())
    }

    fn append_checkpoint(&mut self, reason: &str) -> io::Result<()> {
        let (mut link, mut out) = (self.link, Vec::new());
        if self.first.is_none() {
            let begin = self.checkpoint(link, "begin");
            link.seal(&mut out, &begin);
        }
        let checkpoint = self.checkpoint(link, reason);
        link.seal(&mut out, &checkpoint);
        self.storage.append(&out)?;
        self.counters.records.fetch_add(link.seq - self.link.seq, Ordering::Relaxed);
        self.counters.bytes.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.first.get_or_insert(self.link.seq);
        self.link = link;
        self.unsigned = 0;
        Ok(())
    }

    fn checkpoint(&self, link: Link, reason: &str) -> Vec<u8> {
        lifecycle::checkpoint(&self.manner.key, link, reason, &self.open, Timestamp::now(), &self.manner.host)
    }
}
