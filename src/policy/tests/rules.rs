//! Site rules: what they find, what they refuse to be, and what happens where they cannot say.

use jiff::Timestamp;
use proptest::prelude::{any, prop, proptest};
use proptest::sample::select;

use super::{caller, judged, mistakes, policy};
use crate::diagnostic::{Severity, Source};
use crate::policy::{Action, Check, Facts, HeldImage, Known, Mode, Policy, Reaction, Stored, Verdict, judge};
use crate::request::{Call, Head, read};

const CREATE: &str = "/v1.41/containers/create";

/// A policy whose only refusals are those of rules.
fn with(rules: &str) -> String {
    format!(
        "version = 1\nmode = \"enforce\"\n[[principal]]\nname = \"ci\"\nprofile = \"open\"\nmatch = [{{ uid = 7 }}]\n\
         [fallback]\nprofile = \"privileged\"\n[profile.open]\nextends = \"privileged\"\n{rules}"
    )
}

fn rule(when: &str) -> String {
    format!("[[rule]]\nid = \"site.test\"\nwhen = '''{when}'''\nmessage = \"not here\"\n")
}

/// What the rules say, with the words they say it in.
fn said(verdict: &Verdict) -> Vec<String> {
    let site = verdict.findings.iter().filter(|finding| finding.check.builtin().is_none());
    site.map(|finding| format!("{}: {} {:?}", finding.check.id(), finding.detail, finding.reaction)).collect()
}

/// Whether a rule refuses a call; a rule that fails is no answer here.
fn refuses(when: &str, uid: u32, method: &str, target: &str, body: &str) -> bool {
    let verdict = judged(&policy(&with(&rule(when))), uid, method, target, body);
    let said = said(&verdict);
    assert!(said.iter().all(|words| words == "site.test: not here Deny"), "{when}: {said:?}");
    assert_eq!(said.len(), usize::from(verdict.permit().is_none()), "{when}");
    !said.is_empty()
}

fn refuses_create(when: &str, body: &str) -> bool {
    refuses(when, 7, "POST", CREATE, body)
}

#[test]
fn a_rule_refuses_what_it_describes_and_nothing_else() {
    let is_create = "operation == 'ContainerCreate' && ";
    for (when, body, expected) in [
        ("create.HostConfig.Memory == 0", r#"{"Image":"a"}"#, true),
        ("create.HostConfig.Memory == 0", r#"{"Image":"a","HostConfig":{"Memory":67108864}}"#, false),
        ("create.HostConfig.Memory == 0", r#"{"image":"a","hostconfig":{"memory":67108864}}"#, false),
        ("!('team' in create.Labels)", r#"{"Image":"a"}"#, true),
        ("!('team' in create.Labels)", r#"{"Image":"a","Labels":{"team":"x"}}"#, false),
        ("!(has(create.Labels.team) && create.Labels.team == 'x')", r#"{"Labels":{"team":"y"}}"#, true),
        ("create.Labels['a.b/c'] == 'd'", r#"{"Labels":{"a.b/c":"d"}}"#, true),
        ("principal.name == 'ci' && !image.reference.startsWith('registry.example.com/')", r#"{"Image":"a"}"#, true),
        ("!image.reference.startsWith('docker.io/library/')", r#"{"Image":"busybox"}"#, false),
        ("'SYS_ADMIN' in create.HostConfig.CapAdd", r#"{"HostConfig":{"CapAdd":["cap_sys_admin"]}}"#, true),
        ("'SYS_ADMIN' in create.HostConfig.CapAdd", r#"{"HostConfig":{"CapAdd":"\u017fys_admin"}}"#, true),
        (
            "create.HostConfig.Binds.exists(b, b.startsWith('/etc:'))",
            r#"{"HostConfig":{"Binds":["/srv/../etc/:/x"]}}"#,
            true,
        ),
        (
            "create.HostConfig.Mounts.exists(m, m.Type == 'bind' && !m.ReadOnly && m.Source == '/etc')",
            r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs"},{"Type":"bind","Source":"/etc/."}]}}"#,
            true,
        ),
        (
            "create.HostConfig.PortBindings.exists(p, p.HostIp != '127.0.0.1')",
            r#"{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}}"#,
            true,
        ),
        ("image.reference.startsWith('EVIL/')", r#"{"Image":"EVIL/busybox"}"#, true),
        ("image.reference == '' && image.id == ''", "{}", true),
        ("'DB_PASSWORD' in create.Env", r#"{"Env":["A=DB_PASSWORD","DB_PASSWORD=x"]}"#, true),
        ("create.Env.exists(e, e.contains('hunter2'))", r#"{"Env":["A=hunter2"]}"#, false),
        ("create.Cmd.size() > 0 && create.Cmd[0] == 'sh'", r#"{"Cmd":["sh","-c","x"]}"#, true),
        ("create.HostConfig.NetworkMode in ['host', 'none']", r#"{"HostConfig":{"NetworkMode":"none"}}"#, true),
        ("create.HostConfig.RestartPolicy.Name == 'always'", r#"{}"#, false),
    ] {
        assert_eq!(refuses_create(&format!("{is_create}{when}"), body), expected, "{when} {body}");
    }
}

#[test]
fn a_rule_sees_who_asks_and_what() {
    for (when, uid, method, target, body, expected) in [
        ("principal.name == 'ci' && class == 'exec'", 7, "POST", "/v1.41/containers/x/exec", r#"{"Cmd":["id"]}"#, true),
        ("exec != null && 'id' in exec.Cmd", 7, "POST", "/v1.41/containers/x/exec", r#"{"Cmd":["id"]}"#, true),
        ("exec != null && exec.Privileged", 7, "POST", "/v1.41/containers/x/exec", r#"{"Cmd":["id"]}"#, false),
        ("update != null && update.Memory < 0", 7, "POST", "/v1.41/containers/x/update", r#"{"Memory":-1}"#, true),
        (
            "peer.kind == 'unix' && peer.uid == 8 && peer.user == 'ann' && 'runners' in peer.groups",
            8,
            "GET",
            "/info",
            "",
            true,
        ),
        (
            "principal.name == 'fallback' && !principal.admin && principal.profile == 'privileged'",
            8,
            "GET",
            "/info",
            "",
            true,
        ),
        (
            "method == 'GET' && path == '/containers/json' && api_version == '1.41'",
            7,
            "GET",
            "/v1.41/containers/json",
            "",
            true,
        ),
        ("'all' in query && query.all == '1'", 7, "GET", "/containers/json?all=1&all=0", "", true),
        ("operation == 'ContainerDelete' && has(query.force)", 7, "DELETE", "/containers/x", "", false),
    ] {
        assert_eq!(refuses(when, uid, method, target, body), expected, "{when}");
    }
}

#[test]
fn a_rule_sees_images_and_services() {
    for (when, uid, method, target, body, expected) in [
        (
            "service != null && service.TaskTemplate.Resources.Limits.MemoryBytes == 0",
            7,
            "POST",
            "/v1.41/services/create",
            r#"{"TaskTemplate":{"ContainerSpec":{"Image":"a"}}}"#,
            true,
        ),
        (
            "service != null && 'SYS_ADMIN' in service.TaskTemplate.ContainerSpec.CapabilityAdd \
             && image.reference == 'docker.io/library/x:latest'",
            7,
            "POST",
            "/v1.41/services/x/update?version=1",
            r#"{"TaskTemplate":{"ContainerSpec":{"Image":"x","CapabilityAdd":["cap_sys_admin"]}}}"#,
            true,
        ),
        (
            "image != null && !image.reference.startsWith('registry.example.com/')",
            7,
            "POST",
            "/v1.41/images/create?fromImage=registry.example.com%2Fa&tag=1",
            "",
            false,
        ),
        (
            "image != null && image.reference == 'docker.io/library/a:1'",
            7,
            "POST",
            "/v1.41/images/create?fromImage=a&tag=1",
            "",
            true,
        ),
        ("image != null && image.reference == 'docker.io/b/a'", 7, "POST", "/v1.41/images/b/a/push", "", true),
    ] {
        assert_eq!(refuses(when, uid, method, target, body), expected, "{when}");
    }
}

/// A start of a container that the engine has.
fn start(when: &str, known: &Known) -> Verdict {
    let (method, uri) = ("POST".parse().unwrap(), "/v1.41/containers/x/start".parse().unwrap());
    let headers = http::HeaderMap::new();
    let asked = read(&Head { method: &method, uri: &uri, version: http::Version::HTTP_11, headers: &headers });
    let call = Call::decode(&asked, b"");
    let facts = Facts { now: Timestamp::UNIX_EPOCH, protected: &[], known };
    judge(&policy(&with(&rule(when))), &caller(7), &call, &facts)
}

#[test]
fn one_rule_holds_for_a_create_and_for_what_the_engine_has() {
    let when = "[create, container].exists(c, c != null && c.HostConfig.Memory == 0)";
    assert!(refuses_create(when, "{}"));
    assert!(!refuses_create(when, r#"{"HostConfig":{"Memory":1}}"#));
    let stored = |body: &str| Stored { body: body.into(), reference: "a".into(), ..Stored::default() };
    let unlimited = Known { container: Some(stored(r#"{"HostConfig":{}}"#)), ..Known::default() };
    assert_eq!(said(&start(when, &unlimited)), ["site.test: not here Deny"]);
    let limited = Known { container: Some(stored(r#"{"HostConfig":{"Memory":1}}"#)), ..Known::default() };
    assert_eq!(said(&start(when, &limited)), [""; 0]);
    let image = HeldImage { id: "sha256:1".into(), repo_digests: vec!["r/a@sha256:2".into()] };
    let held = Known { container: Some(Stored { image, ..stored("{}") }), ..Known::default() };
    let by_image = "image != null && image.id == 'sha256:1' && 'r/a@sha256:2' in image.repo_digests";
    assert_eq!(said(&start(by_image, &held)).len(), 1);
    let unreachable = Known { unreachable: Some("gone".into()), ..Known::default() };
    let words = "site.test: the rule cannot be evaluated: container: the engine could not be asked Deny";
    assert_eq!(said(&start(when, &unreachable)), [words]);
}

#[test]
fn a_rule_that_cannot_be_evaluated_refuses_whatever_its_reaction() {
    let many: Vec<String> = (0..257).map(|at| format!("\"/srv/{at}:/x\"")).collect();
    let long = "x".repeat(65 * 1024);
    for (when, body, why) in [
        (
            "create.HostConfig.Binds.size() > 300",
            format!(r#"{{"HostConfig":{{"Binds":[{}]}}}}"#, many.join(",")),
            "too large",
        ),
        ("create.Labels.exists(k, k == 'x')", format!(r#"{{"Labels":{{"a":"{long}"}}}}"#), "too large"),
        ("create.Labels.team == 'x'", "{}".to_owned(), "a key that is not there"),
        ("create.Cmd[0] == 'sh'", "{}".to_owned(), "an element that is not there"),
        ("1 / create.HostConfig.Memory == 1", "{}".to_owned(), "divides by zero"),
        (
            "create.HostConfig.Memory + 1 > 0",
            r#"{"HostConfig":{"Memory":9223372036854775807}}"#.to_owned(),
            "too large",
        ),
        (
            "create.HostConfig.Memory / (0 - 1) > 0",
            r#"{"HostConfig":{"Memory":-9223372036854775808}}"#.to_owned(),
            "too large",
        ),
        ("create.HostConfig.Memory == 1", "{".to_owned(), "the body cannot be read"),
        ("create.Labels['a'] == 'b'", r#"{"Labels":{"secret":"hunter2"}}"#.to_owned(), "a key that is not there"),
        ("int(create.User) == 0", r#"{"User":"hunter2"}"#.to_owned(), "do not fit"),
    ] {
        let text = with(&rule(&format!("operation == 'ContainerCreate' && {when}"))) + "reaction = \"allow\"\n";
        let verdict = judged(&policy(&text), 7, "POST", CREATE, &body);
        let said = said(&verdict);
        assert!(said.iter().any(|words| words.contains(why) && words.ends_with(" Deny")), "{when}: {said:?}");
        assert!(!said.iter().any(|words| words.contains("hunter2")), "{said:?}");
        assert_eq!(verdict.action, Action::Deny, "{when}");
    }
}

#[test]
fn what_no_rule_names_may_be_as_large_as_it_is() {
    let many: Vec<String> = (0..300).map(|at| format!("\"A{at}=b\"")).collect();
    let body = format!(r#"{{"Env":[{}]}}"#, many.join(","));
    assert!(refuses_create("create != null && create.HostConfig.Memory == 0", &body));
}

#[test]
fn reactions_profiles_exceptions_and_modes_hold_for_rules() {
    let memory = "[[rule]]\nid = \"site.memory-limit\"\nwhen = \"create != null && create.HostConfig.Memory == 0\"\nmessage = \"set a limit\"\n";
    let reaction = |text: &str, uid| {
        let verdict = judged(&policy(&with(&format!("{text}{memory}"))), uid, "POST", CREATE, r#"{"Image":"a"}"#);
        let found = verdict.findings.iter().find(|finding| finding.check.id() == "site.memory-limit");
        found.map(|finding| (finding.reaction, finding.exception.clone()))
    };
    assert_eq!(reaction("", 7), Some((Reaction::Deny, None)));
    let overridden = "[profile.open.reactions]\n\"site.memory-limit\" = \"warn\"\n";
    assert_eq!(reaction(overridden, 7), Some((Reaction::Warn, None)));
    assert_eq!(reaction(overridden, 8), Some((Reaction::Deny, None)), "another profile");
    assert_eq!(reaction("[profile.open.reactions]\n\"site.*\" = \"allow\"\n", 7), Some((Reaction::Allow, None)));
    let exception = "[[exception]]\nchecks = [\"site.memory-limit\"]\nprincipals = [\"ci\"]\nreason = \"known\"\n";
    assert_eq!(reaction(exception, 7), Some((Reaction::Allow, Some("known".into()))));
    assert_eq!(reaction(exception, 8), Some((Reaction::Deny, None)));

    let only = policy(&with(&format!("{memory}reaction = \"warn\"\nprofiles = [\"open\"]\n")));
    let of = |uid| judged(&only, uid, "POST", CREATE, r#"{"Image":"a"}"#);
    assert!(said(&of(7)).iter().all(|words| words.ends_with("Warn")) && said(&of(7)).len() == 1);
    assert_eq!(said(&of(8)), [""; 0]);

    let monitor = policy(&with(memory)).with_mode(Mode::Monitor);
    assert_eq!(judged(&monitor, 7, "POST", CREATE, r#"{"Image":"a"}"#).action, Action::Observe);
}

#[test]
fn a_refusal_names_rule_and_message() {
    let verdict = judged(&policy(&with(&rule("operation == 'SystemInfo'"))), 7, "GET", "/info", "");
    assert_eq!(verdict.summary(), "denied for ci (profile open): site.test: not here (rule)");
    assert_eq!(verdict.status(), 403);
    let found = &verdict.findings[0].check;
    assert_eq!((found.id(), found.risk(), found.attack()), ("site.test", 1, &[][..]));
}

/// A mistake in an expression, and the text that the caret is under.
fn mistake(when: &str) -> (String, String) {
    let text = with(&rule(when));
    let source = Source { path: "policy.toml".into(), text: text.clone() };
    let mut found = Policy::parse(&source).map_or_else(|found| found, |_| panic!("{when} is taken"));
    found.retain(|found| found.severity == Severity::Error);
    assert_eq!(found.len(), 1, "{when}: {found:#?}");
    (found[0].message.clone(), text.get(found[0].span.clone().unwrap()).unwrap().to_owned())
}

#[test]
fn mistakes_in_an_expression_are_told_where_they_are() {
    for (when, message, at) in [
        ("operation ==", "no CEL expression: mismatched input the end", ""),
        ("operation == 'a' &&& true", "no CEL expression", "&"),
        ("oparation == 'a'", "there is no variable 'oparation'", "oparation"),
        ("create != null && create.HostConfig.Memmory == 0", "there is no 'Memmory' here", "Memmory"),
        ("operation.matches('a')", "there is no function 'matches'", "matches"),
        ("operation.startsWith(1)", "this is a number, not text", "startsWith"),
        ("len(operation) > 1", "there is no function 'len'", "len"),
        ("peer.uid == '0'", "compares a number with text", "=="),
        ("create != null && create.HostConfig.CapAdd.contains('ALL')", "this is a list", "contains"),
        ("operation in 'ContainerCreate'", "looks for a value in text", "in"),
        ("operation in [1]", "looks for text among a number", "in"),
        ("peer.uid", "this is a number, and a rule must say yes or no", "uid"),
        ("operation", "this is text, and a rule must say yes or no", "operation"),
        ("operation == 'a' && peer.user", "this is text, not a yes or no", "user"),
        ("[create, container].exists(c, c != null && c.Imag == 'a')", "there is no 'Imag' here", "Imag"),
        ("peer.groups.exists(g, g.name == 'a')", "text has no 'name'", "name"),
        ("query.all(k, kk == 'a')", "there is no variable 'kk'", "kk"),
        ("peer.uid.exists(g, true)", "a number cannot be gone through", "uid"),
        ("peer == principal", "compares a record with a record", "=="),
        ("[create, exec].exists(c, c != null && 'User' in c)", "mixes a record with something else", "["),
        ("{'a': create, 'b': 1}.b == 1", "mixes a record with something else", "{"),
        ("(true ? create : exec) != null", "mixes a record with something else", "?"),
        (
            "create != null && create.HostConfig.Mounts.filter(m, m.ReadOnly).all(m, m.Tipe == 'bind')",
            "there is no 'Tipe' here",
            "Tipe",
        ),
        (
            "create != null && create.HostConfig.Mounts.map(m, m.Type).all(t, t.Type == 'bind')",
            "text has no 'Type'",
            "Type",
        ),
        ("'ö' == operation || opration == 'ö'", "there is no variable 'opration'", "opration"),
        ("Foo{a: 1} == operation", "there is no type 'Foo'", ""),
    ] {
        let (told, under) = mistake(when);
        assert!(told.starts_with(message), "{when}: {told}");
        assert!(at.is_empty() || under == at, "{when}: under {under:?}");
    }
}

#[test]
fn a_rule_that_would_refuse_every_call_is_a_mistake() {
    let (told, under) = mistake("create.HostConfig.Memory == 0");
    assert!(told.contains("GET /_ping") && told.contains("does not have"), "{told}");
    assert_eq!(under, "create.HostConfig.Memory == 0");
}

#[test]
fn an_expression_is_bounded_before_it_is_evaluated() {
    let loops = "peer.groups.all(a, peer.groups.all(b, peer.groups.all(c, a == b || b == c)))";
    let doubling = format!("['x']{}.size() == 1", ".map(x, x + x + x + x + x + x + x + x)".repeat(14));
    for (when, message) in [
        (format!("operation == '{}'", "x".repeat(5000)), "longer than 4096 bytes"),
        (format!("{}true{}", "(".repeat(9), ")".repeat(9)), "more than 8 brackets"),
        (format!("1{} == 1", " + 1".repeat(600)), "more than 512 operators"),
        (format!("1{} == 1", " + 1".repeat(100)), "nested too deeply"),
        (format!("operation == 'a'{}", " == true".repeat(100)), "nested too deeply"),
        (loops.to_owned(), "may take too long"),
        (doubling, "may take too long"),
    ] {
        let (told, _) = mistake(&when);
        assert!(told.starts_with(message), "{when}: {told}");
    }
    let conditions = vec!["operation == 'a'"; 60].join(" || ");
    assert!(!refuses(&conditions, 7, "GET", "/info", ""), "a long chain of conditions is no deep one");
    let two = "peer.groups.all(a, peer.groups.exists(b, a == b))";
    assert!(refuses(two, 7, "GET", "/info", ""));
}

#[test]
fn mistakes_of_every_rule_are_told_at_once_with_the_others() {
    let rules = "[[exception]]\nchecks = [\"site.b\"]\nprincipals = [\"cj\"]\nreason = \"x\"\n\
         [[rule]]\nid = \"memory\"\nwhen = \"true\"\nmessage = \"x\"\nreaction = \"ask\"\n\
         [[rule]]\nid = \"site.b\"\nwhen = \"a == 1 && b == 1\"\nmessage = \"\"\nprofiles = [\"nowhere\"]\n\
         [[rule]]\nid = \"site.b\"\nwhen = \"\"\nmessage = \"x\"\ncolour = \"red\"\n";
    let found = mistakes(&with(rules));
    for expected in [
        "'memory' is no id",
        "'ask' is no reaction",
        "no variable 'a'",
        "no variable 'b'",
        "a message is one line",
        "no profile 'nowhere'",
        "already",
        "no CEL expression",
        "unknown field `colour`",
        "no principal 'cj'",
    ] {
        assert!(found.iter().any(|message| message.contains(expected)), "{expected} in {found:#?}");
    }
    let too_many: String = (0..65).map(|at| rule("false").replace("site.test", &format!("site.r{at}"))).collect();
    assert!(mistakes(&with(&too_many)).iter().any(|message| message.contains("more than 64 rules")));
}

/// The longest that a rule within bounds takes on this thread's stack, which is that of a worker.
#[test]
fn the_deepest_expression_that_is_taken_fits_the_stack_of_a_worker() {
    let deep = format!("operation == 'a'{}", " == true".repeat(28));
    assert!(refuses(&format!("!({deep})"), 7, "GET", "/info", "") != refuses(&deep, 7, "GET", "/info", ""));
    let groups = "peer.groups.all(a, ".repeat(5);
    assert!(!refuses(&format!("{}operation == 'a'{}", "(".repeat(8), ")".repeat(8)), 7, "GET", "/info", ""));
    assert!(mistake(&format!("{groups}true{}", ")".repeat(5))).0.starts_with("may take too long"));
}

/// Words and signs of CEL, and what lies between them and nonsense.
const TOKENS: &str = "create exec container image query peer principal operation x k null true 1 0 9223372036854775807 2.5 3u \
    'a' 'ContainerCreate' b'a' [ ] ( ) { } : , ? . == != < in && || ! + - * / % .size() .all(x, .map(x, .filter(k, .exists(x, \
    .startsWith( has( int( string( .HostConfig .Memory .Labels .uid ö";

proptest! {
    /// The gate ends at a panic: neither a rule that an operator writes nor a body that a client sends may cause one.
    #[test]
    fn no_expression_and_no_body_ends_the_gate(
        tokens in prop::collection::vec(select(TOKENS.split_whitespace().collect::<Vec<_>>()), 1..12),
        memory in any::<i64>(),
        label in any::<String>(),
    ) {
        let source = Source { path: "policy.toml".into(), text: with(&rule(&tokens.join(" "))) };
        if let Ok((policy, _)) = Policy::parse(&source) {
            let label = serde_json::Value::from(label);
            let body = format!(r#"{{"Image":"a","Labels":{{{label}:{label}}},"HostConfig":{{"Memory":{memory}}}}}"#);
            let verdict = judged(&policy, 7, "POST", CREATE, &body);
            assert_eq!(verdict.permit().is_none(), !said(&verdict).is_empty());
        }
    }
}

#[test]
fn the_rules_that_the_starter_policy_shows_are_read() {
    let text = include_str!("../../../conf/policy.toml");
    let shown = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).skip_while(|line| *line != "[[rule]]");
    let shown: Vec<&str> = shown.filter(|line| *line != "#").collect();
    assert_eq!(mistakes(&format!("{text}\n{}", shown.join("\n"))), [""; 0]);
    assert_eq!(shown.iter().filter(|line| **line == "[[rule]]").count(), 3);
}

#[test]
fn no_check_of_ours_has_a_sites_name() {
    assert!(Check::ALL.iter().all(|check| !check.id().starts_with("site.")));
}
