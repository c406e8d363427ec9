//! Capabilities of one thread.

use std::io;

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits, in two halves.
const VERSION: u32 = 0x2008_0522;

/// One capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Cgroup programs, among much else.
    NetAdmin = 12,
    /// Nearly everything.
    SysAdmin = 21,
    /// Tracing the kernel (Linux 5.8).
    Perfmon = 38,
    /// Programs and maps in the kernel (Linux 5.8).
    Bpf = 39,
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u64);

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Capabilities {
    /// Whether it holds one.
    pub fn has(self, one: Capability) -> bool {
        self.0 & bit(one) != 0
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(list: I) -> Self {
        Self(list.into_iter().map(bit).fold(0, |all, one| all | one))
    }
}

/// The effective capabilities of the calling thread.
///
/// # Errors
/// If the kernel does not tell.
pub fn capabilities() -> io::Result<Capabilities> {
    let [low, high] = read()?;
    Ok(Capabilities(u64::from(low.effective) | u64::from(high.effective) << 32))
}

/// Takes from the calling thread, for good, every capability but those of `kept` that it has. Other threads keep theirs.
///
/// # Errors
/// If the kernel refuses; the thread is then as before.
pub fn keep_capabilities(kept: Capabilities) -> io::Result<()> {
    let mut halves = read()?;
    for (half, mask) in halves.iter_mut().zip([low(kept.0), low(kept.0 >> 32)]) {
        half.effective &= mask;
        half.permitted &= mask;
        half.inheritable &= mask;
    }
    let header = Header { version: VERSION, pid: 0 };
    // SAFETY: both pointers are to live values of the layout that this version of the call reads; it writes to neither.
    let result = unsafe { nix::libc::syscall(nix::libc::SYS_capset, &raw const header, halves.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn read() -> io::Result<[Half; 2]> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut halves = [Half::default(); 2];
    // SAFETY: both pointers are to live values of plain integers, of the layout that this version of the call writes.
    let result = unsafe { nix::libc::syscall(nix::libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) };
    if result == 0 { Ok(halves) } else { Err(io::Error::last_os_error()) }
}

fn bit(one: Capability) -> u64 {
    1 << one as u32
}

fn low(set: u64) -> u32 {
    u32::try_from(set & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_up_its_capabilities_and_the_others_keep_theirs() {
        let before = capabilities().unwrap();
        let kept: Capabilities = [Capability::Bpf, Capability::NetAdmin].into_iter().collect();
        let within = std::thread::spawn(move || {
            keep_capabilities(kept).unwrap();
            capabilities().unwrap()
        });
        assert_eq!(within.join().unwrap(), Capabilities(before.0 & kept.0));
        assert_eq!(capabilities().unwrap(), before);
    }
}
