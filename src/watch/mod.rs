//! What containers did first: the engine's events and the kernel's, joined with the calls that made them into launches and
//! findings.
//!
//! Facts come in from three sides and in any order: `call` reads them from records, `events` from the engine, `kernel` is what a
//! sensor hands on. `join` keeps them by container, `container` and `exec` make launches of them, `finding` scores, and `tell`
//! says which records are due. All of that is pure; `task` does the rest.

// What comes in.
mod call;
mod events;
mod fact;
mod kernel;
mod notice;
pub mod sensor;
// What it means.
mod attack;
mod container;
mod exec;
mod finding;
mod join;
mod launch;
mod tell;
// How it is read.
mod dossier;
// What does it.
mod task;

pub use dossier::{Dossier, Dossiers, Row, described};
use join::{Gap, Settings};
pub use kernel::{Action, Event, Notice, Process, Protocol, What};
pub use task::{Parts, Watch, WatchError};

#[cfg(test)]
mod tests;
