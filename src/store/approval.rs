//! Approvals that callers have asked for. Time is an argument; each change of state is one transaction.
//!
//! `pending` ▸ `approved` or `rejected` ▸ `used`. An admin may change his mind until the approval is used or its time is
//! over. What is over counts as absent: the caller asks anew and gets a new id.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Store, StoreError};

/// How long an admin may take to decide, and how long a rejection holds.
const PENDING: SignedDuration = SignedDuration::from_hours(24);

/// How long what is over is kept, so that an admin who is late is told so.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Most approvals that one caller may wait for: each call that differs by a byte asks for one of its own, and nobody reads
/// through thousands.
const MAX_PENDING: i64 = 32;

/// What a caller asks to be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Hash of everything the approval is to stand for.
    pub key: [u8; 32],
    /// The principal.
    pub principal: String,
    /// User id of the caller, if it is known.
    pub uid: Option<u32>,
    /// Login name of the caller.
    pub user: Option<String>,
    /// What is asked for, in words; no secrets.
    pub summary: String,
    /// Id of the record of the call.
    pub record: String,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// User id.
    pub uid: u32,
    /// Login name.
    pub user: Option<String>,
}

/// What a call that needs approval meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was approved; that is used up now.
    Used {
        /// The approval's id.
        id: String,
        /// Who approved it.
        by: Admin,
    },
    /// It waits for an admin.
    Pending {
        /// The approval's id.
        id: String,
    },
    /// It was rejected.
    Rejected {
        /// The approval's id.
        id: String,
        /// Who rejected it.
        by: Admin,
    },
    /// The caller waits for too many already.
    Full,
}

/// How far an approval has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has decided.
    Pending,
    /// The call may pass once.
    Approved,
    /// The call is refused.
    Rejected,
    /// The call has passed.
    Used,
}

/// An approval as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// The principal that asked.
    pub principal: String,
    /// User id of the caller.
    pub uid: Option<u32>,
    /// Login name of the caller.
    pub user: Option<String>,
    /// What was asked for, in words.
    pub summary: String,
    /// Id of the record of the call that asked.
    pub record: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// How far it has come.
    pub state: State,
    /// The first moment at which that state no longer holds.
    pub until: Timestamp,
    /// Who decided, if somebody has.
    pub by: Option<Admin>,
}

/// An admin's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call may pass once before this moment.
    Approve(Timestamp),
    /// It may not.
    Reject,
}

impl Approval {
    /// Whether an admin may still decide.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state != State::Used && self.until > now
    }
}

impl Store {
    /// Uses up the approval of a call if it has one; else finds what it waits for, or asks.
    ///
    /// # Errors
    /// If it cannot be read or written; then nothing is used up.
    pub async fn settle(&self, ask: Ask, now: Timestamp) -> Result<Settled, StoreError> {
        let id = new_id()?;
        self.durably(move |transaction| settle(transaction, &ask, id, now)).await
    }

    /// Keeps an admin's word; `None` if there is nothing to decide (any more).
    ///
    /// # Errors
    /// If it cannot be written; then nothing is decided.
    pub async fn decide(
        &self,
        id: &str,
        decision: Decision,
        by: Admin,
        now: Timestamp,
    ) -> Result<Option<Approval>, StoreError> {
        let id = id.to_owned();
        let (state, until) = match decision {
            Decision::Approve(until) => (State::Approved, until),
            Decision::Reject => (State::Rejected, now + PENDING),
        };
        self.durably(move |transaction| {
            let sql = format!(
                "UPDATE approval SET state = ?2, until = ?3, by_uid = ?4, by_user = ?5
                 WHERE id = ?1 AND state <> 'used' AND until > ?6 RETURNING {COLUMNS}"
            );
            let values = params![id, state.name(), millis(until), by.uid, by.user, millis(now)];
            transaction.query_row(&sql, values, read).optional()
        })
        .await
    }

    /// One approval, in whatever state.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn approval(&self, id: &str) -> Result<Option<Approval>, StoreError> {
        let id = id.to_owned();
        let sql = format!("SELECT {COLUMNS} FROM approval WHERE id = ?1");
        self.with(move |connection| connection.query_row(&sql, [id], read).optional()).await
    }

    /// All approvals that an admin may decide on, oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn open_approvals(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM approval WHERE state <> 'used' AND until > ?1 ORDER BY asked, id");
        self.with(move |connection| connection.prepare(&sql)?.query_map([millis(now)], read)?.collect()).await
    }
}

/// Reads an id as a person may type it: in capitals, or with letters that look like the digits that are meant.
pub fn parse_id(text: &str) -> Option<String> {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    let id: String = text.chars().map(letter).collect();
    (id.len() == ID && id.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(id)
}

fn settle(transaction: &Transaction<'_>, ask: &Ask, id: String, now: Timestamp) -> rusqlite::Result<Settled> {
    let mut using = transaction.prepare_cached(
        "UPDATE approval SET state = 'used', until = ?2 WHERE key = ?1 AND state = 'approved' AND until > ?2
         RETURNING id, by_uid, by_user",
    )?;
    let used = using.query_row(params![ask.key, millis(now)], |row| Ok((row.get(0)?, by(row, 1)?))).optional()?;
    if let Some((id, Some(by))) = used {
        return Ok(Settled::Used { id, by });
    }
    let mut known = transaction.prepare_cached(
        "SELECT id, by_uid, by_user FROM approval WHERE key = ?1 AND state IN ('pending', 'rejected') AND until > ?2",
    )?;
    let known = known.query_row(params![ask.key, millis(now)], |row| Ok((row.get(0)?, by(row, 1)?))).optional()?;
    match known {
        Some((id, Some(by))) => return Ok(Settled::Rejected { id, by }),
        Some((id, None)) => return Ok(Settled::Pending { id }),
        None => {}
    }
    transaction.execute("DELETE FROM approval WHERE until <= ?1", [millis(now - KEPT)])?;
    let waiting: i64 = transaction.query_row(
        "SELECT count(*) FROM approval WHERE principal = ?1 AND uid IS ?2 AND state = 'pending' AND until > ?3",
        params![ask.principal, ask.uid, millis(now)],
        |row| row.get(0),
    )?;
    if waiting >= MAX_PENDING {
        return Ok(Settled::Full);
    }
    let Ask { key, principal, uid, user, summary, record } = ask;
    transaction.execute(
        "INSERT INTO approval (id, key, principal, uid, user, summary, record, asked, state, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9)",
        params![id, key, principal, uid, user, summary, record, millis(now), millis(now + PENDING)],
    )?;
    Ok(Settled::Pending { id })
}

const COLUMNS: &str = "id, principal, uid, user, summary, record, asked, state, until, by_uid, by_user";

fn read(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let state: String = row.get(7)?;
    // Where a value is none of ours, the approval is over.
    let time = |column| Ok::<_, rusqlite::Error>(Timestamp::from_millisecond(row.get(column)?).unwrap_or_default());
    Ok(Approval {
        id: row.get(0)?,
        principal: row.get(1)?,
        uid: row.get(2)?,
        user: row.get(3)?,
        summary: row.get(4)?,
        record: row.get(5)?,
        asked: time(6)?,
        state: State::parse(&state).unwrap_or(State::Used),
        until: time(8)?,
        by: by(row, 9)?,
    })
}

fn by(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Admin>> {
    let uid: Option<u32> = row.get(column)?;
    let user = row.get(column + 1)?;
    Ok(uid.map(|uid| Admin { uid, user }))
}

fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// Letters and digits that are not mistaken for each other (Crockford's base 32).
const ALPHABET: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";

/// Letters of an id.
const ID: usize = 10;

/// Makes an id of 50 random bits. An id gives nobody anything; it only must not be guessed by whoever would have an admin
/// approve another call than the one that was talked about.
fn new_id() -> Result<String, StoreError> {
    let mut random = [0; ID];
    getrandom::fill(&mut random).map_err(StoreError::Random)?;
    Ok(random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|&letter| char::from(letter))
        .collect())
}

// === impl State ===

impl State {
    /// The name in the table, in answers and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Used => "used",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Rejected, Self::Used].into_iter().find(|state| state.name() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap()
    }

    fn ask(key: u8) -> Ask {
        let (principal, user, record) = ("ci".to_owned(), Some("ann".to_owned()), "r".to_owned());
        Ask { key: [key; 32], principal, uid: Some(1000), user, summary: "privileged".into(), record }
    }

    fn root() -> Admin {
        Admin { uid: 0, user: Some("root".into()) }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        (directory, store)
    }

    async fn pending(store: &Store, key: u8, minute: i64) -> String {
        let settled = store.settle(ask(key), at(minute)).await.unwrap();
        let Settled::Pending { id } = settled else { panic!("{settled:?}") };
        id
    }

    async fn approve(store: &Store, id: &str, minute: i64) -> bool {
        let until = at(minute) + 15 * MINUTE;
        store.decide(id, Decision::Approve(until), root(), at(minute)).await.unwrap().is_some()
    }

    async fn is_used(store: &Store, key: u8, minute: i64) -> bool {
        matches!(store.settle(ask(key), at(minute)).await.unwrap(), Settled::Used { .. })
    }

    #[tokio::test]
    async fn an_approved_call_passes_once() {
        let (_directory, store) = store();
        let id = pending(&store, 1, 0).await;
        assert_eq!(pending(&store, 1, 1).await, id, "the same call is asked for once");
        assert_ne!(pending(&store, 2, 1).await, id);
        assert!(approve(&store, &id, 2).await);
        assert!(!is_used(&store, 2, 3).await, "another call");
        let used = store.settle(ask(1), at(3)).await.unwrap();
        assert_eq!(used, Settled::Used { id: id.clone(), by: root() });
        assert_ne!(pending(&store, 1, 4).await, id, "asked for anew");
        assert!(!approve(&store, &id, 5).await, "used is used");
        assert_eq!(store.approval(&id).await.unwrap().unwrap().state, State::Used);
    }

    #[tokio::test]
    async fn of_calls_at_the_same_time_one_passes() {
        let (_directory, store) = store();
        let id = pending(&store, 1, 0).await;
        assert!(approve(&store, &id, 0).await);
        let calls: Vec<_> = (0..8)
            .map(|_call| {
                let store = store.clone();
                tokio::spawn(async move { is_used(&store, 1, 1).await })
            })
            .collect();
        let mut passed = 0;
        for call in calls {
            passed += usize::from(call.await.unwrap());
        }
        assert_eq!(passed, 1);
    }

    #[tokio::test]
    async fn time_ends_every_state() {
        let (_directory, store) = store();
        let id = pending(&store, 1, 0).await;
        let day = 24 * 60;
        assert!(!approve(&store, &id, day).await, "nobody decided in time");
        let id = pending(&store, 1, day).await;
        assert!(approve(&store, &id, day).await);
        assert_eq!(store.open_approvals(at(day + 14)).await.unwrap().len(), 1);
        assert_eq!(store.open_approvals(at(day + 15)).await.unwrap(), []);
        assert!(!is_used(&store, 1, day + 15).await, "approved, and not used in time");
        let id = pending(&store, 1, day + 15).await;
        store.decide(&id, Decision::Reject, root(), at(day + 15)).await.unwrap().unwrap();
        let rejected = store.settle(ask(1), at(2 * day)).await.unwrap();
        assert_eq!(rejected, Settled::Rejected { id: id.clone(), by: root() });
        assert_ne!(pending(&store, 1, 2 * day + 15).await, id, "a rejection is not for ever");
        assert_eq!(store.approval(&id).await.unwrap().map(|approval| approval.state), Some(State::Rejected));
        pending(&store, 2, 3 * day + 15).await;
        assert_eq!(store.approval(&id).await.unwrap(), None, "what is long over is forgotten");
    }

    #[tokio::test]
    async fn an_admin_may_change_his_mind_until_it_is_used() {
        let (_directory, store) = store();
        let id = pending(&store, 1, 0).await;
        store.decide(&id, Decision::Reject, root(), at(0)).await.unwrap().unwrap();
        assert!(approve(&store, &id, 1).await);
        store.decide(&id, Decision::Reject, root(), at(2)).await.unwrap().unwrap();
        assert!(!is_used(&store, 1, 3).await);
        assert!(approve(&store, &id, 4).await);
        assert!(is_used(&store, 1, 5).await);
        assert_eq!(store.decide(&id, Decision::Reject, root(), at(6)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_caller_waits_for_so_many_and_no_more() {
        let (_directory, store) = store();
        for key in 0..32 {
            pending(&store, key, 0).await;
        }
        assert_eq!(store.settle(ask(99), at(1)).await.unwrap(), Settled::Full);
        pending(&store, 7, 1).await;
        let other = Ask { uid: Some(1001), ..ask(99) };
        assert!(matches!(store.settle(other, at(1)).await.unwrap(), Settled::Pending { .. }), "others are not held up");
    }

    #[tokio::test]
    async fn approvals_outlive_a_restart() {
        let (directory, store) = store();
        let id = pending(&store, 1, 0).await;
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert!(approve(&store, &id, 1).await);
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert!(is_used(&store, 1, 2).await);
    }

    #[test]
    fn ids_are_short_to_type_and_differ() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| new_id().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(parse_id(&id), Some(id.clone()));
            assert_eq!(parse_id(&id.to_uppercase()), Some(id));
        }
        assert_eq!(parse_id("OIL0000000").as_deref(), Some("0110000000"));
        for wrong in ["", "123456789", "12345678901", "../../../x", "u234567890", "é23456789"] {
            assert_eq!(parse_id(wrong), None, "{wrong}");
        }
    }
}
