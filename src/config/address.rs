//! Addresses: `unix:///run/docker.sock`, `tcp://127.0.0.1:2375`. Pure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::value::Bad;

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
    Inherited(String),
}

/// Reads the address of a door; a relative path starts from `base`.
pub(super) fn door(text: &str, base: &Path) -> Result<Place, Bad> {
    match scheme(text) {
        Some(("unix", rest)) => unix(rest, base).map(Place::Unix),
        Some(("tcp", rest)) => loopback(rest).map(Place::Tcp),
        Some(("fd", name)) => inherited(name).map(Place::Inherited),
        Some(_) | None => Err(unreadable(text, base, "unix:///run/docker.sock or tcp://127.0.0.1:2375")),
    }
}

/// Reads the address of the engine; a relative path starts from `base`.
pub(super) fn engine(text: &str, base: &Path) -> Result<PathBuf, Bad> {
    match scheme(text) {
        Some(("unix", rest)) => unix(rest, base),
        Some(("tcp" | "http" | "https", _)) => Err(Bad::new(
            "an engine over the network needs TLS, which is not in this version",
            "write unix:// and the path of the engine's socket",
        )),
        Some(_) | None => Err(unreadable(text, base, "unix:///var/run/docker.sock")),
    }
}

/// Reads the address of the admin socket; a relative path starts from `base`.
pub(super) fn admin(text: &str, base: &Path) -> Result<PathBuf, Bad> {
    match scheme(text) {
        Some(("unix", rest)) => unix(rest, base),
        Some(("tcp", _)) => Err(Bad::new(
            "the admin socket over TCP is not in this version: nobody could say who approves",
            "write unix:// and a path",
        )),
        Some(_) | None => Err(unreadable(text, base, "unix:///run/tidewaiter/admin.sock")),
    }
}

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

/// Whoever reaches a plain TCP door is root on this host: only loopback, and only by number, since a name can be changed.
fn loopback(text: &str) -> Result<SocketAddr, Bad> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(address) => Err(Bad::new(
            format!(
                "plain TCP on {} is open to the network, and whoever reaches it is root on this host",
                address.ip()
            ),
            format!("write \"tcp://127.0.0.1:{}\"; TLS is not in this version", address.port()),
        )),
        Err(_) => Err(Bad::new(
            format!("'{text}' is not an IP address and a port"),
            "write \"tcp://127.0.0.1:2375\" or \"tcp://[::1]:2375\"",
        )),
    }
}
