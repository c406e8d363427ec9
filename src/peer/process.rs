//! What `/proc` tells of a process, as far as it can be known to be that process.
//!
//! A pid may be reused between `connect(2)` and the look-up. Facts are read first; then the pidfd, or where the kernel has
//! none for sockets the start time, must say that it was the same living process all along, or they are dropped. What
//! remains: a process may execute another program between its connect and the look-up.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{getsockopt, sockopt};

use super::container;

/// Most of a file in `/proc` that is read; a cgroup file of a v1 host with deep paths is some 4 KiB.
const MAX_FILE: u64 = 16 * 1024;

/// Most of a command line that is kept.
const MAX_CMDLINE: u64 = 8 * 1024;

/// Most arguments that are kept.
const MAX_ARGUMENTS: usize = 64;

/// `loginuid` of a process that nobody logged in for.
const NO_LOGIN: u32 = u32::MAX;

/// What was learned of a process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) exe: Option<PathBuf>,
    pub(super) cmdline: Option<Vec<String>>,
    pub(super) login_uid: Option<u32>,
    pub(super) container: Option<String>,
}

/// Reads the facts of the process at the other end of a Unix socket, whose pid the kernel gave.
pub(super) fn of_peer(socket: BorrowedFd<'_>, pid: u32) -> Facts {
    let pidfd = getsockopt(&socket, sockopt::PeerPidfd).ok();
    let began = pidfd.is_none().then(|| start_time(pid)).flatten();
    let facts = read(pid);
    let same = match &pidfd {
        Some(pidfd) => is_alive(pidfd),
        // Before Linux 6.5: at least it is the same process now as when the reading began.
        None => began.is_some() && began == start_time(pid),
    };
    if same { facts } else { Facts::default() }
}

fn read(pid: u32) -> Facts {
    Facts {
        exe: std::fs::read_link(format!("/proc/{pid}/exe")).ok(),
        cmdline: file(pid, "cmdline", MAX_CMDLINE).map(|bytes| arguments(&bytes)),
        login_uid: text(pid, "loginuid").and_then(|text| text.trim().parse().ok()).filter(|&uid| uid != NO_LOGIN),
        container: text(pid, "cgroup").and_then(|text| container::of_cgroup(&text)),
    }
}

/// A pidfd is readable once its process is dead, even before it is reaped.
fn is_alive(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    nix::poll::poll(&mut fds, PollTimeout::ZERO) == Ok(0)
}

/// Clock ticks from boot to the process's start: field 22 of `stat`, counted behind the name, which may hold anything.
fn start_time(pid: u32) -> Option<u64> {
    let stat = text(pid, "stat")?;
    let (_name, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn arguments(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let arguments = bytes.split(|&byte| byte == 0).take(MAX_ARGUMENTS);
    arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

fn text(pid: u32, name: &str) -> Option<String> {
    file(pid, name, MAX_FILE).and_then(|bytes| String::from_utf8(bytes).ok())
}

fn file(pid: u32, name: &str, most: u64) -> Option<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(format!("/proc/{pid}/{name}"))?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().ok()
}

/// The peer's pid, uid and gid, as the kernel kept them at `connect(2)`.
pub(super) fn credentials(socket: BorrowedFd<'_>) -> Option<(u32, u32, u32)> {
    let credentials = getsockopt(&socket, sockopt::PeerCredentials).ok()?;
    let pid = u32::try_from(credentials.pid()).ok()?;
    Some((pid, credentials.uid(), credentials.gid()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn our_own_process_is_known() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (pid, uid, _gid) = credentials(ours.as_fd()).unwrap();
        assert_eq!((pid, uid), (std::process::id(), nix::unistd::getuid().as_raw()));
        let facts = of_peer(ours.as_fd(), pid);
        assert_eq!(facts.exe, std::env::current_exe().ok());
        assert_eq!(facts.cmdline.unwrap(), std::env::args().take(MAX_ARGUMENTS).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_said_of_a_process_that_is_gone() {
        let mut child = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(start_time(child.id()), None);
        assert_eq!(read(child.id()), Facts::default());
    }

    #[test]
    fn a_name_with_brackets_does_not_hide_the_start_time() {
        assert!(start_time(std::process::id()).is_some());
    }

    #[test]
    fn command_lines_are_split_and_bounded() {
        assert_eq!(arguments(b"docker\0run\0\0x\0"), ["docker", "run", "", "x"]);
        assert_eq!(arguments(&b"a\0".repeat(1000)).len(), MAX_ARGUMENTS);
        assert_eq!(arguments(b"\xff\0"), ["\u{fffd}"]);
    }
}
