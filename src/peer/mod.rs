//! Who is on the other end of a connection: what the kernel says, and what could be learned from it.
//!
//! A fact that could not be had is `None`; it is never guessed and never 0.

mod certificate;
mod container;
mod ids;
mod lookup;
mod names;
mod process;

pub use certificate::{BadCertificate, Certificate, label};
pub use lookup::Lookup;

use std::net::SocketAddr;
use std::path::PathBuf;

/// The other end of one client connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A process on this host, by the kernel's peer credentials.
    Unix(Box<UnixPeer>),
    /// Someone on a plain TCP door (loopback only): no identity beyond the address.
    Tcp(SocketAddr),
    /// Someone on a TLS door, by the client certificate that was verified.
    Tls(Box<TlsPeer>),
}

impl Peer {
    /// Who is behind a call, in a word that no two callers share: user id, certificate, or that it is not known.
    pub fn caller(&self) -> String {
        match self {
            Self::Unix(peer) => peer.uid.map_or_else(|| "unknown".to_owned(), |uid| format!("uid:{uid}")),
            Self::Tcp(_) => "tcp".to_owned(),
            Self::Tls(peer) => format!("certificate:{}", peer.certificate.sha256),
        }
    }
}

/// The holder of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPeer {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// The certificate.
    pub certificate: Certificate,
}

/// A process at the other end of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnixPeer {
    /// User id at `connect(2)`, from `SO_PEERCRED`; `None` if the kernel maps it to nobody in our user namespace.
    pub uid: Option<u32>,
    /// Group id at `connect(2)`.
    pub gid: Option<u32>,
    /// Process id at `connect(2)`; `None` if it lives in a PID namespace we cannot see.
    pub pid: Option<u32>,
    /// Login name of `uid`.
    pub user: Option<String>,
    /// Home directory of `uid`.
    pub home: Option<PathBuf>,
    /// The process's groups (`SO_PEERGROUPS` and the primary one), each with its name where it has one.
    pub groups: Vec<Group>,
    /// Path of the executable.
    pub exe: Option<PathBuf>,
    /// Command line; may hold secrets and is redacted in the audit.
    pub cmdline: Option<Vec<String>>,
    /// Login uid (`/proc/PID/loginuid`): who logged in before `sudo` or `su`.
    pub login_uid: Option<u32>,
    /// The container the caller itself runs in.
    pub container: Option<CallerContainer>,
    /// Whether nobody knows if it runs in one: it was gone before that could be learned, or lives where we cannot see.
    pub unplaced: bool,
}

impl UnixPeer {
    /// Whether it is known to run on the host itself, so that its ids are the host's.
    pub const fn is_on_host(&self) -> bool {
        self.container.is_none() && !self.unplaced
    }
}

/// A group of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Numeric id.
    pub gid: u32,
    /// Name, where the host knows one.
    pub name: Option<String>,
}

/// The container in which a caller runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerContainer {
    /// Full 64-hex id, from the caller's cgroup.
    pub id: String,
    /// Image reference as the engine names it; `None` until the engine was asked, if it does not know the container, or if
    /// the container was not given one of the gate's doors.
    pub image: Option<String>,
}
