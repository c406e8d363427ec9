//! Brings a journal to one sink: at least once and in order, whatever happens to the sink or to us.
//!
//! The position that is kept is that of the last record that can be taken to have arrived: the connection it went by was still
//! good a second after all before was taken. From there everything is sent again after a break, so that what was on its way is
//! not lost. Its records come twice then, with the same id.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::cursor::{Cursor, Saved};
use super::progress::Place;
use super::reader::{Batch, Jump, Next, Reader};
use super::settings::Settings;
use super::wire::Wire;
use crate::audit::{Audit, LifecycleEvent};
use crate::runtime::Watch;

/// How long a connection must be good after a record before it is taken to have arrived. A reset takes one way through the
/// network to be heard of.
const SETTLING: Duration = Duration::from_secs(1);
/// Pauses between tries: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the other end may take to read the rest when we stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// One sink at work.
#[derive(Debug)]
pub(super) struct Delivery {
    settings: Settings,
    journal: PathBuf,
    audit: Audit,
    saved: Saved,
    /// The last record that has arrived; `None` if the sink is new.
    arrived: Option<Cursor>,
    /// What others may know of it; whether it is down is what was last told.
    place: Arc<Place>,
    /// Connections in a row that broke before anything had arrived by them.
    broken: u32,
    pause: Duration,
}

/// What was sent on a connection and has not arrived yet, as far as we know.
#[derive(Debug, Default)]
struct Sent {
    /// At the last look.
    before: Option<Cursor>,
    /// Since.
    after: Option<Cursor>,
}

/// Why a connection is over.
#[derive(Debug)]
enum Break {
    /// There was nothing on its way: servers close connections that say nothing for a while, and that is no news. If it were,
    /// the records about it would be what the next connection carries, and so on for ever.
    Idle(io::Error),
    /// Something was.
    Busy(io::Error),
    /// There never was one, or the journal cannot be read.
    Down(io::Error),
}

impl Sent {
    const fn is_empty(&self) -> bool {
        self.before.is_none() && self.after.is_none()
    }

    const fn broken(&self, error: io::Error) -> Break {
        if self.is_empty() { Break::Idle(error) } else { Break::Busy(error) }
    }

    /// The record up to which all has arrived, at a look that found all taken.
    fn settle(&mut self) -> Option<Cursor> {
        std::mem::replace(&mut self.before, self.after.take())
    }
}

impl Delivery {
    /// A sink at work, from where it was.
    pub(super) fn new(settings: Settings, journal: PathBuf, audit: Audit, saved: Saved) -> Self {
        let arrived = saved.load().unwrap_or_else(|error| {
            tracing::warn!(%error, sink = settings.name, "its position cannot be read; it is given everything that is kept");
            None
        });
        let place = Place::new(&settings.name);
        place.arrive(arrived.as_ref().map_or(0, |at| at.seq));
        Self { settings, journal, audit, saved, arrived, place, broken: 0, pause: FIRST_PAUSE }
    }

    /// Where others can see how far it has come.
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// Delivers until it is told to end and nothing is left, or the sink is down.
    pub(super) async fn run(mut self, end: Watch) {
        loop {
            match self.session(&end).await {
                Ok(()) => return,
                Err(Break::Idle(error)) => tracing::debug!(%error, sink = self.settings.name, "connecting anew"),
                Err(Break::Busy(error)) => self.broken(&error).await,
                Err(Break::Down(error)) => self.down(&error).await,
            }
            tokio::select! {
                () = sleep(self.pause) => {}
                () = end.clone().signaled() => return,
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection.
    async fn session(&mut self, end: &Watch) -> Result<(), Break> {
        let mut wire = tokio::select! {
            wire = Wire::connect(&self.settings.target) => wire.map_err(Break::Down)?,
            () = end.clone().signaled() => return Ok(()),
        };
        let reader = Reader::open(&self.journal, self.arrived.as_ref()).map_err(Break::Down)?;
        let mut sent = Sent::default();
        self.converse(&mut wire, reader, &mut sent, end).await?;
        if wire.close(FAREWELL).await
            && let Some(last) = sent.after.or(sent.before)
        {
            self.arrive(last);
        }
        Ok(())
    }

    /// Sends what there is as it comes, until told to end and all is sent.
    async fn converse(
        &mut self,
        wire: &mut Wire,
        mut reader: Reader,
        sent: &mut Sent,
        end: &Watch,
    ) -> Result<(), Break> {
        let shape = wire.shape();
        let mut look = interval(SETTLING);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ending = std::pin::pin!(end.clone().signaled());
        loop {
            tokio::select! {
                biased;
                error = wire.closed() => return Err(sent.broken(error)),
                _ = look.tick(), if !sent.is_empty() => {
                    let is_taken = wire.is_taken().map_err(|error| sent.broken(error))?;
                    if is_taken && let Some(arrived) = sent.settle() {
                        self.up().await;
                        self.arrive(arrived);
                    }
                }
                next = reader.next(&self.settings, shape) => {
                    let next = next.map_err(Break::Down)?;
                    self.pass_on(next, wire, sent).await.map_err(|error| sent.broken(error))?;
                }
                () = &mut ending => break,
            }
        }
        while let Some(next) = reader.try_next(&self.settings, shape).map_err(Break::Down)? {
            self.pass_on(next, wire, sent).await.map_err(|error| sent.broken(error))?;
        }
        Ok(())
    }

    async fn pass_on(&mut self, next: Next, wire: &mut Wire, sent: &mut Sent) -> io::Result<()> {
        match next {
            Next::Batch(Batch { messages, last }) => {
                // Before it is sent: half of it may be.
                sent.after = Some(last);
                wire.send(&messages).await?;
            }
            Next::Jump(Jump { from, to, lost, reason }) => {
                if lost != Some(0) {
                    let sink = self.settings.name.clone();
                    tracing::error!(sink, lost, after = from, reason, "records are lost to a sink");
                    self.audit
                        .lifecycle(LifecycleEvent::SinkGap { sink, lost, after: from, reason: reason.into() })
                        .await;
                }
                // At once, so that it is told once.
                self.arrive(to);
            }
        }
        Ok(())
    }

    fn arrive(&mut self, at: Cursor) {
        if let Err(error) = self.saved.save(&at) {
            tracing::warn!(%error, sink = self.settings.name, "cannot save its position; after a restart records come twice");
        }
        self.place.arrive(at.seq);
        self.arrived = Some(at);
    }

    /// A connection broke with something on its way. Once that may be a restart over there, and is told by nothing missing.
    async fn broken(&mut self, error: &io::Error) {
        self.broken = self.broken.saturating_add(1);
        if self.broken > 1 {
            self.down(error).await;
        }
    }

    /// Said when it begins, and not for each try.
    async fn down(&mut self, error: &io::Error) {
        if !self.place.set_down(true) {
            let (sink, error) = (self.settings.name.clone(), error.to_string());
            tracing::warn!(sink, error, "a sink takes no records");
            self.audit.lifecycle(LifecycleEvent::SinkDown { sink, error }).await;
        }
    }

    /// Said when something has arrived, and not when a connection is made: else a sink that takes connections only would be
    /// told of for ever, by records that each give it something to refuse.
    async fn up(&mut self) {
        (self.pause, self.broken) = (FIRST_PAUSE, 0);
        if self.place.set_down(false) {
            let sink = self.settings.name.clone();
            tracing::info!(sink, "a sink takes records again");
            self.audit.lifecycle(LifecycleEvent::SinkUp { sink }).await;
        }
    }
}
