//! What the console shows, put together from the journal's records: the last calls, the launches of a day, the findings. Pure.
//!
//! All of it is bounded: whoever makes many calls pushes the oldest out of sight, never out of the journal. Every text is cut
//! and has its control characters shown when it is taken from a record; the templates escape the rest.

mod call;
mod finding;
mod launch;
mod timeline;

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub(super) use call::Call;
pub(super) use finding::{Finding, Severity};
pub(super) use launch::Launch;
pub(super) use timeline::{Entry, What};

use crate::sink::shown;

/// Calls that are kept.
const CALLS: usize = 1000;
/// Launches that are kept, and for how long.
const LAUNCHES: usize = 300;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Findings that are kept.
const FINDINGS: usize = 300;
/// Longest text that is kept, in characters.
const TEXT: usize = 300;

/// What the console shows.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The oldest first.
    calls: VecDeque<Call>,
    /// By container id.
    launches: BTreeMap<String, Launch>,
    /// By id.
    findings: BTreeMap<String, Finding>,
    /// Time of the newest record.
    now: Timestamp,
}

impl View {
    /// Takes in one record, `line` as it stands in the journal. Says whether there is anything new to show.
    pub(super) fn add(&mut self, record: &Value, line: &[u8]) -> bool {
        let Some(time) = time(record, "/time") else { return false };
        self.now = self.now.max(time);
        let kind = record.pointer("/kind").and_then(Value::as_str);
        match kind {
            Some("call") => {
                let Some(call) = Call::of(record, time, line) else { return false };
                self.launched(&call);
                self.calls.push_back(call);
                if self.calls.len() > CALLS {
                    self.calls.pop_front();
                }
            }
            Some("launch") => self.watched(record, time),
            Some("finding") => {
                self.watched(record, time);
                self.found(record, time);
            }
            Some("approval" | "lifecycle") => {}
            Some(_) | None => return false,
        }
        true
    }

    /// A call that made a container, or did something to one that is known.
    fn launched(&mut self, call: &Call) {
        if let Some(launch) = Launch::made_by(call) {
            self.launches.insert(launch.id.clone(), launch);
            return self.forget_old();
        }
        let id = call.container.clone().or_else(|| self.named(call.name.as_deref()?));
        if let Some(launch) = id.and_then(|id| self.launches.get_mut(&id)) {
            launch.touched(call);
        }
    }

    /// The id of what a call names otherwise: the newest of a name, or what begins like it. Not all calls are looked up.
    fn named(&self, name: &str) -> Option<String> {
        let named = self.launches.values().filter(|launch| launch.name == name.trim_start_matches('/'));
        let newest = named.max_by_key(|launch| launch.began).or_else(|| self.launch(name));
        newest.map(|launch| launch.id.clone())
    }

    /// What the watch says of a launch.
    fn watched(&mut self, record: &Value, time: Timestamp) {
        let Some(id) = text(record, "/container/id") else { return };
        self.launches.entry(id.clone()).or_insert_with(|| Launch::new(id, time)).watched(record, time);
        self.forget_old();
    }

    fn found(&mut self, record: &Value, time: Timestamp) {
        let Some(id) = text(record, "/finding") else { return };
        match self.findings.get_mut(&id) {
            Some(finding) => finding.update(record, time),
            None => {
                self.findings.insert(id.clone(), Finding::new(id, record, time));
            }
        }
        if self.findings.len() > FINDINGS {
            let oldest = self.findings.values().min_by_key(|finding| finding.updated).map(|finding| finding.id.clone());
            oldest.and_then(|id| self.findings.remove(&id));
        }
    }

    fn forget_old(&mut self) {
        let since = self.now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        self.launches.retain(|_, launch| launch.updated >= since);
        if self.launches.len() > LAUNCHES {
            let oldest = self.launches.values().min_by_key(|launch| launch.updated).map(|launch| launch.id.clone());
            oldest.and_then(|id| self.launches.remove(&id));
        }
    }

    /// The newest first.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().rev()
    }

    /// A call by the id of its record.
    pub(super) fn call(&self, id: &str) -> Option<&Call> {
        self.calls.iter().rev().find(|call| call.id == id)
    }

    /// The newest first.
    pub(super) fn launches(&self) -> Vec<&Launch> {
        let mut all: Vec<&Launch> = self.launches.values().collect();
        all.sort_by_key(|launch| std::cmp::Reverse(launch.began));
        all
    }

    /// A launch by its container's id, or enough of it.
    pub(super) fn launch(&self, id: &str) -> Option<&Launch> {
        let enough = id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.launches.get(id).or_else(|| {
            let mut from = self.launches.range(id.to_owned()..).filter(|_| enough);
            from.next().filter(|(full, _)| full.starts_with(id)).map(|(_, launch)| launch)
        })
    }

    /// The worst first, then the newest.
    pub(super) fn findings(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.findings.values().collect();
        all.sort_by_key(|finding| std::cmp::Reverse((finding.is_open(), finding.severity, finding.opened)));
        all
    }

    /// Findings of one container.
    pub(super) fn findings_of(&self, container: &str) -> Vec<&Finding> {
        self.findings().into_iter().filter(|finding| finding.container == container).collect()
    }

    /// How many launches are watched now.
    pub(super) fn open_launches(&self) -> usize {
        self.launches.values().filter(|launch| launch.is_watched()).count()
    }

    /// How many findings of a severity are open.
    pub(super) fn open_findings(&self, severity: Severity) -> usize {
        self.findings.values().filter(|finding| finding.is_open() && finding.severity == severity).count()
    }

    /// Findings opened in each of the last hours, the oldest first.
    pub(super) fn hours(&self, severity: Severity, now: Timestamp) -> [usize; 24] {
        let mut hours = [0; 24];
        for finding in self.findings.values().filter(|finding| finding.severity == severity) {
            let ago = now.duration_since(finding.opened).as_hours();
            let at = usize::try_from(ago).ok().and_then(|ago| 23_usize.checked_sub(ago));
            if let Some(hour) = at.and_then(|at| hours.get_mut(at)) {
                *hour += 1;
            }
        }
        hours
    }
}

/// A text of a record, cut, with its control characters shown.
fn text(record: &Value, pointer: &str) -> Option<String> {
    record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(cut)
}

/// A text that a page can show whole.
fn cut(text: &str) -> String {
    let mut out: String = text.chars().take(TEXT).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    shown(&out)
}

fn time(record: &Value, pointer: &str) -> Option<Timestamp> {
    record.pointer(pointer)?.as_str()?.parse().ok()
}

fn list<'a>(record: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    record.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter()
}

#[cfg(test)]
mod tests;
