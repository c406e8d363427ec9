//! Tidewaiter stands where Docker's API socket stood: it reads every call, knows who made it, judges what the call would
//! let a container do to the host, refuses or records by policy, and keeps a chained journal of all of it.
//!
//! A call goes through the rooms in this order:
//!
//! ```text
//!  client ─▶ listen ─▶ peer ─▶ request ─▶ facts ─▶ policy ─▶ engine ─▶ Docker Engine
//!            door      who     what ★     truth    may ★     do
//!                        └──────── audit: one record per call, always; store: who made what, what waits for an admin
//! ```
//!
//! `watch` tells what the containers then did first.
//!
//! `proxy` joins them; `proxy/pipeline.rs` can be read aloud. Rooms marked ★ are pure: no tokio, no hyper I/O, no files, no
//! network, no environment, no clock. `tests/layering.rs` holds the arrows and the stars.

pub mod app;
pub mod cli;
pub mod config;
pub mod diagnostic;

// The way of a call, in order.
pub mod listen;
pub mod peer;
pub mod request;
pub mod facts;
pub mod policy;
pub mod engine;
pub mod proxy;
pub mod audit;
pub mod store;
pub mod watch;
pub mod sink;
pub mod admin;

// A host and its gate.
pub mod install;
pub mod doctor;

// What is asked of a policy without a gate.
pub mod offline;

// What knows nothing of Docker.
pub mod runtime;
pub mod sys;
