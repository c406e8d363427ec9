//! The Docker Engine: connecting, forwarding with a permit, taking over hijacked streams, and the gate's own look-ups.

// The way there.
mod dial;
mod tls;
// Forwarding a client's call: one engine connection for one client connection.
mod forward;
mod half_close;
// After the engine took the connection over.
mod hijack;
// The gate's own calls.
mod inspect;
mod stream;

pub use dial::{ConnectError, Dialer};
pub use forward::{EngineConnection, OpenError, Upstream, open};
pub use half_close::{EngineIo, HalfClose};
pub use hijack::{Direction, Relay, RelayEnd, Side, raw_head};
pub use inspect::{Inspect, InspectError};
pub use stream::Lines;
pub use tls::{Files, Target, Tls};

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain TCP; only ever a loopback address.
    Tcp(SocketAddr),
    /// TLS over TCP, most often to another host.
    Tls(Tls),
}

impl Address {
    /// Its socket on this host; `None` on TCP.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Tcp(_) | Self::Tls(_) => None,
        }
    }

    /// What it asks for and shows, if it speaks TLS.
    pub const fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Unix(_) | Self::Tcp(_) => None,
            Self::Tls(tls) => Some(tls),
        }
    }

    /// Whether the engine runs on this host, so that its paths are ours.
    pub const fn is_here(&self) -> bool {
        match self {
            Self::Unix(_) | Self::Tcp(_) => true,
            Self::Tls(_) => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tls(tls) => match tls.target() {
                (host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
                (host, port) => write!(f, "tcp://{host}:{port}"),
            },
        }
    }
}
