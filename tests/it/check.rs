//! `tidewaiter check`, as an operator sees it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use insta::assert_snapshot;

/// Writes a configuration, runs `check` over it, and gives back its code and all it said, without the temporary path.
fn check(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (name, text) in files {
        write(&at(name), text);
    }
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.current_dir(directory.path()).env_clear().env("HOME", "/home/operator").env("XDG_RUNTIME_DIR", "/run/user");
    let config = at("tidewaiter.toml");
    let output = command.arg("check").arg("--config").arg(&config).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let said = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    );
    said.replace(&*directory.path().to_string_lossy(), "/DIR")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

const PLACES: &str = "[audit]\njournal = '/j/journal.jsonl'\n[state]\ndirectory = '/s'\n";

const EIGHT_MISTAKES: &str = r#"polcy = "policy.toml"

[engine]
address = "tcp://engine.example:2376"

[listen.local]
address = "unix:///run/docker.sock"
mode    = 660
group   = "no-such-group-here"

[listen.remote]
address = "tcp://0.0.0.0:2375"

[audit]
sync = "effect"

[limits]
body  = "4MB"
drain = "10 seconds"
"#;

#[test]
fn eight_mistakes_are_shown_at_once() {
    assert_snapshot!(check(&[("tidewaiter.toml", EIGHT_MISTAKES)], &[]));
}

#[test]
fn eight_mistakes_as_json() {
    assert_snapshot!(check(&[("tidewaiter.toml", EIGHT_MISTAKES)], &["--json"]));
}

#[test]
fn what_would_run_is_told_where_there_is_no_policy() {
    let config = format!("{PLACES}[listen.local]\naddress = 'unix:///run/door.sock'\n");
    assert_snapshot!(check(&[("tidewaiter.toml", &config)], &["--engine", "unix:///run/engine.sock"]));
}

#[test]
fn a_syntax_error_hides_what_follows_from_it() {
    assert_snapshot!(check(&[("tidewaiter.toml", "[engine\naddress = 'tcp://x'\n")], &[]));
}

#[test]
fn a_policy_that_is_not_there_is_shown_where_it_is_named() {
    let config = format!("policy = 'absent.toml'\n{PLACES}");
    assert_snapshot!(check(&[("tidewaiter.toml", &config)], &[]));
}

const POLICY: &str = r#"version = 1

[[principal]]
name    = "operators"
admin   = true
profile = "privileged"
match   = [ { user = "root" }, { group = "wheel" } ]

[[principal]]
name    = "ci"
profile = "ci"
match   = [ { in-container = "registry.example.com/ci/runner:*" } ]

[profile.ci]
mode  = "enforce"
binds = [ { path = "/etc/**", access = "ro" } ]

[[exception]]
checks     = [ "privileged" ]
principals = [ "ci" ]
reason     = "docker-in-docker runner"
expires    = 2020-01-31
"#;

#[test]
fn what_a_policy_comes_to_is_told_with_its_warnings() {
    let config = format!("policy = 'policy.toml'\n{PLACES}[listen.local]\naddress = 'unix:///run/door.sock'\n");
    let files = [("tidewaiter.toml", config.as_str()), ("policy.toml", POLICY)];
    assert_snapshot!(check(&files, &["--engine", "unix:///run/engine.sock"]));
}

#[test]
fn what_a_policy_comes_to_as_json() {
    let config = format!("policy = 'policy.toml'\n{PLACES}[listen.local]\naddress = 'unix:///run/door.sock'\n");
    let files = [("tidewaiter.toml", config.as_str()), ("policy.toml", POLICY)];
    assert_snapshot!(check(&files, &["--engine", "unix:///run/engine.sock", "--json"]));
}

#[test]
fn a_mistake_in_a_rule_is_shown_inside_its_expression() {
    let policy = r#"version = 1
[[rule]]
id      = "site.memory-limit"
when    = "operation == 'ContainerCreate' && create.HostConfig.Memmory == 0"
message = "set a memory limit (--memory)"
[[rule]]
id      = "site.team"
when    = """
operation == 'ContainerCreate'
  && !('team' in create.Labels"""
message = "say whose it is (--label team=…)"
"#;
    let config = format!("policy = 'policy.toml'\n{PLACES}");
    assert_snapshot!(check(&[("tidewaiter.toml", &config), ("policy.toml", policy)], &[]));
}

#[test]
fn wrong_usage_is_2() {
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    command.args(["check", "--no-such-flag"]).assert().code(2);
}
