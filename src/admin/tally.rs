//! What the journal's lines add up to since the gate was started: the counters of `/metrics`. Pure.
//!
//! Only finished records count, so that the numbers agree with the journal. Every label is looked up in a list of ours;
//! what is in none of them is `other`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::exposition::{Exposition, Histogram};
use crate::policy::Check;
use crate::request::Class;

/// Stands for whatever is in no list.
const OTHER: &str = "other";
const ACTIONS: &[&str] = &["allow", "deny", "observe"];
const REACTIONS: &[&str] = &["allow", "warn", "approve", "deny"];
const ENDED: &[&str] =
    &["complete", "refused", "client_gone", "engine_gone", "engine_unreachable", "aborted", "revoked", "crashed"];
/// From the least to the worst.
pub(super) const SEVERITIES: &[&str] = &["low", "medium", "high", "critical"];
const WORDS: &[&str] = &["approve", "reject", "refused"];
const LAUNCHES: &[&str] = &["open", "armed", "closed"];
const SINKS: &[&str] = &["sink_down", "sink_up", "sink_gap"];
const RELOADS: &[&str] = &["loaded", "failed"];

type Pair = [(&'static str, &'static str); 2];

/// Counts of finished records.
#[derive(Debug)]
pub(super) struct Tally {
    calls: BTreeMap<Pair, u64>,
    checks: BTreeMap<Pair, u64>,
    ended: BTreeMap<&'static str, u64>,
    gate: Histogram,
    words: BTreeMap<&'static str, u64>,
    reloads: BTreeMap<&'static str, u64>,
    handshakes: u64,
    sinks: BTreeMap<&'static str, u64>,
    sink_lost: u64,
    launches: BTreeMap<&'static str, u64>,
    findings: BTreeMap<Pair, u64>,
    sensor_gaps: u64,
    sensor_lost: u64,
}

/// Checks of the watch, which open findings.
const WATCHED: &[Check] = &[Check::LaunchAn0693, Check::LaunchBypass, Check::ExecOutOfBand, Check::SensorGap];

impl Default for Tally {
    /// What an alert waits for begins at 0: a scraper that first sees a counter at 1 has not seen it grow.
    fn default() -> Self {
        let zero = |known: &[&'static str]| known.iter().map(|value| (*value, 0)).collect();
        let findings = WATCHED
            .iter()
            .flat_map(|check| SEVERITIES.iter().map(|severity| ([("check", check.id()), ("severity", *severity)], 0)));
        Self {
            calls: BTreeMap::new(),
            checks: BTreeMap::new(),
            ended: zero(ENDED),
            gate: Histogram::default(),
            words: zero(WORDS),
            reloads: zero(RELOADS),
            handshakes: 0,
            sinks: zero(SINKS),
            sink_lost: 0,
            launches: zero(LAUNCHES),
            findings: findings.collect(),
            sensor_gaps: 0,
            sensor_lost: 0,
        }
    }
}

impl Tally {
    /// Counts one record.
    pub(super) fn add(&mut self, record: &Value) {
        match text(record, "/kind") {
            Some("call") if text(record, "/stage") == Some("outcome") => self.call(record),
            Some("approval") => count(&mut self.words, label(record, "/event", WORDS)),
            Some("lifecycle") => self.lifecycle(record),
            Some("launch") => count(&mut self.launches, label(record, "/event", LAUNCHES)),
            Some("finding") if text(record, "/event") == Some("open") => self.finding(record),
            Some(_) | None => {}
        }
    }

    fn call(&mut self, record: &Value) {
        let class = text(record, "/request/class").map_or(OTHER, class);
        count(&mut self.calls, [("class", class), ("action", label(record, "/verdict/action", ACTIONS))]);
        count(&mut self.ended, label(record, "/outcome/ended", ENDED));
        if let Some(micros) = record.pointer("/outcome/gate_us").and_then(Value::as_u64) {
            self.gate.observe(micros);
        }
        for found in list(record, "/verdict/findings") {
            count(&mut self.checks, [("check", check(found)), ("reaction", label(found, "/reaction", REACTIONS))]);
        }
    }

    fn lifecycle(&mut self, record: &Value) {
        match text(record, "/event") {
            Some("reload") => count(&mut self.reloads, label(record, "/result", RELOADS)),
            Some("handshake") => {
                let more = record.pointer("/more").and_then(Value::as_u64).unwrap_or_default();
                self.handshakes = self.handshakes.saturating_add(more).saturating_add(1);
            }
            Some("sink_down" | "sink_up") => count(&mut self.sinks, label(record, "/event", SINKS)),
            Some("sink_gap") => {
                count(&mut self.sinks, "sink_gap");
                let lost = record.pointer("/lost").and_then(Value::as_u64).unwrap_or_default();
                self.sink_lost = self.sink_lost.saturating_add(lost);
            }
            Some(_) | None => {}
        }
    }

    fn finding(&mut self, record: &Value) {
        let check = check(record);
        count(&mut self.findings, [("check", check), ("severity", label(record, "/severity", SEVERITIES))]);
        if check == Check::SensorGap.id() {
            let lost = list(record, "/gaps").filter_map(|gap| gap.pointer("/lost").and_then(Value::as_u64));
            self.sensor_lost = lost.fold(self.sensor_lost, u64::saturating_add);
            self.sensor_gaps += 1;
        }
    }

    /// Writes all of it.
    pub(super) fn write(&self, out: &mut Exposition) {
        let single = |name: &'static str, counts: &BTreeMap<&'static str, u64>| -> Vec<_> {
            counts.iter().map(|(value, count)| ([(name, *value)], *count)).collect()
        };
        let pairs = |counts: &BTreeMap<Pair, u64>| -> Vec<_> { counts.iter().map(|(pair, n)| (*pair, *n)).collect() };
        out.family("tidewaiter_calls_total", "Finished calls.", "counter", pairs(&self.calls));
        out.family(
            "tidewaiter_call_checks_total",
            "Checks that fired on finished calls.",
            "counter",
            pairs(&self.checks),
        );
        out.family(
            "tidewaiter_calls_ended_total",
            "Finished calls by how they ended.",
            "counter",
            single("ended", &self.ended),
        );
        out.histogram(
            "tidewaiter_gate_seconds",
            "From a call's arrival to its leave or refusal: reading the judged body, looking up, judging, recording the intent.",
            &self.gate,
        );
        out.family(
            "tidewaiter_approval_words_total",
            "Words of admins on calls that wait.",
            "counter",
            single("word", &self.words),
        );
        out.family("tidewaiter_reloads_total", "Reloads of both files.", "counter", single("result", &self.reloads));
        out.counter("tidewaiter_handshakes_refused_total", "Callers whom a TLS door did not let in.", self.handshakes);
        out.family(
            "tidewaiter_sink_events_total",
            "Sinks by what happened to them.",
            "counter",
            single("event", &self.sinks),
        );
        out.counter(
            "tidewaiter_sink_lost_records_total",
            "Records that a sink can no longer be given.",
            self.sink_lost,
        );
        out.family(
            "tidewaiter_launches_total",
            "Launches by what happened to them.",
            "counter",
            single("event", &self.launches),
        );
        out.family("tidewaiter_findings_total", "Findings that were opened.", "counter", pairs(&self.findings));
        out.counter("tidewaiter_sensor_gaps_total", "Times at which events of the kernel were lost.", self.sensor_gaps);
        out.counter("tidewaiter_sensor_lost_events_total", "Events of the kernel that were lost.", self.sensor_lost);
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    *counts.entry(key).or_default() += 1;
}

fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}

fn list<'a>(record: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    record.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter()
}

fn label(record: &Value, pointer: &str, known: &[&'static str]) -> &'static str {
    text(record, pointer).and_then(|text| known.iter().find(|known| **known == text)).copied().unwrap_or(OTHER)
}

/// The class, `unknown` included: that is an endpoint nobody knows, and `other` a line that has no class.
fn class(name: &str) -> &'static str {
    let unknown = Class::Unknown.name();
    Class::ALL_SELECTORS.iter().copied().chain([unknown]).find(|known| *known == name).unwrap_or(OTHER)
}

/// The check; a site's rules are one, since what they are called is not ours.
fn check(found: &Value) -> &'static str {
    match text(found, "/check") {
        Some(site) if site.starts_with("site.") => "site",
        Some(id) => Check::from_id(id).map_or(OTHER, Check::id),
        None => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;

    fn written(tally: &Tally) -> String {
        let mut out = Exposition::default();
        tally.write(&mut out);
        out.into_text()
    }

    fn call(stage: &str) -> Value {
        json!({"kind": "call", "stage": stage, "request": {"class": "containers"},
            "verdict": {"action": "deny", "findings": [
                {"check": "privileged", "reaction": "deny"}, {"check": "site.memory", "reaction": "warn"}]},
            "outcome": {"ended": "refused", "gate_us": 120}})
    }

    #[test]
    fn only_finished_records_count() {
        let mut tally = Tally::default();
        tally.add(&call("intent"));
        assert_eq!(written(&tally), written(&Tally::default()));
        tally.add(&call("outcome"));
        tally.add(&json!({"kind": "call", "stage": "outcome", "outcome": {"ended": "crashed"}}));
        tally.add(&json!({"kind": "lifecycle", "event": "handshake", "more": 4}));
        tally.add(&json!({"kind": "lifecycle", "event": "sink_down", "sink": "siem"}));
        tally.add(&json!({"kind": "lifecycle", "event": "sink_gap", "sink": "siem", "lost": 7}));
        let finding = |event: &str| json!({"kind": "finding", "event": event, "check": "sensor.gap", "severity": "low", "gaps": [{"lost": 12}]});
        tally.add(&finding("open"));
        tally.add(&finding("update"));
        let text = written(&tally);
        for line in [
            "tidewaiter_calls_total{class=\"containers\",action=\"deny\"} 1",
            "tidewaiter_calls_total{class=\"other\",action=\"other\"} 1",
            "tidewaiter_call_checks_total{check=\"privileged\",reaction=\"deny\"} 1",
            "tidewaiter_call_checks_total{check=\"site\",reaction=\"warn\"} 1",
            "tidewaiter_calls_ended_total{ended=\"crashed\"} 1",
            "tidewaiter_gate_seconds_count 1",
            "tidewaiter_handshakes_refused_total 5",
            "tidewaiter_sink_events_total{event=\"sink_down\"} 1",
            "tidewaiter_sink_lost_records_total 7",
            "tidewaiter_findings_total{check=\"sensor.gap\",severity=\"low\"} 1",
            "tidewaiter_sensor_lost_events_total 12",
        ] {
            assert!(text.lines().any(|written| written == line), "no {line} in\n{text}");
        }
    }

    proptest! {
        #[test]
        fn no_record_can_choose_a_label(text in any::<String>()) {
            let mut tally = Tally::default();
            let mut record = call("outcome");
            for pointer in ["/request/class", "/verdict/action", "/verdict/findings/0/check", "/outcome/ended"] {
                *record.pointer_mut(pointer).unwrap() = json!(format!("x{text}"));
            }
            tally.add(&record);
            let mut known = Tally::default();
            for pointer in ["/request/class", "/verdict/action", "/verdict/findings/0/check", "/outcome/ended"] {
                *record.pointer_mut(pointer).unwrap() = json!("no such name");
            }
            known.add(&record);
            assert_eq!(written(&tally), written(&known));
        }
    }
}
