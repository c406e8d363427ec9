//! Accepting, come what may: an error is classified, waited out and told once; it never ends the loop.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use tokio::time::sleep;

use super::{Door, Listener};
use crate::runtime::Stream;

/// First pause after the kernel ran out of something; doubled up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(5);

/// Longest pause. Waiting clients are in the backlog; they lose nothing but this time.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: Stream,
    /// The other end's address, on TCP.
    pub remote: Option<SocketAddr>,
}

/// Accept errors in a row.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    in_a_row: AtomicU64,
}

/// What an accept error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// That one connection is lost; the next may be fine.
    Connection,
    /// The process or the host has run out of something; wait until some is given back.
    Exhausted,
    /// Nothing known; wait too, so that it cannot spin.
    Other,
}

impl Door {
    /// Waits for the next connection. Never fails: while the kernel refuses, it says so once and goes on trying.
    pub async fn accept(&self) -> Accepted {
        let mut pause = MIN_PAUSE;
        loop {
            match self.try_accept().await {
                Ok(accepted) => {
                    self.recovered();
                    return accepted;
                }
                Err(error) => match classify(&error) {
                    Kind::Connection => {
                        tracing::debug!(%error, door = self.name(), "a connection ended before it was accepted");
                    }
                    Kind::Exhausted | Kind::Other => {
                        self.in_trouble(&error);
                        sleep(pause).await;
                        pause = (pause * 2).min(MAX_PAUSE);
                    }
                },
            }
        }
    }

    async fn try_accept(&self) -> io::Result<Accepted> {
        match &self.listener {
            Listener::Unix { listener, .. } => {
                let (stream, _unnamed) = listener.accept().await?;
                Ok(Accepted { stream: Stream::Unix(stream), remote: None })
            }
            Listener::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                // Without it small answers wait for the client's next acknowledgement.
                stream.set_nodelay(true)?;
                socket2::SockRef::from(&stream).set_keepalive(true)?;
                Ok(Accepted { stream: Stream::Tcp(stream), remote: Some(remote) })
            }
        }
    }

    /// Says it once an episode, not once a try: the log must not fill up while everything else runs out.
    fn in_trouble(&self, error: &io::Error) {
        if self.trouble.in_a_row.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!(%error, door = self.name(), "cannot accept connections; trying on, clients wait meanwhile");
        }
    }

    fn recovered(&self) {
        let tries = self.trouble.in_a_row.swap(0, Ordering::Relaxed);
        if tries > 0 {
            tracing::warn!(tries, door = self.name(), "accepting connections again");
        }
    }
}

fn classify(error: &io::Error) -> Kind {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNABORTED | Errno::ECONNRESET | Errno::EPROTO | Errno::EPERM | Errno::EINTR | Errno::EAGAIN) => {
            Kind::Connection
        }
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) => Kind::Exhausted,
        _unknown => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_classified() {
        for (errno, kind) in [
            (Errno::ECONNABORTED, Kind::Connection),
            (Errno::EMFILE, Kind::Exhausted),
            (Errno::ENFILE, Kind::Exhausted),
            (Errno::ENOMEM, Kind::Exhausted),
            (Errno::ENOBUFS, Kind::Exhausted),
            (Errno::EBADF, Kind::Other),
        ] {
            assert_eq!(classify(&errno.into()), kind, "{errno}");
        }
        assert_eq!(classify(&io::Error::other("none of the kernel's")), Kind::Other);
    }
}
