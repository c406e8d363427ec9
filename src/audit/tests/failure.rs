//! Crashes, full disks, disks that lie.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::*;
use crate::audit::chain::Link;
use crate::audit::file::{JournalFile, Storage};
use crate::audit::line::Stage;
use crate::audit::writer::{Counters, Entry, Manner, Record, Writer};

#[tokio::test]
async fn a_last_line_torn_at_any_byte_is_healed() {
    let place = Place::new();
    let (audit, _) = place.open();
    drop(begin(&audit, Action::Deny).await.unwrap());
    audit.close().await;
    let whole = std::fs::read(place.journal()).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in (last..whole.len()).step_by(37).chain([last, last + 1, whole.len() - 1]) {
        for entry in std::fs::read_dir(place.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("torn-") {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::write(place.journal(), &whole[..cut]).unwrap();
        assert_eq!(place.verify().torn_bytes, (cut - last) as u64, "torn is not tampered");
        let (audit, opened) = place.open();
        assert_eq!((opened.healed, opened.crashed), ((cut - last) as u64, 0), "cut at {cut}");
        audit.close().await;
        assert_eq!(place.verify().fault, None, "cut at {cut}");
        let start = place.records().into_iter().rfind(|r| r["event"] == "start").unwrap();
        assert_eq!(start["healed_bytes"], cut - last);
        let kept = std::fs::read_dir(place.dir.path()).unwrap();
        let kept: Vec<_> = kept.map(|e| e.unwrap().path()).filter(|p| p.to_string_lossy().contains("torn-")).collect();
        assert_eq!(kept.len(), usize::from(cut > last));
    }
}

#[tokio::test]
async fn blocks_that_were_never_written_are_healed() {
    let place = Place::new();
    let (audit, _) = place.open();
    audit.close().await;
    let mut bytes = std::fs::read(place.journal()).unwrap();
    bytes.extend_from_slice(&[0; 4096]);
    bytes.extend_from_slice(b"\",\"hash\":\"\"}\n");
    std::fs::write(place.journal(), bytes).unwrap();
    let (audit, opened) = place.open();
    assert_eq!(opened.healed, 4096 + 13);
    audit.close().await;
    assert_eq!(place.verify().fault, None);
}

#[tokio::test]
async fn a_tampered_end_is_not_continued() {
    let place = Place::new();
    let (audit, _) = place.open();
    audit.close().await;
    let mut bytes = std::fs::read(place.journal()).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(place.journal(), bytes).unwrap();
    let error = Audit::open(place.settings()).unwrap_err().to_string();
    assert!(error.contains("does not verify"), "{error}");
}

#[tokio::test]
async fn what_a_crash_left_open_is_closed_at_the_next_start() {
    let place = Place::new();
    let (audit, _) = place.open();
    let open = begin(&audit, Action::Allow).await.unwrap();
    let id = open.id().to_string();
    // The journal as a crash would leave it: with the intent, and no more.
    let crashed = Place::new();
    std::fs::copy(place.journal(), crashed.journal()).unwrap();
    drop(open);
    audit.close().await;
    let (audit, opened) = crashed.open();
    assert_eq!(opened.crashed, 1);
    audit.close().await;
    let records = crashed.records();
    let lines = lines(&records, &id);
    assert_eq!((lines.len(), lines[1]["outcome"]["ended"].as_str()), (2, Some("crashed")));
    assert_eq!(crashed.open().1.crashed, 0, "once");
}

#[tokio::test]
async fn a_crash_between_two_files_loses_nothing() {
    let place = Place::new();
    let (audit, _) = place.open();
    let open = begin(&audit, Action::Allow).await.unwrap();
    let crashed = Place::new();
    let aside = crashed.dir.path().join(format!("journal.jsonl.{:020}", 1));
    std::fs::copy(place.journal(), &aside).unwrap();
    drop(open);
    audit.close().await;
    let (audit, opened) = crashed.open();
    assert_eq!(opened.crashed, 1);
    audit.close().await;
    let both = verify(&files(&crashed.journal()).unwrap(), None).unwrap_or_default();
    // The copy was signed by the other place's key.
    assert_eq!(both.fault.unwrap().why, "the checkpoint is signed with another key");
    assert_eq!(records_of(&crashed.journal())[0]["seq"], records_of(&aside).len() + 1);
}

/// A file that fails on demand.
struct Flaky {
    file: JournalFile,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    append: AtomicBool,
    sync: AtomicBool,
    rotations: Mutex<Vec<u64>>,
}

impl Storage for Flaky {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.faults.append.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.file.append(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.faults.sync.swap(false, Ordering::Relaxed) {
            true => Err(io::Error::from_raw_os_error(5)),
            false => self.file.sync(),
        }
    }

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn rotate(&mut self, first: u64, keep: u32) -> io::Result<()> {
        self.faults.rotations.lock().unwrap().push(first);
        self.file.rotate(first, keep)
    }
}

/// A writer thread over a flaky file.
struct Desk {
    place: Place,
    faults: Arc<Faults>,
    counters: Arc<Counters>,
    queue: mpsc::Sender<Entry>,
}

impl Desk {
    fn new() -> Self {
        let place = Place::new();
        let (faults, counters) = (Arc::<Faults>::default(), Arc::<Counters>::default());
        let storage = Flaky { file: JournalFile::open(&place.journal()).unwrap(), faults: Arc::clone(&faults) };
        let manner = Manner {
            host: "build-7".into(),
            sync: SyncPolicy::Effects,
            rotate: Rotate { size: 1 << 20, keep: 9 },
            key: ed25519_dalek::SigningKey::from_bytes(&[1; 32]),
        };
        let start = (Link::GENESIS, None);
        let mut writer = Writer::new(storage, manner, Arc::clone(&counters), start, BTreeSet::new(), 0);
        writer.start(0).unwrap();
        let (queue, receiver) = mpsc::channel(16);
        std::thread::spawn(move || writer.run(receiver, &Semaphore::new(1), 1).map(|closer| closer.send(())));
        Self { place, faults, counters, queue }
    }

    async fn intent(&self, n: u32) -> Result<(), Unwritten> {
        let (ack, written) = oneshot::channel();
        self.send(n, Stage::Intent, Some(ack)).await;
        written.await.unwrap()
    }

    async fn send(&self, n: u32, stage: Stage, ack: Option<oneshot::Sender<Result<(), Unwritten>>>) {
        let id = RecordId::parse(&format!("00000000-0000-7000-8000-{n:012}")).unwrap();
        let name = if stage == Stage::Intent { "intent" } else { "outcome" };
        let content = format!("\"id\":\"{id}\",\"time\":\"t\",\"host\":\"h\",\"kind\":\"call\",\"stage\":\"{name}\"");
        let record = Record { content: content.into(), call: Some((stage, id)), durable: ack.is_some(), ack };
        self.queue.send(Entry::Record(record)).await.unwrap();
    }

    async fn ping(&self) {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Entry::Ping(answer)).await.unwrap();
        answered.await.unwrap();
    }

    async fn close(self) -> (Vec<serde_json::Value>, Report, Arc<Faults>) {
        let (done, closed) = oneshot::channel();
        self.queue.send(Entry::Close(done)).await.unwrap();
        closed.await.unwrap();
        let report = verify(&files(&self.place.journal()).unwrap(), None).unwrap();
        (self.place.records(), report, self.faults)
    }
}

fn events(records: &[serde_json::Value]) -> Vec<&str> {
    records.iter().filter_map(|r| r["event"].as_str()).collect()
}

#[tokio::test]
async fn a_full_disk_refuses_intents_and_keeps_outcomes() {
    let desk = Desk::new();
    desk.intent(1).await.unwrap();
    desk.faults.append.store(true, Ordering::Relaxed);
    desk.intent(2).await.unwrap_err();
    desk.send(1, Stage::Outcome, None).await;
    desk.intent(3).await.unwrap_err();
    assert!(desk.counters.failing.load(Ordering::Relaxed));
    desk.faults.append.store(false, Ordering::Relaxed);
    desk.intent(4).await.unwrap();
    assert!(!desk.counters.failing.load(Ordering::Relaxed));
    let (records, report, _) = desk.close().await;
    assert_eq!((report.fault, report.open), (None, 1), "4 is open, 1 is not");
    let gap = records.iter().find(|r| r["event"] == "gap").unwrap();
    assert_eq!(gap["lost"], 0);
    assert!(gap["failures"].as_u64().unwrap() >= 2);
    assert_eq!(records.iter().filter(|r| r["stage"] == "outcome").count(), 1);
}

#[tokio::test]
async fn after_a_failed_fsync_the_file_is_not_trusted_again() {
    let desk = Desk::new();
    desk.intent(1).await.unwrap();
    desk.faults.sync.store(true, Ordering::Relaxed);
    desk.intent(2).await.unwrap_err();
    desk.intent(3).await.unwrap();
    let (records, report, faults) = desk.close().await;
    assert_eq!(*faults.rotations.lock().unwrap(), [1]);
    assert_eq!((report.fault, report.files), (None, 2));
    assert_eq!(events(&records), ["checkpoint", "start", "checkpoint", "sync_failed", "gap", "stop", "checkpoint"]);
    let failed = records.iter().find(|r| r["event"] == "sync_failed").unwrap();
    let second = records.iter().find(|r| r["id"].as_str().unwrap().ends_with("-000000000002")).unwrap();
    assert_eq!(failed["since"], second["seq"]);
}

#[tokio::test]
async fn a_full_disk_is_no_reason_not_to_answer_and_what_waits_is_tried_again() {
    let desk = Desk::new();
    desk.faults.append.store(true, Ordering::Relaxed);
    desk.ping().await;
    assert!(!desk.counters.failing.load(Ordering::Relaxed), "nothing was to be written");
    desk.send(1, Stage::Outcome, None).await;
    desk.ping().await;
    assert!(desk.counters.failing.load(Ordering::Relaxed));
    desk.faults.append.store(false, Ordering::Relaxed);
    desk.ping().await;
    assert!(!desk.counters.failing.load(Ordering::Relaxed));
    let (records, report, _) = desk.close().await;
    assert_eq!(report.fault, None);
    assert_eq!(records.iter().filter(|r| r["stage"] == "outcome").count(), 1);
}

#[tokio::test]
async fn a_journal_that_is_closed_answers_no_more() {
    let place = Place::new();
    let (audit, _) = place.open();
    let within = std::time::Duration::from_secs(60);
    assert!(audit.answers(within).await);
    audit.clone().close().await;
    assert!(!audit.answers(within).await);
}

#[tokio::test]
async fn outcomes_have_a_place_however_many_calls_begin() {
    let place = Place::new();
    let settings = Settings { capacity: 2, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    let held = [begin(&audit, Action::Allow).await.unwrap(), begin(&audit, Action::Allow).await.unwrap()];
    assert_eq!(audit.stats().open, 2);
    let mut third = Box::pin(begin(&audit, Action::Allow));
    assert!(futures_poll(third.as_mut()).is_pending(), "as many are open as may be");
    // `finish` is no async function: it cannot wait for anything.
    for pending in held {
        pending.finish(Ended::Complete, &Outcome::default());
    }
    third.await.unwrap().finish(Ended::Complete, &Outcome::default());
    audit.close().await;
    assert_eq!(place.records().iter().filter(|r| r["stage"] == "outcome").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_place_is_refused_in_the_end() {
    let place = Place::new();
    let settings = Settings { capacity: 1, ..place.settings() };
    let (audit, _) = Audit::open(settings).unwrap();
    let _held = begin(&audit, Action::Deny).await.unwrap();
    let error = begin(&audit, Action::Allow).await.unwrap_err().to_string();
    assert!(error.contains("too many calls are open"), "{error}");
    assert_eq!(audit.stats().lost, 1);
}

fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}
