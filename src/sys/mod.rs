//! The only unsafe code: the system calls that no crate wraps.

#![expect(unsafe_code, reason = "what no crate wraps; each block says why it is sound")]

mod capability;

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

pub use capability::{Capabilities, Capability, capabilities, keep_capabilities};

/// Most groups that are asked for; the kernel's own limit (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65_536;

/// First try: enough for nearly everybody.
const FEW_GROUPS: usize = 32;

/// The supplementary groups of the process at the other end of a Unix socket, as they were at `connect(2)`
/// (`SO_PEERGROUPS`, Linux 4.13).
///
/// # Errors
/// If the kernel does not know the option, or the socket is none.
pub fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    match peer_groups_up_to(socket, FEW_GROUPS) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ERANGE) => peer_groups_up_to(socket, MAX_GROUPS),
        groups => groups,
    }
}

fn peer_groups_up_to(socket: BorrowedFd<'_>, most: usize) -> io::Result<Vec<u32>> {
    let mut groups: Vec<nix::libc::gid_t> = vec![0; most];
    let bytes = most.saturating_mul(size_of::<nix::libc::gid_t>());
    let mut length = nix::libc::socklen_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: `groups` is a live allocation of `length` bytes of plain integers, which the kernel may overwrite in part;
    // `length` is a valid in-out pointer; the descriptor is borrowed and so open for the whole call.
    let result = unsafe {
        nix::libc::getsockopt(
            socket.as_raw_fd(),
            nix::libc::SOL_SOCKET,
            nix::libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    groups.truncate(length as usize / size_of::<nix::libc::gid_t>());
    Ok(groups)
}

/// A new descriptor of the same open file, closed on `exec`. For descriptors that are known by their number only.
///
/// # Errors
/// If there is no such descriptor, or no room for another.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes and returns plain integers; of a number that is not open the kernel says EBADF.
    let new = unsafe { nix::libc::fcntl(number, nix::libc::F_DUPFD_CLOEXEC, 3) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made `new` for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Whether the kernel takes its clock for synchronized, as whoever keeps it (NTP) told it; not if it cannot be asked.
pub fn clock_is_synchronized() -> bool {
    // SAFETY: `timex` is plain integers, for which zeroes are a value; without modes nothing is set, so that it is only read.
    let mut time: nix::libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `timex`, which the kernel overwrites.
    let state = unsafe { nix::libc::adjtimex(&raw mut time) };
    state >= 0 && state != nix::libc::TIME_ERROR
}

/// Opens a process (`pidfd_open`, Linux 5.3): what is done with the descriptor meets this one and no other, though its number
/// be given away again.
///
/// # Errors
/// If there is no such process.
pub fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and touches none of our memory.
    let opened = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    match RawFd::try_from(opened) {
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Ok(_) | Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Sends SIGHUP to an opened process.
///
/// # Errors
/// If it has ended, or is not ours to signal.
pub fn hang_up(process: BorrowedFd<'_>) -> io::Result<()> {
    let info = std::ptr::null::<nix::libc::siginfo_t>();
    // SAFETY: the descriptor is borrowed and so open for the whole call; a null pointer asks for the same as `kill(2)`.
    let sent = unsafe {
        nix::libc::syscall(nix::libc::SYS_pidfd_send_signal, process.as_raw_fd(), nix::libc::SIGHUP, info, 0)
    };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bytes that were written to a socket and that its other end has not taken (`SIOCOUTQ`): of a Unix socket, that nobody has read;
/// on TCP, that the other host has not acknowledged.
///
/// # Errors
/// If it is not a socket.
pub fn unsent(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: nix::libc::c_int = 0;
    // SAFETY: the request writes one int, through a pointer to a live one; the descriptor is borrowed and so open for the call.
    let asked = unsafe { nix::libc::ioctl(socket.as_raw_fd(), nix::libc::TIOCOUTQ, &raw mut bytes) };
    if asked != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(bytes).map_err(io::Error::other)
}
