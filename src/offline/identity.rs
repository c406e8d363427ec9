//! A caller as it is said: `uid=998,user=ci,group=docker`. Nothing is looked up: what is not said is not known.

use std::net::{Ipv4Addr, SocketAddr};

use jiff::Timestamp;

use crate::peer::{CallerContainer, Certificate, Group, Peer, TlsPeer, UnixPeer};

/// The number of a group that is said by its name only: no group has it.
const NO_NUMBER: u32 = u32::MAX;

/// All that may be said.
const KEYS: [&str; 12] = [
    "uid",
    "gid",
    "user",
    "group",
    "home",
    "in-container",
    "cert-cn",
    "cert-ou",
    "cert-san",
    "cert-sha256",
    "cert-issuer",
    "tcp",
];

/// Reads a caller from pairs of key and value.
///
/// # Errors
/// A key that is none, a number that is none, and a certificate beside a process.
pub fn identity<'s>(said: impl IntoIterator<Item = (&'s str, &'s str)>) -> Result<Peer, String> {
    let said: Vec<(&str, &str)> = said.into_iter().collect();
    if let Some((key, _)) = said.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(format!("'{key}' says nothing of a caller; write one of: {}", KEYS.join(", ")));
    }
    let certificates = said.iter().filter(|(key, _)| key.starts_with("cert-")).count();
    match said.as_slice() {
        [("tcp", address)] => {
            let address = address.parse().map_err(|_no| format!("'{address}' is no address and port"))?;
            Ok(Peer::Tcp(address))
        }
        said if certificates == said.len() && certificates > 0 => Ok(Peer::Tls(Box::new(certificate(said)))),
        said if certificates > 0 || said.iter().any(|(key, _)| *key == "tcp") => {
            Err("a caller is a process, the holder of a certificate (cert-…), or nobody known behind tcp".to_owned())
        }
        said => process(said).map(|peer| Peer::Unix(Box::new(peer))),
    }
}

/// Splits `uid=998,user=ci`.
///
/// # Errors
/// A part without `=`.
pub fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').ok_or_else(|| format!("'{part}' is not KEY=VALUE"))).collect()
}

fn process(said: &[(&str, &str)]) -> Result<UnixPeer, String> {
    let number = |text: &str| text.parse().map_err(|_no| format!("'{text}' is no number"));
    let mut peer = UnixPeer::default();
    for (key, value) in said {
        match *key {
            "uid" => peer.uid = Some(number(value)?),
            "gid" => {
                let gid = number(value)?;
                peer.gid = peer.gid.or(Some(gid));
                peer.groups.push(Group { gid, name: None });
            }
            "user" => peer.user = Some((*value).to_owned()),
            "group" => peer.groups.push(Group { gid: NO_NUMBER, name: Some((*value).to_owned()) }),
            "home" => peer.home = Some(value.into()),
            _container => {
                peer.container = Some(CallerContainer { id: "0".repeat(64), image: Some((*value).to_owned()) });
            }
        }
    }
    Ok(peer)
}

fn certificate(said: &[(&str, &str)]) -> TlsPeer {
    let all = |wanted: &str| -> Vec<String> {
        said.iter().filter(|(key, _)| *key == wanted).map(|(_, value)| (*value).to_owned()).collect()
    };
    let one = |wanted: &str| all(wanted).pop().unwrap_or_default();
    let sans = all("cert-san");
    let certificate = Certificate {
        subject: all("cert-cn").iter().map(|name| format!("CN={name}")).collect::<Vec<_>>().join(","),
        common_names: all("cert-cn"),
        units: all("cert-ou"),
        spiffe: sans.iter().find(|san| san.starts_with("spiffe:")).cloned(),
        sans,
        issuer: one("cert-issuer"),
        serial: String::new(),
        sha256: one("cert-sha256"),
        not_after: Timestamp::MAX,
    };
    TlsPeer { address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), certificate }
}
