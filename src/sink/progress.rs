//! How far each sink has come, for whoever looks from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far every sink has come. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<[Arc<Place>]>);

/// How far one sink has come, as its delivery says.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    arrived: AtomicU64,
    is_down: AtomicBool,
}

/// How far one sink had come when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Come<'a> {
    /// Its name.
    pub name: &'a str,
    /// Number of the last record that has arrived, those that it does not take included; 0 before the first.
    pub arrived: u64,
    /// Whether it takes records, as was last told.
    pub is_up: bool,
}

impl Progress {
    /// Looks at every sink, in the order of the configuration.
    pub fn look(&self) -> impl Iterator<Item = Come<'_>> {
        self.0.iter().map(|place| Come {
            name: &place.name,
            arrived: place.arrived.load(Ordering::Relaxed),
            is_up: !place.is_down.load(Ordering::Relaxed),
        })
    }
}

impl FromIterator<Arc<Place>> for Progress {
    fn from_iter<T: IntoIterator<Item = Arc<Place>>>(places: T) -> Self {
        Self(places.into_iter().collect())
    }
}

impl Place {
    pub(super) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), arrived: AtomicU64::new(0), is_down: AtomicBool::new(false) })
    }

    pub(super) fn arrive(&self, seq: u64) {
        self.arrived.store(seq, Ordering::Relaxed);
    }

    /// Returns what was told before.
    pub(super) fn set_down(&self, is_down: bool) -> bool {
        self.is_down.swap(is_down, Ordering::Relaxed)
    }
}
