//! Forwarding a client's calls over one engine connection of its own.

use std::error::Error as StdError;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::{ConnectError, Dialer, EngineIo, HalfClose};
use crate::policy::Permit;

/// Largest buffer for an answer's head, and the ceiling of hyper's read and write buffers; a Go server sends no more.
const MAX_BUFFER: usize = 1_060_000;

/// The connection itself; whoever owns the client's connection polls it beside that one.
pub type EngineConnection<B> = http1::Connection<TokioIo<EngineIo>, B>;

/// Sends requests over one engine connection.
#[derive(Debug)]
pub struct Upstream<B> {
    sender: http1::SendRequest<B>,
}

/// Why no connection could be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody there.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// hyper's handshake failed; it does no I/O, so this is not expected.
    #[error("cannot open an HTTP connection to the Docker Engine: {0}")]
    Handshake(#[from] hyper::Error),
}

/// Opens an engine connection. It makes progress only while the returned connection is polled.
///
/// # Errors
/// If the engine cannot be reached.
pub async fn open<B>(dialer: &Dialer, half: Arc<HalfClose>) -> Result<(Upstream<B>, EngineConnection<B>), OpenError>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let stream = dialer.connect().await?;
    let (sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(MAX_BUFFER)
        .handshake(TokioIo::new(EngineIo::new(stream, half)))
        .await?;
    Ok((Upstream { sender }, connection))
}

impl<B: Body + 'static> Upstream<B> {
    /// Waits until another request may be sent.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn ready(&mut self) -> hyper::Result<()> {
        self.sender.ready().await
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Forwards a request that policy permits, and waits for the head of the answer.
    ///
    /// # Errors
    /// If the engine breaks off, or the client's body does.
    pub async fn forward(&mut self, _permit: &Permit, request: Request<B>) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }
}
