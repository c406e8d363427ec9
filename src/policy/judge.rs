//! The judgement: who is claimed by which principal, and what every check that fires leads to.

use super::checks::{self, Found};
use super::facts::Facts;
use super::principal::Principal;
use super::profile::ImageProof;
use super::rule::Scene;
use super::{Action, Check, Finding, Mode, Policy, Reaction, Verdict};
use crate::peer::Peer;
use crate::request::Call;

/// Judges one call. Every finding is reported, never only the first.
pub fn judge(policy: &Policy, peer: &Peer, call: &Call<'_>, facts: &Facts<'_>) -> Verdict {
    judge_claimed(policy, policy.claim(peer), peer, call, facts)
}

/// Judges one call as if a principal of this name had made it, or if there is none, whoever no principal claims.
pub fn judge_as(policy: &Policy, name: Option<&str>, peer: &Peer, call: &Call<'_>, facts: &Facts<'_>) -> Verdict {
    let claimed = policy.principals.iter().find(|principal| Some(principal.name.as_str()) == name);
    judge_claimed(policy, claimed, peer, call, facts)
}

fn judge_claimed(
    policy: &Policy,
    claimed: Option<&Principal>,
    peer: &Peer,
    call: &Call<'_>,
    facts: &Facts<'_>,
) -> Verdict {
    let name = claimed.map_or("fallback", |principal| principal.name.as_str());
    let admin = claimed.is_some_and(|principal| principal.admin);
    let profile = policy.profile(claimed);
    let mut found = Found::new(name, profile, peer, facts);
    checks::check(&mut found, call);
    if call.asked.operation.has_effect() {
        found.add_if(
            claimed.is_none() && policy.has_principals(),
            Check::PrincipalUnknown,
            "peer",
            "claimed by no principal",
        );
        found.add_if(!admin, Check::PrincipalNonAdmin, "peer", name);
    }
    let mut findings = found.findings;
    let scene = Scene { call, peer, known: facts.known, principal: name, admin, profile: &profile.name };
    findings.extend(policy.rules.judge(profile, scene));
    for finding in &mut findings {
        except(policy, (name, profile.image_proof), call, facts, finding);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.reaction));
    let mode = policy.mode_of(profile);
    // Bytes that cannot be read as HTTP/1 cannot be passed on in any mode.
    let action = match findings.first().map(|worst| worst.reaction) {
        Some(Reaction::Deny | Reaction::Approve) if mode == Mode::Enforce => Action::Deny,
        Some(Reaction::Deny | Reaction::Approve) => Action::Observe,
        Some(Reaction::Allow | Reaction::Warn) | None => Action::Allow,
    };
    Verdict {
        action,
        mode,
        principal: name.to_owned(),
        admin,
        profile: profile.name.clone(),
        own_only: profile.own_only,
        findings,
        approval: None,
        policy_sha256: policy.sha256(),
        policy_generation: policy.generation(),
    }
}

/// Lowers what refuses that a known-good exception covers; the finding stays, with its reason.
fn except(
    policy: &Policy,
    (principal, proof): (&str, ImageProof),
    call: &Call<'_>,
    facts: &Facts<'_>,
    finding: &mut Finding,
) {
    if finding.reaction < Reaction::Approve {
        return;
    }
    // The source of an image mount is not the image that an exception is for.
    let is_mounts = finding.field.contains("Mounts[") && finding.check.id().starts_with("image.");
    // An exception from proof is for what has none.
    let proof = if finding.check == Check::ImageUnproven { ImageProof::Name } else { proof };
    let names = |pattern| !is_mounts && checks::names_image(pattern, call, facts.known, proof);
    let covering = policy.exceptions.iter().find(|exception| {
        let whom = exception.principals.is_empty() || exception.principals.iter().any(|name| name == principal);
        let what = exception.checks.contains(&finding.check);
        let which = exception.images.is_empty() || exception.images.iter().any(names);
        whom && what && which && exception.expires.is_none_or(|end| facts.now < end)
    });
    if let Some(exception) = covering {
        finding.reaction = Reaction::Allow;
        finding.exception = Some(exception.reason.clone());
    }
}

/// Whether a call that names nothing to look up still means one thing to Docker and another to Podman.
pub fn depends_on_engine(call: &Call<'_>) -> bool {
    checks::depends_on_engine(call)
}

impl Policy {
    /// Whether a caller acts only on containers it made, so that every container it names must be looked up.
    pub fn is_own_only(&self, peer: &Peer) -> bool {
        self.profile(self.claim(peer)).own_only
    }

    fn claim(&self, peer: &Peer) -> Option<&Principal> {
        self.principals.iter().find(|principal| principal.claims(peer))
    }

    pub(super) fn profile(&self, claimed: Option<&Principal>) -> &super::profile::Profile {
        let name = claimed.map_or(self.fallback.as_str(), |principal| principal.profile.as_str());
        self.profiles.get(name).unwrap_or(&self.restricted)
    }
}
