//! The console: pages that show what the journal says, and take an admin's word. They work without scripts; one small script
//! draws a page anew when there is something new.
//!
//! `guard` stands before all of it; `session` knows who sits there where the kernel cannot say; `layout` puts a timeline on a
//! page; `live` tells pages of changes.

mod approvals;
mod frame;
mod guard;
mod layout;
mod live;
mod pages;
mod session;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::wire::{LINK, Link};
use super::{Admin, Beside, Feed};
use crate::audit::Audit;
use crate::peer::UnixPeer;
use crate::runtime::Watch;
use frame::Refused;
pub(super) use session::Sessions;

/// Pages at once that are told of changes. One admin has a few tabs.
const LIVE: usize = 8;
/// Largest form.
const FORM: usize = 8 << 10;

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

/// What is behind the admin doors.
#[derive(Debug)]
pub(super) struct Web {
    pub(super) admin: Admin,
    pub(super) audit: Audit,
    pub(super) feed: Feed,
    pub(super) beside: Beside,
    pub(super) sessions: Sessions,
    pub(super) drain: Watch,
    live: Arc<Semaphore>,
}

/// Who is on the other end.
#[derive(Debug, Clone)]
pub(super) enum Visitor {
    /// Somebody on the socket, by the kernel's word.
    Socket(Arc<UnixPeer>),
    /// Somebody on this machine's loopback: nobody, until a session says who.
    Loopback,
}

/// Set by an answer that never ends by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Lasting(pub(super) Arc<AtomicBool>);

impl Web {
    pub(super) fn new(
        admin: Admin,
        audit: Audit,
        feed: Feed,
        beside: Beside,
        sessions: Sessions,
        drain: Watch,
    ) -> Self {
        Self { admin, audit, feed, beside, sessions, drain, live: Arc::new(Semaphore::new(LIVE)) }
    }
}

/// Every page there is. What is none of them is for the command line.
pub(super) fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/metrics", get(pages::metrics))
        .route("/health", get(pages::health))
        .route("/", get(pages::to_console))
        .route("/console", get(pages::overview))
        .route("/console/launches", get(pages::launches))
        .route("/console/launches/{id}", get(pages::launch))
        .route("/console/calls", get(pages::calls))
        .route("/console/calls/{id}", get(pages::call))
        .route("/console/findings", get(pages::findings))
        .route("/console/approvals", get(approvals::approvals))
        .route("/console/approvals/{id}", post(approvals::decide))
        .route("/console/live", get(live::live))
        .route("/console/enter", get(approvals::enter))
        .route("/console/style.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/console/live.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/console/icon.svg", get(async || asset("image/svg+xml", ICON)))
        .fallback(command_line)
        .layer(from_fn_with_state(Arc::clone(&web), guard::guard))
        .layer(DefaultBodyLimit::max(FORM))
        .with_state(web)
}

/// Pages that need nobody to be known.
fn is_open(path: &str) -> bool {
    matches!(path, "/console/enter" | "/console/style.css" | "/console/icon.svg")
}

/// What the command line asks for, on the socket only. No browser may: a page that leads one here would speak with the
/// voice of whoever holds the tunnel.
async fn command_line(
    State(web): State<Arc<Web>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, Refused> {
    let Visitor::Socket(peer) = visitor else { return Err(Refused::Unknown) };
    if guard::is_browser(request.headers()) {
        return Err(Refused::Unknown);
    }
    let now = Timestamp::now();
    if request.method() == Method::POST && request.uri().path() == LINK {
        let token = web.sessions.link(&peer, now).ok_or(Refused::Broken)?;
        let link = serde_json::to_string(&Link { token }).map_err(|_never| Refused::Broken)?;
        return Ok(asset("application/json", link));
    }
    // What has a body says nothing with it.
    let request = Request::from_parts(request.into_parts().0, ());
    let answer = web.admin.answer(&request, &peer, now).await;
    Ok(answer.map(axum::body::Body::new))
}

fn asset(kind: &'static str, text: impl Into<axum::body::Body>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], Response::new(text.into())).into_response()
}
