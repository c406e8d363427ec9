//! Clients in a closed loop: each sends its next call when the last one is answered.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::create::create_body;

/// What is asked, over and over.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    request: Vec<u8>,
    /// Whether each call has a connection of its own.
    anew: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    pub(crate) calls: u64,
    /// Median time of a call.
    pub(crate) median: Duration,
}

impl Load {
    pub(crate) fn all() -> Vec<Self> {
        let get = |name, path: &str, anew| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: docker\r\nUser-Agent: bench\r\n\r\n").into_bytes();
            Self { name, request, anew }
        };
        let create = |name, size| {
            let body = create_body(size);
            let head = format!(
                "POST /v1.41/containers/create?name=bench HTTP/1.1\r\nHost: docker\r\nUser-Agent: bench\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            Self { name, request: [head.into_bytes(), body].concat(), anew: false }
        };
        vec![
            get("ping", "/_ping", false),
            get("ping, new connection", "/_ping", true),
            get("list 92 KB", "/v1.41/containers/json?all=1", false),
            create("create 4 KiB", 4 << 10),
            create("create 64 KiB", 64 << 10),
        ]
    }

    /// Runs so many clients for so long.
    pub(crate) fn run(&self, socket: &Path, clients: usize, time: Duration) -> Run {
        let end = Instant::now() + time;
        let mut times: Vec<Duration> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..clients).map(|_| scope.spawn(|| self.client(socket, end))).collect();
            running.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        times.sort_unstable();
        Run { calls: times.len() as u64, median: times.get(times.len() / 2).copied().unwrap_or_default() }
    }

    fn client(&self, socket: &Path, end: Instant) -> Vec<Duration> {
        let (mut times, mut buffer) = (Vec::new(), vec![0; 256 << 10]);
        let mut kept = None;
        while Instant::now() < end {
            let begin = Instant::now();
            let mut stream = kept.take().unwrap_or_else(|| UnixStream::connect(socket).unwrap());
            stream.write_all(&self.request).unwrap();
            read_answer(&mut stream, &mut buffer);
            kept = (!self.anew).then_some(stream);
            times.push(begin.elapsed());
        }
        times
    }
}

/// Reads one answer, and holds it to be a good one.
fn read_answer(stream: &mut UnixStream, buffer: &mut [u8]) {
    let mut read = 0;
    let mut whole = usize::MAX;
    while read < whole {
        let got = stream.read(&mut buffer[read..]).unwrap();
        assert!(got > 0, "the connection ended early: {}", String::from_utf8_lossy(&buffer[..read]));
        read += got;
        if whole == usize::MAX
            && let Some(head) = memchr::memmem::find(&buffer[..read], b"\r\n\r\n")
        {
            let text = std::str::from_utf8(&buffer[..head]).unwrap().to_ascii_lowercase();
            assert!(text.starts_with("http/1.1 20"), "{text}");
            let (_, length) = text.split_once("content-length: ").unwrap();
            let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
            whole = head + 4 + length;
        }
    }
}
