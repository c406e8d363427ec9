//! The reaction `approve`: what needs an admin's word, what that word covers, and that nothing else makes such a call pass.

use super::{judged, mistakes, policy};
use crate::policy::{
    Action, Approval, Approver, Earlier, Facts, Finding, HeldImage, Known, Mode, Reaction, Stored, Verdict, judge,
};
use crate::request::{Asked, Call, Head, Operation, read};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "site"
[profile.site]
extends = "baseline"
[profile.site.reactions]
"privileged" = "approve"
"namespace.pid.host" = "approve"
"#;

const PRIVILEGED: &str = r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#;

fn create(text: &str, body: &str) -> Verdict {
    judged(&policy(text), 1000, "POST", "/v1.41/containers/create", body)
}

fn used() -> Approval {
    Approval::Used { id: "7f3k000000".into(), by: Approver { uid: 0, user: Some("root".into()) } }
}

#[test]
fn what_needs_approval_passes_with_one_that_is_used_and_not_else() {
    let verdict = create(POLICY, PRIVILEGED);
    assert!(verdict.needs_approval() && verdict.permit().is_none());
    let by = Approver { uid: 7, user: None };
    for (approval, words) in [
        (Approval::Asked { id: "7f3k".into() }, "ask an admin to run `tidewaiter approve 7f3k`"),
        (Approval::Rejected { id: "7f3k".into(), by }, "rejected for fallback (profile site) by uid 7 (approval 7f3k)"),
        (Approval::Withheld("for a reason"), "for a reason"),
    ] {
        let settled = verdict.clone().with_approval(approval);
        assert!(settled.permit().is_none() && settled.action == Action::Deny, "{settled:?}");
        assert!(
            settled.summary().contains(words) && settled.summary().contains("privileged ("),
            "{}",
            settled.summary()
        );
        assert_eq!(settled.status(), http::StatusCode::FORBIDDEN);
    }
    let settled = verdict.with_approval(used());
    assert!(settled.permit().is_some_and(|permit| permit.rewrite()));
    assert_eq!((settled.action, settled.findings[0].reaction), (Action::Allow, Reaction::Approve));
}

#[test]
fn an_approval_lifts_no_denial() {
    let body = r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true,"Binds":["/etc:/h"]}}"#;
    let verdict = create(POLICY, body);
    assert!(!verdict.needs_approval());
    let settled = verdict.with_approval(used());
    assert!(settled.permit().is_none() && settled.approval.is_none());
    assert!(settled.summary().starts_with("denied for ") && !settled.summary().contains("privileged"));
}

#[test]
fn a_call_that_needs_no_approval_takes_none() {
    let settled = create(POLICY, r#"{"Image":"busybox:1.0"}"#).with_approval(used());
    assert_eq!((settled.action, settled.approval), (Action::Allow, None));
}

#[test]
fn in_monitor_mode_nobody_is_asked() {
    let verdict = create(&POLICY.replace("enforce", "monitor"), PRIVILEGED);
    assert_eq!((verdict.action, verdict.mode), (Action::Observe, Mode::Monitor));
    assert!(!verdict.needs_approval() && verdict.permit().is_some());
}

#[test]
fn an_exception_covers_what_would_need_approval() {
    let text = format!("{POLICY}[[exception]]\nchecks = [\"privileged\"]\nreason = \"known\"\n");
    let verdict = create(&text, PRIVILEGED);
    assert_eq!(verdict.action, Action::Allow);
    assert!(verdict.findings.iter().any(|finding| finding.exception.as_deref() == Some("known")));
}

#[test]
fn a_list_is_kept_by_approval_as_well_as_by_denial() {
    let text = r#"
version = 1
mode = "enforce"
[fallback]
profile = "site"
[profile.site]
images = ["busybox:1.0"]
api = ["containers"]
[profile.site.reactions]
"image.not-allowed" = "approve"
"#;
    assert_eq!(mistakes(text), [""; 0]);
    assert!(policy(text).asks_approval());
    assert!(!policy("version = 1\nmode = \"enforce\"").asks_approval());
}

/// Starts a container of the given host settings, made with an approval of its own.
fn start(host: &str, earlier: Earlier<'_>) -> Verdict {
    acts("start", host, earlier)
}

/// Does something with it.
fn acts(what: &str, host: &str, earlier: Earlier<'_>) -> Verdict {
    acts_under(POLICY, what, host, earlier)
}

fn acts_under(text: &str, what: &str, host: &str, earlier: Earlier<'_>) -> Verdict {
    let asked: Asked = read(&Head {
        method: &http::Method::POST,
        uri: &format!("/v1.41/containers/x/{what}").parse().unwrap(),
        version: http::Version::HTTP_11,
        headers: &[(http::header::HOST, "d".parse().unwrap())].into_iter().collect(),
    });
    let body = format!(r#"{{"Image":"busybox:1.0","HostConfig":{host}}}"#).into_bytes();
    let image = HeldImage { id: "sha256:1".into(), repo_digests: Vec::new() };
    let stored = Stored { id: "a".repeat(64), body, image, ..Stored::default() };
    let known = Known { container: Some(stored), ..Known::default() };
    let facts = Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known: &known };
    judge(&policy(text), &super::caller(1000), &Call::unread(&asked), &facts).with_earlier(asked.operation, earlier)
}

#[test]
fn what_was_approved_at_the_create_starts() {
    let create = create(POLICY, PRIVILEGED);
    let marks: Vec<String> = create.to_approve().map(Finding::mark).collect();
    let earlier = |principal, marks| Earlier { id: "7f3k", principal, marks };
    let privileged = r#"{"Privileged":true}"#;
    let started = start(privileged, earlier("fallback", &marks));
    assert!(started.action == Action::Allow && started.permit().is_some(), "{started:?}");
    assert!(started.findings.is_sorted_by_key(|finding| std::cmp::Reverse(finding.reaction)));
    for what in ["restart", "unpause", "attach?stream=1"] {
        assert!(acts(what, privileged, earlier("fallback", &marks)).permit().is_some(), "{what}");
    }
    for what in ["exec", "update", "rename?name=y"] {
        assert!(acts(what, privileged, earlier("fallback", &marks)).needs_approval(), "{what} is another thing");
    }
    assert!(start(privileged, earlier("fallback", &[])).needs_approval());
    assert!(start(privileged, earlier("another", &marks)).needs_approval(), "made by another");
    let more = start(r#"{"Privileged":true,"PidMode":"host"}"#, earlier("fallback", &marks));
    assert_eq!(more.to_approve().map(|finding| finding.check.id()).collect::<Vec<_>>(), ["namespace.pid.host"]);
    assert!(more.needs_approval() && more.permit().is_none());
    let denied = start(r#"{"Privileged":true,"Binds":["/etc:/h"]}"#, earlier("fallback", &marks));
    assert!(denied.permit().is_none());
    assert!(
        create.with_earlier(Operation::ContainerCreate, earlier("fallback", &marks)).needs_approval(),
        "it covers what was made, not another create"
    );
}

#[test]
fn a_sites_own_rule_may_ask_for_approval() {
    let text = r#"
version = 1
mode = "enforce"
[[rule]]
id = "site.memory-limit"
when = "[create, container].exists(c, c != null && c.HostConfig.Memory == 0)"
message = "set a memory limit"
reaction = "approve"
"#;
    assert_eq!(mistakes(text), [""; 0]);
    assert!(policy(text).asks_approval());
    let verdict = create(text, r#"{"Image":"busybox:1.0"}"#);
    let marks: Vec<String> = verdict.to_approve().map(Finding::mark).collect();
    assert!(verdict.needs_approval() && verdict.with_approval(used()).permit().is_some());
    let start = |marks| acts_under(text, "start", "{}", Earlier { id: "7f3k", principal: "fallback", marks });
    assert!(start(&[]).needs_approval());
    assert_eq!(start(&marks).action, Action::Allow);
}
