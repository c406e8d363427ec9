//! What an operator chooses about a sink.

use std::path::PathBuf;

use super::{Format, Kind, Severity, Tls};

/// A sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name, which is in the records about it and names the file of its position.
    pub name: String,
    /// Where records go.
    pub target: Target,
    /// How they are written.
    pub format: Format,
    /// The kinds that go there; all if it is empty.
    pub kinds: Vec<Kind>,
    /// Nothing that matters less goes there.
    pub least: Severity,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The system's journal, by its native protocol, at its socket.
    Journald(PathBuf),
    /// Syslog at a Unix socket: datagrams, or a stream where the socket is one.
    Unix(PathBuf),
    /// Syslog over plain TCP: host and port.
    Tcp(String, u16),
    /// Syslog over TLS.
    Tls(Tls),
}

impl Settings {
    /// Whether a record goes there.
    pub(super) fn takes(&self, record: &serde_json::Value) -> bool {
        let is_chosen = self.kinds.is_empty() || self.kinds.contains(&Kind::of(record));
        is_chosen && Severity::of(record) >= self.least
    }
}
