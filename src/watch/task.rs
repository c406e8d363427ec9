//! The task that joins: it reads the journal, the engine's events and the kernel's notices, and writes launches and findings. It
//! runs beside the calls, and no call ever waits for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::container::later;
use super::events::{self, Heard};
use super::fact::{Fact, Happened, Made, Who};
use super::join::{Join, Sensor, Settings};
use super::tell::Telling;
use super::{Notice, call, notice};
use crate::audit::{Audit, Follower, Line, WatchEvent, WatchKind};
use crate::engine::Inspect;
use crate::policy::An0693;
use crate::runtime::{self, Live};
use crate::store::{Launch, Store, StoreError};

/// Events that wait to be joined; a full queue holds up the reader, and with it only the engine's own buffer.
const WAITING: usize = 1024;
/// Most that is taken in before there is a look at what is to be told.
const AT_ONCE: usize = 256;
/// Pause before a record is tried again that could not be written.
const AGAIN: Duration = Duration::from_secs(1);
/// After the engine answers again, how long until it is asked what runs: what it remembers is told by then.
const SETTLED: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);
/// Most containers that are looked at then.
const LOOKED_AT: usize = 1000;
/// Longest sleep: clocks are set, too.
const LONGEST: Duration = Duration::from_secs(5);

/// Lines of the journal after which their number is saved though they were of nothing here.
const LINES: u64 = 1000;

const EPOCH: &str = "epoch";
const JOURNAL: &str = "journal";
const EVENTS: &str = "events";
const CONTAINER: &str = "container:";

/// The watch cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// What it saved cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be read.
    #[error("cannot read the journal for the watch: {0}")]
    Journal(#[from] std::io::Error),
}

/// What the watch stands on.
#[derive(Debug)]
pub struct Parts {
    /// Where launches and findings are written.
    pub audit: Audit,
    /// Where the watch keeps what it goes on with.
    pub store: Store,
    /// The engine.
    pub inspect: Inspect,
    /// How launches are scored.
    pub an0693: Arc<Live<An0693>>,
    /// What the kernel tells, if it is watched.
    pub kernel: Option<mpsc::Receiver<Notice>>,
}

/// The watch, ready to run.
#[derive(Debug)]
pub struct Watch {
    parts: Parts,
    join: Join,
    journal: Follower,
    path: PathBuf,
    /// Number of the last line of the journal that was joined.
    seq: u64,
    /// That number when it was last saved.
    saved: u64,
    heard: Cursor,
    /// When to ask the engine what runs.
    ask_at: Option<Timestamp>,
}

/// Which events were joined: those before a moment, and these around it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    #[serde(with = "super::fact::stamp")]
    since: Timestamp,
    recent: BTreeSet<String>,
}

/// What came in.
enum Input {
    Line(Line),
    Heard(Heard),
    Notice(Notice),
    Nothing,
    Drain,
}

impl Watch {
    /// Goes on where the last watch ended; the first one begins now. Whatever is written to the journal after this is joined.
    ///
    /// # Errors
    /// If the journal, or what was saved, cannot be read.
    pub async fn open(parts: Parts, journal: &Path) -> Result<Self, WatchError> {
        let saved = parts.store.watched().await?;
        let one = |key: &str| saved.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        let now = Timestamp::now();
        let epoch = one(EPOCH).and_then(|text| text.parse().ok());
        let sensor = if parts.kernel.is_some() { Sensor::Kernel } else { Sensor::Events };
        let an0693 = (*parts.an0693.current()).clone();
        let mut join = Join::new(Settings { an0693, sensor, epoch: epoch.unwrap_or(now) });
        for (key, value) in saved.iter().filter(|(key, _)| key.starts_with(CONTAINER)) {
            if let Err(error) = join.restore(value) {
                tracing::warn!(%error, key, "what was saved of a launch cannot be read; it is left out");
            }
        }
        let path = journal.to_owned();
        let seq = one(JOURNAL).and_then(|text| text.parse().ok());
        let journal = match seq {
            Some(seq) => Follower::open_near(journal, seq)?,
            None => Follower::open_at_end(journal)?,
        };
        let heard = one(EVENTS).and_then(|text| serde_json::from_str(text).ok());
        let heard = heard.unwrap_or(Cursor { since: now, recent: BTreeSet::new() });
        if epoch.is_none() {
            parts.store.save_watched(vec![(EPOCH.to_owned(), Some(now.to_string()))]).await?;
        }
        Ok(Self { parts, join, journal, path, ask_at: None, seq: seq.unwrap_or(0), saved: seq.unwrap_or(0), heard })
    }

    /// Watches until told to drain; what is open then is gone on with by the next watch.
    pub async fn run(mut self, drain: runtime::Watch) {
        if let Err(error) = self.catch_up() {
            tracing::error!(%error, "the journal cannot be read; launches are not watched");
            return;
        }
        let (to, mut events) = mpsc::channel(WAITING);
        let listener = tokio::spawn(events::listen(self.parts.inspect.clone(), self.heard.since, to));
        let mut kernel = self.parts.kernel.take();
        let mut drained = std::pin::pin!(drain.signaled());
        loop {
            let pause = self.pause();
            let input = tokio::select! {
                line = self.journal.next() => match line {
                    Ok(line) => Input::Line(line),
                    Err(error) => {
                        tracing::error!(%error, "the journal cannot be read; launches are no longer watched");
                        break;
                    }
                },
                Some(heard) = events.recv() => Input::Heard(heard),
                Some(notice) = next(&mut kernel) => Input::Notice(notice),
                () = sleep(pause) => Input::Nothing,
                () = &mut drained => Input::Drain,
            };
            let is_last = matches!(input, Input::Drain);
            self.take(input).await;
            self.take_waiting(&mut events, &mut kernel).await;
            if self.ask_at.is_some_and(|at| at <= Timestamp::now()) {
                self.ask_at = None;
                self.ask_what_runs().await;
            }
            self.tell().await;
            if is_last {
                break;
            }
        }
        listener.abort();
    }

    /// Reads what the journal holds from before: calls, and what was told already.
    fn catch_up(&mut self) -> std::io::Result<()> {
        let mut last = None;
        while let Some(line) = self.journal.try_next()? {
            last = line.seq.or(last);
            self.take_line(&line);
        }
        // Another journal stands in the place of the one that was read.
        if last.is_some_and(|last| last < self.seq) {
            self.seq = last.unwrap_or(0);
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        let next =
            self.join.next().into_iter().chain(self.ask_at).min().map(|next| next.duration_since(Timestamp::now()));
        let pause = next.map_or(LONGEST, |next| Duration::try_from(next).unwrap_or_default());
        pause.clamp(Duration::from_millis(10), LONGEST)
    }

    async fn take_waiting(&mut self, events: &mut mpsc::Receiver<Heard>, kernel: &mut Option<mpsc::Receiver<Notice>>) {
        for _ in 0..AT_ONCE {
            let line = self.journal.try_next().ok().flatten();
            let heard = events.try_recv().ok();
            let notice = kernel.as_mut().and_then(|kernel| kernel.try_recv().ok());
            if line.is_none() && heard.is_none() && notice.is_none() {
                return;
            }
            let inputs = [line.map(Input::Line), heard.map(Input::Heard), notice.map(Input::Notice)];
            for input in inputs.into_iter().flatten() {
                self.take(input).await;
            }
        }
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Line(line) => self.take_line(&line),
            Input::Heard(Heard::Event(event)) => self.take_event(event).await,
            Input::Notice(notice) => notice::take(&mut self.join, notice, &self.parts.audit),
            Input::Heard(Heard::Connected) => self.ask_at = Some(later(Timestamp::now(), SETTLED)),
            Input::Nothing | Input::Drain => {}
        }
    }

    fn take_line(&mut self, line: &Line) {
        if line.seq.is_none_or(|seq| seq <= self.seq) {
            return;
        }
        self.seq = line.seq.unwrap_or(self.seq);
        // Most lines are of other calls: what need not be parsed is not.
        if call::WORDS.iter().any(|word| memmem::find(&line.bytes, word.as_bytes()).is_some())
            && let Some(told) = line.record().as_ref().and_then(call::read)
        {
            self.join.put_record(told);
        }
    }

    async fn take_event(&mut self, event: events::Event) {
        let events::Event { container, at, mut what } = event;
        let key = format!("{at} {container} {what:?}");
        if !self.heard.is_news(at, key) {
            return;
        }
        if let Happened::ExecCreated { command, .. } = &mut what {
            *command = self.parts.audit.command(&[std::mem::take(command)]).concat();
        }
        let is_start = matches!(what, Happened::Started);
        let is_exec = matches!(what, Happened::ExecCreated { .. });
        self.join.put(&container, Fact { at, what });
        let known = self.join.container(&container);
        let is_made = known.is_some_and(|known| known.made.is_some());
        if is_start && !is_made {
            self.look_up(&container).await;
        }
        if is_exec && known_health(&self.join, &container) {
            self.look_at(&container).await;
        }
    }

    /// Who made a container that has just started: the index knows it before whoever asked for it does.
    async fn look_up(&mut self, container: &str) {
        match self.parts.store.launch(container).await {
            Ok(Some(launch)) => {
                let (record, path, seq) = (launch.record.clone(), self.path.clone(), self.seq);
                let found = tokio::task::spawn_blocking(move || find(&path, seq, &record)).await.ok().flatten();
                self.join.put_made(container, found.unwrap_or_else(|| of_index(launch)));
            }
            Ok(None) if self.join.container(container).is_none_or(|known| known.created.is_none()) => {
                self.look_at(container).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot look up who made a container"),
        }
    }

    /// What the engine knows of a container that is not known here.
    async fn look_at(&mut self, container: &str) {
        let looked = self.parts.inspect.get::<notice::Inspected>(&format!("/containers/{container}/json")).await;
        match looked {
            Ok(Some(inspected)) => {
                if let Ok(at) = inspected.created.parse() {
                    let (image, name) = (inspected.image(), inspected.name());
                    self.join.put_created(container, at, image, name);
                }
                let health = inspected.health();
                let health = if health.is_empty() { health } else { self.parts.audit.command(&[health]).concat() };
                self.join.put_health(container, health);
            }
            // It is gone.
            Ok(None) => self.join.put_health(container, String::new()),
            Err(error) => {
                tracing::warn!(%error, container, "cannot look at a container");
                self.join.put_health(container, String::new());
            }
        }
    }

    /// An engine that was killed forgets its events, and says nothing of containers that died with it; and of the past it tells
    /// 256 events only. So what runs is held against what should.
    async fn ask_what_runs(&mut self) {
        let listed = self.parts.inspect.get::<Vec<notice::Listed>>("/containers/json").await;
        let Ok(Some(listed)) = listed else {
            self.ask_at = Some(later(Timestamp::now(), SETTLED));
            return;
        };
        let mut look = self.join.running();
        look.extend(listed.into_iter().map(|listed| listed.id).filter(|id| !self.join.is_known_to_run(id)));
        look.sort_unstable();
        look.dedup();
        if look.len() > LOOKED_AT {
            tracing::warn!(containers = look.len(), "more containers run than are looked at");
        }
        for id in look.into_iter().take(LOOKED_AT) {
            match self.parts.inspect.get::<notice::Inspected>(&format!("/containers/{id}/json")).await {
                Ok(inspected) => {
                    let (now, epoch) = (Timestamp::now(), self.join.settings.epoch);
                    let missed = notice::missed(self.join.container(&id), inspected.as_ref(), epoch, now);
                    let has_started = missed.iter().any(|fact| fact.what == Happened::Started);
                    missed.into_iter().for_each(|fact| self.join.put(&id, fact));
                    if has_started {
                        self.look_up(&id).await;
                    }
                }
                Err(error) => tracing::warn!(%error, id, "cannot look at a container"),
            }
        }
    }

    async fn tell(&mut self) {
        self.join.settings.an0693 = (*self.parts.an0693.current()).clone();
        for telling in self.join.tell(Timestamp::now()) {
            if !self.write(&telling).await {
                return;
            }
        }
        if self.join.was_full() {
            tracing::error!("too many containers: some launches are not watched");
        }
        self.save().await;
    }

    /// Writes a record, however long that takes; `false` once the journal is closed.
    async fn write(&self, telling: &Telling) -> bool {
        let kind = if telling.kind == "launch" { WatchKind::Launch } else { WatchKind::Finding };
        let event = WatchEvent { kind, event: telling.event, id: &telling.id, members: &telling.members };
        while let Err(error) = self.parts.audit.watched(&event).await {
            if !self.parts.audit.answers(AGAIN).await {
                return false;
            }
            tracing::error!(%error, "cannot record a launch; trying again");
            sleep(AGAIN).await;
        }
        true
    }

    async fn save(&mut self) {
        let containers = self.join.unsaved().into_iter();
        let mut changes: Vec<_> = containers.map(|(id, text)| (format!("{CONTAINER}{id}"), text)).collect();
        // Lines that changed nothing may be read again after a crash.
        if changes.is_empty() && self.seq.saturating_sub(self.saved) < LINES {
            return;
        }
        self.saved = self.seq;
        changes.push((JOURNAL.to_owned(), Some(self.seq.to_string())));
        changes.push((EVENTS.to_owned(), serde_json::to_string(&self.heard).ok()));
        if let Err(error) = self.parts.store.save_watched(changes).await {
            tracing::warn!(%error, "cannot save what is known of launches; after a crash some is told again");
        }
    }
}

impl Cursor {
    /// Whether an event was not joined before; from then on it was.
    fn is_news(&mut self, at: Timestamp, key: String) -> bool {
        let oldest = later(self.since, events::OVERLAP.saturating_mul(2));
        if at < oldest || !self.recent.insert(key) {
            return false;
        }
        if at > self.since {
            self.since = at;
            let oldest = later(at, events::OVERLAP.saturating_mul(2));
            let is_recent = |key: &String| {
                key.split(' ').next().and_then(|at| at.parse::<Timestamp>().ok()).is_some_and(|at| at >= oldest)
            };
            self.recent.retain(is_recent);
        }
        true
    }
}

/// Whether it must be asked what a container's health check runs.
fn known_health(join: &Join, container: &str) -> bool {
    join.container(container).is_some_and(|known| known.health.is_none())
}

/// Looks for the record of a create where the journal stands now: a gate that was killed right after it has written the intent
/// and nothing of what it made.
fn find(journal: &Path, seq: u64, record: &str) -> Option<Made> {
    let mut follower = Follower::open_near(journal, seq).ok()?;
    let mut found = None;
    while let Ok(Some(line)) = follower.try_next() {
        let names = memmem::find(&line.bytes, record.as_bytes()).is_some();
        if names
            && let Some(value) = line.record()
            && value.get("id").and_then(serde_json::Value::as_str) == Some(record)
        {
            // The outcome of a crash says nothing but that.
            found = call::made(&value).or(found);
        }
    }
    found
}

fn of_index(launch: Launch) -> Made {
    let Launch { container: _, principal, record, time, image, image_id } = launch;
    Made {
        at: time.parse().unwrap_or(Timestamp::UNIX_EPOCH),
        record,
        by: Who { name: principal, admin: false },
        name: None,
        image,
        image_id,
        allowed: false,
        reasons: Vec::new(),
        is_whole: false,
    }
}

async fn next(kernel: &mut Option<mpsc::Receiver<Notice>>) -> Option<Notice> {
    match kernel {
        Some(kernel) => kernel.recv().await,
        None => std::future::pending().await,
    }
}
