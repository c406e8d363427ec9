//! The exchange with the engine: over this client's own connection, until the answer's head is there and it is clear who
//! writes the rest.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;

use super::body::{AnswerBody, ForwardBody, read_made};
use super::closing::Closing;
use super::gate::Gate;
use super::respond::{Refusal, refuse};
use super::standing::Standing;
use super::wire::{Hijack, Wire};
use crate::audit::{Ended, RecordId};
use crate::engine::{self, Direction, Upstream};
use crate::policy::Permit;
use crate::request::{Body, Call};
use crate::store::{Approved, Launch};

/// The engine broke off without an answer; the client's connection is closed without one too, as a direct client would see.
#[derive(Debug, thiserror::Error)]
#[error("the engine closed the connection without an answer: {0}")]
pub(super) struct EngineGone(#[from] hyper::Error);

/// In which answers the engine may take the connection over for raw bytes both ways. Decided on the judged request: an
/// answer alone would make a tunnel out of any error page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takeover {
    /// In none.
    Never,
    /// After `101` (`/session`, `/grpc`, WebSocket).
    OnSwitch,
    /// After `101`, and after `200` without a length (attach, exec start).
    OnSwitchOrRaw,
}

impl Takeover {
    pub(super) const fn of(call: &Call<'_>) -> Self {
        let detached = matches!(call.body, Body::ExecStart(start) if start.detach);
        match call.asked.operation {
            operation if operation.hijacks() && !detached => Self::OnSwitchOrRaw,
            operation if operation.upgrades() => Self::OnSwitch,
            _ => Self::Never,
        }
    }
}

/// One permitted call on its way to the engine.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) gate: &'a Gate,
    pub(super) wire: &'a Arc<Wire>,
    pub(super) permit: Permit,
    pub(super) takeover: Takeover,
    /// If what is made is a container: what is to be remembered of it.
    pub(super) launch: Option<Launch>,
    /// If it took an approval: what is to be remembered of what it makes.
    pub(super) approved: Option<Approved>,
    pub(super) record: Closing,
    /// If the answer may be a stream: what it takes to judge the call again.
    pub(super) standing: Option<Standing>,
    pub(super) id: RecordId,
}

impl Exchange<'_> {
    pub(super) async fn run(self, mut request: Request<ForwardBody>) -> Result<Response<AnswerBody>, EngineGone> {
        let (is_head, version) = (request.method() == Method::HEAD, request.version());
        let bytes_in = request.body().counter();
        hold_for_continue(&mut request, self.wire);

        let mut upstream = match self.upstream().await {
            Ok(upstream) => upstream,
            Err(why) => {
                return Ok(refuse(&Refusal::Unreachable(&why), self.wire, self.id, Some(self.record)));
            }
        };
        self.wire.forwarded();
        let answer = match upstream.forward(&self.permit, request).await {
            Ok(answer) => answer,
            Err(error) => {
                self.record.ended(Ended::EngineGone).moved(bytes_in.load(Ordering::Relaxed), 0).finish();
                return Err(error.into());
            }
        };
        self.wire.put_upstream(upstream);

        let switched = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switched && self.takeover == Takeover::Never {
            return Ok(refuse(&Refusal::UnexpectedHijack, self.wire, self.id, Some(self.record)));
        }
        let raw = !is_head && self.is_raw(&answer, version);
        if !switched && !raw {
            return Ok(self.pass_on(answer, bytes_in).await);
        }
        Ok(self.hand_over(answer, &bytes_in).await)
    }

    /// Passes an ordinary answer on. That of a create is held until the container is remembered and the engine has said which
    /// image it really used: before the client can start the container, the gate knows it.
    async fn pass_on(self, answer: Response<Incoming>, bytes_in: Arc<AtomicU64>) -> Response<AnswerBody> {
        let (parts, mut body) = answer.into_parts();
        let (mut first, mut record) = (Bytes::new(), self.record);
        let (launch, approved) = (self.launch, self.approved);
        if parts.status == StatusCode::CREATED && (launch.is_some() || approved.is_some()) {
            let (read, id) = read_made(&mut body).await;
            first = read;
            if let (Some(id), Some(approved)) = (&id, approved) {
                self.gate.made_approved(Approved { made: id.clone(), ..approved }).await;
            }
            if let (Some(container), Some(launch)) = (id, launch) {
                record = record.image(self.gate.made(Launch { container, ..launch }).await);
            }
        }
        let ends_by_itself = body.size_hint().exact().is_some();
        if !ends_by_itself {
            record = record.stream(self.gate.audit.streaming());
        }
        if let Some(standing) = self.standing.filter(|_| !ends_by_itself) {
            self.wire.stand(standing.watch());
        }
        AnswerBody::from_engine(Response::from_parts(parts, body), first, self.wire, record, bytes_in)
    }

    /// The connection of the last call, or a new one.
    async fn upstream(&self) -> Result<Upstream<ForwardBody>, engine::OpenError> {
        if let Some(mut upstream) = self.wire.take_upstream()
            && upstream.ready().await.is_ok()
        {
            return Ok(upstream);
        }
        let (mut upstream, connection) = engine::open(&self.gate.dialer, Arc::clone(&self.wire.half)).await?;
        self.wire.put_connection(connection);
        upstream.ready().await?;
        Ok(upstream)
    }

    /// Whether an answer has no length, so that only the end of the stream ends it. hyper cannot write one to an HTTP/1.1
    /// client: it would be chunked, and the client takes the chunks for the stream.
    fn is_raw(&self, answer: &Response<Incoming>, version: Version) -> bool {
        let headers = answer.headers();
        let bodiless = matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        // An HTTP/1.0 client expects such answers, and hyper writes them; a hijack does not ask the version.
        let plain_old = version == Version::HTTP_10 && self.takeover != Takeover::OnSwitchOrRaw;
        !bodiless && !framed && !plain_old
    }

    /// Gives the connection to the driver, which takes both streams from hyper and drops this call.
    async fn hand_over(self, answer: Response<Incoming>, bytes_in: &AtomicU64) -> Response<AnswerBody> {
        let status = answer.status();
        let streams = match self.takeover {
            Takeover::Never => false,
            Takeover::OnSwitch => status == StatusCode::SWITCHING_PROTOCOLS,
            Takeover::OnSwitchOrRaw => matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::OK),
        };
        let reason = answer.extensions().get::<ReasonPhrase>();
        let head = engine::raw_head(status, reason, answer.headers());
        let record = self.record.stream(self.gate.audit.streaming());
        let record = record.status(status.as_u16()).moved(bytes_in.load(Ordering::Relaxed), 0);
        let direction = if streams { Direction::Both } else { Direction::ToClient };
        let revocation = self.standing.map(Standing::watch);
        self.wire.hijack(Hijack { head, body: answer.into_body(), direction, closing: record, revocation });
        pending().await
    }
}

/// With `Expect: 100-continue` the body waits for the engine's word. hyper's server answers the client `100 Continue` when
/// its body is first polled, which must not happen before the engine has decided.
fn hold_for_continue(request: &mut Request<ForwardBody>, wire: &Arc<Wire>) {
    if !continues(request.headers()) {
        return;
    }
    let wanted = request.body_mut().wait_for_continue();
    let wire = Arc::clone(wire);
    hyper::ext::on_informational(request, move |informational| {
        if informational.status() == StatusCode::CONTINUE {
            wanted.store(true, Ordering::Release);
            wire.wake();
        }
    });
}

/// Whether a client waits for `100 Continue` before it sends its body.
pub(super) fn continues(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
