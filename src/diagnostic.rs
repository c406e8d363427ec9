//! A mistake in a file somebody wrote: where it is, what it is, and what to write instead.
//!
//! Pure, and used by every room that reads an operator's text; [`Diagnostic::render`] draws the caret.

use std::ops::Range;
use std::path::PathBuf;

/// A text and the file it came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as it should be shown to the operator.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file works, but probably not as meant.
    Warning,
}

/// One mistake at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Byte range in the source; `None` for a mistake of the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong, lower-case, naming the object.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}
