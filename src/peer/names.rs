//! Names of users and groups. The name service may ask the network, so it is asked on a blocking thread, and its answers
//! are kept for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// How long an answer is believed.
const TTL: Duration = Duration::from_secs(60);

/// Most answers that are kept; all are forgotten when there are more.
const MAX_KNOWN: usize = 4096;

/// A user's name and home directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) home: PathBuf,
}

/// Looks names up.
#[derive(Debug, Default)]
pub(super) struct Names {
    users: Known<u32, Option<Account>>,
    groups: Known<u32, Option<String>>,
}

impl Names {
    /// The account of a uid; `None` if it has none, or the name service cannot say.
    pub(super) async fn user(&self, uid: u32) -> Option<Account> {
        if let Some(known) = self.users.get(&uid) {
            return known;
        }
        let found = spawn_blocking(move || User::from_uid(Uid::from_raw(uid))).await.ok()?.ok()?;
        let account = found.map(|user| Account { name: user.name, home: user.dir });
        self.users.put(uid, account.clone());
        account
    }

    /// The name of a gid; `None` as for [`Names::user`].
    pub(super) async fn group(&self, gid: u32) -> Option<String> {
        if let Some(known) = self.groups.get(&gid) {
            return known;
        }
        let found = spawn_blocking(move || Group::from_gid(Gid::from_raw(gid))).await.ok()?.ok()?;
        let name = found.map(|group| group.name);
        self.groups.put(gid, name.clone());
        name
    }
}

#[derive(Debug)]
struct Known<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(since, _)| since.elapsed() < TTL).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, (Instant::now(), value));
    }
}

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn root_has_a_name_and_nobody_has_not() {
        let names = Names::default();
        for _again in 0..2 {
            assert_eq!(names.user(0).await.unwrap().name, "root");
            assert_eq!(names.group(0).await.as_deref(), Some("root"));
            assert_eq!(names.user(3_999_999_999).await, None);
            assert_eq!(names.group(3_999_999_999).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_forgotten_after_a_minute() {
        let known = Known::default();
        known.put(1, "one");
        assert_eq!(known.get(&1), Some("one"));
        tokio::time::advance(TTL).await;
        assert_eq!(known.get(&1), None);
    }
}
