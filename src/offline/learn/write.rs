//! A draft as the text of a policy, each line with the calls that need it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::draft::{Draft, Need};
use super::line::Line;
use super::{Caller, Identity};
use crate::policy::{Check, Reaction};

/// From this risk on a reader is told what a line opens.
const RISKY: u8 = 2;

const HEAD: &str =
    "Lets pass what was seen, and nothing else. Read it before you use it: what an intruder did while the journal
# was written is in it too. `tidewaiter check` tells mistakes, `tidewaiter replay` what it would refuse.";

/// Writes the whole file.
pub(super) fn policy(callers: &BTreeMap<Identity, Caller>, calls: u64) -> String {
    let mut out = String::new();
    let say = |out: &mut String, text: &str| out.push_str(text);
    say(
        &mut out,
        &format!(
            "# Learned from {} by {}.\n# {HEAD}\n",
            counted(calls, "call"),
            counted(callers.len() as u64, "caller")
        ),
    );
    say(&mut out, "version = 1\nmode = \"enforce\"\n");
    for (identity, caller) in callers {
        let matcher = match identity {
            Identity::Container(image) => format!("in-container = {}", quoted(image)),
            Identity::Uid(uid) => format!("uid = {uid}"),
            Identity::Certificate(said) => {
                said.iter().map(|(key, value)| format!("{key} = {}", quoted(value))).collect::<Vec<_>>().join(", ")
            }
            Identity::Nobody => continue,
        };
        let said = if caller.said.is_empty() { String::new() } else { format!("{}; ", plain(&caller.said)) };
        let name = quoted(&caller.name);
        say(&mut out, &format!("\n[[principal]]\nname    = {name}\nprofile = {name}\nmatch   = [ {{ {matcher} }} ]"));
        say(&mut out, &format!("    # {said}{}\n", counted(caller.calls, "call")));
    }
    let nobody = callers.get(&Identity::Nobody);
    let fallback = nobody.map_or_else(|| "\"restricted\"".to_owned(), |caller| quoted(&caller.name));
    let whoever =
        if nobody.is_some() { "    # RISK: for everybody, since some callers cannot be told apart" } else { "" };
    say(&mut out, &format!("\n[fallback]\nprofile = {fallback}{whoever}\n"));
    for (identity, caller) in callers {
        profile(&mut out, &caller.name, &caller.draft);
        let principal = if *identity == Identity::Nobody { "fallback" } else { &caller.name };
        exceptions(&mut out, principal, &caller.draft);
    }
    out
}

fn profile(out: &mut String, name: &str, draft: &Draft) {
    // Writing to a string cannot fail, here and below.
    _ = write!(out, "\n[profile.{}]\nextends = \"restricted\"\n", quoted(name));
    let one = |line: &Line| draft.lines.get(line);
    match one(&Line::JoinOwn) {
        Some(need) => _ = writeln!(out, "join = \"own\"    # {}", why(need)),
        None => out.push_str("join = \"none\"\n"),
    }
    if let Some(need) = one(&Line::ImageByName) {
        _ = writeln!(out, "image-proof = \"name\"    # built or loaded here, or another store: {}", why(need));
    }
    let oldest = draft
        .lines
        .iter()
        .find_map(|(line, need)| if let Line::MinApi(major, minor) = line { Some((major, minor, need)) } else { None });
    if let Some((major, minor, need)) = oldest {
        _ = writeln!(out, "min-api = \"{major}.{minor}\"    # {}", why(need));
    }
    for (key, entry) in LISTS {
        let entries: Vec<(String, &Need)> =
            draft.lines.iter().filter_map(|(line, need)| Some((entry(line, draft)?, need))).collect();
        if entries.is_empty() {
            _ = writeln!(out, "{key} = []");
            continue;
        }
        let width = entries.iter().map(|(entry, _)| entry.chars().count() + 1).max().unwrap_or_default();
        _ = writeln!(out, "{key} = [");
        for (entry, need) in entries {
            _ = writeln!(out, "    {:<width$}  # {}", entry + ",", why(need));
        }
        out.push_str("]\n");
    }
    reactions(out, name, draft);
}

/// The lists of a profile, each with what writes a line as one of its entries.
type List = (&'static str, fn(&Line, &Draft) -> Option<String>);

const LISTS: [List; 8] = [
    ("api", |line, _| matches!(line, Line::Api(_)).then(|| text(line))),
    ("images", |line, _| matches!(line, Line::Image(_)).then(|| text(line))),
    ("capabilities", |line, _| matches!(line, Line::Capability(_)).then(|| text(line))),
    ("binds", bind),
    ("devices", |line, _| matches!(line, Line::Device(_)).then(|| text(line))),
    ("networks", |line, _| matches!(line, Line::Network(_)).then(|| text(line))),
    ("publish", |line, _| matches!(line, Line::Publish(..)).then(|| text(line))),
    ("runtimes", |line, _| matches!(line, Line::Runtime(_)).then(|| text(line))),
];

fn text(line: &Line) -> String {
    match line {
        Line::Publish(address, first, last) => {
            let address = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
            let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
            quoted(&format!("{address}:{ports}"))
        }
        Line::Api(text)
        | Line::Image(text)
        | Line::Capability(text)
        | Line::Device(text)
        | Line::Network(text)
        | Line::Runtime(text)
        | Line::Read(text)
        | Line::Write(text)
        | Line::Exception(_, text) => quoted(text),
        Line::ImageByName | Line::JoinOwn | Line::MinApi(..) | Line::Reaction(_) => String::new(),
    }
}

fn bind(line: &Line, draft: &Draft) -> Option<String> {
    let entry = |path: &str, access: &str| Some(format!("{{ path = {}, access = \"{access}\" }}", quoted(path)));
    if let Line::Write(path) = line {
        return entry(path, "rw");
    }
    let Line::Read(path) = line else { return None };
    // What is written is read as well.
    if draft.lines.contains_key(&Line::Write(path.clone())) { None } else { entry(path, "ro") }
}

/// A line in words, for whoever is to write it.
pub(super) fn hint(line: &Line, profile: &str, principal: &str) -> String {
    let is_builtin = matches!(profile, "privileged" | "baseline" | "restricted");
    let at = if is_builtin { format!("a profile that extends {profile}") } else { format!("[profile.{profile}]") };
    let listed = |key: &str| format!("{at}: {key} += {}", text(line));
    match line {
        Line::Api(_) => listed("api"),
        Line::Image(_) => listed("images"),
        Line::Capability(_) => listed("capabilities"),
        Line::Device(_) => listed("devices"),
        Line::Network(_) => listed("networks"),
        Line::Publish(..) => listed("publish"),
        Line::Runtime(_) => listed("runtimes"),
        Line::Read(path) => format!("{at}: binds += {{ path = {}, access = \"ro\" }}", quoted(path)),
        Line::Write(path) => format!("{at}: binds += {{ path = {}, access = \"rw\" }}", quoted(path)),
        Line::ImageByName => format!("{at}: image-proof = \"name\""),
        Line::JoinOwn => format!("{at}: join = \"own\""),
        Line::MinApi(major, minor) => format!("{at}: min-api = \"{major}.{minor}\""),
        Line::Exception(check, image) => format!(
            "[[exception]] checks = [ \"{}\" ], principals = [ {} ], images = [ {} ], reason = …, expires = …",
            check.id(),
            quoted(principal),
            quoted(image)
        ),
        Line::Reaction(check) => format!("{at}, reactions: \"{}\" = \"warn\" (for every image)", check.id()),
    }
}

fn reactions(out: &mut String, name: &str, draft: &Draft) {
    let lowered: Vec<(Check, &Need)> =
        draft.lines.iter().filter_map(|(line, need)| Some((line.reaction()?, need))).collect();
    if lowered.is_empty() {
        return;
    }
    _ = write!(out, "\n[profile.{}.reactions]\n", quoted(name));
    for (check, need) in lowered {
        let reaction = if check.risk() >= RISKY { Reaction::Warn } else { Reaction::Allow };
        _ = writeln!(out, "\"{}\" = \"{}\"    # {}{}", check.id(), reaction.word(), opens(check), why(need));
    }
}

fn exceptions(out: &mut String, principal: &str, draft: &Draft) {
    for (line, need) in &draft.lines {
        let Line::Exception(check, image) = line else { continue };
        let reason = quoted(&format!("learned from {}", counted(need.calls, "call")));
        _ = write!(
            out,
            "\n[[exception]]    # {}{}\nchecks = [ \"{}\" ]\nprincipals = [ {} ]\nimages = [ {} ]\nreason = {reason}\n",
            opens(*check),
            why(need),
            check.id(),
            quoted(principal),
            quoted(image),
        );
    }
}

/// What a line opens, where that is more than a matter of order.
fn opens(check: Check) -> String {
    if check.risk() >= RISKY { format!("RISK: {}; ", check.title()) } else { String::new() }
}

fn why(need: &Need) -> String {
    let instead = if need.instead_of > 0 { format!("in place of {}; ", need.instead_of) } else { String::new() };
    format!("{instead}{}, e.g. {}", counted(need.calls, "call"), need.example)
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A basic string of TOML: JSON's but for DEL.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|letter| *letter != '\u{7f}').collect();
    serde_json::Value::from(text).to_string()
}

/// A text that ends no comment.
fn plain(text: &str) -> String {
    text.escape_debug().to_string()
}
