//! The join: facts come in from three sides, records go out. Pure; the time is an argument.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Told;
use super::container::{Container, later};
use super::fact::{Fact, Made, stamp};
use super::finding;
use super::tell::{Round, Telling, id};
use crate::policy::An0693;

/// Most containers that are kept; of more, the new ones go unwatched, and that is said.
const CONTAINERS: usize = 16_384;
/// Most gaps that are kept.
const GAPS: usize = 64;
/// Gaps that follow each other by less are one finding.
const TOGETHER: SignedDuration = SignedDuration::from_secs(10);

/// What the watch goes by.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) an0693: An0693,
    pub(super) sensor: Sensor,
    /// When this gate first watched: what was made before never had a chance to pass it.
    pub(super) epoch: Timestamp,
}

/// What looks at containers from inside the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sensor {
    /// The kernel is watched.
    Kernel,
    /// Only the engine's events tell.
    Events,
}

/// A span in which the sensor was blind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    #[serde(with = "stamp")]
    pub(super) from: Timestamp,
    #[serde(with = "stamp")]
    pub(super) to: Timestamp,
    pub(super) lost: u64,
}

/// Everything that is known of containers whose launches are not over, and of those that exist.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) settings: Settings,
    containers: HashMap<String, Container>,
    /// When each container is to be looked at again.
    due: HashMap<String, Timestamp>,
    fresh: HashSet<String>,
    /// Of which something is other than when it was last saved.
    unsaved: HashSet<String>,
    before: HashSet<(String, String)>,
    gaps: Vec<Gap>,
    /// The gap that is told of, since when, and what was lost.
    gap: Option<(String, Timestamp, Gap)>,
    is_gap_told: bool,
    is_full: bool,
}

impl Sensor {
    /// The name in records.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Events => "events",
        }
    }
}

impl Gap {
    pub(super) fn value(&self) -> Value {
        json!({"from": format!("{:.9}", self.from), "to": format!("{:.9}", self.to), "lost": self.lost})
    }
}

impl Join {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            containers: HashMap::new(),
            due: HashMap::new(),
            fresh: HashSet::new(),
            unsaved: HashSet::new(),
            before: HashSet::new(),
            gaps: Vec::new(),
            gap: None,
            is_gap_told: false,
            is_full: false,
        }
    }

    /// Takes back what was saved.
    pub(super) fn restore(&mut self, saved: &str) -> Result<(), serde_json::Error> {
        let container: Container = serde_json::from_str(saved)?;
        self.fresh.insert(container.id.clone());
        self.containers.insert(container.id.clone(), container);
        Ok(())
    }

    /// Takes a fact.
    pub(super) fn put(&mut self, container: &str, fact: Fact) {
        self.change(container, |container| container.put(fact));
    }

    /// Takes who made a container.
    pub(super) fn put_made(&mut self, container: &str, made: Made) {
        self.change(container, |container| container.put_made(made));
    }

    /// Takes what a record of the journal tells.
    pub(super) fn put_record(&mut self, told: Told) {
        match told {
            Told::Made { container, made } => self.put_made(&container, *made),
            Told::Asked { container, fact } => self.put(&container, fact),
            Told::Failed { container, record } => self.change(&container, |container| {
                container.forget(&record);
                true
            }),
            Told::Before { id, event } => {
                self.before.insert((id, event));
            }
        }
    }

    /// Takes what a container's health check runs; empty if it has none, or nobody knows.
    pub(super) fn put_health(&mut self, container: &str, command: String) {
        self.change(container, |container| {
            container.health = Some(command);
            true
        });
    }

    /// Takes when a container was made, for one whose making was not seen.
    pub(super) fn put_created(&mut self, container: &str, at: Timestamp, image: String, name: String) {
        self.change(container, |container| {
            container.created = Some(container.created.map_or(at, |known| known.min(at)));
            container.image.get_or_insert(image);
            container.name.get_or_insert(name);
            true
        });
    }

    /// Takes a span in which the sensor was blind.
    pub(super) fn put_gap(&mut self, gap: Gap) {
        self.gaps.push(gap.clone());
        if self.gaps.len() > GAPS {
            self.gaps.remove(0);
        }
        match &mut self.gap {
            Some((_, last, known)) => {
                (known.lost, known.to) = (known.lost.saturating_add(gap.lost), known.to.max(gap.to));
                *last = gap.to;
            }
            None => {
                let id = id(&["sensor.gap", &gap.from.to_string(), &gap.to.to_string()]);
                (self.gap, self.is_gap_told) = (Some((id, gap.to, gap)), false);
            }
        }
    }

    /// What is known of a container.
    pub(super) fn container(&self, id: &str) -> Option<&Container> {
        self.containers.get(id)
    }

    /// Containers that run as far as is known, or were asked to, and whose launch is not over.
    pub(super) fn running(&self) -> Vec<String> {
        let may_run = |container: &&Container| container.runs_since().is_some() || container.awaits_start();
        self.containers.values().filter(may_run).map(|it| it.id.clone()).collect()
    }

    /// Whether a container's latest start is known, be its launch over or not.
    pub(super) fn is_known_to_run(&self, id: &str) -> bool {
        self.containers.get(id).is_some_and(|container| container.runs_since().is_some())
    }

    /// Whether more containers came than are kept, since this was last asked.
    pub(super) fn was_full(&mut self) -> bool {
        std::mem::take(&mut self.is_full)
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Container) -> bool) {
        if !self.containers.contains_key(id) && self.containers.len() >= CONTAINERS {
            self.is_full = true;
            return;
        }
        let container = self.containers.entry(id.to_owned()).or_insert_with(|| Container::new(id));
        if change(container) {
            self.fresh.insert(id.to_owned());
            self.unsaved.insert(id.to_owned());
        }
    }

    /// What is to be told now.
    pub(super) fn tell(&mut self, now: Timestamp) -> Vec<Telling> {
        let mut all = Vec::new();
        let due = self.due.iter().filter(|(_, at)| **at <= now).map(|(id, _)| id.clone());
        let mut look: Vec<String> = due.chain(self.fresh.drain()).collect();
        look.sort_unstable();
        look.dedup();
        for id in look {
            self.due.remove(&id);
            let Some(container) = self.containers.get_mut(&id) else { continue };
            let (settings, before, gaps) = (&self.settings, &self.before, self.gaps.as_slice());
            let mut round = Round { now, settings, before, gaps, tellings: Vec::new(), next: None };
            round.run(container);
            if let Some(next) = round.next {
                self.due.insert(id.clone(), next);
            }
            all.append(&mut round.tellings);
            if container.is_gone() {
                self.containers.remove(&id);
            }
            self.unsaved.insert(id);
        }
        self.tell_gap(now, &mut all);
        all
    }

    fn tell_gap(&mut self, now: Timestamp, all: &mut Vec<Telling>) {
        let Some((id, last, gap)) = &self.gap else { return };
        let is_over = later(*last, TOGETHER) <= now;
        let event = match (self.is_gap_told, is_over) {
            (false, _) => "open",
            (true, true) => "close",
            (true, false) => return,
        };
        let mut members = finding::gap(gap.lost);
        members.insert("sensor".into(), self.settings.sensor.name().into());
        members.insert("gaps".into(), json!([gap.value()]));
        all.push(Telling { kind: "finding", event, id: id.clone(), members });
        self.is_gap_told = true;
        if event == "close" {
            self.gap = None;
        }
    }

    /// When there may be more to tell, if nothing comes in.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let gap = self.gap.as_ref().map(|(_, last, _)| later(*last, TOGETHER));
        self.due.values().copied().chain(gap).min()
    }

    /// What changed since this was last asked: each container's id, and what to save of it; `None` if it is gone.
    pub(super) fn unsaved(&mut self) -> Vec<(String, Option<String>)> {
        let ids: Vec<String> = self.unsaved.drain().collect();
        let text = |container: &Container| serde_json::to_string(container).ok();
        ids.into_iter()
            .map(|id| {
                let saved = self.containers.get(&id).and_then(text);
                (id, saved)
            })
            .collect()
    }
}
