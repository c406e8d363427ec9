//! Places of which nobody may hold more than a share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who holds how many places.
#[derive(Debug)]
pub struct Shares {
    most: usize,
    held: Mutex<HashMap<String, Held>>,
}

#[derive(Debug, Default)]
struct Held {
    places: usize,
    /// Whether it was refused since it last held none.
    refused: bool,
}

/// Somebody holds his share already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Whether he is told so for the first time since he last held no place.
    pub first: bool,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub struct Share {
    of: Arc<Shares>,
    holder: String,
}

impl Shares {
    /// Shares of so many places each.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    /// A place for a holder.
    ///
    /// # Errors
    /// If it holds its share already.
    pub fn take(self: &Arc<Self>, holder: String) -> Result<Share, Full> {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.entry(holder.clone()).or_default();
        if held.places >= self.most {
            return Err(Full { first: !std::mem::replace(&mut held.refused, true) });
        }
        held.places += 1;
        Ok(Share { of: Arc::clone(self), holder })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = all.get_mut(&self.holder) {
            held.places -= 1;
            if held.places == 0 {
                all.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_than_a_share_and_nothing_is_kept_of_who_holds_none() {
        let shares = Shares::new(2);
        let take = |who: &str| shares.take(who.to_owned());
        let (first, second) = (take("ann").unwrap(), take("ann").unwrap());
        assert_eq!([take("ann").unwrap_err(), take("ann").unwrap_err()], [Full { first: true }, Full { first: false }]);
        let other = take("bob").unwrap();
        drop(first);
        let third = take("ann").unwrap();
        assert!(take("ann").is_err());
        drop((second, third, other));
        assert!(shares.held.lock().unwrap().is_empty());
    }
}
