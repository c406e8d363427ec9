//! Exact bytes over a unix socket, and the answers to them.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use tokio::time::Instant;

use super::DEADLINE;

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: UnixStream,
    /// Read, and not yet taken by an answer.
    ahead: Vec<u8>,
    deadline: Instant,
}

/// One answer, as it came; only chunked framing is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Version, status and reason.
    pub(crate) line: String,
    /// In the order and case in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    /// Connects. The deadline for everything on this connection runs from here.
    pub(crate) fn open(socket: &Path) -> Self {
        Self { stream: UnixStream::connect(socket).unwrap(), ahead: Vec::new(), deadline: Instant::now() + DEADLINE }
    }

    /// Sends exactly these bytes. A peer that has closed already is no error: it may have answered first.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("cannot send: {error}"),
            Ok(()) | Err(_) => self,
        }
    }

    /// Says that nothing more will be sent (the half-close of `docker run -i`).
    pub(crate) fn finish(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).ok();
        self
    }

    /// Reads the head of the next answer. `None` if the connection ends without one.
    pub(crate) fn head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if !self.read() {
                assert!(self.ahead.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&self.ahead));
                return None;
            }
        };
        let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Some(Answer { line, headers, body: Vec::new() })
    }

    /// Reads the next answer whole, by its framing; without a length that is up to the end of the connection, as for a
    /// raw stream.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.head()?;
        self.body(&mut answer);
        Some(answer)
    }

    /// Reads the body that belongs to a head.
    pub(crate) fn body(&mut self, answer: &mut Answer) {
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks();
        } else if let Some(length) = answer.header("content-length") {
            answer.body = self.take(length.parse().unwrap());
        } else if !answer.is_framed() {
            answer.body = self.rest();
        }
    }

    /// Reads exactly this many bytes, fewer if the connection ends.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count && self.read() {}
        self.ahead.drain(..count.min(self.ahead.len())).collect()
    }

    /// Reads up to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read() {}
        std::mem::take(&mut self.ahead)
    }

    /// Reads up to and with `end`; what came before the end of the connection, if that is first.
    pub(crate) fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|window| window == end) {
                return self.ahead.drain(..at + end.len()).collect();
            }
            if !self.read() {
                return std::mem::take(&mut self.ahead);
            }
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n");
            if line.is_empty() {
                return body; // broken off, as the sender meant it or not: the caller compares
            }
            let digits = str::from_utf8(&line).unwrap().trim();
            let length = usize::from_str_radix(digits, 16).unwrap();
            body.extend(self.take(length));
            self.until(b"\r\n");
            if length == 0 {
                return body;
            }
        }
    }

    /// Reads once; false at the end of the connection.
    fn read(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "no end within {DEADLINE:?} after {:?}", String::from_utf8_lossy(&self.ahead));
        self.stream.set_read_timeout(Some(left)).unwrap();
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.ahead.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => true,
            Err(error) => panic!("cannot read: {error}"),
        }
    }
}

impl Answer {
    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The first header of this name, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether its end can be told from its head. A raw stream ends with the connection.
    pub(crate) fn is_framed(&self) -> bool {
        let has = |name| self.header(name).is_some();
        has("transfer-encoding") || has("content-length") || matches!(self.status(), 100 | 204 | 304)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer without what differs between two equal calls: the date, and the order of the headers.
    pub(crate) fn comparable(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "Date");
        self.headers.sort();
        self
    }
}

/// Sends one request on a connection of its own and reads the answer.
pub(crate) fn ask(socket: &Path, request: &str) -> Option<Answer> {
    Wire::open(socket).send(request).answer()
}

#[test]
fn answers_are_read_by_their_framing_and_one_after_the_other() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut wire = Wire { stream: ours, ahead: Vec::new(), deadline: Instant::now() + DEADLINE };
    wire.send("never read");
    theirs.write_all(b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nab").unwrap();
    theirs.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").unwrap();
    theirs.write_all(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nstream").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    let first = wire.answer().unwrap().comparable();
    assert_eq!((first.line.as_str(), first.headers.len(), first.text().as_str()), ("HTTP/1.1 200 OK", 1, "ab"));
    assert_eq!(wire.answer().unwrap().text(), "abcde");
    assert_eq!(wire.answer().unwrap().status(), 204);
    assert_eq!(wire.answer().unwrap().text(), "stream");
    assert_eq!(wire.finish().answer(), None);
}

#[test]
fn the_engine_answers_a_ping() {
    let engine = super::engine::Engine::shared();
    let answer = ask(engine.socket(), "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n").unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "OK"));
}
