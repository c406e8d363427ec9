//! Where records go beside the journal. A sink reads the journal behind its own cursor; none can slow or stop a call.

mod console;

pub use console::line;

use serde_json::Value;

/// Prints the calls that matter until the journal's reader ends.
///
/// `next` reads the next record of the journal, `None` at its end; `print` puts a line where the operator looks.
pub async fn console(mut next: impl AsyncFnMut() -> Option<Value>, mut print: impl FnMut(&str), colour: bool) {
    while let Some(record) = next().await {
        if let Some(line) = line(&record, colour) {
            print(&line);
        }
    }
}
