//! What any daemon needs: streams, draining, signals, limits. Knows nothing of Docker.

mod descriptors;
mod drain;
mod signals;
mod stream;

pub use descriptors::raise_limit;
pub use drain::{Trigger, Watch, channel};
pub use signals::Termination;
pub use stream::Stream;
