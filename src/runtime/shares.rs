//! Places of which nobody may hold more than a share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who holds how many places.
#[derive(Debug)]
pub struct Shares {
    most: usize,
    held: Mutex<HashMap<String, usize>>,
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

    /// A place for a holder; `None` if it holds its share already.
    #[must_use]
    pub fn take(self: &Arc<Self>, holder: String) -> Option<Share> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(holder.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { of: Arc::clone(self), holder })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.holder);
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
        assert!(take("ann").is_none());
        let other = take("bob").unwrap();
        drop(first);
        let third = take("ann").unwrap();
        assert!(take("ann").is_none());
        drop((second, third, other));
        assert!(shares.held.lock().unwrap().is_empty());
    }
}
