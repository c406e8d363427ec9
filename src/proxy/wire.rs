//! What the parts of one client connection tell each other: the two I/O wrappers, the call under way, and the task that
//! drives them all. One task owns everything, so the lock is never contended.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use hyper::body::Incoming;

use super::body::ForwardBody;
use super::closing::Closing;
use super::standing::Revocation;
use crate::engine::{Direction, EngineConnection, HalfClose, Upstream};

/// The state of one client connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    state: Mutex<State>,
    /// Shared with the engine's side.
    pub(super) half: Arc<HalfClose>,
}

#[derive(Debug, Default)]
struct State {
    /// The driving task.
    task: Option<Waker>,
    /// A call is under way: the client's end of stream is kept from hyper, which would drop the call.
    in_flight: bool,
    /// The first bytes of a head are there, its end is not.
    head_begun: bool,
    /// A call was refused while its client may still be sending.
    body_left: bool,
    /// The first bytes were those of an HTTP/2 connection.
    http2: bool,
    /// The request is in the engine's hands: its connection must live until the answer is over.
    forwarded: bool,
    /// The engine connection has ended.
    upstream_over: bool,
    /// The answer's body is over but not yet flushed.
    answer_over: bool,
    /// The record of such an answer.
    closing: Option<Closing>,
    /// The answer is a stream, which ends when its call would be refused.
    revocation: Option<Revocation>,
    /// The sender of the engine connection, between calls.
    upstream: Option<Upstream<ForwardBody>>,
    /// A new engine connection on its way to the driver.
    connection: Option<EngineConnection<ForwardBody>>,
    /// An answer that takes the connection over, on its way to the driver.
    hijack: Option<Hijack>,
}

/// An answer that hyper cannot write: its head, what hyper has of its body, and its record.
#[derive(Debug)]
pub(super) struct Hijack {
    pub(super) head: BytesMut,
    pub(super) body: Incoming,
    pub(super) direction: Direction,
    pub(super) closing: Closing,
    pub(super) revocation: Option<Revocation>,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic aborts the process, so that a poisoned lock cannot be seen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- the driver ---

    pub(super) fn set_task(&self, waker: &Waker) {
        let mut state = self.state();
        if !state.task.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.task = Some(waker.clone());
        }
    }

    pub(super) fn take_connection(&self) -> Option<EngineConnection<ForwardBody>> {
        let mut state = self.state();
        state.connection.take().inspect(|_| state.upstream_over = false)
    }

    pub(super) fn take_hijack(&self) -> Option<Hijack> {
        self.state().hijack.take()
    }

    /// The engine connection has ended. Whether it may be dropped: not while an answer that came over it is under way.
    pub(super) fn upstream_over(&self) -> bool {
        let mut state = self.state();
        state.upstream_over = true;
        !state.forwarded
    }

    /// Whether a head has begun and not ended: then a slow client's clock runs.
    pub(super) fn is_head_begun(&self) -> bool {
        let state = self.state();
        state.head_begun && !state.in_flight
    }

    pub(super) fn is_body_left(&self) -> bool {
        self.state().body_left
    }

    pub(super) fn is_http2(&self) -> bool {
        self.state().http2
    }

    /// Ready when the call under way would be refused by now, with the words for it.
    pub(super) fn poll_revoked(&self, cx: &mut Context<'_>) -> Poll<String> {
        match &mut self.state().revocation {
            Some(revocation) => Pin::new(revocation).poll(cx),
            None => Poll::Pending,
        }
    }

    /// What is left of a call whose answer was not flushed when the connection ended.
    pub(super) fn take_closing(&self) -> Option<Closing> {
        self.state().closing.take()
    }

    // --- the call ---

    /// A call begins; must happen before its future is first polled, since hyper looks for the end of the stream first.
    pub(super) fn begin_call(&self) {
        self.half.request_begins();
        let mut state = self.state();
        state.in_flight = true;
        state.head_begun = false;
        state.forwarded = false;
        state.revocation = None;
    }

    /// A call is refused; tells whether its client may still be sending.
    pub(super) fn leave_body(&self, left: bool) {
        self.state().body_left = left;
    }

    /// The sender of the engine connection, if there is one that has not ended.
    pub(super) fn take_upstream(&self) -> Option<Upstream<ForwardBody>> {
        let mut state = self.state();
        let upstream = state.upstream.take();
        if state.upstream_over { None } else { upstream.filter(|upstream| !upstream.is_closed()) }
    }

    pub(super) fn put_upstream(&self, upstream: Upstream<ForwardBody>) {
        self.state().upstream = Some(upstream);
    }

    pub(super) fn put_connection(&self, connection: EngineConnection<ForwardBody>) {
        let mut state = self.state();
        state.connection = Some(connection);
        state.wake();
    }

    /// Has the driver polled again.
    pub(super) fn wake(&self) {
        self.state().wake();
    }

    pub(super) fn forwarded(&self) {
        self.state().forwarded = true;
    }

    /// The answer is a stream, to be cut when its call would be refused.
    pub(super) fn stand(&self, revocation: Revocation) {
        self.state().revocation = Some(revocation);
    }

    pub(super) fn hijack(&self, hijack: Hijack) {
        let mut state = self.state();
        state.hijack = Some(hijack);
        state.wake();
    }

    /// The answer's body is over; its record is finished when it is flushed.
    pub(super) fn answer_over(&self, closing: Option<Closing>) {
        let mut state = self.state();
        state.answer_over = true;
        state.closing = closing;
        state.forwarded = false;
        state.wake();
    }

    // --- the client's I/O ---

    /// The client's bytes: whether they begin a head.
    pub(super) fn head_begins(&self, http2: bool) {
        let mut state = self.state();
        state.http2 |= http2;
        if !state.in_flight && !state.head_begun {
            state.head_begun = true;
            state.wake();
        }
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.state().in_flight
    }

    /// Whether the client's end of stream must be kept from hyper, because a call is under way. It is passed on.
    pub(super) fn hides_fin(&self) -> bool {
        let state = self.state();
        if state.in_flight && !self.half.is_client_fin() {
            self.half.client_fin();
            state.wake();
        }
        state.in_flight
    }

    /// hyper's write buffer is empty: if the answer is over, so is the call. Tells whether one ended now.
    pub(super) fn flushed(&self) -> bool {
        let mut state = self.state();
        if !std::mem::take(&mut state.answer_over) {
            return false;
        }
        let closing = state.closing.take();
        state.in_flight = false;
        state.revocation = None;
        // hyper must look for the end of the stream again.
        state.wake();
        drop(state);
        if let Some(closing) = closing {
            closing.finish();
        }
        true
    }
}

impl State {
    fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }
}
