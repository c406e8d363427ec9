//! The way of one call, to be read aloud: read the head, take the body, judge, record, forward, answer.

use std::sync::Arc;

use http::header::{EXPECT, USER_AGENT};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::approval;
use super::body::AnswerBody;
use super::closing::Closing;
use super::connection::Client;
use super::exchange::{EngineGone, Exchange, Takeover, continues};
use super::gate::{Gate, Rules};
use super::respond::{Refusal, refuse};
use super::rewrite::rewrite;
use super::standing::{Standing, kept};
use super::taken::Taken;
use super::wire::Wire;
use crate::audit::{CallFacts, Pending, RecordId, Unwritten};
use crate::policy::{self, Facts, Known, Mode, Verdict};
use crate::request::{self, Body, Call, Head};
use crate::store::Launch;

/// A call that has just arrived.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) gate: Arc<Gate>,
    pub(super) client: Arc<Client>,
    pub(super) wire: Arc<Wire>,
    pub(super) request: Request<Incoming>,
}

/// Takes one call from its head to its answer. An answer that takes the connection over goes to the driver instead; then
/// this never returns.
pub(super) async fn call(arrival: Arrival) -> Result<Response<AnswerBody>, EngineGone> {
    let Arrival { gate, client, wire, request } = arrival;
    let seen = Seen { id: RecordId::new(), time: jiff::Timestamp::now() };
    let arrived = Instant::now();
    let (mut head, body) = request.into_parts();

    let asked =
        request::read(&Head { method: &head.method, uri: &head.uri, version: head.version, headers: &head.headers });
    let body = Taken::take(asked.body, body, &gate.rules.current().limits, &wire).await;
    let call = body.decode(&asked);

    // Not before the body is there: whoever sends it slowly must not keep an old policy for himself.
    let rules = gate.rules.current();
    let known = gate.facts.learn(&call, rules.policy.is_own_only(&client.peer)).await;
    let verdict = judge(&gate, &rules, &client, &call, &known, seen.time);
    // If it gets leave all the same, an admin gave it.
    let by_admin = verdict.needs_approval();
    let verdict = approval::settle(&gate, &client, (&call, &body), &known, verdict, seen).await;
    let user_agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let judged = Judged { call: &call, known: &known, verdict: &verdict, body: body.read(), user_agent, seen };
    let record = match judged.record(&gate, &client).await {
        Ok(pending) => Closing::new(pending, arrived),
        Err(why) => {
            wire.leave_body(body.is_left());
            return Ok(refuse(&Refusal::Unwritten(&why), &wire, seen.id, None));
        }
    };
    let Some(permit) = verdict.permit() else {
        wire.leave_body(body.is_left());
        let why = known.unreachable.as_deref().filter(|_| verdict.needs_approval());
        let refusal = why.map_or(Refusal::Denied(&verdict), Refusal::NothingKnown);
        return Ok(refuse(&refusal, &wire, seen.id, Some(record)));
    };
    if let Some(why) = known.unreachable.as_deref().filter(|_| verdict.mode == Mode::Enforce) {
        wire.leave_body(body.is_left());
        return Ok(refuse(&Refusal::NothingKnown(why), &wire, seen.id, Some(record)));
    }
    if let Some(target) = call.target().filter(|_| known.absent && verdict.mode == Mode::Enforce) {
        // Forwarded by its name, it would act on whatever has that name by then, which nobody has judged.
        wire.leave_body(body.is_left());
        return Ok(refuse(&Refusal::Absent(target), &wire, seen.id, Some(record)));
    }
    if body.is_broken() && verdict.mode == Mode::Enforce {
        return Ok(refuse(&Refusal::BrokenBody, &wire, seen.id, Some(record)));
    }

    let mut anew = None;
    if permit.rewrite() {
        anew = match rewrite(&mut head, &call, &known, permit.owner()) {
            Ok(anew) => anew,
            Err(why) => return Ok(refuse(&Refusal::Unwritable(&why), &wire, seen.id, Some(record))),
        };
    }
    if body.is_read() && continues(&head.headers) {
        // hyper has answered it when the body was read. Any other expectation is the engine's to refuse.
        head.headers.remove(EXPECT);
    }
    let takeover = Takeover::of(&call);
    let launch = launch(&call, &known, &verdict, seen);
    let approved = approval::to_remember(&client, &verdict);
    drop(call);
    let standing = Standing::new(&gate, client, rules, by_admin, (asked, kept(&body, takeover)), known);
    let body = body.forward(&wire, anew);
    let exchange =
        Exchange { gate: &gate, wire: &wire, permit, takeover, launch, approved, record, standing, id: seen.id };
    exchange.run(Request::from_parts(head, body)).await
}

/// When a call arrived, and under which id it is recorded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) id: RecordId,
    pub(super) time: jiff::Timestamp,
}

/// What is to be remembered of a create, once the engine has named the container.
fn launch(call: &Call<'_>, known: &Known, verdict: &Verdict, seen: Seen) -> Option<Launch> {
    let Body::ContainerCreate(create) = &call.body else { return None };
    Some(Launch {
        container: String::new(),
        principal: verdict.principal.clone(),
        record: seen.id.to_string(),
        time: seen.time.to_string(),
        image: create.image.as_deref().unwrap_or_default().to_owned(),
        image_id: known.image.as_ref().map(|image| image.id.clone()),
    })
}

/// Judges a call.
pub(super) fn judge(
    gate: &Gate,
    rules: &Rules,
    client: &Client,
    call: &Call<'_>,
    known: &Known,
    now: jiff::Timestamp,
) -> Verdict {
    policy::judge(&rules.policy, &client.peer, call, &Facts { now, protected: &gate.protected, known })
}

/// A judged call, as it is recorded.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) known: &'a Known,
    pub(super) verdict: &'a Verdict,
    pub(super) body: Option<&'a [u8]>,
    pub(super) user_agent: Option<&'a str>,
    pub(super) seen: Seen,
}

impl Judged<'_> {
    /// Begins the record; an effect's intent is durable when this returns.
    pub(super) async fn record(&self, gate: &Gate, client: &Client) -> Result<Pending, Unwritten> {
        let Self { call, known, verdict, body, user_agent, seen: Seen { id, time } } = *self;
        let (door, peer, protected) = (client.door.as_ref(), &client.peer, gate.protected.as_slice());
        gate.audit.begin(&CallFacts { id, time, door, peer, call, known, protected, verdict, body, user_agent }).await
    }
}
