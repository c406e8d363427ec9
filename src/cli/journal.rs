//! `tidewaiter journal`: verify, show and follow what was recorded.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::audit::{Follower, PublicKey, Report, files, verify};

/// Where the journal is unless the configuration says otherwise.
const JOURNAL: &str = "/var/log/tidewaiter/journal.jsonl";
/// Where the public key of this host is unless the configuration says otherwise.
const KEY: &str = "/var/lib/tidewaiter/keys/checkpoint.pub";
/// A public key is 64 hex digits; more is no key file.
const KEY_FILE: u64 = 256;

/// Arguments of `tidewaiter journal`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every line against the one before it and every checkpoint against its signature
    Verify {
        /// The journal; the files that were set aside are found beside it
        #[arg(default_value = JOURNAL)]
        file: PathBuf,
        /// Public key of the host that wrote it: a file, or 64 hex digits
        #[arg(long)]
        key: Option<String>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print records
    Show {
        /// The journal; the files that were set aside are found beside it
        #[arg(default_value = JOURNAL)]
        file: PathBuf,
        /// Only the records of this call
        #[arg(long)]
        id: Option<String>,
        /// Only records of this kind: call, lifecycle
        #[arg(long)]
        kind: Option<String>,
        /// Only records from this time on: 2026-11-24T02:31:07Z, or 2h for the last two hours
        #[arg(long, value_parser = since)]
        since: Option<Timestamp>,
        /// Print the lines as they are in the journal
        #[arg(long)]
        json: bool,
    },
    /// Print records as they are written
    Follow {
        /// The journal
        #[arg(default_value = JOURNAL)]
        file: PathBuf,
        /// Print the lines as they are in the journal
        #[arg(long)]
        json: bool,
    },
}

/// Which records are shown.
#[derive(Debug, Default)]
struct Filter {
    id: Option<String>,
    kind: Option<String>,
    since: Option<Timestamp>,
}

/// Runs `tidewaiter journal`. 0: good; 1: the journal is broken or cannot be read.
pub(super) fn run(args: Args) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match args.command {
        Command::Verify { file, key, json } => print_report(&file, key.as_deref(), json, &mut out),
        Command::Show { file, id, kind, since, json } => {
            show(&file, &Filter { id, kind, since }, json, &mut out).map(|()| true)
        }
        Command::Follow { file, json } => follow(&file, json, &mut out).map(|()| true),
    };
    match done.and_then(|good| out.flush().map(|()| good)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // `… | head` has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            // Nothing is left to do if standard error is gone as well.
            let _unsaid = writeln!(io::stderr(), "error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Verifies, prints what was found, and tells whether it is good.
fn print_report(journal: &Path, key: Option<&str>, json: bool, out: &mut impl Write) -> io::Result<bool> {
    let paths = files(journal).map_err(|e| named(journal, &e.to_string()))?;
    if paths.is_empty() {
        return Err(named(journal, "there is no journal"));
    }
    let report = verify(&paths, public_key(key)?)?;
    if json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        describe(&report, out)?;
    }
    Ok(report.fault.is_none())
}

fn describe(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if let Some(fault) = &report.fault {
        writeln!(out, "BROKEN at {}:{}: {}", fault.file.display(), fault.line, fault.why)?;
        return writeln!(out, "{} records before it verify", report.records);
    }
    let Report { records, files, checkpoints, .. } = report;
    writeln!(out, "good: {records} records in {files} files, {checkpoints} signed checkpoints")?;
    if let (Some(first @ 2..), false) = (report.first_seq, report.records == 0) {
        writeln!(out, "  begins with record {first}: older files were removed")?;
    }
    if report.unsigned > 0 {
        writeln!(out, "  {} records after the last checkpoint are chained but not yet signed", report.unsigned)?;
    }
    if report.torn_bytes > 0 {
        writeln!(out, "  {} bytes of an unfinished line at the end", report.torn_bytes)?;
    }
    if report.open > 0 {
        writeln!(out, "  {} calls have no outcome yet", report.open)?;
    }
    if !report.closed {
        writeln!(out, "  not closed in good order: the gate is running, crashed, or the end was cut off")?;
    }
    match (&report.key, report.key_given) {
        (Some(key), true) => writeln!(out, "  key {key}"),
        (Some(key), false) => writeln!(out, "  key {key}, on the journal's own word: give the host's with --key"),
        (None, _) => writeln!(out, "  no checkpoint: nothing is signed"),
    }
}

/// The key to verify with: the one that was given, else this host's if it can be read.
fn public_key(given: Option<&str>) -> io::Result<Option<PublicKey>> {
    if let Some(key) = given.and_then(PublicKey::parse) {
        return Ok(Some(key));
    }
    let path = Path::new(given.unwrap_or(KEY));
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(KEY_FILE).read_to_string(&mut text)) {
        Ok(_) => match PublicKey::parse(&text) {
            Some(key) => Ok(Some(key)),
            None => Err(named(path, "is not a public key")),
        },
        Err(_) if given.is_none() => Ok(None),
        Err(e) => Err(named(path, &e.to_string())),
    }
}

fn show(journal: &Path, filter: &Filter, json: bool, out: &mut impl Write) -> io::Result<()> {
    let mut follower = Follower::open_from_start(journal).map_err(|e| named(journal, &e.to_string()))?;
    while let Some(line) = follower.try_next()? {
        if let Some(record) = line.record().filter(|record| filter.takes(record)) {
            print(&line.bytes, &record, json, out)?;
        }
    }
    Ok(())
}

fn follow(journal: &Path, json: bool, out: &mut impl Write) -> io::Result<()> {
    let mut follower = Follower::open_at_end(journal).map_err(|e| named(journal, &e.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        loop {
            let line = follower.next().await?;
            if let Some(record) = line.record() {
                print(&line.bytes, &record, json, out)?;
                out.flush()?;
            }
        }
    })
}

fn print(line: &[u8], record: &Value, json: bool, out: &mut impl Write) -> io::Result<()> {
    // For programs the line as it is, so that it can be verified; people get one they can read.
    if json || !io::stdout().is_terminal() {
        out.write_all(line)?;
        return out.write_all(b"\n");
    }
    writeln!(out, "{}", readable(record))
}

/// One record on one line. Its texts were escaped when they were written, and are shown escaped.
fn readable(record: &Value) -> String {
    let text = |pointer: &str| match record.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => format!(" {}", text.escape_debug()),
        Some(other) => format!(" {other}"),
    };
    let mut out = text("/time").trim_start().to_owned();
    for pointer in [
        "/event",
        "/stage",
        "/verdict/action",
        "/principal/name",
        "/request/operation",
        "/image/reference",
        "/container/name",
        "/outcome/status",
        "/outcome/ended",
    ] {
        out.push_str(&text(pointer));
    }
    for finding in record.pointer("/verdict/findings").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(check), Some(field)) = (finding["check"].as_str(), finding["field"].as_str()) {
            out.push_str(&format!(" [{check} {}]", field.escape_debug()));
        }
    }
    out + &text("/id")
}

impl Filter {
    fn takes(&self, record: &Value) -> bool {
        let is = |key: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|w| record.get(key) == Some(&w.as_str().into()))
        };
        let late_enough = || {
            let time: Option<Timestamp> = record.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
            self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
        };
        is("id", &self.id) && is("kind", &self.kind) && late_enough()
    }
}

/// Reads a time, or a duration before now.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let wanted = || format!("`{text}` is neither a time (2026-11-24T02:31:07Z) nor a duration (2h, 30m)");
    let ago: SignedDuration = text.parse().map_err(|_not_one| wanted())?;
    Timestamp::now().checked_sub(ago.abs()).map_err(|_too_long| wanted())
}

fn named(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Audit, Level, Levels, LifecycleEvent, OnFailure, Rotate, Settings, SyncPolicy};

    async fn journal(dir: &Path) -> PathBuf {
        let journal = dir.join("journal.jsonl");
        let level = Level::Metadata;
        let (audit, _) = Audit::open(Settings {
            journal: journal.clone(),
            keys: dir.join("keys"),
            levels: Levels { default: level, effects: level, ping: level },
            sync: SyncPolicy::Never,
            on_failure: OnFailure::Refuse,
            rotate: Rotate { size: 1 << 20, keep: 1 },
            capacity: 1,
        })
        .unwrap();
        audit.lifecycle(LifecycleEvent::Listen { door: "local".into(), address: "unix:///x".into() }).await;
        audit.close().await;
        journal
    }

    fn verified(journal: &Path, key: Option<&str>, json: bool) -> (bool, String) {
        let mut out = Vec::new();
        let good = print_report(journal, key, json, &mut out).unwrap();
        (good, String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn a_good_journal_and_a_broken_one() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path()).await;
        let key = dir.path().join("keys/checkpoint.pub").display().to_string();
        let (good, said) = verified(&journal, Some(&key), false);
        assert!(good && said.starts_with("good: 5 records in 1 files, 2 signed checkpoints\n  key "), "{said}");
        let bytes = std::fs::read(&journal).unwrap();
        let changed = String::from_utf8(bytes).unwrap().replace("unix:///x", "unix:///y");
        std::fs::write(&journal, changed).unwrap();
        let (good, said) = verified(&journal, Some(&key), false);
        assert!(!good && said.starts_with(&format!("BROKEN at {}:3: ", journal.display())), "{said}");
        let (good, said) = verified(&journal, Some(&key), true);
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((good, report["fault"]["line"].as_u64()), (false, Some(3)));
        assert!(public_key(Some(&journal.display().to_string())).is_err(), "not a key");
    }

    #[tokio::test]
    async fn records_are_filtered() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path()).await;
        let shown = |filter: &Filter| {
            let mut out = Vec::new();
            show(&journal, filter, true, &mut out).unwrap();
            out.iter().filter(|b| **b == b'\n').count()
        };
        assert_eq!(shown(&Filter::default()), 5);
        assert_eq!(shown(&Filter { kind: Some("call".into()), ..Filter::default() }), 0);
        assert_eq!(shown(&Filter { since: Some(since("1h").unwrap()), ..Filter::default() }), 5);
        assert_eq!(shown(&Filter { since: Some(since("2999-01-01T00:00:00Z").unwrap()), ..Filter::default() }), 0);
        assert!(since("yesterday").is_err());
    }

    #[test]
    fn a_readable_line_cannot_draw_on_the_terminal() {
        let record = serde_json::json!({"time": "t", "id": "i", "container": {"name": "\u{1b}[2J"}});
        assert_eq!(readable(&record), "t \\u{1b}[2J i");
    }
}
