//! A recorded call, read back: who asked, what was asked and what was known, so that it can be judged again.
//!
//! Pure. What a record does not hold is never made up: such a call is told as [`Unreplayable`].

mod known;
mod peer;

pub use known::known_of;

use std::collections::HashSet;

use http::{HeaderMap, Method, Uri, Version};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::peer::Peer;
use crate::policy::{Known, Reaction};
use crate::request::{self, Asked, BodyPlan, Call, Head, Irregular, Irregularity, Operation};

/// Bodies of a start up to this size are none.
const IGNORED_START: u64 = 7;

/// What stands where something was left out.
const LEFT_OUT: char = '…';

/// One line of a journal, as far as calls are judged again.
#[derive(Debug)]
pub enum Entry {
    /// The first line of a call, which says everything but what came of it.
    Call(Box<Recorded>),
    /// The first line of a call that the record does not hold whole.
    Unreplayable(Unreplayable),
    /// What a create made: the id of its record, and the container's.
    Made(String, String),
    /// Anything else.
    Other,
}

/// A call that cannot be judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreplayable {
    /// Id of the record.
    pub id: String,
    /// Why not, in words that are the same for all calls of its kind.
    pub why: &'static str,
}

/// A recorded call.
#[derive(Debug)]
pub struct Recorded {
    /// Id of the record.
    pub id: String,
    /// Who asked.
    pub peer: Peer,
    /// What was asked.
    pub asked: Asked,
    /// What was known of what it names.
    pub known: Known,
    /// Paths that no container may see.
    pub protected: Vec<String>,
    /// The principal that claimed the caller then.
    pub principal: String,
    /// Whether it was let through.
    pub passed: bool,
    /// The checks that fired then, by id, with their reactions after exceptions.
    pub findings: Vec<(String, Reaction)>,
    body: Option<Vec<u8>>,
    odd: Vec<Irregularity>,
}

#[derive(Debug, Deserialize)]
struct Line<'l> {
    id: String,
    kind: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    peer: Value,
    #[serde(default)]
    principal: Principal,
    request: Option<Request>,
    #[serde(default)]
    container: Container,
    #[serde(default)]
    verdict: Verdict,
    #[serde(default)]
    outcome: Outcome,
    #[serde(borrow, default)]
    body: Option<&'l RawValue>,
    #[serde(borrow, default)]
    known: Option<&'l RawValue>,
    #[serde(default)]
    protected: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Principal {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Request {
    operation: String,
    method: String,
    target: String,
    #[serde(default)]
    body_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verdict {
    action: String,
    findings: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outcome {
    made: Option<String>,
}

/// Reads the calls of a journal, line by line in order.
#[derive(Debug, Default)]
pub struct Calls {
    /// Calls whose intent has been read: it said everything but what came of them.
    open: HashSet<String>,
}

impl Calls {
    /// Reads the next line.
    pub fn read(&mut self, line: &[u8]) -> Entry {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return Entry::Other };
        if line.kind != "call" {
            return Entry::Other;
        }
        if line.stage == "outcome" && self.open.remove(&line.id) {
            return match (line.outcome.made, line.container.id) {
                (Some(made), Some(container)) if made == container => Entry::Made(line.id, container),
                _nothing => Entry::Other,
            };
        }
        if line.stage == "intent" {
            self.open.insert(line.id.clone());
        }
        let id = line.id.clone();
        match rebuild(line) {
            Ok(recorded) => Entry::Call(Box::new(recorded)),
            Err(why) => Entry::Unreplayable(Unreplayable { id, why }),
        }
    }
}

fn rebuild(line: Line<'_>) -> Result<Recorded, &'static str> {
    let request = line.request.as_ref().ok_or("the record says nothing of a request")?;
    let (findings, odd) = findings(&line.verdict.findings)?;
    let asked = asked(request, &odd)?;
    let body = body(request, &asked, line.body, &odd)?;
    let known = match line.known {
        Some(known) => known_of(known.get()).map_err(|_unreadable| "what was looked up is not held whole")?,
        None => Known::default(),
    };
    let recorded = Recorded {
        id: line.id,
        peer: peer::read(&line.peer)?,
        known,
        protected: line.protected,
        principal: line.principal.name,
        passed: line.verdict.action != "deny",
        findings,
        body,
        odd,
        asked,
    };
    if line.known.is_none() && needs_facts(&recorded.call()) {
        return Err("what was looked up is not in it (audit.level is metadata, or it is from before it was recorded)");
    }
    recorded.is_faithful()?;
    Ok(recorded)
}

impl Recorded {
    /// The call, as it was judged.
    pub fn call(&self) -> Call<'_> {
        let mut call = match &self.body {
            Some(body) => Call::decode(&self.asked, body),
            None => Call::unread(&self.asked),
        };
        call.irregularities.clone_from(&self.odd);
        call
    }

    /// The body as it is recorded.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Whether the redacted body reads as the body did: nothing is odd about it that was not odd then.
    fn is_faithful(&self) -> Result<(), &'static str> {
        let Some(body) = &self.body else { return Ok(()) };
        let read = Call::decode(&self.asked, body);
        let is_new = |odd: &&Irregularity| !self.odd.iter().any(|known| known.kind == odd.kind);
        match read.irregularities.iter().find(is_new) {
            None => Ok(()),
            Some(_odd) => Err("its redacted body no longer reads as the body did"),
        }
    }
}

/// Whether a call names something that a gate looks up.
fn needs_facts(call: &Call<'_>) -> bool {
    let uses = call.target().is_some() && call.asked.operation.uses_container();
    uses || call.body.image().is_some_and(|image| !image.is_empty())
}

type Findings = (Vec<(String, Reaction)>, Vec<Irregularity>);

fn findings(recorded: &[Value]) -> Result<Findings, &'static str> {
    let (mut findings, mut odd) = (Vec::new(), Vec::new());
    for finding in recorded {
        let text = |key: &str| finding.get(key).and_then(Value::as_str);
        let (Some(check), Some(reaction)) = (text("check"), text("reaction").and_then(Reaction::from_word)) else {
            return Err("it has more findings than a record holds");
        };
        if let Some(kind) = irregular(check) {
            let said = |key: &str| text(key).unwrap_or_default().to_owned();
            odd.push(Irregularity { kind, field: said("field"), detail: said("detail") });
        }
        findings.push((check.to_owned(), reaction));
    }
    Ok((findings, odd))
}

/// What was odd about a request, by the check that said so.
fn irregular(check: &str) -> Option<Irregular> {
    match check {
        "request.ambiguous" => Some(Irregular::Ambiguous),
        "request.malformed" => Some(Irregular::Malformed),
        "request.too-large" => Some(Irregular::TooLarge),
        "request.path" => Some(Irregular::Path),
        "request.form-body" => Some(Irregular::FormBody),
        "request.http2" => Some(Irregular::Http2),
        "request.unknown-field" => Some(Irregular::UnknownField),
        _of_policy => None,
    }
}

/// Reads the head again. Headers are not in a record: what was odd about them is among the findings.
fn asked(request: &Request, odd: &[Irregularity]) -> Result<Asked, &'static str> {
    if let (Operation::Unknown, "", Some(why)) =
        (Operation::from_name(&request.operation).unwrap_or(Operation::Unknown), request.target.as_str(), odd.first())
    {
        return Ok(Asked::unreadable(why.clone()));
    }
    if request.target.contains(LEFT_OUT) {
        return Err("its target is longer than a record holds");
    }
    let uri: Uri = request.target.parse().map_err(|_unreadable| "its target cannot be read back")?;
    let method: Method = request.method.parse().map_err(|_unreadable| "its method cannot be read back")?;
    let headers = HeaderMap::new();
    let mut asked = request::read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
    if asked.operation.name() != request.operation {
        return Err("its target no longer reads as it did");
    }
    // What was odd about it stands with what was odd about the body.
    asked.irregularities.clear();
    Ok(asked)
}

fn body(
    request: &Request,
    asked: &Asked,
    recorded: Option<&RawValue>,
    odd: &[Irregularity],
) -> Result<Option<Vec<u8>>, &'static str> {
    let size = request.body_bytes;
    let is_start = asked.operation == Operation::ContainerStart;
    match (asked.body, recorded, size) {
        (BodyPlan::Stream, _, _) | (BodyPlan::Judge, None, None) => Ok(None),
        (BodyPlan::Judge, Some(body), _) if body.get().starts_with("{\"omitted\":") => {
            Err("its body is larger than a record holds")
        }
        (BodyPlan::Judge, Some(body), _) if body.get().contains(&format!("\"{LEFT_OUT}")) => {
            Err("its body has more in it than a record holds")
        }
        (BodyPlan::Judge, Some(body), _) => Ok(Some(body.get().as_bytes().to_vec())),
        (BodyPlan::Judge, None, Some(0)) => Ok(Some(Vec::new())),
        (BodyPlan::Judge, None, Some(size)) if is_start && size <= IGNORED_START => Ok(Some(Vec::new())),
        // There was no JSON to record, which is said.
        (BodyPlan::Judge, None, Some(_)) if odd.iter().any(|odd| odd.kind == Irregular::Malformed) => Ok(None),
        (BodyPlan::Judge, None, Some(_)) => Err("its body is not in it (audit.level is metadata)"),
    }
}
