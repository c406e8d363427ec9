//! `[sink.NAME]`: where records go beside the journal.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::address::{self, Server};
use super::table::{At, Problems, Table};
use super::value::Bad;
use super::{Host, tls};
use crate::sink::{Format, Kind, Settings, Severity, Target, Version};

const SINK: &[&str] = &["type", "address", "tls", "format", "ocsf-version", "kinds", "min-severity"];

/// Where the system's journal listens.
const JOURNALD: &str = "/run/systemd/journal/socket";
/// Where syslog listens.
const SYSLOG: &str = "/dev/log";

/// Longest name; it becomes part of a file's.
const NAME: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Journald,
    Syslog,
}

const TYPES: &[(&str, Type)] = &[("journald", Type::Journald), ("syslog", Type::Syslog)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Native,
    Ocsf,
    Ecs,
}

const FORMATS: &[(&str, Words)] = &[("native", Words::Native), ("ocsf", Words::Ocsf), ("ecs", Words::Ecs)];

/// Reads every sink.
pub(super) fn sinks(file: &Table<'_>, problems: &Problems, base: &Path, host: &Host) -> Vec<Settings> {
    let tables = file.named("sink", SINK).unwrap_or_default();
    tables.iter().filter_map(|(name, table)| sink(name, table, problems, base, host)).collect()
}

fn sink(name: &At<&str>, table: &Table<'_>, problems: &Problems, base: &Path, host: &Host) -> Option<Settings> {
    // All of them are read before anything is missed, so that all their mistakes are shown.
    let sort = sort(name, table, problems);
    let format = format(table);
    let kinds = table.words("kinds", Kind::NAMES).unwrap_or_default();
    let least = table.word("min-severity", Severity::NAMES).map_or(Severity::Informational, |at| at.value);
    let target = match sort? {
        Type::Journald => {
            table.refuse("tls", "the system's journal has no TLS", "remove it");
            let path =
                table.read("address", "unix:///run/systemd/journal/socket", |text| address::journald(text, base));
            let path = path.map(|at| at.value).or(table.span("address").is_none().then(|| PathBuf::from(JOURNALD)));
            Target::Journald(path?)
        }
        Type::Syslog => syslog(table, problems, base, host)?,
    };
    let is_name = |text: &str| {
        let fits = (1..=NAME).contains(&text.len()) && !text.starts_with('.');
        fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    if !is_name(name.value) {
        let message = format!("'{}' cannot be the name of a sink: a file is called by it", name.value);
        problems.error(name.span.clone(), Bad::new(message, "write letters, digits, '-', '_' and '.'"));
    }
    Some(Settings { name: name.value.to_owned(), target, format, kinds, least })
}

/// Its type, which its name may say.
fn sort(name: &At<&str>, table: &Table<'_>, problems: &Problems) -> Option<Type> {
    if table.span("type").is_some() {
        return table.word("type", TYPES).map(|at| at.value);
    }
    let named = TYPES.iter().find(|(known, _)| *known == name.value).map(|(_, sort)| *sort);
    if named.is_none() {
        let message = format!("[sink.{}] has no type", name.value);
        problems.error(name.span.clone(), Bad::new(message, "write type = \"syslog\" or type = \"journald\""));
    }
    named
}

fn format(table: &Table<'_>) -> Format {
    let version = table.word("ocsf-version", Version::NAMES).map(|at| at.value).unwrap_or_default();
    let words = table.word("format", FORMATS).map(|at| at.value);
    if words != Some(Words::Ocsf) {
        table.refuse("ocsf-version", "'ocsf-version' is for format = \"ocsf\"", "write that, or remove it");
    }
    match words {
        Some(Words::Ocsf) => Format::Ocsf(version),
        Some(Words::Ecs) => Format::Ecs,
        Some(Words::Native) | None => Format::Native,
    }
}

fn syslog(table: &Table<'_>, problems: &Problems, base: &Path, host: &Host) -> Option<Target> {
    let is_tls = table.span("tls").is_some();
    if table.span("address").is_none() && !is_tls {
        return Some(Target::Unix(PathBuf::from(SYSLOG)));
    }
    if table.span("address").is_none() {
        let help = "write address = \"tcp://siem.example.com:6514\"";
        problems.error(table.span("tls").unwrap_or_default(), Bad::new("TLS needs an address", help));
    }
    let At { value, span } =
        table.read("address", "tcp://siem.example.com:6514", |text| address::syslog(text, base, is_tls))?;
    match value {
        Server::Unix(path) => Some(Target::Unix(path)),
        Server::Tcp(host_name, port) if is_tls => {
            tls::sink(table, problems, base, host, (host_name, port)).map(Target::Tls)
        }
        Server::Tcp(host_name, port) => {
            warn_of_clear_text(problems, span, &host_name);
            Some(Target::Tcp(host_name, port))
        }
    }
}

fn warn_of_clear_text(problems: &Problems, span: Range<usize>, host: &str) {
    let is_loopback =
        host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()) || host == "localhost";
    if !is_loopback {
        let message = "records go over the network in clear text, and whoever is in between can drop them";
        problems.warning(span, Bad::new(message, "add tls = { ca = \"ca.pem\" }"));
    }
}
