//! Learning and replaying, on journals written by hand: the lines of a journal as a gate writes them.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Source;
use crate::policy::Policy;

/// The intent of a call by one user.
fn call(id: &str, uid: u32, method: &str, target: &str, operation: &str, body: Value) -> Value {
    json!({
        "id": id, "time": "2026-11-24T02:31:07Z", "host": "h", "kind": "call", "stage": "intent",
        "peer": {"kind": "unix", "uid": uid, "gid": uid, "user": format!("u{uid}"), "groups": [], "container": null},
        "principal": {"name": "fallback"}, "verdict": {"action": "allow", "findings": []},
        "request": {"operation": operation, "method": method, "target": target, "body_bytes": body.to_string().len()},
        "body": body, "known": {"engine": {"root_dir": "/var/lib/docker"}},
    })
}

fn create(id: &str, uid: u32, body: Value) -> Value {
    call(id, uid, "POST", "/v1.41/containers/create", "ContainerCreate", body)
}

/// A create that made a container, and its start.
fn run(id: &str, uid: u32, container: &str, body: Value) -> Vec<Value> {
    let outcome = json!({
        "id": id, "time": "", "host": "h", "kind": "call", "stage": "outcome",
        "container": {"id": container}, "outcome": {"made": container},
    });
    let mut start = call(
        &format!("{id}-start"),
        uid,
        "POST",
        &format!("/v1.41/containers/{container}/start"),
        "ContainerStart",
        json!({}),
    );
    start.as_object_mut().unwrap().remove("body");
    start["known"]["container"] =
        json!({"id": container, "reference": body["Image"], "body": body, "image": {"id": "sha256:cd"}});
    start["known"]["maker"] = json!({"principal": "fallback"});
    vec![create(id, uid, body), outcome, start]
}

fn learner(lines: &[Value]) -> Learner {
    let mut learner = Learner::new(Timestamp::UNIX_EPOCH);
    lines.iter().for_each(|line| learner.line(line.to_string().as_bytes()));
    learner
}

fn learn(lines: &[Value]) -> Learned {
    learner(lines).finish(false).unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse(&Source { path: "p".into(), text: text.into() }).map(|(policy, _)| policy).unwrap()
}

fn replay(lines: &[Value], text: &str) -> Replayed {
    let mut replay = Replay::new(policy(text), Timestamp::UNIX_EPOCH);
    lines.iter().for_each(|line| replay.line(line.to_string().as_bytes()));
    replay.finish()
}

const RESTRICTED: &str = "version = 1\n[fallback]\nprofile = \"restricted\"\n";

#[test]
fn each_caller_gets_what_it_needs_and_not_what_others_do() {
    let lines: Vec<Value> = [
        run("01-a", 5, "aa", json!({"Image": "busybox:1.0", "HostConfig": {"Binds": ["/srv/a:/a:ro", "/srv/b:/b"]}})),
        run("02-b", 6, "bb", json!({"Image": "nginx:2", "HostConfig": {"CapAdd": ["cap_net_admin"], "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]}}})),
    ]
    .concat();
    let learned = learn(&lines);
    assert!(learned.unlearned.is_empty() && learned.unreplayable.is_empty(), "{learned:?}");
    let (ours, theirs) = learned.toml.split_once("[profile.\"u6\"]").unwrap();
    for (line, is_ours) in [
        ("{ path = \"/srv/a\", access = \"ro\" },", true),
        ("{ path = \"/srv/b\", access = \"rw\" },", true),
        ("\"docker.io/library/busybox:1.0\",", true),
        ("capabilities = []", true),
        ("\"docker.io/library/nginx:2\",", false),
        ("\"NET_ADMIN\",", false),
        ("\"0.0.0.0:0\",", false),
        ("binds = []", false),
    ] {
        assert_eq!((ours.contains(line), theirs.contains(line)), (is_ours, !is_ours), "{line}: {}", learned.toml);
    }
    assert!(learned.toml.contains("# 2 calls, e.g. 01-a\n"), "{}", learned.toml);
    assert_eq!(replay(&lines, &learned.toml).refused, 0);
    // Neither may what only the other does.
    let theirs = [
        create("03", 5, json!({"Image": "nginx:2"})),
        create("04", 6, json!({"Image": "nginx:2", "HostConfig": {"Binds": ["/srv/a:/a"]}})),
    ];
    assert_eq!(replay(&theirs, &learned.toml).refused, 2);
}

#[test]
fn what_opens_the_host_is_let_pass_for_its_image_only_and_says_so() {
    let privileged = |id: &str, image: &str| create(id, 5, json!({"Image": image, "HostConfig": {"Privileged": true}}));
    let learned = learn(&[privileged("01", "docker:27"), create("02", 5, json!({"Image": "busybox:1.0"}))]);
    let exception = "[[exception]]    # RISK: privileged container; 1 call, e.g. 01\nchecks = [ \"privileged\" ]\nprincipals = [ \"u5\" ]\nimages = [ \"docker.io/library/docker:27\" ]\n";
    assert!(learned.toml.contains(exception), "{}", learned.toml);
    let again = replay(&[privileged("03", "docker:27"), privileged("04", "busybox:1.0")], &learned.toml);
    assert_eq!((again.judged, again.refused), (2, 1));
    assert_eq!(
        (again.newly_refused[0].check.as_str(), &again.newly_refused[0].examples),
        ("privileged", &vec!["04".to_owned()])
    );
}

#[test]
fn joining_ones_own_container_takes_no_more_than_join_own() {
    let mut lines = run("01", 5, "aa", json!({"Image": "busybox:1.0", "HostConfig": {"CapAdd": ["NET_ADMIN"]}}));
    let mut join = create("02", 5, json!({"Image": "busybox:1.0", "HostConfig": {"NetworkMode": "container:web"}}));
    join["known"]["joined"] = json!([{"name": "web", "maker": {"principal": "fallback"}, "container": {
        "id": "aa", "reference": "busybox:1.0", "image": {"id": "sha256:cd"},
        "body": {"Image": "busybox:1.0", "HostConfig": {"CapAdd": ["NET_ADMIN"]}}}}]);
    lines.push(join);
    let learned = learn(&lines);
    assert!(
        learned.toml.contains("join = \"own\"") && !learned.toml.contains("namespace.network.container"),
        "{}",
        learned.toml
    );
    assert_eq!(replay(&lines, &learned.toml).refused, 0);
}

#[test]
fn what_nobody_can_judge_is_told_and_not_learned() {
    let mut odd = create("01", 5, json!({"Image": "busybox:1.0"}));
    odd["verdict"]["findings"] =
        json!([{"check": "request.ambiguous", "field": "Image", "detail": "twice", "reaction": "deny"}]);
    let mut missing = create("02", 5, json!({"Image": "busybox:1.0"}));
    missing["known"]["missing"] = json!(["the image: the engine said 500"]);
    let unknown = call("03", 5, "GET", "/v1.41/frobnicate", "Unknown", Value::Null);
    let learned = learn(&[odd, missing, unknown]);
    let told: Vec<&str> = learned.unlearned.keys().map(String::as_str).collect();
    assert_eq!(told, ["api.unknown", "facts.missing", "request.ambiguous"], "{}", learned.toml);
    assert!(!learned.toml.contains("request.ambiguous"));
}

#[test]
fn what_had_been_refused_is_not_learned_and_still_refused() {
    let mut refused = create("01", 5, json!({"Image": "busybox:1.0", "HostConfig": {"Privileged": true}}));
    refused["verdict"] = json!({"action": "deny", "findings": [{"check": "privileged", "reaction": "deny"}]});
    let learned = learn(std::slice::from_ref(&refused));
    assert_eq!((learned.refused, learned.calls), (1, 0));
    assert!(!learned.toml.contains("privileged"), "{}", learned.toml);
    let again = replay(std::slice::from_ref(&refused), &learned.toml);
    assert_eq!((again.refused, again.passed), (0, 0));
    let open = replay(&[refused], "version = 1\n[fallback]\nprofile = \"privileged\"\n");
    assert_eq!((open.passed, open.newly_passed[0].check.as_str()), (1, "privileged"));
}

#[test]
fn a_container_is_its_makers_by_the_new_names() {
    let lines = run("01", 5, "aa", json!({"Image": "busybox:1.0"}));
    let own = "version = 1\n[[principal]]\nname = \"ann\"\nprofile = \"own\"\nmatch = [{ uid = 5 }]\n[profile.own]\nextends = \"baseline\"\nown-only = true\n";
    assert_eq!(replay(&lines, own).refused, 0, "made by ann, whom the old policy called fallback");
    let theirs: Vec<Value> = lines
        .iter()
        .cloned()
        .map(|mut line| {
            if line["id"] == "01-start" {
                line["peer"]["uid"] = json!(6);
            }
            line
        })
        .collect();
    let bob = own.replace("uid = 5 }", "uid = 5 }, { uid = 7 }") + "[fallback]\nprofile = \"own\"\n";
    assert_eq!(replay(&theirs, &bob).newly_refused[0].check, "container.foreign");
}

#[test]
fn what_cannot_be_judged_again_is_counted_with_its_reason() {
    let mut bare = create("01", 5, json!({"Image": "busybox:1.0"}));
    bare.as_object_mut().unwrap().remove("body");
    let outcome = json!({"id": "01", "kind": "call", "stage": "outcome", "outcome": {}});
    let inspect = call("02", 5, "GET", "/v1.41/containers/web/json", "ContainerInspect", Value::Null);
    let own = "version = 1\n[fallback]\nprofile = \"own\"\n[profile.own]\nextends = \"baseline\"\nown-only = true\n";
    let again = replay(&[bare, outcome, inspect], own);
    let told: Vec<(&str, u64, &str)> =
        again.unreplayable.iter().map(|(why, (count, id))| (*why, *count, id.as_str())).collect();
    assert_eq!(
        told,
        [
            ("its body is not in it (audit.level is metadata)", 1, "01"),
            ("whose the container is was not looked up, which own-only asks", 1, "02"),
        ]
    );
    assert_eq!(again.judged, 0);
}

#[test]
fn an_admins_word_is_no_change() {
    let mut approved = create("01", 5, json!({"Image": "busybox:1.0", "HostConfig": {"Privileged": true}}));
    approved["verdict"]["findings"] = json!([{"check": "privileged", "reaction": "approve"}]);
    let asks = "version = 1\n[fallback]\nprofile = \"p\"\n[profile.p]\nextends = \"baseline\"\n[profile.p.reactions]\nprivileged = \"approve\"\n";
    assert_eq!(replay(std::slice::from_ref(&approved), asks).refused, 0);
    assert_eq!(replay(&[approved], RESTRICTED).refused, 1);
}

#[test]
fn patterns_stand_for_lines_only_where_asked() {
    let mut lines: Vec<Value> = ["1.0", "1.1"]
        .iter()
        .map(|tag| create(&format!("01-{tag}"), 5, json!({"Image": format!("busybox:{tag}")})))
        .collect();
    for (index, path) in ["/srv/x/a", "/srv/x/b", "/srv/x/c", "/srv/d", "/srv/e", "/srv/f"].iter().enumerate() {
        let port = format!("800{index}");
        let host = json!({"Binds": [format!("{path}:/m:ro")], "NetworkMode": format!("job_{index}"), "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}});
        lines.push(create(&format!("02-{index}"), 5, json!({"Image": "busybox:1.0", "HostConfig": host})));
    }
    let exact = learn(&lines).toml;
    assert!(exact.contains("\"docker.io/library/busybox:1.1\"") && !exact.contains('*'), "{exact}");
    let wide = learner(&lines).finish(true).unwrap().toml;
    for line in [
        "\"docker.io/library/busybox\",",
        "\"/srv/x/**\"",
        "\"/srv/d\"",
        "\"job_*\",",
        "\"127.0.0.1:8000-8005\",",
        "in place of 6; 6 calls",
    ] {
        assert!(wide.contains(line), "{line}: {wide}");
    }
    assert_eq!(replay(&lines, &wide).refused, 0);
}

#[test]
fn names_and_paths_are_text_in_the_policy_and_no_patterns() {
    let mut line = create(
        "01",
        5,
        json!({"Image": "busybox:1.0", "HostConfig": {"Binds": ["/srv/[a]*{b}:/x:ro", "/srv/\"q\\:/y:ro"]}}),
    );
    line["peer"]["user"] = json!("a\"b\n# c");
    let learned = learn(std::slice::from_ref(&line));
    assert_eq!(replay(std::slice::from_ref(&line), &learned.toml).refused, 0, "{}", learned.toml);
    let other = create("02", 5, json!({"Image": "busybox:1.0", "HostConfig": {"Binds": ["/srv/ab:/x:ro"]}}));
    assert_eq!(replay(&[other], &learned.toml).refused, 1, "{}", learned.toml);
}

#[test]
fn callers_are_told_apart_by_what_outlives_them() {
    let mut inside = create("01", 0, json!({"Image": "busybox:1.0"}));
    inside["peer"]["container"] = json!({"id": "aa", "image": "registry.example.com/ci/runner:2"});
    let mut unknown = create("02", 0, json!({"Image": "busybox:1.0"}));
    unknown["peer"]["container"] = json!({"id": "bb"});
    let mut remote = create("03", 0, json!({"Image": "busybox:1.0"}));
    remote["peer"] = json!({
        "kind": "tls", "address": "192.0.2.1:4", "subject": "CN=bot*", "common_names": ["bot*"], "units": [], "sans": [],
        "issuer": "CN=ca", "serial": "1", "sha256": "ab", "not_after": "2027-01-01T00:00:00Z",
    });
    let mut named = create("04", 7, json!({"Image": "busybox:1.0"}));
    named["principal"]["name"] = json!("ci");
    let lines = [inside, unknown, remote, named];
    let toml = learn(&lines).toml;
    for line in [
        "name    = \"in-runner\"\n",
        "match   = [ { in-container = \"registry.example.com/ci/runner:2\" } ]",
        "match   = [ { cert-cn = \"bot[*]\", cert-issuer = \"CN=ca\" } ]",
        "name    = \"ci\"\nprofile = \"ci\"\nmatch   = [ { uid = 7 } ]",
        "profile = \"others\"    # RISK: for everybody",
    ] {
        assert!(toml.contains(line), "{line}: {toml}");
    }
    assert_eq!(replay(&lines, &toml).refused, 0, "{toml}");
}

#[test]
fn a_caller_is_what_is_said_of_it() {
    let said = |text: &str| pairs(text).and_then(identity);
    let toml = "version = 1\n[[principal]]\nname = \"a\"\nprofile = \"privileged\"\nmatch = [{ uid = 5, group = \"docker\" }, { cert-cn = \"bot-*\" }]\n[fallback]\nprofile = \"restricted\"\n";
    let asked = Asked { policy: policy(toml), source: None, protected: Vec::new(), now: Timestamp::UNIX_EPOCH };
    for (text, principal) in [
        ("uid=5,group=docker", "a"),
        ("uid=5", "fallback"),
        ("uid=5,group=docker,in-container=x", "fallback"),
        ("cert-cn=bot-1", "a"),
        ("cert-cn=rob,cert-ou=bot-1", "fallback"),
        ("tcp=127.0.0.1:9", "fallback"),
        ("", "fallback"),
    ] {
        let mut asking = Asking::new("GET", "/v1.41/containers/json", None).unwrap();
        assert_eq!(asked.explain(&mut asking, &said(text).unwrap()).principal, principal, "{text}");
    }
    for text in ["uid", "uid=x", "name=x", "uid=5,cert-cn=x", "tcp=1", "tcp=127.0.0.1:9,uid=5"] {
        said(text).unwrap_err();
    }
}

/// Bodies of creates, honest and not, from the words that checks go by.
fn bodies() -> impl Strategy<Value = Value> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    let words = |all: &'static [&'static str]| prop::collection::vec(prop::sample::select(all), 0..3);
    let image = word(&[
        "busybox:1.0",
        "nginx",
        "r.example:5/a/b@sha256:44b51b1f1d1b5d1cd8ee9a1e3a3a6f8b2d3a8d4c5e6f708192a3b4c5d6e7f809",
        "d718",
        "",
        "UPPER",
    ]);
    let binds = words(&[
        "/srv/a:/a",
        "/srv/a:/a:ro",
        "/etc:/e",
        "/:/h",
        "vol:/v",
        "/srv/[x]*:/x",
        "/var/run/docker.sock:/s",
        "/srv/\\:/b:shared",
        "/a:/b:c:d",
    ]);
    let caps = words(&["SYS_ADMIN", "cap_net_raw", "ALL", "ſYS_ADMIN"]);
    let modes = (
        word(&["", "host", "container:web", "own", "HOST", "none"]),
        word(&["", "host", "container:web"]),
        word(&["", "host", "shareable"]),
        word(&["", "host", "junk"]),
    );
    let guards =
        words(&["seccomp=unconfined", "apparmor=unconfined", "label=disable", "no-new-privileges", "what=ever"]);
    let rest = (
        any::<bool>(),
        word(&["", "runc", "kata"]),
        word(&["", "always"]),
        word(&["", "syslog"]),
        words(&["/dev/sda", "/dev/x*"]),
    );
    let ports = prop::collection::vec((word(&["", "127.0.0.1", "::1"]), word(&["", "80", "8000-8010", "junk"])), 0..3);
    (image, binds, caps, modes, guards, rest, ports).prop_map(|(image, binds, caps, (net, pid, ipc, uts), guards, (privileged, runtime, restart, log, devices), ports)| {
        let devices: Vec<Value> = devices.iter().map(|path| json!({"PathOnHost": path})).collect();
        let ports: Vec<Value> = ports.iter().map(|(ip, port)| json!({"HostIp": ip, "HostPort": port})).collect();
        json!({"Image": image, "User": "5", "HostConfig": {
            "Binds": binds, "CapAdd": caps, "NetworkMode": net, "PidMode": pid, "IpcMode": ipc, "UTSMode": uts, "SecurityOpt": guards,
            "Privileged": privileged, "Runtime": runtime, "RestartPolicy": {"Name": restart}, "LogConfig": {"Type": log, "Config": {}},
            "Devices": devices, "PortBindings": {"80/tcp": ports}, "Sysctls": {"kernel.x": "1"}, "GroupAdd": ["0"],
        }})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever callers do: what was learned is a policy, and it lets all of it pass but what is told to be unlearnable.
    #[test]
    fn what_was_learned_lets_pass_what_was_seen(bodies in prop::collection::vec((bodies(), 5..7_u32), 1..6), generalise: bool) {
        let lines: Vec<Value> = bodies.into_iter().enumerate().map(|(index, (body, uid))| create(&format!("{index:02}"), uid, body)).collect();
        let learned = learner(&lines).finish(generalise).unwrap();
        let again = replay(&lines, &learned.toml);
        for change in &again.newly_refused {
            prop_assert!(learned.unlearned.contains_key(&change.check), "{}: {}\n{}", change.check, change.first, learned.toml);
        }
        // What the gate would have found odd, and this journal does not tell, is not taken on trust.
        let told: u64 = again.unreplayable.values().map(|(calls, _)| calls).sum();
        prop_assert_eq!(again.judged + told, lines.len() as u64);
    }
}
