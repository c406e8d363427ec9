//! What `/proc` tells of a process, as far as it can be known to be that process.
//!
//! A pid may be reused between `connect(2)` and the look-up. Facts are read first; then the pidfd, or where the kernel has
//! none for sockets the start time, must say that it was the same living process all along, or they are dropped. What
//! remains: a process may execute another program between its connect and the look-up, and before Linux 6.5 a pid that was
//! reused before the look-up began goes unnoticed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{getsockopt, sockopt};

use super::container;

/// Most of a file in `/proc` that is read; a cgroup file of a v1 host with deep paths is some 4 KiB.
const MAX_FILE: u64 = 16 * 1024;

/// Room for a usual file in `/proc`.
const USUAL_FILE: usize = 1024;

/// Most of a command line that is kept.
const MAX_CMDLINE: u64 = 8 * 1024;

/// Most arguments that are kept.
const MAX_ARGUMENTS: usize = 64;

/// `loginuid` of a process that nobody logged in for.
const NO_LOGIN: u32 = u32::MAX;

/// A process that connected.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    hold: Hold,
}

/// What tells that a pid still means the same process.
#[derive(Debug)]
enum Hold {
    Pidfd(OwnedFd),
    /// Its start time when the look-up began.
    Began(u64),
}

/// What was learned of a process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) exe: Option<PathBuf>,
    pub(super) cmdline: Option<Vec<String>>,
    pub(super) login_uid: Option<u32>,
    pub(super) container: Option<String>,
    /// Whether its cgroups could be read, which tell of the container.
    pub(super) placed: bool,
}

impl Process {
    /// Takes hold of the process at the other end of a Unix socket, whose pid the kernel gave; `None` if it is gone.
    pub(super) fn of_peer(socket: BorrowedFd<'_>, pid: u32) -> Option<Self> {
        Self::held(pid, getsockopt(&socket, sockopt::PeerPidfd))
    }

    fn held(pid: u32, pidfd: nix::Result<OwnedFd>) -> Option<Self> {
        let hold = match pidfd {
            Ok(pidfd) => Hold::Pidfd(pidfd),
            // Only a kernel that has no such option. Any other error says that the process was reaped (ESRCH, EINVAL, by
            // version): its pid may by now be somebody else's, whose start time would look right.
            Err(Errno::ENOPROTOOPT) => Hold::Began(start_time(pid)?),
            Err(_reaped) => return None,
        };
        Some(Self { pid, hold })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether all that was read of the pid since it was taken hold of was this process's.
    pub(super) fn is_same(&self) -> bool {
        match &self.hold {
            Hold::Pidfd(pidfd) => is_alive(pidfd),
            Hold::Began(began) => start_time(self.pid) == Some(*began),
        }
    }

    /// Everything but the command line. Waits for nobody: the kernel answers from its own memory.
    pub(super) fn facts(&self) -> Facts {
        let of = |name| text(&format!("/proc/{}/{name}", self.pid));
        let cgroups = of("cgroup");
        Facts {
            exe: std::fs::read_link(format!("/proc/{}/exe", self.pid)).ok(),
            cmdline: None,
            login_uid: of("loginuid").and_then(|text| text.trim().parse().ok()).filter(|&uid| uid != NO_LOGIN),
            container: cgroups.as_deref().and_then(container::of_cgroup),
            placed: cgroups.is_some(),
        }
    }
}

/// The command line of a process. Blocks, and at worst for ever: it is read from the process's own memory, which may be
/// mapped from a file system that the process itself serves (FUSE), or not.
pub(super) fn cmdline(pid: u32) -> Option<Vec<String>> {
    file(&format!("/proc/{pid}/cmdline"), MAX_CMDLINE).map(|bytes| arguments(&bytes))
}

/// A pidfd is readable once its process is dead, even before it is reaped.
fn is_alive(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    nix::poll::poll(&mut fds, PollTimeout::ZERO) == Ok(0)
}

/// Clock ticks from boot to the process's start: field 22 of `stat`, counted behind the name, which may hold anything.
fn start_time(pid: u32) -> Option<u64> {
    // The name's bytes are the process's own choice, and need not be UTF-8.
    let stat = file(&format!("/proc/{pid}/stat"), MAX_FILE)?;
    started(&String::from_utf8_lossy(&stat))
}

fn started(stat: &str) -> Option<u64> {
    let (_name, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn arguments(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let arguments = bytes.split(|&byte| byte == 0).take(MAX_ARGUMENTS);
    arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// A small file of the kernel's.
pub(super) fn text(path: &str) -> Option<String> {
    file(path, MAX_FILE).and_then(|bytes| String::from_utf8(bytes).ok())
}

fn file(path: &str, most: u64) -> Option<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        // Room for all of it: else each file is read in ever larger pieces, on every connection.
        let mut bytes = Vec::with_capacity(USUAL_FILE);
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
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
    fn our_own_process_is_known_by_pidfd_and_by_start_time() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (pid, uid, _gid) = credentials(ours.as_fd()).unwrap();
        assert_eq!((pid, uid), (std::process::id(), nix::unistd::getuid().as_raw()));
        let old_kernel = Process::held(pid, Err(Errno::ENOPROTOOPT)).unwrap();
        for process in [Process::of_peer(ours.as_fd(), pid).unwrap(), old_kernel] {
            assert_eq!(process.facts().exe, std::env::current_exe().ok());
            assert!(process.is_same());
        }
        assert_eq!(cmdline(pid).unwrap(), std::env::args().take(MAX_ARGUMENTS).collect::<Vec<_>>());
    }

    #[test]
    fn a_pid_whose_owner_was_reaped_is_nobodys_even_if_it_is_in_use_again() {
        // Our own pid stands for the one that was reused: it is alive, and yet not the peer's.
        for reaped in [Errno::ESRCH, Errno::EINVAL, Errno::ENODATA] {
            assert!(Process::held(std::process::id(), Err(reaped)).is_none(), "{reaped}");
        }
    }

    #[test]
    fn a_pid_that_started_anew_is_not_the_same() {
        let began = start_time(std::process::id()).unwrap();
        let other = Process { pid: std::process::id(), hold: Hold::Began(began + 1) };
        assert!(!other.is_same());
    }

    #[test]
    fn nothing_is_said_of_a_process_that_is_gone() {
        let mut child = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
        child.wait().unwrap();
        assert!(Process::held(child.id(), Err(Errno::ENOPROTOOPT)).is_none());
        assert_eq!(cmdline(child.id()), None);
    }

    #[test]
    fn a_name_with_brackets_does_not_hide_the_start_time() {
        let fields = (4..22).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(started(&format!("7 (a) S 1 (b) \u{fffd}) S {fields} 4711 0 0")), Some(4711));
        assert_eq!(started("7 (cut off) S 1"), None);
    }

    #[test]
    fn command_lines_are_split_and_bounded() {
        assert_eq!(arguments(b"docker\0run\0\0x\0"), ["docker", "run", "", "x"]);
        assert_eq!(arguments(&b"a\0".repeat(1000)).len(), MAX_ARGUMENTS);
        assert_eq!(arguments(b"\xff\0"), ["\u{fffd}"]);
    }
}
