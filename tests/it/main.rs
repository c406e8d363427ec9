//! Tests of behaviour, against a real Docker Engine. `make test` starts one and runs them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what goes wrong in a test or its helpers is a failed test, and its output is for whoever mends it"
)]

mod approve;
mod browser;
mod caller;
mod cases;
mod check;
mod cli;
mod console;
mod doctor;
mod door;
mod explain;
mod facts;
mod install;
mod journal;
mod kill;
mod launches;
mod learn;
mod metrics;
mod own;
mod podman;
mod presets;
mod reload;
mod rules;
mod sensor;
mod service;
mod sink;
mod soak;
mod support;
mod systemd;
mod tls;
mod watch;
mod wire;
