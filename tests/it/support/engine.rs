//! Docker Engines: the one that all tests share, and engines of one's own that may be stopped and killed.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// An engine that answers when this is handed out.
#[derive(Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    /// The folder of an engine of one's own.
    own: Option<PathBuf>,
}

impl Engine {
    /// The engine that all tests share. Name what you make there uniquely, and never stop it.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn shared() -> Self {
        let socket = std::env::var_os("TIDEWAITER_TEST_ENGINE").expect(
            "run the tests by `make test`, or one by `tests/engine.sh with cargo test NAME`: they need an engine",
        );
        Self { socket: socket.into(), own: None }
    }

    /// Podman, for tests that run one after the other.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn podman() -> Self {
        let socket = std::env::var_os("TIDEWAITER_TEST_PODMAN").expect("run this by `make podman`: it needs Podman");
        Self { socket: socket.into(), own: None }
    }

    /// Starts an engine for one test; it goes with the value.
    pub(crate) fn own() -> Self {
        Self::own_with("")
    }

    /// As [`Engine::own`], with more options of dockerd.
    pub(crate) fn own_with(options: &str) -> Self {
        // Below the folder of the shared engine: what a killed test leaves there is stopped and removed in the end.
        let shared = Self::shared();
        let dir = tempfile::Builder::new().prefix("own-").tempdir_in(shared.socket.parent().unwrap()).unwrap().keep();
        run(script_command(&["start"], &dir).env("TIDEWAITER_DOCKERD_OPTIONS", options));
        Self { socket: dir.join("docker.sock"), own: Some(dir) }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Stops it in good order, containers and all. Its data stay.
    pub(crate) fn stop(&self) {
        script(&["stop"], self.dir());
    }

    /// Stops it if it runs, and starts it with the data it had.
    pub(crate) fn restart(&self) {
        self.stop();
        script(&["start"], self.dir());
    }

    /// Kills it at once, as the kernel does when memory runs out. [`Engine::restart`] brings it back.
    pub(crate) fn kill9(&self) {
        let pid = std::fs::read(self.dir().join("dockerd.pid")).unwrap();
        let pid = str::from_utf8(&pid).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    fn dir(&self) -> &Path {
        self.own.as_deref().expect("the shared engine is not ours to stop")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(dir) = &self.own {
            script(&["remove"], dir);
        }
    }
}

/// Runs `tests/engine.sh ARGS DIR`.
fn script(args: &[&str], dir: &Path) {
    run(&mut script_command(args, dir));
}

fn script_command(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine.sh"));
    command.args(args).arg(dir);
    command
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

#[test]
fn an_own_engine_keeps_its_containers_over_a_stop_and_a_kill() {
    use super::docker::Docker;

    let engine = Engine::own();
    let docker = Docker::at(engine.socket());
    docker.ok(&["create", "--name", "kept", "busybox:1.0"]);
    engine.stop();
    assert!(!docker.run(&["version"]).status.success());
    engine.restart();
    engine.kill9();
    engine.restart();
    assert_eq!(docker.ok(&["ps", "-a", "--format", "{{.Names}}"]), "kept");
}
