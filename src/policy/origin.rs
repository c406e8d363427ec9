//! Where a policy says what it makes of a finding: the line that an operator would change.

use std::ops::Range;

use super::{Check, CheckId, Finding, Policy};

/// What decided on a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it leads to.
    pub reaction: Decided,
    /// The key of the profile that the call was held against, and where it is written: `images`. `None` if the check goes by
    /// no key, or the file does not say it.
    pub against: Option<(&'static str, Range<usize>)>,
    /// The key that the check goes by, whether it is written or not.
    pub key: Option<&'static str>,
}

/// Who decided what a check leads to, by byte range in the policy's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// A built-in profile, by name.
    Builtin(String),
    /// A line of a profile in the file: a reaction, `image-proof`, `own-only`.
    Profile(Range<usize>),
    /// An exception.
    Exception(Range<usize>),
    /// A rule of the site's.
    Rule(Range<usize>),
}

impl Policy {
    /// Where it is written what a finding leads to for a profile.
    pub fn origin(&self, profile: &str, finding: &Finding) -> Origin {
        let applied = self.profiles.get(profile).unwrap_or(&self.restricted);
        let exception = finding.exception.as_deref().and_then(|reason| {
            let covers = |checks: &[CheckId]| checks.contains(&finding.check);
            let found = self.exceptions.iter().find(|one| one.reason == reason && covers(&one.checks))?;
            Some(Decided::Exception(found.span.clone()))
        });
        let in_profile = || applied.decided.get(&finding.check).cloned().map(Decided::Profile);
        let by_rule = || {
            let (_, span) = self.rule_places.iter().find(|(id, _)| **id == *finding.check.id())?;
            Some(Decided::Rule(span.clone()))
        };
        let reaction = exception.or_else(in_profile).or_else(by_rule);
        let key = finding.check.builtin().and_then(key);
        Origin {
            reaction: reaction.unwrap_or_else(|| Decided::Builtin(applied.root.clone())),
            against: key.and_then(|key| Some((key, applied.said.get(key)?.clone()))),
            key,
        }
    }
}

/// The key of a profile that a check goes by.
#[expect(clippy::wildcard_enum_match_arm, reason = "a new check goes by its reaction until it is given a key")]
const fn key(check: Check) -> Option<&'static str> {
    Some(match check {
        Check::ApiNotAllowed => "api",
        Check::RequestOldApi => "min-api",
        Check::ImageNotAllowed | Check::ImageTag => "images",
        Check::ImageUnproven => "image-proof",
        Check::CapabilityAdded => "capabilities",
        Check::MountHostPath | Check::MountSensitive | Check::MountWritable | Check::MountSymlink => "binds",
        Check::DeviceHost => "devices",
        Check::NetworkNotAllowed => "networks",
        Check::NetworkPublish => "publish",
        Check::RuntimeOther => "runtimes",
        Check::PidContainer | Check::NetworkContainer | Check::IpcContainer | Check::MountVolumesFrom => "join",
        Check::ContainerForeign | Check::ContainerUnseen => "own-only",
        _by_reaction_only => return None,
    })
}
