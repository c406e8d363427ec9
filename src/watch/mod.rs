//! What containers did first: the engine's events and the kernel's, joined with the calls that made them into launches and
//! findings.

mod kernel;

pub use kernel::{Action, Event, Notice, Process, Protocol, What};
