//! JSON as the engine reads it (Go's `encoding/json`), and the bodies that are judged.

mod json;

pub use json::{Document, JsonError, Kind, Limits, Value};

#[cfg(test)]
mod tests;
