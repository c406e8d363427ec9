//! What must hold between the gate's reading of a body and the engine's.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use tidewaiter::diagnostic::Source;
use tidewaiter::peer::{Peer, UnixPeer};
use tidewaiter::policy::{CheckId, Facts, Known, Policy, judge};
use tidewaiter::request::{self, Asked, Call, Head, Irregular};

use crate::engine::Reading;
use crate::inputs::{Input, Kind};
use crate::view::View;

/// Nothing is allowed, so that everything that can be found is found.
const POLICY: &str = r#"
version = 1
mode = "monitor"
[fallback]
profile = "nothing"
[profile.nothing]
extends = "restricted"
networks = ["none"]
"#;

/// The engine reads no shorter body of a start, and the gate neither.
const MAX_IGNORED_START: usize = 7;

/// The gate, from a body to findings.
#[derive(Debug)]
pub struct Gate {
    /// By kind.
    asked: Vec<Asked>,
    policy: Policy,
    peer: Peer,
}

/// What the gate made of an input.
#[derive(Debug)]
pub struct Read<'i> {
    input: &'i Input,
    call: Call<'i>,
    /// What it would write in the body's place.
    pub anew: Option<Vec<u8>>,
}

/// What became of an input.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Agreed,
    AgreedFlat,
    EngineRefuses,
    Ambiguous,
    Malformed,
    Unread,
    BothRefuse,
    Ignored,
}

impl Outcome {
    /// In the order of the numbers.
    pub const ALL: [Self; 8] = [
        Self::Agreed,
        Self::AgreedFlat,
        Self::EngineRefuses,
        Self::Ambiguous,
        Self::Malformed,
        Self::Unread,
        Self::BothRefuse,
        Self::Ignored,
    ];

    /// For the report.
    pub fn words(self) -> &'static str {
        match self {
            Self::Agreed => "one reading, the engine's",
            Self::AgreedFlat => "HostConfig's fields beside it: one reading each for older and for later engines",
            Self::EngineRefuses => "one reading, which the engine refuses",
            Self::Ambiguous => "several readings, and the gate sees all that the engine sees",
            Self::Malformed => "of a type that is wrong to the gate only, which sees all that the engine sees",
            Self::Unread => "unreadable to the gate only",
            Self::BothRefuse => "refused by both",
            Self::Ignored => "too short to be read",
        }
    }
}

impl Gate {
    /// In front of an engine.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("docker"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("content-length", HeaderValue::from_static("2"));
        let method = Method::POST;
        let read = |kind: Kind| {
            let uri = Uri::from_static(kind.target());
            request::read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers })
        };
        let asked: Vec<Asked> = Kind::ALL.into_iter().map(read).collect();
        if let Some(odd) = asked.iter().find(|asked| !asked.irregularities.is_empty()) {
            return Err(format!("the head is odd: {odd:?}").into());
        }
        let source = Source { path: PathBuf::from("fuzz.toml"), text: POLICY.to_owned() };
        let (policy, _warnings) = Policy::parse(&source).map_err(|errors| format!("{errors:?}"))?;
        let peer = Peer::Unix(Box::new(UnixPeer { uid: Some(1000), ..UnixPeer::default() }));
        Ok(Self { asked, policy, peer })
    }

    /// Decodes a body.
    pub fn read<'i>(&'i self, input: &'i Input) -> Read<'i> {
        let call = Call::decode(&self.asked[input.kind as usize], &input.bytes);
        let anew = call.canonical_body();
        Read { input, call, anew }
    }

    /// Holds the gate's reading against the engine's, and against the engine's reading of what was written `anew`.
    pub fn compare(
        &self,
        read: &Read<'_>,
        reading: Option<&Reading>,
        anew: Option<Option<&Reading>>,
    ) -> Result<(Outcome, Vec<String>), Box<dyn Error>> {
        let mut wrong = Vec::new();
        if read.is_ignored() {
            return Ok((Outcome::Ignored, wrong));
        }
        let odd = &read.call.irregularities;
        let has = |kind| odd.iter().any(|odd| odd.kind == kind);
        let (ambiguous, malformed) = (has(Irregular::Ambiguous), has(Irregular::Malformed));
        let one_reading = !ambiguous && !malformed;
        // Of an update, known fields are told that it ignores.
        if read.input.is_plain && !odd.is_empty() && read.input.kind != Kind::Update {
            wrong.push(format!("a plain body is odd: {odd:?}"));
        }
        if one_reading != anew.is_some() {
            wrong.push("is written anew if and only if it has one reading".to_owned());
        }
        let outcome = match (reading, View::of_gate(&read.call.body)) {
            (None, _) if one_reading => Outcome::EngineRefuses,
            (None, _) => Outcome::BothRefuse,
            (Some(_), None) => Outcome::Unread,
            (Some(reading), Some(ours)) => {
                wrong.extend(self.against(read, &ours, reading, one_reading)?);
                match (ambiguous, malformed, read.later(reading)) {
                    (false, false, None) => Outcome::Agreed,
                    (false, false, Some(_)) => Outcome::AgreedFlat,
                    (_, true, _) => Outcome::Malformed,
                    (true, false, _) => Outcome::Ambiguous,
                }
            }
        };
        if one_reading && matches!(outcome, Outcome::EngineRefuses | Outcome::Unread) {
            wrong.push("nothing is said against what the engine refuses, or what was not read".to_owned());
        }
        if let (Some(reading), Some(anew)) = (reading, anew)
            && anew != Some(reading)
        {
            wrong.push(format!("what is written anew reads {anew:?}"));
        }
        if let (false, Some(reading)) = (wrong.is_empty(), reading) {
            wrong.push(format!("the engine reads {}", reading.flat));
            wrong.extend(read.later(reading).map(|later| format!("a later one  {later}")));
        }
        Ok((outcome, wrong))
    }

    /// Holds what a policy sees, and what it finds, against the same of the engine's reading.
    fn against(
        &self,
        read: &Read<'_>,
        ours: &View,
        reading: &Reading,
        one_reading: bool,
    ) -> Result<Vec<String>, Box<dyn Error>> {
        let theirs = View::of_engine(read.input.kind, &reading.flat)?;
        let is_exact = one_reading && reading.later.is_none();
        let mut wrong = if is_exact { ours.differs(&theirs) } else { ours.misses(&theirs, false) };
        let later = read.later(reading);
        if let Some(later) = later {
            wrong.extend(ours.misses(&View::of_engine(read.input.kind, later)?, true));
        }
        let found = self.findings(&read.call);
        for json in [Some(reading.flat.as_str()), later].into_iter().flatten() {
            let missed = self.findings(&Call::decode(read.call.asked, json.as_bytes())).into_iter();
            let missed: Vec<_> = missed.filter(|check| !found.contains(check)).map(|check| check.id().to_owned()).collect();
            if !missed.is_empty() {
                wrong.push(format!("does not find {}", missed.join(", ")));
            }
        }
        Ok(wrong)
    }

    fn findings(&self, call: &Call<'_>) -> BTreeSet<CheckId> {
        let facts = Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known: Known::NOTHING };
        judge(&self.policy, &self.peer, call, &facts).findings.into_iter().map(|finding| finding.check).collect()
    }
}

impl Read<'_> {
    /// Whether it is too short for an engine to read.
    fn is_ignored(&self) -> bool {
        match self.input.kind {
            Kind::Start => self.input.bytes.len() <= MAX_IGNORED_START,
            // Later engines take none for an empty one, 20.10 refuses it.
            Kind::ExecStart => self.input.bytes.is_empty(),
            _other => false,
        }
    }

    /// A later engine's reading. None has a legacy start.
    fn later<'r>(&self, reading: &'r Reading) -> Option<&'r str> {
        reading.later.as_deref().filter(|_| self.input.kind == Kind::Create)
    }

    /// What the engine is to read.
    pub fn bodies(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let bodies = std::iter::once(self.input.bytes.as_slice()).chain(self.anew.as_deref());
        bodies.map(|bytes| (self.input.kind, bytes))
    }
}

impl fmt::Display for Read<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#{} {:?}: {}", self.input.number, self.input.kind, self.input.bytes.escape_ascii())?;
        for odd in &self.call.irregularities {
            writeln!(f, "  {:?} {}", odd.kind, odd.field)?;
        }
        Ok(())
    }
}
