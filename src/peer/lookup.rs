//! Finding out who is on a connection.

use std::os::fd::{AsFd, BorrowedFd};

use super::names::Names;
use super::{CallerContainer, Group, Peer, UnixPeer, process};
use crate::runtime::Stream;
use crate::sys;

/// Finds out who is on a connection; keeps the names it has learned.
#[derive(Debug, Default)]
pub struct Lookup {
    names: Names,
}

impl Lookup {
    /// A look-up that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who is on the other end of a connection. What cannot be had is absent.
    pub async fn identify(&self, stream: &Stream) -> Peer {
        match stream {
            Stream::Unix(socket) => Peer::Unix(Box::new(self.unix(socket.as_fd()).await)),
            Stream::Tcp(socket) => socket.peer_addr().map_or_else(|_gone| Peer::Unix(Box::default()), Peer::Tcp),
        }
    }

    async fn unix(&self, socket: BorrowedFd<'_>) -> UnixPeer {
        let Some((pid, uid, gid)) = process::credentials(socket) else {
            return UnixPeer::default();
        };
        // 0 is a process in a PID namespace that we cannot see into.
        let pid = Some(pid).filter(|&pid| pid != 0);
        // Facts of the process first: it may not live long.
        let facts = pid.map(|pid| process::of_peer(socket, pid)).unwrap_or_default();
        let mut gids = sys::peer_groups(socket).unwrap_or_default();
        if !gids.contains(&gid) {
            gids.insert(0, gid);
        }
        let mut groups = Vec::with_capacity(gids.len());
        for gid in gids {
            groups.push(Group { gid, name: self.names.group(gid).await });
        }
        let account = self.names.user(uid).await;
        let (user, home) = account.map(|account| (account.name, account.home)).unzip();
        UnixPeer {
            uid: Some(uid),
            gid: Some(gid),
            pid,
            user,
            home,
            groups,
            exe: facts.exe,
            cmdline: facts.cmdline,
            login_uid: facts.login_uid,
            container: facts.container.map(|id| CallerContainer { id, image: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_unix_peer_has_its_credentials_groups_and_names() {
        let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
        let Peer::Unix(peer) = Lookup::new().identify(&Stream::Unix(ours)).await else { panic!("a Unix peer") };
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
