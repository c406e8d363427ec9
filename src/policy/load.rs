//! A policy file, validated whole: every mistake at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde_spanned::Spanned;
use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use super::image::ImagePattern;
use super::principal::Principal;
use super::profile::Profile;
use super::resolve::Resolver;
use super::rule::{self, Rules};
use super::{An0693, CheckId, Mode, Reaction, lint, raw};
use crate::diagnostic::{Diagnostic, Severity, Source};

/// A validated policy.
#[derive(Debug, Clone)]
pub struct Policy {
    mode: Mode,
    /// Whether the file says its mode, or somebody else does.
    mode_is_said: bool,
    /// A mode that overrides the profiles' own.
    forced: bool,
    sha256: Arc<str>,
    generation: u64,
    pub(super) principals: Vec<Principal>,
    pub(super) fallback: String,
    pub(super) profiles: BTreeMap<String, Profile>,
    /// What applies where a name leads nowhere, which loading has ruled out.
    pub(super) restricted: Profile,
    pub(super) exceptions: Vec<Exception>,
    pub(super) rules: Rules,
    an0693: An0693,
    /// Where the site's rules are written, by id.
    pub(super) rule_places: Vec<(Arc<str>, Range<usize>)>,
}

/// A known-good exception.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub(super) checks: Vec<CheckId>,
    pub(super) principals: Vec<String>,
    pub(super) images: Vec<ImagePattern>,
    pub(super) reason: String,
    /// Where its last day is written, else its reason.
    pub(super) span: Range<usize>,
    /// The first moment at which it no longer applies.
    pub(super) expires: Option<Timestamp>,
}

/// The file, section by section.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) mode: Option<Mode>,
    pub(super) principals: Vec<raw::Principal>,
    pub(super) fallback: Option<raw::Fallback>,
    pub(super) profiles: Vec<(Spanned<String>, raw::Profile)>,
    pub(super) exceptions: Vec<raw::Exception>,
    pub(super) rules: Vec<raw::Rule>,
    pub(super) an0693: Option<raw::An0693>,
}

impl Policy {
    /// The policy where there is no file: `baseline` for everyone.
    pub fn builtin(mode: Mode) -> Self {
        let (profiles, restricted) = builtins();
        let mut resolver = Resolver { found: Vec::new(), profiles, rules: Vec::new() };
        let an0693 = An0693::resolve(None, &mut resolver);
        let profiles = resolver.profiles;
        Self {
            mode,
            mode_is_said: true,
            forced: false,
            sha256: Arc::from("builtin:baseline"),
            generation: 1,
            principals: Vec::new(),
            fallback: "baseline".into(),
            profiles,
            restricted,
            exceptions: Vec::new(),
            rules: Rules::none(),
            an0693,
            rule_places: Vec::new(),
        }
    }

    /// Reads a policy file. On success the warnings come beside it.
    ///
    /// # Errors
    /// Every mistake in the file, at once.
    pub fn parse(source: &Source) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut found = Vec::new();
        let file = read(&source.text, &mut found);
        let (profiles, restricted) = builtins();
        let rules = rule::compile(&file.rules, &source.text, &mut found);
        let mut resolver = Resolver { found, profiles, rules: rule::ids(&file.rules) };
        let profiles = resolver.profiles(&file);
        let principals = resolver.principals(&file);
        let fallback = resolver.fallback(&file);
        let exceptions = resolver.exceptions(&file);
        let an0693 = An0693::resolve(file.an0693.as_ref(), &mut resolver);
        file.rules.iter().flat_map(|rule| &rule.profiles).for_each(|name| resolver.known_profile(name));
        let mut found = resolver.found;
        found.extend(lint::check(&file, &profiles));
        if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return Err(found);
        }
        let mode = file.mode.unwrap_or(Mode::Monitor);
        let sha256 = hex(&Sha256::digest(source.text.as_bytes())).into();
        let mode_is_said = file.mode.is_some();
        let policy = Self {
            mode,
            mode_is_said,
            forced: false,
            sha256,
            generation: 1,
            principals,
            fallback,
            profiles,
            restricted,
            exceptions,
            rules,
            an0693,
            rule_places: file.rules.iter().map(|rule| (rule.id.get_ref().as_str().into(), rule.id.span())).collect(),
        };
        Ok((policy, found))
    }

    /// The same policy in another mode, profiles' own modes included (`--mode` on the command line).
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self.mode_is_said = true;
        self.forced = true;
        self
    }

    /// The same policy as one of a later generation.
    #[must_use]
    pub fn with_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// The file's mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What decides the mode of a profile that says none, and of one that does.
    pub(super) const fn own_mode(&self) -> (Mode, bool) {
        (self.mode, self.forced)
    }

    pub(super) const fn is_mode_said(&self) -> bool {
        self.mode_is_said
    }

    pub(super) fn mode_of(&self, profile: &Profile) -> Mode {
        if self.forced { self.mode } else { profile.mode.unwrap_or(self.mode) }
    }

    /// How the watch scores launches.
    pub const fn an0693(&self) -> &An0693 {
        &self.an0693
    }

    /// SHA-256 of the text, hex.
    pub fn sha256(&self) -> Arc<str> {
        Arc::clone(&self.sha256)
    }

    /// 1 at start, one more at each reload.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether any caller may be told to ask an admin for approval.
    pub fn asks_approval(&self) -> bool {
        let of_profiles = self.profiles.values().flat_map(|profile| profile.reactions.values().copied());
        of_profiles.chain(self.rules.reactions()).any(|reaction| reaction == Reaction::Approve)
    }

    pub(super) fn has_principals(&self) -> bool {
        !self.principals.is_empty()
    }
}

/// The built-in profiles, and the strictest of them.
fn builtins() -> (BTreeMap<String, Profile>, Profile) {
    let restricted = Profile::builtin("restricted").unwrap_or_else(Profile::nothing);
    let all = ["privileged", "baseline", "restricted"].into_iter().filter_map(Profile::builtin);
    (all.map(|profile| (profile.name.clone(), profile)).collect(), restricted)
}

const KEYS: [&str; 8] = ["version", "mode", "principal", "fallback", "profile", "exception", "an0693", "rule"];

/// Reads the file section by section, so that a mistake in one hides none in another.
fn read(text: &str, found: &mut Vec<Diagnostic>) -> File {
    let (table, errors) = DeTable::parse_recoverable(text);
    found.extend(errors.iter().map(of_toml));
    let mut file = File::default();
    let mut has_version = false;
    for (key, value) in table.into_inner() {
        let name = key.get_ref().to_string();
        match name.as_str() {
            "version" => {
                has_version = true;
                if value.get_ref().as_integer().is_none_or(|version| version.as_str() != "1") {
                    found.push(error(value.span(), "unknown version of the policy file", Some("write version = 1")));
                }
            }
            "mode" => file.mode = one(value, found),
            "fallback" => file.fallback = one(value, found),
            "principal" => file.principals = many(value, found),
            "exception" => file.exceptions = many(value, found),
            "profile" => file.profiles = named(value, found),
            "an0693" => file.an0693 = one(value, found),
            "rule" => file.rules = many(value, found),
            other => found.push(error(key.span(), &format!("unknown key '{other}'"), nearest(other, &KEYS).as_deref())),
        }
    }
    if !has_version && errors.is_empty() {
        let message = "the file does not say its version".to_owned();
        let help = Some("write version = 1 as its first line".to_owned());
        found.push(Diagnostic { severity: Severity::Error, span: None, message, help });
    }
    file
}

/// Reads one table or value. A key with a mistake is told, taken out, and the rest read again, so that it hides neither the
/// next mistake nor the whole table from those that name it.
fn one<'a, T: Deserialize<'a>>(mut value: Spanned<DeValue<'a>>, found: &mut Vec<Diagnostic>) -> Option<T> {
    let whole = value.span();
    let mut is_reduced = false;
    loop {
        let mistake = match T::deserialize(value.clone().into_deserializer()) {
            Ok(read) => return Some(read),
            Err(mistake) => of_toml(&mistake),
        };
        let place = mistake.span.clone().unwrap_or_else(|| whole.clone());
        let is_at = |part: Range<usize>| part.start <= place.start && place.end <= part.end;
        let DeValue::Table(table) = value.get_mut() else {
            found.push(Diagnostic { span: Some(place), ..mistake });
            return None;
        };
        let key =
            table.iter().find(|(key, value)| is_at(key.span()) || is_at(value.span())).map(|(key, _)| key.clone());
        // What is missing because it was taken out has been told.
        if key.is_some() || !is_reduced {
            found.push(Diagnostic { span: Some(place), ..mistake });
        }
        table.remove(&key?);
        is_reduced = true;
    }
}

fn many<'a, T: Deserialize<'a>>(value: Spanned<DeValue<'a>>, found: &mut Vec<Diagnostic>) -> Vec<T> {
    let span = value.span();
    let DeValue::Array(list) = value.into_inner() else {
        found.push(error(span, "this must be a list of tables", Some("write it in double brackets: [[principal]]")));
        return Vec::new();
    };
    list.into_iter().filter_map(|value| one(value, found)).collect()
}

fn named(value: Spanned<DeValue<'_>>, found: &mut Vec<Diagnostic>) -> Vec<(Spanned<String>, raw::Profile)> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        found.push(error(span, "this must be a table", Some("write [profile.NAME]")));
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, value) in table {
        let name = Spanned::new(key.span(), key.get_ref().to_string());
        if let Some(profile) = one(value, found) {
            all.push((name, profile));
        }
    }
    all
}

fn of_toml(toml: &toml::de::Error) -> Diagnostic {
    let message = toml.message().to_owned();
    // "unknown field `x`, expected one of …" names what to write already; of these serde says it in words of its own.
    let help = match message.rsplit_once("expected ").map(|(_, wanted)| wanted) {
        Some("a sequence") => Some("write a list: [ … ]"),
        Some("a TOML datetime") => Some("write a date without quotes: 2027-12-31"),
        Some("a boolean") => Some("write true or false, without quotes"),
        _said => None,
    };
    Diagnostic { severity: Severity::Error, span: toml.span(), message, help: help.map(ToOwned::to_owned) }
}

pub(super) fn error(span: Range<usize>, message: &str, help: Option<&str>) -> Diagnostic {
    let help = help.map(ToOwned::to_owned);
    Diagnostic { severity: Severity::Error, span: Some(span), message: message.to_owned(), help }
}

pub(super) fn warning(span: Range<usize>, message: &str) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, span: Some(span), message: message.to_owned(), help: None }
}

/// "did you mean", or all there is.
pub(super) fn nearest(written: &str, known: &[&str]) -> Option<String> {
    let written = written.to_ascii_lowercase();
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(&written, &known.to_ascii_lowercase()), known));
    let near = near.filter(|(distance, _)| *distance <= 3).min_by_key(|(distance, _)| *distance);
    Some(
        near.map_or_else(
            || format!("write one of: {}", known.join(", ")),
            |(_, near)| format!("did you mean '{near}'?"),
        ),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}").is_ok();
        text
    })
}
