//! Warnings: the file works, but probably not as meant.

use std::collections::BTreeMap;

use super::load::{File, warning};
use super::mount::Paths;
use super::profile::Profile;
use super::{Check, Reaction, raw};
use crate::diagnostic::Diagnostic;
use crate::request::Class;

/// Looks over a file whose profiles are resolved.
pub(super) fn check(file: &File, profiles: &BTreeMap<String, Profile>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    shadowed(file, &mut found);
    numbers(file, &mut found);
    unbounded(file, &mut found);
    for (name, raw) in &file.profiles {
        let users: Vec<bool> = users(file, name.get_ref());
        let is_extended = file
            .profiles
            .iter()
            .any(|(_, other)| other.extends.as_ref().is_some_and(|extends| extends.get_ref() == name.get_ref()));
        if users.is_empty() && !is_extended {
            let message =
                format!("nobody has the profile '{}'; name it in a principal or in [fallback]", name.get_ref());
            found.push(warning(name.span(), &message));
        }
        let Some(profile) = profiles.get(name.get_ref()) else { continue };
        unenforced(raw, profile, &mut found);
        sensitive(raw, profile, &mut found);
        let is_trusted = !users.is_empty() && users.iter().all(|admin| *admin);
        if !is_trusted {
            unread(raw, profile, &mut found);
            built(raw, profile, &mut found);
            set_uid(raw, profile, &mut found);
        }
    }
    found
}

/// Whether each who has a profile is an admin.
fn users(file: &File, profile: &str) -> Vec<bool> {
    let principals = file.principals.iter().filter(|principal| principal.profile.get_ref() == profile);
    let fallback = file.fallback.iter().filter(|fallback| fallback.profile.get_ref() == profile);
    principals.map(|principal| principal.admin).chain(fallback.map(|_| false)).collect()
}

/// The first principal that claims a caller has it, so that a later one with the same matcher, or a narrower one, has none.
fn shadowed(file: &File, found: &mut Vec<Diagnostic>) {
    for (index, later) in file.principals.iter().enumerate() {
        let earlier = || file.principals.iter().take(index).flat_map(|principal| principal.matchers.get_ref());
        let matchers = later.matchers.get_ref();
        if !matchers.is_empty() && matchers.iter().all(|matcher| earlier().any(|wide| is_wider(wide, matcher))) {
            let message = format!(
                "'{}' never gets a caller: earlier principals claim them all; put it first",
                later.name.get_ref()
            );
            found.push(warning(later.name.span(), &message));
        }
    }
}

/// A number in place of a name claims nobody, who then is somebody else.
fn numbers(file: &File, found: &mut Vec<Diagnostic>) {
    let matchers = file.principals.iter().flat_map(|principal| principal.matchers.get_ref());
    for (name, key) in matchers.flat_map(|matcher| [(&matcher.user, "uid"), (&matcher.group, "gid")]) {
        let number = name.as_ref().filter(|name| name.get_ref().bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(number) = number {
            let message = format!("'{0}' is read as a name; write {key} = {0} for the number", number.get_ref());
            found.push(warning(number.span(), &message));
        }
    }
}

/// Exceptions and a fallback that are for everybody.
fn unbounded(file: &File, found: &mut Vec<Diagnostic>) {
    for exception in &file.exceptions {
        if exception.principals.is_none() && exception.images.is_none() {
            let message = "this exception is for everybody and every image; name principals or images";
            found.push(warning(exception.checks.span(), message));
        }
    }
    if let Some(fallback) = file.fallback.as_ref().filter(|fallback| fallback.profile.get_ref() == "privileged") {
        let message = "whoever no principal claims may do everything; keep this profile for principals";
        found.push(warning(fallback.profile.span(), message));
    }
}

fn is_wider(wide: &raw::Matcher, narrow: &raw::Matcher) -> bool {
    let text = |text: &Option<serde_spanned::Spanned<String>>| text.as_ref().map(|text| text.get_ref().clone());
    let of =
        |matcher: &raw::Matcher| matcher.of_process().into_iter().chain(matcher.of_certificate()).map(text).collect();
    let (wides, narrows): (Vec<Option<String>>, Vec<Option<String>>) = (of(wide), of(narrow));
    let numbers = [(wide.uid, narrow.uid), (wide.gid, narrow.gid)];
    wides.iter().zip(&narrows).all(|(wide, narrow)| wide.is_none() || wide == narrow)
        && numbers.iter().all(|(wide, narrow)| wide.is_none() || wide == narrow)
}

/// In `baseline` what is not on these lists passes: whoever writes one means it to be kept.
fn unenforced(raw: &raw::Profile, profile: &Profile, found: &mut Vec<Diagnostic>) {
    for (list, check) in [(&raw.images, Check::ImageNotAllowed), (&raw.publish, Check::NetworkPublish)] {
        let first = list.as_ref().and_then(|list| list.first());
        if let Some(first) = first.filter(|_| profile.reaction(check) < Reaction::Approve) {
            let message = format!("what is not on this list passes too; set \"{}\" = \"deny\"", check.id());
            found.push(warning(first.span(), &message));
        }
    }
}

/// What a Dockerfile names is the engine's to fetch and run: no list is held against it.
fn built(raw: &raw::Profile, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let list = raw.images.as_ref().and_then(|list| list.first());
    let builds = profile.opens(Class::Build) || profile.opens(Class::BuildSession);
    if let Some(first) = list.filter(|_| builds && profile.reaction(Check::ImageNotAllowed) >= Reaction::Approve) {
        let message = "images off this list can still be run in builds; list 'api' without \"build\", or trust who has this profile";
        found.push(warning(first.span(), message));
    }
}

/// A broad entry of `binds` does not mean what is sensitive in it.
fn sensitive(raw: &raw::Profile, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let binds = raw.binds.iter().flatten().map(|bind| (bind, bind.path.get_ref().as_str()));
    for (bind, written) in binds {
        // Any caller will do.
        let pattern = written.replace("{home}", "/home/user").replace("{user}", "user");
        let Some(path) = Paths::new(&pattern).covers() else { continue };
        let message = match profile.reaction(Check::MountSensitive) {
            Reaction::Deny | Reaction::Approve => {
                format!(
                    "'{written}' covers {path}, which \"mount.sensitive\" still refuses; list what is meant by its own path"
                )
            }
            Reaction::Warn | Reaction::Allow => {
                format!("'{written}' opens {path} to containers; list what is meant by its own path")
            }
        };
        found.push(warning(bind.path.span(), &message));
    }
}

/// What cannot be read in one way cannot be judged: to let it pass is to let pass whatever it may be.
fn unread(raw: &raw::Profile, profile: &Profile, found: &mut Vec<Diagnostic>) {
    let judged = [
        Check::RequestAmbiguous,
        Check::RequestMalformed,
        Check::RequestTooLarge,
        Check::RequestPath,
        Check::RequestFormBody,
        Check::RequestHttp2,
    ];
    let lowered = |pattern: &str| {
        let matcher = globset::Glob::new(pattern).ok()?.compile_matcher();
        judged.into_iter().find(|check| matcher.is_match(check.id()) && profile.reaction(*check) != Reaction::Deny)
    };
    for pattern in raw.reactions.keys() {
        if let Some(check) = lowered(pattern.get_ref()) {
            let message = format!("\"{}\" lets pass what could not be judged; keep it at \"deny\"", check.id());
            found.push(warning(pattern.span(), &message));
        }
    }
}

/// A root process in a container can leave a set-uid file in a folder the caller reaches, and takes from a socket there, even
/// if it may only read the folder, a descriptor of the host's root that the caller passes.
fn set_uid(raw: &raw::Profile, profile: &Profile, found: &mut Vec<Diagnostic>) {
    if profile.reaction(Check::UserRoot) >= Reaction::Approve {
        return;
    }
    let binds = || raw.binds.iter().flatten();
    let writable = binds().find(|bind| bind.access == raw::Access::Rw);
    let callers = || binds().find(|bind| ["{home}", "{user}"].iter().any(|own| bind.path.get_ref().contains(own)));
    let left = writable.map(|bind| (bind, "can leave a set-uid file here"));
    let passed = || callers().map(|bind| (bind, "can be passed a descriptor of / by a socket here"));
    if let Some((bind, what)) = left.or_else(passed) {
        let text =
            format!("a root process in the container {what}; set \"user.root\" = \"deny\", or trust who uses it");
        found.push(warning(bind.path.span(), &text));
    }
}
