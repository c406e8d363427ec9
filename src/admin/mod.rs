//! The admin socket: what waits for approval, and an admin's word on it, as JSON over HTTP on a Unix socket of its own.
//!
//! Who may connect is the socket's permissions; who did is the kernel's word.

// The gate's side.
mod approvals;
mod serve;
// What goes over the wire.
mod wire;
// The command line's side.
mod client;

pub use approvals::Admin;
pub use client::{Client, ClientError};
pub use serve::{bind, serve};
pub use wire::{By, MAX_VALID, Shown, VALID};
