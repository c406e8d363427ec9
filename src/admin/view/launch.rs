//! A launch: what was made, by whom, and what it then did.

use jiff::Timestamp;
use serde_json::Value;

use super::{Call, Entry, What, list, text};
use crate::policy::Check;

/// Entries that one launch keeps. The first ones are the evidence; later ones are in the journal.
const ENTRIES: usize = 100;
/// Records that one launch names.
const RECORDS: usize = 100;

/// One container, from its making.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Launch {
    /// Full id of the container.
    pub(in crate::admin) id: String,
    pub(in crate::admin) name: String,
    pub(in crate::admin) image: String,
    pub(in crate::admin) image_allowed: Option<bool>,
    /// Who made it; `None` if nobody did through this gate.
    pub(in crate::admin) principal: Option<String>,
    pub(in crate::admin) who: String,
    pub(in crate::admin) is_admin: bool,
    /// Who started it, if somebody else.
    pub(in crate::admin) starter: Option<String>,
    pub(in crate::admin) began: Timestamp,
    pub(super) updated: Timestamp,
    /// How the kernel was watched; `None` until the watch says so.
    pub(in crate::admin) sensor: Option<String>,
    /// Events that were lost meanwhile.
    pub(in crate::admin) lost: u64,
    state: State,
    /// By what the gate saw.
    calls: Vec<Entry>,
    /// By what the watch said last of the launch.
    watched: Vec<Entry>,
    /// By what it said of processes that no call explains.
    odd: Vec<Entry>,
    /// Ids of records, the oldest first.
    pub(in crate::admin) records: Vec<String>,
}

/// How far the watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has not said anything.
    Unwatched,
    Open,
    Closed,
}

impl Launch {
    /// A container of which nothing is known yet.
    pub(super) const fn new(id: String, began: Timestamp) -> Self {
        Self {
            id,
            name: String::new(),
            image: String::new(),
            image_allowed: None,
            principal: None,
            who: String::new(),
            is_admin: false,
            starter: None,
            began,
            updated: began,
            sensor: None,
            lost: 0,
            state: State::Unwatched,
            calls: Vec::new(),
            watched: Vec::new(),
            odd: Vec::new(),
            records: Vec::new(),
        }
    }

    /// The launch that a call has begun, if it made a container.
    pub(super) fn made_by(call: &Call) -> Option<Self> {
        if call.operation != "ContainerCreate" || call.status != Some(201) {
            return None;
        }
        let mut launch = Self::new(call.container.clone()?, call.time);
        launch.name = call.name.clone().unwrap_or_default();
        launch.image = call.image.clone().unwrap_or_default();
        launch.image_allowed = call.image_allowed;
        launch.principal = Some(call.principal.clone());
        launch.who.clone_from(&call.who);
        launch.is_admin = call.is_admin;
        launch.calls.push(Entry::by(call, "create", launch.image.clone()));
        launch.records.push(call.id.clone());
        Some(launch)
    }

    /// Another call was about it.
    pub(super) fn touched(&mut self, call: &Call) {
        let name = match call.operation.as_str() {
            "ContainerStart" | "ContainerRestart" => "start",
            "ContainerExec" => "exec",
            "ContainerDelete" => "destroy",
            "ContainerStop" => "stop",
            "ContainerKill" => "kill",
            "ContainerAttach" => "attach",
            "ContainerUpdate" => "update",
            "ContainerRename" => "rename",
            "PutContainerArchive" => "copy in",
            "ContainerArchive" => "copy out",
            _ => return,
        };
        if self.records.len() < RECORDS {
            self.records.push(call.id.clone());
        }
        if call.succeeded() && self.calls.len() < ENTRIES {
            self.calls.push(Entry::by(call, name, String::new()));
            if name == "start" && self.principal.as_ref() != Some(&call.principal) {
                self.starter = Some(call.principal.clone());
            }
        }
        self.updated = self.updated.max(call.time);
    }

    /// The watch has said something: its word is the fuller one.
    pub(super) fn watched(&mut self, record: &Value, time: Timestamp) {
        let replace = |place: &mut String, pointer: &str| {
            if let Some(text) = text(record, pointer) {
                *place = text;
            }
        };
        replace(&mut self.name, "/container/name");
        replace(&mut self.image, "/image/reference");
        self.image_allowed = record.pointer("/image/allowed").and_then(Value::as_bool).or(self.image_allowed);
        self.principal = text(record, "/principal/name").or_else(|| self.principal.take());
        self.is_admin = record.pointer("/principal/admin").and_then(Value::as_bool).unwrap_or(self.is_admin);
        self.starter = text(record, "/starter/name").or_else(|| self.starter.take());
        self.sensor = text(record, "/sensor").or_else(|| self.sensor.take());
        let lost = list(record, "/gaps").filter_map(|gap| gap.pointer("/lost").and_then(Value::as_u64));
        self.lost = self.lost.max(lost.fold(0, u64::saturating_add));
        self.told(record);
        for id in list(record, "/records").filter_map(|id| text(id, "")) {
            if !self.records.contains(&id) && self.records.len() < RECORDS {
                self.records.push(id);
            }
        }
        if record.pointer("/kind").and_then(Value::as_str) == Some("launch") {
            let closed = record.pointer("/event").and_then(Value::as_str) == Some("closed");
            self.state = if closed { State::Closed } else { State::Open };
        }
        self.began = self.watched.iter().chain(&self.odd).map(|entry| entry.at).fold(self.began, Timestamp::min);
        self.updated = self.updated.max(time);
    }

    /// Takes over a timeline. That of a launch is whole, and begins anew when the container does; a finding may be of a part.
    fn told(&mut self, record: &Value) {
        let timeline = list(record, "/timeline").filter_map(Entry::of).take(ENTRIES);
        let plain = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        if plain("/check") == Some(Check::ExecOutOfBand.id()) {
            for entry in timeline {
                if self.odd.len() < ENTRIES && !self.odd.iter().any(|known| known.is(&entry)) {
                    self.odd.push(entry);
                }
            }
            return;
        }
        let timeline: Vec<Entry> = timeline.collect();
        let is_newer = plain("/kind") == Some("launch") && !timeline.is_empty();
        if is_newer || timeline.len() >= self.watched.len() {
            self.watched = timeline;
        }
    }

    /// Whether the watch still waits for what it does.
    pub(super) fn is_watched(&self) -> bool {
        self.state == State::Open
    }

    /// Where the watch is, in a word.
    pub(in crate::admin) fn state(&self) -> &'static str {
        match self.state {
            State::Unwatched => "not watched",
            State::Open => "being watched",
            State::Closed => "watched",
        }
    }

    /// Everything that happened, in order of time: by the watch's word, and of the gate's what the watch does not have.
    pub(in crate::admin) fn timeline(&self) -> Vec<&Entry> {
        let known = |entry: &&Entry| {
            !self.watched.iter().any(|seen| {
                let once = matches!(entry.what, What::Create | What::Start) && seen.what == entry.what;
                seen.record.is_some() && seen.record == entry.record || once
            })
        };
        let odd = self.odd.iter().filter(|odd| !self.watched.iter().any(|seen| seen.is(odd)));
        let mut all: Vec<&Entry> = self.watched.iter().chain(odd).chain(self.calls.iter().filter(known)).collect();
        all.sort_by_key(|entry| (entry.at, entry.what));
        all
    }

    /// The moment that times are told from: its start, or else its making.
    pub(in crate::admin) fn zero(&self) -> Timestamp {
        let timeline = self.timeline();
        let start = timeline.iter().find(|entry| entry.what == What::Start);
        start.or(timeline.first()).map_or(self.began, |entry| entry.at)
    }

    /// The first of a kind.
    pub(in crate::admin) fn first(&self, what: What) -> Option<&Entry> {
        self.timeline().into_iter().find(|entry| entry.what == what)
    }

    /// Twelve digits, as Docker shows it.
    pub(in crate::admin) fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}
