//! The journal of a process that is killed, and of one whose disk is full. The process is this test binary, run again.

#![expect(clippy::unwrap_used, reason = "a failed test is meant to panic")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use http::{HeaderMap, Method, Version};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use tidewaiter::audit::{
    Audit, CallFacts, Ended, Level, Levels, OnFailure, Outcome, Pending, RecordId, Rotate, Settings, SyncPolicy,
    Unwritten, files, verify,
};
use tidewaiter::peer::Peer;
use tidewaiter::policy::{Action, Known, Mode, Verdict};
use tidewaiter::request::{Call, Head, Operation, read};

/// Tells the child where to write.
const DIRECTORY: &str = "TIDEWAITER_TEST_JOURNAL";
/// Bytes after which the child's disk is full.
const DISK: u64 = 64 << 10;

fn settings(directory: &Path) -> Settings {
    let level = Level::Metadata;
    Settings {
        journal: directory.join("journal.jsonl"),
        keys: directory.join("keys"),
        levels: Levels { default: level, effects: level, ping: level },
        sync: SyncPolicy::Effects,
        on_failure: OnFailure::Refuse,
        rotate: Rotate { size: 128 << 10, keep: 1000 },
        capacity: 64,
    }
}

async fn begin(audit: &Audit) -> Result<Pending, Unwritten> {
    let mut asked = read(&Head {
        method: &Method::POST,
        uri: &"/containers/create".parse().unwrap(),
        version: Version::HTTP_11,
        headers: &HeaderMap::new(),
    });
    asked.operation = Operation::ContainerCreate;
    let verdict = Verdict {
        action: Action::Allow,
        mode: Mode::Monitor,
        principal: "p".into(),
        admin: false,
        own_only: false,
        profile: "q".into(),
        findings: vec![],
        approval: None,
        policy_sha256: "00".into(),
        policy_generation: 1,
    };
    let facts = CallFacts {
        id: RecordId::new(),
        time: jiff::Timestamp::now(),
        door: "local",
        peer: &Peer::Tcp(([127, 0, 0, 1], 1).into()),
        call: &Call::unread(&asked),
        known: Known::NOTHING,
        protected: &[],
        verdict: &verdict,
        body: None,
        user_agent: None,
    };
    audit.begin(&facts).await
}

/// Runs one of the `child_…` tests below in a process of its own.
fn child(test: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn directory() -> PathBuf {
    PathBuf::from(std::env::var_os(DIRECTORY).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by what_was_promised_survives_a_kill"]
async fn child_writes_until_it_is_killed() {
    let (audit, _) = Audit::open(settings(&directory())).unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let audit = audit.clone();
        calls.spawn(async move {
            loop {
                let pending = begin(&audit).await.unwrap();
                println!("id {}", pending.id());
                pending.finish(Ended::Complete, &Outcome::default());
            }
        });
    }
    calls.join_all().await;
}

#[tokio::test]
async fn what_was_promised_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = child("journal::child_writes_until_it_is_killed", dir.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let id = |line: String| line.split_once("id ").map(|(_, id)| id.to_owned());
    let mut promised: Vec<String> = lines.by_ref().map_while(Result::ok).filter_map(id).take(500).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // The last one may be half printed.
    promised.extend(lines.map_while(Result::ok).filter_map(id).filter(|id| id.len() == 36));
    assert!(promised.len() >= 500);

    let journal = settings(dir.path()).journal;
    let before = verify(&files(&journal).unwrap(), None).unwrap();
    assert_eq!(before.fault, None);
    let (audit, opened) = Audit::open(settings(dir.path())).unwrap();
    assert_eq!((opened.crashed, opened.healed), (before.open, before.torn_bytes));
    audit.close().await;
    let after = verify(&files(&journal).unwrap(), None).unwrap();
    assert_eq!((after.fault, after.open, after.closed), (None, 0, true));
    let all: Vec<u8> = files(&journal).unwrap().iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let all = String::from_utf8(all).unwrap();
    let intents: std::collections::HashSet<&str> = all
        .lines()
        .filter(|l| l.contains("\"stage\":\"intent\""))
        .filter_map(|l| l.get(l.find("\"id\":\"")? + 6..)?.get(..36))
        .collect();
    for id in promised {
        assert!(intents.contains(id.as_str()), "{id} was promised");
    }
}

#[tokio::test]
#[ignore = "run by a_full_disk_refuses_and_recovers"]
async fn child_fills_its_disk() {
    // Blocked here and so in the journal's thread: a write beyond the limit then fails instead of killing us.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, DISK, DISK * 2).unwrap();
    let (audit, _) = Audit::open(settings(&directory())).unwrap();
    let mut written = 0;
    let error = loop {
        match begin(&audit).await {
            Ok(pending) => pending.finish(Ended::Complete, &Outcome::default()),
            Err(error) => break error,
        }
        written += 1;
    };
    let stats = audit.stats();
    assert!(written > 10 && stats.failing && stats.lost == 0, "{stats:?}");
    assert!(error.to_string().starts_with("the audit record cannot be written: "));
    begin(&audit).await.unwrap_err();
    setrlimit(Resource::RLIMIT_FSIZE, DISK * 2, DISK * 2).unwrap();
    begin(&audit).await.unwrap().finish(Ended::Complete, &Outcome::default());
    assert!(!audit.stats().failing);
    audit.close().await;
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let status = child("journal::child_fills_its_disk", dir.path()).wait_with_output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    let report = verify(&files(&settings(dir.path()).journal).unwrap(), None).unwrap();
    assert_eq!((report.fault, report.open, report.torn_bytes, report.closed), (None, 0, 0, true));
    let journal = std::fs::read(settings(dir.path()).journal).unwrap();
    let journal = String::from_utf8(journal).unwrap();
    let refused =
        journal.lines().filter(|l| l.contains("\"status\":503") && l.contains("\"ended\":\"refused\"")).count();
    assert_eq!(refused, 2, "what was refused for want of a record is recorded as soon as it can be");
    assert!(journal.contains("\"event\":\"gap\""));
}
