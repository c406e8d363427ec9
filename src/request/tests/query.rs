//! Queries.

use super::*;

const BUILD: &str = "/v1.41/build";
const CREATE: &str = "/v1.41/containers/create";

#[test]
fn queries_are_read_as_go_reads_them_and_written_anew() {
    let rows = [
        ("?name=h2-c", "?name=h2-c"),
        ("?%6eame=h2-c", "?name=h2-c"),
        ("?name=%2Fh2-c", "?name=%2Fh2-c"),
        ("?name=/h2-c", "?name=%2Fh2-c"),
        ("?name=a+b", "?name=a+b"),
        ("?name=a%20b", "?name=a+b"),
        ("?name=a%2Bb", "?name=a%2Bb"),
        ("?name", "?name="),
        ("?name=a=b", "?name=a%3Db"),
        ("?&&name=a&", "?name=a"),
        ("?Name=a&name=b", "?Name=a&name=b"),
        ("?new-key=1&name=b", "?new-key=1&name=b"),
        ("?=a", "?=a"),
        ("?", ""),
        ("", ""),
    ];
    for (query, canonical) in rows {
        let asked = ask("POST", &format!("{CREATE}{query}"));
        assert_eq!(asked.canonical_target(), format!("{CREATE}{canonical}"), "{query}");
        assert_eq!(kinds(&asked), [], "{query}");
    }
}

#[test]
fn queries_that_go_refuses_are_malformed_and_their_pairs_dropped() {
    let rows = [
        ("?name=a&%", Some("a")),
        ("?name=a&x=%zz", Some("a")),
        ("?name=a;b=c", None),
        ("?x=1;&name=a", Some("a")),
        ("?name=%ff", Some("\u{fffd}")),
    ];
    for (query, name) in rows {
        let asked = ask("POST", &format!("{CREATE}{query}"));
        assert_eq!(kinds(&asked), [(Irregular::Malformed, "query")], "{query}");
        assert_eq!(asked.query.first("name"), name, "{query}");
    }
    assert_eq!(kinds(&ask("POST", "/containers/create?name=%3B")), []);
}

#[test]
fn a_key_said_twice_is_ambiguous_unless_the_engine_reads_a_list() {
    let rows = [
        ("POST", "/containers/create?name=a&name=b", "query.name"),
        ("POST", "/containers/create?name=a&n%61me=a&name=c", "query.name"),
        ("POST", "/containers/x/stop?t=1&t=2", "query.t"),
        ("POST", "/containers/create?platform=a&platform=b", "query.platform"),
        ("POST", "/build?networkmode=none&networkmode=host", "query.networkmode"),
        ("POST", "/build?t=a&t=b&remote=&remote=x", "query.remote"),
        ("POST", "/nowhere?a=1&a=2", "query.a"),
    ];
    for (method, target, field) in rows {
        assert_eq!(kinds(&ask(method, target)), [(Irregular::Ambiguous, field)], "{target}");
    }
    let lists = [
        ("POST", "/build?t=a&t=b&extrahosts=a:1&extrahosts=b:2"),
        ("POST", "/commit?changes=A&changes=B"),
        ("POST", "/images/create?fromSrc=-&changes=A&changes=B"),
        ("GET", "/images/get?names=a&names=b"),
        ("GET", "/system/df?type=image&type=volume"),
    ];
    for (method, target) in lists {
        assert_eq!(kinds(&ask(method, target)), [], "{target}");
    }
    assert_eq!(ask("POST", "/containers/create?name=a&name=b").query.first("name"), Some("a"));
}

#[test]
fn a_flood_of_pairs_is_reported_briefly() {
    let flood: Vec<_> = (0..10_001).map(|n| format!("{:x}", n % 5000)).collect();
    let asked = ask("POST", &format!("{CREATE}?{}", flood.join("&")));
    assert_eq!(asked.irregularities.len(), 9);
    assert_eq!(asked.irregularities[0].kind, Irregular::TooLarge);
}

#[test]
fn flags_are_true_unless_they_are_a_word_for_no() {
    for (value, truth) in [
        ("1", true),
        ("true", true),
        ("off", true),
        ("False.", true),
        ("00", true),
        ("", false),
        ("0", false),
        ("NO", false),
        ("False", false),
        ("nOne", false),
        ("+false+", false),
        ("%C2%A00%C2%85", false),
    ] {
        assert_eq!(ask("DELETE", &format!("/containers/x?force={value}")).query.flag("force"), truth, "{value}");
    }
    assert!(!ask("DELETE", "/containers/x").query.flag("force"));
}

#[test]
fn a_builds_options_stand_in_its_query() {
    let target = format!(
        "{BUILD}?t=a&t=b&networkmode=host&remote=http%3A%2F%2Fx%2Fb.tar&cgroupparent=/x&version=2&buildid=u\
         &outputs=%5B%7B%22Type%22%3A%22moby%22%7D%5D&extrahosts=h:1"
    );
    let asked = ask("POST", &target);
    let call = Call::unread(&asked);
    let Body::Build(build) = &call.body else {
        panic!("{:?}", call.body);
    };
    assert_eq!(build.tags, ["a", "b"]);
    assert_eq!(build.network_mode.as_deref(), Some("host"));
    assert_eq!(build.remote.as_deref(), Some("http://x/b.tar"));
    assert_eq!(build.cgroup_parent.as_deref(), Some("/x"));
    assert_eq!(build.session.as_deref(), Some("u"));
    assert_eq!(build.outputs.as_deref(), Some(r#"[{"Type":"moby"}]"#));
    assert_eq!(build.extra_hosts, ["h:1"]);
    assert!(build.buildkit);

    let plain = ask("POST", "/build?version=1&networkmode=&session=");
    let Body::Build(build) = Call::unread(&plain).body else {
        panic!("not a build");
    };
    assert_eq!((build.network_mode, build.session, build.buildkit), (None, None, false));
}
