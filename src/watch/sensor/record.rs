//! Reading what the kernel's side writes (`src/bpf/records.h`). Pure, and total: no bytes make it panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::question;
use crate::watch::kernel::{Action, Process, Protocol, What};

/// Room for the path in a record of an exec; what is longer is cut.
const PATH: usize = 256;

/// Docker's own resolver, inside a container of a network with names. It is asked on another port than is written here: a
/// rule in the container's network leads there.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const DNS_PORT: u16 = 53;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Nanoseconds since boot.
    pub(super) boot_ns: u64,
    /// The container, by the id of its cgroup.
    pub(super) owner: u64,
    /// What it says.
    pub(super) body: Body,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// A container's cgroup was made; its id.
    Appeared(String),
    /// Anything else that happened in a container.
    What(What),
    /// The sensor's own child began to run.
    Probe,
}

/// Reads one record; `None` if it is none of ours, whole and well formed.
pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    let mut bytes = Bytes(bytes);
    let (boot_ns, owner, kind, pid) = (bytes.u64()?, bytes.u64()?, bytes.u32()?, bytes.u32()?);
    let body = match kind {
        1 => Body::Appeared(container(bytes.take(64)?)?),
        2 => Body::What(What::Entered { pid, comm: text(bytes.take(16)?) }),
        3 => Body::What(What::Exec(process(pid, &mut bytes)?)),
        4 => Body::What(What::Exited { pid }),
        5 => Body::What(network(pid, &mut bytes)?),
        6 => Body::What(dns(&mut bytes)?),
        7 => Body::What(What::Gone),
        8 => Body::Probe,
        _ => return None,
    };
    Some(Record { boot_ns, owner, body })
}

/// The id of a container, from its 64 digits.
pub(super) fn container(bytes: &[u8]) -> Option<String> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (bytes.len() == 64 && bytes.iter().all(digit)).then(|| text(bytes))
}

fn process(pid: u32, bytes: &mut Bytes<'_>) -> Option<Process> {
    let (parent, inner_pid, uid) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
    let (path_length, args_length, cut) = (bytes.size()?, bytes.size()?, bytes.u32()?);
    let (path, args) = (bytes.take(PATH)?.get(..path_length)?, bytes.0.get(..args_length)?);
    let whole = args.strip_suffix(b"\0").unwrap_or(args);
    let argv = if args.is_empty() { Vec::new() } else { whole.split(|&byte| byte == 0).map(lossy).collect() };
    // The end counts among the bytes of the path: one that fills its room was cut.
    let truncated = cut != 0 || path_length == PATH || args.is_empty();
    Some(Process { pid, parent, inner_pid, uid, path: text(path), argv, truncated })
}

fn network(pid: u32, bytes: &mut Bytes<'_>) -> Option<What> {
    let ends = ends(bytes)?;
    let action = match bytes.u32()? {
        1 => Action::Connect,
        2 => Action::Established,
        3 => Action::Refused,
        4 => Action::Listen,
        5 => Action::Accept,
        6 => Action::Send,
        7 => Action::Bind,
        8 => Action::Open,
        _ => return None,
    };
    bytes.u32()?;
    let comm = text(bytes.take(16)?);
    let protocol = ends.protocol;
    // A source port of 0 is one that the kernel has not chosen yet.
    let local = ends.local.filter(|local| local.port() != 0);
    let remote = ends.remote.filter(|remote| remote.port() != 0 || !remote.ip().is_unspecified());
    Some(What::Network { action, protocol, local, remote, by: (pid != 0).then_some((pid, comm)) })
}

fn dns(bytes: &mut Bytes<'_>) -> Option<What> {
    let ends = ends(bytes)?;
    let length = bytes.size()?;
    bytes.u32()?;
    let name = question::name(bytes.0.get(..length)?)?;
    let server = ends.remote.map(|server| match server {
        SocketAddr::V4(v4) if *v4.ip() == RESOLVER => SocketAddr::from((RESOLVER, DNS_PORT)),
        SocketAddr::V4(_) | SocketAddr::V6(_) => server,
    });
    Some(What::Dns { name, server })
}

struct Ends {
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    protocol: Protocol,
}

fn ends(bytes: &mut Bytes<'_>) -> Option<Ends> {
    let (local, remote) = (bytes.array::<16>()?, bytes.array::<16>()?);
    let (local_port, remote_port) = (bytes.u16()?, bytes.u16()?);
    let (family, protocol) = (bytes.u16()?, bytes.u16()?);
    let address = |bytes: [u8; 16], port| Some(SocketAddr::new(ip(family, bytes)?, port));
    let protocol = match protocol {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        other => Protocol::Other(other),
    };
    Some(Ends { local: address(local, local_port), remote: address(remote, remote_port), protocol })
}

/// An address; one of IPv4 that a socket of IPv6 reached is what it is.
fn ip(family: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    match family {
        2 => bytes.first_chunk::<4>().map(|four| IpAddr::V4(Ipv4Addr::from(*four))),
        10 => Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()),
        _ => None,
    }
}

/// Text up to its end; the kernel's may hold anything.
fn text(bytes: &[u8]) -> String {
    lossy(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }
}
