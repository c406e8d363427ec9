//! `/metrics` and `/health`.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::beside::{Beside, SensorHealth, SinkHealth};
use super::exposition::{CONTENT_TYPE as EXPOSITION, Exposition};
use super::feed::Feed;
use crate::audit::{Audit, Stats};

/// How long the journal's thread may take to answer. It waits for the disk, no longer than a call would wait.
const ANSWER: Duration = Duration::from_secs(2);

/// How the gate is.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    /// `ok`, or what is wrong.
    pub(super) status: &'static str,
    version: &'static str,
    pub(super) policy: PolicyHealth,
    pub(super) journal: JournalHealth,
    pub(super) sensor: SensorHealth,
    pub(super) sinks: Vec<SinkHealth>,
    /// Why the admin door itself does not see the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reader: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct PolicyHealth {
    pub(super) generation: u64,
    pub(super) sha256: String,
    pub(super) since: String,
}

#[derive(Debug, Serialize)]
pub(super) struct JournalHealth {
    pub(super) answers: bool,
    pub(super) failing: bool,
    pub(super) failures: u64,
    pub(super) lost: u64,
    pub(super) records: u64,
    pub(super) open_calls: u64,
    pub(super) streams: u64,
}

impl Health {
    /// Looks at the journal, at what was read of it, and at what is at work beside.
    pub(super) async fn of(audit: &Audit, feed: &Feed, beside: &Beside) -> Self {
        let answers = audit.answers(ANSWER).await;
        let stats = audit.stats();
        let Stats { records, failures, lost, failing, open, streams, .. } = stats;
        let state = feed.state();
        let (sensor, sinks) = (beside.sensor(), beside.sinks(state.newest(&stats)));
        let policy = PolicyHealth {
            generation: state.policy.generation,
            sha256: state.policy.sha256.clone(),
            since: state.policy.since.to_string(),
        };
        let reader = state.trouble.clone();
        let status = match (answers, failing, &reader) {
            (false, ..) => "the journal does not answer",
            (true, true, _) => "the journal cannot be written",
            (true, false, Some(_)) => "the journal cannot be read",
            (true, false, None) => "ok",
        };
        let journal = JournalHealth { answers, failing, failures, lost, records, open_calls: open, streams };
        Self { status, version: env!("CARGO_PKG_VERSION"), policy, journal, sensor, sinks, reader }
    }

    /// Whether calls can be recorded.
    pub(super) const fn records(&self) -> bool {
        self.journal.answers && !self.journal.failing
    }
}

/// The answer to `GET /health`: 503 while calls cannot be recorded.
pub(super) fn health(health: &Health) -> Response<Full<Bytes>> {
    let status = if health.records() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = serde_json::to_vec(health).unwrap_or_default();
    body.push(b'\n');
    with_type(status, "application/json", body)
}

/// The answer to `GET /metrics`; how many approvals wait is left out where the index cannot be read.
pub(super) fn metrics(audit: &Audit, feed: &Feed, beside: &Beside, waiting: Option<usize>) -> Response<Full<Bytes>> {
    // Before the lock: nothing waits for it while it is asked, and the reader may only have come further since.
    let stats = audit.stats();
    let mut out = Exposition::default();
    let newest = {
        let state = feed.state();
        state.write(&stats, &mut out);
        state.newest(&stats)
    };
    beside.write(newest, &mut out);
    if let Some(waiting) = waiting {
        out.gauge("tidewaiter_approvals_open", "Calls that wait for an admin.", waiting);
    }
    with_type(StatusCode::OK, EXPOSITION, out.into_text().into_bytes())
}

fn with_type(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
