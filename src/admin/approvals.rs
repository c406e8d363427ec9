//! Requests on the admin socket, and what comes of them.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::wire::{Failure, List, MAX_VALID, Shown, VALID};
use crate::audit::{ApprovalEvent, Audit, Unwritten, Via, Word};
use crate::peer::UnixPeer;
use crate::store::{self, Approval, Decision, State, Store, StoreError, parse_id};

/// What admins may do.
#[derive(Debug)]
pub struct Admin {
    store: Store,
    audit: Audit,
    /// One decision at a time: nobody else decides between the look at an approval, its record, and its change.
    deciding: Mutex<()>,
}

/// Why a request does nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "there is no such request here; known are GET /metrics, /health, /approvals and POST /approvals/ID/approve or reject"
    )]
    Route,
    #[error("`for` is a number of seconds from 1 to {}", MAX_VALID.as_secs())]
    Valid,
    #[error("no approval has the id {0}; `tidewaiter approve --list` shows those that are open")]
    Unknown(String),
    #[error("approval {id} is {}; the caller must try again, which makes a new one", over(*.state))]
    Over { id: String, state: State },
    #[error("nobody approves what he asked for himself; ask another admin")]
    Own,
    #[error("the kernel does not say who you are")]
    Nameless,
    #[error("nothing is decided: {0}")]
    Unwritten(#[from] Unwritten),
    #[error("nothing is decided: {0}")]
    Store(#[from] StoreError),
}

const fn over(state: State) -> &'static str {
    match state {
        State::Used => "used up",
        State::Pending | State::Approved | State::Rejected => "over its time",
    }
}

impl Refused {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Route | Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Valid => StatusCode::BAD_REQUEST,
            Self::Over { .. } => StatusCode::CONFLICT,
            Self::Own | Self::Nameless => StatusCode::FORBIDDEN,
            Self::Unwritten(_) | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    List,
    Approve(String, Duration),
    Reject(String),
}

impl Admin {
    /// Over one store and one journal.
    pub fn new(store: Store, audit: Audit) -> Self {
        Self { store, audit, deciding: Mutex::default() }
    }

    /// What may be decided on, oldest first.
    pub(super) async fn open(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        self.store.open_approvals(now).await
    }

    /// Answers one request of whoever the kernel says is there.
    pub(super) async fn answer<B>(&self, request: &Request<B>, by: &UnixPeer, now: Timestamp) -> Response<Full<Bytes>> {
        match self.act(read(request), by, now).await {
            Ok(body) => json(StatusCode::OK, body),
            Err(refused) => {
                let body = serde_json::to_vec(&Failure { message: refused.to_string() }).unwrap_or_default();
                json(refused.status(), body)
            }
        }
    }

    async fn act(&self, asked: Result<Asked, Refused>, by: &UnixPeer, now: Timestamp) -> Result<Vec<u8>, Refused> {
        let approval = match asked? {
            Asked::List => {
                let approvals = self.open(now).await?.into_iter().map(Shown::from).collect();
                return Ok(serde_json::to_vec(&List { approvals }).unwrap_or_default());
            }
            Asked::Approve(id, valid) => {
                self.decide(&id, Decision::Approve(now + valid), (by, Via::CommandLine), now).await?
            }
            Asked::Reject(id) => self.decide(&id, Decision::Reject, (by, Via::CommandLine), now).await?,
        };
        Ok(serde_json::to_vec(&Shown::from(approval)).unwrap_or_default())
    }

    /// Takes an admin's word: recorded first, and in force only then.
    pub(super) async fn decide(
        &self,
        id: &str,
        decision: Decision,
        (by, via): (&UnixPeer, Via),
        now: Timestamp,
    ) -> Result<Approval, Refused> {
        let admin = store::Admin { uid: by.uid.ok_or(Refused::Nameless)?, user: by.user.clone() };
        let _one = self.deciding.lock().await;
        let approval = self.store.approval(id).await?.ok_or_else(|| Refused::Unknown(id.to_owned()))?;
        if !approval.is_open(now) {
            return Err(Refused::Over { id: approval.id, state: approval.state });
        }
        let word = match decision {
            Decision::Approve(_) if is_own(&approval, &admin) => {
                self.record(&approval, (by, via), Word::Refused(&Refused::Own.to_string())).await?;
                return Err(Refused::Own);
            }
            Decision::Approve(until) => Word::Approve(until),
            Decision::Reject => Word::Reject,
        };
        self.record(&approval, (by, via), word).await?;
        let refused = match self.store.decide(id, decision, admin, now).await {
            Ok(Some(approval)) => return Ok(approval),
            // The caller was faster: he used up what was approved before.
            Ok(None) => Refused::Over { id: id.to_owned(), state: State::Used },
            Err(error) => error.into(),
        };
        // The record before this one says what did not happen.
        self.record(&approval, (by, via), Word::Refused(&refused.to_string())).await?;
        Err(refused)
    }

    async fn record(&self, approval: &Approval, (by, via): (&UnixPeer, Via), word: Word<'_>) -> Result<(), Unwritten> {
        let Approval { id, principal, summary, record, .. } = approval;
        self.audit.approval(&ApprovalEvent { word, id, principal, summary, call: record, by, via }).await
    }
}

/// Whether an admin decides on what he asked for. Root may: he can reach the engine without the gate.
fn is_own(approval: &Approval, admin: &store::Admin) -> bool {
    admin.uid != 0 && approval.uid == Some(admin.uid)
}

/// Reads a request: one table, whose last arm is refused.
fn read<B>(request: &Request<B>) -> Result<Asked, Refused> {
    let id = |text: &str| parse_id(text).ok_or_else(|| Refused::Unknown(text.escape_debug().to_string()));
    let parts: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["approvals"]) => Ok(Asked::List),
        (&Method::POST, ["approvals", text, "approve"]) => Ok(Asked::Approve(id(text)?, valid(request.uri().query())?)),
        (&Method::POST, ["approvals", text, "reject"]) => Ok(Asked::Reject(id(text)?)),
        _ => Err(Refused::Route),
    }
}

fn valid(query: Option<&str>) -> Result<Duration, Refused> {
    let Some(query) = query else { return Ok(VALID) };
    let seconds = query.strip_prefix("for=").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    seconds.filter(|valid| !valid.is_zero() && *valid <= MAX_VALID).ok_or(Refused::Valid)
}

fn json(status: StatusCode, mut body: Vec<u8>) -> Response<Full<Bytes>> {
    body.push(b'\n');
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::audit::{Level, Levels, OnFailure, Rotate, Settings, SyncPolicy};
    use crate::store::{Ask, Settled};

    fn request(method: &str, target: &str) -> Request<()> {
        Request::builder().method(method).uri(target).body(()).unwrap()
    }

    #[test]
    fn requests_are_read_by_one_table() {
        let id = "7f3k000000".to_owned();
        let approve = |seconds| Asked::Approve(id.clone(), Duration::from_secs(seconds));
        for (method, target, wanted) in [
            ("GET", "/approvals", Asked::List),
            ("POST", "/approvals/7f3k000000/approve", approve(900)),
            ("POST", "/approvals/7F3KOOOOOO/approve?for=1", approve(1)),
            ("POST", "/approvals/7f3k000000/approve?for=86400", approve(86_400)),
            ("POST", "/approvals/7f3k000000/reject", Asked::Reject(id.clone())),
        ] {
            assert_eq!(read(&request(method, target)).unwrap(), wanted, "{method} {target}");
        }
        for (method, target, status) in [
            ("POST", "/approvals", 404),
            ("GET", "/approvals/7f3k000000/approve", 404),
            ("POST", "/approvals/7f3k000000/approve/", 404),
            ("POST", "/approvals/7f3k00000/approve", 404),
            ("POST", "/approvals/%2e%2e/approve", 404),
            ("POST", "/approvals/7f3k000000/approve?for=0", 400),
            ("POST", "/approvals/7f3k000000/approve?for=86401", 400),
            ("POST", "/approvals/7f3k000000/approve?for=1h", 400),
            ("POST", "/approvals/7f3k000000/approve?x=1", 400),
            ("GET", "/", 404),
        ] {
            assert_eq!(read(&request(method, target)).unwrap_err().status().as_u16(), status, "{method} {target}");
        }
    }

    /// An admin's room, and a call of uid 1000 that waits in it.
    async fn room(directory: &std::path::Path, now: Timestamp) -> (Admin, Audit, String) {
        let level = Level::Metadata;
        let (audit, _opened) = Audit::open(Settings {
            journal: directory.join("journal.jsonl"),
            keys: directory.join("keys"),
            levels: Levels { default: level, effects: level, ping: level },
            sync: SyncPolicy::Never,
            on_failure: OnFailure::Forward,
            rotate: Rotate { size: 1 << 20, keep: 1 },
            capacity: 1,
        })
        .unwrap();
        let store = Store::open(directory).unwrap();
        let settled = store.settle(ask(), now).await.unwrap();
        let Settled::Pending { id } = settled else { panic!("{settled:?}") };
        (Admin::new(store, audit.clone()), audit, id)
    }

    fn ask() -> Ask {
        let (principal, summary, record) = ("ci".into(), "privileged".into(), "r".into());
        Ask { key: [1; 32], principal, uid: Some(1000), user: None, summary, record }
    }

    async fn answered(admin: &Admin, request: Request<()>, uid: Option<u32>, now: Timestamp) -> (u16, Value) {
        let by = UnixPeer { uid, ..UnixPeer::default() };
        let answer = admin.answer(&request, &by, now).await;
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap())
    }

    #[tokio::test]
    async fn a_word_counts_from_another_once_it_is_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let (admin, audit, id) = room(directory.path(), now).await;
        let approve = || request("POST", &format!("/approvals/{id}/approve"));
        for (uid, status, words) in [(Some(1000), 403, "for himself"), (None, 403, "who you are")] {
            let (refused, body) = answered(&admin, approve(), uid, now).await;
            assert!(refused == status && body["message"].as_str().unwrap().contains(words), "{uid:?}: {body}");
        }
        let state = |list: Value| list["approvals"][0]["state"].as_str().unwrap_or_default().to_owned();
        assert_eq!(state(answered(&admin, request("GET", "/approvals"), Some(0), now).await.1), "pending");
        let (status, body) = answered(&admin, approve(), Some(1001), now).await;
        assert_eq!((status, &body["state"], &body["by"]["uid"]), (200, &"approved".into(), &1001.into()), "{body}");
        assert_eq!(
            answered(&admin, approve(), Some(1001), now + Duration::from_secs(901)).await.0,
            409,
            "over its time"
        );
        assert!(matches!(admin.store.settle(ask(), now).await.unwrap(), Settled::Used { .. }));
        let (status, body) = answered(&admin, approve(), Some(1001), now).await;
        assert!(status == 409 && body["message"].as_str().unwrap().contains("used up"), "{body}");
        // Without a journal nothing is decided, whatever `on-failure` says.
        admin.store.settle(ask(), now).await.unwrap();
        let open = admin.store.open_approvals(now).await.unwrap();
        audit.close().await;
        let reject = request("POST", &format!("/approvals/{}/reject", open[0].id));
        assert_eq!(answered(&admin, reject, Some(0), now).await.0, 503);
        assert_eq!(admin.store.open_approvals(now).await.unwrap(), open);
        let journal = std::fs::read(directory.path().join("journal.jsonl")).unwrap();
        let lines = String::from_utf8(journal).unwrap();
        let events: Vec<&str> = lines.lines().filter(|line| line.contains(r#""kind":"approval""#)).collect();
        assert!(events.len() == 2 && events[0].contains(r#""event":"refused""#), "{events:?}");
        assert!(events[1].contains(r#""event":"approve""#), "{events:?}");
    }

    #[test]
    fn nobody_but_root_approves_what_he_asked_for() {
        let asked = |uid| Approval {
            id: "7f3k000000".into(),
            principal: "ci".into(),
            uid,
            user: None,
            summary: String::new(),
            record: String::new(),
            asked: Timestamp::UNIX_EPOCH,
            state: State::Pending,
            until: Timestamp::UNIX_EPOCH,
            by: None,
        };
        let admin = |uid| store::Admin { uid, user: None };
        for (asker, approver, own) in [
            (Some(1000), 1000, true),
            (Some(1000), 1001, false),
            (Some(1000), 0, false),
            (Some(0), 0, false),
            (None, 1000, false),
        ] {
            assert_eq!(is_own(&asked(asker), &admin(approver)), own, "{asker:?} {approver}");
        }
    }
}
