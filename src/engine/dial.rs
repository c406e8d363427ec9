//! Connecting to the engine.

use std::io;
use std::path::Path;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::Address;
use crate::runtime::Stream;

/// How long a connect may take in all, a TLS handshake included. A local engine answers at once or not at all; a full backlog is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Pause between tries while the engine's backlog is full.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// The engine cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to the Docker Engine at {address}: {source}")]
pub struct ConnectError {
    address: Address,
    source: io::Error,
}

/// Opens connections to one engine.
#[derive(Debug, Clone)]
pub struct Dialer {
    address: Address,
}

impl Dialer {
    /// A dialer for an address.
    pub const fn new(address: Address) -> Self {
        Self { address }
    }

    /// Where it dials.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens there, we may not, TLS fails, or it takes more than ten seconds.
    pub async fn connect(&self) -> Result<Stream, ConnectError> {
        let deadline = Instant::now() + CONNECT_DEADLINE;
        let timed = timeout_at(deadline, self.connect_patiently()).await;
        timed
            .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| ConnectError { address: self.address.clone(), source })
    }

    async fn connect_patiently(&self) -> io::Result<Stream> {
        match &self.address {
            Address::Unix(path) => connect_unix(path).await.map(Stream::Unix),
            Address::Tcp(address) => TcpStream::connect(address).await.and_then(prepare).map(Stream::Tcp),
            Address::Tls(tls) => tls.secure(TcpStream::connect(tls.target()).await.and_then(prepare)?).await,
        }
    }
}

async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            // A non-blocking connect to a Unix socket whose backlog is full fails with EAGAIN, where a client's
            // blocking one would wait; so do we.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BACKLOG_PAUSE).await,
            other => return other,
        }
    }
}

/// Small requests do not wait for the engine's next acknowledgement, and an engine's host that is gone is noticed.
fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_keepalive(true)?;
    Ok(stream)
}
