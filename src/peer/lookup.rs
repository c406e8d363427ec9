//! Finding out who is on a connection.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsStream;

use super::ids::Ids;
use super::names::Names;
use super::process::{self, Facts, Process};
use super::{CallerContainer, Certificate, Group, Peer, TlsPeer, UnixPeer};
use crate::runtime::Stream;
use crate::sys;

/// How long a process's own memory is waited for; it is usually there in microseconds.
const CMDLINE_WAIT: Duration = Duration::from_millis(250);

/// Command lines that are read at once. A caller that lets its own be read for ever holds one of these threads; with all of
/// them held others go without a command line, and nothing else is lost.
const CMDLINE_READERS: usize = 16;

/// How long the name service is waited for, over all the names of one peer.
const NAMES_WAIT: Duration = Duration::from_secs(2);

/// Finds out who is on a connection; keeps the names it has learned.
#[derive(Debug)]
pub struct Lookup {
    ids: Ids,
    names: Names,
    readers: Arc<Semaphore>,
}

impl Lookup {
    /// A look-up that knows no names yet.
    pub fn new() -> Self {
        let readers = Arc::new(Semaphore::new(CMDLINE_READERS));
        Self { ids: Ids::of_this_process(), names: Names::default(), readers }
    }

    /// Who is on the other end of a connection. What cannot be had is absent. `remote` is the address that came with a TCP
    /// connection when it was accepted: the socket forgets it as soon as the client resets.
    pub async fn identify(&self, stream: &Stream, remote: Option<SocketAddr>) -> Peer {
        // Only a Unix socket comes without an address; 0.0.0.0:0 is nobody's.
        let address = remote.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        match stream {
            Stream::Unix(socket) => Peer::Unix(Box::new(self.unix(socket.as_fd()).await)),
            Stream::Tcp(_) => Peer::Tcp(address),
            // The handshake refuses what cannot be read; here it would be somebody without a certificate.
            Stream::Tls(stream) => match certificate(stream) {
                Some(certificate) => Peer::Tls(Box::new(TlsPeer { address, certificate })),
                None => Peer::Tcp(address),
            },
        }
    }

    async fn unix(&self, socket: BorrowedFd<'_>) -> UnixPeer {
        let Some((pid, uid, gid)) = process::credentials(socket) else {
            return UnixPeer { unplaced: true, ..UnixPeer::default() };
        };
        // 0 is a process in a PID namespace that we cannot see into.
        let pid = Some(pid).filter(|&pid| pid != 0);
        // Facts of the process first: it may not live long.
        let facts = match pid.and_then(|pid| Process::of_peer(socket, pid)) {
            Some(process) => self.facts(&process).await,
            None => Facts::default(),
        };
        let (uid, gid) = (self.ids.uid(uid), self.ids.gid(gid));
        let deadline = Instant::now() + NAMES_WAIT;
        let groups = self.groups(socket, gid, deadline).await;
        let account = match uid {
            Some(uid) => self.names.user(uid, deadline).await,
            None => None,
        };
        let (user, home) = account.map(|account| (account.name, account.home)).unzip();
        UnixPeer {
            uid,
            gid,
            pid,
            user,
            home,
            groups,
            exe: facts.exe,
            cmdline: facts.cmdline,
            login_uid: facts.login_uid,
            container: facts.container.map(|id| CallerContainer { id, image: None }),
            unplaced: !facts.placed,
        }
    }

    async fn facts(&self, process: &Process) -> Facts {
        let mut facts = process.facts();
        let pid = process.pid();
        let read = async {
            let place = Arc::clone(&self.readers).acquire_owned().await.ok()?;
            let read = spawn_blocking(move || {
                // Held as long as the thread is, not as long as it is waited for.
                let _place = place;
                process::cmdline(pid)
            });
            read.await.ok()?
        };
        facts.cmdline = timeout(CMDLINE_WAIT, read).await.unwrap_or_else(|_elapsed| {
            tracing::warn!(pid, "a caller's command line cannot be read in time");
            None
        });
        if process.is_same() { facts } else { Facts::default() }
    }

    /// The primary group and the supplementary ones.
    async fn groups(&self, socket: BorrowedFd<'_>, primary: Option<u32>, deadline: Instant) -> Vec<Group> {
        let mut gids: Vec<u32> = sys::peer_groups(socket).unwrap_or_default();
        gids.retain(|&gid| self.ids.gid(gid).is_some());
        if let Some(primary) = primary.filter(|gid| !gids.contains(gid)) {
            gids.insert(0, primary);
        }
        let mut groups = Vec::with_capacity(gids.len());
        for gid in gids {
            groups.push(Group { gid, name: self.names.group(gid, deadline).await });
        }
        groups
    }
}

fn certificate(stream: &TlsStream<TcpStream>) -> Option<Certificate> {
    let (_, session) = stream.get_ref();
    Certificate::parse(session.peer_certificates()?.first()?).ok()
}

impl Default for Lookup {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream as StdStream;
    use std::process::{Child, Command, Stdio};

    use tempfile::TempDir;
    use tokio::net::UnixListener;

    use super::*;

    /// Where the child of a test connects to; set only in that child.
    const CONNECT: &str = "TIDEWAITER_TEST_CONNECT";

    /// This test binary again, as a process that connects, and with an input stays until that is closed.
    fn caller(path: &std::path::Path, stdin: Stdio) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "peer::lookup::tests::connects_when_asked_to", "an argument"]);
        command.env(CONNECT, path).stdin(stdin).stdout(Stdio::null()).spawn().unwrap()
    }

    /// What [`caller`] runs; alone it has nothing to do.
    #[test]
    fn connects_when_asked_to() {
        if let Some(path) = std::env::var_os(CONNECT) {
            let _connection = StdStream::connect(path).unwrap();
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
    }

    async fn accepted(listener: &UnixListener) -> UnixPeer {
        let (stream, _unnamed) = listener.accept().await.unwrap();
        match Lookup::new().identify(&Stream::Unix(stream), None).await {
            Peer::Unix(peer) => *peer,
            Peer::Tcp(_) | Peer::Tls(_) => panic!("a Unix peer"),
        }
    }

    #[tokio::test]
    async fn another_process_is_known() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut child = caller(&path, Stdio::piped());
        let peer = accepted(&listener).await;
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        assert_eq!(peer.pid, Some(child.id()));
        assert_eq!(peer.exe, std::env::current_exe().ok());
        assert!(!peer.unplaced);
        assert_eq!(peer.cmdline.unwrap().last().unwrap(), "an argument");
    }

    #[tokio::test]
    async fn of_a_process_that_is_gone_only_the_credentials_remain() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut child = caller(&path, Stdio::null());
        assert!(child.wait().unwrap().success());
        let peer = accepted(&listener).await;
        assert_eq!((peer.pid, peer.uid), (Some(child.id()), Some(nix::unistd::getuid().as_raw())));
        // It may have run in a container, whose root is not the host's.
        assert!(peer.unplaced && !peer.is_on_host());
        assert_eq!((peer.exe, peer.cmdline, peer.login_uid, peer.container), (None, None, None, None));
    }

    #[tokio::test]
    async fn without_a_reader_only_the_command_line_is_missing() {
        let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
        let lookup = Lookup::new();
        let _all = Arc::clone(&lookup.readers).acquire_many_owned(CMDLINE_READERS.try_into().unwrap()).await.unwrap();
        let Peer::Unix(peer) = lookup.identify(&Stream::Unix(ours), None).await else { panic!("a Unix peer") };
        assert_eq!((peer.cmdline, peer.exe), (None, std::env::current_exe().ok()));
    }

    #[tokio::test]
    async fn a_unix_peer_has_its_credentials_groups_and_names() {
        let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
        let Peer::Unix(peer) = Lookup::new().identify(&Stream::Unix(ours), None).await else { panic!("a Unix peer") };
        let uid = nix::unistd::getuid();
        assert_eq!((peer.uid, peer.pid), (Some(uid.as_raw()), Some(std::process::id())));
        let account = nix::unistd::User::from_uid(uid).unwrap();
        assert_eq!(peer.user, account.map(|user| user.name));
        let mut expected: Vec<u32> =
            nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        expected.push(nix::unistd::getgid().as_raw());
        expected.sort_unstable();
        expected.dedup();
        let mut groups: Vec<u32> = peer.groups.iter().map(|group| group.gid).collect();
        groups.sort_unstable();
        assert_eq!(groups, expected);
    }
}
