//! Names of users and groups. The name service may ask the network, so it is asked on a blocking thread, and its answers
//! are kept for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

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
    users: Known<u32, Account>,
    groups: Known<u32, String>,
}

impl Names {
    /// The account of a uid; `None` if it has none, or the name service cannot say by the deadline.
    pub(super) async fn user(&self, uid: u32, deadline: Instant) -> Option<Account> {
        let ask = move || User::from_uid(Uid::from_raw(uid)).ok().flatten();
        self.users.ask(uid, deadline, move || ask().map(|user| Account { name: user.name, home: user.dir })).await
    }

    /// The name of a gid; `None` as for [`Names::user`].
    pub(super) async fn group(&self, gid: u32, deadline: Instant) -> Option<String> {
        let ask = move || Group::from_gid(Gid::from_raw(gid)).ok().flatten();
        self.groups.ask(gid, deadline, move || ask().map(|group| group.name)).await
    }
}

#[derive(Debug)]
struct Known<K, V>(Mutex<HashMap<K, (Instant, Option<V>)>>);

impl<K: Copy + Eq + Hash, V: Clone + Send + 'static> Known<K, V> {
    /// What is known, or else what `ask` says by the deadline.
    ///
    /// A silent name service is taken for one that knows nothing, and not asked again for a while: each question still
    /// holds a thread, and the next connection would only take another.
    async fn ask(&self, key: K, deadline: Instant, ask: impl FnOnce() -> Option<V> + Send + 'static) -> Option<V> {
        if let Some(known) = self.get(&key) {
            return known;
        }
        if Instant::now() >= deadline {
            return None;
        }
        let found = timeout_at(deadline, spawn_blocking(ask)).await.ok().and_then(Result::ok).flatten();
        self.put(key, found.clone());
        found
    }

    fn get(&self, key: &K) -> Option<Option<V>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(since, _)| since.elapsed() < TTL).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: Option<V>) {
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
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test]
    async fn root_has_a_name_and_nobody_has_not() {
        let names = Names::default();
        for _again in 0..2 {
            assert_eq!(names.user(0, soon()).await.unwrap().name, "root");
            assert_eq!(names.group(0, soon()).await.as_deref(), Some("root"));
            assert_eq!(names.user(3_999_999_999, soon()).await, None);
            assert_eq!(names.group(3_999_999_999, soon()).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_forgotten_after_a_minute() {
        let known = Known::default();
        known.put(1, Some("one"));
        assert_eq!(known.get(&1), Some(Some("one")));
        tokio::time::advance(TTL).await;
        assert_eq!(known.get(&1), None);
    }

    #[tokio::test]
    async fn a_silent_name_service_is_asked_once_and_not_waited_for() {
        let known: Known<u32, &str> = Known::default();
        let (answer, silent) = sync_channel::<()>(0);
        let short = Instant::now() + Duration::from_millis(1);
        let asked = known.ask(1, short, move || silent.recv().ok().map(|()| "late"));
        assert_eq!(asked.await, None);
        assert_eq!(known.ask(1, soon(), || Some("asked again")).await, None);
        drop(answer);
    }

    #[tokio::test]
    async fn nobody_is_asked_after_the_deadline_and_nothing_is_remembered() {
        let known: Known<u32, &str> = Known::default();
        assert_eq!(known.ask(1, Instant::now(), || Some("too late")).await, None);
        assert_eq!(known.ask(1, soon(), || Some("one")).await, Some("one"));
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let known = Known::default();
        for key in 0..=MAX_KNOWN {
            known.put(key, Some(()));
        }
        assert!(known.0.into_inner().unwrap().len() <= MAX_KNOWN);
    }
}
