//! What the environment says about the user we run as; read once, passed as a value.

use std::path::PathBuf;

use jiff::Timestamp;

/// Who we run as, and where that user's files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Now, for what has expired by now.
    pub now: Timestamp,
    /// Effective user id.
    pub uid: u32,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// Whether `XDG_STATE_HOME` was set.
    pub state_is_said: bool,
    /// `$XDG_STATE_HOME`, else `~/.local/state`.
    pub state: Option<PathBuf>,
    /// What relative paths of flags start from.
    pub directory: PathBuf,
    /// The configuration that is read when no file is named.
    pub default_file: PathBuf,
}

impl Host {
    /// Reads the environment.
    pub fn current() -> Self {
        Self {
            now: Timestamp::now(),
            uid: nix::unistd::geteuid().as_raw(),
            runtime: directory("XDG_RUNTIME_DIR"),
            state: directory("XDG_STATE_HOME").or_else(|| Some(directory("HOME")?.join(".local/state"))),
            state_is_said: directory("XDG_STATE_HOME").is_some(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            default_file: PathBuf::from("/etc/tidewaiter/tidewaiter.toml"),
        }
    }

    /// Where the door is when none is named.
    pub(super) fn door(&self) -> Option<PathBuf> {
        self.place("/run/tidewaiter", self.runtime.as_ref()).map(|directory| directory.join("docker.sock"))
    }

    /// Where the admin socket is when none is named.
    pub(super) fn admin(&self) -> Option<PathBuf> {
        self.place("/run/tidewaiter", self.runtime.as_ref()).map(|directory| directory.join("admin.sock"))
    }

    /// Where the journal is when no place is named.
    pub(super) fn journal(&self) -> Option<PathBuf> {
        self.kept("/var/log/tidewaiter").map(|directory| directory.join("journal.jsonl"))
    }

    /// Where the state is when no place is named.
    pub(super) fn state(&self) -> Option<PathBuf> {
        self.kept("/var/lib/tidewaiter")
    }

    /// Root's place, unless `XDG_STATE_HOME` is set: then even root means it.
    fn kept(&self, root: &str) -> Option<PathBuf> {
        match &self.state {
            Some(state) if self.state_is_said => Some(state.join("tidewaiter")),
            state => self.place(root, state.as_ref()),
        }
    }

    fn place(&self, root: &str, user: Option<&PathBuf>) -> Option<PathBuf> {
        match self.uid {
            0 => Some(PathBuf::from(root)),
            _ => user.map(|directory| directory.join("tidewaiter")),
        }
    }
}

/// The XDG specification says to ignore a relative path.
fn directory(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
