//! Which door: a Unix socket or plain TCP on loopback, and an accept loop that never dies of an accept error.

use std::net::SocketAddr;
use std::path::PathBuf;

/// One door, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the door: the table's key.
    pub name: String,
    /// Where it listens.
    pub address: Address,
}

/// Where a door listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix {
        /// Absolute path.
        path: PathBuf,
        /// Permission bits; default 0660.
        mode: u32,
        /// Owner; `None`: left as made.
        owner: Option<u32>,
        /// Group; `None`: left as made.
        group: Option<u32>,
    },
    /// Plain TCP; only ever a loopback address.
    Tcp(SocketAddr),
}
