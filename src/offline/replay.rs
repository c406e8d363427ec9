//! A journal judged by another policy: what would be refused that passed, and what would pass that was refused.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Makers, is_create};
use crate::audit::{Calls, Entry, Recorded};
use crate::policy::{self, Facts, Mode, Policy, Reaction, Verdict};

/// Records that stand for a change.
const EXAMPLES: usize = 3;

/// Judges the calls of a journal, line by line in order.
#[derive(Debug)]
pub struct Replay {
    policy: Policy,
    now: Timestamp,
    calls: Calls,
    makers: Makers,
    refused: Changes,
    passed: Changes,
    done: Replayed,
}

/// Changes by principal and check.
type Changes = BTreeMap<(String, String), Change>;

/// What came of it.
#[derive(Debug, Default, serde::Serialize)]
pub struct Replayed {
    /// Calls that were judged again.
    pub judged: u64,
    /// Calls that passed and would be refused.
    pub refused: u64,
    /// Calls that were refused and would pass.
    pub passed: u64,
    /// What passed and would be refused, by principal and check.
    pub newly_refused: Vec<Change>,
    /// What was refused and would pass, by principal and check.
    pub newly_passed: Vec<Change>,
    /// Calls that cannot be judged again: why, how many, and one of them.
    pub unreplayable: BTreeMap<&'static str, (u64, String)>,
}

/// What changes for one principal by one check.
#[derive(Debug, serde::Serialize)]
pub struct Change {
    /// The principal, by the policy that is asked.
    pub principal: String,
    /// The check that refuses, or refused.
    pub check: String,
    /// How many calls.
    pub calls: u64,
    /// The first of them, in words.
    pub first: String,
    /// Ids of the first records.
    pub examples: Vec<String>,
}

impl Replay {
    /// Asks a policy, as if it were in force and enforced.
    pub fn new(policy: Policy, now: Timestamp) -> Self {
        let policy = policy.with_mode(Mode::Enforce);
        Self {
            policy,
            now,
            calls: Calls::default(),
            makers: Makers::default(),
            refused: Changes::new(),
            passed: Changes::new(),
            done: Replayed::default(),
        }
    }

    /// Takes the next line of the journal.
    pub fn line(&mut self, line: &[u8]) {
        match self.calls.read(line) {
            Entry::Call(recorded) => self.call(*recorded),
            Entry::Unreplayable(call) => self.done.unreplayable(call.why, call.id),
            Entry::Made(record, container) => self.makers.made(&record, container),
            Entry::Other => {}
        }
    }

    /// What came of it, most calls first.
    pub fn finish(mut self) -> Replayed {
        let sorted = |changes: Changes| {
            let mut changes: Vec<Change> = changes.into_values().collect();
            changes.sort_by_key(|change| std::cmp::Reverse(change.calls));
            changes
        };
        self.done.newly_refused = sorted(self.refused);
        self.done.newly_passed = sorted(self.passed);
        self.done
    }

    fn call(&mut self, mut recorded: Recorded) {
        self.makers.name(&mut recorded.known);
        let call = recorded.call();
        let is_known = recorded.known.container.is_some() || recorded.known.absent;
        if call.target().is_some() && !is_known && self.policy.is_own_only(&recorded.peer) {
            return self
                .done
                .unreplayable("whose the container is was not looked up, which own-only asks", recorded.id);
        }
        let facts = Facts { now: self.now, protected: &recorded.protected, known: &recorded.known };
        let verdict = policy::judge(&self.policy, &recorded.peer, &call, &facts);
        drop(call);
        if is_create(&recorded) {
            self.makers.creates(&recorded.id, &verdict.principal);
        }
        self.done.judged += 1;
        self.compare(&recorded, &verdict);
    }

    fn compare(&mut self, recorded: &Recorded, verdict: &Verdict) {
        let worst = |reaction| recorded.findings.iter().map(|(_, was)| *was).max() == Some(reaction);
        // Whoever had an admin's word would have it again.
        let is_asked_again = verdict.worst() == Some(Reaction::Approve) && worst(Reaction::Approve);
        if recorded.passed && verdict.refuses() && !is_asked_again {
            self.done.refused += 1;
            let refusing = verdict.findings.iter().filter(|finding| finding.reaction.refuses());
            let said = refusing.map(|finding| (finding.check.id().to_owned(), finding.to_string()));
            add(&mut self.refused, &verdict.principal, &recorded.id, said);
        } else if !recorded.passed && !verdict.refuses() {
            self.done.passed += 1;
            let refusing = recorded.findings.iter().filter(|(_, reaction)| reaction.refuses());
            let said = refusing.map(|(check, _)| (check.clone(), recorded.asked.target.clone()));
            add(&mut self.passed, &verdict.principal, &recorded.id, said);
        }
    }
}

impl Replayed {
    fn unreplayable(&mut self, why: &'static str, id: String) {
        self.unreplayable.entry(why).or_insert((0, id)).0 += 1;
    }
}

/// Counts a call once for each check.
fn add(changes: &mut Changes, principal: &str, record: &str, said: impl Iterator<Item = (String, String)>) {
    let said: BTreeMap<String, String> = said.collect();
    for (check, first) in said {
        let change = changes.entry((principal.to_owned(), check.clone())).or_insert_with(|| Change {
            principal: principal.to_owned(),
            check,
            calls: 0,
            first,
            examples: Vec::new(),
        });
        change.calls += 1;
        if change.examples.len() < EXAMPLES {
            change.examples.push(record.to_owned());
        }
    }
}
