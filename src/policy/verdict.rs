//! A decision is a value: what to do, for whom, and every finding behind it.

use super::checks::{WITHIN_CONTAINER, WITHIN_EXEC};
use super::{Approval, Check, CheckId, Mode};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing stands against it.
    Allow,
    /// Refused.
    Deny,
    /// Would have been refused in enforce mode; forwarded in monitor mode.
    Observe,
}

/// What a check that fires leads to, in order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reaction {
    /// Recorded only.
    Allow,
    /// Recorded and shown.
    Warn,
    /// Refused until an admin approves exactly this call.
    Approve,
    /// Refused.
    Deny,
}

impl Reaction {
    /// The word for it, in policies and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }

    /// The reaction that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Allow, Self::Warn, Self::Approve, Self::Deny].into_iter().find(|reaction| reaction.word() == word)
    }

    /// Whether it refuses a call in enforce mode, for good or until an admin approves it.
    pub fn refuses(self) -> bool {
        self >= Self::Approve
    }
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check, or the site's rule.
    pub check: CheckId,
    /// The field that made it fire: `HostConfig.Binds[0]`.
    pub field: String,
    /// The value or the words for it; never a secret.
    pub detail: String,
    /// What it leads to for this principal.
    pub reaction: Reaction,
    /// Reason of the exception that lowered a `deny` or `approve`, if one applied.
    pub exception: Option<String>,
}

/// The decision on one call.
#[must_use = "a verdict that nobody acts on is a way around the gate"]
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The mode it was decided in.
    pub mode: Mode,
    /// The principal that claimed the caller, `fallback` if none did.
    pub principal: String,
    /// Whether that principal is a known admin.
    pub admin: bool,
    /// The profile that was applied.
    pub profile: String,
    /// Whether the principal sees only what it made.
    pub own_only: bool,
    /// Everything found, worst reaction first, then in order of the request.
    pub findings: Vec<Finding>,
    /// What came of asking for approval, if the call needed one and it was asked for.
    pub approval: Option<Approval>,
    /// SHA-256 of the policy's text, hex; of the built-in's name where there is no file.
    pub policy_sha256: std::sync::Arc<str>,
    /// Generation of the policy: 1 at start, one more at each reload.
    pub policy_generation: u64,
}

/// Leave to forward one call. Only [`Verdict::permit`] makes one, and the engine forwards nothing without it.
#[derive(Debug)]
pub struct Permit {
    rewrite: bool,
    owner: Option<String>,
}

/// Most findings that a refusal names; the record has them all.
const MAX_NAMED: usize = 8;

impl Verdict {
    /// Leave to forward, unless the call is denied. The request is written anew unless something odd about it was let pass:
    /// then only the client's own bytes say what was meant.
    pub fn permit(&self) -> Option<Permit> {
        match self.action {
            Action::Deny => None,
            Action::Allow | Action::Observe => {
                let rewrite = self.rewrites();
                let owner = (rewrite && self.own_only).then(|| self.principal.clone());
                Some(Permit { rewrite, owner })
            }
        }
    }

    /// Whether the engine gets the request written anew from its judged values, if it gets it at all.
    pub fn rewrites(&self) -> bool {
        let faithful = self.findings.iter().any(|finding| {
            let harmless = [Check::RequestUnknownField, Check::RequestOldApi];
            finding.check.is_of_request() && harmless.iter().all(|check| finding.check != *check)
        });
        self.mode == Mode::Enforce && !faithful
    }

    /// Whether it refuses the call, or would in enforce mode.
    pub fn refuses(&self) -> bool {
        self.worst().is_some_and(Reaction::refuses)
    }

    /// The worst reaction of all findings.
    pub fn worst(&self) -> Option<Reaction> {
        self.findings.iter().map(|finding| finding.reaction).max()
    }

    /// The findings that refuse the call, in words.
    fn refusing(&self) -> String {
        let worst = self.worst();
        let refusing = self.findings.iter().filter(|finding| Some(finding.reaction) == worst);
        let named: Vec<String> = refusing.take(MAX_NAMED).map(Finding::to_string).collect();
        named.join("; ")
    }

    /// The words of a refusal: for whom, by which profile, what refused it, and what can be done about it.
    pub fn summary(&self) -> String {
        let (whom, why) = (format!("{} (profile {})", self.principal, self.profile), self.refusing());
        match &self.approval {
            Some(Approval::Asked { id }) => {
                format!("needs approval for {whom}: {why}; ask an admin to run `tidewaiter approve {id}`")
            }
            Some(Approval::Rejected { id, by }) => format!("rejected for {whom} by {by} (approval {id}): {why}"),
            Some(Approval::Withheld(reason)) => format!("needs approval for {whom}: {why}; {reason}"),
            Some(Approval::Used { .. }) | None => format!("denied for {whom}: {why}"),
        }
    }

    /// The status of a refusal.
    pub fn status(&self) -> http::StatusCode {
        let denies = |check: Check| {
            self.findings.iter().any(|finding| finding.reaction == Reaction::Deny && finding.check == check)
        };
        let odd = |finding: &Finding| finding.reaction == Reaction::Deny && finding.check.is_of_request();
        if denies(Check::RequestTooLarge) {
            http::StatusCode::PAYLOAD_TOO_LARGE
        } else if self.findings.iter().any(odd) {
            http::StatusCode::BAD_REQUEST
        } else {
            http::StatusCode::FORBIDDEN
        }
    }
}

impl Finding {
    /// Check, field and detail, separated by tabs, which none of them holds: the same for a create and for the container or
    /// exec that it made.
    pub fn mark(&self) -> String {
        [self.check.id(), self.field_of_stored().unwrap_or(&self.field), &self.detail].join("\t")
    }

    /// The field within a container or exec that the engine has already, if that is where the finding is.
    pub(super) fn field_of_stored(&self) -> Option<&str> {
        [WITHIN_CONTAINER, WITHIN_EXEC].iter().find_map(|within| self.field.strip_prefix(within))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.detail.as_str() {
            "true" | "" => write!(f, "{} ({})", self.check.id(), self.field),
            detail => write!(f, "{}: {detail} ({})", self.check.id(), self.field),
        }
    }
}

impl Permit {
    /// Whether the engine must get the request written anew from its judged values (enforce), or the client's own bytes
    /// (monitor).
    pub const fn rewrite(&self) -> bool {
        self.rewrite
    }

    /// The principal to whose containers lists, events and prunes are narrowed, and whose label what it makes gets.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}
