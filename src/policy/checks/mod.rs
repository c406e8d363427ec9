//! The checks, by noun: each looks at one part of a call and says everything it finds.

mod container;
mod guards;
mod image;
mod mounts;
mod network;
mod operation;
mod podman;
mod service;
mod stored;
mod top;

pub(super) use image::{names as names_image, of_call as images_of};
pub(super) use operation::check;
pub(super) use podman::depends_on_engine;

/// What stands before the fields of a container and of an exec as the engine has them.
pub(super) const WITHIN_CONTAINER: &str = "container.";
pub(super) const WITHIN_EXEC: &str = "exec.";

use std::cell::OnceCell;

use super::facts::{Joined, Stored};
use super::mount::Paths;
use super::profile::{Join, Profile};
use super::{Check, Facts, Finding, Reaction};
use crate::peer::{Peer, UnixPeer};

/// Longest detail of a finding, in characters.
const MAX_DETAIL: usize = 200;

/// Longest field of a finding, in characters: keys of maps are the client's text too.
const MAX_FIELD: usize = 200;

/// Most findings of one check in one call. All of them lead to the same reaction and are excepted alike, so that more would
/// change no decision; a body of some megabytes holds half a million binds.
const MAX_OF_A_CHECK: u16 = 32;

/// Longest chain of containers of which each joins the next, as an application joins a helper that joins a pause container.
const MAX_CHAIN: usize = 4;

/// Collects what is found, with the reaction of one profile.
#[derive(Debug)]
pub(super) struct Found<'p> {
    /// The principal's name.
    pub(super) principal: &'p str,
    pub(super) profile: &'p Profile,
    pub(super) peer: &'p Peer,
    pub(super) facts: &'p Facts<'p>,
    pub(super) findings: Vec<Finding>,
    /// What stands before every field: nothing, or where the judged thing is not the request itself.
    within: &'static str,
    counts: [u16; Check::ALL.len()],
    /// The profile's `binds` that name the caller, filled in at most once a call.
    own_binds: OnceCell<Vec<(Paths, bool)>>,
    /// The principal's own containers that may be joined, by the names the call and what it acts on have for them.
    joinable: Vec<&'p str>,
}

impl<'p> Found<'p> {
    /// Nothing found yet.
    pub(super) const fn new(principal: &'p str, profile: &'p Profile, peer: &'p Peer, facts: &'p Facts<'p>) -> Self {
        let counts = [0; Check::ALL.len()];
        Self {
            principal,
            profile,
            peer,
            facts,
            findings: Vec::new(),
            within: "",
            counts,
            own_binds: OnceCell::new(),
            joinable: Vec::new(),
        }
    }

    /// Finds which containers may be joined: first those that join none, then those that join these, and so on. One that was
    /// renamed to the name it joins, or two that join each other, are never among them.
    fn find_joinable(&mut self) {
        if self.profile.join != Join::Own {
            return;
        }
        let is_own = |joined: &&Joined| joined.maker.as_ref().is_some_and(|maker| maker.principal == self.principal);
        let mut open: Vec<&'p Joined> = self.facts.known.joined.iter().filter(is_own).collect();
        for _link in 0..MAX_CHAIN {
            let (pass, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|joined| self.passes(&joined.stored));
            self.joinable.extend(pass.iter().map(|joined| joined.name.as_str()));
            open = rest;
            if pass.is_empty() || open.is_empty() {
                break;
            }
        }
    }

    /// Adds a finding. Detail and field hold the client's text: they are bounded, and control characters are shown as escapes.
    pub(super) fn add(&mut self, check: Check, field: impl AsRef<str>, detail: &str) {
        if let Some(count) = self.counts.get_mut(check as usize) {
            if *count == MAX_OF_A_CHECK {
                return;
            }
            *count += 1;
        }
        let field = format!("{}{}", self.within, field.as_ref());
        let (field, detail) = (shown(&field, MAX_FIELD), shown(detail, MAX_DETAIL));
        let reaction = self.profile.reaction(check);
        self.findings.push(Finding { check: check.into(), field, detail, reaction, exception: None });
    }

    /// Adds a finding if there is something to say.
    pub(super) fn add_if(&mut self, fires: bool, check: Check, field: &str, detail: &str) {
        if fires {
            self.add(check, field, detail);
        }
    }

    /// Whether a container may be joined by the name it is called by.
    pub(super) fn joins(&self, name: &str) -> bool {
        match self.profile.join {
            Join::None => false,
            Join::Any => true,
            Join::Own => self.joinable.contains(&name),
        }
    }

    /// Whether nothing about a container would be refused if it were made now.
    fn passes(&self, stored: &Stored) -> bool {
        let mut found = Found::new(self.principal, self.profile, self.peer, self.facts);
        found.joinable.clone_from(&self.joinable);
        stored::container(&mut found, stored);
        found.findings.iter().all(|finding| finding.reaction < Reaction::Approve)
    }

    fn unix_peer(&self) -> Option<&UnixPeer> {
        match self.peer {
            Peer::Unix(peer) => Some(peer),
            Peer::Tcp(_) | Peer::Tls(_) => None,
        }
    }
}

fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for letter in text.chars().take(most) {
        if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    shown
}
