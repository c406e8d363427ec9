//! Spellings of a path.

use super::*;

const CREATE: &str = "/containers/create";

#[test]
fn every_spelling_of_create_is_create_and_is_spelled_anew() {
    let rows = [
        ("/containers/create", None, CREATE),
        ("/v1.41/containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("/v01.41/containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("/v1.041/containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("/v1.41.0.0/containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("/v1.41./containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("/v1.40.99/containers/create", Some((1, 40)), "/v1.40/containers/create"),
        ("/v1.999/containers/create", Some((1, 999)), "/v1.999/containers/create"),
        ("/v1/containers/create", Some((1, 0)), "/v1.0/containers/create"),
        ("/v2/containers/create", Some((2, 0)), "/v2.0/containers/create"),
        ("/v1..41/containers/create", Some((1, 0)), "/v1.0/containers/create"),
        ("/v.../containers/create", Some((0, 0)), "/v0.0/containers/create"),
        ("/v1.99999999999999999999/containers/create", Some((1, u32::MAX)), "/v1.4294967295/containers/create"),
        ("/%63ontainers/create", None, CREATE),
        ("/containers/%63reate", None, CREATE),
        ("/containers%2Fcreate", None, CREATE),
        ("/containers%2fcreate", None, CREATE),
        ("/v1.41%2Fcontainers%2Fcreate", Some((1, 41)), "/v1.41/containers/create"),
        ("/%76%31%2e41/containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("http://any.host/containers/create", None, CREATE),
        ("HTTP://any.host/containers/create", None, CREATE),
        ("unix://evil.example/v1.41/containers/create", Some((1, 41)), "/v1.41/containers/create"),
        ("http://u:p@docker/containers/create", None, CREATE),
    ];
    for (target, version, canonical) in rows {
        let asked = ask("POST", target);
        assert_eq!(asked.operation, Operation::ContainerCreate, "{target}");
        assert_eq!(asked.body, BodyPlan::Judge);
        assert_eq!(asked.api_version.map(|v| (v.major, v.minor)), version, "{target}");
        assert_eq!(asked.canonical_target(), canonical, "{target}");
        assert_eq!(kinds(&asked), [], "{target}");
    }
}

#[test]
fn what_the_engine_only_redirects_is_refused_and_judged_by_where_it_leads() {
    let rows = [
        "//containers/create",
        "/containers//create",
        "/./containers/create",
        "/containers/json/../create",
        "/containers/%2e%2e/containers/create",
        "/%2f%2fcontainers/create",
        "/../containers/create",
        "/containers/%2fcreate",
    ];
    for target in rows {
        let asked = ask("POST", target);
        assert_eq!(kinds(&asked), [(Irregular::Path, "path")], "{target}");
        assert!(asked.irregularities[0].detail.ends_with("write '/containers/create'"), "{target}");
        assert_eq!(asked.operation, Operation::ContainerCreate, "{target}");
        assert_eq!(asked.canonical_target(), CREATE);
    }
    assert_eq!(kinds(&ask("GET", "/containers/a/..")), [(Irregular::Path, "path")]);
    assert_eq!(kinds(&ask("GET", "/containers/x..y/json")), []);
}

#[test]
fn paths_without_one_reading_are_refused() {
    let rows = [
        ("/containers/create%", Irregular::Malformed),
        ("/containers/create%zz", Irregular::Malformed),
        ("/containers/%4", Irregular::Malformed),
        ("/containers/%ff/start", Irregular::Malformed),
        ("/containers/create%00", Irregular::Path),
        ("/containers/a%0ab/start", Irregular::Path),
        ("/v1.41-rc.1/containers/create", Irregular::Path),
        ("/v9x-z.1/containers/create", Irregular::Path),
        ("*", Irregular::Path),
    ];
    for (target, kind) in rows {
        assert_eq!(kinds(&ask("POST", target)), [(kind, "path")], "{target}");
    }
    assert_eq!(ask("POST", "/v1.41-rc.1/containers/create").operation, Operation::ContainerCreate);
    assert_eq!(ask("POST", "/containers/%ff/start").operation, Operation::ContainerStart);
}

#[test]
fn a_redirect_to_a_path_too_long_to_quote_is_not_quoted() {
    let asked = ask("POST", &format!("//{}", "x".repeat(5000)));
    assert!(asked.irregularities[0].detail.len() < 200);
}

#[test]
fn targets_that_never_become_a_head() {
    for target in ["http:/containers/create", "containers/create", "/containers/cre ate", "/containers/create\t"] {
        assert!(target.parse::<Uri>().is_err(), "{target}");
    }
}

#[test]
fn a_name_put_in_place_of_another_is_spelled_safely() {
    let mut asked = ask("POST", "/v1.41/containers/web/start?detachKeys=ctrl-p");
    asked.resource = Some("a b?c#d%2F".into());
    assert_eq!(asked.canonical_target(), "/v1.41/containers/a%20b%3Fc%23d%252F/start?detachKeys=ctrl-p");
    assert_eq!(ask("GET", "/images/busybox@sha256:ab/json").canonical_target(), "/images/busybox@sha256:ab/json");
}

#[test]
fn versions_are_ordered_by_number() {
    let version = |target| ask("GET", target).api_version.unwrap();
    assert!(version("/v1.9/info") < version("/v1.41/info"));
    assert_eq!(version("/v1.041/info").to_string(), "1.41");
}
