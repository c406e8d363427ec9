//! Sockets that a service manager opened and handed over, by their names: `sd_listen_fds_with_names(3)`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::{Listener, Why};

/// Takes the socket of a name.
///
/// It is a duplicate: the manager keeps the socket open too, so that clients wait in its backlog, and are not refused, while
/// the gate is started anew.
pub(super) fn take(name: &str) -> Result<Listener, Why> {
    let io = |doing| move |error| Why::Io { doing, error };
    let handed = sd_notify::listen_fds_with_names().map_err(io("cannot read what was handed over"))?;
    let mut others = Vec::new();
    let mut found = None;
    for (number, called) in handed {
        if called != name {
            others.push(called);
        } else if found.replace(number).is_some() {
            return Err(Why::Ambiguous);
        }
    }
    let Some(number) = found else { return Err(Why::NotHandedOver(others)) };
    listener(crate::sys::duplicate(number).map_err(io("cannot duplicate it"))?)
}

/// Takes a socket only if it is what a door may be: whoever wrote the unit may have meant something else.
fn listener(socket: OwnedFd) -> Result<Listener, Why> {
    let io = |doing| move |error: io::Error| Why::Io { doing, error };
    let listens =
        getsockopt(&socket, AcceptConn).map_err(|errno| Why::Io { doing: "no socket", error: errno.into() })?;
    let socket = Socket::from(socket);
    let kind = socket.r#type().map_err(io("cannot ask for its type"))?;
    if !listens || kind != Type::STREAM {
        return Err(Why::NotListening);
    }
    socket.set_nonblocking(true).map_err(io("cannot make it non-blocking"))?;
    let address = socket.local_addr().map_err(io("cannot ask for its address"))?;
    if address.domain() == Domain::UNIX {
        let path = address.as_pathname().map(PathBuf::from);
        let listener = UnixListener::from_std(socket.into()).map_err(io("cannot watch it"))?;
        return Ok(Listener::Inherited { listener, path });
    }
    match address.as_socket() {
        Some(address) if address.ip().is_loopback() => {
            let listener = TcpListener::from_std(socket.into()).map_err(io("cannot watch it"))?;
            Ok(Listener::Tcp { listener, tls: None })
        }
        Some(_) => Err(Why::NotLoopback),
        None => Err(Why::NotListening),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    #[tokio::test]
    async fn only_what_listens_and_streams_is_a_door() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("docker.sock");
        let handed = UnixListener::bind(&path).unwrap();
        let door = listener(handed.into());
        assert!(matches!(door, Ok(Listener::Inherited { path: Some(found), .. }) if found == path));
        let loopback = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(listener(loopback.into()), Ok(Listener::Tcp { .. })));

        let public = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        assert!(matches!(listener(public.into()), Err(Why::NotLoopback)));
        let (connected, _other) = UnixStream::pair().unwrap();
        assert!(matches!(listener(connected.into()), Err(Why::NotListening)));
        let datagram = UnixDatagram::bind(dir.path().join("log")).unwrap();
        assert!(matches!(listener(datagram.into()), Err(Why::NotListening)));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(matches!(listener(file.into()), Err(Why::Io { doing: "no socket", .. })));
    }
}
