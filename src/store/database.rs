//! The database: one table of launches.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Launch;

/// Name of the file in the state directory.
const FILE: &str = "launches.sqlite";

/// Version of the tables; a file of another version is not touched.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE launch (
        container TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        record    TEXT NOT NULL,
        time      TEXT NOT NULL,
        image     TEXT NOT NULL,
        image_id  TEXT
    ) STRICT, WITHOUT ROWID;
";

/// The index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error(
        "cannot use {FILE} in the state directory: {0}; if it is damaged, remove it: it is rebuilt from the journal"
    )]
    Database(#[from] rusqlite::Error),
    /// The state directory cannot be made.
    #[error("cannot make the state directory: {0}")]
    Directory(std::io::Error),
    /// It was written by another version of this program.
    #[error(
        "{FILE} in the state directory is of version {0}, and this program writes {VERSION}; remove it: it is rebuilt"
    )]
    Version(i64),
    /// The runtime is going down.
    #[error("the gate is stopping")]
    Stopping,
}

/// Who made what.
#[derive(Debug, Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    is_new: bool,
}

impl Store {
    /// Opens the index in a state directory, and makes one if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or written, or is of another version.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(StoreError::Directory)?;
        let connection = Connection::open(directory.join(FILE))?;
        // What a crash of the machine takes from here is still in the journal.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            0 => {
                let made = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;");
                connection.execute_batch(&made)?;
            }
            VERSION => {}
            other => return Err(StoreError::Version(other)),
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)), is_new: version == 0 })
    }

    /// Whether the file was not there before: then only the journal knows what was made.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Remembers a launch; when this returns, a killed gate knows it too.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn remember(&self, launch: Launch) -> Result<(), StoreError> {
        self.with(move |connection| insert(connection, &launch)).await
    }

    /// The launch of a container, by its full id.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub async fn launch(&self, container: &str) -> Result<Option<Launch>, StoreError> {
        let container = container.to_owned();
        self.with(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT container, principal, record, time, image, image_id FROM launch WHERE container = ?1",
            )?;
            select.query_row([container], read).optional()
        })
        .await
    }

    /// Replaces everything by what a journal says, in one step; returns how many launches that are.
    ///
    /// # Errors
    /// If it cannot be written; then everything is as before.
    pub fn rebuild(&self, launches: impl Iterator<Item = Launch>) -> Result<u64, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM launch", [])?;
        let mut count = 0;
        for launch in launches {
            insert(&transaction, &launch)?;
            count += 1;
        }
        transaction.commit()?;
        Ok(count)
    }

    /// Runs a statement beside the calls: a disk may be slow.
    async fn with<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        let ran = tokio::task::spawn_blocking(move || run(&connection.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(ran.await.map_err(|_cancelled| StoreError::Stopping)??)
    }
}

fn insert(connection: &Connection, launch: &Launch) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO launch (container, principal, record, time, image, image_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let Launch { container, principal, record, time, image, image_id } = launch;
    insert.execute(params![container, principal, record, time, image, image_id]).map(drop)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Launch> {
    Ok(Launch {
        container: row.get(0)?,
        principal: row.get(1)?,
        record: row.get(2)?,
        time: row.get(3)?,
        image: row.get(4)?,
        image_id: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(container: &str, principal: &str) -> Launch {
        Launch { container: container.into(), principal: principal.into(), ..Launch::default() }
    }

    #[tokio::test]
    async fn what_was_made_is_remembered_and_can_be_rebuilt() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert!(store.is_new());
        store.remember(launch("a", "ann")).await.unwrap();
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert!(!store.is_new());
        assert_eq!(store.launch("a").await.unwrap(), Some(launch("a", "ann")));
        assert_eq!(store.launch("b").await.unwrap(), None);
        let rebuilt = [launch("b", "bob"), launch("b", "eve"), launch("c", "ann")];
        assert_eq!(store.rebuild(rebuilt.into_iter()).unwrap(), 3);
        assert_eq!(store.launch("a").await.unwrap(), None);
        assert_eq!(store.launch("b").await.unwrap().unwrap().principal, "eve");
    }

    #[test]
    fn a_file_of_another_version_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join(FILE)).unwrap();
        connection.execute_batch("PRAGMA user_version = 7").unwrap();
        assert!(matches!(Store::open(directory.path()), Err(StoreError::Version(7))));
    }
}
