//! Calls that pass once an admin has approved them: asked, approved, used, and all of it recorded.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::support::docker::{Docker, Said, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options, WITH_ADMIN};
use super::support::raw::{Answer, ask};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[[principal]]
name = "bob"
profile = "site"
match = [{ gid = 61002 }]
[fallback]
profile = "site"
[profile.site]
extends = "baseline"
[profile.site.reactions]
"privileged" = "approve"
"namespace.ipc.host" = "approve"
"image.load" = "approve"
"exec.user" = "approve"
"#;

/// A gate, and the CLI through it.
#[derive(Debug)]
struct Site {
    gate: Gate,
    docker: Docker,
}

impl Site {
    fn new(engine: &Engine) -> Self {
        Self::with(engine, POLICY)
    }

    fn with(engine: &Engine, policy: &str) -> Self {
        let options = Options { config: Some(WITH_ADMIN), policy: Some(policy), ..Options::default() };
        let gate = Gate::start(engine.socket(), options);
        let docker = Docker::at(&gate.socket());
        Self { gate, docker }
    }

    /// `tidewaiter ARGS`, as the admin of this gate.
    fn admin(&self, args: &[&str]) -> Said {
        let config = self.gate.dir().join("tidewaiter.toml");
        let output =
            Command::new(env!("CARGO_BIN_EXE_tidewaiter")).args(args).arg("--config").arg(config).output().unwrap();
        Said {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `docker ARGS` as another user or a member of another group.
    fn as_other(&self, who: &str, args: &str) -> Said {
        let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        open(self.gate.dir(), 0o711);
        open(&self.gate.socket(), 0o666);
        let said = self.docker.script(&format!("setpriv {who} --clear-groups docker {args}"), &[]);
        // A folder that is open to others is none for a configuration.
        open(self.gate.dir(), 0o700);
        said
    }

    #[track_caller]
    fn decide(&self, args: &[&str]) -> String {
        let said = self.admin(args);
        assert!(said.status.success(), "{said:#?}");
        said.stdout
    }

    /// Ids and states of what may be decided on.
    fn open(&self) -> Vec<(String, String)> {
        let list: Vec<Value> = serde_json::from_str(&self.decide(&["approve", "--list", "--json"])).unwrap();
        let text = |approval: &Value, key: &str| approval[key].as_str().unwrap().to_owned();
        list.iter().map(|approval| (text(approval, "id"), text(approval, "state"))).collect()
    }

    /// The outcomes of calls that have met an approval, and the admins' words: `asked`, `used`, `approve`, …
    fn story(&self, id: &str) -> Vec<String> {
        let about = |record: &Value| record["approval"]["id"] == id && record["stage"] != "intent";
        let word = |record: &Value| match record["kind"].as_str() {
            Some("approval") => record["event"].as_str().unwrap().to_owned(),
            _ => record["approval"]["state"].as_str().unwrap().to_owned(),
        };
        self.gate.records().iter().filter(|record| about(record)).map(word).collect()
    }

    /// Waits for a story: a call's outcome is written after its answer.
    fn has_story(&self, id: &str, wanted: &[&str]) {
        eventually(&format!("the story of {id} is {wanted:?}"), || (self.story(id) == wanted).then_some(()));
    }
}

/// The id in a refusal that asks for approval.
#[track_caller]
fn asked(said: &Said) -> String {
    assert!(!said.status.success() && said.stderr.contains("needs approval for "), "{said:#?}");
    id_in(&said.stderr)
}

#[track_caller]
fn id_in(text: &str) -> String {
    let (_, rest) = text.split_once("`tidewaiter approve ").unwrap_or_else(|| panic!("no id in {text}"));
    rest.split('`').next().unwrap().to_owned()
}

fn create<'a>(name: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&["create", "--name", name], options, &["busybox:1.0", "true"]].concat()
}

/// Posts JSON, byte for byte.
fn post(socket: &Path, path: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    ask(socket, &(head + body)).unwrap()
}

#[test]
fn an_approved_create_passes_once_and_all_of_it_is_recorded() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let name = unique("approved");
    let privileged = create(&name, &["--privileged"]);
    let said = site.docker.run(&privileged);
    let id = asked(&said);
    assert!(said.stderr.contains("privileged (HostConfig.Privileged)"), "{said:#?}");
    assert_eq!(asked(&site.docker.run(&privileged)), id, "the same call asks once");
    assert_eq!(site.open(), [(id.clone(), "pending".to_owned())]);
    let listed = site.decide(&["approve", "--list"]);
    assert!(listed.contains(&id) && listed.contains(&format!("ContainerCreate {name} busybox:1.0: privileged")));

    let approved = site.decide(&["approve", &id.to_uppercase(), "--for", "1h"]);
    assert!(approved.contains("approved by root until "), "{approved}");
    site.docker.ok(&privileged);
    site.docker.ok(&["rm", &name]);
    let anew = asked(&site.docker.run(&privileged));
    assert_ne!(anew, id);
    let late = site.admin(&["approve", &id]);
    assert!(!late.status.success() && late.stderr.contains("used up"), "{late:#?}");

    site.has_story(&id, &["asked", "asked", "approve", "used"]);
    site.has_story(&anew, &["asked"]);
    let records = site.gate.records();
    let of = |state: &str| records.iter().find(|record| record["approval"]["state"] == state).unwrap();
    assert_eq!((&of("asked")["verdict"]["action"], &of("asked")["outcome"]["status"]), (&"deny".into(), &403.into()));
    let used = of("used");
    assert_eq!((&used["verdict"]["action"], &used["approval"]["by"]["user"]), (&"allow".into(), &"root".into()));
    let finding = &used["verdict"]["findings"][0];
    assert_eq!((&finding["reaction"], &finding["approved_by"]), (&"approve".into(), &"root".into()));
    let word = records.iter().find(|record| record["kind"] == "approval").unwrap();
    assert_eq!((&word["by"]["uid"], &word["approval"]["principal"]), (&0.into(), &"fallback".into()));
    assert_eq!(word["approval"]["call"], of("asked")["id"]);
    let verified =
        Command::new(env!("CARGO_BIN_EXE_tidewaiter")).args(["journal", "verify"]).arg(site.gate.journal()).output();
    assert!(verified.unwrap().status.success());
}

#[test]
fn an_approval_is_of_one_call_by_one_caller() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let name = unique("one");
    let id = asked(&site.docker.run(&create(&name, &["--privileged"])));
    site.decide(&["approve", &id]);
    // Anything that differs asks anew: a value, a name, one finding more, the image, the caller.
    for options in [&["--privileged", "--env", "A=b"][..], &["--privileged", "--ipc", "host"]] {
        assert_ne!(asked(&site.docker.run(&create(&name, options))), id, "{options:?}");
    }
    assert_ne!(asked(&site.docker.run(&create(&unique("one"), &["--privileged"]))), id);
    assert_ne!(asked(&site.docker.run(&["create", "--name", &name, "--privileged", "busybox:latest", "true"])), id);
    for who in ["--regid=61002", "--reuid=61001"] {
        let run = format!("create --name {name} --privileged busybox:1.0 true");
        assert_ne!(asked(&site.as_other(who, &run)), id, "{who}");
    }
    site.has_story(&id, &["asked", "approve"]);
    // A tag that has moved is another image, and one that leads nowhere may become any.
    let (behind, image) = (Docker::at(engine.socket()), unique("moved"));
    let create = ["create", "--privileged", &image, "true"];
    let said = site.docker.run(&create);
    assert!(!said.status.success() && said.stderr.contains("pull it first"), "{said:#?}");
    behind.ok(&["tag", "busybox:1.0", &image]);
    let id = asked(&site.docker.run(&create));
    site.decide(&["approve", &id]);
    let other = behind.ok(&["create", "busybox:1.0", "true"]);
    behind.ok(&["commit", &other, &image]);
    assert_ne!(asked(&site.docker.run(&create)), id);
    behind.ok(&["rm", &other]);
    behind.ok(&["rmi", &image]);
    // Spelling is no difference.
    let path = format!("/v1.41/containers/create?name={}", unique("spelt"));
    let answer = post(&site.gate.socket(), &path, r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#);
    assert_eq!(answer.status(), 403, "{answer:?}");
    let id = id_in(&answer.text());
    let other = "{ \"hostconfig\" : {\"PRIVILEGED\":true},\n \"image\":\"busybox:1.0\" }";
    for path in [&path, &path.replace("create?", "%63reate?")] {
        let same = post(&site.gate.socket(), path, other);
        assert_eq!(id_in(&same.text()), id, "{same:?}");
    }
}

#[test]
fn a_rejected_call_is_refused_without_being_asked_for_again() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let name = unique("rejected");
    let privileged = create(&name, &["--privileged"]);
    let id = asked(&site.docker.run(&privileged));
    assert!(site.decide(&["reject", &id]).contains("rejected by root"));
    let said = site.docker.run(&privileged);
    assert!(!said.status.success() && said.stderr.contains(&format!("by root (approval {id})")), "{said:#?}");
    // An admin may take an approval back.
    site.decide(&["approve", &id]);
    site.decide(&["reject", &id]);
    assert!(!site.docker.run(&privileged).status.success());
    site.has_story(&id, &["asked", "reject", "rejected", "approve", "reject", "rejected"]);
    let unknown = site.admin(&["approve", "0000000000"]);
    assert!(!unknown.status.success() && unknown.stderr.contains("no approval has the id"), "{unknown:#?}");
    assert_eq!(site.admin(&["approve", "../x"]).status.code(), Some(1));
    assert_eq!(site.admin(&["approve", &id, "--for", "25h"]).status.code(), Some(2));
    assert_eq!(site.admin(&["approve"]).status.code(), Some(2));
}

#[test]
fn an_approval_that_is_not_used_in_time_is_none() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let name = unique("late");
    let privileged = create(&name, &["--privileged"]);
    let id = asked(&site.docker.run(&privileged));
    site.decide(&["approve", &id, "--for", "1s"]);
    eventually("its second is over", || site.open().is_empty().then_some(()));
    assert_ne!(asked(&site.docker.run(&privileged)), id);
    site.has_story(&id, &["asked", "approve"]);
}

#[test]
fn approvals_outlive_the_gate() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine);
    let name = unique("restarted");
    let privileged = create(&name, &["--privileged"]);
    let id = asked(&site.docker.run(&privileged));
    site.gate.kill9();
    assert!(site.admin(&["approve", &id]).stderr.contains("cannot reach the gate"));
    site.gate.start_again();
    site.decide(&["approve", &id]);
    site.gate.kill9();
    site.gate.start_again();
    site.docker.ok(&privileged);
    site.docker.ok(&["rm", &name]);
    site.gate.kill9();
    site.gate.start_again();
    assert_ne!(asked(&site.docker.run(&privileged)), id, "used is used");
}

#[test]
fn what_was_approved_at_the_create_runs() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine);
    let name = unique("runs");
    let run = ["run", "--name", &name, "--ipc", "host", "busybox:1.0", "true"];
    let id = asked(&site.docker.run(&run));
    site.decide(&["approve", &id]);
    site.docker.ok(&run);
    // What runs something else in it is another thing, and so is what puts it there.
    asked(&site.docker.run(&["exec", &name, "sh"]));
    let copied = site.docker.run(&["cp", "/etc/hostname", &format!("{name}:/bin/true")]);
    assert!(!copied.status.success() && copied.stderr.contains("namespace.ipc.host"), "{copied:#?}");
    // As often as its caller likes, and after the index was lost; but not by another.
    site.docker.ok(&["start", "-a", &name]);
    site.gate.kill9();
    site.gate.lose_index();
    site.gate.start_again();
    site.docker.ok(&["start", "-a", &name]);
    for who in ["--regid=61002", "--reuid=61001"] {
        asked(&site.as_other(who, &format!("start {name}")));
    }
    let records = site.gate.records();
    let start = |record: &&Value| record["request"]["operation"] == "ContainerStart";
    let finding = &records.iter().find(start).unwrap()["verdict"]["findings"];
    assert!(finding.to_string().contains(&format!("approved when it was made ({id})")), "{finding}");
    site.docker.ok(&["rm", &name]);
}

#[test]
fn an_approved_exec_runs_once() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let name = unique("exec");
    site.docker.ok(&["run", "-d", "--name", &name, "busybox:1.0", "sleep", "600"]);
    let exec = ["exec", "-u", "0", &name, "echo", "done"];
    let id = asked(&site.docker.run(&exec));
    site.decide(&["approve", &id]);
    assert_eq!(site.docker.ok(&exec), "done");
    assert_ne!(asked(&site.docker.run(&exec)), id);
    site.docker.ok(&["rm", "-f", &name]);
}

#[test]
fn a_start_is_asked_for_by_the_containers_id() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let name = unique("behind");
    let behind = Docker::at(engine.socket());
    let full = behind.ok(&["create", "--name", &name, "--ipc", "host", "busybox:1.0", "true"]);
    let prefix: String = full.chars().take(12).collect();
    let id = asked(&site.docker.run(&["start", &name]));
    assert_eq!(asked(&site.docker.run(&["start", &prefix])), id);
    site.decide(&["approve", &id]);
    // Another container by the same name is another call.
    behind.ok(&["rename", &name, &format!("{name}-old")]);
    behind.ok(&["create", "--name", &name, "--ipc", "host", "busybox:1.0", "true"]);
    assert_ne!(asked(&site.docker.run(&["start", &name])), id);
    site.docker.ok(&["start", &full]);
    site.has_story(&id, &["asked", "asked", "approve", "used"]);
    behind.ok(&["rm", "-f", &name, &full]);
}

#[test]
fn nobody_can_approve_what_is_not_read() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let answer = post(&site.gate.socket(), "/v1.41/images/load", "not read");
    assert_eq!(answer.status(), 403, "{answer:?}");
    assert!(answer.text().contains("cannot be approved, since its body is not read"), "{answer:?}");
    assert_eq!(site.open(), []);
}

#[test]
fn in_monitor_mode_nobody_is_asked() {
    let engine = Engine::shared();
    let site = Site::with(&engine, &POLICY.replace("enforce", "monitor"));
    let name = unique("monitor");
    site.docker.ok(&create(&name, &["--privileged"]));
    site.docker.ok(&["rm", &name]);
    assert_eq!(site.open(), []);
    let records = site.gate.records();
    assert!(records.iter().any(|record| record["verdict"]["action"] == "observe"));
    assert!(records.iter().all(|record| record.get("approval").is_none()));
}

#[test]
fn without_the_engine_nothing_is_asked_and_nothing_used_up() {
    let engine = Engine::own();
    let site = Site::new(&engine);
    let privileged = create("late", &["--privileged"]);
    let id = asked(&site.docker.run(&privileged));
    site.decide(&["approve", &id]);
    engine.stop();
    let body = r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#;
    assert_eq!(post(&site.gate.socket(), "/v1.41/containers/create?name=late", body).status(), 503);
    assert_eq!(site.open(), [(id.clone(), "approved".to_owned())]);
    engine.restart();
    site.docker.ok(&privileged);
    site.has_story(&id, &["asked", "approve", "used"]);
}

#[test]
fn the_admin_socket_is_the_owners_alone_and_no_container_sees_it() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let socket = site.gate.dir().join("admin.sock");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for path in ["/", "/approvals/x/approve", "/approvals/7f3k000000/approve?for=0"] {
        assert!(post(&socket, path, "").status() >= 400, "{path}");
    }
    let bind = format!("{}:/s", socket.display());
    let said = site.docker.run(&create(&unique("sees"), &["-v", &bind]));
    assert!(!said.status.success() && said.stderr.contains("mount.engine-socket"), "{said:#?}");
}
