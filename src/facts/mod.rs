//! Truth: what a request alone does not tell. Asks the engine what a call names and the host where paths lead, and returns
//! plain values for the policy to judge.
//!
//! Everything a call needs is asked at once. What the engine does not hold is not known, which is no failure: it will refuse
//! the call itself. What cannot be learned is told, and the policy decides.

mod answers;
mod host;
mod look_up;

pub use look_up::LookUp;
