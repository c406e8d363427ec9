//! Findings: what a launch scores, and how bad that is. Pure.

use serde_json::{Map, Value, json};

use super::attack;
use super::fact::Reason;
use super::launch::Launch;
use crate::policy::{An0693, Check};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Worth keeping.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look now.
    High,
    /// The host may be lost.
    Critical,
}

impl Severity {
    /// The name in records.
    const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    const fn of_score(score: u32) -> Self {
        match score {
            0..=1 => Self::Low,
            2..=3 => Self::Medium,
            4..=6 => Self::High,
            _more => Self::Critical,
        }
    }
}

/// What a launch scores by AN0693.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Score {
    /// The sum of the reasons' risks.
    pub(super) score: u32,
    /// Each check once.
    pub(super) reasons: Vec<Reason>,
}

/// Scores a launch: its image, its principal, and each privileged flag, once each.
pub(super) fn score(launch: &Launch<'_>, an0693: &An0693) -> Score {
    let mut reasons: Vec<Reason> = Vec::new();
    for reason in launch.reasons() {
        let is_image = is_of_image(&reason.check);
        let counts = is_image || reason.check == Check::PrincipalNonAdmin.id() || an0693.is_flag(&reason.check);
        // Off the list and `latest` are two signs of one thing; the analytic counts it once.
        let is_known = reasons.iter().any(|known| known.check == reason.check || is_image && is_of_image(&known.check));
        if counts && !is_known {
            reasons.push(reason.clone());
        }
    }
    Score { score: reasons.iter().map(|reason| reason.risk).fold(0, u32::saturating_add), reasons }
}

fn is_of_image(check: &str) -> bool {
    check == Check::ImageNotAllowed.id() || check == Check::ImageLatest.id()
}

/// The members of a finding on a launch that scores.
pub(super) fn an0693(score: &Score, launch: &Launch<'_>) -> Map<String, Value> {
    let name = launch.container.latest_name().unwrap_or(&launch.container.id);
    let image = launch.made().map(|made| made.image.as_str()).unwrap_or_default();
    let by = launch.made().map(|made| made.by.name.as_str()).unwrap_or_default();
    let title = format!("risky launch of {name} ({image}) by {by}");
    let ids = score.reasons.iter().filter_map(|reason| Check::from_id(&reason.check)).flat_map(|check| check.attack());
    let mut ids: Vec<&str> = ids.copied().collect();
    ids.extend(Check::LaunchAn0693.attack());
    let severity = Severity::of_score(score.score);
    let mut members = head(Check::LaunchAn0693, &title, score.score, severity, &ids);
    members.insert("analytic".into(), attack::analytic());
    members.insert("reasons".into(), score.reasons.iter().map(reason).collect());
    members
}

/// The members of a finding on a container that never passed the gate.
pub(super) fn bypass(launch: &Launch<'_>) -> Map<String, Value> {
    let name = launch.container.latest_name().unwrap_or(&launch.container.id);
    let title = format!("{name} was started and never passed the gate");
    let check = Check::LaunchBypass;
    let mut members = head(check, &title, check.risk().into(), Severity::High, check.attack());
    let detail = "the engine made it without a call through the gate";
    members.insert("reasons".into(), json!([{"check": check.id(), "detail": detail, "risk": check.risk()}]));
    members
}

/// The members of a finding on processes that no exec through the gate explains.
pub(super) fn out_of_band(name: &str, count: usize, last: &str) -> Map<String, Value> {
    let title = match count {
        1 => format!("a process in {name} that no exec through the gate explains"),
        many => format!("{many} processes in {name} that no exec through the gate explains"),
    };
    let check = Check::ExecOutOfBand;
    let mut members = head(check, &title, check.risk().into(), Severity::High, check.attack());
    members.insert("reasons".into(), json!([{"check": check.id(), "detail": last, "risk": check.risk()}]));
    members
}

/// The members of a finding on what the sensor did not see.
pub(super) fn gap(lost: u64) -> Map<String, Value> {
    let check = Check::SensorGap;
    let title = format!("{lost} events of the kernel were lost: first actions may be missing");
    head(check, &title, check.risk().into(), Severity::Low, check.attack())
}

fn head(check: Check, title: &str, score: u32, severity: Severity, attack: &[&str]) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("check".into(), check.id().into());
    members.insert("title".into(), title.into());
    members.insert("score".into(), score.into());
    members.insert("severity".into(), severity.name().into());
    members.insert("attack".into(), attack::attack(attack.iter().copied()));
    members
}

fn reason(reason: &Reason) -> Value {
    json!({"check": reason.check, "field": reason.field, "detail": reason.detail, "risk": reason.risk})
}
