//! Who listens where: the kernel's tables of sockets, and whose descriptors they are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A busy host has some ten thousand sockets, each a line of 200 bytes.
const MAX_TABLE: u64 = 64 << 20;

/// A command line of an engine; longer ones are cut off.
const MAX_COMMAND: u64 = 64 << 10;

/// `__SO_ACCEPTCON` of the kernel's `net.h`, in the flags of `/proc/net/unix`.
const LISTENS: u32 = 0x1_0000;

/// `TCP_LISTEN`, in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A socket with a name in the file system.
    Unix(PathBuf),
    /// A socket with an abstract name: whoever shares the network namespace can connect.
    Abstract(String),
    Tcp(SocketAddr),
}

/// A process that listens somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// File name of its executable.
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) places: Vec<Place>,
}

/// The processes of some programs, and where they listen.
///
/// # Errors
/// If `/proc` cannot be read. Processes that may not be looked at are left out.
pub(super) fn listening(programs: &[&str]) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let folder = entry?.path();
        let pid = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let (Some(pid), Ok(executable)) = (pid, fs::read_link(folder.join("exe"))) else { continue };
        let name = executable.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // After an update, until it is started anew.
        let name = name.trim_end_matches(" (deleted)").to_owned();
        if !programs.contains(&name.as_str()) {
            continue;
        }
        let command = read(&folder.join("cmdline"), MAX_COMMAND)?;
        let command = command.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        // The tables of its own network namespace.
        let tables = table(&folder.join("net"))?;
        let mut places: Vec<Place> =
            inodes(&folder.join("fd")).into_iter().filter_map(|inode| tables.get(&inode).cloned()).collect();
        places.sort();
        places.dedup();
        found.push(Process { pid, name, command, places });
    }
    Ok(found)
}

/// Every listening socket of a network namespace by its inode.
fn table(net: &Path) -> io::Result<BTreeMap<u64, Place>> {
    let mut places = BTreeMap::new();
    places.extend(read(&net.join("unix"), MAX_TABLE)?.lines().filter_map(unix));
    for name in ["tcp", "tcp6"] {
        // A kernel without IPv6 has no tcp6.
        let text = read(&net.join(name), MAX_TABLE).unwrap_or_default();
        places.extend(text.lines().filter_map(tcp));
    }
    Ok(places)
}

fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The inodes of a process's sockets. One that is gone, or not ours to look at, has none.
fn inodes(folder: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

/// `Num RefCount Protocol Flags Type St Inode Path`
fn unix(line: &str) -> Option<(u64, Place)> {
    let mut words = line.split_whitespace();
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    let inode = words.nth(2)?.parse().ok()?;
    // A path may hold spaces.
    let path = line.splitn(8, ' ').nth(7).map(str::trim_start).filter(|path| !path.is_empty())?;
    if flags & LISTENS == 0 {
        return None;
    }
    Some((inode, path.strip_prefix('@').map_or_else(|| Place::Unix(path.into()), |name| Place::Abstract(name.into()))))
}

/// `sl local_address rem_address st … inode`, addresses in the words of the machine, each in hex.
fn tcp(line: &str) -> Option<(u64, Place)> {
    let mut words = line.split_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    if words.nth(1)? != TCP_LISTEN {
        return None;
    }
    let inode = words.nth(5)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let address = if address.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?))
    } else {
        let mut octets = [0; 16];
        for (octets, at) in octets.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
            octets.copy_from_slice(&word(at)?);
        }
        IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
    };
    Some((inode, Place::Tcp(SocketAddr::new(address, port))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_listens_is_read_from_the_kernels_tables() {
        let listens = "0000000000000000: 00000002 00000000 00010000 0001 01 23456 /run/docker sock";
        assert_eq!(unix(listens), Some((23456, Place::Unix("/run/docker sock".into()))));
        assert_eq!(unix("0: 00000003 00000000 00000000 0001 03 23457 /run/docker.sock"), None, "connected");
        assert_eq!(unix("0: 00000002 00000000 00010000 0001 01 23458"), None, "no name");
        assert_eq!(unix("0: 00000002 00000000 00010000 0001 01 7 @shim"), Some((7, Place::Abstract("shim".into()))));
        assert_eq!(unix("Num       RefCount Protocol Flags    Type St Inode Path"), None);
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let rest = "00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0";
        let any = format!("   0: 00000000:0947 00000000:0000 0A {rest}");
        assert_eq!(tcp(&any), Some((4711, Place::Tcp("0.0.0.0:2375".parse().unwrap()))));
        assert_eq!(tcp(&any.replace(" 0A ", " 01 ")), None, "connected");
        assert_eq!(tcp("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"), None);
    }

    #[test]
    fn this_process_is_found_with_what_it_listens_on() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("s");
        let _unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (v4, v6) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), std::net::TcpListener::bind("[::1]:0"));
        let exe = std::env::current_exe().unwrap();
        let processes = listening(&[exe.file_name().unwrap().to_str().unwrap()]).unwrap();
        let own = processes.iter().find(|process| process.pid == std::process::id()).unwrap();
        let mut expected = vec![Place::Unix(path), Place::Tcp(v4.local_addr().unwrap())];
        // Not every machine has IPv6.
        expected.extend(v6.ok().map(|v6| Place::Tcp(v6.local_addr().unwrap())));
        assert!(expected.iter().all(|place| own.places.contains(place)), "{expected:?} in {own:?}");
    }
}
