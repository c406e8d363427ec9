//! What is asked of a policy without a gate: would this call pass, what would another policy change, and what is the least
//! that lets pass what was seen.
//!
//! Pure, and no second judge: everything is put to [`crate::policy::judge`], as a gate would put it.

// What is asked, and by whom.
mod asking;
mod docker;
mod http1;
mod identity;
// What is answered.
mod explain;
mod learn;
mod replay;
mod suite;

pub use asking::{Asking, Input};
pub use explain::{Asked, Explained, Told};
pub use identity::{identity, pairs};
pub use learn::{Learned, Learner};
pub use replay::{Change, Replay, Replayed};
pub use suite::{Failure, Suite, Test};

use std::collections::HashMap;

use crate::audit::Recorded;
use crate::policy::Known;

/// Who made which container, by the names of the policy that is asked, not of the one that was in force.
#[derive(Debug, Default)]
struct Makers {
    /// Principals of creates that have no container yet, by record.
    creating: HashMap<String, String>,
    /// Principals by container.
    made: HashMap<String, String>,
}

impl Makers {
    fn creates(&mut self, record: &str, principal: &str) {
        self.creating.insert(record.to_owned(), principal.to_owned());
    }

    fn made(&mut self, record: &str, container: String) {
        if let Some(principal) = self.creating.remove(record) {
            self.made.insert(container, principal);
        }
    }

    /// Puts the names into what was known. A container made before the journal begins keeps the name it was recorded by.
    fn name(&self, known: &mut Known) {
        let stored = known.container.as_ref().zip(known.maker.as_mut());
        let joined = known.joined.iter_mut().filter_map(|joined| Some((&joined.stored, joined.maker.as_mut()?)));
        for (stored, maker) in stored.into_iter().chain(joined) {
            if let Some(principal) = self.made.get(&stored.id) {
                maker.principal.clone_from(principal);
            }
        }
    }
}

/// Whether a call makes a container.
fn is_create(recorded: &Recorded) -> bool {
    recorded.asked.operation == crate::request::Operation::ContainerCreate
}

#[cfg(test)]
mod tests;
