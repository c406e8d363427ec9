//! Lines of a journal, read back with a limit, and the few members that readers go by.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use serde::Deserialize;

/// Longest line that is read. What is written stays far below; a longer one was not written by us.
pub(super) const MAX_LINE: u64 = 16 << 20;

/// What [`read`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read1 {
    /// A whole line; the newline is not in the buffer.
    Whole,
    /// Bytes without a newline, at the end of the file.
    Torn,
    /// More than [`MAX_LINE`] without a newline.
    TooLong,
    /// The end of the file.
    End,
}

/// Reads the next line into `line`.
pub(super) fn read(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Read1> {
    line.clear();
    let read = from.take(MAX_LINE + 1).read_until(b'\n', line)?;
    Ok(match line.last() {
        None => Read1::End,
        Some(b'\n') => {
            line.pop();
            Read1::Whole
        }
        Some(_) if read as u64 > MAX_LINE => Read1::TooLong,
        Some(_) => Read1::Torn,
    })
}

/// The members by which recovery and verification follow calls and checkpoints.
#[derive(Debug, Deserialize)]
pub(super) struct Brief<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) host: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(default)]
    pub(super) stage: Option<Stage>,
    #[serde(borrow, default)]
    pub(super) event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) open: Option<Vec<Cow<'a, str>>>,
}

/// Which of a call's two lines it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Intent,
    Outcome,
}

impl<'a> Brief<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn is_checkpoint(&self) -> bool {
        self.kind == "lifecycle" && self.event.as_deref() == Some("checkpoint")
    }
}
