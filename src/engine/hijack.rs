//! After `101`, or `200` without a length, the connection is a raw stream both ways: bytes pass, each end's close is passed
//! on by itself, and nothing is timed out.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use hyper::ext::ReasonPhrase;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runtime::Stream;

/// Size of the buffer bytes are moved through; one a thread, so that a silent stream holds none.
const BUFFER: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// Which ways bytes may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both: the engine has taken the connection over.
    Both,
    /// Only the engine's answer: the client's bytes must not become an unjudged tunnel.
    ToClient,
}

/// One side of a relay.
#[derive(Debug)]
pub struct Side {
    /// The stream.
    pub stream: Stream,
    /// Bytes to be written to it before anything else.
    pub first: Bytes,
    /// Bytes that were read from it and are still to be passed on.
    pub unread: Bytes,
}

/// How a relay ended, and what it moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayEnd {
    /// Bytes from the client.
    pub from_client: u64,
    /// Bytes to the client, the head not counted.
    pub to_client: u64,
    /// Whether the engine closed its side, which is how a stream ends well.
    pub engine_closed: bool,
}

/// Renders the head of a hijacked answer as Go writes it: the engine's own reason phrase, names in Title-Case.
pub fn raw_head(status: StatusCode, reason: Option<&ReasonPhrase>, headers: &HeaderMap) -> BytesMut {
    let mut head = BytesMut::with_capacity(256);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.extend_from_slice(b" ");
    let canonical = status.canonical_reason().unwrap_or_default().as_bytes();
    head.extend_from_slice(reason.map_or(canonical, ReasonPhrase::as_bytes));
    head.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        title_case(name.as_str(), &mut head);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn title_case(name: &str, out: &mut BytesMut) {
    let mut at_start = true;
    for byte in name.bytes() {
        let byte = if at_start { byte.to_ascii_uppercase() } else { byte };
        out.extend_from_slice(&[byte]);
        at_start = byte == b'-';
    }
}

/// Both ends of a hijacked connection.
#[derive(Debug)]
pub struct Relay {
    client: Stream,
    engine: Stream,
    up: Pump,
    down: Pump,
    /// Bytes of the head, which are no bytes of the stream.
    head: u64,
}

impl Relay {
    /// Both ends as they were taken over. Nothing is moved yet.
    pub fn new(client: Side, engine: Side, direction: Direction) -> Self {
        let one_way = direction == Direction::ToClient;
        let unread = if one_way { Bytes::new() } else { client.unread };
        let mut to_engine = BytesMut::from(engine.first);
        to_engine.extend_from_slice(&unread);
        let head = client.first.len() as u64;
        Self {
            client: client.stream,
            engine: engine.stream,
            up: Pump::new(to_engine, one_way),
            down: Pump::new(client.first.into(), false),
            head,
        }
    }

    /// Moves bytes until both ends are done. An end is done when its source has closed and that close was passed on, or when
    /// nobody takes its bytes any more. Dropping the future stops it where it is.
    pub async fn run(&mut self) {
        let Self { client, engine, up, down, .. } = self;
        poll_fn(|cx| {
            // The end of one way does not end the other: a half-close is meant. But a client that cannot be written to is
            // gone, and an engine that has closed its socket whole reads nothing more.
            let to_client = down.poll(cx, engine, client);
            let to_engine = up.poll(cx, client, engine);
            match (to_client, to_engine) {
                (Poll::Ready(Done::Broken), _) | (Poll::Ready(Done::Closed), Poll::Ready(_)) => Poll::Ready(()),
                (Poll::Ready(Done::Closed), Poll::Pending) if is_closed_whole(engine.as_fd()) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// What came of it so far.
    pub fn end(&self) -> RelayEnd {
        RelayEnd {
            from_client: self.up.moved,
            to_client: self.down.moved.saturating_sub(self.head),
            engine_closed: self.down.source_closed && self.down.done == Some(Done::Closed),
        }
    }
}

/// Whether the other end of a Unix socket is closed both ways; on TCP a close looks like a half-close and this is false.
fn is_closed_whole(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::empty())];
    let polled = nix::poll::poll(&mut fds, PollTimeout::ZERO);
    polled.is_ok() && fds.iter().filter_map(PollFd::revents).any(|events| events.contains(PollFlags::POLLHUP))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// The source closed and the close was passed on.
    Closed,
    /// Nobody takes the bytes.
    Broken,
}

/// One way of a relay.
#[derive(Debug)]
struct Pump {
    /// What the other side would not take yet.
    rest: BytesMut,
    source_closed: bool,
    moved: u64,
    done: Option<Done>,
}

impl Pump {
    fn new(first: BytesMut, source_closed: bool) -> Self {
        Self { rest: first, source_closed, moved: 0, done: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Stream, to: &mut Stream) -> Poll<Done> {
        if let Some(done) = self.done {
            return Poll::Ready(done);
        }
        let done = match ready!(self.poll_move(cx, from, to)) {
            Ok(()) => Done::Closed,
            Err(error) => {
                tracing::debug!(%error, "a hijacked stream broke off");
                Done::Broken
            }
        };
        self.done = Some(done);
        Poll::Ready(done)
    }

    fn poll_move(&mut self, cx: &mut Context<'_>, from: &mut Stream, to: &mut Stream) -> Poll<io::Result<()>> {
        loop {
            while !self.rest.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.rest))?;
                self.rest.advance(written);
                self.moved += written as u64;
            }
            if self.source_closed {
                self.rest = BytesMut::new();
                if let Err(error) = ready!(Pin::new(&mut *to).poll_shutdown(cx)) {
                    tracing::debug!(%error, "cannot pass on the end of a hijacked stream");
                }
                return Poll::Ready(Ok(()));
            }
            // TLS keeps what it could not send. Nothing is read before it is gone, or a silent source would leave it there.
            ready!(Pin::new(&mut *to).poll_flush(cx))?;
            ready!(SCRATCH.with_borrow_mut(|scratch| self.poll_pass(cx, from, to, scratch)))?;
        }
    }

    /// Reads once and writes what the other side takes; the rest stays in `self.rest`.
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        scratch: &mut [u8],
    ) -> Poll<io::Result<()>> {
        let mut buf = ReadBuf::new(scratch);
        // A reset source is a closed one: what it sent before has been read.
        let read = ready!(Pin::new(from).poll_read(cx, &mut buf));
        let mut bytes = buf.filled();
        self.source_closed = read.is_err() || bytes.is_empty();
        while !bytes.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, bytes)? {
                Poll::Ready(written) => {
                    self.moved += written as u64;
                    bytes.advance(written);
                }
                Poll::Pending => {
                    self.rest.extend_from_slice(bytes);
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream, UnixStream};
    use tokio::time::timeout;
    use tokio_rustls::{TlsAcceptor, TlsConnector, client};

    use super::*;
    use crate::runtime::tls::{VERSIONS, provider};

    /// Both ends of a TLS connection that holds little on its way.
    async fn tls_pair() -> (Stream, client::TlsStream<TcpStream>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let server = ServerConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let server = server.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let client = ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS).unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        SockRef::from(&theirs).set_recv_buffer_size(16 * 1024).unwrap();
        let (ours, _address) = listener.accept().await.unwrap();
        SockRef::from(&ours).set_send_buffer_size(16 * 1024).unwrap();
        let connect = TlsConnector::from(Arc::new(client)).connect("localhost".try_into().unwrap(), theirs);
        let (ours, theirs) = tokio::join!(TlsAcceptor::from(Arc::new(server)).accept(ours), connect);
        (Stream::Tls(Box::new(ours.unwrap().into())), theirs.unwrap())
    }

    fn side(stream: Stream) -> Side {
        Side { stream, first: Bytes::new(), unread: Bytes::new() }
    }

    #[tokio::test]
    async fn what_tls_could_not_send_at_once_does_not_wait_for_more() {
        let (ours, client) = tls_pair().await;
        let (engine, mut engines) = UnixStream::pair().unwrap();
        let mut relay = Relay::new(side(ours), side(Stream::Unix(engine)), Direction::Both);
        let relay = tokio::spawn(async move {
            relay.run().await;
            relay.end()
        });
        // The engine sends more than the way to the client holds, and then is silent.
        let sent = vec![7; 256 * 1024];
        let mut read = vec![0; sent.len()];
        let mut client = {
            let (mut reads, writes) = tokio::io::split(client);
            let both = async { tokio::join!(engines.write_all(&sent), reads.read_exact(&mut read)) };
            let (wrote, got) = timeout(Duration::from_secs(60), both).await.unwrap();
            wrote.and(got.map(drop)).unwrap();
            reads.unsplit(writes)
        };
        assert!(read == sent);

        // Each end says by itself that it has no more.
        client.shutdown().await.unwrap();
        assert_eq!(engines.read(&mut [0; 1]).await.unwrap(), 0);
        engines.write_all(b"last").await.unwrap();
        drop(engines);
        let mut last = Vec::new();
        client.read_to_end(&mut last).await.unwrap();
        assert_eq!((last.as_slice(), relay.await.unwrap().engine_closed), (&b"last"[..], true));
    }
}
