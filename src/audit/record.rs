//! The lines of a call: rendered where the call is served, from what came in, with every text bounded and every secret tagged.

use super::json::{Array, Object, display};
use super::redact::{Argv, Redacted, Redactor};
use super::{CallFacts, Ended, Level, Outcome, known, lifecycle};
use crate::peer::{Certificate, Peer, UnixPeer};
use crate::policy::{Action, Approval, Check, HeldImage, Verdict};
use crate::request::{Body, ContainerSpec, HostConfig, Text, stored_container};

/// Longest target, path, reference or detail.
const TEXT: usize = 4096;
/// Longest name: of a user, a door, a field, an operation.
const NAME: usize = 256;
/// Elements of one list; the number left out is said.
const ELEMENTS: usize = 64;
/// Longest element of a list.
const ELEMENT: usize = 512;
/// Longest redacted body; what is larger is named by its size and hash only.
const BODY: usize = 1 << 20;

/// What all lines of one call share, rendered once.
#[derive(Debug)]
pub(super) struct Common {
    /// Members from `id` to `kind`.
    head: Vec<u8>,
    /// Members from `policy` to `request`.
    middle: Vec<u8>,
    /// The container the call names.
    container: Container,
    /// Members from `image` to `approval`.
    tail: Vec<u8>,
    /// The redacted body and what was looked up, which stand in the first line of the call only.
    body: Vec<u8>,
    /// Whether what the engine makes is a container.
    makes_container: bool,
}

/// A container as a call names it.
#[derive(Debug, Default)]
struct Container {
    /// The full id.
    id: Option<String>,
    /// A name, or whatever else the engine takes for one.
    name: Option<String>,
}

impl Common {
    /// Renders what is known before the call is forwarded.
    pub(super) fn render(facts: &CallFacts<'_>, level: Level, host: &str, redactor: &Redactor) -> Self {
        let asked = facts.call.asked;
        let mut head = Vec::with_capacity(160);
        lifecycle::head(&mut head, facts.id, facts.time, host, "call");
        let (mut body, clear) = redacted_body(facts, level, redactor);
        // A read that is judged by what a container may do says no more of it than its record has without.
        if level >= Level::Request || !asked.operation.has_effect() {
            known::write(&mut body, facts.known, facts.protected, redactor);
        }
        let mut middle = Vec::with_capacity(1024);
        let mut object = Object::resume(&mut middle);
        policy(&mut object, facts.verdict);
        object.text("door", facts.door, NAME);
        object.object("peer", |o| peer(o, facts.peer, redactor));
        principal(&mut object, facts.verdict);
        object.object("request", |o| request(o, facts, clear, redactor));
        let mut tail = Vec::with_capacity(512);
        let mut object = Object::resume(&mut tail);
        image(&mut object, facts, redactor);
        runtime(&mut object, facts, redactor);
        verdict(&mut object, facts.verdict);
        approval(&mut object, facts.verdict);
        Self {
            head,
            middle,
            container: Container::of(facts),
            tail,
            body,
            makes_container: asked.operation.name() == "ContainerCreate",
        }
    }

    /// The line that says what is about to be done.
    pub(super) fn intent(&self) -> Vec<u8> {
        self.line("intent", None, 0)
    }

    /// The line that says what came of it.
    pub(super) fn outcome(&self, ended: Ended, outcome: &Outcome) -> Vec<u8> {
        let made = outcome.made.as_deref();
        let mut out = self.line("outcome", made.filter(|_| self.makes_container), 256);
        Object::resume(&mut out).object("outcome", |o| {
            if let Some(status) = outcome.status {
                o.display("status", status);
            }
            o.display("bytes_in", outcome.bytes_in);
            o.display("bytes_out", outcome.bytes_out);
            o.display("duration_us", outcome.duration.as_micros());
            if let Some(gate) = outcome.gate {
                o.display("gate_us", gate.as_micros());
            }
            o.text("ended", ended.name(), NAME);
            if let Some(revoked) = &outcome.revoked {
                o.text("revoked", revoked, TEXT);
            }
            if let Some(made) = made {
                o.text("made", made, NAME);
            }
            if let Some(image) = &outcome.image {
                o.object("image", |o| held_image(o, image));
            }
        });
        out
    }

    /// Drops the body, once it stands in the intent.
    pub(super) fn forget_body(&mut self) {
        self.body = Vec::new();
    }

    fn line(&self, stage: &str, made: Option<&str>, more: usize) -> Vec<u8> {
        let parts = [&self.head, &self.middle, &self.tail, &self.body];
        let mut out = Vec::with_capacity(parts.iter().map(|p| p.len()).sum::<usize>() + 256 + more);
        out.extend_from_slice(&self.head);
        display(&mut out, format_args!(",\"stage\":\"{stage}\""));
        out.extend_from_slice(&self.middle);
        self.container.write(&mut Object::resume(&mut out), made);
        out.extend_from_slice(&self.tail);
        out.extend_from_slice(&self.body);
        out
    }
}

impl Container {
    fn of(facts: &CallFacts<'_>) -> Self {
        if let Some(stored) = &facts.known.container {
            return Self { id: Some(stored.id.clone()), name: Some(stored.name.clone()) };
        }
        let asked = facts.call.asked;
        let name = asked.operation.name();
        let named = match name {
            "ContainerCreate" => asked.query.first("name"),
            _ if name.starts_with("Container") => asked.resource.as_deref(),
            _ => None,
        };
        let full = |id: &&str| id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        Self { id: named.filter(full).map(str::to_owned), name: named.filter(|n| !full(n)).map(str::to_owned) }
    }

    fn write(&self, object: &mut Object<'_>, made: Option<&str>) {
        let id = made.or(self.id.as_deref());
        if id.is_none() && self.name.is_none() {
            return;
        }
        object.object("container", |o| {
            optional(o, "id", id);
            optional(o, "name", self.name.as_deref());
        });
    }
}

fn policy(object: &mut Object<'_>, verdict: &Verdict) {
    object.object("policy", |o| {
        o.display("generation", verdict.policy_generation);
        o.text("sha256", &verdict.policy_sha256, NAME);
        let mode = match verdict.mode {
            crate::policy::Mode::Enforce => "enforce",
            crate::policy::Mode::Monitor => "monitor",
        };
        o.text("mode", mode, NAME);
    });
}

fn principal(object: &mut Object<'_>, verdict: &Verdict) {
    object.object("principal", |o| {
        o.text("name", &verdict.principal, NAME);
        o.display("admin", verdict.admin);
        o.text("profile", &verdict.profile, NAME);
    });
}

fn peer(object: &mut Object<'_>, peer: &Peer, redactor: &Redactor) {
    match peer {
        Peer::Unix(peer) => unix_peer(object, peer, redactor),
        Peer::Tcp(address) => {
            object.text("kind", "tcp", NAME);
            object.text("address", &address.to_string(), NAME);
        }
        Peer::Tls(peer) => {
            object.text("kind", "tls", NAME);
            object.text("address", &peer.address.to_string(), NAME);
            certificate(object, &peer.certificate);
        }
    }
}

fn certificate(object: &mut Object<'_>, certificate: &Certificate) {
    object.text("subject", &certificate.subject, TEXT);
    for (key, names) in [("common_names", &certificate.common_names), ("units", &certificate.units)] {
        object.array(key, |array| {
            names.iter().take(ELEMENTS).for_each(|name| array.text(name, TEXT));
            left_out(array, names.len());
        });
    }
    object.array("sans", |array| {
        certificate.sans.iter().take(ELEMENTS).for_each(|san| array.text(san, TEXT));
        left_out(array, certificate.sans.len());
    });
    if let Some(spiffe) = &certificate.spiffe {
        object.text("spiffe", spiffe, TEXT);
    }
    object.text("issuer", &certificate.issuer, TEXT);
    object.text("serial", &certificate.serial, NAME);
    object.text("sha256", &certificate.sha256, NAME);
    object.text("not_after", &certificate.not_after.to_string(), NAME);
}

pub(super) fn unix_peer(object: &mut Object<'_>, peer: &UnixPeer, redactor: &Redactor) {
    object.text("kind", "unix", NAME);
    for (key, number) in [("uid", peer.uid), ("gid", peer.gid), ("pid", peer.pid)] {
        match number {
            Some(number) => object.display(key, number),
            None => object.display(key, "null"),
        }
    }
    optional(object, "user", peer.user.as_deref());
    object.array("groups", |array| {
        for group in peer.groups.iter().take(ELEMENTS) {
            match &group.name {
                Some(name) => array.text(name, NAME),
                None => display(array.element(), group.gid),
            }
        }
        left_out(array, peer.groups.len());
    });
    if !peer.groups.is_empty() {
        object.array("gids", |array| {
            peer.groups.iter().take(ELEMENTS).for_each(|group| display(array.element(), group.gid));
        });
    }
    if let Some(home) = &peer.home {
        object.text("home", &home.to_string_lossy(), TEXT);
    }
    if let Some(exe) = &peer.exe {
        object.text("exe", &exe.to_string_lossy(), TEXT);
    }
    if let Some(cmdline) = &peer.cmdline {
        object.array("cmdline", |array| {
            argv(array, cmdline.iter().map(String::as_str), redactor);
        });
    }
    if let Some(uid) = peer.login_uid {
        object.display("login_uid", uid);
    }
    match &peer.container {
        None => object.display("container", "null"),
        Some(container) => object.object("container", |o| {
            o.text("id", &container.id, NAME);
            optional(o, "image", container.image.as_deref());
        }),
    }
    if peer.unplaced {
        object.display("unplaced", true);
    }
}

fn request(object: &mut Object<'_>, facts: &CallFacts<'_>, clear: bool, redactor: &Redactor) {
    let asked = facts.call.asked;
    object.text("operation", asked.operation.name(), NAME);
    object.text("class", asked.operation.class().name(), NAME);
    object.text("method", asked.method.as_str(), NAME);
    object.text("target", &redactor.target(&asked.target), TEXT);
    if let Some(version) = asked.api_version {
        object.text("api_version", &version.to_string(), NAME);
    }
    if let Some(body) = facts.body {
        object.display("body_bytes", body.len());
        if clear {
            object.text("body_sha256", &super::chain::sha256(body), NAME);
        } else {
            // Where values were tagged, a plain hash of the whole would let anyone guess them offline.
            object.text("body_hmac", &redactor.tag(body).to_string(), NAME);
        }
    }
    optional(object, "user_agent", facts.user_agent);
}

/// The member `body`, and whether it says all that came.
fn redacted_body(facts: &CallFacts<'_>, level: Level, redactor: &Redactor) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let Some(bytes) = facts.body else { return (out, false) };
    if level < Level::Request {
        return (out, bytes.is_empty());
    }
    let Some(document) = &facts.call.document else {
        return (out, bytes.is_empty());
    };
    out.reserve(bytes.len() + 64);
    let mut object = Object::resume(&mut out);
    let tagged = Redacted::new(redactor).write(object.key("body"), document.root());
    if out.len() > BODY {
        let size = out.len();
        out.clear();
        Object::resume(&mut out).object("body", |o| o.display("omitted", size));
        return (out, false);
    }
    out.shrink_to_fit();
    (out, !tagged)
}

fn image(object: &mut Object<'_>, facts: &CallFacts<'_>, redactor: &Redactor) {
    let query = &facts.call.asked.query;
    let asked = match (facts.call.body.image(), facts.call.asked.operation.name()) {
        (Some(image), _) => Some(image.to_owned()),
        (None, "ImageCreate") => query.first("fromImage").map(|name| match query.first("tag") {
            Some(tag) if tag.contains(':') => format!("{name}@{tag}"),
            Some(tag) if !tag.is_empty() => format!("{name}:{tag}"),
            Some(_) | None => name.to_owned(),
        }),
        (None, _) => None,
    };
    let stored = facts.known.container.as_ref();
    let asked = asked.or_else(|| stored.map(|stored| stored.reference.clone()));
    let Some(asked) = asked.filter(|name| !name.is_empty() && name.len() <= TEXT) else {
        return;
    };
    let held = facts.known.image.as_ref().or(stored.map(|stored| &stored.image));
    let listed = facts.verdict.findings.iter().all(|finding| finding.check != Check::ImageNotAllowed);
    object.object("image", |o| {
        o.text("asked", &redactor.scrub(&asked), TEXT);
        // The engine may take hex digits for an id: what they name is not known here.
        let hex = asked.trim_start_matches("sha256:").bytes().all(|b| b.is_ascii_hexdigit());
        if !hex && let Ok(reference) = asked.parse::<oci_spec::distribution::Reference>() {
            o.text("reference", &redactor.scrub(&reference.whole()), TEXT);
        }
        if let Some(held) = held {
            held_image(o, held);
        }
        o.display("allowed", listed);
    });
}

fn held_image(object: &mut Object<'_>, held: &HeldImage) {
    object.text("id", &held.id, NAME);
    object.array("repo_digests", |array| {
        held.repo_digests.iter().take(ELEMENTS).for_each(|digest| array.text(digest, ELEMENT));
        left_out(array, held.repo_digests.len());
    });
}

fn runtime(object: &mut Object<'_>, facts: &CallFacts<'_>, redactor: &Redactor) {
    match &facts.call.body {
        Body::ContainerCreate(create) => object.object("runtime", |o| {
            host_config(o, &create.host, redactor);
            optional(o, "user", create.user.as_deref());
        }),
        Body::ContainerStart(host) => object.object("runtime", |o| host_config(o, host, redactor)),
        Body::ExecCreate(exec) => object.object("runtime", |o| {
            o.display("privileged", exec.privileged);
            optional(o, "user", exec.user.as_deref());
            o.array("command", |a| argv(a, exec.cmd.iter().map(AsRef::as_ref), redactor));
        }),
        Body::ServiceSpec(spec) => {
            if let Some(container) = &spec.container {
                object.object("runtime", |o| {
                    host_config(o, &as_host_config(container), redactor);
                    optional(o, "user", container.user.as_deref());
                });
            }
        }
        Body::Unread | Body::ExecStart(_) => {
            // What the call makes use of is as telling as what it asks for.
            let stored = facts.known.container.as_ref().and_then(|stored| stored_container(&stored.body));
            if let Some(container) = stored {
                object.object("runtime", |o| {
                    host_config(o, &container.host, redactor);
                    optional(o, "user", container.user.as_deref());
                });
            }
        }
        Body::ContainerUpdate(_)
        | Body::VolumeCreate(_)
        | Body::NetworkCreate(_)
        | Body::NetworkConnect(_)
        | Body::NetworkDisconnect(_)
        | Body::CheckpointCreate(_)
        | Body::Build(_) => {}
    }
}

/// What a service asks of its containers, in the terms of a container: it has no words for the rest.
fn as_host_config<'a>(spec: &ContainerSpec<'a>) -> HostConfig<'a> {
    HostConfig {
        mounts: spec.mounts.clone(),
        cap_add: spec.capability_add.clone(),
        sysctls: spec.sysctls.clone(),
        ..HostConfig::default()
    }
}

fn host_config(object: &mut Object<'_>, host: &HostConfig<'_>, redactor: &Redactor) {
    object.display("privileged", host.privileged);
    list(object, "capabilities", &host.cap_add, redactor);
    namespaces(object, host);
    mounts(object, host, redactor);
    list(object, "volumes_from", &host.volumes_from, redactor);
    let devices: Vec<Text<'_>> = host.devices.iter().map(|d| d.path_on_host.clone()).collect();
    list(object, "devices", &devices, redactor);
    list(object, "device_cgroup_rules", &host.device_cgroup_rules, redactor);
    list(object, "device_requests", &host.device_requests, redactor);
    list(object, "security_opt", &host.security_opt, redactor);
    let sysctls: Vec<Text<'_>> = host.sysctls.iter().map(|(k, v)| format!("{k}={v}").into()).collect();
    list(object, "sysctls", &sysctls, redactor);
    optional(object, "oci_runtime", host.runtime.as_deref());
    optional(object, "cgroup_parent", host.cgroup_parent.as_deref());
    if let Some(restart) = &host.restart_policy {
        object.text("restart", &restart.name, NAME);
    }
}

fn namespaces(object: &mut Object<'_>, host: &HostConfig<'_>) {
    let named = [
        ("cgroup", &host.cgroupns_mode),
        ("ipc", &host.ipc_mode),
        ("network", &host.network_mode),
        ("pid", &host.pid_mode),
        ("user", &host.userns_mode),
        ("uts", &host.uts_mode),
    ];
    object.object("namespaces", |o| {
        for (key, mode) in named {
            optional(o, key, mode.as_deref().filter(|mode| !mode.is_empty()));
        }
    });
}

fn mounts(object: &mut Object<'_>, host: &HostConfig<'_>, redactor: &Redactor) {
    let mount = |array: &mut Array<'_>, kind: &str, source: &str, target: &str, writable: bool| {
        array.object(|o| {
            o.text("type", kind, NAME);
            o.text("source", &redactor.scrub(source), ELEMENT);
            o.text("target", &redactor.scrub(target), ELEMENT);
            o.display("writable", writable);
        });
    };
    object.array("mounts", |array| {
        for bind in host.binds.iter().take(ELEMENTS) {
            let mut parts = bind.split(':');
            let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let read_only = parts.flat_map(|options| options.split(',')).any(|o| o == "ro" || o == "readonly");
            let kind = if source.starts_with(['/', '.', '~']) { "bind" } else { "volume" };
            mount(array, kind, source, target, !read_only);
        }
        for m in host.mounts.iter().take(ELEMENTS) {
            mount(array, &m.kind, &m.source, &m.target, !m.read_only);
        }
        left_out(array, host.binds.len().max(host.mounts.len()));
    });
}

fn verdict(object: &mut Object<'_>, verdict: &Verdict) {
    let approved_by = match &verdict.approval {
        Some(Approval::Used { by, .. }) => Some(by.to_string()),
        Some(Approval::Asked { .. } | Approval::Rejected { .. } | Approval::Withheld(_)) | None => None,
    };
    object.object("verdict", |o| {
        let action = match verdict.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Observe => "observe",
        };
        o.text("action", action, NAME);
        o.array("findings", |array| {
            for finding in verdict.findings.iter().take(ELEMENTS) {
                array.object(|o| {
                    o.text("check", finding.check.id(), NAME);
                    o.text("field", &finding.field, NAME);
                    o.text("detail", &finding.detail, ELEMENT);
                    o.text("reaction", finding.reaction.word(), NAME);
                    o.display("risk", finding.check.risk());
                    o.array("attack", |a| {
                        finding.check.attack().iter().for_each(|id| a.text(id, NAME));
                    });
                    match &finding.exception {
                        Some(reason) => o.text("exception", reason, ELEMENT),
                        None => o.display("exception", "null"),
                    }
                    if finding.reaction == crate::policy::Reaction::Approve
                        && let Some(by) = &approved_by
                    {
                        o.text("approved_by", by, NAME);
                    }
                });
            }
            left_out(array, verdict.findings.len());
        });
    });
}

fn approval(object: &mut Object<'_>, verdict: &Verdict) {
    let Some(approval) = &verdict.approval else { return };
    object.object("approval", |o| {
        optional(o, "id", approval.id());
        o.text("state", approval.state(), NAME);
        if let Some(by) = approval.by() {
            o.object("by", |o| {
                o.display("uid", by.uid);
                optional(o, "user", by.user.as_deref());
            });
        }
    });
}

fn argv<'a>(array: &mut Array<'_>, args: impl ExactSizeIterator<Item = &'a str>, redactor: &Redactor) {
    let all = args.len();
    let mut words = Argv::new(redactor);
    for arg in args.take(ELEMENTS) {
        array.text(&words.arg(arg), ELEMENT);
    }
    left_out(array, all);
}

/// A list of clear texts; an empty one says nothing.
fn list(object: &mut Object<'_>, key: &str, texts: &[Text<'_>], redactor: &Redactor) {
    if texts.is_empty() {
        return;
    }
    object.array(key, |array| {
        texts.iter().take(ELEMENTS).for_each(|text| array.text(&redactor.scrub(text), ELEMENT));
        left_out(array, texts.len());
    });
}

fn optional(object: &mut Object<'_>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        object.text(key, text, NAME);
    }
}

/// Says how many elements of a list are not in the record.
fn left_out(array: &mut Array<'_>, all: usize) {
    if let Some(more) = all.checked_sub(ELEMENTS).filter(|more| *more > 0) {
        array.text(&format!("…+{more}"), NAME);
    }
}
