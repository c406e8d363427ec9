//! Which door: a Unix socket, TCP with TLS, plain TCP on loopback, or what a service manager hands over; and an accept loop
//! that never dies of an accept error.

mod accept;
mod claim;
mod inherited;
mod refusals;
mod tls;

pub use accept::{AcceptTrouble, Accepted};
pub use refusals::{Refusal, Refusals, Refused, refusals};
pub use tls::{Files, HandshakeError, Names, Shown, Tls};

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use self::claim::Claim;

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
    /// A socket that the service manager opened, by its name there (`FileDescriptorName=`).
    Inherited(String),
    /// TLS over TCP, for clients with certificates.
    Tls {
        /// Any address.
        address: SocketAddr,
        /// What it shows and asks for.
        tls: Tls,
    },
}

/// An open door.
#[derive(Debug)]
pub struct Door {
    name: Arc<str>,
    listener: Listener,
    trouble: watch::Sender<AcceptTrouble>,
}

#[derive(Debug)]
enum Listener {
    Unix { listener: UnixListener, claim: Claim },
    Inherited { listener: UnixListener, path: Option<PathBuf> },
    Tcp { listener: TcpListener, tls: Option<Arc<Tls>> },
}

/// A door cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the door '{name}' at {address}: {why}")]
pub struct BindError {
    name: String,
    address: String,
    why: Why,
}

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("{} listens there; stop it, or give this door another address", process(*.0))]
    Live(Option<i32>),
    #[error("another tidewaiter{} holds {}; stop it, or give this door another address", aside(*pid), lock.display())]
    Held { lock: PathBuf, pid: Option<i32> },
    #[error("{0} is something else than a socket; move it away")]
    NotASocket(PathBuf),
    #[error("anybody may write to {0} and put another socket in its place; take that away (chmod o-w)")]
    OpenDirectory(PathBuf),
    #[error("the path is longer than the {} bytes a door's may have; choose a shorter one", claim::MAX_PATH)]
    TooLong,
    #[error("plain TCP is for loopback addresses only: whoever reaches it is root on this host")]
    NotLoopback,
    #[error("no socket of this name was handed over by the service manager{}; name it by FileDescriptorName= in the \
             .socket unit, and start the unit", but(.0))]
    NotHandedOver(Vec<String>),
    #[error("several sockets of this name were handed over; give each .socket unit a FileDescriptorName= of its own")]
    Ambiguous,
    #[error(
        "what was handed over is no listening stream socket; write ListenStream= and Accept=no in the .socket unit"
    )]
    NotListening,
    #[error("{doing}: {error}")]
    Io { doing: &'static str, error: io::Error },
}

impl Door {
    /// Opens a door. Must be called within a tokio runtime.
    ///
    /// A stale socket is taken over under a lock; a live one is never stolen, and nothing but a socket is ever removed.
    ///
    /// # Errors
    /// If somebody listens there, or the kernel refuses.
    pub fn bind(settings: &Settings) -> Result<Self, BindError> {
        let listener = match &settings.address {
            Address::Unix { path, mode, owner, group } => {
                claim::bind(path, *mode, *owner, *group).map(|(listener, claim)| Listener::Unix { listener, claim })
            }
            Address::Inherited(name) => inherited::take(name),
            Address::Tcp(address) if !address.ip().is_loopback() => Err(Why::NotLoopback),
            Address::Tcp(address) => bind_tcp(*address).map(|listener| Listener::Tcp { listener, tls: None }),
            Address::Tls { address, tls } => {
                bind_tcp(*address).map(|listener| Listener::Tcp { listener, tls: Some(Arc::new(tls.clone())) })
            }
        };
        let name = settings.name.clone();
        match listener {
            Ok(listener) => Ok(Self { name: name.into(), listener, trouble: watch::Sender::default() }),
            Err(why) => Err(BindError { name, address: settings.address.to_string(), why }),
        }
    }

    /// The door's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is in the file system; `None` for TCP and for sockets without a name there.
    pub fn path(&self) -> Option<&Path> {
        match &self.listener {
            Listener::Unix { claim, .. } => Some(claim.path()),
            Listener::Inherited { path, .. } => path.as_deref(),
            Listener::Tcp { .. } => None,
        }
    }

    /// Whether it can take connections: changes when it cannot, and when it can again.
    pub fn trouble(&self) -> watch::Receiver<AcceptTrouble> {
        self.trouble.subscribe()
    }
}

impl Address {
    /// Its address on TCP, with TLS or without.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix { .. } | Self::Inherited(_) => None,
            Self::Tcp(address) | Self::Tls { address, .. } => Some(*address),
        }
    }

    /// What it shows and asks for, if it speaks TLS.
    pub const fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Unix { .. } | Self::Inherited(_) | Self::Tcp(_) => None,
            Self::Tls { tls, .. } => Some(tls),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { path, .. } => write!(f, "unix://{}", path.display()),
            Self::Inherited(name) => write!(f, "fd://{name}"),
            Self::Tcp(address) | Self::Tls { address, .. } => write!(f, "tcp://{address}"),
        }
    }
}

/// Names a process, whose pid the kernel does not always tell.
fn process(pid: Option<i32>) -> String {
    pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"))
}

fn aside(pid: Option<i32>) -> String {
    pid.map(|pid| format!(", process {pid},")).unwrap_or_default()
}

/// What there is instead.
fn but(names: &[String]) -> String {
    if names.is_empty() { " (nothing was)".to_owned() } else { format!(", but '{}'", names.join("', '")) }
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, Why> {
    let io = |doing| move |error| Why::Io { doing, error };
    let listener = std::net::TcpListener::bind(address).map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse { Why::Live(None) } else { io("cannot listen")(error) }
    })?;
    listener.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    TcpListener::from_std(listener).map_err(io("cannot watch it"))
}

#[cfg(test)]
mod tests;
