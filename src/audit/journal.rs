//! The journal: one thread owns the file; callers hand it rendered lines and wait, together, for one fsync.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::approval::{self, ApprovalEvent};
use super::chain::Link;
use super::file::{JournalFile, Storage, set_aside};
use super::keys::Keys;
use super::lifecycle::{self, LifecycleEvent};
use super::pending::{Open, intent_needed, level_of};
use super::record::Common;
use super::recover::{self, Tail};
use super::redact::Redactor;
use super::watched::{self, WatchEvent};
use super::writer::{Counters, Entry, Manner, Record, Writer};
use super::{CallFacts, Level, Levels, OnFailure, Pending, Settings, SyncPolicy};
use crate::runtime::Live;

/// Places in the queue beyond two for each open call: lifecycle records.
const SPARE: usize = 64;
/// How long a call waits for a place when as many calls are open as are allowed; then it meets `on-failure`.
const PLACE: Duration = Duration::from_secs(5);

/// The door to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sync: SyncPolicy,
    choice: Live<Choice>,
    host: Arc<str>,
    redactor: Redactor,
    queue: mpsc::Sender<Entry>,
    /// One permit for each call that may be open: each then finds two places in the queue, intent and outcome.
    calls: Arc<Semaphore>,
    counters: Arc<Counters>,
}

/// What may change while the journal is open.
#[derive(Debug, Clone, Copy)]
struct Choice {
    levels: Levels,
    on_failure: OnFailure,
}

/// What was found when the journal was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Bytes of a torn last line that were cut off and kept aside.
    pub healed: u64,
    /// Intents without outcome, closed as `crashed`.
    pub crashed: u64,
    /// Number of the first line written since.
    pub first: u64,
}

/// What the journal has done since it was opened, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines written.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Writes; one holds many lines.
    pub writes: u64,
    /// Fsyncs.
    pub syncs: u64,
    /// Writes and fsyncs that failed.
    pub failures: u64,
    /// Records that are gone for good.
    pub lost: u64,
    /// Whether the last attempt failed.
    pub failing: bool,
    /// Calls whose outcome is owed.
    pub open: u64,
    /// Of these, answers without an end of their own: attach, exec, events, logs that are followed.
    pub streams: u64,
    /// Lines that wait to be written.
    pub queued: u64,
}

/// An open stream, counted until this is dropped.
#[derive(Debug)]
pub struct Streaming(Arc<Counters>);

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the journal {path}: {why}")]
pub struct OpenError {
    path: String,
    why: String,
}

/// A record could not be written, and the operator's choice is to refuse.
#[derive(Debug, thiserror::Error)]
#[error("the audit record cannot be written: {0}")]
pub struct Unwritten(String);

impl Audit {
    /// Opens the journal, heals its tail, closes what a crash left open, and starts the writer thread.
    ///
    /// # Errors
    /// If the file, its directory or its keys cannot be read or written, belong to someone else, or do not verify.
    pub fn open(settings: Settings) -> Result<(Self, Opened), OpenError> {
        let error = |why: String| OpenError { path: settings.journal.display().to_string(), why };
        let keys = Keys::open(&settings.keys).map_err(|e| error(format!("its keys: {e}")))?;
        let mut file = JournalFile::open(&settings.journal).map_err(|e| error(e.to_string()))?;
        let host: Arc<str> = host_name().into();
        let counters = Arc::new(Counters::default());
        let tail = heal(&mut file, &settings.journal).map_err(&error)?;
        let first = tail.link.seq;
        let manner =
            Manner { host: Arc::clone(&host), sync: settings.sync, rotate: settings.rotate, key: keys.checkpoint };
        let mut writer =
            Writer::new(file, manner, Arc::clone(&counters), (tail.link, tail.first), tail.open, tail.unsigned);
        let crashed = match (writer.start(tail.torn), settings.on_failure) {
            (Ok(crashed), _) => crashed,
            (Err(e), OnFailure::Refuse) => return Err(error(format!("cannot write to it: {e}"))),
            // The records wait in the writer, and go out as soon as the disk takes them.
            (Err(_), OnFailure::Forward) => 0,
        };
        let all = settings.capacity.clamp(1, Semaphore::MAX_PERMITS / 4);
        let (queue, receiver) = mpsc::channel(2 * all + SPARE);
        let calls = Arc::new(Semaphore::new(all));
        let theirs = Arc::clone(&calls);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                if let Some(closer) = writer.run(receiver, &theirs, all) {
                    // Who asked may have stopped waiting.
                    let _gone = closer.send(());
                }
            })
            .map_err(|e| error(format!("its thread: {e}")))?;
        let (sync, choice) = (settings.sync, Live::new(Choice::of(&settings)));
        let inner = Inner { sync, choice, host, redactor: keys.redactor, queue, calls, counters };
        let opened = Opened { healed: tail.torn, crashed, first };
        Ok((Self { inner: Arc::new(inner) }, opened))
    }

    /// Begins a call's record. For a call with an effect that will be forwarded the intent is written, and durable as
    /// `sync` says, when this returns; for others nothing waits and only the outcome is written. While the journal cannot be
    /// written, every call that would be forwarded must first see its intent written.
    ///
    /// # Errors
    /// [`Unwritten`] if the record cannot be written and `on-failure` is `refuse`; the refusal is then recorded as the
    /// call's outcome, as soon as anything can be.
    pub async fn begin(&self, facts: &CallFacts<'_>) -> Result<Pending, Unwritten> {
        let inner = &*self.inner;
        let Choice { levels, on_failure } = *inner.choice.current();
        let level = level_of(levels, facts);
        if level == Level::None {
            return Ok(Pending::unrecorded(facts.id));
        }
        let call = match tokio::time::timeout(PLACE, Arc::clone(&inner.calls).acquire_owned()).await {
            Ok(Ok(call)) => call,
            Ok(Err(_closed)) => return inner.without_record(facts, on_failure, "the journal is closed"),
            Err(_elapsed) => return inner.without_record(facts, on_failure, "too many calls are open"),
        };
        let Ok(place) = inner.queue.clone().reserve_owned().await else {
            return inner.without_record(facts, on_failure, "the journal is closed");
        };
        let common = Common::render(facts, level, &inner.host, &inner.redactor);
        let durable = inner.sync == SyncPolicy::Always;
        let mut pending = Pending::recorded(facts.id, Open::new(common, place, call, durable));
        if !intent_needed(facts, inner.counters.failing.load(Ordering::Relaxed)) {
            return Ok(pending);
        }
        match inner.write_intent(&pending, facts).await {
            Ok(()) => pending.forget_body(),
            Err(error) if on_failure == OnFailure::Refuse => {
                pending.refuse_unwritten();
                return Err(error);
            }
            // The outcome will say all that the intent would have said.
            Err(_) => {}
        }
        Ok(pending)
    }

    /// Takes over what of other settings may change while the journal is open: the levels, and what a call meets whose
    /// record cannot be written.
    pub fn adopt(&self, settings: &Settings) {
        self.inner.choice.replace(Choice::of(settings));
    }

    /// Records an event in the life of the gate.
    pub async fn lifecycle(&self, event: LifecycleEvent) {
        let content = lifecycle::render(&event, Timestamp::now(), &self.inner.host);
        let record = Record { content, call: None, durable: false, ack: None };
        // Closed: the stop record has been written, and nothing comes after it.
        let _closed = self.inner.queue.send(Entry::Record(record)).await;
    }

    /// Records what an admin did, before it has an effect.
    ///
    /// # Errors
    /// If it cannot be written, whatever `on-failure` says: a word that nobody can account for does not count.
    pub async fn approval(&self, event: &ApprovalEvent<'_>) -> Result<(), Unwritten> {
        let inner = &*self.inner;
        let content = approval::render(event, Timestamp::now(), &inner.host, &inner.redactor);
        let (ack, written) = oneshot::channel();
        let durable = inner.sync != SyncPolicy::Never;
        let closed = || Unwritten("the journal is closed".into());
        let record = Record { content, call: None, durable, ack: Some(ack) };
        inner.queue.send(Entry::Record(record)).await.map_err(|_closed| closed())?;
        written.await.map_err(|_dropped| closed())?
    }

    /// Records what the watch tells, and waits until it is written.
    ///
    /// # Errors
    /// If it cannot be written now.
    pub async fn watched(&self, event: &WatchEvent<'_>) -> Result<(), Unwritten> {
        let content = watched::render(event, Timestamp::now(), &self.inner.host);
        let (ack, written) = oneshot::channel();
        let closed = || Unwritten("the journal is closed".into());
        let record = Record { content, call: None, durable: self.inner.sync == SyncPolicy::Always, ack: Some(ack) };
        self.inner.queue.send(Entry::Record(record)).await.map_err(|_closed| closed())?;
        written.await.map_err(|_dropped| closed())?
    }

    /// A command line without its secrets, as it may stand in a record.
    pub fn command(&self, words: &[String]) -> Vec<String> {
        watched::command(words, &self.inner.redactor)
    }

    /// Whether the thread that writes the journal still takes what it is given, within a time. A disk that refuses is no
    /// reason for it not to: then it tries again what it could not write.
    pub async fn answers(&self, within: Duration) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = async { self.inner.queue.send(Entry::Ping(answer)).await.is_ok() && answered.await.is_ok() };
        tokio::time::timeout(within, asked).await.unwrap_or(false)
    }

    /// What was written, what failed, what is open.
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.counters;
        let queue = &self.inner.queue;
        let all = (queue.max_capacity() - SPARE) / 2;
        let open = all.saturating_sub(self.inner.calls.available_permits()) as u64;
        // Each open call holds one place for its outcome.
        let queued = (queue.max_capacity().saturating_sub(queue.capacity()) as u64).saturating_sub(open);
        Stats {
            records: counters.records.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            writes: counters.writes.load(Ordering::Relaxed),
            syncs: counters.syncs.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            lost: counters.lost.load(Ordering::Relaxed),
            failing: counters.failing.load(Ordering::Relaxed),
            open,
            streams: counters.streams.load(Ordering::Relaxed),
            queued,
        }
    }

    /// Counts a stream for as long as what this returns is kept.
    pub fn streaming(&self) -> Streaming {
        self.inner.counters.streams.fetch_add(1, Ordering::Relaxed);
        Streaming(Arc::clone(&self.inner.counters))
    }

    /// Writes everything that is queued, a last lifecycle record and a checkpoint, and ends the thread.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        // Closed already by a clone: then there is nothing to wait for.
        if self.inner.queue.send(Entry::Close(done)).await.is_ok() {
            let _ended = closed.await;
        }
    }
}

impl Inner {
    async fn write_intent(&self, pending: &Pending, facts: &CallFacts<'_>) -> Result<(), Unwritten> {
        let Some(content) = pending.intent() else { return Ok(()) };
        let (ack, written) = oneshot::channel();
        let record = Record {
            content,
            call: Some((super::line::Stage::Intent, facts.id)),
            durable: self.sync != SyncPolicy::Never && facts.call.asked.operation.has_effect(),
            ack: Some(ack),
        };
        let closed = || Unwritten("the journal is closed".into());
        self.queue.send(Entry::Record(record)).await.map_err(|_full| closed())?;
        written.await.map_err(|_dropped| closed())?
    }

    /// What a call meets for which there is no place in the queue. Nothing of it can be recorded, so it is counted.
    fn without_record(&self, facts: &CallFacts<'_>, on_failure: OnFailure, why: &str) -> Result<Pending, Unwritten> {
        self.counters.lost.fetch_add(1, Ordering::Relaxed);
        match on_failure {
            OnFailure::Refuse => Err(Unwritten(why.into())),
            OnFailure::Forward => {
                tracing::error!(id = %facts.id, why, "a call goes unrecorded");
                Ok(Pending::unrecorded(facts.id))
            }
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Choice {
    const fn of(settings: &Settings) -> Self {
        Self { levels: settings.levels, on_failure: settings.on_failure }
    }
}

impl Unwritten {
    pub(super) fn new(error: &std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads the end of the journal, cuts off what is torn, and finds where the chain goes on.
fn heal(file: &mut JournalFile, journal: &Path) -> Result<Tail, String> {
    let mut tail = recover::tail(journal).map_err(|e| e.to_string())?;
    if tail.torn > 0 {
        file.heal(tail.good, Timestamp::now()).map_err(|e| format!("cannot set its torn end aside: {e}"))?;
    }
    debug_assert_eq!(tail.good, file.len(), "nothing but the torn end is cut off");
    if tail.first.is_none() {
        // Empty: it is the very first, or the file before it was just set aside.
        let older = set_aside(journal).map_err(|e| e.to_string())?;
        let (link, open) = match older.last() {
            Some((_, path)) => recover::tail(path)
                .map(|older| (older.link, older.open))
                .map_err(|e| format!("the file before it, {}: {e}", path.display()))?,
            None => (Link::GENESIS, BTreeSet::new()),
        };
        tail.link = link;
        tail.open = open;
        tail.unsigned = 0;
    }
    Ok(tail)
}

/// The kernel's host name; `unknown` where it has none.
fn host_name() -> String {
    let mut name = String::new();
    let read = File::open("/proc/sys/kernel/hostname").and_then(|f| f.take(256).read_to_string(&mut name));
    match (read, name.trim()) {
        (Ok(_), name) if !name.is_empty() => name.to_owned(),
        (Ok(_) | Err(_), _) => "unknown".to_owned(),
    }
}
