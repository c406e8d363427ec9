//! The built gate, as an operator starts it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::eventually;

/// The daemon's file of a gate with an admin socket; more may be put behind it.
pub(crate) const WITH_ADMIN: &str = r#"
[engine]
address = "unix://{engine}"
[listen.local]
address = "unix://{dir}/docker.sock"
[admin]
address = "unix://{dir}/admin.sock"
"#;

/// Records that a failed test shows.
const TOLD: usize = 40;

/// How a gate is started. `Options::default()` is what no option at all gives.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// `--mode`.
    pub(crate) mode: Option<&'a str>,
    /// The text of the policy file.
    pub(crate) policy: Option<&'a str>,
    /// The text of the daemon's file, which then names door and engine: `{dir}` becomes the gate's folder, `{engine}` the
    /// engine's socket, and the door has to be `unix://{dir}/docker.sock`.
    pub(crate) config: Option<&'a str>,
}

/// A running gate. It is killed with the value, and its folder goes too.
#[derive(Debug)]
pub(crate) struct Gate {
    dir: TempDir,
    arguments: Vec<String>,
    child: Child,
}

impl Gate {
    /// Starts a gate in front of `engine` and waits until it is open.
    ///
    /// # Panics
    /// If it ends or stays silent instead; what it said is in the message.
    pub(crate) fn start(engine: &Path, options: Options<'_>) -> Self {
        let dir = tempfile::Builder::new().prefix("gate-").tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let mut arguments = vec!["run".to_owned()];
        if let Some(text) = options.config {
            let text = text
                .replace("{dir}", &dir.path().display().to_string())
                .replace("{engine}", &engine.display().to_string());
            std::fs::write(at("tidewaiter.toml"), text).unwrap();
            arguments.extend(["--config".to_owned(), at("tidewaiter.toml")]);
        } else {
            let addresses = [format!("unix://{}", at("docker.sock")), format!("unix://{}", engine.display())];
            let [listen, engine] = addresses;
            arguments.extend(["--listen".to_owned(), listen, "--engine".to_owned(), engine]);
        }
        if let Some(text) = options.policy {
            std::fs::write(at("policy.toml"), text).unwrap();
            arguments.extend(["--policy".to_owned(), at("policy.toml")]);
        }
        if let Some(mode) = options.mode {
            arguments.extend(["--mode".to_owned(), mode.to_owned()]);
        }
        let child = spawn(dir.path(), &arguments);
        let mut gate = Self { dir, arguments, child };
        gate.wait_until_open(0);
        gate
    }

    /// A gate that refuses nothing.
    pub(crate) fn monitor(engine: &Path) -> Self {
        Self::start(engine, Options { mode: Some("monitor"), ..Options::default() })
    }

    /// A gate with the built-in policy, in force.
    pub(crate) fn enforce(engine: &Path) -> Self {
        Self::start(engine, Options { mode: Some("enforce"), ..Options::default() })
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// The journal's file, wherever below the state directory the gate keeps it.
    pub(crate) fn journal(&self) -> PathBuf {
        eventually("a journal", || find(self.dir.path(), "journal.jsonl"))
    }

    /// Removes the index of who made what, with all that belongs to it.
    pub(crate) fn lose_index(&self) {
        let index = find(self.dir.path(), "launches.sqlite").unwrap();
        for end in ["", "-wal", "-shm"] {
            std::fs::remove_file(format!("{}{end}", index.display())).ok();
        }
    }

    /// The records of the journal's current file so far; a line that is still being written is left out.
    pub(crate) fn records(&self) -> Vec<Value> {
        let bytes = std::fs::read(self.journal()).unwrap();
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        bytes[..whole]
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// What it wrote to its standard output and error.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.path().join("log")).unwrap()).into_owned()
    }

    /// The last launches, findings and other records that are no calls, for whoever looks why a test failed.
    fn told(&self) -> String {
        let journal =
            find(self.dir.path(), "journal.jsonl").and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&journal);
        let told: Vec<&str> = text.lines().filter(|line| !line.contains(r#""kind":"call""#)).collect();
        told.get(told.len().saturating_sub(TOLD)..).unwrap_or_default().join("\n")
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the gate ends", || child.try_wait().unwrap())
    }

    /// Kills it (SIGKILL): nothing of it can run any more.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after its end, with the same arguments, state and journal.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.try_wait().unwrap().is_some(), "the gate still runs");
        let said = self.log().len();
        self.child = spawn(self.dir.path(), &self.arguments);
        self.wait_until_open(said);
    }

    /// Waits until it has said so, behind what it had said before: the socket is there earlier, the journal and the index are not.
    fn wait_until_open(&mut self, said: usize) {
        let ended = eventually("the gate is open or ends", || {
            if self.log().get(said..).is_some_and(|log| log.contains(r#""message":"open""#)) {
                return Some(None);
            }
            self.child.try_wait().unwrap().map(Some)
        });
        if let Some(status) = ended {
            panic!("the gate ended with {status}:\n{}", self.log());
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            println!("--- the log of the gate ---\n{}", self.log());
            println!("--- what it recorded last beside calls ---\n{}", self.told());
        }
    }
}

fn spawn(dir: &Path, arguments: &[String]) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tidewaiter"))
        .args(arguments)
        .env("XDG_STATE_HOME", dir.join("state"))
        .env("XDG_CONFIG_HOME", dir.join("config"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(dir).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}

#[test]
fn a_gate_comes_back_after_a_kill_and_ends_well_when_asked() {
    use super::docker::Docker;
    use super::engine::Engine;

    let engine = Engine::shared();
    let mut gate = Gate::enforce(engine.socket());
    let docker = Docker::at(&gate.socket());
    docker.ok(&["version"]);
    gate.kill9();
    assert!(!docker.run(&["version"]).status.success());
    gate.start_again();
    docker.ok(&["version"]);
    assert!(gate.terminate().success());
    assert!(!gate.records().is_empty());
}
