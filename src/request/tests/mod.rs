//! What the engine was seen to do, as tables.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::*;

mod framing;
mod path;
mod props;
mod query;
mod route;

/// Reads a bare head: a method and a target.
fn ask(method: &str, target: &str) -> Asked {
    ask_with(method, target, Version::HTTP_11, &[])
}

fn ask_with(method: &str, target: &str, version: Version, lines: &[(&str, &str)]) -> Asked {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let uri: Uri = target.parse().unwrap();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    read(&Head { method: &method, uri: &uri, version, headers: &headers })
}

fn kinds(asked: &Asked) -> Vec<(Irregular, &str)> {
    asked.irregularities.iter().map(|one| (one.kind, one.field.as_str())).collect()
}
