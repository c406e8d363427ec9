//! An admin's word on a call that waits for approval, as a record of its own.

use jiff::Timestamp;

use super::RecordId;
use super::json::Object;
use super::lifecycle::head;
use super::record::unix_peer;
use super::redact::Redactor;
use crate::peer::UnixPeer;

/// Longest text; what was asked for is bounded where it is asked.
const TEXT: usize = 4096;

/// What an admin did, for [`Audit::approval`](super::Audit::approval).
#[derive(Debug, Clone, Copy)]
pub struct ApprovalEvent<'a> {
    /// What came of it.
    pub word: Word<'a>,
    /// The approval's id.
    pub id: &'a str,
    /// The principal that asked.
    pub principal: &'a str,
    /// What was asked for, in words.
    pub summary: &'a str,
    /// Id of the record of the call that asked.
    pub call: &'a str,
    /// The admin, as the kernel knows whoever is on the admin socket, or asked there for the link to the console.
    pub by: &'a UnixPeer,
    /// The way in which it was said.
    pub via: Via,
}

/// An admin's word, or why it does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// The call may pass once before this moment.
    Approve(Timestamp),
    /// It may not.
    Reject,
    /// Nothing is decided, and why.
    Refused(&'a str),
}

/// How an admin speaks to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By the command line.
    CommandLine,
    /// By a page of the console.
    Console,
}

/// Renders the record's content.
pub(super) fn render(event: &ApprovalEvent<'_>, time: Timestamp, host: &str, redactor: &Redactor) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    head(&mut out, RecordId::new(), time, host, "approval");
    let mut object = Object::resume(&mut out);
    match event.word {
        Word::Approve(until) => {
            object.text("event", "approve", TEXT);
            object.text("until", &format!("{until:.9}"), TEXT);
        }
        Word::Reject => object.text("event", "reject", TEXT),
        Word::Refused(why) => {
            object.text("event", "refused", TEXT);
            object.text("why", why, TEXT);
        }
    }
    object.object("approval", |o| {
        o.text("id", event.id, TEXT);
        o.text("principal", event.principal, TEXT);
        o.text("summary", event.summary, TEXT);
        o.text("call", event.call, TEXT);
    });
    let via = match event.via {
        Via::CommandLine => "command-line",
        Via::Console => "console",
    };
    object.text("via", via, TEXT);
    object.object("by", |o| unix_peer(o, event.by, redactor));
    out
}
