//! Headers.

use super::*;

type Line = (&'static str, &'static str);

const JSON: Line = ("Content-Type", "application/json");
const FORM: Line = ("Content-Type", "application/x-www-form-urlencoded");
const LENGTH: Line = ("Content-Length", "84");
const CHUNKED: Line = ("Transfer-Encoding", "chunked");
const CREATE: &str = "/v1.41/containers/create";

/// The kinds and fields of what is odd about a create with these headers.
fn create(lines: &[Line]) -> Vec<(Irregular, String)> {
    odd("POST", CREATE, Version::HTTP_11, lines)
}

fn odd(method: &str, target: &str, version: Version, lines: &[Line]) -> Vec<(Irregular, String)> {
    let asked = ask_with(method, target, version, lines);
    asked.irregularities.into_iter().map(|one| (one.kind, one.field)).collect()
}

#[test]
fn what_all_engines_read_alike_is_regular() {
    let rows: &[&[Line]] = &[
        &[JSON, LENGTH],
        &[JSON, CHUNKED],
        &[JSON, ("Transfer-Encoding", "CHUNKED")],
        &[JSON, ("Content-Length", "0084")],
        &[JSON, LENGTH, ("Expect", "100-continue")],
        &[JSON, LENGTH, ("Connection", "Upgrade"), ("Upgrade", "h2c")],
        &[JSON, LENGTH, ("Connection", "close")],
        &[JSON, LENGTH, ("Transfer_Encoding", "chunked")],
        &[JSON, LENGTH, ("Content-Encoding", "identity")],
        &[("Content-Type", "APPLICATION/JSON"), LENGTH],
        &[("Content-Type", "application/json; charset=latin1;"), LENGTH],
        &[("Content-Length", "0")],
        &[("Content-Length", "0"), ("Content-Type", "text/plain")],
        &[FORM, ("Content-Length", "00")],
        &[],
    ];
    for lines in rows {
        assert_eq!(create(lines), [], "{lines:?}");
    }
    assert_eq!(odd("POST", CREATE, Version::HTTP_10, &[JSON, LENGTH]), []);
}

#[test]
fn lengths_with_two_readings_or_none() {
    use Irregular::{Ambiguous, Malformed};
    let rows: &[(&[Line], Irregular, &str)] = &[
        (&[JSON, LENGTH, CHUNKED], Ambiguous, "Content-Length"),
        (&[JSON, LENGTH, LENGTH], Ambiguous, "Content-Length"),
        (&[JSON, ("Content-Length", "")], Ambiguous, "Content-Length"),
        (&[JSON, ("Content-Length", "84, 84")], Malformed, "Content-Length"),
        (&[JSON, ("Content-Length", "+84")], Malformed, "Content-Length"),
        (&[JSON, ("Content-Length", "-1")], Malformed, "Content-Length"),
        (&[JSON, ("Content-Length", "0x54")], Malformed, "Content-Length"),
        (&[JSON, ("Content-Length", "99999999999999999999")], Malformed, "Content-Length"),
        (&[JSON, CHUNKED, CHUNKED], Malformed, "Transfer-Encoding"),
        (&[JSON, ("Transfer-Encoding", "gzip, chunked")], Malformed, "Transfer-Encoding"),
        (&[JSON, ("Transfer-Encoding", "identity")], Malformed, "Transfer-Encoding"),
        (&[JSON, ("Transfer-Encoding", "chunked,")], Malformed, "Transfer-Encoding"),
        (&[JSON, ("Transfer-Encoding", "")], Malformed, "Transfer-Encoding"),
        (&[JSON, LENGTH, ("Host", "evil"), ("Host", "docker")], Malformed, "Host"),
        (&[JSON, LENGTH, ("Connection", "close, Content-Length")], Ambiguous, "Connection"),
        (&[JSON, LENGTH, ("Connection", "Content-Type")], Ambiguous, "Connection"),
        (&[JSON, LENGTH, ("Connection", "close"), ("connection", "TRANSFER-ENCODING")], Ambiguous, "Connection"),
        (&[JSON, LENGTH, ("Content-Encoding", "gzip")], Malformed, "Content-Encoding"),
    ];
    for (lines, kind, field) in rows {
        assert_eq!(create(lines), [(*kind, (*field).to_owned())], "{lines:?}");
    }
    let old = odd("POST", CREATE, Version::HTTP_10, &[JSON, CHUNKED]);
    assert_eq!(old, [(Ambiguous, "Transfer-Encoding".to_owned())]);
}

#[test]
fn a_judged_body_is_json_by_its_first_type() {
    let odd_type = |kind| (kind, "Content-Type".to_owned());
    for other in ["text/plain", "text/json", "application/json, text/plain", "application/vnd.x+json", ""] {
        assert_eq!(create(&[("Content-Type", other), LENGTH]), [odd_type(Irregular::Malformed)], "{other}");
    }
    assert_eq!(create(&[LENGTH]), [odd_type(Irregular::Malformed)]);
    let text = ("Content-Type", "text/plain");
    assert_eq!(create(&[JSON, text, LENGTH]), [odd_type(Irregular::Ambiguous)]);
    let second = create(&[text, JSON, LENGTH]);
    assert_eq!(second, [odd_type(Irregular::Ambiguous), odd_type(Irregular::Malformed)]);
    // Go folds the dotted capital I to an i.
    assert_eq!(
        create(&[("Content-Type", "appl\u{130}cation/json"), LENGTH]).first(),
        Some(&odd_type(Irregular::Malformed))
    );
    // A start's body is a legacy form and read by its length; an archive's type is its own.
    assert_eq!(odd("POST", "/v1.23/containers/x/start", Version::HTTP_11, &[text, LENGTH]), []);
    assert_eq!(
        odd("PUT", "/containers/x/archive", Version::HTTP_11, &[("Content-Type", "application/x-tar"), LENGTH]),
        []
    );
}

#[test]
fn form_bodies_would_override_the_query() {
    let form = [(Irregular::FormBody, "Content-Type".to_owned())];
    let rows = [
        ("POST", "/v1.41/build?networkmode=none&t=h2x"),
        ("POST", "/v1.41/images/busybox:1.0/tag?repo=h2ok&tag=1"),
        ("POST", "/v1.41/images/create?fromImage=busybox&tag=1.0"),
        ("POST", "/v1.41/containers/x/rename?name=a"),
        ("PUT", "/v1.41/containers/x/archive?path=/"),
        ("PATCH", "/v1.41/containers/x"),
    ];
    for (method, target) in rows {
        for kind in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-URLencoded ; charset",
            "multipart/form-data; boundary=x",
            "multipart/mixed",
        ] {
            let lines = [("Content-Type", kind), LENGTH];
            assert_eq!(odd(method, target, Version::HTTP_11, &lines), form, "{method} {target} {kind}");
        }
        assert_eq!(odd(method, target, Version::HTTP_11, &[FORM, CHUNKED]), form);
        assert_eq!(odd(method, target, Version::HTTP_11, &[FORM]), []);
    }
    assert_eq!(odd("DELETE", "/containers/x", Version::HTTP_11, &[FORM, LENGTH]), []);
}

#[test]
fn http2_and_grpc_are_named() {
    let preface = ask_with("PRI", "*", Version::HTTP_2, &[]);
    assert_eq!(kinds(&preface), [(Irregular::Path, "path"), (Irregular::Http2, "version")]);
    assert_eq!(odd("GET", "/_ping", Version::HTTP_2, &[]), [(Irregular::Http2, "version".to_owned())]);
    assert_eq!(odd("GET", "/_ping", Version::HTTP_09, &[]), [(Irregular::Malformed, "version".to_owned())]);
    let grpc = odd("GET", "/_ping", Version::HTTP_11, &[("Content-Type", "Application/GRPC+proto")]);
    assert_eq!(grpc, [(Irregular::Ambiguous, "Content-Type".to_owned())]);
}

#[test]
fn a_head_says_whether_a_body_follows() {
    let has = |lines: &[Line]| {
        let headers = lines.iter().map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let (uri, headers) = (Uri::from_static("/"), headers.collect());
        Head { method: &Method::POST, uri: &uri, version: Version::HTTP_11, headers: &headers }.has_body()
    };
    assert!(!has(&[]));
    assert!(!has(&[("Content-Length", "0")]));
    assert!(!has(&[("Content-Length", " 000 ")]));
    assert!(has(&[LENGTH]));
    assert!(has(&[CHUNKED]));
    assert!(has(&[("Content-Length", "0"), CHUNKED]));
    assert!(has(&[("Content-Length", "")]));
    assert!(has(&[("Content-Length", "-0")]));
}
