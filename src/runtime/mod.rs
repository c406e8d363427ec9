//! What any daemon needs: streams, draining. Knows nothing of Docker.

mod stream;

pub use stream::Stream;
