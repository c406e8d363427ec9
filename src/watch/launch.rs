//! A launch: create, start, first process, first network action, joined. Pure; the time is an argument.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::container::Container;
use super::exec::{Entry, Explained};
use super::fact::{Asked, Did, Fact, Happened, Made, Ran, Reason, Who};

/// Most entries of one kind in a timeline.
const ENTRIES: usize = 64;
/// Programs that only start another one: the first process is told, and the one after it too.
const INITS: [&str; 3] = ["docker-init", "tini", "catatonit"];

/// One launch of a container, with the facts that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch<'c> {
    pub(super) container: &'c Container,
    /// When the engine started it; `None` if it waits for that.
    pub(super) start: Option<Timestamp>,
    /// When its first process ended.
    pub(super) died: Option<Timestamp>,
    /// When it is over: the window's end, its death, or the next start. `None` if it waits.
    pub(super) until: Option<Timestamp>,
    /// In order of time.
    pub(super) facts: Vec<&'c Fact>,
}

impl<'c> Launch<'c> {
    /// Who made the container.
    pub(super) const fn made(&self) -> Option<&'c Made> {
        self.container.made.as_ref()
    }

    /// The call that started it; `None` if the engine did that by itself, or was told to behind the gate.
    pub(super) fn starter(&self) -> Option<(&'c Fact, &'c Asked)> {
        self.facts.iter().rev().find_map(|fact| Some((*fact, fact.what.start_asked()?)))
    }

    /// What the verdicts on its create and its start found.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &'c Reason> {
        let made = self.made().into_iter().flat_map(|made| &made.reasons);
        made.chain(self.starter().into_iter().flat_map(|(_, asked)| &asked.reasons))
    }

    /// The programs that ran, in order.
    fn ran(&self) -> impl Iterator<Item = (&'c Fact, &'c Ran)> {
        self.facts.iter().filter_map(|fact| Some((*fact, fact.what.ran()?)))
    }

    /// Whether a program is the container's first one, or the first that its init started.
    pub(super) fn is_first(&self, fact: &Fact) -> bool {
        let mut ran = self.ran();
        let Some((first, Ran { path, .. })) = ran.next() else { return false };
        let name = path.rsplit('/').next().unwrap_or_default();
        first == fact || INITS.contains(&name) && ran.next().is_some_and(|(second, _)| second == fact)
    }

    /// The members that a record of it has, whichever kind of record it is.
    pub(super) fn members(&self, entries: &[Entry<'_>]) -> Map<String, Value> {
        let mut members = head(self.container);
        let other = |asked: &&Asked| self.made().is_none_or(|made| made.by.name != asked.by.name);
        if let Some((_, asked)) = self.starter().filter(|(_, asked)| other(asked)) {
            members.insert("starter".into(), who(&asked.by));
        }
        for (key, at) in [("started", self.start), ("ended", self.died), ("until", self.until)] {
            members.extend(at.map(|when| (key.to_owned(), self::at(when))));
        }
        members.insert("records".into(), self.records().into());
        members.insert("timeline".into(), self.timeline(entries).into());
        if self.container.is_truncated {
            members.insert("truncated".into(), true.into());
        }
        let (execs, network) = self.untold();
        if execs > 0 || network > 0 {
            members.insert("untold".into(), json!({"execs": execs, "network": network}));
        }
        members
    }

    /// How many programs and network actions the timeline lacks, since the kernel only counted them.
    fn untold(&self) -> (u64, u64) {
        let counts = self.facts.iter().filter_map(|fact| fact.what.untold());
        counts
            .fold((0, 0), |(all, others), (execs, network)| (execs.saturating_add(all), network.saturating_add(others)))
    }

    /// Ids of the records of its calls, in order.
    fn records(&self) -> Vec<&'c str> {
        let mut records: Vec<&str> = self.made().map(|made| made.record.as_str()).into_iter().collect();
        records.extend(self.starter().map(|(_, asked)| asked.record.as_str()));
        let execs = self.facts.iter().filter_map(|fact| fact.what.exec_asked());
        records.extend(execs.map(|(asked, _)| asked.record.as_str()));
        records.truncate(ENTRIES);
        records
    }

    /// What happened, in order.
    pub(super) fn timeline(&self, entries: &[Entry<'_>]) -> Vec<Value> {
        let mut timeline = Vec::new();
        if let Some(made) = self.made() {
            let create = json!({
                "at": at(made.at), "what": "create", "record": made.record, "principal": made.by.name,
            });
            timeline.push(create);
        }
        let mut shown = Shown::default();
        for fact in &self.facts {
            let Some(mut members) = self.entry(fact, entries).filter(|_| shown.takes(fact)) else { continue };
            members.insert("at".into(), at(fact.at));
            timeline.push(Value::Object(members));
        }
        timeline
    }

    fn entry(&self, fact: &Fact, entries: &[Entry<'_>]) -> Option<Map<String, Value>> {
        let value = match &fact.what {
            Happened::Created { .. } if self.made().is_none() => json!({"what": "create"}),
            Happened::Started if Some(fact.at) != self.start => return None,
            Happened::Started => match self.starter() {
                Some((_, asked)) => json!({"what": "start", "record": asked.record, "principal": asked.by.name}),
                None => json!({"what": "start"}),
            },
            Happened::Died { code } => json!({"what": "die", "code": code}),
            Happened::OutOfMemory => json!({"what": "oom"}),
            Happened::Destroyed => json!({"what": "destroy"}),
            Happened::Renamed { name } => json!({"what": "rename", "name": name}),
            Happened::Connected { network } => json!({"what": "network", "name": network}),
            Happened::Dns { name } => json!({"what": "dns", "name": name}),
            Happened::Network(network) => json!({
                "what": match network.did {
                    Did::Connect => "connect",
                    Did::Send => "send",
                    Did::Listen => "listen",
                    Did::Inbound => "inbound",
                },
                "protocol": network.protocol, "local": network.local, "remote": network.remote,
                "process": network.process,
            }),
            Happened::Ran(ran) => return Some(self.program(fact, ran, entries)),
            Happened::Asked(asked) if asked.exec.is_some() => {
                // The kernel's own sight of it says more.
                let seen = entries.iter().any(|entry| entry.explained == Some(Explained::Call(&asked.record)));
                (!seen).then(|| json!({"what": "exec", "record": asked.record, "principal": asked.by.name}))?
            }
            Happened::Created { .. }
            | Happened::Untold { .. }
            | Happened::Asked(_)
            | Happened::ExecCreated { .. }
            | Happened::ExecStarted { .. }
            | Happened::Entered { .. } => return None,
        };
        let Value::Object(mut members) = value else { return None };
        members.retain(|_, value| !value.is_null());
        Some(members)
    }

    fn program(&self, fact: &Fact, ran: &Ran, entries: &[Entry<'_>]) -> Map<String, Value> {
        let entry = entries.iter().find(|entry| entry.fact == fact);
        let mut members = program(ran);
        members.insert("what".into(), if entry.is_some() { "exec" } else { "process" }.into());
        if self.is_first(fact) {
            members.insert("first".into(), true.into());
        }
        match entry.map(|entry| entry.explained) {
            Some(Some(Explained::Call(record))) => {
                members.insert("record".into(), record.into());
            }
            Some(None | Some(Explained::Behind)) => {
                members.insert("out_of_band".into(), true.into());
            }
            Some(Some(Explained::Engine)) | None => {}
        }
        members
    }
}

/// Counts the entries of each kind, so that one kind cannot fill a timeline.
#[derive(Debug, Default)]
struct Shown([usize; 8]);

impl Shown {
    fn takes(&mut self, fact: &Fact) -> bool {
        self.0.get_mut(fact.class() as usize).is_some_and(|count| {
            *count += 1;
            *count <= ENTRIES
        })
    }
}

/// The container, its image, and who made it.
pub(super) fn head(container: &Container) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("container".into(), named(&container.id, container.latest_name()));
    match &container.made {
        Some(made) => {
            members.insert("image".into(), made_image(made));
            members.insert("principal".into(), who(&made.by));
        }
        None => members.extend(container.image.as_ref().map(|image| ("image".to_owned(), json!({"reference": image})))),
    }
    members
}

pub(super) fn program(ran: &Ran) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("pid".into(), ran.pid.into());
    members.insert("uid".into(), ran.uid.into());
    members.insert("path".into(), ran.path.as_str().into());
    members.insert("argv".into(), ran.argv.clone().into());
    members
}

pub(super) fn at(at: Timestamp) -> Value {
    Value::String(format!("{at:.9}"))
}

fn named(id: &str, name: Option<&str>) -> Value {
    match name {
        Some(name) => json!({"id": id, "name": name}),
        None => json!({"id": id}),
    }
}

fn who(who: &Who) -> Value {
    json!({"name": who.name, "admin": who.admin})
}

fn made_image(made: &Made) -> Value {
    let mut image = json!({"reference": made.image});
    if let Some(members) = image.as_object_mut() {
        members.extend(made.image_id.as_ref().map(|id| ("id".to_owned(), json!(id))));
        if made.is_whole {
            members.insert("allowed".into(), made.allowed.into());
        }
    }
    image
}
