//! Podman's Docker-compatible socket: what was made through the gate starts through it, and what was made behind it does not.

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "site"
[profile.site]
extends = "baseline"
images = ["busybox:1.0"]
binds = [{ path = "{data}/**", access = "rw" }]
[profile.site.reactions]
"image.not-allowed" = "deny"
"#;

#[test]
#[ignore = "needs Podman: run by `make podman`"]
fn on_podman_what_was_made_through_the_gate_starts_and_nothing_else() {
    let engine = Engine::podman();
    let folder = tempfile::Builder::new().prefix("bound-").tempdir_in("/srv").unwrap();
    let policy = POLICY.replace("{data}", &folder.path().display().to_string());
    let gate = Gate::start(engine.socket(), Options { policy: Some(&policy), ..Options::default() });
    let (direct, gated) = (Docker::at(engine.socket()), Docker::at(&gate.socket()));
    let make = |docker: &Docker, options: &[&str]| {
        let name = unique("made");
        let options = [&["create", "--network", "none", "--name", &name], options].concat();
        docker.ok(&[&options[..], &["busybox:1.0", "sleep", "600"]].concat());
        name
    };
    let remove = |name: &str| {
        direct.run(&["kill", name]);
        direct.ok(&["rm", "-f", name]);
    };

    let (data, volume) = (folder.path().join("x").display().to_string(), unique("v"));
    std::fs::create_dir(&data).unwrap();
    let (bind, named) = (format!("{data}:/d"), format!("{volume}:/d"));
    for options in [
        &[][..],
        &["-v", &bind],
        &["-v", &named, "-v", "/anonymous"],
        &["--restart", "on-failure", "--memory", "64m", "--pids-limit", "50"],
        &["--user", "5", "--cap-drop", "ALL", "--read-only", "--tmpfs", "/t"],
        &["--ipc", "shareable", "--security-opt", "no-new-privileges"],
    ] {
        let name = make(&gated, options);
        gated.ok(&["start", &name]);
        gated.ok(&["exec", &name, "true"]);
        gated.ok(&["restart", "-t", "0", &name]);
        remove(&name);
    }
    direct.run(&["volume", "rm", &volume]);

    // What Podman tells of comes with it by name.
    for (options, check) in [
        (&[][..], "facts.missing"),
        (&["--ipc", "host"], "facts.missing"),
        (&["--pid", "host"], "namespace.pid.host"),
        (&["--privileged"], "privileged"),
        (&["--cap-add", "SYS_ADMIN"], "capability.added"),
        (&["--security-opt", "seccomp=unconfined"], "security.seccomp"),
        (&["-v", "/etc:/h:ro"], "mount.sensitive"),
    ] {
        let name = make(&direct, options);
        for verb in ["start", "restart"] {
            let said = gated.run(&[verb, &name]);
            assert!(!said.status.success() && said.stderr.contains(check), "{options:?}: {said:#?}");
        }
        assert_eq!(direct.ok(&["inspect", "-f", "{{.State.Status}}", &name]), "created", "{options:?}");
        gated.ok(&["inspect", &name]);
        gated.ok(&["rm", "-f", &name]);
    }
}
