//! Accepting, come what may: an error is classified, waited out and told once; it never ends the loop.
//!
//! No descriptor is kept in reserve to accept and close connections when the process has run out of them: a client that
//! waits in the backlog is served as soon as something is given back, one that is turned away fails somebody's build.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Door, HandshakeError, Listener, Names, Shown, Tls};
use crate::runtime::Stream;

/// First pause after the kernel ran out of something; doubled up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(5);

/// Longest pause. Waiting clients are in the backlog; they lose nothing but this time.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How long nothing may fail before it is over. A process at its limit fails and succeeds by turns, with every descriptor
/// that comes and goes; each turn would be an episode of its own, in the log and in the journal.
const QUIET: Duration = Duration::from_secs(1);

/// Lost connections in a row that are believed: a security module's refusal looks like one, and stays.
const MAX_LOST: u32 = 64;

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: Stream,
    /// The other end's address, on TCP.
    pub remote: Option<SocketAddr>,
    /// What a TLS door asks for. The handshake is left to whoever serves the connection: it takes as long as its client lets it.
    pub tls: Option<Arc<Tls>>,
}

/// Whether a door can take connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptTrouble {
    /// What the kernel said first; `None`: connections are taken.
    pub error: Option<String>,
    /// Failures so far, or when it is over, how many there were.
    pub count: u64,
    /// When it failed last.
    pub(super) last: Option<Instant>,
}

/// What an accept error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// That one connection is lost; the next may be fine.
    Connection,
    /// The process or the host has run out of something, the listener is gone, or nothing is known: wait, so that it
    /// cannot spin.
    Listener,
}

impl Accepted {
    /// Makes a TLS door's connection TLS, and tells what its client has shown; any other is ready.
    ///
    /// # Errors
    /// If it is not TLS, or its client may not come in.
    pub async fn secure(self, names: Names) -> Result<(Stream, Option<Shown>), HandshakeError> {
        match (self.stream, self.tls) {
            (Stream::Tcp(stream), Some(tls)) => {
                let (stream, shown) = Box::pin(tls.handshake(stream, names)).await?;
                Ok((Stream::Tls(Box::new(stream.into())), Some(shown)))
            }
            (stream, _) => Ok((stream, None)),
        }
    }
}

impl Door {
    /// Waits for the next connection. Never fails: while the kernel refuses, it says so and goes on trying.
    pub async fn accept(&self) -> Accepted {
        let (mut lost, mut failed) = (0, 0);
        loop {
            let tried = match self.quiet_at() {
                None => self.try_accept().await,
                Some(quiet) => match timeout_at(quiet, self.try_accept()).await {
                    Ok(tried) => tried,
                    Err(_elapsed) => {
                        self.recovered();
                        continue;
                    }
                },
            };
            match tried {
                Ok(accepted) => return accepted,
                Err(error) if classify(&error) == Kind::Connection && lost < MAX_LOST => {
                    lost += 1;
                    tracing::debug!(%error, door = self.name(), "a connection ended before it was accepted");
                }
                Err(error) => {
                    self.in_trouble(&error);
                    failed += 1;
                    sleep(pause(failed)).await;
                }
            }
        }
    }

    /// When the trouble that there is will be over, if nothing else fails.
    fn quiet_at(&self) -> Option<Instant> {
        let trouble = self.trouble.borrow();
        trouble.error.as_ref().and(trouble.last).map(|last| last + QUIET)
    }

    async fn try_accept(&self) -> io::Result<Accepted> {
        match &self.listener {
            Listener::Unix { listener, .. } | Listener::Inherited { listener, .. } => {
                let (stream, _unnamed) = listener.accept().await?;
                Ok(Accepted { stream: Stream::Unix(stream), remote: None, tls: None })
            }
            Listener::Tcp { listener, tls } => {
                let (stream, remote) = listener.accept().await?;
                // Without it small answers wait for the client's next acknowledgement.
                let options = stream.set_nodelay(true);
                // A client that vanished without a FIN would hold its place for ever.
                if let Err(error) = options.and_then(|()| socket2::SockRef::from(&stream).set_keepalive(true)) {
                    tracing::debug!(%error, door = self.name(), "a connection keeps its default options");
                }
                Ok(Accepted { stream: Stream::Tcp(stream), remote: Some(remote), tls: tls.clone() })
            }
        }
    }

    /// Counts a failure. Says it at the first, and ever more rarely after that: the log must not fill up while everything
    /// else runs out, nor fall silent on a listener that is gone for good.
    fn in_trouble(&self, error: &io::Error) {
        let mut count = 1;
        self.trouble.send_if_modified(|trouble| {
            let begins = trouble.error.is_none();
            if begins {
                *trouble = AcceptTrouble { error: Some(error.to_string()), count: 0, last: None };
            }
            trouble.last = Some(Instant::now());
            trouble.count = trouble.count.saturating_add(1);
            count = trouble.count;
            begins
        });
        if count.is_power_of_two() {
            tracing::error!(%error, count, door = self.name(), "cannot accept connections; trying on, clients wait");
        }
    }

    fn recovered(&self) {
        let ended = self.trouble.send_if_modified(|trouble| trouble.error.take().is_some());
        if ended {
            tracing::warn!(count = self.trouble.borrow().count, door = self.name(), "accepting connections again");
        }
    }
}

/// How long to wait after so many failures in a row.
fn pause(failed: u32) -> Duration {
    let doublings = failed.saturating_sub(1);
    MIN_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(MAX_PAUSE)
}

fn classify(error: &io::Error) -> Kind {
    match error.raw_os_error().map(Errno::from_raw) {
        // On TCP, accept(2) also passes on what had already gone wrong on the new connection's network.
        Some(
            Errno::ECONNABORTED
            | Errno::ECONNRESET
            | Errno::EPROTO
            | Errno::EPERM
            | Errno::EINTR
            | Errno::EAGAIN
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::EHOSTUNREACH
            | Errno::EOPNOTSUPP
            | Errno::ENETUNREACH
            | Errno::ETIMEDOUT,
        ) => Kind::Connection,
        _exhausted_or_unknown => Kind::Listener,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_classified() {
        for (errno, kind) in [
            (Errno::ECONNABORTED, Kind::Connection),
            (Errno::EPERM, Kind::Connection),
            (Errno::ENETDOWN, Kind::Connection),
            (Errno::EMFILE, Kind::Listener),
            (Errno::ENFILE, Kind::Listener),
            (Errno::ENOMEM, Kind::Listener),
            (Errno::ENOBUFS, Kind::Listener),
            (Errno::EBADF, Kind::Listener),
            (Errno::EINVAL, Kind::Listener),
        ] {
            assert_eq!(classify(&errno.into()), kind, "{errno}");
        }
        assert_eq!(classify(&io::Error::other("none of the kernel's")), Kind::Listener);
    }

    #[test]
    fn pauses_grow_to_the_longest_and_no_further() {
        let pauses = [1, 2, 8, 9, 1000, u32::MAX].map(|failed| pause(failed).as_millis());
        assert_eq!(pauses, [5, 10, 640, 1000, 1000, 1000]);
    }
}
