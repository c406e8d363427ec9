//! The site's own rules: one CEL expression each, over the same facts as the checks.
//!
//! A rule that cannot be evaluated denies, whatever its reaction says. What a rule may cost is bounded when the file is read
//! ([`cost`]) and by what a call hands over ([`values`]); regular expressions are left out of the language, as is everything
//! that needs a clock. Neither message nor detail of a finding holds anything of the request.

mod compile;
mod container;
mod cost;
mod names;
mod place;
mod shape;
mod values;

pub(super) use compile::{compile, ids};
pub(super) use values::Scene;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use cel::common::types::CelBool;
use cel::parser::Expression;
use cel::{Context, Env, ExecutionError, Value};

use super::profile::Profile;
use super::{CheckId, Finding, Reaction};
use values::Values;

/// The rules of a policy.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    language: Language,
    /// Names of variables and fields that any rule uses.
    used: BTreeSet<String>,
}

/// One rule.
#[derive(Debug, Clone)]
struct Rule {
    id: Arc<str>,
    when: Expression,
    message: String,
    reaction: Reaction,
    /// Profiles that it is for; empty: all.
    profiles: Vec<String>,
}

/// The functions that a rule may call.
#[derive(Clone)]
struct Language(Arc<Env>);

impl Rules {
    /// No rules.
    pub(super) fn none() -> Self {
        Self { rules: Vec::new(), language: Language(Arc::default()), used: BTreeSet::new() }
    }

    /// What each rule that fires leads to, unless a profile says otherwise.
    pub(super) fn reactions(&self) -> impl Iterator<Item = Reaction> {
        self.rules.iter().map(|rule| rule.reaction)
    }

    /// What each rule says, by its id, to be compared.
    pub(super) fn said(&self) -> BTreeMap<String, String> {
        let said = |rule: &Rule| format!("{:?} {} {:?} {:?}", rule.when, rule.message, rule.reaction, rule.profiles);
        self.rules.iter().map(|rule| (rule.id.to_string(), said(rule))).collect()
    }

    /// Everything that the rules find in one call of a caller with this profile.
    pub(super) fn judge(&self, profile: &Profile, scene: Scene<'_>) -> Vec<Finding> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let values = Values::new(scene, &self.used);
        let is_for = |rule: &&Rule| rule.profiles.is_empty() || rule.profiles.contains(&profile.name);
        self.rules.iter().filter(is_for).filter_map(|rule| self.finding(rule, profile, &values)).collect()
    }

    fn finding(&self, rule: &Rule, profile: &Profile, values: &Values<'_>) -> Option<Finding> {
        let check = CheckId::Site(Arc::clone(&rule.id));
        let (reaction, detail) = match self.language.evaluate(&rule.when, values) {
            Ok(false) => return None,
            Ok(true) => (profile.reactions.get(&check).copied().unwrap_or(rule.reaction), rule.message.clone()),
            Err(why) => (Reaction::Deny, format!("the rule cannot be evaluated: {why}")),
        };
        Some(Finding { check, field: "rule".to_owned(), detail, reaction, exception: None })
    }
}

impl Language {
    /// What CEL's standard has, without what needs a clock, regular expressions or optional values.
    fn standard() -> Self {
        Self(Arc::new(Env::default().with_optional_support(false).with_stdlib()))
    }

    fn evaluate(&self, when: &Expression, values: &Values<'_>) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&self.0));
        context.set_variable_resolver(values);
        let value = Value::resolve_val(when, &context).map_err(|error| why(&error, values))?;
        let says = value.downcast_ref::<CelBool>().map(|says| *says.inner());
        says.ok_or_else(|| "it says neither yes nor no".to_owned())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Language")
    }
}

/// The words for a failure. The error's own words hold values of the request, which may be secrets.
#[expect(clippy::wildcard_enum_match_arm, reason = "the crate may add errors, and these words fit them too")]
fn why(error: &ExecutionError, values: &Values<'_>) -> String {
    match error {
        ExecutionError::UndeclaredReference(name) => {
            values.flaw(name).map_or_else(|| format!("'{name}' is not known"), |flaw| format!("{name}: {flaw}"))
        }
        ExecutionError::NoSuchOverload(call) if call.argument_types().iter().any(|kind| kind.starts_with("null")) => {
            "it asks for what the call does not have".to_owned()
        }
        ExecutionError::NoSuchOverload(call) => {
            format!("'{}' is not for {}", call.function(), call.argument_types().join(" and "))
        }
        ExecutionError::NoSuchKey(_) => "it asks for a key that is not there".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "it asks for an element that is not there".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        _other => "its values do not fit".to_owned(),
    }
}
