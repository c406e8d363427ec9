//! Images that are pulled, pushed, and given names.

use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::roads::CREATE;
use super::{caller, denying, judged, judged_with, policy};
use crate::policy::{Action, EngineFacts, Facts, HeldImage, Known, Policy, Stored, judge};
use crate::request::{Call, Head, read};

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn listing(images: &str, reactions: &str) -> Policy {
    policy(&format!(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nimages = [{images}]\n\
         [profile.own.reactions]\n\"image.not-allowed\" = \"deny\"\n\"image.latest\" = \"allow\"\n{reactions}\n"
    ))
}

fn asked(images: &str, reactions: &str, target: &str) -> Vec<&'static str> {
    denying(&judged(&listing(images, reactions), 1000, "POST", &format!("/v1.41{target}"), ""))
}

#[test]
fn a_pull_is_held_against_the_list() {
    for (images, query, passes) in [
        ("'busybox:1.0'", "fromImage=busybox&tag=1.0".to_owned(), true),
        ("'busybox:1.0'", "fromImage=docker.io/library/busybox&tag=1.0".to_owned(), true),
        ("'busybox:1.0'", "fromImage=busybox:1.0".to_owned(), true),
        ("'busybox:1.0'", "fromImage=busybox&tag=2.0".to_owned(), false),
        ("'busybox:1.0'", "fromImage=busybox:1.0&tag=2.0".to_owned(), false),
        ("'busybox:1.0'", "fromImage=evil&tag=1.0".to_owned(), false),
        ("'busybox:1.0'", "fromImage=evil.example/busybox&tag=1.0".to_owned(), false),
        ("'busybox:1.0'", format!("fromImage=busybox&tag={OTHER}"), false),
        ("'busybox:1.0'", format!("fromImage=busybox@{OTHER}&tag=1.0"), false),
        ("'busybox:1.0'", format!("fromImage=busybox:1.0@{OTHER}"), false),
        ("'busybox'", format!("fromImage=busybox&tag={OTHER}"), true),
        // Without a tag the engine pulls them all.
        ("'busybox:latest'", "fromImage=busybox".to_owned(), false),
        ("'busybox:latest'", "fromImage=busybox:".to_owned(), false),
        ("'busybox:latest'", "fromImage=busybox&tag=latest".to_owned(), true),
        ("'busybox'", "fromImage=busybox".to_owned(), true),
        ("'r.example:5000/a'", "fromImage=r.example:5000/a&tag=1".to_owned(), true),
        ("'r.example:5000/a:1'", "fromImage=r.example:5000/a".to_owned(), false),
        // No id: a pull takes a name, whatever it looks like.
        ("'docker.io/library/*'", "fromImage=cafe&tag=1".to_owned(), true),
        ("'docker.io/library/*'", "fromImage=busybox&tag=x:y".to_owned(), false),
        ("'docker.io/library/*'", "fromImage=../busybox&tag=1".to_owned(), false),
    ] {
        let denied = asked(images, "", &format!("/images/create?{query}"));
        assert_eq!(denied.is_empty(), passes, "{images} {query}: {denied:?}");
        assert!(passes || denied == ["image.not-allowed"], "{query}: {denied:?}");
    }
    for (listed, tag, passes) in [(DIGEST, DIGEST, true), (DIGEST, OTHER, false)] {
        let denied = asked(&format!("'busybox@{listed}'"), "", &format!("/images/create?fromImage=busybox&tag={tag}"));
        assert_eq!(denied.is_empty(), passes, "{denied:?}");
    }
}

#[test]
fn a_pull_by_a_moving_name_is_one_as_in_a_create() {
    let moving = "\"image.latest\" = \"deny\"\n\"image.not-pinned\" = \"deny\"";
    let policy = policy(&format!(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\n[profile.own.reactions]\n{moving}\n"
    ));
    for (query, denied) in [
        ("fromImage=a".to_owned(), &["image.latest", "image.not-pinned"][..]),
        ("fromImage=a&tag=latest".to_owned(), &["image.latest", "image.not-pinned"]),
        ("fromImage=a&tag=1".to_owned(), &["image.not-pinned"]),
        (format!("fromImage=a&tag={DIGEST}"), &[]),
    ] {
        let verdict = judged(&policy, 1000, "POST", &format!("/v1.41/images/create?{query}"), "");
        assert_eq!(denying(&verdict), denied, "{query}");
    }
}

#[test]
fn with_baseline_as_it_is_a_pull_is_a_warning() {
    let policy = policy("version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"baseline\"\n");
    let verdict = judged(&policy, 1000, "POST", "/v1.41/images/create?fromImage=busybox&tag=latest", "");
    assert_eq!(verdict.action, Action::Allow);
    let ids: Vec<_> = verdict.findings.iter().map(|finding| finding.check.id()).collect();
    assert!(ids.contains(&"image.not-allowed") && ids.contains(&"image.latest"), "{ids:?}");
}

#[test]
fn a_push_is_held_against_the_list() {
    for (images, target, passes) in [
        ("'r.example/ci/**'", "/images/r.example/ci/app/push?tag=1", true),
        ("'r.example/ci/**'", "/images/r.example/ci/app/push", true),
        ("'r.example/ci/**'", "/images/evil.example/app/push?tag=1", false),
        ("'r.example/ci/app:1'", "/images/r.example/ci/app/push?tag=1", true),
        ("'r.example/ci/app:1'", "/images/r.example/ci/app/push?tag=2", false),
        ("'r.example/ci/app:1'", "/images/r.example/ci/app/push", false),
    ] {
        let denied = asked(images, "", target);
        assert_eq!(denied, if passes { &[][..] } else { &["image.not-allowed"] }, "{images} {target}");
    }
}

#[test]
fn the_engine_asks_no_registry_that_is_not_listed() {
    for (images, target, passes) in [
        ("'r.example/ci/**'", "/distribution/r.example/ci/app:1/json", true),
        ("'r.example/ci/**'", "/distribution/127.0.0.1:9323/x/json", false),
        ("'r.example/ci/**'", "/images/search?term=r.example/ci/app", true),
        ("'r.example/ci/**'", "/images/search?term=alpine", true),
        ("'r.example/ci/**'", "/images/search?term=library/alpine", true),
        ("'r.example/ci/**'", "/images/search?term=169.254.169.254/x", false),
        ("'r.example/ci/**'", "/images/search?term=localhost/x", false),
    ] {
        let text = format!(
            "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nimages = [{images}]\n\
             [profile.own.reactions]\n\"image.not-allowed\" = \"deny\"\n"
        );
        let denied = denying(&judged(&policy(&text), 1000, "GET", &format!("/v1.41{target}"), ""));
        assert_eq!(denied, if passes { &[][..] } else { &["image.not-allowed"] }, "{target}");
    }
}

#[test]
fn a_source_is_an_import_beside_a_name_too() {
    let policy = policy(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\n\
         [profile.own.reactions]\n\"image.load\" = \"deny\"\n",
    );
    for query in ["fromSrc=http://h/x.tar&repo=a", "fromSrc=-", "fromImage=a&tag=1&fromSrc=http://h/x.tar"] {
        let denied = denying(&judged(&policy, 1000, "POST", &format!("/v1.41/images/create?{query}"), ""));
        let is_fetched = query.starts_with("fromSrc=http");
        assert_eq!(denied, if is_fetched { &["image.load", "build.remote"][..] } else { &["image.load"] }, "{query}");
    }
}

#[test]
fn an_image_of_ones_own_does_not_take_a_listed_name_unseen() {
    let tag = "\"image.tag\" = \"deny\"";
    for target in [
        "/build?t=r.example/ci/app:1",
        "/build?t=other&t=r.example/ci/app:1",
        "/build?t=r.example/ci/app",
        "/commit?container=c&repo=r.example/ci/app&tag=1",
        "/images/create?fromSrc=-&repo=r.example/ci/app&tag=1",
        "/images/create?fromSrc=-&repo=r.example/ci/app:1",
    ] {
        assert_eq!(asked("'r.example/ci/**'", tag, target), ["image.tag"], "{target}");
    }
    assert_eq!(asked("'r.example/ci/app:latest'", tag, "/build?t=r.example/ci/app"), ["image.tag"]);
    for target in ["/build?t=mine", "/build", "/commit?container=c&repo=mine", "/images/create?fromSrc=-"] {
        assert_eq!(asked("'r.example/ci/**'", tag, target), [""; 0], "{target}");
    }
}

#[test]
fn an_exception_for_an_image_is_for_its_pull_and_for_no_image_mounted_beside_it() {
    let policy = policy(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\n[profile.own.reactions]\n\
         \"image.not-allowed\" = \"deny\"\n[[exception]]\nchecks = [\"image.not-allowed\"]\nimages = [\"known:1\"]\n\
         reason = \"known\"\n",
    );
    let pull = |query: &str| judged(&policy, 1000, "POST", &format!("/v1.41/images/create?{query}"), "").action;
    assert_eq!(pull("fromImage=known&tag=1"), Action::Allow);
    assert_eq!(pull("fromImage=known"), Action::Deny);
    let create = |mount: &str| {
        let mounts = format!(r#"[{{"Type":"image","Source":"{mount}","Target":"/x"}}]"#);
        let body = format!(r#"{{"Image":"known:1","HostConfig":{{"Mounts":{mounts}}}}}"#);
        judged(&policy, 1000, "POST", CREATE, &body).action
    };
    assert_eq!(create("evil:1"), Action::Deny);
}

#[test]
fn a_container_that_an_exception_let_be_made_may_start() {
    let policy = policy(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"baseline\"\n[[exception]]\nchecks = [\"privileged\"]\n\
         images = [\"known:1\"]\nreason = \"known\"\n",
    );
    let start = |reference: &str| {
        let body = format!(r#"{{"Image":"{reference}","HostConfig":{{"Privileged":true}}}}"#).into_bytes();
        let container = Stored { reference: reference.into(), body, ..Stored::default() };
        let known = Known { container: Some(container), ..Known::default() };
        let (method, uri) = (Method::POST, Uri::from_static("/v1.41/containers/c/start"));
        let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("docker"))]);
        let asked = read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
        let facts = Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known: &known };
        denying(&judge(&policy, &caller(1000), &Call::unread(&asked), &facts))
    };
    assert_eq!(start("known:1"), [""; 0]);
    assert_eq!(start("other:1"), ["privileged"]);
}

#[test]
fn an_exception_for_a_name_needs_the_proof_that_a_list_would_need() {
    let profile =
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nimage-proof = \"digest\"\n";
    let exception = "[[exception]]\nchecks = [\"privileged\"]\nimages = [\"r.example/dind:*\"]\nreason = \"known\"\n";
    let policy = policy(&format!("{profile}{exception}"));
    let create = |image: &str, digests: &[&str], containerd_store: bool| {
        let repo_digests = digests.iter().map(|from| format!("{from}@sha256:{}", "d".repeat(64))).collect();
        let held = HeldImage { id: format!("sha256:{}", "2".repeat(64)), repo_digests };
        let engine = EngineFacts { containerd_store, ..EngineFacts::default() };
        let known = Known { image: Some(held), engine, ..Known::default() };
        let body = format!(r#"{{"Image":"{image}","HostConfig":{{"Privileged":true}}}}"#);
        denying(&judged_with(&policy, 1000, ("POST", CREATE), &body, &known))
    };
    assert_eq!(create("r.example/dind:1", &["r.example/dind"], false), [""; 0]);
    // Built, loaded, committed or tagged under that name.
    assert_eq!(create("r.example/dind:1", &[], false), ["privileged"]);
    assert_eq!(create("r.example/dind:1", &["evil.example/dind"], false), ["privileged"]);
    assert_eq!(create("r.example/dind:1", &["r.example/dind"], true), ["privileged"]);
}
