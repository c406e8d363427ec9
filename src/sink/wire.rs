//! The way to a sink: sockets, and how far what was written to them has come.
//!
//! Neither protocol has acknowledgements. What can be known is what the kernel knows: whether the other end has read a Unix
//! socket, and whether the other host has acknowledged a TCP stream.

use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg, setsockopt, sockopt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixDatagram, UnixStream};
use tokio::time::timeout;

use super::settings::{Settings, Target};
use super::{journald, syslog};
use crate::runtime::Stream;
use crate::sys;

/// How long a connection may take to be made, and a message to be taken.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a TCP connection is idle before the other host is asked whether it is still there.
const IDLE: u32 = 30;

/// A connection to a sink.
#[derive(Debug)]
pub(super) enum Wire {
    /// Datagrams to a socket at a path, which had this inode when it was connected to.
    Datagrams { socket: UnixDatagram, path: PathBuf, inode: u64, shape: Shape },
    /// A stream.
    Stream(Stream),
}

/// What a message looks like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// An entry of the system's journal.
    Entry,
    /// A datagram of syslog.
    Datagram,
    /// A frame of syslog.
    Frame,
}

impl Shape {
    /// A record's messages; none if the sink does not take it.
    pub(super) fn messages(self, settings: &Settings, line: &[u8], record: &Value) -> Vec<Vec<u8>> {
        if !settings.takes(record) {
            return Vec::new();
        }
        let message = match self {
            Self::Entry => journald::entry,
            Self::Datagram => syslog::message,
            Self::Frame => syslog::frame,
        };
        let render = |line: &[u8], record: &Value| -> Vec<Vec<u8>> {
            settings.format.render(line, record).iter().map(|event| message(record, event)).collect()
        };
        let messages = render(line, record);
        if self == Self::Entry || messages.iter().all(|message| message.len() <= syslog::MOST) {
            return messages;
        }
        let short = syslog::shortened(line, record);
        render(short.to_string().as_bytes(), &short)
    }
}

impl Wire {
    /// Connects.
    pub(super) async fn connect(target: &Target) -> io::Result<Self> {
        let connected = async {
            match target {
                Target::Journald(path) => datagrams(path, Shape::Entry),
                Target::Unix(path) => match datagrams(path, Shape::Datagram) {
                    // As syslog(3) does it.
                    Err(error) if error.raw_os_error() == Some(nix::libc::EPROTOTYPE) => {
                        Ok(Self::Stream(Stream::Unix(UnixStream::connect(path).await?)))
                    }
                    wire => wire,
                },
                Target::Tcp(host, port) => Ok(Self::Stream(Stream::Tcp(tcp(host, *port).await?))),
                Target::Tls(tls) => Ok(Self::Stream(tls.secure(tcp(&tls.host, tls.port).await?).await?)),
            }
        };
        within(PATIENCE, connected).await
    }

    pub(super) const fn shape(&self) -> Shape {
        match self {
            Self::Datagrams { shape, .. } => *shape,
            Self::Stream(_) => Shape::Frame,
        }
    }

    /// Writes messages, in order.
    pub(super) async fn send(&mut self, messages: &[Vec<u8>]) -> io::Result<()> {
        match self {
            Self::Datagrams { socket, shape, .. } => {
                for message in messages {
                    within(PATIENCE, datagram(socket, message, *shape)).await?;
                }
                Ok(())
            }
            Self::Stream(stream) => {
                let all = messages.concat();
                within(PATIENCE, async {
                    stream.write_all(&all).await?;
                    stream.flush().await
                })
                .await
            }
        }
    }

    /// Waits for the other end to close. What it says meanwhile is nothing that these protocols know.
    pub(super) async fn closed(&mut self) -> io::Error {
        let Self::Stream(stream) = self else { return std::future::pending().await };
        let mut heard = [0; 512];
        loop {
            match stream.read(&mut heard).await {
                Ok(0) => return io::Error::new(io::ErrorKind::UnexpectedEof, "the other end closed the connection"),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    /// Whether all that was written has been taken: read from a Unix socket, acknowledged by the other host on TCP.
    pub(super) fn is_taken(&self) -> io::Result<bool> {
        match self {
            Self::Datagrams { socket, path, inode, .. } => {
                // A receiver that died takes what it had not read along. Then its socket refuses us, or is another one.
                let is_same = || -> io::Result<bool> {
                    UnixDatagram::unbound()?.connect(path)?;
                    Ok(path.metadata()?.ino() == *inode)
                };
                let is_taken = sys::unsent(socket.as_fd())? == 0;
                match is_same()? {
                    true => Ok(is_taken),
                    false => Err(io::Error::other("the socket was replaced by another one")),
                }
            }
            Self::Stream(stream) => Ok(sys::unsent(stream.as_fd())? == 0),
        }
    }

    /// Closes, and tells whether all that was written has been read: whoever closes a stream in answer has read to its end.
    pub(super) async fn close(mut self, within: Duration) -> bool {
        let Self::Stream(stream) = &mut self else {
            return self.is_taken().unwrap_or(false);
        };
        let farewell = async {
            stream.shutdown().await?;
            let mut heard = [0; 512];
            while stream.read(&mut heard).await? > 0 {}
            Ok::<(), io::Error>(())
        };
        matches!(timeout(within, farewell).await, Ok(Ok(())))
    }
}

async fn within<T>(limit: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(limit, doing).await {
        Ok(done) => done,
        Err(_elapsed) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs())))
        }
    }
}

fn datagrams(path: &Path, shape: Shape) -> io::Result<Wire> {
    let socket = UnixDatagram::unbound()?;
    let inode = path.metadata()?.ino();
    socket.connect(path)?;
    Ok(Wire::Datagrams { socket, path: path.to_owned(), inode, shape })
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // A host that went away without a word is noticed, and what it did not acknowledge is sent again.
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    setsockopt(&stream, sockopt::TcpKeepIdle, &IDLE)?;
    setsockopt(&stream, sockopt::TcpUserTimeout, &(IDLE * 1000))?;
    Ok(stream)
}

/// Sends one datagram. An entry that is too large for one goes as a sealed memory file, as the journal's protocol has it.
async fn datagram(socket: &UnixDatagram, message: &[u8], shape: Shape) -> io::Result<()> {
    match socket.send(message).await {
        Err(error) if shape == Shape::Entry && is_too_large(&error) => {}
        sent => return sent.map(drop),
    }
    let memory = memfd_create(c"tidewaiter", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut memory = std::fs::File::from(memory);
    memory.write_all(message)?;
    let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
    let descriptors = [memory.as_raw_fd()];
    socket
        .async_io(Interest::WRITABLE, || {
            let file = [ControlMessage::ScmRights(&descriptors)];
            let sent = sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&[])], &file, MsgFlags::empty(), None);
            sent.map(drop).map_err(io::Error::from)
        })
        .await
}

fn is_too_large(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EMSGSIZE | nix::libc::ENOBUFS))
}
