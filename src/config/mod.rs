//! Both files an operator writes, validated once: every mistake at once, each with its place.
//!
//! [`load`] opens the files by [`trusted`], reads `tidewaiter.toml` by `sections` (over `table`, which collects mistakes
//! instead of stopping at the first, and `value`, which reads one value), and hands the policy's text to `policy`.

mod address;
mod host;
mod load;
mod sections;
mod sink;
mod table;
mod tls;
pub mod trusted;
mod value;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::policy::Policy;
use crate::watch::sensor;
use crate::{audit, engine, listen, sink as sinks};

pub use host::Host;
pub use load::{AdminDoors, Flags, Loaded, Records, Report, admin_doors, files, load, records};

/// Everything the program runs by.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the engine is.
    pub engine: engine::Address,
    /// The doors; at least one.
    pub doors: Vec<listen::Settings>,
    /// The policy.
    pub policy: Policy,
    /// The journal.
    pub audit: audit::Settings,
    /// Where records go beside the journal.
    pub sinks: Vec<sinks::Settings>,
    /// The admin socket, if there is to be one.
    pub admin: Option<PathBuf>,
    /// The console's port on loopback, if there is to be one; the admin socket is there then too.
    pub console: Option<SocketAddr>,
    /// State directory.
    pub state: PathBuf,
    /// Whether there is to be a kernel sensor.
    pub sensor: sensor::Want,
    /// Limits.
    pub limits: Limits,
}

impl Config {
    /// Files with certificates, keys and lists of what was revoked.
    pub fn certificate_files(&self) -> Vec<PathBuf> {
        let doors = self.doors.iter().filter_map(|door| door.address.tls()).flat_map(|tls| {
            let listen::Files { cert, key, client_ca, crl } = tls.files();
            [Some(cert), Some(key), Some(client_ca), crl.as_ref()].into_iter().flatten()
        });
        let engine = self.engine.tls().into_iter().flat_map(|tls| {
            let engine::Files { ca, cert, key } = tls.files();
            [ca, cert, key]
        });
        doors.chain(engine).cloned().collect()
    }
}

/// Limits; all have defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest judged body, in bytes.
    pub body: usize,
    /// Largest request head, in bytes.
    pub headers: usize,
    /// Client connections at once, per door.
    pub connections: usize,
    /// Calls at once, over all doors; a stream counts until the engine's head is there.
    pub calls: usize,
    /// From the first byte of a head to its last.
    pub head_timeout: Duration,
    /// From the head of a judged request to the last byte of its body.
    pub body_timeout: Duration,
    /// How long streams may go on after SIGTERM.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 4 << 20,
            // The engine takes heads of up to 1 MiB; a smaller limit would be seen in monitor mode.
            headers: 1 << 20,
            connections: 4096,
            calls: 1024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}
