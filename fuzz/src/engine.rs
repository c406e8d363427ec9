//! The Go program at the other end of a pipe.

use std::error::Error;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::inputs::Kind;
use crate::schema::Shape;

/// The Go program, running.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// What Go read, as JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// As the engine has it; a create as engines up to 26.1 do, which read `HostConfig`'s fields beside it too.
    pub flat: String,
    /// As later engines have it, where that is another.
    pub later: Option<String>,
}

impl Engine {
    /// Starts it.
    pub fn start(program: &Path) -> io::Result<Self> {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        Ok(Self {
            child,
            input: BufWriter::with_capacity(1 << 16, input),
            output: BufReader::with_capacity(1 << 16, output),
        })
    }

    /// The structs it decodes into, in the order of their numbers.
    pub fn schema(program: &Path) -> Result<Vec<Shape>, Box<dyn Error>> {
        let output = Command::new(program).arg("schema").output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Reads them all, each of a kind. `None`: the engine refuses it.
    pub fn read<'i>(
        &mut self,
        inputs: impl Iterator<Item = (Kind, &'i [u8])> + Send,
    ) -> io::Result<Vec<Option<Reading>>> {
        let Self { input, output, .. } = self;
        std::thread::scope(|scope| {
            // Beside the reading, lest both sides wait for the other to empty a pipe.
            let written = scope.spawn(|| -> io::Result<usize> {
                let mut count = 0;
                for (kind, bytes) in inputs {
                    let length = u32::try_from(bytes.len() + 1).map_err(io::Error::other)?;
                    input.write_all(&length.to_le_bytes())?;
                    input.write_all(&[kind as u8])?;
                    input.write_all(bytes)?;
                    count += 1;
                }
                // An input without a line of its own: tells the reader below where the batch ends.
                input.write_all(&u32::MAX.to_le_bytes())?;
                input.flush()?;
                Ok(count)
            });
            let mut readings = Vec::new();
            loop {
                let mut line = String::new();
                if output.read_line(&mut line)? == 0 {
                    return Err(io::Error::other("the Go program is gone"));
                }
                match line.trim_end_matches('\n') {
                    "." => break,
                    "!" => readings.push(None),
                    line => {
                        let (flat, later) = match line.split_once('\t') {
                            Some((flat, later)) => (flat, Some(later.to_owned())),
                            None => (line, None),
                        };
                        readings.push(Some(Reading { flat: flat.to_owned(), later }));
                    }
                }
            }
            match written.join() {
                Ok(Ok(count)) if count == readings.len() => Ok(readings),
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) | Err(_) => Err(io::Error::other("the Go program lost count")),
            }
        })
    }

    /// Lets it end.
    pub fn stop(self) -> io::Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        child.wait()?;
        Ok(())
    }
}
