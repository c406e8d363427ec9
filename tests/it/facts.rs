//! What a request alone does not tell: containers made behind the gate, moved tags, old volumes, swapped links. Each meets the
//! same checks before anything runs.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::support::docker::{Docker, Said, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};
use super::support::raw::{Answer, ask};
use super::support::registry::Registry;

/// `{data}` is the one folder that may be bound.
const POLICY: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "site"
[profile.site]
extends = "baseline"
images = ["busybox:1.0"]
binds = [{ path = "{data}/**", access = "rw" }]
min-api = "1.12"
[profile.site.reactions]
"image.not-allowed" = "deny"
"image.load" = "allow"
"image.tag" = "allow"
"#;

/// A gate in enforce mode, the engine behind it, and a folder that may be bound.
#[derive(Debug)]
struct Site {
    engine: Docker,
    gate: Gate,
    gated: Docker,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(engine: &Engine) -> Self {
        Self::with(engine, "")
    }

    /// With more lines in the profile.
    fn with(engine: &Engine, more: &str) -> Self {
        // Not in /tmp: an engine of one's own may have its state there, which nobody may bind.
        let folder = tempfile::Builder::new().prefix("bound-").tempdir_in("/srv").unwrap();
        let policy = POLICY.replace("{data}", &folder.path().display().to_string());
        let policy = policy.replace("min-api", &format!("{more}\nmin-api"));
        let gate = Gate::start(engine.socket(), Options { policy: Some(&policy), ..Options::default() });
        let (direct, gated) = (Docker::at(engine.socket()), Docker::at(&gate.socket()));
        Self { engine: direct, gate, gated, folder }
    }

    fn data(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Makes a container behind the gate's back.
    fn made(&self, options: &[&str]) -> Made<'_> {
        let name = unique("made");
        let args = [&["create", "--name", &name], options, &["busybox:1.0", "sleep", "600"]].concat();
        self.engine.ok(&args);
        Made { docker: &self.engine, name }
    }

    fn state(&self, name: &str) -> String {
        self.engine.ok(&["inspect", "-f", "{{.State.Status}}", name])
    }
}

/// A container that goes with the value.
#[derive(Debug)]
struct Made<'a> {
    docker: &'a Docker,
    name: String,
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        self.docker.run(&["rm", "-f", &self.name]);
    }
}

#[track_caller]
fn refused(said: &Said, checks: &[&str]) {
    assert!(!said.status.success(), "{said:#?}");
    for check in checks {
        assert!(said.stderr.contains(check), "no {check} in {said:#?}");
    }
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
fn a_container_made_behind_the_gate_is_judged_when_it_is_started_through_it() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    for (options, checks) in [
        (&["--pid", "host", "-v", "/etc:/h:ro"][..], &["namespace.pid.host", "mount.sensitive"][..]),
        (&["--privileged"], &["privileged (container.HostConfig.Privileged)"]),
        (&["--cap-add", "SYS_ADMIN"], &["capability.added"]),
        (&["--security-opt", "seccomp=unconfined"], &["security.seccomp"]),
        (&["--network", "host"], &["namespace.network.host"]),
        (&["--device", "/dev/null:/dev/x"], &["device.host"]),
        (&["-v", "/run:/r"], &["mount.engine-socket"]),
    ] {
        let evil = site.made(options);
        let id = site.engine.ok(&["inspect", "-f", "{{.Id}}", &evil.name]);
        for name in [evil.name.as_str(), &id, &id.chars().take(12).collect::<String>()] {
            refused(&site.gated.run(&["start", name]), checks);
            refused(&site.gated.run(&["restart", name]), checks);
            refused(&site.gated.run(&["rename", name, &unique("other")]), checks);
            // The answer to a HEAD has no body that could say why.
            refused(&site.gated.run(&["cp", &format!("{name}:/etc/passwd"), "-"]), &[]);
            refused(&site.gated.run(&["commit", name, "mine"]), checks);
        }
        assert_eq!(site.state(&evil.name), "created", "{options:?}");
        // Looked at and removed it can always be.
        site.gated.ok(&["inspect", &evil.name]);
        site.gated.ok(&["rm", "-f", &evil.name]);
    }
}

#[test]
fn an_ordinary_container_made_behind_the_gate_starts() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let (data, volume) = (site.data("x"), unique("v"));
    std::fs::create_dir(&data).unwrap();
    for options in [
        &[][..],
        &["-v", &format!("{data}:/d")],
        &["-v", &format!("{volume}:/d"), "-v", "/anonymous"],
        &["-p", "127.0.0.1::80", "--restart", "on-failure", "--memory", "64m", "--pids-limit", "50"],
        &["--user", "5", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/t", "--init"],
        &["--network", "none", "--ipc", "shareable", "--security-opt", "no-new-privileges"],
    ] {
        let made = site.made(options);
        site.gated.ok(&["start", &made.name]);
        assert_eq!(site.state(&made.name), "running", "{options:?}");
        site.gated.ok(&["exec", &made.name, "true"]);
        site.gated.ok(&["restart", "-t", "0", &made.name]);
        site.gated.ok(&["pause", &made.name]);
        site.gated.ok(&["unpause", &made.name]);
        site.gated.ok(&["update", "--memory", "70m", "--memory-swap", "-1", &made.name]);
    }
    site.engine.run(&["volume", "rm", &volume]);
}

#[test]
fn exec_in_a_dangerous_container_is_refused() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let evil = site.made(&["--pid", "host"]);
    site.engine.ok(&["start", &evil.name]);
    refused(&site.gated.run(&["exec", &evil.name, "id"]), &["namespace.pid.host"]);
    refused(&site.gated.run(&["attach", "--no-stdin", &evil.name]), &["received 403"]);
    // An exec that another made, started through the gate.
    let path = format!("/v1.41/containers/{}/exec", evil.name);
    let made = post(engine.socket(), &path, r#"{"Cmd":["id"]}"#);
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let start = format!("/v1.41/exec/{}/start", made["Id"].as_str().unwrap());
    let answer = post(&site.gate.socket(), &start, r#"{"Detach":true}"#);
    assert_eq!(answer.status(), 403, "{}", answer.text());
    // A privileged exec in an ordinary container, made behind the gate.
    let plain = site.made(&[]);
    site.engine.ok(&["start", &plain.name]);
    let path = format!("/v1.41/containers/{}/exec", plain.name);
    let made = post(engine.socket(), &path, r#"{"Cmd":["id"],"Privileged":true}"#);
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let start = format!("/v1.41/exec/{}/start", made["Id"].as_str().unwrap());
    let answer = post(&site.gate.socket(), &start, r#"{"Detach":true}"#);
    assert!(answer.status() == 403 && answer.text().contains("exec.privileged"), "{}", answer.text());
}

#[test]
fn a_volume_that_was_made_as_a_bind_is_seen_through() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let volume = unique("disguise");
    let options = ["--opt", "type=none", "--opt", "o=bind", "--opt", "device=/etc"];
    refused(
        &site.gated.run(&[&["volume", "create"], &options[..], &[&unique("v")]].concat()),
        &["mount.volume-driver"],
    );
    site.engine.ok(&[&["volume", "create"], &options[..], &[&volume]].concat());
    let bound = format!("{volume}:/h");
    refused(
        &site.gated.run(&["create", "-v", &bound, "busybox:1.0"]),
        &["mount.volume-driver: volume disguise", "mount.sensitive: /etc"],
    );
    let mount = format!("type=volume,source={volume},target=/h");
    refused(&site.gated.run(&["create", "--mount", &mount, "busybox:1.0"]), &["mount.volume-driver"]);
    let evil = site.made(&["-v", &bound]);
    refused(&site.gated.run(&["start", &evil.name]), &["mount.volume-driver"]);
    let heir = site.made(&["--volumes-from", &evil.name]);
    refused(&site.gated.run(&["start", &heir.name]), &["mount.volume-driver", "container.Mounts[0]"]);
    drop((heir, evil));
    site.engine.run(&["volume", "rm", &volume]);
}

#[test]
fn a_link_that_is_swapped_between_create_and_start_is_followed() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let (plain, link) = (site.data("plain"), site.data("link"));
    std::fs::create_dir(&plain).unwrap();
    symlink("/etc", &link).unwrap();
    let bind = |source: &str| format!("{source}:/h:ro");
    refused(&site.gated.run(&["create", "-v", &bind(&link), "busybox:1.0"]), &["mount.symlink", "leads to /etc"]);
    refused(
        &site.gated.run(&["create", "-v", &bind(&format!("{link}/ssl")), "busybox:1.0"]),
        &["mount.symlink", "leads to /etc/ssl"],
    );
    let name = unique("swapped");
    site.gated.ok(&["create", "--name", &name, "-v", &bind(&plain), "busybox:1.0", "sleep", "600"]);
    let swapped = Made { docker: &site.engine, name };
    std::fs::remove_dir(&plain).unwrap();
    symlink("/etc", &plain).unwrap();
    refused(&site.gated.run(&["start", &swapped.name]), &["mount.symlink", "mount.sensitive"]);
    std::fs::remove_file(&plain).unwrap();
    std::fs::create_dir(&plain).unwrap();
    site.gated.ok(&["start", &swapped.name]);
    // A link that stays among what is listed leads nowhere else.
    symlink(&plain, site.data("inner")).unwrap();
    let inner = site.gated.ok(&["create", "-v", &bind(&site.data("inner")), "busybox:1.0"]);
    site.engine.ok(&["rm", &inner]);
}

#[test]
fn a_new_volume_on_a_link_is_followed() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let link = site.data("link");
    symlink("/etc", &link).unwrap();
    let device = format!("device={link}");
    let args = ["volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", &device];
    refused(&site.gated.run(&args), &["volume.host-path", "mount.symlink", "leads to /etc"]);
}

#[test]
fn a_legacy_start_cannot_bring_its_own_host_config() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let made = site.made(&[]);
    let path = format!("/v1.23/containers/{}/start", made.name);
    let answer = post(&site.gate.socket(), &path, r#"{"Binds":["/etc:/h"],"PidMode":"host"}"#);
    assert!(answer.status() == 403 && answer.text().contains("namespace.pid.host"), "{}", answer.text());
    assert_eq!(site.state(&made.name), "created");
}

#[test]
fn the_record_of_a_create_says_which_image_was_really_used() {
    let engine = Engine::shared();
    let site = Site::new(&engine);
    let id = site.engine.ok(&["image", "inspect", "-f", "{{.Id}}", "busybox:1.0"]);
    let made = site.gated.ok(&["create", "busybox:1.0"]);
    let create = eventually("the create's outcome", || {
        let is_outcome = |r: &Value| r["request"]["operation"] == "ContainerCreate" && r["stage"] == "outcome";
        site.gate.records().into_iter().find(is_outcome)
    });
    assert_eq!(create["image"]["id"], id.as_str());
    assert_eq!(create["outcome"]["image"]["id"], id.as_str());
    assert_eq!(create["container"]["id"], made.as_str());
    site.engine.ok(&["rm", &made]);
}

/// A tag is a name, and names move: with proof by digest only what came from a listed registry is on the list.
#[test]
fn a_moved_tag_proves_nothing() {
    let engine = Engine::own();
    let registry = Registry::start();
    let listed = format!("{}/base:1", registry.address);
    let more = format!("images = [\"{}/**\"]\nimage-proof = \"digest\"", registry.address);
    let policy = format!(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"site\"\n[profile.site]\nextends = \"baseline\"\n{more}\n\
         [profile.site.reactions]\n\"image.not-allowed\" = \"deny\"\n\"image.unproven\" = \"deny\"\n"
    );
    let gate = Gate::start(engine.socket(), Options { policy: Some(&policy), ..Options::default() });
    let (direct, gated) = (Docker::at(engine.socket()), Docker::at(&gate.socket()));
    direct.ok(&["tag", "busybox:1.0", &listed]);
    refused(&gated.run(&["create", &listed]), &["image.unproven"]);
    direct.ok(&["push", "-q", &listed]);
    direct.ok(&["rmi", &listed]);
    gated.ok(&["pull", "-q", &listed]);
    let by_digest = direct.ok(&["image", "inspect", "-f", "{{index .RepoDigests 0}}", &listed]);
    for name in [&listed, &by_digest] {
        gated.ok(&["run", "--rm", name, "true"]);
    }
    // Another image under the same name.
    let other = gated_import(&direct);
    direct.ok(&["tag", &other, &listed]);
    refused(&gated.run(&["create", &listed]), &["image.unproven"]);
    let evil = direct.ok(&["create", &listed, "true"]);
    refused(&gated.run(&["start", &evil]), &["image.unproven", "container.Image"]);
    refused(&gated.run(&["create", &other]), &["image.not-allowed"]);
    gated.ok(&["run", "--rm", &by_digest, "true"]);
}

/// Makes an image that no registry knows.
fn gated_import(docker: &Docker) -> String {
    let said = docker.script("tar -C / -c bin/busybox | docker import - ", &[]);
    assert!(said.status.success(), "{said:#?}");
    said.stdout.trim().to_owned()
}
