//! The admin door: what waits for approval and an admin's word on it, metrics and health, over HTTP on a Unix socket of its own.
//!
//! Who may connect is the socket's permissions; who did is the kernel's word. Metrics and health come from the journal's
//! finished records, from the journal itself and from what is at work beside the calls, so that nothing is counted on their way.

// The gate's side.
mod approvals;
mod beside;
mod health;
mod serve;
// What the journal comes to.
mod exposition;
mod feed;
mod tally;
mod view;
// What people look at.
mod web;
// What goes over the wire.
mod wire;
// The command line's side.
mod client;

/// File of the key that seals sessions of the console, in the directory of the host's keys.
pub const KEY: &str = "console.key";

pub use approvals::Admin;
pub use beside::Beside;
pub use client::{Client, ClientError};
pub use feed::{Feed, PolicyNow};
pub use serve::{Desk, bind, bind_console};
pub use wire::{By, MAX_VALID, Shown, VALID};
