//! Joins the rooms: a connection, the pipeline each call goes through, and the one place where an error becomes HTTP.

// What every call shares.
mod gate;
// One client connection, driven by one task.
mod client_io;
mod connection;
mod wire;
// One call.
mod approval;
mod body;
mod closing;
mod exchange;
mod pipeline;
mod refused;
mod respond;
mod rewrite;
mod standing;
mod taken;

pub use connection::{Client, serve};
pub use gate::{Gate, Limits, Rules};
