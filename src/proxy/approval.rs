//! A call that needs an admin's approval: uses one up, or asks for one.

use jiff::Timestamp;
use oci_spec::distribution::Reference;
use sha2::{Digest, Sha256};

use super::connection::Client;
use super::gate::Gate;
use super::pipeline::Seen;
use super::taken::Taken;
use crate::peer::Peer;
use crate::policy::{Approval, Approver, Earlier, Finding, Known, Verdict};
use crate::request::decode::{Document, Kind, Limits, Value};
use crate::request::{Body, Call, Target};
use crate::store::{Admin, Approved, Ask, Settled};

/// Most of the findings that are told at length, in characters: an admin reads it on a terminal.
const MAX_TOLD: usize = 1000;

/// What a caller reads whose call cannot be bound to an approval.
const UNBOUND: &str = "it cannot be approved, since its body is not read";
/// What it reads whose image may become any image until the call comes again.
const NO_IMAGE: &str = "it can be approved once the engine holds the image: pull it first";
/// What it reads when others of its calls must be decided on first.
const FULL: &str = "too many of its calls wait for approval already";
/// What it reads when the state directory fails.
const BROKEN: &str = "approvals cannot be kept at the moment";

/// Uses up the approval of a call, or asks for one. Nothing is looked up for a call that needs none.
///
/// What is used up stays so, whatever becomes of the call after this: that a record cannot be written or the engine cannot
/// be reached is no reason to let it pass twice.
pub(super) async fn settle(
    gate: &Gate,
    client: &Client,
    (call, body): (&Call<'_>, &Taken),
    known: &Known,
    verdict: Verdict,
    seen: Seen,
) -> Verdict {
    // Without the engine it is not known what would be approved, and nothing can be forwarded.
    if !verdict.needs_approval() || known.unreachable.is_some() || body.is_broken() {
        return verdict;
    }
    let (uid, user) = match &client.peer {
        Peer::Unix(peer) => (peer.uid, peer.user.clone()),
        Peer::Tcp(_) => (None, None),
        Peer::Tls(peer) => (None, Some(peer.certificate.subject.clone())),
    };
    let verdict = approved_before(gate, call, known, &client.peer, verdict).await;
    if !verdict.needs_approval() {
        return verdict;
    }
    let Some(body) = body.bound() else { return verdict.with_approval(Approval::Withheld(UNBOUND)) };
    if matches!(call.body, Body::ContainerCreate(_)) && known.image.is_none() {
        return verdict.with_approval(Approval::Withheld(NO_IMAGE));
    }
    let ask = Ask {
        key: key(call, body, known, &verdict, &client.peer),
        principal: verdict.principal.clone(),
        uid,
        user,
        summary: summary(call, known, &verdict),
        record: seen.id.to_string(),
    };
    // Not when the call arrived: its body may have taken a minute.
    let approval = match gate.store.settle(ask, Timestamp::now()).await {
        Ok(Settled::Used { id, by }) => Approval::Used { id, by: approver(by) },
        Ok(Settled::Pending { id }) => Approval::Asked { id },
        Ok(Settled::Rejected { id, by }) => Approval::Rejected { id, by: approver(by) },
        Ok(Settled::Full) => Approval::Withheld(FULL),
        Err(error) => {
            tracing::error!(%error, id = %seen.id, "an approval cannot be looked up");
            Approval::Withheld(BROKEN)
        }
    };
    verdict.with_approval(approval)
}

/// Takes out what was approved when the container or exec that the call makes use of was made.
async fn approved_before(gate: &Gate, call: &Call<'_>, known: &Known, peer: &Peer, verdict: Verdict) -> Verdict {
    let made = match call.target() {
        Some(Target::Exec(id)) => Some(id),
        Some(Target::Container(_)) => known.container.as_ref().map(|stored| stored.id.as_str()),
        None => None,
    };
    let Some(made) = made else { return verdict };
    match gate.store.approved(made).await {
        Ok(Some(made)) if made.caller == peer.caller() => {
            let earlier = Earlier { id: &made.approval, principal: &made.principal, marks: &made.findings };
            verdict.with_earlier(call.asked.operation, earlier)
        }
        // The same principal may be many users: a shell that was approved for one is not another's to attach to.
        Ok(Some(_) | None) => verdict,
        Err(error) => {
            tracing::error!(%error, made, "cannot look up what was approved; it is asked for again");
            verdict
        }
    }
}

/// What is to be remembered of what a call makes, if the call took an approval.
pub(super) fn to_remember(client: &Client, verdict: &Verdict) -> Option<Approved> {
    let Some(Approval::Used { id, .. }) = &verdict.approval else { return None };
    Some(Approved {
        made: String::new(),
        approval: id.clone(),
        principal: verdict.principal.clone(),
        caller: client.peer.caller(),
        findings: verdict.to_approve().map(Finding::mark).collect(),
    })
}

fn approver(Admin { uid, user }: Admin) -> Approver {
    Approver { uid, user }
}

type Hash = [u8; 32];

/// Everything that an approval stands for: who, what the engine would get, what that names there now, and what was found.
/// If any of it differs when the call comes again, an admin has not seen it.
fn key(call: &Call<'_>, body: &[u8], known: &Known, verdict: &Verdict, peer: &Peer) -> Hash {
    let asked = match &known.container {
        Some(stored) => &call.asked.on_container(&stored.id),
        None => call.asked,
    };
    let mut parts = Parts(Sha256::new_with_prefix("tidewaiter approval 1"));
    parts.add(&verdict.principal);
    parts.add(peer.caller());
    parts.add(asked.method.as_str());
    parts.add(asked.operation.name());
    if verdict.rewrites() {
        parts.add(asked.canonical_target());
        parts.add(body_hash(call.canonical_body().as_deref().unwrap_or(body)));
    } else {
        parts.add(&asked.target);
        parts.add(body);
    }
    parts.add(known.container.as_ref().map_or("", |stored| &stored.id));
    // A tag may have been moved and a name given to another container since.
    parts.add(known.image.as_ref().map_or("", |image| &image.id));
    parts.count(known.joined.len());
    for joined in &known.joined {
        parts.add(&joined.name);
        parts.add(&joined.stored.id);
    }
    parts.count(verdict.to_approve().count());
    for finding in verdict.to_approve() {
        parts.add(finding.mark());
    }
    parts.0.finalize().into()
}

/// A hash of parts, each with its length, so that no two lists of parts look alike.
#[derive(Debug)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        self.count(part.as_ref().len());
        self.0.update(part);
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }
}

/// A hash of a body's values: the order of keys and white space do not count. What is no JSON is hashed as it is.
fn body_hash(body: &[u8]) -> Hash {
    match Document::read(body, Limits::default()) {
        Ok(document) if document.rest().is_empty() => value_hash(document.root()),
        Ok(_) | Err(_) => Sha256::digest(body).into(),
    }
}

fn value_hash(value: Value<'_, '_>) -> Hash {
    let mut parts = Parts(Sha256::new());
    match value.kind() {
        Kind::Object => {
            let mut members: Vec<_> = value.members().map(|(key, value)| (key, value_hash(value))).collect();
            // Stable: of a key that is there twice the order counts.
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            parts.add("object");
            for (key, value) in members {
                parts.add(key.as_bytes());
                parts.add(value);
            }
        }
        Kind::Array => {
            parts.add("array");
            value.elements().for_each(|element| parts.add(value_hash(element)));
        }
        Kind::String => {
            parts.add("string");
            parts.add(value.text().as_deref().map_or(value.raw(), str::as_bytes));
        }
        Kind::Null | Kind::Bool | Kind::Number => parts.add(value.raw()),
    }
    parts.0.finalize().into()
}

/// What an admin is to decide on, in words.
fn summary(call: &Call<'_>, known: &Known, verdict: &Verdict) -> String {
    let image = match (&call.body, &known.container) {
        (Body::ContainerCreate(create), _) => create.image.as_deref(),
        (_, Some(stored)) => Some(stored.reference.as_str()),
        (_, None) => None,
    };
    let name = known.container.as_ref().map(|stored| stored.name.as_str()).or(call.asked.query.first("name"));
    // What is no name or reference may be anything, words that an admin would take for ours too.
    let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    let image = image.filter(|image| image.parse::<Reference>().is_ok());
    let mut text = call.asked.operation.name().to_owned();
    for part in [name.filter(plain), image].into_iter().flatten() {
        text.push(' ');
        text.push_str(part);
    }
    // The worst first, and where they are too many to be told at length every check by its name: none may hide another.
    let mut findings: Vec<_> = verdict.to_approve().collect();
    findings.sort_by(|one, other| {
        let (one, other) = (&one.check, &other.check);
        other.risk().cmp(&one.risk()).then_with(|| one.id().cmp(other.id()))
    });
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let told = told.join("; ");
    if told.len() <= MAX_TOLD {
        return format!("{text}: {told}");
    }
    let mut checks: Vec<&str> = findings.iter().map(|finding| finding.check.id()).collect();
    checks.dedup();
    let told: String = told.chars().take(MAX_TOLD).collect();
    format!("{text}: {}: {told}…", checks.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Action, Check, Mode, Reaction};
    use crate::request::{Asked, Irregular, Irregularity};

    fn verdict(findings: impl Iterator<Item = Check>) -> Verdict {
        let finding = |check: Check| Finding {
            check: check.into(),
            field: "HostConfig.PortBindings".into(),
            detail: "x".repeat(150),
            reaction: Reaction::Approve,
            exception: None,
        };
        Verdict {
            action: Action::Deny,
            mode: Mode::Enforce,
            principal: "ci".into(),
            admin: false,
            profile: "ci".into(),
            own_only: false,
            findings: findings.map(finding).collect(),
            approval: None,
            policy_sha256: "00".into(),
            policy_generation: 1,
        }
    }

    #[test]
    fn many_small_findings_hide_no_large_one_from_an_admin() {
        let why = Irregularity { kind: Irregular::Malformed, field: "head".into(), detail: String::new() };
        let asked = Asked::unreadable(why);
        let many = std::iter::repeat_n([Check::NetworkPublish, Check::ImageLatest], 30).flatten();
        let text = summary(&Call::unread(&asked), Known::NOTHING, &verdict(many.chain([Check::Privileged])));
        assert!(text.starts_with("Unknown: privileged, image.latest, network.publish: privileged: xxx"), "{text}");
        assert!(text.len() < MAX_TOLD + 100, "{text}");
        let one = summary(&Call::unread(&asked), Known::NOTHING, &verdict([Check::Privileged].into_iter()));
        assert!(one.starts_with("Unknown: privileged: xxx"), "{one}");
    }

    #[test]
    fn a_body_is_its_values() {
        let body = r#"{"Image":"x","HostConfig":{"Binds":["a","b"],"Memory":1},"Labels":{"k":"\u0061"}}"#;
        for same in [
            r#"{"HostConfig":{"Memory":1,"Binds":["a","b"]},"Image":"x","Labels":{"k":"a"}}"#,
            "{ \"Image\" : \"x\",\n\t\"HostConfig\":{\"Binds\":[\"a\",\"b\"] ,\"Memory\":1},\"Labels\":{\"\\u006b\":\"a\"}} ",
        ] {
            assert_eq!(body_hash(body.as_bytes()), body_hash(same.as_bytes()), "{same}");
        }
        for other in [
            r#"{"Image":"x","HostConfig":{"Binds":["b","a"],"Memory":1},"Labels":{"k":"a"}}"#,
            r#"{"Image":"x","HostConfig":{"Binds":["a","b"],"Memory":"1"},"Labels":{"k":"a"}}"#,
            r#"{"Image":"x","HostConfig":{"Binds":["a","b"],"Memory":1},"Labels":{"k":"A"}}"#,
            r#"{"Image":"x","HostConfig":{"Binds":["a"],"Memory":1},"Labels":{"k":"a"}}"#,
            r#"{"Image":"x","HostConfig":{"Binds":["ab"],"Memory":1},"Labels":{"k":"a"}}"#,
            r#"{"Image":"x","Memory":1,"HostConfig":{"Binds":["a","b"]},"Labels":{"k":"a"}}"#,
            r#"{"Image":"x","HostConfig":{"Binds":["a","b"],"Memory":1},"Labels":null}"#,
        ] {
            assert_ne!(body_hash(body.as_bytes()), body_hash(other.as_bytes()), "{other}");
        }
        assert_ne!(body_hash(b"no JSON"), body_hash(b"no  JSON"));
        assert_ne!(body_hash(b""), body_hash(b"null"));
    }
}
