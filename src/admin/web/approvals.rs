//! What waits for approval, and an admin's word on it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::SET_COOKIE;
use jiff::Timestamp;
use serde::Deserialize;

use super::super::wire::MAX_VALID;
use super::Web;
use super::frame::{Clock, Frame, Refused, html, named};
use super::guard::Person;
use crate::audit::Via;
use crate::peer::UnixPeer;
use crate::sink::shown;
use crate::store::{Approval, Decision, State as Progress, parse_id};

/// An approval as a page shows it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) state: Progress,
    pub(super) principal: String,
    pub(super) who: String,
    pub(super) summary: String,
    pub(super) record: String,
    pub(super) asked: Timestamp,
    pub(super) until: Timestamp,
    pub(super) by: Option<String>,
}

impl Waiting {
    pub(super) fn is_pending(&self) -> bool {
        self.state == Progress::Pending
    }
}

impl From<Approval> for Waiting {
    fn from(approval: Approval) -> Self {
        let Approval { id, principal, uid, user, summary, record, asked, state, until, by } = approval;
        let person = |uid, user| shown(&named(&UnixPeer { uid, user, ..UnixPeer::default() }));
        Self {
            id,
            state,
            principal: shown(&principal),
            who: person(uid, user),
            summary: shown(&summary),
            record,
            asked,
            until,
            by: by.map(|by| person(Some(by.uid), by.user)),
        }
    }
}

/// What may be decided on, oldest first.
pub(super) async fn waiting(web: &Web, now: Timestamp) -> Result<Vec<Waiting>, Refused> {
    let all = web.admin.open(now).await.map_err(|error| {
        tracing::error!(%error, "the approvals cannot be read");
        Refused::Broken
    })?;
    Ok(all.into_iter().map(Waiting::from).collect())
}

#[derive(Debug, Template)]
#[template(path = "approvals.html")]
struct Approvals {
    frame: Frame,
    clock: Clock,
    approvals: Vec<Waiting>,
    decided: Vec<Waiting>,
    token: String,
}

pub(super) async fn approvals(
    State(web): State<Arc<Web>>,
    Extension(Person(person)): Extension<Person>,
) -> Result<Response, Refused> {
    let now = Timestamp::now();
    let (approvals, decided): (Vec<_>, Vec<_>) = waiting(&web, now).await?.into_iter().partition(Waiting::is_pending);
    let frame = Frame::new(&web, "Approvals", "approvals", approvals.len(), &person);
    let token = web.sessions.form(&person, now);
    html(&Approvals { frame, clock: Clock::new(), approvals, decided, token })
}

/// A form that decides.
#[derive(Debug, Deserialize)]
pub(super) struct Words {
    token: String,
    word: Word,
    /// How long an approval holds, in seconds.
    valid: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Approve,
    Reject,
}

pub(super) async fn decide(
    State(web): State<Arc<Web>>,
    Extension(Person(person)): Extension<Person>,
    Path(id): Path<String>,
    form: Result<Form<Words>, FormRejection>,
) -> Result<Response, Refused> {
    let now = Timestamp::now();
    let Ok(Form(Words { token, word, valid })) = form else { return Err(Refused::Form) };
    if !web.sessions.is_form_of(&token, &person, now) {
        return Err(Refused::Form);
    }
    let id = parse_id(&id).ok_or(Refused::Unknown)?;
    let valid = Duration::from_secs(valid).clamp(Duration::from_secs(1), MAX_VALID);
    let decision = match word {
        Word::Approve => Decision::Approve(now + valid),
        Word::Reject => Decision::Reject,
    };
    match web.admin.decide(&id, decision, (&person, Via::Console), now).await {
        Ok(_) => Ok(Redirect::to("/console/approvals").into_response()),
        Err(refused) => Err(Refused::Undecided { status: refused.status(), why: refused.to_string() }),
    }
}

/// The token in a link that `tidewaiter console` has printed.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    token: String,
}

/// Opens a session.
pub(super) async fn enter(
    State(web): State<Arc<Web>>,
    Query(Token { token }): Query<Token>,
) -> Result<Response, Refused> {
    let cookie = web.sessions.enter(&token, Timestamp::now()).ok_or(Refused::Link)?;
    let cookie = HeaderValue::from_str(&cookie).map_err(|_never| Refused::Broken)?;
    let mut response = Redirect::to("/console").into_response();
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
