//! The Docker Engine: connecting, forwarding with a permit, taking over hijacked streams, and the gate's own look-ups.

// The way there.
mod dial;
// Forwarding a client's call: one engine connection for one client connection.
mod forward;
mod half_close;
// After the engine took the connection over.
mod hijack;
// The gate's own calls.
mod inspect;

pub use dial::{ConnectError, Dialer};
pub use forward::{EngineConnection, OpenError, Upstream, open};
pub use half_close::{EngineIo, HalfClose};
pub use hijack::{Direction, Relay, RelayEnd, Side, raw_head};
pub use inspect::{Inspect, InspectError};

use std::fmt;
use std::path::PathBuf;

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}
