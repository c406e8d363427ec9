//! Taking a Unix socket's path: under a lock, never from a live owner, and never reachable with the wrong permissions.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::Why;

/// Behind the name a socket is made under, and renamed from.
const NEW: &str = ".new";

/// Longest path of a door, in bytes: what the kernel takes (`sun_path` less its NUL) less [`NEW`].
pub(super) const MAX_PATH: usize = 107 - NEW.len();

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

/// Binds a socket with its final owner and mode.
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
    let lock = lock(&with_suffix(path, ".lock"))?;
    refuse_living(path)?;

    // Made under another name and renamed into place, so that a stale socket is replaced in one step.
    let new = with_suffix(path, NEW);
    remove_socket(&new)?;
    let made = make(&new, mode, owner, group).and_then(|(listener, inode)| {
        std::fs::rename(&new, path).map_err(io("cannot put it in its place"))?;
        Ok((listener, inode))
    });
    let (listener, inode) = made.inspect_err(|_why| {
        if let Err(error) = remove_socket(&new) {
            tracing::debug!(%error, path = %new.display(), "cannot remove the half-made socket");
        }
    })?;
    let claim = Claim { path: path.to_owned(), inode, _lock: lock };
    Ok((UnixListener::from_std(listener).map_err(io("cannot watch it"))?, claim))
}

/// Makes a listening socket that nobody can connect to before it has its owner and mode.
fn make(path: &Path, mode: u32, owner: Option<u32>, group: Option<u32>) -> Result<(StdListener, (u64, u64)), Why> {
    let socket = bind_closed(path)?;
    lchown(path, owner, group).map_err(io("cannot give it to its owner and group"))?;
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io("cannot set its mode"))?;
    let made = std::fs::symlink_metadata(path).map_err(io("cannot look at it"))?;
    socket.listen(BACKLOG).map_err(io("cannot listen"))?;
    socket.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    Ok((StdListener::from(OwnedFd::from(socket)), inode(&made)))
}

/// Binds a socket whose file has no permissions at all. Linux makes the file with the mode of the unbound socket, less the
/// umask.
fn bind_closed(path: &Path) -> Result<Socket, Why> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(io("cannot make a socket"))?;
    fchmod(&socket, Mode::empty()).map_err(|errno| io("cannot close it to others")(errno.into()))?;
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
    // Not through a symlink, nor waiting for the other end of a FIFO, that somebody put there.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path);
    let file = file.map_err(io("cannot open its lock file"))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_file, errno)| {
        if errno == nix::Error::EWOULDBLOCK {
            Why::Held(path.to_owned())
        } else {
            io("cannot lock its lock file")(errno.into())
        }
    })
}

/// Lets nothing pass but an empty place or a socket that nobody listens on.
fn refuse_living(path: &Path) -> Result<(), Why> {
    if !is_socket(path)? {
        return Ok(());
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(io("cannot make a socket"))?;
    // Else a hung owner with a full backlog would hang us too.
    socket.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    match SockAddr::unix(path).and_then(|address| socket.connect(&address)) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        // A socket that vanished in between is an empty place.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Connected, or a full backlog, or not ours to try: somebody may be there.
        Ok(()) | Err(_) => Err(Why::Live),
    }
}

fn remove_socket(path: &Path) -> Result<(), Why> {
    if is_socket(path)? { std::fs::remove_file(path).map_err(io("cannot remove a half-made socket")) } else { Ok(()) }
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
    fn a_socket_is_closed_to_all_until_it_has_its_mode() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("s");
        let _socket = bind_closed(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0);
    }
}
