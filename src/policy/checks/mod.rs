//! The checks, by noun: each looks at one part of a call and says everything it finds.

mod container;
mod guards;
mod mounts;
mod network;
mod operation;

pub(super) use operation::check;

use super::profile::Profile;
use super::{Check, Facts, Finding};
use crate::peer::{Peer, UnixPeer};

/// Longest detail of a finding, in characters.
const MAX_DETAIL: usize = 200;

/// Collects what is found, with the reaction of one profile.
#[derive(Debug)]
pub(super) struct Found<'p> {
    pub(super) profile: &'p Profile,
    pub(super) peer: &'p Peer,
    pub(super) facts: &'p Facts<'p>,
    pub(super) findings: Vec<Finding>,
}

impl Found<'_> {
    /// Adds a finding. The detail is the client's text: it is bounded, and control characters are shown as escapes.
    pub(super) fn add(&mut self, check: Check, field: impl Into<String>, detail: &str) {
        let mut shown = String::new();
        for letter in detail.chars().take(MAX_DETAIL) {
            if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
        }
        let reaction = self.profile.reaction(check);
        self.findings.push(Finding { check, field: field.into(), detail: shown, reaction, exception: None });
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
