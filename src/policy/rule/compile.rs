//! From `[[rule]]` as it is written to a rule that can be evaluated, with every mistake told at its place.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use cel::parser::{Expression, ParseErrors, Parser};
use http::{HeaderMap, Method, Uri, Version};
use serde_spanned::Spanned;

use super::names::{Mistake, Names};
use super::place::Places;
use super::values::Values;
use super::{Language, Rule, Rules, Scene, cost};
use crate::diagnostic::Diagnostic;
use crate::peer::{Peer, UnixPeer};
use crate::policy::load::error;
use crate::policy::{Known, Reaction, raw};
use crate::request::{Call, Head, read};

/// Most rules of a file: each is evaluated at each call.
const MAX_RULES: usize = 64;

/// Longest expression, in bytes.
const MAX_WHEN: usize = 4096;

/// Most brackets inside one another: the parser takes some 150 KiB of stack for each in a debug build.
const MAX_BRACKETS: usize = 8;

/// Most operators and brackets of an expression: the parser takes stack for each of a chain.
const MAX_SIGNS: usize = 512;

/// Longest message, in characters: it stands in refusals and records.
const MAX_MESSAGE: usize = 200;

/// What every id begins with, and no check of ours.
const PREFIX: &str = "site.";

/// Compiles the rules of a file whose text is `file`.
pub(in crate::policy) fn compile(written: &[raw::Rule], file: &str, found: &mut Vec<Diagnostic>) -> Rules {
    let mut rules = Rules::none();
    if let Some(first_too_many) = written.get(MAX_RULES) {
        let message = format!("more than {MAX_RULES} rules");
        found.push(error(first_too_many.id.span(), &message, Some("join some by ||")));
    }
    if written.is_empty() {
        return rules;
    }
    rules.language = Language::standard();
    let mut ids = BTreeSet::new();
    for raw in written.iter().take(MAX_RULES) {
        let id = raw.id.get_ref();
        if !is_id(id) {
            let help = "write 'site.' and lower-case words with hyphens: site.memory-limit";
            found.push(error(raw.id.span(), &format!("'{id}' is no id of a rule"), Some(help)));
        } else if !ids.insert(id) {
            found.push(error(raw.id.span(), &format!("there is a rule '{id}' already"), Some("choose another id")));
        }
        let message = message(&raw.message, found);
        let reaction = reaction(raw.reaction.as_ref(), found);
        let profiles = raw.profiles.iter().map(|name| name.get_ref().clone()).collect();
        let places = Places::of(file, raw.when.span(), raw.when.get_ref());
        match when(raw.when.get_ref(), &rules.language) {
            Ok((when, used)) => {
                rules.used.extend(used);
                rules.rules.push(Rule { id: id.as_str().into(), when, message, reaction, profiles });
            }
            Err(mistakes) => found.extend(
                mistakes
                    .into_iter()
                    .map(|mistake| error(places.range(mistake.at), &mistake.message, mistake.help.as_deref())),
            ),
        }
    }
    rules
}

/// An expression, with the names it uses.
fn when(text: &str, language: &Language) -> Result<(Expression, BTreeSet<String>), Vec<Mistake>> {
    bounded(text).map_err(|mistake| vec![mistake])?;
    let (when, source) =
        Parser::new().parse_with_source_info(text).map_err(|errors| vec![unreadable(text, &errors)])?;
    let mut names = Names::new(&source);
    names.rule(&when);
    if !names.mistakes.is_empty() {
        return Err(names.mistakes);
    }
    let used = names.used;
    let whole = |message: &str, help: &str| {
        vec![Mistake { at: 0..text.len(), message: message.to_owned(), help: Some(help.to_owned()) }]
    };
    if cost::of(&when) > cost::MAX_COST {
        let message = "may take too long: its loops go through too much";
        return Err(whole(message, "put no loop over what a call has inside two others"));
    }
    if let Err(why) = at_rest(&when, &used, language) {
        let message = format!("cannot be evaluated at a plain call (GET /_ping), and would refuse it: {why}");
        return Err(whole(&message, "begin with operation == 'ContainerCreate' &&, or create != null &&"));
    }
    Ok((when, used))
}

/// Bounds that hold before anything is parsed.
fn bounded(text: &str) -> Result<(), Mistake> {
    let too =
        |at: Range<usize>, message: String| Err(Mistake { at, message, help: Some("write two rules".to_owned()) });
    if text.len() > MAX_WHEN {
        return too(0..text.len(), format!("longer than {MAX_WHEN} bytes"));
    }
    let (mut depth, mut signs) = (0_usize, 0_usize);
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if quote.is_none() && letter.is_ascii_punctuation() {
            signs += 1;
        }
        if depth > MAX_BRACKETS {
            return too(at..at + 1, format!("more than {MAX_BRACKETS} brackets in one another"));
        }
        if signs > MAX_SIGNS {
            return too(at..at + 1, format!("more than {MAX_SIGNS} operators and brackets"));
        }
    }
    Ok(())
}

/// The first thing that the parser does not understand; what follows is mostly told because of it.
fn unreadable(text: &str, errors: &ParseErrors) -> Mistake {
    let is_syntax = |message: &str| message.starts_with("Syntax error");
    let errors = &errors.errors;
    let first = errors.iter().find(|error| is_syntax(&error.msg)).or_else(|| errors.first());
    let Some(first) = first else {
        return Mistake { at: 0..text.len(), message: "cannot be read".to_owned(), help: None };
    };
    let (line, column) = first.pos;
    let message = first.msg.trim_start_matches("Syntax error: ");
    let (message, expected) = message.split_once(" expecting ").unwrap_or((message, ""));
    let message = message.replace("'<EOF>'", "the end");
    let help = (expected.len() < 40 && !expected.is_empty()).then(|| format!("write {expected}"));
    let at = offset(text, line, column);
    let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Mistake { at: at..at + length, message: format!("no CEL expression: {message}"), help }
}

/// Byte offset of a line and column, both from 1.
fn offset(text: &str, line: isize, column: isize) -> usize {
    let (line, column) = (usize::try_from(line).unwrap_or(1).max(1), usize::try_from(column).unwrap_or(1).max(1));
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    before + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>()
}

/// Evaluates a rule at a call that has nothing: one that fails there would refuse every `docker version`.
fn at_rest(when: &Expression, used: &BTreeSet<String>, language: &Language) -> Result<bool, String> {
    let uri = Uri::from_static("/_ping");
    let head = Head { method: &Method::GET, uri: &uri, version: Version::HTTP_11, headers: &HeaderMap::new() };
    let asked = read(&head);
    let call = Call::unread(&asked);
    let peer = Peer::Unix(Box::new(UnixPeer { uid: Some(1000), gid: Some(1000), ..UnixPeer::default() }));
    let (principal, profile) = ("fallback", "baseline");
    let scene = Scene { call: &call, peer: &peer, known: Known::NOTHING, principal, admin: false, profile };
    language.evaluate(when, &Values::new(scene, used))
}

/// `site.` and kebab-case.
fn is_id(id: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
    id.strip_prefix(PREFIX).is_some_and(|name| name.split('-').all(is_word))
}

fn message(written: &Spanned<String>, found: &mut Vec<Diagnostic>) -> String {
    let text = written.get_ref();
    let is_line = !text.trim().is_empty() && !text.contains(char::is_control);
    if !is_line || text.chars().count() > MAX_MESSAGE {
        let message = format!("a message is one line of at most {MAX_MESSAGE} characters");
        found.push(error(written.span(), &message, Some("say what to write instead: set a memory limit (--memory)")));
    }
    text.clone()
}

fn reaction(written: Option<&Spanned<String>>, found: &mut Vec<Diagnostic>) -> Reaction {
    let Some(written) = written else { return Reaction::Deny };
    Reaction::from_word(written.get_ref()).unwrap_or_else(|| {
        let message = format!("'{}' is no reaction", written.get_ref());
        found.push(error(written.span(), &message, Some("write deny, approve, warn or allow")));
        Reaction::Deny
    })
}

/// Ids as they are written, whether or not the rule can be used, so that what names them is not told as a mistake too.
pub(in crate::policy) fn ids(written: &[raw::Rule]) -> Vec<Arc<str>> {
    written.iter().map(|rule| rule.id.get_ref().as_str().into()).collect()
}
