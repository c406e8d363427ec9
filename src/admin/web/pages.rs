//! The pages that show something.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;

use super::super::health::{self, Health};
use super::super::view::{Call, Finding, Launch, Severity};
use super::Web;
use super::approvals::{Waiting, waiting};
use super::frame::{Clock, Frame, Refused, html};
use super::guard::Person;
use super::layout::Timeline;
use crate::sink::shown;

/// Launches and findings on the first page.
const FEW: usize = 6;
/// Calls on the first page.
const FEW_CALLS: usize = 15;
/// Calls on their own page.
const CALLS: usize = 200;
/// Launches and findings on their own pages.
const MANY: usize = 100;

type Page = Result<Response, Refused>;

pub(super) async fn metrics(State(web): State<Arc<Web>>) -> Response {
    let waiting = waiting(&web, Timestamp::now()).await.map(|all| all.iter().filter(|one| one.is_pending()).count());
    health::metrics(&web.audit, &web.feed, &web.beside, waiting.ok()).map(axum::body::Body::new)
}

pub(super) async fn health(State(web): State<Arc<Web>>) -> Response {
    health::health(&Health::of(&web.audit, &web.feed, &web.beside).await).map(axum::body::Body::new)
}

pub(super) async fn to_console() -> Response {
    Redirect::to("/console").into_response()
}

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: Frame,
    clock: Clock,
    approvals: Vec<Waiting>,
    token: String,
    findings: Vec<&'a Finding>,
    launches: Vec<(&'a Launch, Timeline<'a>)>,
    calls: Vec<&'a Call>,
}

pub(super) async fn overview(State(web): State<Arc<Web>>, Extension(Person(person)): Extension<Person>) -> Page {
    let now = Timestamp::now();
    let mut approvals = waiting(&web, now).await?;
    approvals.retain(Waiting::is_pending);
    let frame = Frame::new(&web, "Overview", "overview", approvals.len(), &person);
    let token = web.sessions.form(&person, now);
    let state = web.feed.state();
    let findings = state.view.findings().into_iter().filter(|finding| finding.is_open()).take(FEW).collect();
    let launches = briefly(state.view.launches(), FEW);
    let calls = state.view.calls().take(FEW_CALLS).collect();
    html(&Overview { frame, clock: Clock::new(), approvals, token, findings, launches, calls })
}

fn briefly(launches: Vec<&Launch>, most: usize) -> Vec<(&Launch, Timeline<'_>)> {
    launches.into_iter().take(most).map(|launch| (launch, Timeline::brief(launch))).collect()
}

#[derive(Debug, Template)]
#[template(path = "launches.html")]
struct Launches<'a> {
    frame: Frame,
    clock: Clock,
    launches: Vec<(&'a Launch, Timeline<'a>)>,
}

pub(super) async fn launches(State(web): State<Arc<Web>>, Extension(Person(person)): Extension<Person>) -> Page {
    let frame = Frame::new(&web, "Launches", "launches", pending(&web).await?, &person);
    let state = web.feed.state();
    html(&Launches { frame, clock: Clock::new(), launches: briefly(state.view.launches(), MANY) })
}

async fn pending(web: &Web) -> Result<usize, Refused> {
    Ok(waiting(web, Timestamp::now()).await?.iter().filter(|one| one.is_pending()).count())
}

#[derive(Debug, Template)]
#[template(path = "launch.html")]
struct Dossier<'a> {
    frame: Frame,
    clock: Clock,
    launch: &'a Launch,
    timeline: Timeline<'a>,
    findings: Vec<&'a Finding>,
    /// Ids of records, and the calls of those that are still shown.
    records: Vec<(&'a String, Option<&'a Call>)>,
}

pub(super) async fn launch(
    State(web): State<Arc<Web>>,
    Extension(Person(person)): Extension<Person>,
    Path(id): Path<String>,
) -> Page {
    let waiting = pending(&web).await?;
    let title = {
        let state = web.feed.state();
        let launch = state.view.launch(&id).ok_or(Refused::Gone)?;
        format!("Launch of {}", if launch.name.is_empty() { launch.short() } else { &launch.name })
    };
    let frame = Frame::new(&web, &title, "launches", waiting, &person);
    let state = web.feed.state();
    let launch = state.view.launch(&id).ok_or(Refused::Gone)?;
    let findings = state.view.findings_of(&launch.id);
    let records = launch.records.iter().map(|id| (id, state.view.call(id))).collect();
    html(&Dossier { frame, clock: Clock::new(), launch, timeline: Timeline::of(launch), findings, records })
}

#[derive(Debug, Template)]
#[template(path = "calls.html")]
struct Calls<'a> {
    frame: Frame,
    clock: Clock,
    calls: Vec<&'a Call>,
}

pub(super) async fn calls(State(web): State<Arc<Web>>, Extension(Person(person)): Extension<Person>) -> Page {
    let frame = Frame::new(&web, "Calls", "calls", pending(&web).await?, &person);
    let state = web.feed.state();
    html(&Calls { frame, clock: Clock::new(), calls: state.view.calls().take(CALLS).collect() })
}

#[derive(Debug, Template)]
#[template(path = "call.html")]
struct OneCall<'a> {
    frame: Frame,
    clock: Clock,
    call: &'a Call,
    /// The record, a member a line.
    record: Option<String>,
    /// Whether its container has a page.
    has_launch: bool,
}

pub(super) async fn call(
    State(web): State<Arc<Web>>,
    Extension(Person(person)): Extension<Person>,
    Path(id): Path<String>,
) -> Page {
    let frame = Frame::new(&web, "Call", "calls", pending(&web).await?, &person);
    let state = web.feed.state();
    let call = state.view.call(&id).ok_or(Refused::Gone)?;
    let record = call.line.as_deref().map(|line| by_line(line).lines().map(shown).collect::<Vec<_>>().join("\n"));
    let has_launch = call.container.as_deref().is_some_and(|id| state.view.launch(id).is_some());
    html(&OneCall { frame, clock: Clock::new(), call, record, has_launch })
}

/// A record with a member a line, in the order in which it was written.
fn by_line(json: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut all = json.chars().peekable();
    while let Some(c) = all.next() {
        let empty = matches!((c, all.peek()), ('{', Some('}')) | ('[', Some(']')));
        match c {
            _ if quoted => {
                quoted = c != '"' || escaped;
                escaped = c == '\\' && !escaped;
                out.push(c);
            }
            '{' | '[' if !empty => {
                depth += 1;
                out.push(c);
                line(&mut out, depth);
            }
            '}' | ']' if !out.ends_with(['{', '[']) => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                quoted = true;
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[derive(Debug, Template)]
#[template(path = "findings.html")]
struct Findings<'a> {
    frame: Frame,
    clock: Clock,
    findings: Vec<&'a Finding>,
    /// The worst first: the findings of each of the last 24 hours, and all of them.
    hours: Vec<(Severity, Vec<Bar>, usize)>,
}

/// Findings of one hour.
#[derive(Debug)]
struct Bar {
    /// Where it begins, and its middle, in percent.
    x: String,
    middle: String,
    /// In pixels: its share of the highest.
    height: usize,
    count: usize,
    ago: usize,
}

impl Bar {
    /// Of the highest bar's pixels.
    const HIGHEST: usize = 18;

    fn new(hour: usize, count: usize, most: usize) -> Self {
        // Tenths of a percent, of an hour's 41.
        let percent = |tenths: usize| format!("{}.{}%", tenths / 10, tenths % 10);
        let (x, middle) = (percent(hour * 41 + 16), percent(hour * 41 + 28));
        Self { x, middle, height: (count * Self::HIGHEST / most).max(2), count, ago: 23 - hour }
    }
}

pub(super) async fn findings(State(web): State<Arc<Web>>, Extension(Person(person)): Extension<Person>) -> Page {
    let frame = Frame::new(&web, "Findings", "findings", pending(&web).await?, &person);
    let now = Timestamp::now();
    let state = web.feed.state();
    let all = Severity::ALL.map(|severity| (severity, state.view.hours(severity, now)));
    let most = all.iter().flat_map(|(_, hours)| hours).copied().max().unwrap_or_default().max(1);
    let bars = |hours: [usize; 24]| (0..).zip(hours).map(|(hour, count)| Bar::new(hour, count, most)).collect();
    let hours = all.into_iter().map(|(severity, hours)| (severity, bars(hours), hours.iter().sum())).collect();
    let findings = state.view.findings().into_iter().take(MANY).collect();
    html(&Findings { frame, clock: Clock::new(), findings, hours })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_by_the_line_is_the_same_record() {
        let json = r#"{"b":[1,{"a":"x{,:\"\\"}],"a":{},"c":[]}"#;
        let text = by_line(json);
        assert_eq!(text.lines().count(), 10, "{text}");
        assert!(
            text.starts_with("{\n  \"b\": [\n    1,\n    {\n      \"a\": \"x{,:") && text.ends_with("\"c\": []\n}"),
            "{text}"
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&text), value(json));
    }
}
