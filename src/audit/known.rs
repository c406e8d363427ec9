//! What was looked up for a call, as it is recorded: enough to judge the call again by another policy, and no secret.

use super::json::{Array, Object};
use super::redact::{Redacted, Redactor};
use crate::policy::{EngineFacts, HeldImage, HeldVolume, Joined, Known, Maker, Stored};
use crate::request::decode::{Document, Limits};

/// Longest name, path, reference or reason.
const TEXT: usize = 4096;
/// Largest of all of it; what is larger is named by its size only. Volumes and paths are at most 256 each.
const MOST: usize = 1 << 20;

/// Writes the member `known`, and `protected` where a path of the host was looked up, if anything was.
pub(super) fn write(out: &mut Vec<u8>, known: &Known, protected: &[String], redactor: &Redactor) {
    if is_nothing(known) {
        return;
    }
    let start = out.len();
    Object::resume(out).object("known", |o| all(o, known, redactor));
    if !known.paths.is_empty() {
        Object::resume(out).array("protected", |a| protected.iter().for_each(|path| a.text(path, TEXT)));
    }
    let size = out.len() - start;
    if size > MOST {
        out.truncate(start);
        Object::resume(out).object("known", |o| o.display("omitted", size));
    }
}

fn is_nothing(known: &Known) -> bool {
    let Known { engine, container, absent, maker, joined, exec, image, volumes, networks, paths, unreachable, missing } =
        known;
    let names_nothing = joined.is_empty() && volumes.is_empty() && networks.is_empty() && paths.is_empty();
    let has_nothing = container.is_none() && maker.is_none() && exec.is_none() && image.is_none() && !absent;
    names_nothing && has_nothing && *engine == EngineFacts::default() && unreachable.is_none() && missing.is_empty()
}

fn all(object: &mut Object<'_>, known: &Known, redactor: &Redactor) {
    object.object("engine", |o| engine(o, &known.engine));
    if known.absent {
        object.display("absent", true);
    }
    if let Some(stored) = &known.container {
        object.object("container", |o| container(o, stored, redactor));
    }
    made_by(object, known.maker.as_ref());
    array(object, "joined", &known.joined, |a, joined| a.object(|o| other(o, joined, redactor)));
    if let Some(exec) = &known.exec {
        object.object("exec", |o| {
            o.display("privileged", exec.privileged);
            o.text("user", &exec.user, TEXT);
        });
    }
    if let Some(held) = &known.image {
        object.object("image", |o| image(o, held));
    }
    array(object, "volumes", &known.volumes, |a, held| a.object(|o| volume(o, held, redactor)));
    array(object, "networks", &known.networks, |a, network| {
        a.object(|o| {
            o.text("id", &network.id, TEXT);
            o.text("name", &network.name, TEXT);
        });
    });
    array(object, "paths", &known.paths, |a, path| {
        a.object(|o| {
            o.text("path", &redactor.scrub(&path.path), TEXT);
            o.text("real", &redactor.scrub(&path.real), TEXT);
        });
    });
    if let Some(why) = &known.unreachable {
        object.text("unreachable", why, TEXT);
    }
    array(object, "missing", &known.missing, |a, what| a.text(what, TEXT));
}

fn engine(object: &mut Object<'_>, engine: &EngineFacts) {
    object.display("cgroup_v1", engine.cgroup_v1);
    object.display("containerd_store", engine.containerd_store);
    object.display("podman", engine.podman);
    if let Some(root) = &engine.root_dir {
        object.text("root_dir", root, TEXT);
    }
}

fn container(object: &mut Object<'_>, stored: &Stored, redactor: &Redactor) {
    object.text("id", &stored.id, TEXT);
    object.text("name", &stored.name, TEXT);
    object.text("reference", &redactor.scrub(&stored.reference), TEXT);
    // What the engine itself tells is JSON; if it is not, the judgement has said so, and there is nothing to keep.
    if let Ok(document) = Document::read(&stored.body, Limits::default()) {
        Redacted::new(redactor).write(object.key("body"), document.root());
    }
    array(object, "mounts", &stored.mounts, |a, mount| {
        a.object(|o| {
            o.text("kind", &mount.kind, TEXT);
            o.text("name", &redactor.scrub(&mount.name), TEXT);
            o.text("source", &redactor.scrub(&mount.source), TEXT);
            o.display("writable", mount.writable);
        });
    });
    object.object("image", |o| image(o, &stored.image));
}

fn other(object: &mut Object<'_>, joined: &Joined, redactor: &Redactor) {
    object.text("name", &joined.name, TEXT);
    object.object("container", |o| container(o, &joined.stored, redactor));
    made_by(object, joined.maker.as_ref());
}

fn made_by(object: &mut Object<'_>, maker: Option<&Maker>) {
    let Some(maker) = maker else { return };
    object.object("maker", |o| {
        o.text("principal", &maker.principal, TEXT);
        if let Some(id) = &maker.image_id {
            o.text("image_id", id, TEXT);
        }
    });
}

fn image(object: &mut Object<'_>, held: &HeldImage) {
    object.text("id", &held.id, TEXT);
    object.array("repo_digests", |a| held.repo_digests.iter().for_each(|digest| a.text(digest, TEXT)));
}

fn volume(object: &mut Object<'_>, held: &HeldVolume, redactor: &Redactor) {
    object.text("name", &redactor.scrub(&held.name), TEXT);
    object.text("driver", &held.driver, TEXT);
    object.array("options", |a| {
        for (name, value) in &held.options {
            let mut pair = Array::begin(a.element());
            pair.text(name, TEXT);
            pair.text(&redactor.driver_option(name, value), TEXT);
            pair.end();
        }
    });
}

/// A list; an empty one says nothing.
fn array<T>(object: &mut Object<'_>, key: &str, list: &[T], one: impl Fn(&mut Array<'_>, &T)) {
    if !list.is_empty() {
        object.array(key, |array| list.iter().for_each(|element| one(array, element)));
    }
}
