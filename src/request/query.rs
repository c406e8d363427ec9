//! The query string, read as Go's `url.ParseQuery` and the engine's `httputils` read it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::asked::irregular;
use super::escape::{Place, escape, unescape};
use super::{Irregular, Irregularity, Operation};

/// The most pairs newer Go versions read (`urlmaxqueryparams`); older ones read any number.
const MAX_PAIRS: usize = 10_000;

/// The most keys said twice that are reported one by one; a head has room for many thousands.
const MAX_REPORTED: usize = 8;

/// A decoded query: pairs in order, duplicates kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a raw query. What Go cannot read it drops, and so does this.
    pub(super) fn read(raw: &str, operation: Operation, odd: &mut Vec<Irregularity>) -> Self {
        let mut pairs = Vec::new();
        let mut flaw = None;
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            match read_pair(pair) {
                Ok(read) => pairs.push(read),
                Err(Flaw::NotUtf8(read)) => {
                    flaw = Some("escapes that are not UTF-8");
                    pairs.push(read);
                }
                Err(Flaw::Semicolon) => flaw = Some("a ';'; separate pairs by '&', or write it as '%3B'"),
                Err(Flaw::Escape) => flaw = Some("a '%' without two hex digits; write it as '%25'"),
            }
        }
        odd.extend(flaw.map(|detail| irregular(Irregular::Malformed, "query", detail)));
        if pairs.len() > MAX_PAIRS {
            let detail = "more pairs than some engines read; write fewer than 10000";
            odd.push(irregular(Irregular::TooLarge, "query", detail));
        }
        let query = Self { pairs };
        query.report_duplicates(operation, odd);
        query
    }

    /// The first value of a key, which is the one the engine uses.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Each key with its first value, in order of the keys.
    pub fn firsts(&self) -> BTreeMap<&str, &str> {
        // Of equal keys the last that is collected stays.
        self.pairs.iter().rev().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The truth of a key as the engine reads it: all but nothing, `0`, `no`, `false` and `none` is true, even `off`.
    pub fn flag(&self, key: &str) -> bool {
        let value = self.first(key).unwrap_or_default().trim();
        !["", "0", "no", "false", "none"].iter().any(|word| value.eq_ignore_ascii_case(word))
    }

    /// Puts another value in place of every one that a key has.
    pub(super) fn replace(&mut self, key: &str, value: &str) {
        for (_, old) in self.pairs.iter_mut().filter(|(k, _)| k == key) {
            value.clone_into(old);
        }
    }

    /// Gives a key one value, whether it has any or not.
    pub(super) fn set(&mut self, key: &str, value: String) {
        self.pairs.retain(|(k, _)| k != key);
        self.pairs.push((key.to_owned(), value));
    }

    /// Appends the query to a target, written anew.
    pub(super) fn write(&self, out: &mut String) {
        let mut separator = '?';
        for (key, value) in &self.pairs {
            out.push(separator);
            escape(out, key, Place::Query);
            out.push('=');
            escape(out, value, Place::Query);
            separator = '&';
        }
    }

    fn report_duplicates(&self, operation: Operation, odd: &mut Vec<Irregularity>) {
        if self.pairs.len() < 2 {
            return;
        }
        let mut counts: HashMap<&str, usize> = HashMap::with_capacity(self.pairs.len());
        let mut reported = 0;
        for (key, _) in self.pairs.iter().filter(|(key, _)| !is_list(operation, key)) {
            let count = counts.entry(key).or_default();
            *count += 1;
            if *count == 2 && reported < MAX_REPORTED {
                reported += 1;
                let detail = "said more than once: the engine takes the first, others the last; say it once";
                odd.push(irregular(Irregular::Ambiguous, format!("query.{key}"), detail));
            }
        }
    }
}

/// Why a pair is not what was written.
enum Flaw {
    Semicolon,
    Escape,
    NotUtf8((String, String)),
}

fn read_pair(pair: &str) -> Result<(String, String), Flaw> {
    if pair.contains(';') {
        return Err(Flaw::Semicolon);
    }
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let key = unescape(key, Place::Query).ok_or(Flaw::Escape)?;
    let value = unescape(value, Place::Query).ok_or(Flaw::Escape)?;
    let exact = key.exact && value.exact;
    let read = (Cow::into_owned(key.text), Cow::into_owned(value.text));
    if exact { Ok(read) } else { Err(Flaw::NotUtf8(read)) }
}

/// Whether the engine reads all values of a key: everywhere else it takes the first.
fn is_list(operation: Operation, key: &str) -> bool {
    match key {
        "t" | "extrahosts" => operation == Operation::ImageBuild,
        "changes" => matches!(operation, Operation::ImageCommit | Operation::ImageCreate),
        "names" => operation == Operation::ImageGetAll,
        "platform" => matches!(operation, Operation::ImageGet | Operation::ImageGetAll | Operation::ImageLoad),
        "platforms" => operation == Operation::ImageDelete,
        "type" => matches!(operation, Operation::SystemDataUsage | Operation::ImageAttestations),
        _ => false,
    }
}
