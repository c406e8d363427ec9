//! A decision is a value: what to do, for whom, and every finding behind it.

use super::{Check, CheckId, Mode};

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
    /// Refused.
    Deny,
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
    /// Reason of the exception that lowered a `deny`, if one applied.
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

/// Most denying findings that a refusal names; the record has them all.
const MAX_NAMED: usize = 8;

impl Verdict {
    /// Leave to forward, unless the call is denied. The request is written anew unless something odd about it was let pass:
    /// then only the client's own bytes say what was meant.
    pub fn permit(&self) -> Option<Permit> {
        let faithful = self.findings.iter().any(|finding| {
            let harmless = [Check::RequestUnknownField, Check::RequestOldApi];
            finding.check.is_of_request() && harmless.iter().all(|check| finding.check != *check)
        });
        match self.action {
            Action::Deny => None,
            Action::Allow | Action::Observe => {
                let rewrite = self.mode == Mode::Enforce && !faithful;
                let owner = (rewrite && self.own_only).then(|| self.principal.clone());
                Some(Permit { rewrite, owner })
            }
        }
    }

    /// The words of a refusal: for whom, by which profile, and what denied it.
    pub fn summary(&self) -> String {
        let denying = self.findings.iter().filter(|finding| finding.reaction == Reaction::Deny);
        let named: Vec<String> = denying.take(MAX_NAMED).map(Finding::to_string).collect();
        format!("denied for {} (profile {}): {}", self.principal, self.profile, named.join("; "))
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
