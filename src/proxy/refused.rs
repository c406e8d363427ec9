//! What never became a call: an HTTP/2 preface, a head that cannot be parsed, a head that never ends. Each gets its record.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::closing::Closing;
use super::connection::{Client, Driver};
use super::gate::Gate;
use super::pipeline::{Judged, Seen, judge};
use super::respond::http2_refusal;
use crate::audit::{Ended, RecordId};
use crate::policy::Known;
use crate::request::{Asked, Call, Irregular, Irregularity};
use crate::runtime::Stream;

/// Records a connection that hyper gave up on, if it was for what the client sent.
pub(super) async fn unparsed(gate: &Gate, client: &Client, driver: Driver, result: hyper::Result<()>) {
    let Err(error) = result else { return };
    if driver.wire.is_http2() {
        let why = irregular(Irregular::Http2, "HTTP/2 cannot be judged; use HTTP/1.1");
        let (id, closing) = begin(gate, client, why).await;
        let (mut stream, _unread) = driver.into_client();
        if let Err(error) = stream.write_all(&http2_refusal(id)).await {
            tracing::debug!(%error, "the client of an HTTP/2 connection is gone");
        }
        finish(closing, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    } else if error.is_parse() {
        // hyper has answered already, with an empty body.
        let status = if error.is_parse_too_large() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        };
        let (_id, closing) = begin(gate, client, irregular(Irregular::Malformed, &error.to_string())).await;
        finish(closing, status);
    } else {
        tracing::debug!(%error, "a client connection broke off");
    }
}

/// Records a head that was begun and not ended in time.
pub(super) async fn too_slow(gate: &Gate, client: &Client) {
    let limit = gate.rules.current().limits.head_timeout;
    let why = format!("no whole request head within {} s; see limits.head-timeout", limit.as_secs());
    let (_id, closing) = begin(gate, client, irregular(Irregular::Malformed, &why)).await;
    if let Some(closing) = closing {
        closing.ended(Ended::Refused).finish();
    }
}

/// How long a refused client may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(2);

/// Reads what a refused client still sends, and throws it away. Closed with bytes unread, a socket breaks the client's write,
/// and it may report that in place of the refusal.
pub(super) async fn linger(mut stream: Stream) {
    let mut scratch = vec![0; 64 * 1024];
    let drained = timeout(LINGER, async { while matches!(stream.read(&mut scratch).await, Ok(1..)) {} });
    if drained.await.is_err() {
        tracing::debug!("a refused client went on sending and was cut off");
    }
}

fn irregular(kind: Irregular, detail: &str) -> Irregularity {
    Irregularity { kind, field: "head".into(), detail: detail.to_owned() }
}

async fn begin(gate: &Gate, client: &Client, why: Irregularity) -> (RecordId, Option<Closing>) {
    let seen = Seen { id: RecordId::new(), time: jiff::Timestamp::now() };
    let arrived = Instant::now();
    let asked = Asked::unreadable(why);
    let call = Call::unread(&asked);
    let known = Known::NOTHING;
    let verdict = judge(gate, &gate.rules.current(), client, &call, known, seen.time);
    let judged = Judged { call: &call, known, verdict: &verdict, body: None, user_agent: None, seen };
    let begun = judged.record(gate, client).await;
    let pending = begun.inspect_err(|error| tracing::error!(%error, "a refused connection cannot be recorded")).ok();
    (seen.id, pending.map(|pending| Closing::new(pending, arrived)))
}

fn finish(closing: Option<Closing>, status: StatusCode) {
    if let Some(closing) = closing {
        closing.status(status.as_u16()).ended(Ended::Refused).finish();
    }
}
