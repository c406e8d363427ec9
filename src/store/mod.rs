//! Who made what, what the watch goes on with, and what an admin is asked to approve: a file of SQLite's that survives restarts. The first is an index that
//! can be rebuilt from the journal, which is the evidence; of the second nothing is lost that cannot be asked for again.

mod approval;
mod approved;
mod database;
mod launch;
mod watch;

pub use approval::{Admin, Approval, Ask, Decision, Settled, State, parse_id};
pub use approved::Approved;
pub use database::{Store, StoreError};
pub use launch::Launch;
