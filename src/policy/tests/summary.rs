//! What a policy says of itself.

use jiff::Timestamp;

use super::policy;
use crate::policy::{Mode, Policy};

const POLICY: &str = r#"
version = 1
[[principal]]
name = "ops"
admin = true
profile = "privileged"
match = [{ user = "root" }, { gid = 10, group = "wheel" }]
[[principal]]
name = "ci"
profile = "ci"
match = [{ in-container = "runner:*" }]
[profile.ci]
extends = "restricted"
mode = "enforce"
[profile.other]
extends = "ci"
[[exception]]
checks = ["privileged"]
reason = "old"
expires = 2026-11-23
[[exception]]
checks = ["privileged"]
reason = "to the end of today"
expires = 2026-11-24
[[exception]]
checks = ["privileged"]
reason = "for ever"
[[rule]]
id = "site.memory"
when = "create != null && create.HostConfig.Memory == 0"
message = "set a limit"
reaction = "warn"
"#;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn warned(policy: &Policy, now: &str) -> Vec<String> {
    policy.warnings(at(now)).iter().map(|found| found.message.clone()).collect()
}

#[test]
fn everyone_is_told_in_order_with_what_applies() {
    let summary = policy(POLICY).summary(at("2026-11-24T12:00:00Z"));
    let told: Vec<_> = summary
        .principals
        .iter()
        .chain([&summary.fallback])
        .map(|who| (who.name.as_str(), who.admin, who.profile.as_str(), who.mode, who.matches.join("; ")))
        .collect();
    assert_eq!(
        told,
        [
            ("ops", true, "privileged", Mode::Monitor, "user root; gid 10 and group wheel".to_owned()),
            ("ci", false, "ci", Mode::Enforce, "in-container runner:*".to_owned()),
            ("fallback", false, "baseline", Mode::Monitor, String::new()),
        ]
    );
    let profiles: Vec<_> = summary.profiles.iter().map(|which| (which.name.as_str(), which.extends.as_str())).collect();
    assert_eq!(profiles, [("ci", "restricted"), ("other", "ci")]);
    let expired: Vec<_> =
        summary.expired.iter().map(|expired| (expired.reason.as_str(), expired.on.as_str())).collect();
    assert_eq!((summary.exceptions, expired), (3, vec![("old", "2026-11-23")]));
}

#[test]
fn an_exception_is_over_when_it_no_longer_applies() {
    let policy = policy(&POLICY.replace("version = 1", "version = 1\nmode = \"enforce\""));
    assert_eq!(warned(&policy, "2026-11-23T23:59:59Z"), [""; 0]);
    assert_eq!(warned(&policy, "2026-11-24T00:00:00Z"), ["this exception expired on 2026-11-23; it no longer applies"]);
    assert_eq!(warned(&policy, "2026-11-25T00:00:00Z").len(), 2);
    let span = policy.warnings(at("2026-11-24T00:00:00Z")).remove(0).span.unwrap();
    let text = POLICY.replace("version = 1", "version = 1\nmode = \"enforce\"");
    assert_eq!(text.get(span), Some("2026-11-23"));
}

#[test]
fn a_mode_that_nobody_chose_is_warned_of() {
    let silent = "version = 1\n[fallback]\nprofile = \"own\"\n[profile.own]\n";
    let now = "2026-11-24T00:00:00Z";
    assert_eq!(warned(&policy(silent), now), ["no mode is written, so it is monitor: nothing is refused"]);
    let mixed = format!("{silent}mode = \"enforce\"\n");
    assert!(warned(&policy(&mixed), now)[0].contains("only profiles with a mode of their own refuse"));
    for text in [format!("mode = \"monitor\"\n{silent}"), format!("mode = \"enforce\"\n{silent}")] {
        assert_eq!(warned(&policy(&text), now), [""; 0], "{text}");
    }
    assert_eq!(warned(&policy(silent).with_mode(Mode::Enforce), now), [""; 0]);
}

#[test]
fn a_policy_refuses_if_anybodys_profile_does() {
    let one = |mode: &str, own: &str| {
        policy(&format!(
            "version = 1\nmode = \"{mode}\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nmode = \"{own}\"\n"
        ))
    };
    assert!(one("monitor", "enforce").refuses());
    assert!(!one("enforce", "monitor").refuses());
    assert!(!one("monitor", "enforce").with_mode(Mode::Monitor).refuses());
    assert!(!Policy::builtin(Mode::Monitor).refuses());
}

#[test]
fn what_a_new_policy_changes_is_named() {
    let old = policy(POLICY);
    let changes = |from: &str, to: &str| {
        assert!(POLICY.contains(from), "{from}");
        policy(&POLICY.replacen(from, to, 1)).changes_since(&old)
    };
    assert_eq!(changes("\nversion", "\n# a comment\nversion"), [""; 0]);
    assert_eq!(changes("version = 1", "version = 1\nmode = \"enforce\""), ["mode"]);
    assert_eq!(changes("version = 1", "version = 1\nfallback = { profile = \"ci\" }"), ["fallback"]);
    assert_eq!(changes("reason = \"old\"", "reason = \"older\""), ["exceptions"]);
    assert_eq!(changes("admin = true\n", ""), ["principal ops"]);
    assert_eq!(changes("runner:*", "runner:1"), ["principal ci"]);
    assert_eq!(changes("name = \"ops\"", "name = \"op\""), ["principal op", "principal ops"]);
    assert_eq!(changes("extends = \"ci\"", "extends = \"ci\"\nbinds = []"), ["profile other"]);
    let reactions = "[profile.ci.reactions]\n\"privileged\" = \"warn\"\n[profile.other]";
    assert_eq!(changes("[profile.other]", reactions), ["profile ci", "profile other"], "it is inherited");
    assert_eq!(changes("Memory == 0", "Memory == 1"), ["rule site.memory"]);
    let (head, rest) = POLICY.split_once("[[principal]]").unwrap();
    let (ops, rest) = rest.split_once("[[principal]]").unwrap();
    let (ci, rest) = rest.split_once("[profile.ci]").unwrap();
    let swapped = format!("{head}[[principal]]{ci}[[principal]]{ops}[profile.ci]{rest}");
    assert_eq!(policy(&swapped).changes_since(&old), ["principals' order"]);
}
