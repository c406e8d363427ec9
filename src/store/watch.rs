//! What the watch goes on with after a restart: texts by key, which are its own matter.

use rusqlite::params;

use super::{Store, StoreError};

impl Store {
    /// Everything that the watch saved.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn watched(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.with(|connection| {
            let mut select = connection.prepare_cached("SELECT key, value FROM watch")?;
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .await
    }

    /// Saves what has changed, in one step; `None` takes a key out.
    ///
    /// # Errors
    /// If it cannot be written; then everything is as before.
    pub async fn save_watched(&self, changes: Vec<(String, Option<String>)>) -> Result<(), StoreError> {
        self.with_mut(move |connection| {
            let transaction = connection.transaction()?;
            for (key, value) in &changes {
                match value {
                    Some(value) => transaction
                        .prepare_cached("INSERT OR REPLACE INTO watch (key, value) VALUES (?1, ?2)")?
                        .execute(params![key, value])?,
                    None => transaction.prepare_cached("DELETE FROM watch WHERE key = ?1")?.execute([key])?,
                };
            }
            transaction.commit()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_saved_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let one = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        store.save_watched(vec![one("a", Some("1")), one("b", Some("2"))]).await.unwrap();
        store.save_watched(vec![one("a", Some("3")), one("b", None)]).await.unwrap();
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.watched().await.unwrap(), [("a".to_owned(), "3".to_owned())]);
    }
}
