//! The vocabulary: ids are a public contract.

use std::collections::BTreeSet;

use crate::policy::{Check, Help, help};

#[test]
fn ids_are_kebab_case_and_lead_back() {
    for check in Check::ALL {
        let id = check.id();
        let is_word = |word: &str| {
            let edges = word.starts_with('-') || word.ends_with('-') || word.contains("--");
            !word.is_empty() && !edges && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        assert!(id.split('.').all(is_word), "{id}");
        assert_eq!(Check::from_id(id), Some(*check), "two checks are called {id}");
    }
    assert_eq!(Check::from_id("Privileged"), None);
    assert_eq!(Check::from_id(""), None);
}

#[test]
fn titles_are_short_and_their_own() {
    let titles: BTreeSet<_> = Check::ALL.iter().map(|check| check.title()).collect();
    assert_eq!(titles.len(), Check::ALL.len());
    for title in titles {
        assert!(!title.is_empty() && title.len() <= 60 && !title.ends_with('.') && title.trim() == title, "{title}");
    }
}

#[test]
fn the_table_of_checks_tells_each_as_it_is() {
    let table = include_str!("../../../conf/checks.md");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = Check::ALL
        .iter()
        .map(|check| {
            let attack = if check.attack().is_empty() { "–".to_owned() } else { check.attack().join(", ") };
            let (baseline, restricted) = check.builtin();
            let (id, title, risk) = (check.id(), check.title(), check.risk());
            format!("| `{id}` | {title} | {risk} | {attack} | {} | {} |", baseline.word(), restricted.word())
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn every_check_is_told_in_a_paragraph_of_its_own() {
    let table = include_str!("../../../conf/checks.md");
    let paragraphs: Vec<&str> = table.lines().filter(|line| line.starts_with("**`")).collect();
    let expected: Vec<String> = Check::ALL
        .iter()
        .map(|check| {
            let Help { means, danger, narrowly } = help(*check);
            format!("**`{}`** {means} *Danger:* {danger} *To allow it:* {narrowly}", check.id())
        })
        .collect();
    assert_eq!(paragraphs, expected);
    for check in Check::ALL {
        let Help { means, danger, narrowly } = help(*check);
        let is_sentence = |text: &str| text.len() > 15 && text.ends_with('.');
        assert!([means, danger, narrowly].into_iter().all(is_sentence), "{}", check.id());
    }
    let dangers: BTreeSet<_> = Check::ALL.iter().map(|check| help(*check).danger).collect();
    assert!(dangers.len() >= Check::ALL.len() - 3, "said of others too");
}
