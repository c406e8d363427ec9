//! The least that lets pass what was seen: a profile for each caller, begun with nothing on top of `restricted`. The judge is
//! asked what it refuses, the narrowest line that would let that pass is written, and it is asked again, until it refuses
//! nothing more or no line can be written.

mod draft;
mod generalise;
mod line;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::{Makers, is_create};
use crate::audit::{Calls, Entry, Recorded};
use crate::diagnostic::Source;
use crate::peer::{Certificate, Peer};
use crate::policy::{self, Facts, Finding, Known, Mode, Policy, image_name};
use crate::request::Call;
use draft::Draft;

/// Most times the judge is asked. Each line that is written may bring up the next: a path, its being written, a link in it.
const ROUNDS: usize = 32;

/// Collects what callers do.
#[derive(Debug)]
pub struct Learner {
    bare: Policy,
    now: Timestamp,
    calls: Calls,
    makers: Makers,
    callers: BTreeMap<Identity, Caller>,
    names: Vec<String>,
    /// Calls that cannot be judged again: why, how many, and one of them.
    unreplayable: BTreeMap<&'static str, (u64, String)>,
    refused: u64,
    judged: u64,
}

/// What was learned.
#[derive(Debug)]
pub struct Learned {
    /// The policy.
    pub toml: String,
    /// Calls it was learned from.
    pub calls: u64,
    /// Callers that got a profile.
    pub callers: usize,
    /// Calls that had been refused, and were left aside.
    pub refused: u64,
    /// What no line lets pass, by check: how many calls, and one of them.
    pub unlearned: BTreeMap<String, (u64, String)>,
    /// Calls that cannot be judged again: why, how many, and one of them.
    pub unreplayable: BTreeMap<&'static str, (u64, String)>,
}

/// Who a profile is for: what a matcher can say of a caller without guessing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    /// Who runs in a container of this image.
    Container(String),
    /// A user of the host.
    Uid(u32),
    /// The holder of a certificate: the matcher.
    Certificate(Vec<(&'static str, String)>),
    /// Whoever cannot be told from others.
    Nobody,
}

/// A caller, and what it did.
#[derive(Debug)]
struct Caller {
    name: String,
    /// For the reader: the user's name.
    said: String,
    calls: u64,
    /// One call of each kind, and how many there were.
    samples: HashMap<u64, (Recorded, u64)>,
    draft: Draft,
}

/// Which lines may be written in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Narrowest,
    Wider,
}

impl Learner {
    /// Nothing learned yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            bare: bare(),
            now,
            calls: Calls::default(),
            makers: Makers::default(),
            callers: BTreeMap::new(),
            names: Vec::new(),
            unreplayable: BTreeMap::new(),
            refused: 0,
            judged: 0,
        }
    }

    /// Takes the next line of the journal.
    pub fn line(&mut self, line: &[u8]) {
        match self.calls.read(line) {
            Entry::Call(recorded) => self.call(*recorded),
            Entry::Unreplayable(call) => self.unreplayable.entry(call.why).or_insert((0, call.id)).0 += 1,
            Entry::Made(record, container) => self.makers.made(&record, container),
            Entry::Other => {}
        }
    }

    fn call(&mut self, mut recorded: Recorded) {
        let identity = Identity::of(&recorded.peer);
        if !self.callers.contains_key(&identity) {
            let caller = Caller::new(&identity, &recorded, &mut self.names);
            self.callers.insert(identity.clone(), caller);
        }
        let Some(caller) = self.callers.get_mut(&identity) else { return };
        if is_create(&recorded) {
            self.makers.creates(&recorded.id, &caller.name);
        }
        if !recorded.passed {
            self.refused += 1;
            return;
        }
        self.makers.name(&mut recorded.known);
        self.judged += 1;
        caller.calls += 1;
        let kind = kind(&recorded, &self.bare, self.now);
        caller.samples.entry(kind).or_insert((recorded, 0)).1 += 1;
    }

    /// Writes the policy; patterns stand for several lines only if `generalise`.
    ///
    /// # Errors
    /// If what was written cannot be read, which is a mistake in this program.
    pub fn finish(mut self, generalise: bool) -> Result<Learned, String> {
        let mut unlearned = BTreeMap::new();
        for round in 0..ROUNDS {
            let policy = self.policy()?;
            // A wider line is written only when no narrow one is left to write: what one call needs may let another pass,
            // as a container must pass itself before it may be joined.
            let mut ask = |how, unlearned: &mut _| {
                let callers = self.callers.values_mut();
                // Each of them, whether one before it wrote or not.
                callers
                    .filter_map(|caller| caller.ask(&policy, self.now, (round, how), unlearned).then_some(()))
                    .count()
                    > 0
            };
            if !ask(How::Narrowest, &mut BTreeMap::new()) {
                unlearned.clear();
                if !ask(How::Wider, &mut unlearned) {
                    break;
                }
            }
        }
        self.callers.values_mut().for_each(|caller| caller.draft.prune());
        if generalise {
            self.callers.values_mut().for_each(|caller| generalise::all(&mut caller.draft));
            self.policy()?;
        }
        Ok(Learned {
            toml: self.toml(),
            calls: self.judged,
            callers: self.callers.len(),
            refused: self.refused,
            unlearned,
            unreplayable: self.unreplayable,
        })
    }

    fn policy(&self) -> Result<Policy, String> {
        let source = Source { path: "learned".into(), text: self.toml() };
        match Policy::parse(&source) {
            Ok((policy, _warnings)) => Ok(policy.with_mode(Mode::Enforce)),
            Err(mistakes) => {
                let said: Vec<&str> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
                Err(format!("what was learned is no policy: {}", said.join("; ")))
            }
        }
    }

    fn toml(&self) -> String {
        write::policy(&self.callers, self.judged)
    }
}

impl Identity {
    fn of(peer: &Peer) -> Self {
        let peer = match peer {
            Peer::Unix(peer) => peer,
            Peer::Tls(peer) => return Self::of_certificate(&peer.certificate),
            Peer::Tcp(_) => return Self::Nobody,
        };
        match (&peer.container, peer.uid) {
            (Some(container), _) => {
                let image = container.image.as_deref().and_then(|image| image_name(image, None));
                image.map_or(Self::Nobody, Self::Container)
            }
            (None, Some(uid)) if !peer.unplaced => Self::Uid(uid),
            (None, _) => Self::Nobody,
        }
    }

    /// By what outlives a renewal, where it names one: the SPIFFE ID, or one common name of one issuer.
    fn of_certificate(certificate: &Certificate) -> Self {
        let matcher = match (&certificate.spiffe, certificate.common_names.as_slice()) {
            (Some(id), _) => vec![("cert-san", line::literal(id))],
            (None, [name]) => {
                vec![("cert-cn", line::literal(name)), ("cert-issuer", line::literal(&certificate.issuer))]
            }
            (None, _) => vec![("cert-sha256", certificate.sha256.clone())],
        };
        Self::Certificate(matcher)
    }
}

impl Caller {
    fn new(identity: &Identity, recorded: &Recorded, names: &mut Vec<String>) -> Self {
        let said = match &recorded.peer {
            Peer::Unix(peer) => peer.user.clone().unwrap_or_default(),
            Peer::Tls(peer) => peer.certificate.subject.clone(),
            Peer::Tcp(_) => String::new(),
        };
        let wanted = match identity {
            _ if !matches!(recorded.principal.as_str(), "" | "fallback") => recorded.principal.clone(),
            Identity::Container(image) => {
                let name = image.split(['@', ':']).next().unwrap_or_default();
                format!("in-{}", name.rsplit('/').next().unwrap_or_default())
            }
            Identity::Uid(uid) if said.is_empty() => format!("uid-{uid}"),
            Identity::Uid(_) => said.clone(),
            Identity::Certificate(matcher) => matcher.first().map(|(_, name)| name.clone()).unwrap_or_default(),
            Identity::Nobody => "others".to_owned(),
        };
        let wanted: String = wanted.chars().filter(|letter| !letter.is_control()).collect();
        let taken = |name: &String| {
            matches!(name.as_str(), "" | "fallback" | "privileged" | "baseline" | "restricted") || names.contains(name)
        };
        let numbered = (2..u32::MAX).map(|number| format!("{wanted}-{number}"));
        let name = [wanted.clone()].into_iter().chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        names.push(name.clone());
        Self { said, ..Self::named(&name) }
    }

    fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, said: String::new(), calls: 0, samples: HashMap::new(), draft: Draft::default() }
    }

    /// Asks what is refused and writes the lines that let it pass. Tells whether it wrote any.
    fn ask(
        &mut self,
        policy: &Policy,
        now: Timestamp,
        (round, how): (usize, How),
        unlearned: &mut BTreeMap<String, (u64, String)>,
    ) -> bool {
        let mut progressed = false;
        for (recorded, count) in self.samples.values() {
            let call = recorded.call();
            let facts = Facts { now, protected: &recorded.protected, known: &recorded.known };
            let verdict = policy::judge(policy, &recorded.peer, &call, &facts);
            let mut counted = Vec::new();
            for finding in verdict.findings.iter().filter(|finding| finding.reaction.refuses()) {
                let mut lines = line::lines(finding, &call, &recorded.known);
                if how == How::Narrowest {
                    lines.truncate(1);
                }
                match self.draft.take(lines, round) {
                    Some(line) if counted.contains(&line) => {}
                    Some(line) => {
                        self.draft.count(&line, *count, &recorded.id);
                        counted.push(line);
                        progressed = true;
                    }
                    None => {
                        let check = finding.check.id().to_owned();
                        unlearned.entry(check).or_insert_with(|| (0, recorded.id.clone())).0 += count;
                    }
                }
            }
        }
        progressed
    }
}

/// What could be written to let a finding pass, the narrowest first, in words.
pub(super) fn hints(
    finding: &Finding,
    call: &Call<'_>,
    known: &Known,
    (profile, principal): (&str, &str),
) -> Vec<String> {
    line::lines(finding, call, known).iter().map(|line| write::hint(line, profile, principal)).collect()
}

/// What makes two calls of a caller alike to every policy that can be learned: all that is judged of them, without the names
/// of what they act on.
fn kind(recorded: &Recorded, bare: &Policy, now: Timestamp) -> u64 {
    let (asked, known) = (&recorded.asked, &recorded.known);
    let mut hasher = DefaultHasher::new();
    (asked.operation, asked.api_version, recorded.body()).hash(&mut hasher);
    if !is_create(recorded) && !asked.operation.is_on_container() {
        (asked.resource.as_deref(), format!("{:?}", asked.query)).hash(&mut hasher);
    }
    let facts = Facts { now, protected: &recorded.protected, known };
    for finding in policy::judge(bare, &recorded.peer, &recorded.call(), &facts).findings {
        let names_container = finding.check.id().starts_with("container.");
        let detail = if names_container { String::new() } else { finding.detail };
        (finding.check, finding.field, detail).hash(&mut hasher);
    }
    for stored in known.container.iter().chain(known.joined.iter().map(|joined| &joined.stored)) {
        (&stored.reference, &stored.image.id, format!("{:?}", stored.mounts)).hash(&mut hasher);
    }
    let makers = known.maker.iter().chain(known.joined.iter().filter_map(|joined| joined.maker.as_ref()));
    makers.for_each(|maker| (&maker.principal, &maker.image_id).hash(&mut hasher));
    format!("{:?} {:?} {:?} {:?}", known.image, known.volumes, known.paths, known.exec).hash(&mut hasher);
    hasher.finish()
}

/// The policy that everything is held against first: nothing is on any list.
fn bare() -> Policy {
    let text = write::policy(&BTreeMap::from([(Identity::Nobody, Caller::named("others"))]), 0);
    let read = Policy::parse(&Source { path: "bare".into(), text });
    read.map_or_else(|_mistakes| Policy::builtin(Mode::Enforce), |(policy, _warnings)| policy)
}
