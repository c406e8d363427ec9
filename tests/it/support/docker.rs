//! The Docker CLI, and shell scripts that use it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// Seconds after which a command is ended, with what it started: a stream that never ends fails one test, not all.
const PATIENCE: &str = "300";

/// The CLI at one socket, blind to the settings and credentials of whoever runs the tests.
#[derive(Debug)]
pub(crate) struct Docker {
    host: String,
    settings: TempDir,
}

/// What a command said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: std::process::ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Docker {
    pub(crate) fn at(socket: &Path) -> Self {
        Self { host: format!("unix://{}", socket.display()), settings: tempfile::tempdir().unwrap() }
    }

    /// The value for `DOCKER_HOST`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Runs `docker ARGS`.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        say(self.command("docker").args(["-H", &self.host]).args(args))
    }

    /// Runs `docker ARGS` and returns what it printed, without the last line end.
    ///
    /// # Panics
    /// If it fails.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert!(said.status.success(), "docker {}: {said:#?}", args.join(" "));
        said.stdout.trim_end().to_owned()
    }

    /// Runs a bash script with `DOCKER_HOST` and `variables` set; its first failing command ends it.
    pub(crate) fn script(&self, text: &str, variables: &[(&str, &str)]) -> Said {
        let mut bash = self.command("bash");
        bash.args(["-euo", "pipefail", "-c", text]).env("DOCKER_HOST", &self.host).envs(variables.iter().copied());
        say(&mut bash)
    }

    /// `timeout` ends the whole process group, which a kill of the child alone would not. The CLI shrugs off two gentler signals.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", PATIENCE]).arg(program).stdin(Stdio::null());
        for name in ["DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"] {
            command.env_remove(name);
        }
        command.env("DOCKER_CONFIG", self.settings.path());
        command
    }
}

fn say(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A name that nothing else has, on this engine or another; always as wide, since tables are as wide as their names.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{:03}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
