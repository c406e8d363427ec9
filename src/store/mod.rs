//! Who made what: an index in SQLite that survives restarts and can be rebuilt from the journal, which is the evidence.

mod database;
mod launch;

pub use database::{Store, StoreError};
pub use launch::Launch;
