//! Truth: what a request alone does not tell. Asks the engine what a call names and the host where paths lead, and returns
//! plain values for the policy to judge.
//!
//! Everything a call needs is asked at once. What the engine does not hold is not known, which is no failure: it will refuse
//! the call itself. What cannot be learned is told, and the policy decides.

mod answers;
mod host;
mod look_up;

pub use look_up::LookUp;

use crate::policy::Stored;

/// Reads a container as `docker inspect` shows it. What is told elsewhere, as the digests of its image, is not known then.
///
/// # Errors
/// If it is none.
pub fn stored(inspect: &str) -> Result<Stored, serde_json::Error> {
    serde_json::from_str::<answers::Container>(inspect).map(|container| container.into_stored(None))
}
