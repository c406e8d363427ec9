//! Answers of the engine that go on for as long as it lives, line by line.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use memchr::memchr;
use tokio::time::timeout;

use super::{Inspect, InspectError};

/// How long the engine may take to begin.
const BEGIN: Duration = Duration::from_secs(10);
/// Longest line: an event carries its container's labels.
const MAX_LINE: usize = 1 << 20;

/// Lines of an endless answer.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    read: BytesMut,
    /// What is left of a line that was too long.
    is_skipping: bool,
}

impl Inspect {
    /// Asks for an answer that goes on. `path` is written as it must stand in a target.
    ///
    /// # Errors
    /// If the engine cannot be asked, or does not answer with 200.
    pub async fn lines(&self, path: &str) -> Result<Lines, InspectError> {
        let body = timeout(BEGIN, self.open(path)).await.map_err(|_late| InspectError::Late)??;
        Ok(Lines { body, read: BytesMut::new(), is_skipping: false })
    }
}

impl Lines {
    /// Waits for the next line, without its end; `None` when the engine ends the answer, well or not. A line that is too long is
    /// told by an empty one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = memchr(b'\n', &self.read) {
                let line = self.read.split_to(end);
                self.read.advance(1);
                if std::mem::take(&mut self.is_skipping) {
                    return Some(Vec::new());
                }
                return Some(line.to_vec());
            }
            if self.read.len() > MAX_LINE {
                self.read.clear();
                self.is_skipping = true;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}
