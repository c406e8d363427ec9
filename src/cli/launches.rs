//! `tidewaiter launches`: who launched what and what it did first, as the journal has it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use memchr::memmem;
use serde_json::{Value, json};

use super::{BAD_CONFIG, NO, check, print};
use crate::audit::Follower;
use crate::config::{self, Host};
use crate::sink::shown;
use crate::watch::{Dossier, Dossiers, Row, described};

/// Arguments of `tidewaiter launches`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One launch as a dossier: its id, or the id or name of its container
    id: Option<String>,
    /// The journal, beside which those that were set aside are found [default: the one of the configuration]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Configuration file [default: /etc/tidewaiter/tidewaiter.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs `tidewaiter launches`.
pub(super) fn run(args: Args) -> ExitCode {
    let Args { id, journal, config, json } = args;
    let host = Host::current();
    let journal = match journal {
        Some(file) => host.directory.join(file),
        None => match config::records(config, &host) {
            Ok(records) => records.journal,
            Err(reports) => {
                print::reports(&reports);
                print::error(check::count(&reports));
                return ExitCode::from(BAD_CONFIG);
            }
        },
    };
    let printed = match id {
        Some(id) => one(&journal, &id, json),
        None => list(&journal, json),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print::error(why);
            ExitCode::from(NO)
        }
    }
}

fn list(journal: &Path, json: bool) -> Result<(), String> {
    for dossier in read(journal)?.all() {
        let row = dossier.row();
        match json {
            true => print::out(json!(row)),
            false => print::out(line(&row)),
        }
    }
    Ok(())
}

fn one(journal: &Path, id: &str, json: bool) -> Result<(), String> {
    let dossiers = read(journal)?;
    // Of several launches of one container, the last is what is asked for.
    let found = dossiers.find(id);
    let Some(dossier) = found.last() else { return Err(format!("no launch {id} in {}", journal.display())) };
    let mut dossier = Dossier::clone(dossier);
    dossier.create = dossier.created_by().map(|record| call(journal, record)).transpose()?.flatten();
    match json {
        true => {
            let mut value = json!(dossier);
            if let Some(members) = value.as_object_mut() {
                members.insert("host_scope".into(), dossier.host_scope().into());
                members.insert("what_to_do".into(), dossier.what_to_do().into());
            }
            print::out(value);
        }
        false => tell(&dossier).iter().for_each(print::out),
    }
    Ok(())
}

fn read(journal: &Path) -> Result<Dossiers, String> {
    let mut dossiers = Dossiers::default();
    let words = ["\"kind\":\"launch\"", "\"kind\":\"finding\""];
    each(journal, &words, |record| {
        dossiers.put(record);
        true
    })?;
    Ok(dossiers)
}

/// The last record of a call.
fn call(journal: &Path, id: &str) -> Result<Option<Value>, String> {
    let mut found = None;
    each(journal, &[id], |record| {
        if record.get("id").and_then(Value::as_str) == Some(id) {
            let is_outcome = record.get("stage").and_then(Value::as_str) == Some("outcome");
            found = Some(record.clone());
            return !is_outcome;
        }
        true
    })?;
    Ok(found)
}

/// Goes through the records that hold one of these words, until told to stop. The words are of lines: most need not be parsed.
fn each(journal: &Path, words: &[&str], mut take: impl FnMut(&Value) -> bool) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", journal.display());
    let mut follower = Follower::open_from_start(journal).map_err(failed)?;
    while let Some(line) = follower.try_next().map_err(failed)? {
        let may_be = words.iter().any(|word| memmem::find(&line.bytes, word.as_bytes()).is_some());
        if may_be
            && let Some(record) = line.record()
            && !take(&record)
        {
            break;
        }
    }
    Ok(())
}

fn line(row: &Row) -> String {
    let Row { launch, state, time, container, name, principal, image, score, severity, process, network } = row;
    let short: String = launch.chars().take(8).collect();
    let named = if name.is_empty() { container } else { name };
    let by = principal.as_deref().unwrap_or("nobody known");
    let mut line = format!("{short}  {}  {state:<6}  {by}  {named}  {image}", clock(time));
    if let (Some(score), Some(severity)) = (score, severity) {
        line.push_str(&format!("  {severity} ({score})"));
    }
    for (what, text) in [("ran", process), ("network", network)] {
        if let Some(text) = text {
            line.push_str(&format!("  {what}: {text}"));
        }
    }
    shown(&line)
}

/// A dossier, line by line.
fn tell(dossier: &Dossier) -> Vec<String> {
    let record = &dossier.record;
    let create = dossier.create.as_ref();
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let mut lines = Vec::new();
    let mut say = |name: &str, what: Option<String>| {
        lines.extend(what.filter(|what| !what.is_empty()).map(|what| shown(&format!("{name:<12} {what}"))));
    };
    say("launch", Some(format!("{} ({})", dossier.launch, dossier.state)));
    say(
        "container",
        Some([at("/container/name"), at("/container/id")].into_iter().flatten().collect::<Vec<_>>().join("  ")),
    );
    let allowed = record.pointer("/image/allowed").and_then(Value::as_bool);
    let listed = allowed.map(|allowed| if allowed { "on the list" } else { "not on the list" });
    say(
        "image",
        Some([at("/image/reference"), at("/image/id"), listed].into_iter().flatten().collect::<Vec<_>>().join("  ")),
    );
    say("digests", create.and_then(|create| create.pointer("/image/repo_digests")).map(Value::to_string));
    let by = at("/principal/name").unwrap_or("unknown: no call through the gate made it").to_owned();
    say("initiator", Some(by));
    say("starter", at("/starter/name").map(str::to_owned));
    say("peer", create.and_then(|create| create.get("peer")).map(Value::to_string));
    say("runtime", create.and_then(|create| create.get("runtime")).map(Value::to_string));
    say("sensor", at("/sensor").map(str::to_owned));
    say("untold", dossier.untold());
    for finding in &dossier.findings {
        let of = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or("-");
        let score = finding.get("score").cloned().unwrap_or_default();
        say("finding", Some(format!("{}  {} ({score})  {}", of("check"), of("severity"), of("title"))));
        for reason in finding.get("reasons").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
            let of = |key: &str| reason.get(key).and_then(Value::as_str).unwrap_or_default();
            say("  because", Some(format!("{}: {} {}", of("check"), of("detail"), of("field"))));
        }
    }
    for entry in dossier.timeline() {
        let of = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("-");
        let first = if entry.get("first") == Some(&Value::Bool(true)) { "first " } else { "" };
        say("", Some(format!("{}  {first}{}  {}", clock(of("at")), of("what"), described(entry))));
    }
    for scope in dossier.host_scope() {
        say("host scope", Some(scope.to_owned()));
    }
    for step in dossier.what_to_do() {
        say("to do", Some(step));
    }
    lines
}

fn clock(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%F %T%.3f").to_string(),
        Err(_other) => time.to_owned(),
    }
}
