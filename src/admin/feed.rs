//! What the admin door knows of the journal: read line by line behind it, by a task that no call waits for.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::exposition::Exposition;
use super::tally::Tally;
use super::view::{Severity, View};
use crate::audit::{Follower, Line, Stats};
use crate::runtime::Watch;

/// How much of the journal's past is read at start, in bytes: some thousand calls.
const PAST: u64 = 8 << 20;
/// A line's members up to its stage are in as many bytes: the host's name is the longest.
const HEAD: usize = 512;
/// Lines between two pauses in which pages may have the thread.
const YIELD: u32 = 64;
/// Pause before the journal is opened again that could not be read.
const RETRY: Duration = Duration::from_secs(2);

/// What the journal says, as far as it has been read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed {
    state: Arc<Mutex<State>>,
    /// One more with everything that there is to show.
    changes: Arc<watch::Sender<u64>>,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyNow {
    /// 1 at start, one more at each reload.
    pub generation: u64,
    /// SHA-256 of its text, hex.
    pub sha256: String,
    /// Since when.
    pub since: Timestamp,
}

/// What is kept of the journal.
#[derive(Debug)]
pub(super) struct State {
    tally: Tally,
    pub(super) view: View,
    pub(super) policy: PolicyNow,
    /// Number of the first line that this run of the gate writes.
    first: u64,
    /// Number of the next line.
    next: Option<u64>,
    /// Lines of this run that were read, and that were gone before they could be.
    read: u64,
    skipped: u64,
    /// Why the journal cannot be read.
    pub(super) trouble: Option<String>,
}

impl Feed {
    /// Knows nothing yet. `first` is the number of the first line that this run of the gate writes: what is older counts in
    /// no metric.
    pub fn new(policy: PolicyNow, first: u64) -> Self {
        let (tally, view) = (Tally::default(), View::default());
        let state = State { tally, view, policy, first, next: None, read: 0, skipped: 0, trouble: None };
        Self { state: Arc::new(Mutex::new(state)), changes: Arc::default() }
    }

    /// Reads the journal until told to drain.
    pub async fn follow(self, journal: PathBuf, drain: Watch) {
        tokio::select! {
            () = self.read_on(journal) => {}
            () = drain.signaled() => {}
        }
    }

    /// Tells of everything that there is to show.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn read_on(&self, journal: PathBuf) {
        let mut opened = Follower::open_near_end(&journal, PAST);
        loop {
            let Err(error) = self.read(opened).await;
            tracing::error!(%error, journal = %journal.display(), "the admin door cannot read the journal; trying again");
            self.state().trouble = Some(error.to_string());
            tokio::time::sleep(RETRY).await;
            opened = Follower::open_at_end(&journal);
        }
    }

    async fn read(&self, opened: io::Result<Follower>) -> io::Result<std::convert::Infallible> {
        let mut follower = opened?;
        let mut in_a_row = 0;
        loop {
            let line = follower.next().await?;
            // It says nothing that its outcome does not, and there is one for nearly every call.
            let record = if is_intent(&line.bytes) { None } else { line.record() };
            if self.state().add(&line, record.as_ref()) {
                self.changes.send_modify(|count| *count += 1);
            }
            in_a_row += 1;
            if in_a_row % YIELD == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// What is known. Held for moments only.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a line is an intent, by its first members, which are ours.
fn is_intent(line: &[u8]) -> bool {
    let head = line.get(..HEAD).unwrap_or(line);
    memchr::memmem::find(head, b",\"kind\":\"call\",\"stage\":\"intent\"").is_some()
}

impl State {
    /// Takes in one line, and says whether there is anything new to show.
    fn add(&mut self, line: &Line, record: Option<&Value>) -> bool {
        self.trouble = None;
        let Some(seq) = line.seq else { return false };
        if seq >= self.first {
            let expected = self.next.unwrap_or(self.first).max(self.first);
            self.skipped += seq.saturating_sub(expected);
            self.read += 1;
        }
        self.next = Some(seq + 1);
        let Some(record) = record else { return false };
        if seq >= self.first {
            self.tally.add(record);
            self.reloaded(record);
        }
        self.view.add(record, &line.bytes)
    }

    fn reloaded(&mut self, record: &Value) {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        if (text("/kind"), text("/event"), text("/result")) != (Some("lifecycle"), Some("reload"), Some("loaded")) {
            return;
        }
        let generation = record.pointer("/generation").and_then(Value::as_u64);
        let since = text("/time").and_then(|time| time.parse().ok());
        if let (Some(generation), Some(sha256), Some(since)) = (generation, text("/sha256"), since) {
            self.policy = PolicyNow { generation, sha256: sha256.to_owned(), since };
        }
    }

    /// Lines that were written and not yet read.
    pub(super) const fn lag(&self, stats: &Stats) -> u64 {
        stats.records.saturating_sub(self.read + self.skipped)
    }

    /// Number of the newest line.
    pub(super) const fn newest(&self, stats: &Stats) -> u64 {
        (self.first + stats.records).saturating_sub(1)
    }

    /// Writes the metrics of the journal.
    pub(super) fn write(&self, stats: &Stats, out: &mut Exposition) {
        self.tally.write(out);
        let severities =
            Severity::ALL.map(|severity| ([("severity", severity.word())], self.view.open_findings(severity)));
        out.family("tidewaiter_findings_open", "Findings that are not closed.", "gauge", severities);
        out.gauge("tidewaiter_launches_open", "Launches that are being watched.", self.view.open_launches());
        out.gauge("tidewaiter_policy_generation", "Generation of the policy in force.", self.policy.generation);
        let since = self.policy.since.as_second();
        out.gauge("tidewaiter_policy_loaded_timestamp_seconds", "Since when that policy is in force.", since);
        out.gauge("tidewaiter_calls_open", "Calls whose outcome is owed, streams included.", stats.open);
        out.gauge("tidewaiter_streams_open", "Answers without a length that are open.", stats.streams);
        out.counter("tidewaiter_journal_records_total", "Lines written.", stats.records);
        out.counter("tidewaiter_journal_bytes_total", "Bytes written.", stats.bytes);
        out.counter("tidewaiter_journal_syncs_total", "Fsyncs.", stats.syncs);
        out.counter("tidewaiter_journal_failures_total", "Writes and fsyncs that failed.", stats.failures);
        out.counter("tidewaiter_journal_lost_total", "Records that are gone for good.", stats.lost);
        out.gauge("tidewaiter_journal_failing", "1 while the journal cannot be written.", u8::from(stats.failing));
        out.gauge("tidewaiter_journal_queued_records", "Lines that wait to be written.", stats.queued);
        out.gauge(
            "tidewaiter_reader_lag_records",
            "Lines written that these metrics do not count yet.",
            self.lag(stats),
        );
        out.counter(
            "tidewaiter_reader_skipped_total",
            "Lines that were gone before they could be counted.",
            self.skipped,
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(seq: u64, stage: &str) -> Line {
        let head = format!("{{\"v\":1,\"seq\":{seq},\"id\":\"i\",\"time\":\"2026-11-24T02:31:07Z\",\"host\":\"h\"");
        let rest = json!({"request": {"class": "containers", "operation": "ContainerStop"}, "verdict": {"action": "allow"},
            "outcome": {"ended": "complete"}});
        let rest = rest.to_string();
        let text = format!("{head},\"kind\":\"call\",\"stage\":\"{stage}\",{}", rest.trim_start_matches('{'));
        Line { seq: Some(seq), bytes: text.into_bytes() }
    }

    #[test]
    fn only_lines_of_this_run_count_and_missing_ones_are_told() {
        let policy = PolicyNow { generation: 1, sha256: String::new(), since: Timestamp::UNIX_EPOCH };
        let feed = Feed::new(policy, 10);
        let mut state = feed.state();
        for (seq, stage) in [(8, "outcome"), (9, "outcome"), (10, "intent"), (11, "outcome"), (14, "outcome")] {
            let line = line(seq, stage);
            assert_eq!(is_intent(&line.bytes), stage == "intent");
            let record = line.record().filter(|_| stage != "intent");
            assert_eq!(state.add(&line, record.as_ref()), stage != "intent", "{seq}");
        }
        let stats = Stats { records: 6, ..Stats::default() };
        let mut out = Exposition::default();
        state.write(&stats, &mut out);
        let text = out.into_text();
        for wanted in [
            "tidewaiter_calls_total{class=\"containers\",action=\"allow\"} 2",
            "tidewaiter_reader_skipped_total 2",
            "tidewaiter_reader_lag_records 1",
        ] {
            assert!(text.lines().any(|line| line == wanted), "no {wanted} in\n{text}");
        }
        assert_eq!(state.view.calls().count(), 4, "what is older is shown");
    }

    #[test]
    fn a_reload_is_known_by_its_record() {
        let policy = PolicyNow { generation: 1, sha256: "a".into(), since: Timestamp::UNIX_EPOCH };
        let feed = Feed::new(policy, 1);
        let mut state = feed.state();
        let reload = |seq, result: &str, generation: u64| {
            let record = json!({"time": "2026-11-24T02:31:07Z", "kind": "lifecycle", "event": "reload", "result": result,
                "generation": generation, "sha256": "b"});
            (Line { seq: Some(seq), bytes: Vec::new() }, record)
        };
        for (seq, result, generation) in [(1, "loaded", 2), (2, "failed", 3)] {
            let (line, record) = reload(seq, result, generation);
            state.add(&line, Some(&record));
        }
        assert_eq!((state.policy.generation, state.policy.sha256.as_str()), (2, "b"));
    }
}
