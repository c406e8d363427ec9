//! What any daemon needs: streams, draining. Knows nothing of Docker.

mod drain;
mod stream;

pub use drain::{Trigger, Watch, channel};
pub use stream::Stream;
