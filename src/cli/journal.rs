//! `tidewaiter journal`: verify, show and follow what was recorded.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{BAD_CONFIG, NO, check, export, print};
use crate::audit::{Follower, PublicKey, Report, files, public_key_file, verify};
use crate::config::{self, Host, Records};

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
        #[command(flatten)]
        place: Place,
        /// Public key of the host that wrote it: a file, or 64 hex digits [default: this host's, for its own journal]
        #[arg(long)]
        key: Option<String>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print records
    Show {
        #[command(flatten)]
        place: Place,
        /// Only the records of this call
        #[arg(long)]
        id: Option<String>,
        /// Only records of this kind: call, approval, lifecycle
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
        #[command(flatten)]
        place: Place,
        /// Print the lines as they are in the journal
        #[arg(long)]
        json: bool,
    },
    /// Print every record in the words of another system, one event a line
    Export(export::Args),
}

/// Which journal.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The journal, beside which those that were set aside are found [default: the one of the configuration]
    file: Option<PathBuf>,
    /// Configuration file [default: /etc/tidewaiter/tidewaiter.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A journal, and the key it is verified with unless another is given.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) journal: PathBuf,
    key: Option<PathBuf>,
}

/// Why there is nothing to print.
#[derive(Debug)]
pub(super) enum Failure {
    Config(Vec<config::Report>),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Place {
    /// A file that is named wins; it may be another host's, so that our key is taken for our own journal only.
    pub(super) fn find(self, host: &Host) -> Result<Found, Failure> {
        let is_asked = self.config.is_some();
        let file = self.file.map(|file| host.directory.join(file));
        match (config::records(self.config, host), file) {
            (Ok(Records { journal, keys }), file) => {
                let key = public_key_file(&keys);
                let own = is_asked || file.as_ref().is_none_or(|file| *file == journal);
                Ok(Found { journal: file.unwrap_or(journal), key: own.then_some(key) })
            }
            // A broken default configuration is no reason not to read a file that was named.
            (Err(_), Some(journal)) if !is_asked => Ok(Found { journal, key: None }),
            (Err(reports), _) => Err(Failure::Config(reports)),
        }
    }
}

/// Which records are shown.
#[derive(Debug, Default)]
struct Filter {
    id: Option<String>,
    kind: Option<String>,
    since: Option<Timestamp>,
}

/// Runs `tidewaiter journal`. 0: good; 1: the journal is broken or cannot be read; 78: the configuration cannot be used.
pub(super) fn run(args: Args) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = obey(args.command, &Host::current(), &mut out);
    match done.and_then(|good| out.flush().map(|()| good).map_err(Failure::Io)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NO),
        // `… | head` has seen enough.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Io(error)) => {
            print::error(error);
            ExitCode::from(NO)
        }
        Err(Failure::Config(reports)) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            ExitCode::from(BAD_CONFIG)
        }
    }
}

/// Does what was asked, and tells whether the journal is good.
fn obey(command: Command, host: &Host, out: &mut impl Write) -> Result<bool, Failure> {
    match command {
        Command::Verify { place, key, json } => {
            let Found { journal, key: own } = place.find(host)?;
            Ok(print_report(&journal, public_key(key.as_deref(), own.as_deref())?, json, out)?)
        }
        Command::Show { place, id, kind, since, json } => {
            show(&place.find(host)?.journal, &Filter { id, kind, since }, json, out)?;
            Ok(true)
        }
        Command::Follow { place, json } => {
            follow(&place.find(host)?.journal, json, out)?;
            Ok(true)
        }
        Command::Export(args) => {
            export::run(args, host, out)?;
            Ok(true)
        }
    }
}

/// Verifies, prints what was found, and tells whether it is good.
fn print_report(journal: &Path, key: Option<PublicKey>, json: bool, out: &mut impl Write) -> io::Result<bool> {
    let paths = files(journal).map_err(|e| named(journal, &e.to_string()))?;
    if paths.is_empty() {
        return Err(named(journal, "there is no journal"));
    }
    let report = verify(&paths, key)?;
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
fn public_key(given: Option<&str>, own: Option<&Path>) -> io::Result<Option<PublicKey>> {
    if let Some(key) = given.and_then(PublicKey::parse) {
        return Ok(Some(key));
    }
    let Some(path) = given.map(Path::new).or(own) else { return Ok(None) };
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
            print_record(&line.bytes, &record, json, out)?;
        }
    }
    Ok(())
}

fn follow(journal: &Path, json: bool, out: &mut impl Write) -> io::Result<()> {
    let mut follower = Follower::open_at_end(journal).map_err(|e| named(journal, &e.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        loop {
            let line = follower.next().await?;
            if let Some(record) = line.record() {
                print_record(&line.bytes, &record, json, out)?;
                out.flush()?;
            }
        }
    })
}

fn print_record(line: &[u8], record: &Value, json: bool, out: &mut impl Write) -> io::Result<()> {
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
        "/approval/id",
        "/approval/state",
        "/approval/summary",
        "/by/user",
        "/until",
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

pub(super) fn named(path: &Path, why: &str) -> io::Error {
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
        let good = print_report(journal, public_key(key, None).unwrap(), json, &mut out).unwrap();
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
        assert!(public_key(Some(&journal.display().to_string()), None).is_err(), "not a key");
    }

    fn host(dir: &Path) -> Host {
        Host {
            uid: nix::unistd::geteuid().as_raw(),
            runtime: None,
            state_is_said: true,
            state: Some(dir.join("state")),
            directory: dir.to_owned(),
            default_file: dir.join("default.toml"),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_journal_and_its_key_are_where_the_configuration_says_unless_a_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let text = |place: &str| format!("[audit]\njournal = '{place}.jsonl'\n[state]\ndirectory = '{place}'\n");
        let find = |file: Option<&str>, config: Option<&str>| {
            let place = Place { file: file.map(PathBuf::from), config: config.map(PathBuf::from) };
            place.find(&host(dir.path())).map(|found| (found.journal, found.key))
        };
        let key = |state: &str| Some(at(state).join("keys/checkpoint.pub"));

        let ours = at("state/tidewaiter/journal.jsonl");
        assert_eq!(find(None, None).unwrap(), (ours, key("state/tidewaiter")), "no file at all, as `run` does");
        std::fs::write(at("default.toml"), text("a")).unwrap();
        std::fs::write(at("other.toml"), text("b")).unwrap();
        assert_eq!(find(None, None).unwrap(), (at("a.jsonl"), key("a")));
        assert_eq!(find(None, Some("other.toml")).unwrap(), (at("b.jsonl"), key("b")));
        assert_eq!(find(Some("a.jsonl"), None).unwrap(), (at("a.jsonl"), key("a")), "our own by its name");
        assert_eq!(find(Some("c.jsonl"), None).unwrap(), (at("c.jsonl"), None), "maybe another host's");
        assert_eq!(find(Some("c.jsonl"), Some("other.toml")).unwrap(), (at("c.jsonl"), key("b")));

        std::fs::write(at("default.toml"), "polcy = 1").unwrap();
        assert!(matches!(find(None, None), Err(Failure::Config(_))), "not on with defaults");
        assert_eq!(find(Some("c.jsonl"), None).unwrap(), (at("c.jsonl"), None));
        assert!(matches!(find(Some("c.jsonl"), Some("absent.toml")), Err(Failure::Config(_))));
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
