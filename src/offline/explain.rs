//! Why a call would pass or be refused: every finding, the line of the policy that decided it, and what would let it pass.

use std::ops::Range;

use jiff::Timestamp;
use serde::Serialize;

use super::asking::Asking;
use super::learn::hints;
use crate::diagnostic::Source;
use crate::peer::Peer;
use crate::policy::{self, Decided, Facts, Finding, Mode, Policy, Reaction, Verdict, help};

/// A policy to ask, and its text if it came from a file.
#[derive(Debug)]
pub struct Asked {
    /// The policy.
    pub policy: Policy,
    /// Its text.
    pub source: Option<Source>,
    /// Paths that no container may see.
    pub protected: Vec<String>,
    /// Now.
    pub now: Timestamp,
}

/// The answer on one call.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// Name of the operation.
    pub operation: &'static str,
    /// `allow`, `approve` or `deny`, as in enforce mode.
    pub verdict: &'static str,
    /// The policy's own mode: in `monitor` nothing is refused.
    pub mode: Mode,
    /// The principal.
    pub principal: String,
    /// The profile.
    pub profile: String,
    /// Every finding, the worst first.
    pub findings: Vec<Told>,
}

/// A finding, explained.
#[derive(Debug, Serialize)]
pub struct Told {
    /// The check's id.
    pub check: String,
    /// What it found, in a few words.
    pub title: String,
    /// The field that made it fire.
    pub field: String,
    /// The value.
    pub detail: String,
    /// What it leads to.
    pub reaction: Reaction,
    /// Reason of the exception that lowered it.
    pub exception: Option<String>,
    /// What decided: `policy.toml:12`, `baseline (built in)`.
    pub decided_by: String,
    /// The list that it was held against and where it is: `images, policy.toml:9`.
    pub held_against: Option<String>,
    /// What to write to let it pass, the narrowest first; empty where nothing does, or it passes.
    pub to_pass: Vec<String>,
}

impl Asked {
    /// Judges a call and says why.
    pub fn explain(&self, asking: &mut Asking, peer: &Peer) -> Explained {
        let owner = self.judge(asking, peer).principal;
        asking.made_by(&owner);
        let verdict = self.judge(asking, peer);
        let findings = verdict.findings.iter().map(|finding| self.told(finding, &verdict, asking)).collect();
        Explained {
            operation: asking.asked.operation.name(),
            verdict: word(&verdict),
            mode: verdict.mode,
            principal: verdict.principal,
            profile: verdict.profile,
            findings,
        }
    }

    fn judge(&self, asking: &Asking, peer: &Peer) -> Verdict {
        let facts = Facts { now: self.now, protected: &self.protected, known: &asking.known };
        policy::judge(&self.policy, peer, &asking.call(), &facts)
    }

    fn told(&self, finding: &Finding, verdict: &Verdict, asking: &Asking) -> Told {
        let origin = self.policy.origin(&verdict.profile, finding);
        let builtin = finding.check.builtin();
        let to_pass = if finding.reaction.refuses() {
            let mut lines = hints(finding, &asking.call(), &asking.known, (&verdict.profile, &verdict.principal));
            lines.extend(builtin.filter(|_| lines.is_empty()).map(|check| help(check).narrowly.to_owned()));
            lines
        } else {
            Vec::new()
        };
        Told {
            check: finding.check.id().to_owned(),
            title: builtin.map_or_else(|| "a rule of this site".to_owned(), |check| check.title().to_owned()),
            field: finding.field.clone(),
            detail: finding.detail.clone(),
            reaction: finding.reaction,
            exception: finding.exception.clone(),
            decided_by: self.decided(&origin.reaction),
            held_against: origin.key.map(|key| match &origin.against {
                Some((_, span)) => format!("{key}, {}", self.place(span)),
                None => format!("{key}, which the profile does not say"),
            }),
            to_pass,
        }
    }

    fn decided(&self, decided: &Decided) -> String {
        match decided {
            Decided::Builtin(profile) => format!("{profile} (built in)"),
            Decided::Profile(span) => self.place(span),
            Decided::Exception(span) => format!("exception, {}", self.place(span)),
            Decided::Rule(span) => format!("rule, {}", self.place(span)),
        }
    }

    /// `file:line`
    fn place(&self, span: &Range<usize>) -> String {
        match &self.source {
            Some(source) => format!("{}:{}", source.path.display(), source.place(span.start).0),
            None => "built in".to_owned(),
        }
    }
}

/// What becomes of a call in enforce mode.
pub(super) fn word(verdict: &Verdict) -> &'static str {
    match verdict.worst() {
        Some(Reaction::Deny) => "deny",
        Some(Reaction::Approve) => "approve",
        Some(Reaction::Allow | Reaction::Warn) | None => "allow",
    }
}
