//! What is kept of one container, and the launches that can be read from it. Pure.
//!
//! Facts are a set in order of time. What follows from them is computed anew whenever it is needed, so that the order in which
//! they came cannot matter.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::fact::{Class, Fact, Happened, Made, maybe_stamp};
use super::launch::Launch;
use super::tell::{Odd, Told};

/// A first process runs before the engine says that it started, on a loaded host long before: actions since the end before it
/// belong to a start, if they are not older than this.
const EARLY: SignedDuration = SignedDuration::from_secs(30);
/// Where that end was not told, only so much belongs to the later start.
const UNTOLD_END: SignedDuration = SignedDuration::from_millis(500);
/// Two starts so close together, without an end between them, are one: found by asking the engine, and told by its event.
const SAME: SignedDuration = SignedDuration::from_secs(5);
/// What explains a process is kept this much longer than the process.
const EXPLAINS: SignedDuration = SignedDuration::from_secs(-30);
/// What comes this late after a death still belongs to it: `destroy` after `die`.
pub(super) const SETTLE: SignedDuration = SignedDuration::from_secs(3);

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) made: Option<Made>,
    facts: BTreeSet<Fact>,
    /// There were more facts of some class than are kept.
    pub(super) is_truncated: bool,
    /// Its health check's command on one line; `None` until somebody asked the engine.
    pub(super) health: Option<String>,
    /// When the engine made it.
    #[serde(with = "maybe_stamp")]
    pub(super) created: Option<Timestamp>,
    /// Its image and its name as the engine says, for one that the gate did not make.
    pub(super) image: Option<String>,
    pub(super) name: Option<String>,
    /// The end of the last launch that is over; what was before it is no longer taken.
    #[serde(with = "maybe_stamp")]
    pub(super) done: Option<Timestamp>,
    /// When that launch started: what was asked for before it is its own, and no later start's.
    #[serde(with = "maybe_stamp", default)]
    last: Option<Timestamp>,
    /// What was told of the launches that are not over.
    pub(super) told: Vec<Told>,
    pub(super) odd: Odd,
    pub(super) is_destroyed: bool,
}

impl Container {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            made: None,
            facts: BTreeSet::new(),
            is_truncated: false,
            health: None,
            created: None,
            image: None,
            name: None,
            done: None,
            last: None,
            told: Vec::new(),
            odd: Odd::default(),
            is_destroyed: false,
        }
    }

    /// Takes a fact; whether it was news.
    pub(super) fn put(&mut self, fact: Fact) -> bool {
        if self.done.is_some_and(|done| fact.at <= done) {
            return false;
        }
        if let Happened::Created { image, name } = &fact.what {
            self.created = Some(self.created.map_or(fact.at, |known| known.min(fact.at)));
            self.image = Some(image.clone());
            self.name = Some(name.clone());
        }
        self.is_destroyed |= fact.what == Happened::Destroyed;
        let class = fact.class();
        let is_new = self.facts.insert(fact);
        let mut of_class = self.facts.iter().filter(|fact| fact.class() == class);
        // The earliest stay: first actions are what this is about, and which stay must not depend on which came first.
        if is_new
            && of_class.clone().count() > class.limit()
            && let Some(last) = of_class.next_back().cloned()
        {
            self.is_truncated = true;
            self.facts.remove(&last);
            return false;
        }
        is_new
    }

    /// Takes who made it. The record of the call says more than the index does.
    pub(super) fn put_made(&mut self, made: Made) -> bool {
        let is_better = self.made.as_ref().is_none_or(|known| made.is_whole && !known.is_whole);
        if is_better {
            self.made = Some(made);
        }
        is_better
    }

    /// Forgets what was asked for by a call that failed.
    pub(super) fn forget(&mut self, record: &str) {
        self.facts.retain(|fact| !matches!(&fact.what, Happened::Asked(asked) if asked.record == record));
    }

    /// Whether anything that is kept is of a kind.
    pub(super) fn has(&self, is: impl Fn(&Happened) -> bool) -> bool {
        self.facts.iter().any(|fact| is(&fact.what))
    }

    /// Its latest name.
    pub(super) fn latest_name(&self) -> Option<&str> {
        let renamed = self.facts.iter().rev().find_map(|fact| fact.what.renamed());
        let made = self.made.as_ref().and_then(|made| made.name.as_deref());
        renamed.or(self.name.as_deref()).or(made)
    }

    /// The launches that are not over, in order. One that has not started yet is the last.
    pub(super) fn launches(&self, window: Duration) -> Vec<Launch<'_>> {
        let of = |is: fn(&Happened) -> bool| self.facts.iter().filter(move |fact| is(&fact.what)).map(|fact| fact.at);
        let ends: Vec<Timestamp> = of(|what| matches!(what, Happened::Died { .. } | Happened::Destroyed)).collect();
        let mut starts: Vec<Timestamp> = Vec::new();
        for start in of(|what| matches!(what, Happened::Started)) {
            let ended_since = |before: &Timestamp| ends.iter().any(|end| end > before && *end <= start);
            let is_same = |before: &Timestamp| start <= later(*before, SAME) && !ended_since(before);
            if !starts.last().is_some_and(is_same) {
                starts.push(start);
            }
        }
        let mut all = Vec::new();
        let mut from = self.done.unwrap_or(Timestamp::MIN);
        for (at, start) in starts.iter().enumerate() {
            let next = starts.get(at + 1).copied();
            let died = ends.iter().copied().find(|end| end > start && next.is_none_or(|next| *end < next));
            // Its death was not told: it was over when the next began.
            let over = died.or(next.map(|next| next.saturating_sub(UNTOLD_END).unwrap_or(next).max(*start)));
            let until = start.saturating_add(window).unwrap_or(Timestamp::MAX);
            let until = over.map_or(until, |over| until.min(over));
            let last = if next.is_none() && over.is_some() { later(until, SETTLE) } else { until };
            let ended = ends.iter().rfind(|end| *end <= start).copied();
            let early = start.saturating_sub(EARLY).unwrap_or(*start).max(ended.unwrap_or(from));
            let asked_from = at.checked_sub(1).and_then(|before| starts.get(before)).copied().or(self.last);
            let belongs = |fact: &&Fact| {
                if fact.what.start_asked().is_some() {
                    // A restart is asked for before the death that it brings.
                    fact.at <= *start && asked_from.is_none_or(|before| fact.at > before)
                } else if fact.is_act() {
                    fact.at >= early && fact.at > from && fact.at <= until
                } else {
                    fact.at > from && fact.at <= last
                }
            };
            let facts = self.facts.iter().filter(belongs);
            let (start, died) = (Some(*start), died);
            all.push(Launch { container: self, start, died, until: Some(until), facts: facts.collect() });
            from = over.unwrap_or(until);
        }
        let is_waiting = starts.is_empty() && self.done.is_none() && (self.made.is_some() || self.created.is_some());
        if is_waiting {
            let gone = ends.first().copied();
            let facts = self.facts.iter().filter(|fact| !fact.is_act()).collect();
            all.push(Launch { container: self, start: None, died: gone, until: gone, facts });
        }
        all
    }

    /// When it started, if it did and has not died since.
    pub(super) fn runs_since(&self) -> Option<Timestamp> {
        let last = self
            .facts
            .iter()
            .rfind(|fact| matches!(fact.what, Happened::Started | Happened::Died { .. } | Happened::Destroyed));
        last.filter(|fact| fact.what == Happened::Started).map(|fact| fact.at)
    }

    /// Whether a start was asked for that the engine has told nothing of, neither that it came nor that it ended.
    pub(super) fn awaits_start(&self) -> bool {
        let told = |fact: &&Fact| matches!(fact.what, Happened::Started | Happened::Died { .. } | Happened::Destroyed);
        let last = self.facts.iter().rfind(|fact| told(fact) || fact.what.start_asked().is_some());
        last.is_some_and(|fact| fact.what.start_asked().is_some() && self.done.is_none_or(|done| fact.at > done))
    }

    /// Every fact, in order.
    pub(super) fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.facts.iter()
    }

    /// Lets go of what is over.
    pub(super) fn close(&mut self, until: Timestamp) {
        self.name = self.latest_name().map(str::to_owned);
        self.done = Some(self.done.map_or(until, |done| done.max(until)));
        let started = |fact: &&Fact| fact.what == Happened::Started && fact.at <= until;
        self.last = self.facts.iter().rfind(started).map(|fact| fact.at).or(self.last);
        // What explains an exec may do so a little later.
        self.facts.retain(|fact| fact.at > until || matches!(fact.class(), Class::Asked | Class::Exec));
    }

    /// Lets go of what is too old to explain anything, once no launch is open.
    pub(super) fn prune(&mut self, before: Timestamp) {
        if self.told.is_empty() {
            let explains = later(before, EXPLAINS);
            let may_explain = |fact: &Fact| matches!(fact.class(), Class::Asked | Class::Exec);
            self.facts.retain(|fact| fact.at >= if may_explain(fact) { explains } else { before });
        }
    }

    /// Whether nothing will ever be told of it again.
    pub(super) fn is_gone(&self) -> bool {
        self.told.is_empty() && self.is_destroyed && !self.odd.is_open()
    }
}

pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
