//! What goes over the admin socket.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::{Admin, Approval};

/// How long an approval may be used unless the admin says otherwise.
pub const VALID: Duration = Duration::from_secs(15 * 60);

/// The longest that an admin may say. An approval for longer is a policy: write an exception.
pub const MAX_VALID: Duration = Duration::from_secs(24 * 60 * 60);

/// An approval as it is shown to admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// `pending`, `approved`, `rejected` or `used`.
    pub state: String,
    /// The principal that asked.
    pub principal: String,
    /// User id of the caller.
    pub uid: Option<u32>,
    /// Login name of the caller.
    pub user: Option<String>,
    /// What was asked for, in words. The caller chose some of them: escape them for a terminal.
    pub summary: String,
    /// Id of the record of the call that asked.
    pub record: String,
    /// When it was asked for.
    pub asked: String,
    /// The first moment at which the state no longer holds.
    pub until: String,
    /// Who decided, if somebody has.
    pub by: Option<By>,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// User id.
    pub uid: u32,
    /// Login name.
    pub user: Option<String>,
}

/// The answer to `GET /approvals`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct List {
    pub(super) approvals: Vec<Shown>,
}

/// Where a link to the console is asked for.
pub(super) const LINK: &str = "/link";

/// The answer to `POST /link`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) token: String,
}

/// The answer to whatever did not work.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) message: String,
}

impl From<Approval> for Shown {
    fn from(approval: Approval) -> Self {
        let Approval { id, principal, uid, user, summary, record, asked, state, until, by } = approval;
        let by = by.map(|Admin { uid, user }| By { uid, user });
        let (asked, until) = (asked.to_string(), until.to_string());
        Self { id, state: state.name().to_owned(), principal, uid, user, summary, record, asked, until, by }
    }
}
