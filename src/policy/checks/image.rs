//! Images by the names that calls give them: what is used, pulled and pushed, and what takes a name.

use super::Found;
use crate::policy::Check;
use crate::policy::facts::{HeldImage, Known};
use crate::policy::image::{Image, ImagePattern};
use crate::policy::profile::ImageProof;
use crate::request::{Asked, Body, Call, Operation};

/// The image that a call is about, by its name and by the id that the engine holds under it.
pub(in crate::policy) fn of_call(call: &Call<'_>, known: &Known) -> Vec<Image> {
    let by_name = |text: &str, held: Option<&HeldImage>| {
        let named = Image::parse(text).map(|image| image.known_as(text, held));
        named.into_iter().chain(held.map(|held| Image::Id(held.id.clone()))).collect()
    };
    match (&call.body, call.asked.operation) {
        (Body::ContainerCreate(_) | Body::ServiceSpec(_), _) => {
            by_name(call.body.image().unwrap_or_default(), known.image.as_ref())
        }
        (_, Operation::ImageCreate | Operation::ImagePush | Operation::DistributionInspect) => {
            in_registry(call.asked).into_iter().collect()
        }
        (_, operation) if operation.uses_container() => {
            known.container.as_ref().map(|stored| by_name(&stored.reference, Some(&stored.image))).unwrap_or_default()
        }
        _other => Vec::new(),
    }
}

/// Whether an entry of an exception names the image that a call is about: with `image-proof`, as an entry of a list would.
pub(in crate::policy) fn names(pattern: &ImagePattern, call: &Call<'_>, known: &Known, proof: ImageProof) -> bool {
    let is_new = matches!(call.body, Body::ContainerCreate(_) | Body::ServiceSpec(_));
    let held = if is_new { known.image.as_ref() } else { known.container.as_ref().map(|stored| &stored.image) };
    of_call(call, known).iter().filter(|image| pattern.lists(image)).any(|image| {
        let needs_proof = proof == ImageProof::Digest && !image.is_pinned();
        let digests_prove = !known.engine.containerd_store;
        held.filter(|_| needs_proof)
            .is_none_or(|held| digests_prove && held.repo_digests.iter().any(|from| pattern.is_source(from)))
    })
}

/// What a pull, a push or a look at a registry names.
fn in_registry(asked: &Asked) -> Option<Image> {
    let in_path = matches!(asked.operation, Operation::ImagePush | Operation::DistributionInspect);
    let name = if in_path { asked.resource.as_deref().unwrap_or_default() } else { first(asked, "fromImage") };
    if name.is_empty() { None } else { Image::in_registry(name, first(asked, "tag")) }
}

/// An image that is fetched, against what the profile lists.
fn fetched(found: &mut Found<'_>, image: &Image, text: &str, field: &str) {
    found.add_if(!is_listed(found, image), Check::ImageNotAllowed, field, text);
    found.add_if(image.is_latest(), Check::ImageLatest, field, text);
    found.add_if(!image.is_pinned(), Check::ImageNotPinned, field, text);
}

/// Pulls, imports, pushes, and builds and commits that give a name.
pub(super) fn check(found: &mut Found<'_>, call: &Call<'_>) {
    let asked = call.asked;
    let (repo, tag) = (first(asked, "repo"), first(asked, "tag"));
    match (asked.operation, &call.body) {
        (Operation::ImageCreate, _) => {
            let (name, source) = (first(asked, "fromImage"), first(asked, "fromSrc"));
            if name.is_empty() {
                takes(found, repo, tag, "query.repo");
                let is_fetched = !matches!(source, "" | "-");
                found.add_if(is_fetched, Check::BuildRemote, "query.fromSrc", scheme(source));
            } else {
                pulled(found, asked, &told(name, tag));
            }
            // Beside fromImage it is left aside by Docker; without it the class says that this is an import.
            let both = !name.is_empty() && !source.is_empty();
            found.add_if(both, Check::ImageLoad, "query.fromSrc", "an import beside a pull");
        }
        // The engine asks whatever host is named, and hands back what it says.
        (Operation::ImageSearch, _) => {
            let term = first(asked, "term");
            let is_listed = Image::in_registry(term, "").is_some_and(|image| is_listed(found, &image));
            found.add_if(names_registry(term) && !is_listed, Check::ImageNotAllowed, "query.term", term);
        }
        (Operation::ImagePush | Operation::DistributionInspect, _) => {
            let name = told(asked.resource.as_deref().unwrap_or_default(), tag);
            let is_listed = in_registry(asked).is_some_and(|image| is_listed(found, &image));
            found.add_if(!is_listed, Check::ImageNotAllowed, "path", &name);
        }
        (Operation::ImageCommit, _) => takes(found, repo, tag, "query.repo"),
        (_, Body::Build(build)) => build.tags.iter().for_each(|name| takes(found, name, "", "query.t")),
        _other => {}
    }
}

fn pulled(found: &mut Found<'_>, asked: &Asked, text: &str) {
    match in_registry(asked) {
        Some(image @ Image::Repository(_)) => fetched(found, &image, &format!("{text} (all tags)"), "query.fromImage"),
        Some(image) => fetched(found, &image, text, "query.fromImage"),
        None => found.add(Check::ImageNotAllowed, "query.fromImage", text),
    }
}

/// Whoever gives an image of his own a listed name has it run as the listed one.
fn takes(found: &mut Found<'_>, name: &str, tag: &str, field: &str) {
    let is_listed = Image::to_be(name, tag).is_some_and(|image| is_listed(found, &image));
    found.add_if(is_listed, Check::ImageTag, field, &told(name, tag));
}

fn is_listed(found: &Found<'_>, image: &Image) -> bool {
    found.profile.images.iter().any(|pattern| pattern.lists(image))
}

/// Whether the engine takes what stands before the first slash for a host.
fn names_registry(name: &str) -> bool {
    let host = name.split_once('/').map(|(host, _)| host);
    host.is_some_and(|host| {
        host.contains(['.', ':']) || host == "localhost" || host.bytes().any(|byte| byte.is_ascii_uppercase())
    })
}

/// What is told of an address that the engine fetches: it may hold credentials.
pub(super) fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("what the engine fetches itself", |(scheme, _)| scheme)
}

fn told(name: &str, tag: &str) -> String {
    match tag {
        "" => name.to_owned(),
        digest if digest.contains(':') => format!("{name}@{digest}"),
        tag => format!("{name}:{tag}"),
    }
}

fn first<'a>(asked: &'a Asked, key: &str) -> &'a str {
    asked.query.first(key).unwrap_or_default()
}
