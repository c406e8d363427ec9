//! The Docker Engine: connecting, forwarding, taking over hijacked streams.

use std::path::PathBuf;

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
}
