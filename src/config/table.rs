//! Reading one table of a TOML file without stopping at the first mistake.
//!
//! serde stops at the first error. An operator who mends a file wants to see all of them, so the tables are walked by hand;
//! what cannot be read counts as absent, and the error in [`Problems`] keeps the result from being used.

use std::cell::RefCell;
use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{Bad, nearest};
use crate::diagnostic::{Diagnostic, Severity};

/// Every mistake found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Diagnostic>>);

/// A table with the keys it may have.
#[derive(Debug)]
pub(super) struct Table<'a> {
    /// `[limits]`; empty for the whole file.
    name: String,
    entries: &'a DeTable<'a>,
    problems: &'a Problems,
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl Problems {
    pub(super) fn error(&self, span: Range<usize>, bad: Bad) {
        self.add(Severity::Error, span, bad);
    }

    pub(super) fn warning(&self, span: Range<usize>, bad: Bad) {
        self.add(Severity::Warning, span, bad);
    }

    fn add(&self, severity: Severity, span: Range<usize>, bad: Bad) {
        self.0.borrow_mut().push(Diagnostic { severity, span: Some(span), message: bad.message, help: bad.help });
    }

    /// Takes over what was found in a file that is named at a place.
    pub(super) fn found(&self, span: &Range<usize>, found: Vec<Diagnostic>) {
        self.0.borrow_mut().extend(found.into_iter().map(|found| Diagnostic { span: Some(span.clone()), ..found }));
    }

    /// All of them, in the order of the file.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| span.start));
        all
    }
}

impl<'a> Table<'a> {
    /// Reports every key that is not known.
    pub(super) fn new(
        name: impl Into<String>,
        entries: &'a DeTable<'a>,
        known: &[&str],
        problems: &'a Problems,
    ) -> Self {
        let table = Self { name: name.into(), entries, problems };
        for key in entries.keys() {
            let written: &str = key.get_ref().as_ref();
            if !known.contains(&written) {
                let help = match nearest(written, known) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                problems.error(key.span(), Bad::new(format!("unknown key '{written}'{}", table.place()), help));
            }
        }
        table
    }

    /// Where the value of a key stands, whatever it is.
    pub(super) fn span(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(Spanned::span)
    }

    /// A string.
    pub(super) fn text(&self, key: &str, example: &str) -> Option<At<&'a str>> {
        let value = self.entries.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(At { value: text, span: value.span() }),
            None => self.wrong(key, value, "a string", &format!("write {key} = \"{example}\"")),
        }
    }

    /// A string that `read` understands.
    pub(super) fn read<T>(&self, key: &str, example: &str, read: impl FnOnce(&str) -> Result<T, Bad>) -> Option<At<T>> {
        let At { value, span } = self.text(key, example)?;
        match read(value) {
            Ok(value) => Some(At { value, span }),
            Err(bad) => {
                self.problems.error(span, bad);
                None
            }
        }
    }

    /// A string, or a list of strings, that `read` understands.
    pub(super) fn read_all<T>(
        &self,
        key: &str,
        example: &str,
        mut read: impl FnMut(&str) -> Result<T, Bad>,
    ) -> Vec<At<T>> {
        let Some(list) = self.entries.get(key).and_then(|value| value.get_ref().as_array()) else {
            return self.read(key, example, read).into_iter().collect();
        };
        let mut all = Vec::new();
        for value in list.iter() {
            match value.get_ref().as_str().map(&mut read) {
                Some(Ok(read)) => all.push(At { value: read, span: value.span() }),
                Some(Err(bad)) => self.problems.error(value.span(), bad),
                None => {
                    let help = format!("write {key} = [\"{example}\"]");
                    self.wrong::<T>(key, value, "a list of strings", &help);
                }
            }
        }
        all
    }

    /// One word of a closed list.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Option<At<T>> {
        let example = words.first().map_or("", |(word, _)| word);
        self.read(key, example, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let help = match nearest(text, &known) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("write one of: {}", known.join(", ")),
                };
                Bad::new(format!("unknown value '{text}' of '{key}'"), help)
            })
        })
    }

    /// A list of words of a closed list.
    pub(super) fn words<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Option<Vec<T>> {
        let value = self.entries.get(key)?;
        let example = words.first().map_or("", |(word, _)| word);
        let Some(written) = value.get_ref().as_array() else {
            return self.wrong(key, value, "a list", &format!("write {key} = [\"{example}\"]"));
        };
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let mut all = Vec::new();
        for one in written.iter() {
            let text = one.get_ref().as_str();
            match words.iter().find(|(word, _)| Some(*word) == text) {
                Some((_, value)) => all.push(*value),
                None => {
                    let help = match text.and_then(|text| nearest(text, &known)) {
                        Some(meant) => format!("did you mean '{meant}'?"),
                        None => format!("write some of: {}", known.join(", ")),
                    };
                    let message = match text {
                        Some(text) => format!("unknown value '{text}' in '{key}'"),
                        None => format!("'{key}' holds something else than strings"),
                    };
                    self.problems.error(one.span(), Bad::new(message, help));
                }
            }
        }
        Some(all)
    }

    /// A whole number within a range.
    pub(super) fn count(&self, key: &str, range: std::ops::RangeInclusive<u32>) -> Option<At<u32>> {
        let value = self.entries.get(key)?;
        let help = format!("write a number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            return self.wrong(key, value, "a whole number", &help);
        };
        match u32::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(At { value: number, span: value.span() }),
            Ok(_) | Err(_) => {
                self.problems.error(value.span(), Bad::new(format!("'{key}' is out of range"), help));
                None
            }
        }
    }

    /// A name, or a number.
    pub(super) fn name_or_number(&self, key: &str, find: impl FnOnce(&str) -> Result<u32, Bad>) -> Option<u32> {
        match self.entries.get(key)?.get_ref() {
            DeValue::Integer(_) => self.count(key, 0..=u32::MAX - 1).map(|at| at.value),
            DeValue::String(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => self.read(key, "docker", find).map(|at| at.value),
        }
    }

    /// A table within this one.
    pub(super) fn table(&self, key: &str, known: &[&str]) -> Option<Table<'a>> {
        let value = self.entries.get(key)?;
        match value.get_ref().as_table() {
            Some(entries) => Some(Table::new(self.path(key), entries, known, self.problems)),
            None => self.wrong(key, value, "a table", &format!("write [{}]", self.path(key))),
        }
    }

    /// Every table within a table of this one, whose keys are names of the operator's choice.
    pub(super) fn named(&self, key: &str, known: &[&str]) -> Option<Vec<(At<&'a str>, Table<'a>)>> {
        let value = self.entries.get(key)?;
        let Some(entries) = value.get_ref().as_table() else {
            return self.wrong(key, value, "a table", &format!("write [{key}.NAME]"));
        };
        if entries.is_empty() {
            let help = format!("write [{key}.NAME], or remove it");
            self.problems.error(value.span(), Bad::new(format!("[{key}] is empty"), help));
        }
        let mut all = Vec::new();
        for (name, inner) in entries {
            let (written, span): (&'a str, _) = (name.get_ref().as_ref(), name.span());
            match inner.get_ref().as_table() {
                Some(table) => {
                    let table = Table::new(format!("{key}.{written}"), table, known, self.problems);
                    all.push((At { value: written, span }, table));
                }
                None => self.problems.error(
                    span,
                    Bad::new(format!("'{written}' in [{key}] is not a table"), format!("write [{key}.NAME] above it")),
                ),
            }
        }
        // The file's order, which is the order in which doors are opened and shown.
        all.sort_by_key(|(name, _)| name.span.start);
        Some(all)
    }

    /// Reports a value that is there and may not be.
    pub(super) fn refuse(&self, key: &str, message: &str, help: &str) {
        if let Some((name, _)) = self.entries.get_key_value(key) {
            self.problems.error(name.span(), Bad::new(message, help));
        }
    }

    fn wrong<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, help: &str) -> Option<T> {
        let found = value.get_ref().type_str();
        let message = format!("'{key}'{} must be {wanted}, not {found}", self.place());
        self.problems.error(value.span(), Bad::new(message, help));
        None
    }

    fn path(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    fn place(&self) -> String {
        match self.name.as_str() {
            "" => String::new(),
            name => format!(" in [{name}]"),
        }
    }
}
