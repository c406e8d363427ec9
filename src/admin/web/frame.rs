//! What all pages have: the frame around them, the host's clock, and the pages that say why there is none.

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::beside::SinkHealth;
use super::super::view::Severity;
use super::Web;
use crate::peer::UnixPeer;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Refused {
    /// The request means another host.
    Host,
    /// It was begun by somebody else's page.
    Origin,
    /// It came from no form of ours, or one that stood open for too long.
    Form,
    /// Nobody knows who asks.
    Stranger,
    /// The link was used, or is over.
    Link,
    /// There is no such page.
    Unknown,
    /// What it was about is no longer shown.
    Gone,
    /// Too many pages are told of changes.
    Full,
    /// Something does not work here; the log says what.
    Broken,
    /// An admin's word does not count.
    Undecided { status: StatusCode, why: String },
}

/// The frame around a page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// Which entry of the menu this page is.
    pub(super) here: &'static str,
    pub(super) generation: u64,
    pub(super) sha256: String,
    pub(super) since: String,
    /// What is wrong with the journal.
    pub(super) trouble: Option<String>,
    pub(super) waiting: usize,
    pub(super) findings: usize,
    pub(super) open_calls: u64,
    pub(super) sensor: String,
    /// Sinks that are down.
    pub(super) down: Vec<SinkHealth>,
    pub(super) who: String,
    pub(super) zone: String,
}

/// Shows moments in the host's time.
#[derive(Debug)]
pub(super) struct Clock(TimeZone);

#[derive(Debug, Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    title: &'static str,
    why: String,
    help: &'static str,
}

impl Frame {
    pub(super) fn new(web: &Web, title: &str, here: &'static str, waiting: usize, person: &UnixPeer) -> Self {
        let stats = web.audit.stats();
        let clock = Clock::new();
        let state = web.feed.state();
        let trouble = match (&state.trouble, stats.failing) {
            (_, true) => Some("the journal cannot be written".to_owned()),
            (Some(why), false) => Some(format!("the journal cannot be read: {why}")),
            (None, false) => None,
        };
        Self {
            title: title.to_owned(),
            here,
            generation: state.policy.generation,
            sha256: state.policy.sha256.chars().take(12).collect(),
            since: clock.minute(&state.policy.since),
            trouble,
            waiting,
            findings: Severity::ALL.iter().map(|severity| state.view.open_findings(*severity)).sum(),
            open_calls: stats.open,
            sensor: web.beside.sensor().status,
            down: web.beside.sinks(state.newest(&stats)).into_iter().filter(|sink| !sink.up).collect(),
            who: named(person),
            zone: Timestamp::now().to_zoned_datetime(clock.0).strftime("%Z").to_string(),
        }
    }
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(TimeZone::system())
    }

    pub(super) fn time(&self, at: &Timestamp) -> String {
        self.show(at, "%H:%M:%S")
    }

    pub(super) fn full(&self, at: &Timestamp) -> String {
        self.show(at, "%F %H:%M:%S%.3f")
    }

    pub(super) fn minute(&self, at: &Timestamp) -> String {
        self.show(at, "%F %H:%M")
    }

    fn show(&self, at: &Timestamp, format: &str) -> String {
        at.to_zoned_datetime(self.0.clone()).strftime(format).to_string()
    }
}

/// A person, by name and number.
pub(super) fn named(person: &UnixPeer) -> String {
    match (&person.user, person.uid) {
        (Some(user), Some(uid)) => format!("{user} (uid {uid})"),
        (Some(user), None) => user.clone(),
        (None, Some(uid)) => format!("uid {uid}"),
        (None, None) => "nobody the kernel knows".to_owned(),
    }
}

impl Refused {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Form => StatusCode::FORBIDDEN,
            Self::Stranger | Self::Link => StatusCode::UNAUTHORIZED,
            Self::Unknown | Self::Gone => StatusCode::NOT_FOUND,
            Self::Full | Self::Broken => StatusCode::SERVICE_UNAVAILABLE,
            Self::Undecided { status, .. } => *status,
        }
    }

    fn page(self) -> RefusedPage {
        let (title, why, help) = match self {
            Self::Host => (
                "Another host",
                "The name in the address is not one of this machine.".to_owned(),
                "Open it by 127.0.0.1 or localhost.",
            ),
            Self::Origin => (
                "Not from here",
                "This was sent by a page that is not the console's.".to_owned(),
                "Go back to the console and do it there.",
            ),
            Self::Form => (
                "Form too old",
                "The form stood open for too long, or was somebody else's. Nothing was decided.".to_owned(),
                "Go back, load the page again, and decide there.",
            ),
            Self::Stranger => (
                "Who are you?",
                "The console shows itself to admins of this host.".to_owned(),
                "Run: tidewaiter console – and open the address that it prints.",
            ),
            Self::Link => (
                "Link used up",
                "A link to the console is good once, for five minutes.".to_owned(),
                "Run: tidewaiter console – and open the address that it prints.",
            ),
            Self::Unknown => {
                ("No such page", "There is nothing at this address.".to_owned(), "Go back to the console.")
            }
            Self::Gone => (
                "Not shown any more",
                "The console keeps the last thousand calls and the launches of a day. The journal has the rest."
                    .to_owned(),
                "Run: tidewaiter journal show --id ID",
            ),
            Self::Full => ("Too many pages", "Too many pages are open.".to_owned(), "Close some."),
            Self::Broken => ("Not now", "Something does not work here.".to_owned(), "The gate's log says what."),
            Self::Undecided { why, .. } => ("Nothing was decided", why, "Go back to the approvals."),
        };
        RefusedPage { title, why, help }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status();
        match html(&self.page()) {
            Ok(mut page) => {
                *page.status_mut() = status;
                page
            }
            Err(_undrawn) => status.into_response(),
        }
    }
}

/// Draws a page.
pub(super) fn html(page: &impl Template) -> Result<Response, Refused> {
    let text = page.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be drawn");
        Refused::Broken
    })?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}
