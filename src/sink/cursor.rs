//! How far a sink has come, over restarts: the last record that is known to have arrived.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A position is a line; more is no file of ours.
const MOST: u64 = 1024;

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Its number; 0 is before the first.
    pub(super) seq: u64,
    /// Its hash, by which it is told from that of another journal in the same place. `None` if it was not seen.
    pub(super) hash: Option<String>,
}

/// The file a cursor is kept in.
#[derive(Debug)]
pub(super) struct Saved {
    directory: PathBuf,
    name: String,
}

impl Saved {
    /// The file of a sink below the state directory.
    pub(super) fn of(sink: &str, state: &Path) -> Self {
        Self { directory: state.join("sinks"), name: format!("{sink}.json") }
    }

    /// Reads it; `None` if the sink is new.
    ///
    /// # Errors
    /// If it cannot be read, or holds no position.
    pub(super) fn load(&self) -> io::Result<Option<Cursor>> {
        let mut text = Vec::new();
        match File::open(self.directory.join(&self.name)) {
            Ok(file) => file.take(MOST).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn save(&self, cursor: &Cursor) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let new = self.directory.join(format!("{}.new", self.name));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(cursor)?)?;
        // Renamed before its bytes are on the disk, a crash would leave an empty file.
        file.sync_all()?;
        std::fs::rename(new, self.directory.join(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written_and_nonsense_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let saved = Saved::of("siem", dir.path());
        assert_eq!(saved.load().unwrap(), None);
        let cursor = Cursor { seq: 812, hash: Some("ab".repeat(32)) };
        saved.save(&cursor).unwrap();
        assert_eq!(saved.load().unwrap(), Some(cursor));
        let next = Cursor { seq: 813, hash: None };
        saved.save(&next).unwrap();
        assert_eq!(saved.load().unwrap(), Some(next));
        std::fs::write(dir.path().join("sinks/siem.json"), "{\"seq\":").unwrap();
        assert!(saved.load().is_err());
    }
}
