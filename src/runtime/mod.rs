//! What any daemon needs: streams, draining, signals, limits, a service manager. Knows nothing of Docker.

mod descriptors;
mod drain;
pub mod notify;
mod signals;
mod stream;

pub use descriptors::raise_limit;
pub use drain::{Trigger, Watch, channel};
pub use signals::Termination;
pub use stream::Stream;
