//! What is different between two policies, for the record of a reload.

use std::collections::{BTreeMap, HashMap};

use super::Policy;
use super::load::Exception;
use super::principal::Principal;
use super::profile::Profile;

impl Policy {
    /// What is different from an older policy: `mode`, `fallback`, `principal NAME`, `principals' order`, `profile NAME`,
    /// `rule ID`, `exceptions`, `an0693`. Whatever else is different about their texts is in their SHA-256 only.
    pub fn changes_since(&self, older: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut differs = |what: &str, differs: bool| changes.extend(differs.then(|| what.to_owned()));
        differs("mode", self.own_mode() != older.own_mode());
        differs("fallback", self.fallback != older.fallback);
        let exceptions = |policy: &Self| policy.exceptions.iter().map(exception).collect::<Vec<_>>();
        differs("an0693", self.an0693() != older.an0693());
        differs("exceptions", exceptions(self) != exceptions(older));
        let names =
            |policy: &Self| policy.principals.iter().map(|principal| principal.name.clone()).collect::<Vec<_>>();
        let (ours, theirs) = (names(self), names(older));
        let sorted = |mut names: Vec<String>| {
            names.sort_unstable();
            names
        };
        differs("principals' order", ours != theirs && sorted(ours) == sorted(theirs));
        let principals = |policy: &Self| policy.principals.iter().map(principal).collect();
        changes.extend(named("principal", &principals(self), &principals(older)));
        let profiles = |policy: &Self| policy.profiles.values().map(profile).collect();
        changes.extend(named("profile", &profiles(self), &profiles(older)));
        changes.extend(named("rule", &self.rules.said(), &older.rules.said()));
        changes
    }
}

/// Those that only one has, and those that read differently.
fn named(kind: &str, ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let gone = theirs.keys().filter(|name| !ours.contains_key(*name));
    let other = ours.iter().filter(|(name, text)| theirs.get(*name) != Some(*text)).map(|(name, _)| name);
    other.chain(gone).map(|name| format!("{kind} {name}")).collect()
}

// Compiled patterns cannot be compared; what they print can.

fn principal(principal: &Principal) -> (String, String) {
    let Principal { name, admin, profile, matchers } = principal;
    let said: Vec<&String> = matchers.iter().map(|matcher| &matcher.said).collect();
    (name.clone(), format!("{admin} {profile} {said:?}"))
}

fn profile(profile: &Profile) -> (String, String) {
    let mut reactions: Vec<String> = profile.reactions.iter().map(|reaction| format!("{reaction:?}")).collect();
    reactions.sort_unstable();
    // Without its places in the file, which move with every line above them.
    let (decided, said) = (HashMap::new(), HashMap::new());
    let rest = Profile { reactions: HashMap::new(), decided, said, ..profile.clone() };
    (profile.name.clone(), format!("{reactions:?} {rest:?}"))
}

/// Without its place in the file, which moves with every line above it.
fn exception(exception: &Exception) -> String {
    let Exception { checks, principals, images, reason, span: _, expires } = exception;
    format!("{checks:?} {principals:?} {images:?} {reason} {expires:?}")
}
