//! `[an0693]`: the tunables of MITRE ATT&CK's analytic AN0693, under their own names. The watch scores launches by them; the
//! known images and admins of the analytic are the profiles' `images` and the principals' `admin`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_spanned::Spanned;

use super::resolve::Resolver;
use super::{CheckId, raw};

/// What `time-window` may be: shorter sees nothing, longer keeps every launch of a day open.
const WINDOWS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// Largest `risk-threshold`; no launch comes near it.
const MAX_THRESHOLD: i64 = 100;
/// `privileged-flags` where none are written.
const FLAGS: [&str; 5] =
    ["privileged", "capability.added", "namespace.*.host", "mount.engine-socket", "mount.sensitive"];

/// How launches are scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct An0693 {
    window: Duration,
    threshold: u32,
    flags: Vec<CheckId>,
}

impl An0693 {
    /// How long after its start a container's actions belong to its launch.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// The score at which a launch is a finding.
    pub const fn threshold(&self) -> u32 {
        self.threshold
    }

    /// Whether a check, by its id, is one of the privileged flags.
    pub fn is_flag(&self, check: &str) -> bool {
        self.flags.iter().any(|flag| flag.id() == check)
    }

    pub(super) fn resolve(written: Option<&raw::An0693>, resolver: &mut Resolver) -> Self {
        let nothing = raw::An0693::default();
        let raw::An0693 { time_window, risk_threshold, privileged_flags } = written.unwrap_or(&nothing);
        let window = time_window.as_ref().and_then(|text| window(text, resolver));
        let threshold = risk_threshold.as_ref().and_then(|number| threshold(number, resolver));
        let builtin: Vec<_> = FLAGS.iter().map(|flag| Spanned::new(0..0, (*flag).to_owned())).collect();
        let patterns = privileged_flags.as_ref().unwrap_or(&builtin);
        let mut flags: Vec<CheckId> = patterns.iter().flat_map(|pattern| resolver.checks(pattern)).collect();
        flags.sort_unstable();
        flags.dedup();
        Self { window: window.unwrap_or(Duration::from_secs(300)), threshold: threshold.unwrap_or(2), flags }
    }
}

fn window(text: &Spanned<String>, resolver: &mut Resolver) -> Option<Duration> {
    let read = text.get_ref().parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    let window = read.filter(|window| WINDOWS.contains(window));
    if window.is_none() {
        resolver.fail(text, &format!("'{}' is no time window", text.get_ref()), "write from 1s to 24h: \"5m\"");
    }
    window
}

fn threshold(number: &Spanned<i64>, resolver: &mut Resolver) -> Option<u32> {
    let threshold = u32::try_from(*number.get_ref()).ok().filter(|_| (1..=MAX_THRESHOLD).contains(number.get_ref()));
    if threshold.is_none() {
        let message = format!("{} is no threshold: every launch or none would be a finding", number.get_ref());
        resolver.fail(number, &message, &format!("write a number from 1 to {MAX_THRESHOLD}"));
    }
    threshold
}
