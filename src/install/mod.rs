//! Taking Docker's place on a host with systemd, and giving it back.
//!
//! [`survey`] looks at a host, `plan` (pure) decides what there is to do or why it cannot be done, [`apply`] does it. What is
//! there already is not done again, so that an installation that broke off is finished by running it once more.

mod apply;
mod engine;
mod plan;
mod survey;
mod unit;

#[cfg(test)]
mod tests;

pub use apply::{ApplyError, apply};
pub use engine::{EngineState, engine_state};
pub use plan::{Action, Refusal, install, uninstall};
pub use survey::survey;

/// Where Docker's clients look for the engine.
pub const PUBLIC: &str = "/run/docker.sock";
/// Where the engine's own socket goes.
pub const MOVED: &str = "/run/docker-engine/docker.sock";
/// The name of the door that systemd hands over.
pub const DOOR: &str = "docker";
