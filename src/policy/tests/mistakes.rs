//! Mistakes in a policy file that would make it weaker than its author thinks.

use super::roads::{host, of_body, under};
use super::{create, denying, mistakes, policy};
use crate::diagnostic::Source;
use crate::peer::{CallerContainer, Peer, UnixPeer};
use crate::policy::{Check, Policy};
use crate::request::{Body, ContainerCreate, HostConfig};

fn exception(fields: &str) -> Vec<String> {
    mistakes(&format!("version = 1\n[[exception]]\nreason = \"known\"\n{fields}\n"))
}

#[test]
fn an_empty_list_of_an_exception_is_not_for_everybody() {
    let principals = "principals = []\nchecks = [\"privileged\"]\nimages = [\"a:1\"]";
    for fields in [
        principals,
        "images = []\nchecks = [\"privileged\"]\nprincipals = [\"fallback\"]",
        "checks = []\nprincipals = [\"fallback\"]",
    ] {
        assert!(exception(fields).iter().any(|said| said.starts_with("error: an empty list")), "{fields}");
    }
}

#[test]
fn an_exception_for_everybody_and_everything_is_warned_of() {
    let warned = |fields: &str| exception(fields).iter().any(|said| said.contains("everybody and every image"));
    assert!(warned("checks = [\"*\"]"));
    assert!(!warned("checks = [\"*\"]\nprincipals = [\"fallback\"]"));
    assert!(!warned("checks = [\"*\"]\nimages = [\"a:1\"]"));
}

#[test]
fn an_exception_does_not_outlast_its_hour_by_a_day() {
    for (expires, fits) in [
        ("2027-01-31", true),
        ("2027-01-31T00:00:00Z", false),
        ("2027-01-31 10:00:00", false),
        ("10:00:00", false),
        ("2027-02-30", false),
    ] {
        let said = exception(&format!("checks = [\"privileged\"]\nprincipals = [\"fallback\"]\nexpires = {expires}"));
        assert_eq!(!said.iter().any(|said| said.starts_with("error")), fits, "{expires}: {said:?}");
    }
}

#[test]
fn of_two_patterns_the_more_precise_one_wins_and_else_the_stricter() {
    for (reactions, denies) in [
        ("\"*\" = \"deny\"\n\"namespace.*.host\" = \"warn\"", false),
        ("\"namespace.*\" = \"deny\"\n\"*.host\" = \"warn\"", true),
        ("\"*.pid.host\" = \"deny\"\n\"name*.h*\" = \"warn\"", true),
        ("\"n*\" = \"warn\"\n\"*t\" = \"deny\"", true),
        ("\"*t\" = \"warn\"\n\"n*\" = \"deny\"", true),
        ("\"{namespace.pid.host,privileged}\" = \"allow\"\n\"namespace.pid.host\" = \"deny\"", true),
        ("\"namespace.pid.host\" = \"warn\"\n\"*\" = \"deny\"", false),
    ] {
        let denied = under("", reactions, &host(r#"{"PidMode":"host"}"#));
        assert_eq!(denied.contains(&"namespace.pid.host"), denies, "{reactions}");
    }
}

#[test]
fn what_lets_the_unreadable_pass_is_warned_of() {
    let warned = |reactions: &str| {
        let text = format!(
            "version = 1\n[fallback]\nprofile = \"own\"\n[profile.own]\n[profile.own.reactions]\n{reactions}\n"
        );
        mistakes(&text).iter().any(|said| said.contains("could not be judged"))
    };
    assert!(warned("\"request.*\" = \"warn\""));
    assert!(warned("\"*\" = \"allow\""));
    assert!(!warned("\"*\" = \"allow\"\n\"request.*\" = \"deny\""));
    assert!(!warned("\"request.unknown-field\" = \"allow\""));
}

#[test]
fn a_number_is_no_name() {
    let text = |matcher: &str| {
        mistakes(&format!("version = 1\n[[principal]]\nname = \"a\"\nprofile = \"baseline\"\nmatch = [{matcher}]\n"))
    };
    assert!(text("{ user = \"998\" }")[0].contains("write uid = 998"));
    assert!(text("{ group = \"0\" }")[0].contains("write gid = 0"));
    assert_eq!(text("{ user = \"ci-998\" }"), [""; 0]);
}

#[test]
fn a_name_is_one_line() {
    for name in ["", "a\\nb", "\\u001b[2J"] {
        let text =
            format!("version = 1\n[[principal]]\nname = \"{name}\"\nprofile = \"baseline\"\nmatch = [{{ uid = 1 }}]\n");
        assert!(mistakes(&text).iter().any(|said| said.contains("one line of text")), "{name}");
    }
}

#[test]
fn everything_for_everybody_else_is_warned_of() {
    let said = mistakes("version = 1\n[fallback]\nprofile = \"privileged\"\n");
    assert!(said[0].contains("may do everything"), "{said:?}");
}

#[test]
fn root_of_a_container_is_not_root_of_the_host() {
    let matchers = r#"{ user = "root" }, { uid = 0 }, { gid = 0 }, { user = "root", in-container = "runner:*" }"#;
    let claims = |matchers: &str, image: Option<&str>| {
        let text =
            format!("version = 1\n[[principal]]\nname = \"ops\"\nprofile = \"privileged\"\nmatch = [{matchers}]\n");
        let container = image.map(|image| CallerContainer { id: "c".repeat(64), image: Some(image.into()) });
        let peer = UnixPeer { uid: Some(0), gid: Some(0), user: Some("root".into()), container, ..UnixPeer::default() };
        policy(&text).principals.iter().any(|principal| principal.claims(&Peer::Unix(Box::new(peer.clone()))))
    };
    assert!(claims(r#"{ user = "root" }"#, None));
    assert!(!claims(r#"{ user = "root" }, { uid = 0 }, { gid = 0 }"#, Some("runner:1")));
    assert!(claims(matchers, Some("runner:1")));
    assert!(!claims(matchers, Some("evil:1")));
}

#[test]
fn whoever_may_be_in_a_container_is_nobody_of_the_host() {
    let policy = policy(
        r#"version = 1
        [[principal]]
        name = "ops"
        profile = "privileged"
        match = [{ user = "ann" }, { uid = 7 }, { gid = 7 }]
        [fallback]
        profile = "homes"
        [profile.homes]
        binds = [{ path = "{home}/**", access = "rw" }]"#,
    );
    let ann = UnixPeer { uid: Some(7), user: Some("ann".into()), home: Some("/srv/ann".into()), ..UnixPeer::default() };
    let within = CallerContainer { id: "c".repeat(64), image: None };
    for (peer, expected) in [
        (ann.clone(), "ops"),
        // Its process was gone before it could be looked at.
        (UnixPeer { unplaced: true, ..ann.clone() }, "fallback"),
        (UnixPeer { container: Some(within), ..ann }, "fallback"),
    ] {
        let create = ContainerCreate {
            host: HostConfig { binds: vec!["/srv/ann/src:/x".into()], ..HostConfig::default() },
            ..ContainerCreate::default()
        };
        let verdict = of_body(&policy, &Peer::Unix(Box::new(peer)), Body::ContainerCreate(Box::new(create)));
        assert_eq!(verdict.principal, expected);
        let has_no_home = denying(&verdict).contains(&"mount.host-path");
        assert_eq!(has_no_home, expected == "fallback", "{:?}", verdict.findings);
    }
}

#[test]
fn a_source_of_a_tmpfs_or_a_volume_is_judged_as_the_path_it_is() {
    for mount in [
        r#"{"Type":"tmpfs","Source":"/etc","Target":"/x"}"#,
        r#"{"Type":"volume","Source":"../etc","Target":"/x"}"#,
        r#"{"Type":"volume","Source":"./x","Target":"/x"}"#,
    ] {
        assert!(create(&format!(r#"{{"Mounts":[{mount}]}}"#)).contains(&"mount.host-path"), "{mount}");
    }
}

#[test]
fn whoever_is_never_killed_is_unlimited() {
    let limits = r#""Memory":1,"NanoCpus":1,"PidsLimit":1"#;
    let unlimited = |more: &str| {
        let denied = under("", "\"resources.unlimited\" = \"deny\"", &host(&format!("{{{limits}{more}}}")));
        denied.contains(&Check::ResourcesUnlimited.id())
    };
    assert!(!unlimited(""));
    assert!(unlimited(r#","OomKillDisable":true"#));
    assert!(unlimited(r#","OomScoreAdj":-1000"#));
    assert!(!unlimited(r#","OomScoreAdj":500"#));
}

#[test]
fn tunables_of_the_analytic_that_would_see_nothing_or_everything_are_mistakes() {
    for (written, fits) in [
        ("time-window = \"5m\"\nrisk-threshold = 3\nprivileged-flags = [\"privileged\", \"namespace.*.host\"]", true),
        ("privileged-flags = []", true),
        ("time-window = \"0s\"", false),
        ("time-window = \"-5m\"", false),
        ("time-window = \"25h\"", false),
        ("time-window = \"soon\"", false),
        ("time-window = 300", false),
        ("risk-threshold = 0", false),
        ("risk-threshold = 101", false),
        ("risk-threshold = -1", false),
        ("privileged-flags = [\"privilegde\"]", false),
        ("threshold = 2", false),
    ] {
        let said = mistakes(&format!("version = 1\n[an0693]\n{written}\n"));
        assert_eq!(!said.iter().any(|said| said.starts_with("error")), fits, "{written}: {said:?}");
    }
}

#[test]
fn the_analytic_has_its_defaults_and_what_is_written() {
    let defaults = policy("version = 1");
    let (window, threshold) = (defaults.an0693().window(), defaults.an0693().threshold());
    assert_eq!((window.as_secs(), threshold), (300, 2));
    let flags = ["privileged", "namespace.pid.host", "device.host"].map(|check| defaults.an0693().is_flag(check));
    assert_eq!(flags, [true, true, false]);
    let written =
        policy("version = 1\n[an0693]\ntime-window = \"90s\"\nrisk-threshold = 4\nprivileged-flags = [\"device.*\"]");
    let an0693 = written.an0693();
    assert_eq!((an0693.window().as_secs(), an0693.threshold()), (90, 4));
    assert_eq!(["privileged", "device.host"].map(|check| an0693.is_flag(check)), [false, true]);
    assert_eq!(written.changes_since(&defaults), ["an0693"]);
}

#[test]
fn a_mistake_says_what_to_write_instead() {
    let said = |text: &str| {
        let source = Source { path: "policy.toml".into(), text: format!("version = 1\n{text}\n") };
        let found = Policy::parse(&source).unwrap_err();
        found.into_iter().filter_map(|found| found.help).collect::<Vec<_>>().join("\n")
    };
    let exception = "[[exception]]\nchecks = [\"privileged\"]\nreason = \"known\"\n";
    for (written, wanted) in [
        ("[profile.a]\napi = [\"reads\"]".to_owned(), "did you mean 'read'?"),
        ("[profile.a]\ncapabilities = [\"CAP_NET_ADMN\"]".to_owned(), "did you mean 'NET_ADMIN'?"),
        ("[profile.a]\ncapabilities = [\"net_admin\"]".to_owned(), "did you mean 'NET_ADMIN'?"),
        ("[profile.a]\npublish = [\"127.0.0.1/33:*\"]".to_owned(), "write \"127.0.0.1:8000-8999\""),
        ("[profile.a]\nimages = \"alpine\"".to_owned(), "write a list"),
        (format!("{exception}principals = [\"ci\"]"), "write one of: fallback"),
        (format!("{exception}principals = [\"fallback\"]\nexpires = \"soon\""), "without quotes: 2027-12-31"),
    ] {
        assert!(said(&written).contains(wanted), "{written}: {}", said(&written));
    }
}
