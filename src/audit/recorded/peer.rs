//! Who asked, in the words of a record's `peer`.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::peer::{CallerContainer, Certificate, Group, Peer, TlsPeer, UnixPeer};

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Wire {
    Unix(Unix),
    Tcp { address: SocketAddr },
    Tls(Tls),
}

#[derive(Debug, Deserialize)]
struct Unix {
    uid: Option<u32>,
    gid: Option<u32>,
    pid: Option<u32>,
    user: Option<String>,
    home: Option<PathBuf>,
    #[serde(default)]
    groups: Vec<Value>,
    #[serde(default)]
    gids: Vec<u32>,
    exe: Option<PathBuf>,
    login_uid: Option<u32>,
    container: Option<Container>,
    #[serde(default)]
    unplaced: bool,
}

#[derive(Debug, Deserialize)]
struct Container {
    id: String,
    image: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Tls {
    address: SocketAddr,
    subject: String,
    common_names: Vec<String>,
    units: Vec<String>,
    sans: Vec<String>,
    spiffe: Option<String>,
    issuer: String,
    serial: String,
    sha256: String,
    not_after: String,
}

pub(super) fn read(recorded: &Value) -> Result<Peer, &'static str> {
    match Wire::deserialize(recorded).map_err(|_unreadable| "its caller cannot be read back")? {
        Wire::Tcp { address } => Ok(Peer::Tcp(address)),
        Wire::Tls(tls) => tls.peer().map(|peer| Peer::Tls(Box::new(peer))),
        // Where groups were left out there is one that is no group.
        Wire::Unix(unix) if unix.groups.len() != unix.gids.len() => {
            Err("the numbers of its caller's groups are not in it")
        }
        Wire::Unix(unix) => Ok(Peer::Unix(Box::new(unix.into()))),
    }
}

impl From<Unix> for UnixPeer {
    fn from(unix: Unix) -> Self {
        let name = |name: Value| name.as_str().map(ToOwned::to_owned);
        let groups = unix.groups.into_iter().zip(unix.gids).map(|(group, gid)| Group { gid, name: name(group) });
        Self {
            uid: unix.uid,
            gid: unix.gid,
            pid: unix.pid,
            user: unix.user,
            home: unix.home,
            groups: groups.collect(),
            exe: unix.exe,
            cmdline: None,
            login_uid: unix.login_uid,
            container: unix.container.map(|caller| CallerContainer { id: caller.id, image: caller.image }),
            unplaced: unix.unplaced,
        }
    }
}

impl Tls {
    fn peer(self) -> Result<TlsPeer, &'static str> {
        let not_after: Timestamp =
            self.not_after.parse().map_err(|_unreadable| "its certificate cannot be read back")?;
        let certificate = Certificate {
            subject: self.subject,
            common_names: self.common_names,
            units: self.units,
            sans: self.sans,
            spiffe: self.spiffe,
            issuer: self.issuer,
            serial: self.serial,
            sha256: self.sha256,
            not_after,
        };
        Ok(TlsPeer { address: self.address, certificate })
    }
}
