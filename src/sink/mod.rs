//! Where records go beside the journal. A sink reads the journal behind its own cursor; none can slow or stop a call.

mod console;
mod formats;

pub use console::{line, shown};
pub use formats::{Format, Kind, Severity, Version};
