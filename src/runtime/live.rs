//! A value that is replaced whole while it is in use.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

/// A value that is replaced whole. Nobody ever sees half of an old and half of a new one.
#[derive(Debug)]
pub struct Live<T>(watch::Sender<Arc<T>>);

impl<T> Live<T> {
    /// The first value.
    pub fn new(value: T) -> Self {
        Self(watch::Sender::new(Arc::new(value)))
    }

    /// The value in force. Whoever decides by it keeps this one until he is done, so that one decision has one source.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts another value in force.
    pub fn replace(&self, value: T) {
        self.0.send_replace(Arc::new(value));
    }

    /// Waits until another value than `held` is in force, and returns it. One that came and went meanwhile is not told.
    pub async fn newer(&self, held: &Arc<T>) -> Arc<T> {
        let mut values = self.0.subscribe();
        let newer = values.wait_for(|value| !Arc::ptr_eq(value, held)).await.map(|value| Arc::clone(&value));
        match newer {
            Ok(value) => value,
            // The sender is ours, so that it outlives this.
            Err(_gone) => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;

    #[test]
    fn a_value_that_came_before_it_was_waited_for_is_not_missed() {
        let live = Live::new(1);
        let first = live.current();
        live.replace(2);
        let second = assert_ready!(spawn(live.newer(&first)).poll());
        assert_eq!((*first, *second), (1, 2), "what is held stays");
        let mut third = spawn(live.newer(&second));
        assert_pending!(third.poll());
        live.replace(2);
        assert!(third.is_woken(), "an equal value is another one");
        assert_ready!(third.poll());
    }
}
