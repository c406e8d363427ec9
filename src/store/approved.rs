//! What was made by a call that an admin had approved.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{Store, StoreError};

/// A container or an exec that it took an approval to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approved {
    /// The full id of what was made.
    pub made: String,
    /// Id of the approval.
    pub approval: String,
    /// The principal that made it.
    pub principal: String,
    /// The caller that made it: `uid:998`, `certificate:SHA-256`, `tcp`, or `unknown`.
    pub caller: String,
    /// The findings that were approved: check, field and detail, separated by tabs.
    pub findings: Vec<String>,
}

impl Approved {
    /// Reads it from a record of the journal; `None` if the record is of no approved call that made something.
    pub fn from_record(record: &Value) -> Option<Self> {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let is_used = text("/kind") == Some("call")
            && text("/stage") == Some("outcome")
            && text("/approval/state") == Some("used");
        is_used.then_some(())?;
        let findings = record.pointer("/verdict/findings").and_then(Value::as_array)?;
        let approved = findings.iter().filter(|finding| finding.get("reaction").is_some_and(|word| word == "approve"));
        // One that is too long for a record is cut there, and then is none of what is found later.
        let mark = |finding: &Value| {
            let part = |key: &str| finding.get(key).and_then(Value::as_str);
            Some([part("check")?, part("field")?, part("detail")?].join("\t"))
        };
        Some(Self {
            made: text("/outcome/made")?.to_owned(),
            approval: text("/approval/id")?.to_owned(),
            principal: text("/principal/name")?.to_owned(),
            caller: caller(record.get("peer")?)?,
            findings: approved.filter_map(mark).collect(),
        })
    }
}

/// The caller, as a record names it.
fn caller(peer: &Value) -> Option<String> {
    match peer.get("kind")?.as_str()? {
        "unix" => Some(match peer.get("uid").and_then(Value::as_u64) {
            Some(uid) => format!("uid:{uid}"),
            None => "unknown".to_owned(),
        }),
        "tls" => Some(format!("certificate:{}", peer.get("sha256")?.as_str()?)),
        kind => Some(kind.to_owned()),
    }
}

impl Store {
    /// Remembers what an approved call has made.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn remember_approved(&self, approved: Approved) -> Result<(), StoreError> {
        self.with(move |connection| insert(connection, &approved)).await
    }

    /// The approval by which something was made, by its full id; `None` if it took none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn approved(&self, made: &str) -> Result<Option<Approved>, StoreError> {
        let made = made.to_owned();
        self.with(move |connection| {
            let mut select = connection
                .prepare_cached("SELECT made, approval, principal, caller, findings FROM approved WHERE made = ?1")?;
            let read = |row: &rusqlite::Row<'_>| {
                let findings = row.get::<_, String>(4)?.lines().map(ToOwned::to_owned).collect();
                Ok(Approved {
                    made: row.get(0)?,
                    approval: row.get(1)?,
                    principal: row.get(2)?,
                    caller: row.get(3)?,
                    findings,
                })
            };
            select.query_row([made], read).optional()
        })
        .await
    }
}

pub(super) fn insert(connection: &Connection, approved: &Approved) -> rusqlite::Result<()> {
    let Approved { made, approval, principal, caller, findings } = approved;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO approved (made, approval, principal, caller, findings) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![made, approval, principal, caller, findings.join("\n")]).map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn it_is_read_from_a_record_and_remembered() {
        let finding =
            |check: &str, reaction: &str| json!({"check": check, "field": "f", "detail": "d", "reaction": reaction});
        let record = json!({
            "kind": "call", "stage": "outcome", "principal": {"name": "ci"}, "peer": {"kind": "unix", "uid": 998}, "outcome": {"made": "abc"},
            "verdict": {"findings": [finding("privileged", "approve"), finding("image.latest", "warn")]},
            "approval": {"id": "7f3k", "state": "used"},
        });
        let approved = Approved::from_record(&record).unwrap();
        assert_eq!(
            (approved.caller.as_str(), approved.findings.as_slice()),
            ("uid:998", &["privileged\tf\td".to_owned()][..])
        );
        for (pointer, value) in
            [("/stage", "intent"), ("/approval/state", "asked"), ("/kind", "approval"), ("/outcome", "none")]
        {
            let mut other = record.clone();
            *other.pointer_mut(pointer).unwrap() = value.into();
            assert_eq!(Approved::from_record(&other), None, "{pointer}");
        }
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.remember_approved(approved.clone()).await.unwrap();
        assert_eq!(store.approved("abc").await.unwrap(), Some(approved.clone()));
        let other = Approved { made: "x".into(), ..approved.clone() };
        store.rebuild(std::iter::empty(), std::iter::once(other.clone())).unwrap();
        assert_eq!((store.approved("abc").await.unwrap(), store.approved("x").await.unwrap()), (None, Some(other)));
    }
}
