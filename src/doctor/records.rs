//! The gate's own files: journal, disk, clock, policy.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use nix::sys::statvfs::statvfs;
use serde::Deserialize;

use super::Finding;
use crate::audit::{OnFailure, PublicKey, public_key_file, verify};
use crate::config::{Config, Host, Loaded};
use crate::policy::Mode;

/// The end of the journal in which its last record is; the longest record is shorter.
const TAIL: u64 = 8 << 20;

/// A policy that nobody has looked at for so long is worth a look.
const OLD: Duration = Duration::from_secs(365 * 86_400);

/// A public key is 64 hex digits.
const MAX_KEY: u64 = 256;

/// As much as is read of a record.
#[derive(Debug, Deserialize)]
struct Last {
    time: String,
    policy: Option<OfPolicy>,
    event: Option<String>,
    on: Option<bool>,
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OfPolicy {
    sha256: String,
}

/// Looks at them.
pub(super) fn examine(loaded: &Loaded, host: &Host, findings: &mut Vec<Finding>) {
    let config = &loaded.config;
    journal(config, findings);
    space(config, findings);
    let last = last(&config.audit.journal);
    clock(last.iter().filter_map(|last| last.time.parse().ok()).max(), host.now, findings);
    sensor(&last, findings);
    let judged = last.iter().rev().find_map(|last| last.policy.as_ref());
    policy(loaded, host, judged.map(|policy| policy.sha256.as_str()), findings);
}

/// Only the file that is written: `tidewaiter journal verify` reads them all, which may take minutes.
fn journal(config: &Config, findings: &mut Vec<Finding>) {
    const TOPIC: &str = "journal";
    let path = &config.audit.journal;
    let key = read_key(&public_key_file(&config.audit.keys));
    if !path.exists() {
        let what = format!("there is no journal at {}", path.display());
        return findings.push(Finding::warn(TOPIC, what, "start the gate, and run this as root"));
    }
    findings.push(match verify(std::slice::from_ref(path), key) {
        Ok(report) => match &report.fault {
            Some(fault) => {
                let what = format!("{}, line {}: {}", fault.file.display(), fault.line, fault.why);
                Finding::bad(
                    TOPIC,
                    what,
                    "somebody or a broken disk changed it: keep a copy, and tidewaiter journal verify",
                )
            }
            None if key.is_none() => {
                let todo = "run this as root; without its key only the chain speaks for the journal";
                Finding::warn(TOPIC, format!("{} records verify, but not their signatures", report.records), todo)
            }
            None => Finding::ok(TOPIC, format!("{} records in {} verify", report.records, path.display())),
        },
        Err(error) => Finding::warn(TOPIC, format!("{} cannot be read: {error}", path.display()), "run this as root"),
    });
}

/// What the gate said when it began to watch.
fn sensor(last: &[Last], findings: &mut Vec<Finding>) {
    const TOPIC: &str = "sensor";
    let said = last.iter().rev().find(|record| record.event.as_deref() == Some("sensor"));
    let status = said.and_then(|said| said.status.as_deref()).unwrap_or("not in the newest records");
    let what = format!("what containers do first, as the kernel tells it: {status}");
    findings.push(match said.and_then(|said| said.on) {
        Some(true) if !status.contains("off:") => Finding::ok(TOPIC, what),
        Some(_) => Finding::warn(TOPIC, what, "give the gate what is named there; till then the engine's events tell"),
        None => Finding::warn(TOPIC, what, "start the gate anew, or look for 'kernel sensor' in its log"),
    });
}

fn read_key(path: &Path) -> Option<PublicKey> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_KEY).read_to_string(&mut text).ok()?;
    PublicKey::parse(&text)
}

/// The newest whole records of the journal, in order.
fn last(journal: &Path) -> Vec<Last> {
    let read = || {
        let mut file = File::open(journal)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    // Its first line may be half a record, and its last not yet written: both are none then.
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn space(config: &Config, findings: &mut Vec<Finding>) {
    const TOPIC: &str = "journal.space";
    let Some(found) = config.audit.journal.parent().and_then(|folder| statvfs(folder).ok()) else { return };
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    let wanted = config.audit.rotate.size.saturating_mul(u64::from(config.audit.rotate.keep) + 1);
    let what = format!("{} MiB are free where the journal is, and it may grow to {} MiB", free >> 20, wanted >> 20);
    let full = match config.audit.on_failure {
        OnFailure::Refuse => "calls are refused",
        OnFailure::Forward => "calls go unrecorded",
    };
    findings.push(if free < wanted {
        Finding::warn(TOPIC, what, format!("make room, or lower audit.rotate; when the disk is full {full}"))
    } else {
        Finding::ok(TOPIC, what)
    });
}

fn clock(newest: Option<Timestamp>, now: Timestamp, findings: &mut Vec<Finding>) {
    const TOPIC: &str = "clock";
    findings.push(match newest {
        Some(newest) if newest > now => {
            let what = format!("the newest record is of {newest}, which is still to come: the clock was set back");
            Finding::warn(TOPIC, what, "set the clock; the numbers of records say their order, times do not")
        }
        Some(_) | None if crate::sys::clock_is_synchronized() => Finding::ok(TOPIC, "the clock is synchronized"),
        Some(_) | None => {
            let todo = "run chrony or systemd-timesyncd";
            Finding::warn(
                TOPIC,
                "the kernel says that nobody synchronizes the clock: records of hosts do not compare",
                todo,
            )
        }
    });
}

/// What the file says, how old it is, and whether it is what the gate judges by.
fn policy(loaded: &Loaded, host: &Host, judged: Option<&str>, findings: &mut Vec<Finding>) {
    const TOPIC: &str = "policy";
    let config = &loaded.config;
    let summary = config.policy.summary(host.now);
    findings.push(match (config.policy.mode(), summary.refuses) {
        (Mode::Enforce, _) => Finding::ok(TOPIC, "enforce: what the policy denies is refused"),
        (Mode::Monitor, true) => Finding::warn(TOPIC, "monitor, but for some profiles", "write mode = \"enforce\""),
        (Mode::Monitor, false) => {
            let todo = "read the journal for what would be refused, then write mode = \"enforce\"";
            Finding::warn(TOPIC, "monitor: nothing is refused, only recorded", todo)
        }
    });
    for expired in &summary.expired {
        let what = format!("an exception ended on {} ({})", expired.on, expired.reason);
        findings.push(Finding::warn(TOPIC, what, "remove it, or give it a new date and say why"));
    }
    let Some(path) = &loaded.policy else {
        let what = "no policy file: the built-in baseline applies to everybody";
        return findings.push(Finding::warn(TOPIC, what, "write one, and name it in tidewaiter.toml"));
    };
    let age = path.metadata().and_then(|found| found.modified()).ok();
    if age.and_then(|changed| SystemTime::now().duration_since(changed).ok()).is_some_and(|age| age > OLD) {
        let what = format!("{} has not been changed for a year", path.display());
        findings.push(Finding::warn(TOPIC, what, "read it again"));
    }
    if judged.is_some_and(|judged| judged != config.policy.sha256().as_ref()) {
        let what = format!("the newest call was judged by another policy than {} now is", path.display());
        findings.push(Finding::warn(TOPIC, what, "systemctl restart tidewaiter, if the gate runs by this file"));
    }
}
