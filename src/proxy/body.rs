//! Bodies on their way through: the client's to the engine, the engine's to the client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::closing::Closing;
use super::wire::Wire;
use crate::audit::Ended;

/// Most of an answer that is kept to learn the id of what was made: `{"Id":"<64 hex>","Warnings":[…]}`.
const MAX_MADE_ANSWER: usize = 16 * 1024;

/// A request's body as it goes to the engine.
#[derive(Debug)]
pub(super) struct ForwardBody {
    /// Bytes that were read for judging, or written anew.
    first: Option<Bytes>,
    /// What comes behind them.
    rest: Rest,
    /// With `Expect: 100-continue`: whether the engine has asked for the body.
    wanted: Option<Arc<AtomicBool>>,
    wire: Arc<Wire>,
    passed: Arc<AtomicU64>,
}

/// What comes behind the first bytes of a request's body.
#[derive(Debug)]
pub(super) enum Rest {
    /// Nothing; without first bytes there is no body at all.
    Nothing,
    /// The end. hyper must ask for it, or it drops the framing of an empty body.
    End,
    /// What the client still sends.
    Stream(Incoming),
    /// The client stopped in the middle. The engine gets the same broken body and answers it in its own way.
    Broken,
}

impl ForwardBody {
    pub(super) fn new(wire: &Arc<Wire>, first: Bytes, rest: Rest) -> Self {
        let first = Some(first).filter(|bytes| !bytes.is_empty());
        let body = Self { first, rest, wanted: None, wire: Arc::clone(wire), passed: Arc::default() };
        if body.is_end_stream() {
            wire.half.request_over();
        }
        body
    }

    /// Holds the body back until the engine asks for it. hyper's server answers `100 Continue` when its body is first
    /// polled, which must not happen before the engine has decided.
    pub(super) fn wait_for_continue(&mut self) -> Arc<AtomicBool> {
        Arc::clone(self.wanted.insert(Arc::default()))
    }

    /// Counts the bytes that have passed.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.passed)
    }
}

impl Body for ForwardBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        if this.wanted.as_ref().is_some_and(|wanted| !wanted.load(Ordering::Acquire)) {
            // Whoever sets it wakes the task that drives both connections, this one.
            return Poll::Pending;
        }
        if let Some(first) = this.first.take() {
            this.passed.fetch_add(first.len() as u64, Ordering::Relaxed);
            if this.is_end_stream() {
                this.wire.half.request_over();
            }
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let polled = match &mut this.rest {
            Rest::Nothing | Rest::End => Poll::Ready(None),
            Rest::Stream(rest) => Pin::new(rest).poll_frame(cx),
            Rest::Broken => Poll::Pending,
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let passed = frame.data_ref().map_or(0, Bytes::len);
                this.passed.fetch_add(passed as u64, Ordering::Relaxed);
                if this.is_end_stream() {
                    this.wire.half.request_over();
                }
            }
            Poll::Ready(None) => this.wire.half.request_over(),
            Poll::Ready(Some(Err(_))) => {
                // Passed on, the error would drop the engine's connection and the answer with it.
                this.rest = Rest::Broken;
                this.wire.half.client_fin();
                this.wire.half.request_over();
                return Poll::Pending;
            }
            // The end of the client's stream is hidden from hyper, which waits for the rest for ever.
            Poll::Pending if this.wire.half.is_client_fin() => this.wire.half.request_over(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none()
            && match &self.rest {
                Rest::Nothing => true,
                Rest::Stream(rest) => rest.is_end_stream(),
                Rest::End | Rest::Broken => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let rest = match &self.rest {
            Rest::Nothing | Rest::End => SizeHint::with_exact(0),
            Rest::Stream(rest) => rest.size_hint(),
            Rest::Broken => SizeHint::new(),
        };
        behind(self.first.as_ref(), &rest)
    }
}

/// The size of what was read and of what is still to come.
fn behind(first: Option<&Bytes>, rest: &SizeHint) -> SizeHint {
    let first = first.map_or(0, Bytes::len) as u64;
    let mut hint = SizeHint::new();
    hint.set_lower(first + rest.lower());
    if let Some(upper) = rest.upper() {
        hint.set_upper(first + upper);
    }
    hint
}

/// Reads a client's body whole, up to a limit.
///
/// What was read stays in `into` however it ends, so that monitor mode can forward it all the same.
pub(super) async fn read_whole(body: &mut Incoming, into: &mut Vec<u8>, limit: usize, wire: &Wire) -> ReadEnd {
    std::future::poll_fn(|cx| {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        into.extend_from_slice(data);
                    }
                    if into.len() > limit {
                        return Poll::Ready(ReadEnd::TooLarge);
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    // Nothing more of what this client sends can be read.
                    wire.half.client_fin();
                    return Poll::Ready(ReadEnd::Broken);
                }
                Poll::Ready(None) => return Poll::Ready(ReadEnd::Whole),
                Poll::Pending if wire.half.is_client_fin() => return Poll::Ready(ReadEnd::Broken),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// How the reading of a judged body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadEnd {
    Whole,
    TooLarge,
    /// The client went away, or its framing is broken.
    Broken,
}

/// An answer's body as it goes to the client; owns the call's record until it is over.
#[derive(Debug)]
pub(super) struct AnswerBody {
    source: Source,
    wire: Arc<Wire>,
    record: Option<Closing>,
    bytes_in: Arc<AtomicU64>,
    bytes_out: u64,
    /// The beginning of a `201`'s body.
    made: Option<Vec<u8>>,
    ended: Option<Ended>,
}

#[derive(Debug)]
enum Source {
    /// What was read before the rest streams through.
    Engine(Option<Bytes>, Incoming),
    Gate(Option<Bytes>),
}

impl AnswerBody {
    /// The engine's answer, of whose body `first` has been read.
    pub(super) fn from_engine(
        answer: Response<Incoming>,
        first: Bytes,
        wire: &Arc<Wire>,
        record: Closing,
        bytes_in: Arc<AtomicU64>,
    ) -> Response<Self> {
        let made = (answer.status() == StatusCode::CREATED).then(Vec::new);
        let record = Some(record.status(answer.status().as_u16()));
        let wire = Arc::clone(wire);
        answer.map(|body| Self {
            source: Source::Engine(Some(first).filter(|first| !first.is_empty()), body),
            wire,
            record,
            bytes_in,
            bytes_out: 0,
            made,
            ended: None,
        })
    }

    /// The gate's own answer, which ends the call as `ended`.
    pub(super) fn from_gate(body: Bytes, wire: &Arc<Wire>, record: Option<Closing>, ended: Ended) -> Self {
        Self {
            source: Source::Gate(Some(body)),
            wire: Arc::clone(wire),
            record,
            bytes_in: Arc::default(),
            bytes_out: 0,
            made: None,
            ended: Some(ended),
        }
    }

    fn count(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        self.bytes_out += data.len() as u64;
        if let Some(made) = &mut self.made
            && made.len() + data.len() <= MAX_MADE_ANSWER
        {
            made.extend_from_slice(data);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        match &mut this.source {
            Source::Gate(body) => {
                let frame = body.take().map(Frame::data);
                if let Some(frame) = &frame {
                    this.count(frame);
                }
                Poll::Ready(frame.map(Ok))
            }
            Source::Engine(first, body) => {
                let polled = match first.take() {
                    Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
                    None => Pin::new(body).poll_frame(cx),
                };
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => this.count(frame),
                    Poll::Ready(None) => this.ended = Some(Ended::Complete),
                    Poll::Ready(Some(Err(_))) => this.ended = Some(Ended::EngineGone),
                    Poll::Pending => {}
                }
                polled.map_err(io::Error::other)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Engine(first, body) => first.is_none() && body.is_end_stream(),
            Source::Gate(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Engine(first, body) => behind(first.as_ref(), &body.size_hint()),
            Source::Gate(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}

// hyper drops the body when it has passed whole or the client is gone; both end the call's record.
impl Drop for AnswerBody {
    fn drop(&mut self) {
        let unfinished = if self.is_end_stream() { Ended::Complete } else { Ended::ClientGone };
        let made = self.made.take().and_then(|answer| made_id(&answer));
        let record = self.record.take().map(|record| {
            let bytes_in = self.bytes_in.load(Ordering::Relaxed);
            record.ended(self.ended.unwrap_or(unfinished)).moved(bytes_in, self.bytes_out).made(made)
        });
        self.wire.answer_over(record);
    }
}

/// Reads the answer to a create, and the id in it. What was read stays to be sent however it ends.
pub(super) async fn read_made(body: &mut Incoming) -> (Bytes, Option<String>) {
    let mut read = BytesMut::new();
    while read.len() < MAX_MADE_ANSWER {
        match body.frame().await.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(data))) => read.extend_from_slice(&data),
            // Answers have no trailers; a broken one breaks again when it is sent.
            Some(Ok(Err(_)) | Err(_)) | None => break,
        }
    }
    let read = read.freeze();
    let id = made_id(&read);
    (read, id)
}

/// The id in the engine's answer to a create.
fn made_id(answer: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Made {
        #[serde(rename = "Id")]
        id: String,
    }
    serde_json::from_slice::<Made>(answer).ok().map(|made| made.id)
}
