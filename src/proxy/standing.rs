//! An open stream outlives the verdict that opened it: when the policy changes it is judged again.
//!
//! The question is the one that was answered when it was opened: the same caller, request and facts, the time of now. A stream
//! that the new policy would refuse is closed. Calls whose answer has an announced end run to it; they were judged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connection::Client;
use super::exchange::Takeover;
use super::gate::{Gate, Rules};
use super::pipeline::judge;
use super::taken::Taken;
use crate::policy::{Action, Known};
use crate::request::{Asked, BodyPlan, Call};

/// What it takes to judge a call again.
#[derive(Debug)]
pub(super) struct Standing {
    gate: Arc<Gate>,
    client: Arc<Client>,
    /// What it was judged by last.
    rules: Arc<Rules>,
    /// Whether an admin let it pass: the word was given on this very call, and need not be given again.
    by_admin: bool,
    asked: Asked,
    /// The judged body; empty if it was not read.
    body: Vec<u8>,
    known: Known,
}

/// Ends when a call would be refused, with the words for it; else never.
pub(super) struct Revocation(Pin<Box<dyn Future<Output = String> + Send>>);

/// What of a body it takes to judge a call again that may become a stream; `None` for others. Answers to judged bodies are
/// short; only an exec's start, which has a small one, becomes a stream.
pub(super) fn kept(body: &Taken, takeover: Takeover) -> Option<Vec<u8>> {
    match body.read() {
        None => Some(Vec::new()),
        Some(read) => (takeover != Takeover::Never).then(|| read.to_vec()),
    }
}

impl Standing {
    /// What it takes to judge a call again, if its body was kept for that.
    pub(super) fn new(
        gate: &Arc<Gate>,
        client: Arc<Client>,
        rules: Arc<Rules>,
        by_admin: bool,
        (asked, body): (Asked, Option<Vec<u8>>),
        known: Known,
    ) -> Option<Self> {
        Some(Self { gate: Arc::clone(gate), client, rules, by_admin, asked, body: body?, known })
    }

    /// Judges the call again whenever the policy changes.
    pub(super) fn watch(mut self) -> Revocation {
        Revocation(Box::pin(async move {
            loop {
                self.rules = self.gate.rules.newer(&self.rules).await;
                if let Some(why) = self.refused().await {
                    return why;
                }
            }
        }))
    }

    async fn refused(&mut self) -> Option<String> {
        let Self { gate, client, rules, by_admin, asked, body, known } = self;
        let call = match asked.body {
            BodyPlan::Judge => Call::decode(asked, body),
            BodyPlan::Stream => Call::unread(asked),
        };
        if known.container.is_none() && rules.policy.is_own_only(&client.peer) {
            // Whose container it is did not matter until now.
            *known = gate.facts.learn(&call, true).await;
        }
        let verdict = judge(gate, rules, client, &call, known, jiff::Timestamp::now());
        let refused = verdict.action == Action::Deny && !(*by_admin && verdict.needs_approval());
        refused.then(|| format!("{}, by generation {} of the policy", verdict.summary(), verdict.policy_generation))
    }
}

impl Future for Revocation {
    type Output = String;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<String> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revocation")
    }
}
