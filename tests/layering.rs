//! Holds the arrows between rooms, the stars of the pure ones, and the rules that no lint knows.
//!
//! Every rule is a function from a file's path and text to its complaints, so that each can be shown a file that breaks it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may end at the first thing that is not as it should be"
)]

use std::path::{Path, PathBuf};

/// Most lines of a file.
const MAX_LINES: usize = 600;

/// Every room in the order of `lib.rs`, and the rooms it may use besides itself, `diagnostic` and, if impure, `runtime`.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "app",
        &[
            "config", "listen", "peer", "request", "facts", "policy", "engine", "proxy", "audit", "store", "watch",
            "sink", "admin", "sys",
        ],
    ),
    (
        "cli",
        &[
            "app", "config", "request", "policy", "audit", "store", "watch", "sink", "admin", "install", "doctor",
            "offline", "facts", "peer",
        ],
    ),
    ("config", &["listen", "policy", "engine", "audit", "watch", "sink", "sys"]),
    ("diagnostic", &[]),
    ("listen", &["sys"]),
    ("peer", &["sys"]),
    ("request", &[]),
    ("facts", &["request", "policy", "engine", "store"]),
    ("policy", &["peer", "request"]),
    ("engine", &["policy"]),
    ("proxy", &["listen", "peer", "request", "facts", "policy", "engine", "audit", "store"]),
    ("audit", &["peer", "request", "policy"]),
    ("store", &[]),
    ("watch", &["request", "policy", "engine", "audit", "store", "sys"]),
    ("sink", &["audit", "sys"]),
    ("admin", &["listen", "peer", "request", "policy", "audit", "store", "watch", "sink"]),
    ("install", &["config", "listen", "engine"]),
    (
        "doctor",
        &["config", "listen", "peer", "request", "facts", "policy", "engine", "audit", "store", "install", "sys"],
    ),
    ("offline", &["peer", "request", "policy", "audit"]),
    ("runtime", &["sys"]),
    ("sys", &[]),
];

/// `main` is a crate of its own and is not in the list of `lib.rs`.
const MAIN: &[&str] = &["cli", "config", "app"];

/// Files and folders that are pure.
const PURE: &[&str] = &[
    "request",
    "policy",
    "diagnostic.rs",
    "audit/known",
    "audit/record",
    "audit/recorded",
    "audit/redact",
    "audit/chain",
    "watch/attack",
    "watch/call",
    "watch/container",
    "watch/dossier",
    "watch/exec",
    "watch/fact",
    "watch/finding",
    "watch/join",
    "watch/kernel",
    "watch/sensor/record",
    "watch/sensor/question",
    "watch/sensor/status",
    "sink/formats",
    "offline",
    "watch/launch",
    "watch/tell",
    "admin/exposition",
    "admin/tally",
    "admin/view",
    "admin/web/layout",
    "install/plan",
    "install/unit",
];

/// What no pure file may name: crates and modules that do I/O or ask the host.
const IMPURE: &[&[&str]] = &[
    &["tokio"],
    &["hyper"],
    &["hyper_util"],
    &["hyperlocal"],
    &["socket2"],
    &["nix"],
    &["tracing"],
    &["getrandom"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
];

/// What of `std::net` is a plain value.
const ADDRESSES: &[&str] =
    &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6", "AddrParseError"];

/// Clocks, by the last two parts of their path.
const CLOCKS: &[[&str; 2]] =
    &[["SystemTime", "now"], ["Instant", "now"], ["Timestamp", "now"], ["Zoned", "now"], ["Uuid", "now_v7"]];

// === rules ===

/// The arrows: which rooms a file may name.
fn arrows(file: &Path, text: &str) -> Vec<String> {
    let room = room(file);
    let (root, may) = match room.as_str() {
        "main" => ("tidewaiter", MAIN),
        "lib" => return Vec::new(),
        known => match ROOMS.iter().find(|(name, _)| *name == known) {
            Some((_, may)) => ("crate", *may),
            None => return vec![format!("'{known}' is no room; add it to the table")],
        },
    };
    let depth = depth(file);
    let allowed = |to: &str| {
        to == room || to == "diagnostic" || may.contains(&to) || (to == "runtime" && !is_pure(file) && room != "sys")
    };
    let mut complaints = Vec::new();
    for path in paths(&production(&code(text))) {
        let climbs = path.iter().take_while(|part| *part == "super").count();
        if climbs >= depth && climbs > 0 {
            complaints.push(format!("'{}' leads out of the room; write it from 'crate'", path.join("::")));
        } else if path.first().is_some_and(|first| first == root) {
            match path.get(1) {
                Some(to) if allowed(to) => {}
                _ => complaints.push(format!("{room} may not use '{}'", path.join("::"))),
            }
        }
    }
    complaints
}

/// The stars: a pure file does no I/O, asks no clock and writes no log.
fn stars(file: &Path, text: &str) -> Vec<String> {
    if !is_pure(file) {
        return Vec::new();
    }
    let impure = |path: &Vec<String>| {
        let starts = |with: &[&str]| path.len() >= with.len() && path.iter().zip(with).all(|(a, b)| a == b);
        let address = starts(&["std", "net"]) && path.get(2).is_some_and(|name| ADDRESSES.contains(&name.as_str()));
        let clock = path.windows(2).any(|pair| CLOCKS.iter().any(|clock| pair == clock));
        clock || (!address && IMPURE.iter().any(|with| starts(with)))
    };
    let found = paths(&production(&code(text))).into_iter().filter(impure);
    found.map(|path| format!("a pure file may not use '{}'", path.join("::"))).collect()
}

/// Length.
fn length(_file: &Path, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > MAX_LINES { vec![format!("{lines} lines; {MAX_LINES} are the most")] } else { Vec::new() }
}

/// Words that are forbidden, tests included.
fn words(file: &Path, text: &str) -> Vec<String> {
    let code = code(text);
    let mut complaints = Vec::new();
    if room(file) != "sys" && tokens(&code).any(|token| token == "unsafe") {
        complaints.push("'unsafe' outside sys".to_owned());
    }
    // Unfinished code is clippy's to refuse (`todo`, `unimplemented` in Cargo.toml), in tests too.
    for forbidden in ["#[allow(", "#![allow("] {
        if code.contains(forbidden) {
            complaints.push(format!("'{forbidden}'"));
        }
    }
    complaints
}

/// `lib.rs` lists exactly the rooms, in the order of the flow.
fn order(lib: &str) -> Vec<String> {
    let code = code(lib);
    let listed = code.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let (listed, rooms): (Vec<&str>, Vec<&str>) = (listed.collect(), ROOMS.iter().map(|(name, _)| *name).collect());
    if listed == rooms { Vec::new() } else { vec![format!("lib.rs lists {listed:?}, the flow is {rooms:?}")] }
}

/// A cycle in a table of arrows: a room that can be reached from itself.
fn cycle<'a>(arrows: &[(&'a str, &[&'a str])]) -> Option<&'a str> {
    arrows.iter().map(|(name, _)| *name).find(|start| {
        let mut reached: Vec<&str> = Vec::new();
        let mut next = vec![*start];
        while let Some(room) = next.pop() {
            let targets = arrows.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, to)| *to);
            for target in targets {
                if !reached.contains(target) {
                    reached.push(target);
                    next.push(target);
                }
            }
        }
        reached.contains(start)
    })
}

// === reading Rust, as far as it is needed ===

/// The room a file belongs to: its folder or file below `src`.
fn room(file: &Path) -> String {
    let first = file.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
    first.trim_end_matches(".rs").to_owned()
}

/// How many modules lie between a file and the root of its crate.
fn depth(file: &Path) -> usize {
    let parts = file.iter().count();
    if file.ends_with("mod.rs") { parts - 1 } else { parts }
}

fn is_pure(file: &Path) -> bool {
    let stem = file.with_extension("");
    let in_tests = stem.iter().any(|part| part == "tests");
    !in_tests && PURE.iter().any(|pure| file.starts_with(pure) || stem.starts_with(pure))
}

/// The text with comments, strings and characters blanked; lines stay where they are.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '"' => quoted(rest),
            'r' if !out.ends_with(word) && (rest.starts_with("r\"") || rest.starts_with("r#")) => raw(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (blank, after) = rest.split_at(length);
            out.extend(blank.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    out
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the string at the beginning of a text.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// Length of the raw string at the beginning of a text; 0 if it is a raw identifier.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let (start, end) = (hashes + 2, format!("\"{}", "#".repeat(hashes)));
    text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
}

/// Length of the character at the beginning of a text; 0 if it is a lifetime.
fn character(text: &str) -> usize {
    if let Some(escaped) = text.strip_prefix("'\\") {
        // The escaped character itself may be a quote.
        return escaped.char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 3);
    }
    let mut chars = text.char_indices().skip(2);
    chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
}

/// The code without its `#[cfg(test)]` items; what follows them counts again.
fn production(code: &str) -> String {
    let mut out = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim_end() != "#[cfg(test)]" {
            out.push_str(line);
            out.push('\n');
        } else if lines.next().is_some_and(|item| item.trim_end().ends_with('{')) {
            // rustfmt puts the brace that closes an item at the beginning of a line, and no other.
            lines.by_ref().find(|line| line.starts_with('}'));
        }
    }
    out
}

/// Words, `::` and single characters.
fn tokens(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(token)
    })
}

/// Every path in the code, with the groups of `use` spelled out.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens: Vec<&str> = tokens(code).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].starts_with(word) { at = path(&tokens, at, &[], &mut found) } else { at += 1 }
    }
    found
}

/// Reads one path that begins at `at`, below `prefix`, and says where it ends.
fn path(tokens: &[&str], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    let starts = tokens[at] != "," && tokens[at] != "as" && tokens[at - 1] != "as";
                    at = if starts { self::path(tokens, at, &path, found) } else { at + 1 };
                }
                return at + 1;
            }
            Some(&"self") if !path.is_empty() => at += 1,
            Some(part) if part.starts_with(word) || *part == "*" => {
                path.push((*part).to_owned());
                at += 1;
            }
            // `::<`: generic arguments are paths of their own.
            _ => at += 1,
        }
        if tokens.get(at) != Some(&"::") || tokens.get(at + 1) == Some(&"<") {
            found.push(path);
            return at;
        }
        at += 1;
    }
}

// === the crate as it is ===

fn sources() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
                files.push((path.strip_prefix(&src).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

fn hold(rule: fn(&Path, &str) -> Vec<String>) {
    let sources = sources();
    assert!(sources.len() > ROOMS.len(), "the sources were not found");
    let broken: Vec<String> = sources
        .iter()
        .flat_map(|(file, text)| rule(file, text).into_iter().map(|why| format!("src/{}: {why}", file.display())))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_room_uses_only_what_it_may() {
    hold(arrows);
}

#[test]
fn pure_files_are_pure() {
    hold(stars);
}

#[test]
fn files_are_short() {
    hold(length);
}

#[test]
fn no_file_has_a_forbidden_word() {
    hold(words);
}

#[test]
fn the_rooms_are_listed_in_the_order_of_the_flow() {
    let sources = sources();
    let Some((_, lib)) = sources.iter().find(|(file, _)| file == Path::new("lib.rs")) else { panic!("no lib.rs") };
    assert_eq!(order(lib), [""; 0]);
}

#[test]
fn the_arrows_have_no_cycle() {
    assert_eq!(cycle(ROOMS), None);
}

// === every rule can be broken ===

fn complains(rule: fn(&Path, &str) -> Vec<String>, file: &str, text: &str) -> bool {
    !rule(Path::new(file), text).is_empty()
}

#[test]
fn a_wrong_arrow_is_seen() {
    for (file, text) in [
        ("policy/judge.rs", "use crate::audit::Audit;"),
        ("policy/judge.rs", "use crate::runtime::Stream;"),
        ("policy/judge.rs", "use crate::{peer::Peer, engine};"),
        ("policy/judge.rs", "fn f(a: &crate::audit::Audit) {}"),
        ("policy/judge.rs", "use super::super::audit::Audit;"),
        ("policy/mod.rs", "use super::audit::Audit;"),
        ("policy/mod.rs", "use crate::*;"),
        ("policy/mod.rs", "#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n\nuse crate::audit;"),
        ("policy/mod.rs", "#[cfg(test)]\nmod tests;\n\nuse crate::audit;"),
        ("proxy/pipeline.rs", "use crate::sink::Sink;"),
        ("sys/mod.rs", "use crate::runtime::Stream;"),
        ("app.rs", "use crate::cli;"),
        ("main.rs", "use tidewaiter::{app, proxy::serve};"),
        ("kitchen/mod.rs", ""),
    ] {
        assert!(complains(arrows, file, text), "{file}: {text}");
    }
    for (file, text) in [
        ("policy/judge.rs", "use crate::{diagnostic::{Source, Diagnostic}, peer::{self, Peer as Who}};"),
        ("policy/judge.rs", "use super::Policy; // not crate::audit\nconst A: &str = \"crate::audit\";"),
        ("policy/rule/glob.rs", "use super::super::Policy;"),
        ("policy/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::audit;\n}\n"),
        ("engine/dial.rs", "use crate::runtime::Stream;"),
        ("main.rs", "use tidewaiter::{app, cli, config::Config};"),
        ("lib.rs", "pub mod app;"),
    ] {
        assert!(!complains(arrows, file, text), "{file}: {text}");
    }
}

#[test]
fn an_impure_star_is_seen() {
    for text in [
        "use tokio::sync::mpsc;",
        "use std::{fmt, fs::File};",
        "use std::net::TcpStream;",
        "use std::net;",
        "fn f() { tracing::warn!(\"x\") }",
        "fn f() { let c = '\"'; std::fs::read(\"x\") }",
        "fn f() -> Timestamp { Timestamp::now() }",
        "fn f() { jiff::Timestamp::now() }",
        "fn f() { std::env::var(\"HOME\") }",
        "fn f<'a>(x: Vec::<std::fs::File>) {}",
    ] {
        for file in ["request/call.rs", "policy/mod.rs", "diagnostic.rs", "audit/record.rs", "audit/redact/body.rs"] {
            assert!(complains(stars, file, text), "{file}: {text}");
        }
        assert!(!complains(stars, "audit/journal.rs", text), "{text}");
    }
    let fine =
        "//! Uses no tokio.\nuse std::net::{IpAddr, SocketAddr};\nconst A: &str = r#\"tokio::spawn \"std::fs\"\"#;";
    assert!(!complains(stars, "policy/mod.rs", fine));
}

#[test]
fn a_long_file_is_seen() {
    assert!(complains(length, "app.rs", &"\n".repeat(MAX_LINES + 1)));
    assert!(!complains(length, "app.rs", &"\n".repeat(MAX_LINES)));
}

#[test]
fn a_forbidden_word_is_seen() {
    assert!(complains(words, "peer/mod.rs", "fn f() { unsafe { g() } }"));
    assert!(complains(words, "peer/mod.rs", "#[cfg(test)]\nmod tests {\n    unsafe fn f() {}\n}\n"));
    assert!(complains(words, "sys/mod.rs", "#[allow(dead_code)]"));
    assert!(complains(words, "peer/mod.rs", "#![allow(dead_code)]"));
    assert!(!complains(words, "sys/mod.rs", "unsafe { g() }"));
    assert!(!complains(words, "peer/mod.rs", "// unsafe\n#![expect(unsafe_code, reason = \"#[allow(\")]"));
}

#[test]
fn a_wrong_order_is_seen() {
    assert!(!order("pub mod sys;\npub mod app;\n").is_empty());
}

#[test]
fn a_cycle_is_seen() {
    assert_eq!(cycle(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]), Some("b"));
    assert_eq!(cycle(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]), None);
}
