//! What a policy comes to, told to whoever is about to run it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::load::{Exception, warning};
use super::principal::Principal;
use super::{Check, CheckId, Mode, Policy, Reaction};
use crate::diagnostic::{Diagnostic, Severity};

/// A policy in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The mode of whatever profile has none of its own.
    pub mode: Mode,
    /// Whether any caller can be refused anything.
    pub refuses: bool,
    /// The principals, in the order in which they are asked.
    pub principals: Vec<Who>,
    /// Whoever no principal claims.
    pub fallback: Who,
    /// The file's own profiles, by name.
    pub profiles: Vec<Which>,
    /// How many exceptions there are, expired ones included.
    pub exceptions: usize,
    /// Those that no longer apply.
    pub expired: Vec<Expired>,
}

/// A caller, and what applies to him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Name of the principal; `fallback`.
    pub name: String,
    /// Whether he is a known admin.
    pub admin: bool,
    /// Name of his profile.
    pub profile: String,
    /// The mode in which he is judged.
    pub mode: Mode,
    /// What claims a caller; any of them does.
    pub matches: Vec<String>,
}

/// A profile, and what it is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Which {
    /// Its name.
    pub name: String,
    /// The profile it extends.
    pub extends: String,
}

/// An exception that no longer applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Its reason.
    pub reason: String,
    /// Its last day, in UTC.
    pub on: String,
}

impl Policy {
    /// Sums the policy up as it applies at a moment.
    pub fn summary(&self, now: Timestamp) -> Summary {
        let which =
            |name: &String, extends: Option<&String>| Some(Which { name: name.clone(), extends: extends?.clone() });
        Summary {
            mode: self.mode(),
            refuses: self.refuses(),
            principals: self.principals.iter().map(|principal| self.who(Some(principal))).collect(),
            fallback: self.who(None),
            profiles: self
                .profiles
                .iter()
                .filter_map(|(name, profile)| which(name, profile.extends.as_ref()))
                .collect(),
            exceptions: self.exceptions.len(),
            expired: self
                .expired(now)
                .map(|(exception, on)| Expired { reason: exception.reason.clone(), on: on.to_string() })
                .collect(),
        }
    }

    /// Warns of what depends on the moment or the command line: exceptions that have expired, and a mode that nobody chose.
    pub fn warnings(&self, now: Timestamp) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if !self.is_mode_said() {
            let rest =
                if self.refuses() { "only profiles with a mode of their own refuse" } else { "nothing is refused" };
            let message = format!("no mode is written, so it is monitor: {rest}");
            let help = Some("write mode = \"enforce\", or mode = \"monitor\" if that is meant".to_owned());
            found.push(Diagnostic { severity: Severity::Warning, span: None, message, help });
        }
        let expired = self.expired(now);
        found.extend(expired.map(|(exception, on)| {
            warning(exception.span.clone(), &format!("this exception expired on {on}; it no longer applies"))
        }));
        found
    }

    /// Every check with what it leads to in a profile, in the order of the table, rules of the site's last. `None` if there is no
    /// such profile.
    pub fn reactions(&self, profile: &str) -> Option<Vec<(CheckId, Reaction)>> {
        let profile = self.profiles.get(profile)?;
        let builtin = Check::ALL.iter().map(|check| ((*check).into(), profile.reaction(*check)));
        let mut site: Vec<(CheckId, Reaction)> = profile
            .reactions
            .iter()
            .filter(|(check, _)| check.builtin().is_none())
            .map(|(check, reaction)| (check.clone(), *reaction))
            .collect();
        site.sort_by(|(one, _), (other, _)| one.cmp(other));
        Some(builtin.chain(site).collect())
    }

    /// Whether any caller can be refused anything.
    pub fn refuses(&self) -> bool {
        let who = self.principals.iter().map(Some).chain([None]);
        who.into_iter().any(|who| self.mode_of(self.profile(who)) == Mode::Enforce)
    }

    fn who(&self, principal: Option<&Principal>) -> Who {
        let profile = self.profile(principal);
        Who {
            name: principal.map_or("fallback", |principal| &principal.name).to_owned(),
            admin: principal.is_some_and(|principal| principal.admin),
            profile: profile.name.clone(),
            mode: self.mode_of(profile),
            matches: principal
                .map(|principal| principal.matchers.iter().map(|matcher| matcher.said.clone()).collect())
                .unwrap_or_default(),
        }
    }

    /// The exceptions that no longer apply, each with its last day.
    fn expired(&self, now: Timestamp) -> impl Iterator<Item = (&Exception, Date)> {
        self.exceptions.iter().filter_map(move |exception| {
            let end = exception.expires.filter(|end| *end <= now)?;
            // The end is the first moment of the day after.
            Some((exception, TimeZone::UTC.to_datetime(end).date().yesterday().ok()?))
        })
    }
}
