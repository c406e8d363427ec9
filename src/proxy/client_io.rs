//! The client's stream under hyper's server: what has to be seen or changed before hyper sees it.
//!
//! * The client's end of stream is kept from hyper while a call is under way, and passed on to the engine.
//! * hyper refuses characters in a request line that Go takes; they are escaped, which changes nothing for the engine.
//! * A flush with nothing left to write is the one moment at which an answer is known to have gone out whole.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::Wire;
use crate::runtime::Stream;

/// Most that is read at once. hyper doubles its buffer whenever a read fills it, up to a MiB a connection; 64 KiB would cost
/// a third more time on large answers, 128 KiB costs nothing.
const MAX_READ: usize = 128 * 1024;

/// How an HTTP/2 connection begins.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The client's stream.
#[derive(Debug)]
pub(super) struct ClientIo {
    stream: Stream,
    wire: Arc<Wire>,
    /// In the request line of a head that has begun.
    in_request_line: bool,
    /// What an escaped request line has outgrown hyper's buffer by.
    rest: BytesMut,
}

impl ClientIo {
    pub(super) fn new(stream: Stream, wire: Arc<Wire>) -> Self {
        Self { stream, wire, in_request_line: true, rest: BytesMut::new() }
    }

    pub(super) fn into_inner(self) -> Stream {
        self.stream
    }

    /// Looks at what was read while a head is expected.
    fn expect_head(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let Some(read) = buf.filled().get(before..) else { return };
        self.wire.head_begins(read.starts_with(HTTP2_PREFACE));
        if !self.in_request_line {
            return;
        }
        let line = memchr::memchr(b'\n', read).unwrap_or(read.len());
        self.in_request_line = line == read.len();
        let Some((line, after)) = read.split_at_checked(line) else {
            return;
        };
        if !line.iter().any(|&byte| escape(byte).is_some()) {
            return;
        }
        let mut escaped = BytesMut::with_capacity(read.len() + 64);
        for &byte in line {
            match escape(byte) {
                Some(code) => escaped.extend_from_slice(code),
                None => escaped.extend_from_slice(&[byte]),
            }
        }
        escaped.extend_from_slice(after);
        buf.set_filled(before);
        self.rest = escaped;
        self.give_rest(buf);
    }

    fn give_rest(&mut self, buf: &mut ReadBuf<'_>) {
        let fits = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(fits));
    }
}

/// Characters that Go takes in a request target and hyper does not (or, for `#`, cuts at).
const fn escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'"' => Some(b"%22"),
        b'#' => Some(b"%23"),
        b'<' => Some(b"%3C"),
        b'>' => Some(b"%3E"),
        b'`' => Some(b"%60"),
        _ => None,
    }
}

// === impl tokio I/O ===

impl AsyncRead for ClientIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.rest.has_remaining() {
            this.give_rest(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if buf.remaining() > MAX_READ {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(MAX_READ));
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buf.advance(read);
        } else {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        }
        let is_end = buf.filled().len() == before;
        if is_end && buf.remaining() > 0 && this.wire.hides_fin() {
            return Poll::Pending;
        }
        if !is_end && !this.wire.is_in_flight() {
            this.expect_head(buf, before);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.wire.flushed() {
            self.in_request_line = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
