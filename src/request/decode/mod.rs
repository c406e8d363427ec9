//! JSON as the engine reads it (Go's `encoding/json`), and the bodies that are judged.

/// A JSON document read into a flat list of nodes that borrow the input.
#[derive(Debug)]
pub struct Document<'a> {
    /// The input, whole.
    pub input: &'a [u8],
}
