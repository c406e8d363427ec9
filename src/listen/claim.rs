//! Taking a Unix socket's path: under a lock, never from a live owner, and never reachable with the wrong permissions.
//!
//! The socket is bound under its own name, not renamed into place: the kernel keeps the name it was bound under for ever, and
//! `ss`, `getsockname` and what clients say of the other end would show another. It listens last, so that until then
//! everybody is refused, as they were by the stale socket it replaces.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::stat::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::Why;

/// Longest path of a door, in bytes: what the kernel takes, `sun_path` less its NUL.
pub(super) const MAX_PATH: usize = 107;

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`, whose default this is.
const BACKLOG: i32 = 4096;

/// A path that is ours until this is dropped; then the socket is removed, if it is still the one we made.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    inode: (u64, u64),
    /// Held as long as the door is open. The file stays: removing it would let two gates lock two files of one name.
    _lock: Flock<File>,
}

/// Binds a socket that listens with its final owner and mode.
pub(super) fn bind(
    path: &Path,
    mode: u32,
    owner: Option<u32>,
    group: Option<u32>,
) -> Result<(UnixListener, Claim), Why> {
    if path.as_os_str().len() > MAX_PATH {
        return Err(Why::TooLong);
    }
    prepare_directory(path)?;
    let lock = lock(path)?;
    remove_stale(path)?;
    let socket = bind_deaf(path)?;
    let made = std::fs::symlink_metadata(path).map_err(io("cannot look at it"))?;
    // From here on a failure removes the socket with the claim.
    let claim = Claim { path: path.to_owned(), inode: inode(&made), _lock: lock };
    lchown(path, owner, group).map_err(io("cannot give it to its owner and group"))?;
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("cannot set its mode"))?;
    socket.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    socket.listen(BACKLOG).map_err(io("cannot listen"))?;
    let listener = StdListener::from(OwnedFd::from(socket));
    Ok((UnixListener::from_std(listener).map_err(io("cannot watch it"))?, claim))
}

/// Binds a socket that does not listen yet, and whose file is its maker's alone. Linux makes the file with the mode of the
/// unbound socket, less the umask.
fn bind_deaf(path: &Path) -> Result<Socket, Why> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(io("cannot make a socket"))?;
    // Not less than this: after a crash the next start must be able to see that nobody listens.
    let own = Mode::S_IRUSR | Mode::S_IWUSR;
    fchmod(&socket, own).map_err(|errno| io("cannot close it to others")(errno.into()))?;
    let address = SockAddr::unix(path).map_err(io("cannot use its path"))?;
    socket.bind(&address).map_err(io("cannot bind"))?;
    Ok(socket)
}

/// Makes the socket's directory if only that is missing, and refuses one in which anybody could replace the socket.
fn prepare_directory(path: &Path) -> Result<(), Why> {
    let Some(directory) = path.parent() else { return Err(Why::NotASocket(path.to_owned())) };
    // One level, as in `/run/tidewaiter/docker.sock`: more than one is rather a typing mistake.
    match DirBuilder::new().mode(0o755).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(io("cannot make its directory")(error)),
        Ok(()) | Err(_) => {}
    }
    let mode = std::fs::metadata(directory).map_err(io("cannot look at its directory"))?.mode();
    // With the sticky bit, as on /tmp, others can only add files.
    if mode & 0o1002 == 0o0002 { Err(Why::OpenDirectory(directory.to_owned())) } else { Ok(()) }
}

fn lock(path: &Path) -> Result<Flock<File>, Why> {
    let lock = with_suffix(path, ".lock");
    // Not through a symlink, nor waiting for the other end of a FIFO, that somebody put there.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(&lock);
    let file = file.map_err(io("cannot open its lock file"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_file, errno)| {
        if errno == nix::Error::EWOULDBLOCK {
            let pid = match who_listens(path) {
                Ok(Listens::Somebody(pid)) => pid,
                Ok(Listens::Nobody) | Err(_) => None,
            };
            Why::Held { lock, pid }
        } else {
            io("cannot lock its lock file")(errno.into())
        }
    })
}

/// Makes room: removes a socket that nobody listens on, and nothing else.
fn remove_stale(path: &Path) -> Result<(), Why> {
    if !is_socket(path)? {
        return Ok(());
    }
    if let Listens::Somebody(pid) = who_listens(path)? {
        return Err(Why::Live(pid));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("cannot remove the stale socket")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether anybody listens on a socket.
#[derive(Debug, PartialEq, Eq)]
enum Listens {
    Nobody,
    /// By which pid, where the kernel tells.
    Somebody(Option<i32>),
}

fn who_listens(path: &Path) -> Result<Listens, Why> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(io("cannot make a socket"))?;
    // Else a hung owner with a full backlog would hang us too.
    socket.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    match SockAddr::unix(path).and_then(|address| socket.connect(&address)) {
        // A socket that vanished in between is an empty place.
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(Listens::Nobody),
        Ok(()) => {
            // Kept by the kernel since `listen(2)`; 0 is a process in a PID namespace that we cannot see into.
            let pid = getsockopt(&socket, PeerCredentials).ok().map(|owner| owner.pid());
            Ok(Listens::Somebody(pid.filter(|&pid| pid != 0)))
        }
        // A full backlog, or not ours to try: somebody may be there.
        Err(_) => Ok(Listens::Somebody(None)),
    }
}

/// Whether there is a socket; anything else but an empty place is an error.
fn is_socket(path: &Path) -> Result<bool, Why> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io("cannot look at what is there")(error)),
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_other) => Err(Why::NotASocket(path.to_owned())),
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn io(doing: &'static str) -> impl Fn(io::Error) -> Why {
    move |error| Why::Io { doing, error }
}

impl Claim {
    /// Where the socket is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The lock is still held: whoever replaced the socket did so without it, and it is theirs now.
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| inode(&found) == self.inode)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_closed_and_deaf_until_it_has_its_mode() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("s");
        let _socket = bind_deaf(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        let refused = std::os::unix::net::UnixStream::connect(&path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(who_listens(&path).unwrap(), Listens::Nobody, "a crash leaves what the next start takes over");
    }
}
