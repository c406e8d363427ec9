//! Patterns in place of lines that differ in one part only.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::line::Line;

/// Siblings that make a folder of its own.
const SIBLINGS: usize = 3;

/// Names or tags that make a pattern.
const ALIKE: usize = 2;

/// Replaces what can be.
pub(super) fn all(draft: &mut Draft) {
    grouped(draft, ALIKE, Line::repository);
    grouped(draft, ALIKE, |line| if let Line::Network(name) = line { project(name) } else { None });
    let in_folder = |line: &Line| if let Line::Read(path) = line { folder(path).map(Line::Read) } else { None };
    grouped(draft, SIBLINGS, in_folder);
    let in_folder = |line: &Line| if let Line::Write(path) = line { folder(path).map(Line::Write) } else { None };
    grouped(draft, SIBLINGS, in_folder);
    ports(draft);
}

fn grouped(draft: &mut Draft, least: usize, pattern: impl Fn(&Line) -> Option<Line>) {
    let mut groups: BTreeMap<Line, Vec<Line>> = BTreeMap::new();
    for line in draft.lines.keys() {
        if let Some(pattern) = pattern(line) {
            groups.entry(pattern).or_default().push(line.clone());
        }
    }
    for (pattern, lines) in groups.into_iter().filter(|(_, lines)| lines.len() >= least) {
        draft.replace(&lines, pattern);
    }
}

/// What compose and runners put before a network's name: a project, a job.
fn project(name: &str) -> Option<Line> {
    let (prefix, rest) = name.split_once(['_', '-'])?;
    let separator = name.get(prefix.len()..name.len() - rest.len())?;
    Some(Line::Network(format!("{prefix}{separator}*")))
}

/// The folder of a path, at least two levels below the root: what is higher up is the system's.
fn folder(path: &str) -> Option<String> {
    let (folder, _name) = path.rsplit_once('/')?;
    (folder.matches('/').count() >= 2).then(|| format!("{folder}/**"))
}

/// One range for three ports of an address or more.
fn ports(draft: &mut Draft) {
    let mut groups: BTreeMap<std::net::IpAddr, Vec<Line>> = BTreeMap::new();
    for line in draft.lines.keys() {
        if let Line::Publish(address, first, _) = line
            && *first > 0
        {
            groups.entry(*address).or_default().push(line.clone());
        }
    }
    for (address, lines) in groups.into_iter().filter(|(_, lines)| lines.len() >= SIBLINGS) {
        let both = |line: &Line| if let Line::Publish(_, first, last) = line { Some((*first, *last)) } else { None };
        let first = lines.iter().filter_map(both).map(|(first, _)| first).min().unwrap_or_default();
        let last = lines.iter().filter_map(both).map(|(_, last)| last).max().unwrap_or_default();
        draft.replace(&lines, Line::Publish(address, first, last));
    }
}
