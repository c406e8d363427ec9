//! The checks, by noun: each looks at one part of a call and says everything it finds.

mod container;
mod guards;
mod mounts;
mod network;
mod operation;
mod stored;

pub(super) use operation::check;

use std::cell::OnceCell;

use globset::GlobMatcher;

use super::profile::Profile;
use super::{Check, Facts, Finding};
use crate::peer::{Peer, UnixPeer};

/// Longest detail of a finding, in characters.
const MAX_DETAIL: usize = 200;

/// Longest field of a finding, in characters: keys of maps are the client's text too.
const MAX_FIELD: usize = 200;

/// Most findings of one check in one call. All of them lead to the same reaction and are excepted alike, so that more would
/// change no decision; a body of some megabytes holds half a million binds.
const MAX_OF_A_CHECK: u16 = 32;

/// Collects what is found, with the reaction of one profile.
#[derive(Debug)]
pub(super) struct Found<'p> {
    pub(super) profile: &'p Profile,
    pub(super) peer: &'p Peer,
    pub(super) facts: &'p Facts<'p>,
    pub(super) findings: Vec<Finding>,
    /// What stands before every field: nothing, or where the judged thing is not the request itself.
    within: &'static str,
    counts: [u16; Check::ALL.len()],
    /// The profile's `binds` that name the caller, filled in at most once a call.
    own_binds: OnceCell<Vec<(Vec<GlobMatcher>, bool)>>,
}

impl<'p> Found<'p> {
    /// Nothing found yet.
    pub(super) const fn new(profile: &'p Profile, peer: &'p Peer, facts: &'p Facts<'p>) -> Self {
        let counts = [0; Check::ALL.len()];
        Self { profile, peer, facts, findings: Vec::new(), within: "", counts, own_binds: OnceCell::new() }
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
        self.findings.push(Finding { check, field, detail, reaction, exception: None });
    }

    /// Adds a finding if there is something to say.
    pub(super) fn add_if(&mut self, fires: bool, check: Check, field: &str, detail: &str) {
        if fires {
            self.add(check, field, detail);
        }
    }

    fn unix_peer(&self) -> Option<&UnixPeer> {
        match self.peer {
            Peer::Unix(peer) => Some(peer),
            Peer::Tcp(_) => None,
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
