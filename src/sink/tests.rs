//! Where a sink goes on, and what is told of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep};

use super::cursor::{Cursor, Saved};
use super::deliver::Delivery;
use super::reader::{Batch, Jump, Next, Reader};
use super::wire::Shape;
use super::*;
use crate::audit::{Level, Levels, LifecycleEvent, OnFailure, Rotate, SyncPolicy};
use crate::runtime::Watch;

/// A journal of two files, records 5 to 7 and 8 to 9.
struct Kept {
    dir: TempDir,
}

fn hash(seq: u64) -> String {
    format!("{seq:064x}")
}

impl Kept {
    fn new() -> Self {
        let kept = Self { dir: tempfile::tempdir().unwrap() };
        kept.write("journal.00000000000000000005", 5..=7);
        kept.write("journal", 8..=9);
        kept
    }

    fn write(&self, name: &str, records: std::ops::RangeInclusive<u64>) {
        let mut text = String::new();
        for seq in records {
            writeln!(
                text,
                r#"{{"v":1,"seq":{seq},"id":"x","kind":"lifecycle","prev":"{}","hash":"{}"}}"#,
                hash(seq - 1),
                hash(seq)
            )
            .unwrap();
        }
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// What a sink at `had` is given, until nothing is left: the number of each record, and every jump.
    fn given(&self, had: Option<Cursor>) -> (Vec<u64>, Vec<Jump>) {
        let mut reader = Reader::open(&self.dir.path().join("journal"), had.as_ref()).unwrap();
        let (mut records, mut jumps) = (Vec::new(), Vec::new());
        while let Some(next) = reader.try_next(&settings(Path::new("/nowhere")), Shape::Frame).unwrap() {
            match next {
                Next::Batch(Batch { messages, last }) => {
                    let text =
                        |message: Vec<u8>| String::from_utf8(message).unwrap().split_once('{').unwrap().1.to_owned();
                    let record = |message| serde_json::from_str::<Value>(&format!("{{{}", text(message))).unwrap();
                    records.extend(messages.into_iter().map(record).map(|record| record["seq"].as_u64().unwrap()));
                    assert_eq!((Some(&last.seq), last.hash), (records.last(), Some(hash(last.seq))));
                }
                Next::Jump(jump) => jumps.push(jump),
            }
        }
        (records, jumps)
    }
}

fn settings(socket: &Path) -> Settings {
    Settings {
        name: "siem".into(),
        target: Target::Unix(socket.to_owned()),
        format: Format::Native,
        kinds: Vec::new(),
        least: Severity::Informational,
    }
}

#[test]
fn a_sink_goes_on_after_what_it_had() {
    let kept = Kept::new();
    for seq in 4..=9 {
        let had = Cursor { seq, hash: Some(hash(seq)) };
        assert_eq!(kept.given(Some(had)), ((seq + 1..=9).collect(), vec![]), "{seq}");
    }
    let (records, jumps) = kept.given(None);
    assert_eq!((records, jumps[0].lost, jumps.len()), ((5..=9).collect(), Some(0), 1), "a new one has lost nothing");
}

#[test]
fn what_was_removed_before_a_sink_had_it_is_counted() {
    let (records, jumps) = Kept::new().given(Some(Cursor { seq: 2, hash: Some(hash(2)) }));
    assert_eq!(records, [5, 6, 7, 8, 9]);
    assert_eq!((jumps.len(), jumps[0].from, jumps[0].lost, jumps[0].to.seq), (1, 2, Some(2), 4));
}

#[test]
fn another_journal_in_the_same_place_is_new_to_a_sink() {
    for had in [Cursor { seq: 6, hash: Some(hash(0xbad)) }, Cursor { seq: 20, hash: Some(hash(20)) }] {
        let seq = had.seq;
        let (records, jumps) = Kept::new().given(Some(had));
        assert_eq!(records, [5, 6, 7, 8, 9]);
        assert_eq!((jumps[0].from, jumps[0].lost), (seq, None));
    }
}

#[test]
fn a_file_that_is_missing_in_the_middle_is_counted() {
    let kept = Kept::new();
    kept.write("journal", 12..=12);
    let (records, jumps) = kept.given(Some(Cursor { seq: 5, hash: None }));
    assert_eq!(records, [6, 7, 12]);
    assert_eq!((jumps.len(), jumps[0].from, jumps[0].lost), (1, 7, Some(4)));
}

/// A journal that is written, and a sink at a Unix stream socket.
struct Running {
    dir: TempDir,
    audit: Audit,
    listener: UnixListener,
    end: Trigger,
    delivery: tokio::task::JoinHandle<()>,
}

impl Running {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let levels = Levels { default: Level::Metadata, effects: Level::Metadata, ping: Level::Metadata };
        let (audit, _opened) = Audit::open(crate::audit::Settings {
            journal: dir.path().join("journal"),
            keys: dir.path().join("keys"),
            levels,
            sync: SyncPolicy::Never,
            on_failure: OnFailure::Refuse,
            rotate: Rotate { size: 1 << 20, keep: 1 },
            capacity: 1,
        })
        .unwrap();
        let socket = dir.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let (end, told): (Trigger, Watch) = runtime::channel();
        let saved = Saved::of("siem", dir.path());
        let delivery = Delivery::new(settings(&socket), dir.path().join("journal"), audit.clone(), saved);
        Self { audit, listener, end, delivery: tokio::spawn(delivery.run(told)), dir }
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    async fn accept(&self) -> UnixStream {
        self.listener.accept().await.unwrap().0
    }

    fn records(&self) -> Vec<Value> {
        let bytes = std::fs::read(self.journal()).unwrap();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// What the journal says of the sink.
    fn told(&self) -> Vec<String> {
        let event =
            |record: &Value| record["event"].as_str().filter(|event| event.starts_with("sink_")).map(str::to_owned);
        self.records().iter().filter_map(event).collect()
    }

    async fn write(&self) {
        self.audit.lifecycle(LifecycleEvent::Listen { door: "local".into(), address: "unix:///x".into() }).await;
    }

    /// Reads what comes until the sink knows that all has arrived.
    async fn take_all(&self, stream: &mut UnixStream) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut heard = [0; 4096];
        loop {
            let all = self.records().last().and_then(|record| record["seq"].as_u64());
            let arrived = Saved::of("siem", self.dir.path()).load().unwrap().map(|cursor| cursor.seq);
            if all == arrived {
                return;
            }
            assert!(Instant::now() < deadline, "{arrived:?} of {all:?}");
            tokio::select! {
                read = stream.read(&mut heard) => assert!(read.unwrap() > 0),
                () = sleep(Duration::from_millis(20)) => {}
            }
        }
    }

    async fn finish(self) {
        self.end.drain();
        drop(self.listener);
        self.delivery.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_is_no_news() {
    let running = Running::new();
    for _ in 0..3 {
        let mut stream = running.accept().await;
        running.take_all(&mut stream).await;
    }
    drop(running.accept().await);
    running.write().await;
    let mut stream = running.accept().await;
    running.take_all(&mut stream).await;
    assert_eq!(running.told(), [""; 0]);
    running.finish().await;
}

#[tokio::test]
async fn a_server_that_takes_connections_only_is_told_of_once() {
    let running = Running::new();
    for _ in 0..4 {
        drop(running.accept().await);
        running.write().await;
    }
    let mut stream = running.accept().await;
    assert_eq!(running.told(), ["sink_down"]);
    running.take_all(&mut stream).await;
    running.take_all(&mut stream).await;
    assert_eq!(running.told(), ["sink_down", "sink_up"]);
    running.finish().await;
}

#[tokio::test]
async fn the_rest_is_sent_before_the_end() {
    let running = Running::new();
    let mut stream = running.accept().await;
    running.take_all(&mut stream).await;
    running.write().await;
    running.audit.clone().close().await;
    running.end.drain();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8(rest).unwrap().contains("\"event\":\"stop\""));
    let last = running.records().last().unwrap()["seq"].as_u64();
    drop(stream);
    let dir = running.dir.path().to_owned();
    running.delivery.await.unwrap();
    assert_eq!(Saved::of("siem", &dir).load().unwrap().map(|cursor| cursor.seq), last, "nothing comes twice");
}
