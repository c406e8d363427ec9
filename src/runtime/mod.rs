//! What any daemon needs: streams, draining, signals, values and files that change, limits, a service manager. Knows nothing
//! of Docker.

mod descriptors;
mod drain;
mod live;
pub mod notify;
mod shares;
mod signals;
mod stream;
pub mod tls;
mod watch;

pub use descriptors::raise_limit;
pub use drain::{Trigger, Watch, channel};
pub use live::Live;
pub use shares::{Full, Shares};
pub use signals::{Hangup, Process, Termination};
pub use stream::Stream;
pub use watch::Files;
