//! Approvals: what came of a call that an admin must let pass, and what the admin's word covers.

use super::{Action, Finding, Reaction, Verdict};
use crate::request::Operation;

/// What came of a call that needs an admin's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// An admin approved exactly this call, and it uses that up.
    Used {
        /// The approval's id.
        id: String,
        /// Who approved it.
        by: Approver,
    },
    /// An admin is asked.
    Asked {
        /// The id to approve it by.
        id: String,
    },
    /// An admin rejected exactly this call.
    Rejected {
        /// The approval's id.
        id: String,
        /// Who rejected it.
        by: Approver,
    },
    /// Nobody can be asked, and why.
    Withheld(&'static str),
}

/// An admin, as the kernel knows whoever is on the admin socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approver {
    /// User id.
    pub uid: u32,
    /// Login name of `uid`, where the host knows one.
    pub user: Option<String>,
}

/// Calls that run what was approved as it was approved. None that puts another program into it, or changes it.
const RUNS: [Operation; 6] = [
    Operation::ContainerStart,
    Operation::ContainerRestart,
    Operation::ContainerUnpause,
    Operation::ContainerAttach,
    Operation::ContainerAttachWebsocket,
    Operation::ExecStart,
];

/// What an admin approved when a container or an exec was made.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// The approval's id.
    pub id: &'a str,
    /// The principal that made it.
    pub principal: &'a str,
    /// [`Finding::mark`] of each finding that was approved.
    pub marks: &'a [String],
}

impl Verdict {
    /// The verdict on a call that runs what an approved call has made: what was approved then needs no approval again. To
    /// approve a container is to let it run, and neither `docker run` nor `docker exec`, which make first and start then,
    /// could ever pass else. Whatever another principal does with it, or differs by then, is asked for anew.
    pub fn with_earlier(mut self, operation: Operation, earlier: Earlier<'_>) -> Self {
        if !self.needs_approval() || self.principal != earlier.principal || !RUNS.contains(&operation) {
            return self;
        }
        for finding in &mut self.findings {
            // A site's rule does not say where it looked.
            let is_of_made = finding.field_of_stored().is_some() || finding.check.builtin().is_none();
            if finding.reaction == Reaction::Approve && is_of_made && earlier.marks.contains(&finding.mark()) {
                finding.reaction = Reaction::Allow;
                finding.exception = Some(format!("approved when it was made ({})", earlier.id));
            }
        }
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.reaction));
        if self.worst() < Some(Reaction::Approve) {
            self.action = Action::Allow;
        }
        self
    }

    /// Whether only an admin's approval is missing: nothing denies the call, and something asks for approval.
    pub fn needs_approval(&self) -> bool {
        self.action == Action::Deny && self.worst() == Some(Reaction::Approve)
    }

    /// The verdict once it is known what came of the approval. Only one that is used lets the call pass, and only a call
    /// that needs nothing else.
    pub fn with_approval(mut self, approval: Approval) -> Self {
        if self.needs_approval() {
            if let Approval::Used { .. } = approval {
                self.action = Action::Allow;
            }
            self.approval = Some(approval);
        }
        self
    }

    /// The findings that the approval is about.
    pub fn to_approve(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.reaction == Reaction::Approve)
    }
}

impl Approval {
    /// The name in records.
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Used { .. } => "used",
            Self::Asked { .. } => "asked",
            Self::Rejected { .. } => "rejected",
            Self::Withheld(_) => "withheld",
        }
    }

    /// The approval's id, where there is one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Used { id, .. } | Self::Asked { id } | Self::Rejected { id, .. } => Some(id),
            Self::Withheld(_) => None,
        }
    }

    /// The admin who decided, if one has.
    pub const fn by(&self) -> Option<&Approver> {
        match self {
            Self::Used { by, .. } | Self::Rejected { by, .. } => Some(by),
            Self::Asked { .. } | Self::Withheld(_) => None,
        }
    }
}

impl std::fmt::Display for Approver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user}"),
            None => write!(f, "uid {}", self.uid),
        }
    }
}
