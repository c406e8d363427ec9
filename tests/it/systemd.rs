//! What a service manager sees of the gate: a socket that it hands over by name, and signs of life.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::support::DEADLINE;
use super::support::docker::Docker;
use super::support::engine::Engine;

/// What systemd does: descriptor 3 is the socket, and the environment says so to this process alone.
const HAND_OVER: &str = r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=$1; shift
export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES; exec "$@""#;

struct Manager {
    dir: TempDir,
    notes: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let notes = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        notes.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { dir, notes }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    fn command(&self, name: &str, engine: &Path) -> Command {
        let socket = UnixListener::bind(self.socket()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", HAND_OVER, "sh", name, env!("CARGO_BIN_EXE_tidewaiter"), "run", "--listen", "fd://docker"]);
        command.args(["--engine", &format!("unix://{}", engine.display())]);
        command.env("XDG_STATE_HOME", self.dir.path().join("state")).env_remove("XDG_RUNTIME_DIR");
        command.env("NOTIFY_SOCKET", self.dir.path().join("notify")).env("WATCHDOG_USEC", "300000");
        command.stdin(Stdio::from(OwnedFd::from(socket)));
        command.stderr(File::create(self.dir.path().join("log")).unwrap());
        command
    }

    fn start(&self, name: &str, engine: &Path) -> Child {
        self.command(name, engine).spawn().unwrap()
    }

    fn refused(&self, name: &str, engine: &Path) -> (Output, String) {
        let output = self.command(name, engine).output().unwrap();
        let log = std::fs::read(self.dir.path().join("log")).unwrap();
        (output, String::from_utf8(log).unwrap())
    }

    /// Waits for a note that starts so.
    fn hear(&self, start: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            let length = self.notes.recv(&mut bytes).unwrap_or_else(|error| panic!("no note '{start}…': {error}"));
            let note = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if note.starts_with(start) {
                return note;
            }
        }
    }
}

#[test]
fn a_socket_that_was_handed_over_is_a_door_and_outlives_the_gate() {
    let engine = Engine::shared();
    let manager = Manager::new();
    let mut gate = manager.start("docker", engine.socket());
    let ready = manager.hear("READY=1");
    assert!(ready.contains("STATUS=open: unix://"), "{ready}");
    Docker::at(&manager.socket()).ok(&["version"]);
    manager.hear("WATCHDOG=1");
    manager.hear("WATCHDOG=1");
    kill(Pid::from_raw(gate.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(manager.hear("STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert!(gate.wait().unwrap().success());
    assert!(manager.socket().exists(), "it is the manager's, and not removed with the gate");
}

#[test]
fn a_socket_of_another_name_is_not_taken() {
    let manager = Manager::new();
    let (output, log) = manager.refused("web", Path::new("/nowhere.sock"));
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("no socket of this name was handed over by the service manager, but 'web'"), "{log}");
}

#[test]
fn a_door_that_was_handed_over_on_the_engines_own_path_is_refused() {
    let manager = Manager::new();
    let (output, log) = manager.refused("docker", &manager.socket());
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("is the engine's own socket"), "{log}");
}
