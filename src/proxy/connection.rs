//! One client connection and its one engine connection, driven together by one task.
//!
//! hyper parses and writes; it never owns the sockets for good. When an answer takes the connection over, both hyper
//! connections are taken apart and the bytes are moved by hand.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};

use super::body::{AnswerBody, ForwardBody};
use super::client_io::ClientIo;
use super::exchange::EngineGone;
use super::gate::Gate;
use super::pipeline::{self, Arrival};
use super::refused;
use super::wire::{Hijack, Wire};
use crate::audit::Ended;
use crate::engine::{EngineConnection, Relay, RelayEnd, Side};
use crate::listen::Shown;
use crate::peer::Peer;
use crate::runtime::{Stream, Watch};

/// Who is on a connection, and which door it came through.
#[derive(Debug)]
pub struct Client {
    /// Name of the door.
    pub door: Arc<str>,
    /// Who.
    pub peer: Peer,
}

type ServerConnection = http1::Connection<TokioIo<ClientIo>, Calls>;

/// Serves one client connection to its end, which also comes when its door no longer takes the certificate that was shown.
pub async fn serve(gate: Arc<Gate>, client: Client, (stream, shown): (Stream, Option<Shown>), drain: Watch) {
    let mut withdrawn = pin!(async {
        match shown {
            Some(shown) => shown.refused().await,
            None => pending().await,
        }
    });
    let client = Arc::new(client);
    let wire = Arc::new(Wire::default());
    let calls = Calls::new(&gate, &client, &wire);
    let server = http1::Builder::new()
        .auto_date_header(false)
        .title_case_headers(true)
        // A Timer would start the clock while hyper waits for a head, and cut idle connections; the driver has its own.
        .header_read_timeout(None)
        .max_buf_size(gate.rules.current().limits.headers + SLACK)
        .max_headers(MAX_HEADER_LINES)
        .serve_connection(TokioIo::new(ClientIo::new(stream, Arc::clone(&wire))), calls);
    let mut driver = Driver { server, upstream: None, upstream_over: false, wire, slow: None };
    match driver.run(&gate, drain, withdrawn.as_mut()).await {
        End::TakenOver(hijack) => driver.take_over(*hijack, withdrawn).await,
        End::Closed(result) => {
            if let Some(closing) = driver.wire.take_closing() {
                closing.ended(Ended::ClientGone).finish();
            }
            if driver.wire.is_body_left() {
                refused::linger(driver.into_client().0).await;
            } else {
                refused::unparsed(&gate, &client, driver, result).await;
            }
        }
        End::TooSlow => refused::too_slow(&gate, &client).await,
        End::Revoked(why) => {
            let wire = Arc::clone(&driver.wire);
            // Both connections end; the answer's body leaves its record behind.
            drop(driver);
            if let Some(closing) = wire.take_closing() {
                closing.revoked(why).finish();
            }
        }
    }
}

/// Go's own allowance on top of its limit for a head.
const SLACK: usize = 4096;

/// Header lines. Engines before 28 have no such limit and 28 takes some 250; no client is known to send a hundred.
const MAX_HEADER_LINES: usize = 256;

/// How the HTTP part of a connection ended.
#[derive(Debug)]
enum End {
    Closed(hyper::Result<()>),
    TakenOver(Box<Hijack>),
    /// A head was begun and not ended in time.
    TooSlow,
    /// The policy has changed against the stream that was open, or the door against the client, for a reason.
    Revoked(String),
}

/// Both connections of one client.
#[derive(Debug)]
pub(super) struct Driver {
    server: ServerConnection,
    upstream: Option<EngineConnection<ForwardBody>>,
    upstream_over: bool,
    pub(super) wire: Arc<Wire>,
    slow: Option<Pin<Box<Sleep>>>,
}

impl Driver {
    async fn run(&mut self, gate: &Gate, drain: Watch, mut withdrawn: Pin<&mut impl Future<Output = String>>) -> End {
        let mut drained = pin!(drain.signaled());
        let mut is_draining = false;
        poll_fn(|cx| {
            self.wire.set_task(cx.waker());
            if !is_draining && drained.as_mut().poll(cx).is_ready() {
                is_draining = true;
                Pin::new(&mut self.server).graceful_shutdown();
            }
            match self.poll(cx, gate) {
                Poll::Pending => withdrawn.as_mut().poll(cx).map(End::Revoked),
                ended @ Poll::Ready(_) => ended,
            }
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>, gate: &Gate) -> Poll<End> {
        loop {
            let served = Pin::new(&mut self.server).poll(cx);
            if let Some(hijack) = self.wire.take_hijack() {
                return Poll::Ready(End::TakenOver(Box::new(hijack)));
            }
            if let Poll::Ready(result) = served {
                return Poll::Ready(End::Closed(result));
            }
            if let Poll::Ready(why) = self.wire.poll_revoked(cx) {
                return Poll::Ready(End::Revoked(why));
            }
            if let Some(connection) = self.wire.take_connection() {
                self.upstream = Some(connection);
                self.upstream_over = false;
            }
            if self.poll_upstream(cx).is_pending() {
                return self.poll_slow(cx, gate);
            }
        }
    }

    /// Ready when something changed that the client's side must see at once.
    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Pending;
        };
        let mut changed = false;
        if !self.upstream_over
            && let Poll::Ready(result) = upstream.poll_without_shutdown(cx)
        {
            if let Err(error) = result {
                tracing::debug!(%error, "the engine connection broke off");
            }
            self.upstream_over = true;
            changed = true;
        }
        // A connection that has ended must be dropped, or a sender waits on it for ever; but not before a hijack had a
        // chance to take it apart.
        if self.upstream_over && self.wire.upstream_over() {
            self.upstream = None;
            changed = true;
        }
        if changed { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The clock of a slow head starts at its first byte, so that an idle connection may stay for hours.
    fn poll_slow(&mut self, cx: &mut Context<'_>, gate: &Gate) -> Poll<End> {
        if !self.wire.is_head_begun() {
            self.slow = None;
            return Poll::Pending;
        }
        let deadline = || Box::pin(sleep_until(Instant::now() + gate.rules.current().limits.head_timeout));
        self.slow.get_or_insert_with(deadline).as_mut().poll(cx).map(|()| End::TooSlow)
    }

    /// The client's stream, and what it sent that was not read as a request.
    pub(super) fn into_client(self) -> (Stream, Bytes) {
        let parts = self.server.into_parts();
        (parts.io.into_inner().into_inner(), parts.read_buf)
    }

    async fn take_over(self, hijack: Hijack, withdrawn: Pin<&mut impl Future<Output = String>>) {
        let Some(upstream) = self.upstream else {
            tracing::error!("an answer took the connection over, but its engine connection is gone");
            return;
        };
        let client = self.server.into_parts();
        let engine = upstream.into_parts();
        let first = first_to_client(hijack.head, hijack.body, &engine.read_buf).await;
        let client = Side { stream: client.io.into_inner().into_inner(), first, unread: client.read_buf };
        let engine = Side { stream: engine.io.into_inner().into_inner(), first: Bytes::new(), unread: Bytes::new() };
        let mut relay = Relay::new(client, engine, hijack.direction);
        let revoked = async {
            match hijack.revocation {
                Some(revocation) => revocation.await,
                None => pending().await,
            }
        };
        let revoked = tokio::select! {
            () = relay.run() => None,
            why = revoked => Some(why),
            why = withdrawn => Some(why),
        };
        let RelayEnd { from_client, to_client, engine_closed } = relay.end();
        let closing = match revoked {
            Some(why) => hijack.closing.revoked(why),
            None if engine_closed => hijack.closing.ended(Ended::Complete),
            None => hijack.closing.ended(Ended::ClientGone),
        };
        closing.moved(from_client, to_client).finish();
    }
}

/// The head, then what hyper has already taken for the answer's body, then what it has read beyond.
async fn first_to_client(head: BytesMut, mut body: Incoming, read: &Bytes) -> Bytes {
    let mut first = head;
    // The connection is gone: its queued frames come first, then an error or the end.
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            first.extend_from_slice(data);
        }
    }
    first.extend_from_slice(read);
    first.freeze()
}

/// hyper's service: every call goes through the limits all calls share, then through the pipeline.
#[derive(Debug)]
struct Calls {
    gate: Arc<Gate>,
    client: Arc<Client>,
    wire: Arc<Wire>,
    limited: BoxCloneSyncService<Arrival, Response<AnswerBody>, EngineGone>,
}

impl Calls {
    fn new(gate: &Arc<Gate>, client: &Arc<Client>, wire: &Arc<Wire>) -> Self {
        let limited = ServiceBuilder::new().layer(gate.calls.clone()).service_fn(pipeline::call);
        let (gate, client, wire) = (Arc::clone(gate), Arc::clone(client), Arc::clone(wire));
        Self { gate, client, wire, limited: BoxCloneSyncService::new(limited) }
    }
}

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<AnswerBody>;
    type Error = EngineGone;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.wire.begin_call();
        let (gate, client, wire) = (Arc::clone(&self.gate), Arc::clone(&self.client), Arc::clone(&self.wire));
        let arrival = Arrival { gate, client, wire, request };
        let limited = self.limited.clone();
        Box::pin(async move { limited.oneshot(arrival).await })
    }
}
