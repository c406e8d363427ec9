//! The database: a table of launches, and one of approvals.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{Approved, Launch, approved};

/// Name of the file in the state directory.
const FILE: &str = "launches.sqlite";

/// What leads from each version of the tables to the next. A file of a version beyond is not touched.
const STEPS: [&str; 3] = [LAUNCHES, APPROVALS, WATCH];

const LAUNCHES: &str = "
    CREATE TABLE launch (
        container TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        record    TEXT NOT NULL,
        time      TEXT NOT NULL,
        image     TEXT NOT NULL,
        image_id  TEXT
    ) STRICT, WITHOUT ROWID;
";

/// Times are milliseconds since 1970.
const APPROVALS: &str = "
    CREATE TABLE approval (
        id        TEXT PRIMARY KEY,
        key       BLOB NOT NULL,
        principal TEXT NOT NULL,
        uid       INTEGER,
        user      TEXT,
        summary   TEXT NOT NULL,
        record    TEXT NOT NULL,
        asked     INTEGER NOT NULL,
        state     TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'used')),
        until     INTEGER NOT NULL,
        by_uid    INTEGER,
        by_user   TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX approval_key ON approval (key);
    CREATE TABLE approved (
        made      TEXT PRIMARY KEY,
        approval  TEXT NOT NULL,
        principal TEXT NOT NULL,
        caller    TEXT NOT NULL,
        findings  TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

const WATCH: &str = "
    CREATE TABLE watch (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
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
        "{FILE} in the state directory is of version {0}, and this program writes {now}; remove it: it is rebuilt",
        now = STEPS.len()
    )]
    Version(i64),
    /// The kernel gives no random bytes for an id.
    #[error("cannot make an id: {0}")]
    Random(getrandom::Error),
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
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let steps = usize::try_from(version).ok().and_then(|version| STEPS.get(version..));
        for (step, next) in steps.ok_or(StoreError::Version(version))?.iter().zip(version + 1..) {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {next}; COMMIT;"))?;
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

    /// Replaces who made what by what a journal says, in one step; returns how many launches that are. What waits for approval
    /// stays.
    ///
    /// # Errors
    /// If it cannot be written; then everything is as before.
    pub fn rebuild(
        &self,
        launches: impl Iterator<Item = Launch>,
        approved: impl Iterator<Item = Approved>,
    ) -> Result<u64, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        transaction.execute_batch("DELETE FROM launch; DELETE FROM approved")?;
        let mut count = 0;
        for launch in launches {
            insert(&transaction, &launch)?;
            count += 1;
        }
        for approved in approved {
            approved::insert(&transaction, &approved)?;
        }
        transaction.commit()?;
        Ok(count)
    }

    /// Runs a transaction that a crash of the machine does not undo: what is used up must not come back.
    pub(super) async fn durably<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_mut(move |connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let ran = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
                let done = run(&transaction)?;
                transaction.commit()?;
                Ok(done)
            });
            if let Err(error) = connection.pragma_update(None, "synchronous", "NORMAL") {
                tracing::warn!(%error, "writes to the state directory stay slow");
            }
            ran
        })
        .await
    }

    /// Runs a statement beside the calls: a disk may be slow.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_mut(|connection| run(connection)).await
    }

    pub(super) async fn with_mut<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        let ran =
            tokio::task::spawn_blocking(move || run(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)));
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
        assert_eq!(store.rebuild(rebuilt.into_iter(), std::iter::empty()).unwrap(), 3);
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

    #[tokio::test]
    async fn a_file_of_the_version_before_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join(FILE)).unwrap();
        connection.execute_batch(&format!("{LAUNCHES} PRAGMA user_version = 1")).unwrap();
        connection.execute("INSERT INTO launch VALUES ('a', 'ann', 'r', 't', 'i', NULL)", []).unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert!(!store.is_new());
        assert_eq!(store.launch("a").await.unwrap().unwrap().principal, "ann");
        assert_eq!(store.open_approvals(jiff::Timestamp::UNIX_EPOCH).await.unwrap(), []);
    }
}
