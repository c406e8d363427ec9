//! Addresses: `unix:///run/docker.sock`, `tcp://127.0.0.1:2375`, `tcp://engine.example.com:2376`. Pure.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::tls::server_name;
use super::value::Bad;

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
    Inherited(String),
}

/// Where the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Engine {
    Unix(PathBuf),
    /// Plain, on loopback.
    Tcp(SocketAddr),
    /// Behind TLS: a host and its port.
    Tls(String, u16),
}

/// Where records are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Server {
    Unix(PathBuf),
    /// A host and its port.
    Tcp(String, u16),
}

/// Reads the address of a door; a relative path starts from `base`.
pub(super) fn door(text: &str, base: &Path, is_tls: bool) -> Result<Place, Bad> {
    match scheme(text) {
        Some(("unix", _)) if is_tls => Err(Bad::new("a unix:// door has no TLS", "remove 'tls', or write tcp://")),
        Some(("unix", rest)) => unix(rest, base).map(Place::Unix),
        Some(("tcp", rest)) if is_tls => tcp(rest).map(Place::Tcp),
        Some(("tcp", rest)) => tcp(rest).and_then(|address| loopback(address, DOOR_TLS)).map(Place::Tcp),
        Some(("fd", _)) if is_tls => Err(Bad::new("an fd:// door has no TLS", "remove 'tls', or write tcp://")),
        Some(("fd", name)) => inherited(name).map(Place::Inherited),
        Some(_) | None => Err(unreadable(text, base, "unix:///run/docker.sock or tcp://127.0.0.1:2375")),
    }
}

/// Reads the address of the engine; a relative path starts from `base`.
pub(super) fn engine(text: &str, base: &Path, is_tls: bool) -> Result<Engine, Bad> {
    match scheme(text) {
        Some(("unix", _)) if is_tls => {
            Err(Bad::new("a unix:// engine has no TLS", "remove [engine.tls], or write tcp://"))
        }
        Some(("unix", rest)) => unix(rest, base).map(Engine::Unix),
        Some(("tcp", rest)) if is_tls => host_and_port(rest).map(|(host, port)| Engine::Tls(host, port)),
        Some(("tcp", rest)) => {
            let loopback = tcp(rest).ok().filter(|address| address.ip().is_loopback());
            loopback.map(Engine::Tcp).ok_or_else(|| {
                Bad::new("an engine over the network needs TLS: whoever is in between would be root there", ENGINE_TLS)
            })
        }
        Some(("http" | "https", rest)) => {
            Err(Bad::new("an engine's address has no http://", format!("write \"tcp://{rest}\" and [engine.tls]")))
        }
        Some(_) | None => Err(unreadable(text, base, "unix:///var/run/docker.sock or tcp://engine.example.com:2376")),
    }
}

/// Where admins come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admin {
    Unix(PathBuf),
    /// The console's port, on loopback.
    Tcp(SocketAddr),
}

/// Reads the address of an admin door; a relative path starts from `base`.
pub(super) fn admin(text: &str, base: &Path) -> Result<Admin, Bad> {
    match scheme(text) {
        Some(("unix", rest)) => unix(rest, base).map(Admin::Unix),
        Some(("tcp", rest)) => match tcp(rest)? {
            address if address.ip().is_loopback() => Ok(Admin::Tcp(address)),
            address => Err(Bad::new(
                "the console is on loopback only: its pages are not encrypted",
                format!("write \"tcp://127.0.0.1:{}\", and reach it by ssh -L", address.port()),
            )),
        },
        Some(_) | None => Err(unreadable(text, base, "unix:///run/tidewaiter/admin.sock or tcp://127.0.0.1:9323")),
    }
}

/// Reads the address of the system's journal; a relative path starts from `base`.
pub(super) fn journald(text: &str, base: &Path) -> Result<PathBuf, Bad> {
    match scheme(text) {
        Some(("unix", rest)) => unix(rest, base),
        Some(_) | None => Err(unreadable(text, base, "unix:///run/systemd/journal/socket")),
    }
}

/// Reads the address of a server of syslog; a relative path starts from `base`.
pub(super) fn syslog(text: &str, base: &Path, is_tls: bool) -> Result<Server, Bad> {
    match scheme(text) {
        Some(("unix", _)) if is_tls => Err(Bad::new("a unix:// address has no TLS", "remove 'tls', or write tcp://")),
        Some(("unix", rest)) => unix(rest, base).map(Server::Unix),
        Some(("tcp", rest)) => host_and_port(rest).map(|(host, port)| Server::Tcp(host, port)),
        Some(("udp", rest)) => {
            Err(Bad::new("syslog over UDP loses messages and says nothing of it", format!("write \"tcp://{rest}\"")))
        }
        Some(_) | None => Err(unreadable(text, base, "unix:///dev/log or tcp://siem.example.com:6514")),
    }
}

/// How a door gets TLS.
const DOOR_TLS: &str = "or add tls = { cert = \"server-cert.pem\", key = \"server-key.pem\", client-ca = \"ca.pem\" }";

/// How an engine gets TLS.
const ENGINE_TLS: &str = "add [engine.tls] with ca = \"ca.pem\", cert = \"cert.pem\", key = \"key.pem\" to the file";

fn scheme(text: &str) -> Option<(&str, &str)> {
    text.split_once("://")
}

fn unreadable(text: &str, base: &Path, examples: &str) -> Bad {
    let help = match Path::new(text).is_absolute() {
        true => format!("write \"unix://{}\"", base.join(text).display()),
        false => format!("write {examples}"),
    };
    Bad::new(format!("'{text}' is not an address known here"), help)
}

fn unix(path: &str, base: &Path) -> Result<PathBuf, Bad> {
    match path {
        "" => Err(Bad::new("the address names no socket", "write unix:// and a path")),
        path if path.contains('\0') => Err(Bad::new("a path has no NUL", "write unix:// and a path")),
        path => Ok(base.join(path)),
    }
}

/// `systemd.socket(5)`: at most 255 printable ASCII characters, and no colon, which separates names in the environment.
fn inherited(name: &str) -> Result<String, Bad> {
    let fits = (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    match fits {
        true => Ok(name.to_owned()),
        false => Err(Bad::new(
            format!("'{name}' is not the name of a socket that systemd hands over"),
            "write fd:// and the FileDescriptorName= of the .socket unit: \"fd://docker\"",
        )),
    }
}

/// An address by number: what a name stands for can be changed.
fn tcp(text: &str) -> Result<SocketAddr, Bad> {
    text.parse().map_err(|_error| {
        Bad::new(
            format!("'{text}' is not an IP address and a port"),
            "write \"tcp://127.0.0.1:2375\" or \"tcp://[::1]:2375\"",
        )
    })
}

/// Whoever reaches a plain TCP door is root on this host: only loopback.
fn loopback(address: SocketAddr, tls: &str) -> Result<SocketAddr, Bad> {
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Bad::new(
        format!("plain TCP on {} is open to the network, and whoever reaches it is root on this host", address.ip()),
        format!("write \"tcp://127.0.0.1:{}\", {tls}", address.port()),
    ))
}

/// `engine.example.com:2376`, `192.0.2.7:2376` or `[2001:db8::7]:2376`.
fn host_and_port(text: &str) -> Result<(String, u16), Bad> {
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let bad = || Bad::new(format!("'{text}' is not a host and a port"), "write \"tcp://engine.example.com:2376\"");
    let (host, port): (&str, u16) = split.filter(|(_, port)| *port != 0).ok_or_else(bad)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
        Some(_) => return Err(bad()),
        None => host,
    };
    server_name(host).map(|_name| (host.to_owned(), port))
}
