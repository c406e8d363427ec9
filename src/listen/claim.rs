//! Taking a Unix socket's path: under a lock, never from a live owner, and never reachable with the wrong permissions.

use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as StdListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use tokio::net::UnixListener;

use super::Why;

/// Longest path of a Unix socket, in bytes (`sun_path` less its NUL).
pub(super) const MAX_PATH: usize = 107;

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
    let io = |doing| move |error| Why::Io { doing, error };
    // The name it is made under is longer by this much.
    let making = with_suffix(path, ".new");
    if making.as_os_str().len() > MAX_PATH {
        return Err(Why::TooLong);
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(io("cannot make its directory"))?;
    }
    let lock = lock(&with_suffix(path, ".lock"))?;
    refuse_living(path)?;

    // Made under another name and renamed into place: nobody can connect before owner and mode are what they should be,
    // and the stale socket is replaced in one step.
    match std::fs::remove_file(&making) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("cannot remove a half-made socket")(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = StdListener::bind(&making).map_err(io("cannot listen"))?;
    chown(&making, owner, group).map_err(io("cannot give it to its owner and group"))?;
    std::fs::set_permissions(&making, Permissions::from_mode(mode)).map_err(io("cannot set its mode"))?;
    let made = std::fs::symlink_metadata(&making).map_err(io("cannot look at it"))?;
    std::fs::rename(&making, path).map_err(io("cannot put it in its place"))?;

    listener.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    let listener = UnixListener::from_std(listener).map_err(io("cannot watch it"))?;
    Ok((listener, Claim { path: path.to_owned(), inode: (made.dev(), made.ino()), _lock: lock }))
}

fn lock(path: &Path) -> Result<Flock<File>, Why> {
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(|error| Why::Io { doing: "cannot open its lock file", error })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_file, errno)| {
        if errno == nix::Error::EWOULDBLOCK {
            Why::Held(path.to_owned())
        } else {
            Why::Io { doing: "cannot lock its lock file", error: errno.into() }
        }
    })
}

/// Lets nothing pass but an empty place or a socket that nobody listens on.
fn refuse_living(path: &Path) -> Result<(), Why> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Why::Io { doing: "cannot look at what is there", error });
        }
        Ok(found) if !found.file_type().is_socket() => return Err(Why::NotASocket),
        Ok(_socket) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        // A socket that vanished in between is an empty place.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Connected, or a full backlog, or not ours to try: somebody may be there.
        Ok(_) | Err(_) => Err(Why::Live),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The lock is still held: whoever replaced the socket did so without it, and it is theirs now.
        let ours = |found: &std::fs::Metadata| (found.dev(), found.ino()) == self.inode;
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| ours(&found))
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket");
        }
    }
}
