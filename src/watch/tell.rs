//! What is to be told, and what was: each launch and each finding once opened, updated a bounded number of times, and closed.
//! Pure; the time is an argument.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::container::{Container, SETTLE, later};
use super::exec::{self, Entry, GRACE};
use super::fact::{maybe_stamp, stamp};
use super::launch::{self, Launch};
use super::{Settings, finding};

/// Most updates of one finding; what comes later is in the record that closes it.
const UPDATES: u32 = 8;
/// Pause before the first update; each next one waits twice as long.
const PAUSE: SignedDuration = SignedDuration::from_millis(500);
/// How long a process that nothing explains waits to be told in one finding with the next.
const TOGETHER: SignedDuration = SignedDuration::from_secs(60);
/// How long facts are kept that belong to no open launch.
const AGO: SignedDuration = SignedDuration::from_secs(-180);
/// Most processes that one finding names.
const NAMED: usize = 64;

/// A record to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Telling {
    /// `launch` or `finding`.
    pub(super) kind: &'static str,
    pub(super) event: &'static str,
    pub(super) id: String,
    pub(super) members: Map<String, Value>,
}

/// What was told of one launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// Its start; `None` while it waits for one.
    #[serde(with = "maybe_stamp")]
    start: Option<Timestamp>,
    id: String,
    /// Whether it is the first that was seen of its container.
    is_first: bool,
    is_open: bool,
    is_armed: bool,
    findings: Vec<Open>,
}

/// A finding on a launch that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    kind: Kind,
    id: String,
    /// Entries of the timeline when it was last told.
    entries: usize,
    updates: u32,
    #[serde(with = "stamp")]
    last: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    An0693,
    Bypass,
}

/// Processes of a container that no exec explains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Odd {
    /// The finding that is open.
    open: Option<OddFinding>,
    /// When those ran that were told.
    known: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OddFinding {
    id: String,
    count: usize,
    timeline: Vec<Value>,
    /// How many were told.
    told: usize,
    updates: u32,
    #[serde(with = "stamp")]
    last: Timestamp,
}

/// One round of telling.
pub(super) struct Round<'a> {
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
    /// What the journal holds already from before a crash, by id and event.
    pub(super) before: &'a HashSet<(String, String)>,
    /// Spans in which the sensor was blind.
    pub(super) gaps: &'a [super::Gap],
    pub(super) tellings: Vec<Telling>,
    /// When there may be more to tell of the container at hand.
    pub(super) next: Option<Timestamp>,
}

impl Round<'_> {
    /// Tells what is to be told of a container now.
    pub(super) fn run(&mut self, container: &mut Container) {
        let (mut told, mut odd) = (std::mem::take(&mut container.told), std::mem::take(&mut container.odd));
        let mut done = None;
        let launches = container.launches(self.settings.an0693.window());
        let entries = exec::entries(container, &launches);
        for launch in &launches {
            let at = position(launch, &mut told);
            let over = told.get_mut(at).and_then(|told| self.launch(launch, &entries, told));
            if over.is_some() {
                told.remove(at);
                done = done.max(over);
            }
        }
        self.odd(container, &entries, &mut odd);
        container.told = told;
        container.odd = odd;
        if let Some(done) = done {
            container.close(done);
        }
        container.prune(later(self.now, AGO));
    }

    /// Tells of one launch; returns its end once everything is told.
    fn launch(&mut self, launch: &Launch<'_>, entries: &[Entry<'_>], told: &mut Told) -> Option<Timestamp> {
        let made = launch.made();
        let due = later(launch.start.or(made.map(|made| made.at)).unwrap_or(self.now), GRACE);
        if !made.is_some_and(|made| made.is_whole) && due > self.now {
            self.wait(due);
            return None;
        }
        if !told.is_open && made.is_some() {
            told.is_open = true;
            self.tell("launch", "open", &told.id, launch, entries, Map::new());
        }
        if !told.is_armed && launch.start.is_some() {
            told.is_armed = true;
            self.tell("launch", "armed", &told.id, launch, entries, Map::new());
            self.open(launch, entries, told);
        }
        let until = launch.until?;
        if later(until, SETTLE) > self.now {
            self.wait(later(until, SETTLE));
            self.update(launch, entries, told);
            return None;
        }
        for open in &told.findings {
            let members = self.finding(open.kind, launch);
            self.tell("finding", "close", &open.id, launch, entries, members);
        }
        if told.is_open || told.is_armed {
            self.tell("launch", "closed", &told.id, launch, entries, Map::new());
        }
        Some(until)
    }

    /// Opens what a launch that has just started gives reason for.
    fn open(&mut self, launch: &Launch<'_>, entries: &[Entry<'_>], told: &mut Told) {
        let settings = self.settings;
        let scores = finding::score(launch, &settings.an0693).score >= settings.an0693.threshold();
        // A container that dies and is brought back by the engine is no new launch by anybody.
        let by_someone = told.is_first || launch.starter().is_some();
        let unseen = launch.made().is_none() && launch.container.created.is_none_or(|at| at > settings.epoch);
        for (kind, is) in [(Kind::An0693, scores && by_someone), (Kind::Bypass, unseen && told.is_first)] {
            if is {
                let id = id(&[kind.name(), &told.id]);
                let entries_now = launch.timeline(entries).len();
                told.findings.push(Open { kind, id: id.clone(), entries: entries_now, updates: 0, last: self.now });
                let members = self.finding(kind, launch);
                self.tell("finding", "open", &id, launch, entries, members);
            }
        }
    }

    /// Tells what has been added since a finding was last told, with longer and longer pauses.
    fn update(&mut self, launch: &Launch<'_>, entries: &[Entry<'_>], told: &mut Told) {
        let now_there = launch.timeline(entries).len();
        for open in &mut told.findings {
            if now_there <= open.entries || open.updates >= UPDATES {
                continue;
            }
            let due = later(open.last, pause(open.updates));
            if due > self.now {
                self.wait(due);
                continue;
            }
            (open.entries, open.updates, open.last) = (now_there, open.updates + 1, self.now);
            let members = self.finding(open.kind, launch);
            self.tell("finding", "update", &open.id, launch, entries, members);
        }
    }

    fn finding(&self, kind: Kind, launch: &Launch<'_>) -> Map<String, Value> {
        match kind {
            Kind::An0693 => finding::an0693(&finding::score(launch, &self.settings.an0693), launch),
            Kind::Bypass => finding::bypass(launch),
        }
    }

    fn tell(
        &mut self,
        kind: &'static str,
        event: &'static str,
        id: &str,
        launch: &Launch<'_>,
        entries: &[Entry<'_>],
        mut members: Map<String, Value>,
    ) {
        members.append(&mut launch.members(entries));
        members.insert("sensor".into(), self.settings.sensor.name().into());
        let from = launch.start.unwrap_or(Timestamp::MAX);
        let until = launch.until.unwrap_or(Timestamp::MAX);
        let blind = self.gaps.iter().filter(|gap| gap.to >= from && gap.from <= until).map(super::Gap::value);
        let blind: Vec<Value> = blind.collect();
        if !blind.is_empty() {
            members.insert("gaps".into(), blind.into());
        }
        self.push(Telling { kind, event, id: id.to_owned(), members });
    }

    /// What the journal holds already is not told twice.
    fn push(&mut self, telling: Telling) {
        if !self.before.contains(&(telling.id.clone(), telling.event.to_owned())) {
            self.tellings.push(telling);
        }
    }

    fn wait(&mut self, until: Timestamp) {
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }

    // === processes that no exec explains ===

    fn odd(&mut self, container: &Container, entries: &[Entry<'_>], odd: &mut Odd) {
        let unexplained = entries.iter().filter(|entry| entry.explained.is_none()).map(|entry| {
            let mut members = launch::program(entry.ran);
            members.insert("what".into(), "exec".into());
            (entry.fact.at, members)
        });
        let mut all: Vec<(Timestamp, Map<String, Value>)> = unexplained.collect();
        // Until it is known what its health check runs, that may be it.
        if container.health.is_some() {
            all.extend(exec::behind(container).into_iter().map(|(at, command)| {
                let mut members = Map::new();
                members.insert("what".into(), "exec".into());
                members.insert("argv".into(), json!([command]));
                (at, members)
            }));
        }
        for (ran, mut members) in all {
            if later(ran, GRACE) > self.now {
                self.wait(later(ran, GRACE));
                continue;
            }
            members.insert("at".into(), launch::at(ran));
            members.insert("out_of_band".into(), true.into());
            if odd.known.insert(ran.to_string()) {
                self.one_more(container, ran, members, odd);
            }
        }
        self.tell_odd(container, odd);
        let oldest = later(self.now, AGO).to_string();
        if odd.open.is_none() {
            odd.known.retain(|ran| ran.parse::<Timestamp>().is_ok_and(|at| at.to_string() >= oldest));
        }
    }

    fn one_more(&mut self, container: &Container, ran: Timestamp, members: Map<String, Value>, odd: &mut Odd) {
        let id = || id(&["exec.out-of-band", &container.id, &ran.to_string()]);
        let now = self.now;
        let open = odd.open.get_or_insert_with(|| OddFinding {
            id: id(),
            count: 0,
            timeline: Vec::new(),
            told: 0,
            updates: 0,
            last: now,
        });
        open.count += 1;
        if open.timeline.len() < NAMED {
            open.timeline.push(Value::Object(members));
        }
    }

    fn tell_odd(&mut self, container: &Container, odd: &mut Odd) {
        let Some(open) = &mut odd.open else { return };
        let closes = later(open.last, TOGETHER);
        let event = if open.told == 0 {
            "open"
        } else if container.is_destroyed || closes <= self.now {
            "close"
        } else if open.count > open.told && open.updates < UPDATES && later(open.last, pause(open.updates)) <= self.now
        {
            open.updates += 1;
            "update"
        } else {
            let due = if open.count > open.told && open.updates < UPDATES {
                later(open.last, pause(open.updates)).min(closes)
            } else {
                closes
            };
            self.wait(due);
            return;
        };
        (open.told, open.last) = (open.count, self.now);
        let last = open.timeline.last().map(described).unwrap_or_default();
        let name = container.latest_name().unwrap_or(&container.id);
        let mut members = finding::out_of_band(name, open.count, &last);
        members.append(&mut launch::head(container));
        members.insert("timeline".into(), open.timeline.clone().into());
        members.insert("sensor".into(), self.settings.sensor.name().into());
        let id = open.id.clone();
        if event == "close" {
            odd.open = None;
        } else {
            self.wait(later(self.now, TOGETHER));
        }
        self.push(Telling { kind: "finding", event, id, members });
    }
}

impl Odd {
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::An0693 => "launch.an0693",
            Self::Bypass => "launch.bypass",
        }
    }
}

/// Where a launch stands among those told of; one that waited for its start has got it.
fn position(launch: &Launch<'_>, all: &mut Vec<Told>) -> usize {
    let same = all.iter().position(|told| told.start == launch.start);
    if let Some(at) = same.or_else(|| all.iter().position(|told| told.start.is_none())) {
        if let Some(told) = all.get_mut(at) {
            told.start = launch.start;
        }
        return at;
    }
    let container = &launch.container.id;
    let is_first = all.is_empty() && launch.container.done.is_none();
    let start = launch.start.filter(|_| !is_first).map(|at| at.to_string()).unwrap_or_default();
    let id = id(&["launch", container, &start]);
    all.push(Told { start: launch.start, id, is_first, is_open: false, is_armed: false, findings: Vec::new() });
    all.len() - 1
}

fn pause(updates: u32) -> SignedDuration {
    PAUSE.saturating_mul(1 << updates.min(UPDATES))
}

fn described(entry: &Value) -> String {
    let words = entry.get("argv").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    match words.as_slice() {
        [] => entry.get("path").and_then(Value::as_str).unwrap_or_default().to_owned(),
        words => words.join(" "),
    }
}

/// An id that is the same whenever the same thing is told, so that a killed gate goes on with what it began: a UUID of version 8
/// over what it is of.
pub(super) fn id(of: &[&str]) -> String {
    let digest = of.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part).chain_update([0])).finalize();
    let mut bytes: [u8; 16] = digest.first_chunk().copied().unwrap_or_default();
    for (byte, (mask, bits)) in bytes.iter_mut().skip(6).step_by(2).zip([(0x0f, 0x80), (0x3f, 0x80)]) {
        *byte = *byte & mask | bits;
    }
    bytes.iter().enumerate().fold(String::with_capacity(36), |mut text, (at, byte)| {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
