//! Tests of the whole room, on real files.

mod failure;
mod journal;
mod record;
mod recorded;

use std::path::{Path, PathBuf};

use http::{HeaderMap, Method, Version};
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::peer::{Group, Peer, UnixPeer};
use crate::policy::{Action, Check, Finding, Known, Mode, Reaction, Verdict};
use crate::request::{Asked, Call, Head, Operation};

/// A directory with a journal and keys.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal.jsonl")
    }

    fn settings(&self) -> Settings {
        Settings {
            journal: self.journal(),
            keys: self.dir.path().join("keys"),
            levels: Levels { default: Level::Metadata, effects: Level::Request, ping: Level::None },
            sync: SyncPolicy::Effects,
            on_failure: OnFailure::Refuse,
            rotate: Rotate { size: 64 << 20, keep: 20 },
            capacity: 64,
        }
    }

    fn open(&self) -> (Audit, Opened) {
        Audit::open(self.settings()).unwrap()
    }

    fn key(&self) -> PublicKey {
        let path = self.dir.path().join("keys").join(keys::PUBLIC);
        PublicKey::parse(&String::from_utf8(std::fs::read(path).unwrap()).unwrap()).unwrap()
    }

    fn verify(&self) -> Report {
        verify(&files(&self.journal()).unwrap(), Some(self.key())).unwrap()
    }

    /// All records of all files.
    fn records(&self) -> Vec<serde_json::Value> {
        let files = files(&self.journal()).unwrap();
        files.iter().flat_map(|path| records_of(path)).collect()
    }
}

fn records_of(path: &Path) -> Vec<serde_json::Value> {
    let bytes = std::fs::read(path).unwrap();
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn asked(operation: Operation) -> Asked {
    let mut asked = crate::request::read(&Head {
        method: &Method::POST,
        uri: &"/v1.41/containers/create?name=web".parse().unwrap(),
        version: Version::HTTP_11,
        headers: &HeaderMap::new(),
    });
    asked.operation = operation;
    asked
}

fn peer() -> Peer {
    Peer::Unix(Box::new(UnixPeer {
        uid: Some(998),
        gid: Some(998),
        pid: Some(4121),
        user: Some("gitlab-runner".into()),
        groups: vec![Group { gid: 999, name: Some("docker".into()) }],
        exe: Some("/usr/bin/docker".into()),
        cmdline: Some(["docker", "run", "-e", "PW=hunter2", "alpine"].map(String::from).into()),
        login_uid: Some(1001),
        ..UnixPeer::default()
    }))
}

fn verdict(action: Action) -> Verdict {
    let finding = Finding {
        check: Check::Privileged.into(),
        field: "HostConfig.Privileged".into(),
        detail: "true".into(),
        reaction: Reaction::Deny,
        exception: None,
    };
    Verdict {
        action,
        mode: Mode::Enforce,
        principal: "ci".into(),
        admin: false,
        own_only: false,
        profile: "baseline".into(),
        findings: if action == Action::Allow { vec![] } else { vec![finding] },
        approval: None,
        policy_sha256: "00".into(),
        policy_generation: 3,
    }
}

/// Begins a create.
async fn begin(audit: &Audit, action: Action) -> Result<Pending, Unwritten> {
    let asked = asked(Operation::ContainerCreate);
    let call = Call::unread(&asked);
    let (peer, verdict) = (peer(), verdict(action));
    audit.begin(&facts(&call, &peer, &verdict)).await
}

fn facts<'a>(call: &'a Call<'a>, peer: &'a Peer, verdict: &'a Verdict) -> CallFacts<'a> {
    CallFacts {
        id: RecordId::new(),
        time: Timestamp::from_second(1_790_000_000).unwrap(),
        door: "local",
        peer,
        call,
        known: Known::NOTHING,
        protected: &[],
        verdict,
        body: None,
        user_agent: Some("Docker-Client/28.2.2 (linux)"),
    }
}

fn lines<'r>(records: &'r [serde_json::Value], id: &str) -> Vec<&'r serde_json::Value> {
    records.iter().filter(|r| r["id"] == id).collect()
}
