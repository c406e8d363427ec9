//! What is told without a gate is what a gate does.

use std::path::Path;

use assert_cmd::Command;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tidewaiter::diagnostic::Source;
use tidewaiter::offline::{Asked, Input, identity};
use tidewaiter::policy::{Mode, Policy};

use super::cases::POLICY;
use super::support::case::{Case, HostPaths, clean};
use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};

#[test]
fn explain_says_of_every_raw_request_what_the_gate_does_with_it() {
    let source = Source { path: "policy.toml".into(), text: POLICY.into() };
    let (policy, _) = Policy::parse(&source).unwrap();
    let policy = policy.with_mode(Mode::Enforce);
    let asked = Asked { policy, source: Some(source), protected: Vec::new(), now: Timestamp::UNIX_EPOCH };
    let peer = identity([("uid", "0"), ("user", "root")]).unwrap();
    let (mut told, mut wrong) = (0, Vec::new());
    for case in Case::of_docker() {
        let Some(bytes) = case.without_engine() else { continue };
        told += 1;
        let answers: Vec<_> = match Input::read(&bytes) {
            Ok(Input::Http(askings)) => {
                askings.into_iter().map(|mut asking| asked.explain(&mut asking, &peer)).collect()
            }
            // What no gate would take for a request is no request here either.
            Ok(_) | Err(_) => Vec::new(),
        };
        let passes = !answers.is_empty() && answers.iter().all(|answer| answer.verdict == "allow");
        let may_pass = case.accept.iter().any(|verdict| verdict == "allow");
        let must_pass = case.expect == "allow" && case.accept.iter().all(|verdict| verdict == "allow");
        if (passes && !may_pass) || (!passes && must_pass) {
            let said: Vec<_> =
                answers.iter().map(|answer| (answer.operation, answer.verdict, &answer.findings)).collect();
            wrong.push(format!("{} {}: wanted {}, got {said:#?}", case.id, case.title, case.expect));
        }
    }
    assert!(told > 200, "{told} cases");
    assert!(wrong.is_empty(), "{} of {told}: {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn explain_with_the_engine_asked_says_what_the_gate_does_with_the_rest() {
    let _paths = HostPaths::hold();
    let engine = Engine::own();
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let at = |name: &str| gate.dir().join(name).display().to_string();
    let (mut told, mut wrong) = (0, Vec::new());
    for case in Case::of_docker().into_iter().filter(|case| case.without_engine().is_none()) {
        told += 1;
        std::fs::write(at("request"), case.prepare(engine.socket(), engine.socket())).unwrap();
        let address = format!("--engine=unix://{}", engine.socket().display());
        let (request, policy) = (at("request"), at("policy.toml"));
        let mut command = Command::cargo_bin("tidewaiter").unwrap();
        command.env("XDG_STATE_HOME", at("state")).env("XDG_CONFIG_HOME", at("config"));
        let args = ["explain", &request, "--as", "uid=0,user=root", "--policy", &policy, &address];
        let output = command.args(args).output().unwrap();
        clean(engine.socket());
        let passes = match output.status.code() {
            Some(0) => true,
            Some(1) => false,
            other => panic!("{other:?}: {}", text(&output.stderr)),
        };
        let may_pass = case.accept.iter().any(|verdict| verdict == "allow");
        let must_pass = case.expect == "allow" && case.accept.iter().all(|verdict| verdict == "allow");
        if (passes && !may_pass) || (!passes && must_pass) {
            let said = text(&output.stdout) + &text(&output.stderr);
            wrong.push(format!("{} {}: wanted {}, got {said}", case.id, case.title, case.expect));
        }
    }
    assert!(told >= 15, "{told} cases");
    assert!(wrong.is_empty(), "{} of {told}: {}", wrong.len(), wrong.join("\n"));
}

fn tidewaiter(args: &[&str]) -> std::process::Output {
    let dir = TempDir::new().unwrap();
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.env("XDG_STATE_HOME", dir.path()).env("XDG_RUNTIME_DIR", dir.path());
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn explain_names_the_line_that_decided_and_the_line_to_write() {
    let dir = TempDir::new().unwrap();
    let policy = dir.path().join("policy.toml");
    std::fs::write(&policy, POLICY).unwrap();
    let line = |words: &str| POLICY.lines().position(|line| line.contains(words)).unwrap() + 1;
    let policy = policy.display().to_string();
    let args =
        ["explain", "--json", "--as", "uid=5", "--policy", &policy, "--", "docker", "run", "-v", "/etc:/h", "alpine"];
    let output = tidewaiter(&args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = answer["answers"][0]["findings"].as_array().unwrap();
    let of = |check: &str| findings.iter().find(|found| found["check"] == check).unwrap();
    let image = of("image.not-allowed");
    assert_eq!(image["decided_by"], format!("{policy}:{}", line("\"image.not-allowed\"")), "{image}");
    assert_eq!(image["held_against"], format!("images, {policy}:{}", line("images =")), "{image}");
    assert_eq!(image["to_pass"][0], "[profile.reference]: images += \"docker.io/library/alpine:latest\"", "{image}");
    assert_eq!(of("mount.host-path")["decided_by"], "baseline (built in)");
    assert_eq!(
        of("mount.host-path")["to_pass"][0],
        "[profile.reference]: binds += { path = \"/etc\", access = \"ro\" }"
    );
}

#[test]
fn what_explain_says_to_write_lets_it_pass() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("policy.toml");
    let binds = "[{ path = \"/srv/data/**\", access = \"rw\" }]";
    let more = POLICY.replace(binds, "[{ path = \"/etc\", access = \"rw\" }]");
    let more = more.replace("[\"busybox:1.0\"]", "[\"docker.io/library/alpine:latest\"]");
    std::fs::write(&file, more).unwrap();
    let file = file.display().to_string();
    let output = tidewaiter(&["explain", "--policy", &file, "--", "run", "-v", "/etc:/h", "alpine"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
}

#[test]
fn a_container_is_explained_as_its_start() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("inspect.json");
    let inspect = r#"[{"Id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","Name":"/web","Image":"sha256:cd",
        "Config":{"Image":"busybox:1.0"},"HostConfig":{"PidMode":"host"},"Mounts":[]}]"#;
    std::fs::write(&file, inspect).unwrap();
    let output = tidewaiter(&["explain", &file.display().to_string(), "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = answer["answers"][0]["findings"].to_string();
    assert!(findings.contains("container.HostConfig.PidMode") && !findings.contains("container.unseen"), "{findings}");
}

#[test]
fn wrong_questions_are_named_and_exit_2() {
    for (args, named) in [
        (vec!["explain"], "required"),
        (vec!["explain", "--as", "who=me", "--", "run", "x"], "'who'"),
        (vec!["explain", "--as", "uid=me", "--", "run", "x"], "'me'"),
        (vec!["explain", "--", "run", "--frob", "x"], "--frob"),
        (vec!["explain", "--profile", "nobody"], "'nobody'"),
        (vec!["explain", "README.md"], "neither JSON nor an HTTP request"),
        (vec!["help", "privilegd"], "did you mean 'privileged'"),
        (vec!["test", "src"], "nothing was tested"),
    ] {
        let output = tidewaiter(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains(named), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn the_example_policies_pass_their_tests_and_a_test_can_fail() {
    let output = tidewaiter(&["test", "examples/policies"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    for policy in ["ci-runner", "developers", "reverse-proxy-and-updater"] {
        let checked = tidewaiter(&["test", &folder.join(policy).display().to_string(), "--json"]);
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert!(report["passed"].as_u64().unwrap() >= 6, "{policy}: {report}");
        // A copy of our own: the sources may lie where others can write.
        let dir = TempDir::new().unwrap();
        let copy = dir.path().join("policy.toml");
        std::fs::write(&copy, std::fs::read(folder.join(policy).join("policy.toml")).unwrap()).unwrap();
        let checked = tidewaiter(&["check", "--policy", &copy.display().to_string()]);
        assert!(checked.status.success() && !text(&checked.stderr).contains("warning: "), "{checked:?}");
    }
    // The same tests against a policy that lets everything pass.
    let dir = TempDir::new().unwrap();
    let open = dir.path().join("open.toml");
    std::fs::write(&open, "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"privileged\"\n").unwrap();
    let output = tidewaiter(&["test", "examples/policies", "--policy", &open.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("FAILED examples/policies/ci-runner/policy.test.toml:"), "{said}");
    assert!(said.contains("  expected deny by privileged\n  got      allow"), "{said}");
}

#[test]
fn with_the_engine_asked_an_old_volume_that_is_etc_is_seen() {
    let (engine, volume) = (Engine::shared(), unique("explained"));
    let direct = Docker::at(engine.socket());
    direct.ok(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", &volume]);
    let gate = Gate::monitor(engine.socket());
    let explain = |asks: &[&str]| {
        let mut command = Command::cargo_bin("tidewaiter").unwrap();
        command.env("XDG_STATE_HOME", gate.dir().join("state")).env("XDG_CONFIG_HOME", gate.dir());
        let bind = format!("{volume}:/v");
        let output =
            command.arg("explain").args(asks).args(["--", "run", "-v", &bind, "busybox:1.0"]).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = explain(&[]);
    assert!(code == Some(0) && said.contains("The engine was not asked"), "{said}");
    let (code, said) = explain(&[&format!("--engine=unix://{}", engine.socket().display())]);
    direct.ok(&["volume", "rm", &volume]);
    assert!(code == Some(1) && said.contains("mount.volume-driver") && !said.contains("not asked"), "{said}");
}

#[test]
fn with_the_engine_asked_a_container_is_not_taken_for_ones_own() {
    let (engine, name) = (Engine::shared(), unique("explained"));
    let direct = Docker::at(engine.socket());
    direct.ok(&["create", "--name", &name, "busybox:1.0"]);
    let gate = Gate::monitor(engine.socket());
    let file = gate.dir().join("inspect.json").display().to_string();
    std::fs::write(&file, direct.ok(&["inspect", &name])).unwrap();
    direct.ok(&["inspect", &name]);
    let explain = |asks: &[&str]| {
        let mut command = Command::cargo_bin("tidewaiter").unwrap();
        command.env("XDG_STATE_HOME", gate.dir().join("state")).env("XDG_CONFIG_HOME", gate.dir());
        text(&command.args(["explain", &file]).args(asks).output().unwrap().stdout)
    };
    assert!(!explain(&[]).contains("container.unseen"), "taken for made by whoever starts it");
    let said = explain(&[&format!("--engine=unix://{}", engine.socket().display())]);
    direct.ok(&["rm", &name]);
    assert!(said.contains("container.unseen"), "{said}");
}
