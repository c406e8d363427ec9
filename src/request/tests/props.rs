//! What holds for every target.

use proptest::prelude::*;

use super::*;

/// Targets made of what routes, escapes and queries are made of.
fn target() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "//",
        "/v1.41",
        "/v",
        "/v1-rc",
        "/containers",
        "/create",
        "/start",
        "/json",
        "/images",
        "/volumes",
        "/networks",
        "/checkpoints/",
        "/libpod",
        "/build",
        "%2F",
        "%2e",
        "..",
        ".",
        "%63",
        "%00",
        "%0a",
        "%ff",
        "%",
        "%C3%A9",
        "+",
        ";",
        ":",
        "@",
        "a",
        "b c",
        "?",
        "&",
        "=",
        "t=",
        "name=",
        "\u{e9}",
        "1",
        "~",
        "'",
        "(",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "PRI"])
}

fn read_target(method: &str, target: &str) -> Option<Asked> {
    let uri: Uri = target.parse().ok()?;
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    Some(read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &HeaderMap::new() }))
}

proptest! {
    /// What is forwarded is what was judged: it reads the same, and does not change when it is written again.
    #[test]
    fn what_is_written_anew_reads_the_same(method in method(), target in target()) {
        let Some(first) = read_target(method, &target) else { return Ok(()) };
        let canonical = first.canonical_target();
        let second = read_target(method, &canonical).expect("a canonical target is a target");
        prop_assert_eq!(second.operation, first.operation);
        prop_assert_eq!(&second.resource, &first.resource);
        prop_assert_eq!(&second.checkpoint, &first.checkpoint);
        prop_assert_eq!(&second.query, &first.query);
        prop_assert_eq!(second.api_version, first.api_version);
        prop_assert_eq!(second.canonical_target(), canonical);
    }

    /// A name and its escapes are one name.
    #[test]
    fn escapes_make_no_difference(name in "[a-zA-Z0-9_.-]{1,20}") {
        prop_assume!(name != "." && name != "..");
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let asked = read_target("POST", &format!("/v1.41/containers/{escaped}/start")).unwrap();
        prop_assert_eq!(asked.canonical_target(), format!("/v1.41/containers/{name}/start"));
        prop_assert_eq!(asked.resource, Some(name));
    }

    /// Nothing a head can hold breaks the reading.
    #[test]
    fn reading_is_total(
        method in "[A-Za-z]{1,8}",
        target in "[ -~]{0,60}",
        lines in prop::collection::vec((
            prop::sample::select(vec!["host", "content-length", "transfer-encoding", "content-type", "connection"]),
            prop::collection::vec(any::<u8>(), 0..24),
        ), 0..6),
    ) {
        let Ok(uri) = target.parse::<Uri>() else { return Ok(()) };
        let headers = lines.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_bytes(&value).ok()?))
        });
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (version, headers) = (Version::HTTP_11, headers.collect());
        let asked = read(&Head { method: &method, uri: &uri, version, headers: &headers });
        prop_assert!(Operation::ALL.contains(&asked.operation));
        prop_assert!(asked.irregularities.len() < 24);
    }
}
