//! The engine's side of a proxied connection, and how a client's FIN reaches it.
//!
//! The engine decides what a client's half-close means: it ends `/events`, cancels a build, and leaves a short request be.
//! So the FIN is passed on, but never before the request's last byte.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runtime::Stream;

/// What the client's side tells the engine's side. Both are polled by one task; the atomics only make it `Send`.
#[derive(Debug, Default)]
pub struct HalfClose {
    client_fin: AtomicBool,
    /// Something of the request has been written: a flush before that is of an idle connection.
    request_written: AtomicBool,
    request_over: AtomicBool,
}

/// The engine's stream under hyper's client.
#[derive(Debug)]
pub struct EngineIo {
    stream: Stream,
    half: std::sync::Arc<HalfClose>,
    fin_sent: bool,
}

impl HalfClose {
    /// The client has closed its sending side.
    pub fn client_fin(&self) {
        self.client_fin.store(true, Ordering::Release);
    }

    /// Whether the client has closed its sending side.
    pub fn is_client_fin(&self) -> bool {
        self.client_fin.load(Ordering::Acquire)
    }

    /// A request begins; its body is still to come.
    pub fn request_begins(&self) {
        self.request_written.store(false, Ordering::Release);
        self.request_over.store(false, Ordering::Release);
    }

    /// The request's last byte was handed over, or none will come any more.
    pub fn request_over(&self) {
        self.request_over.store(true, Ordering::Release);
    }

    fn may_send_fin(&self) -> bool {
        let written = self.request_written.load(Ordering::Acquire);
        written && self.request_over.load(Ordering::Acquire) && self.is_client_fin()
    }
}

impl EngineIo {
    /// Wraps a fresh connection.
    pub const fn new(stream: Stream, half: std::sync::Arc<HalfClose>) -> Self {
        Self { stream, half, fin_sent: false }
    }

    /// The stream, once hyper is done with it.
    pub fn into_inner(self) -> Stream {
        self.stream
    }
}

// === impl tokio I/O ===

impl AsyncRead for EngineIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for EngineIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.half.request_written.store(true, Ordering::Release);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.half.request_written.store(true, Ordering::Release);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    // hyper flushes only when its own buffer is empty, so a FIN sent here never overtakes the request.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if !self.fin_sent && self.half.may_send_fin() {
            let sent = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.fin_sent = true;
            if let Err(error) = sent {
                // An engine that has closed already has seen more than a FIN; its answer may still be in our buffer.
                tracing::debug!(%error, "cannot pass the client's end of stream on to the engine");
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
