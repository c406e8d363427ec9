//! What the engine reads from bodies that were written to be misread.

use proptest::prelude::*;

use super::json::{Document, Kind, Limits, Value};
use super::{Decoded, decode, write};
use crate::request::{Asked, Body, ContainerCreate, Irregular, Irregularity, Operation};

fn asked(operation: Operation) -> Asked {
    let why = Irregularity { kind: Irregular::Path, field: String::new(), detail: String::new() };
    let mut asked = Asked::unreadable(why);
    asked.irregularities.clear();
    asked.operation = operation;
    asked
}

fn read(body: &str) -> (ContainerCreate<'_>, Vec<Irregular>) {
    let Decoded { body, irregularities, .. } = decode(&asked(Operation::ContainerCreate), body.as_bytes());
    let kinds = irregularities.iter().map(|odd| odd.kind).collect();
    let create = if let Body::ContainerCreate(create) = body { *create } else { ContainerCreate::default() };
    (create, kinds)
}

#[test]
fn privileged_is_seen_however_it_is_written() {
    for (body, odd) in [
        (r#"{"HostConfig":{"Privileged":true}}"#, &[][..]),
        (r#"{"hostconfig":{"PRIVILEGED":true}}"#, &[]),
        ("{\"Ho\u{17f}tConfig\":{\"Privileged\":true}}", &[]),
        (r#"{"HostConfig":{"\u0050rivileged":true}}"#, &[]),
        (r#"{"HostConfig":{"Privileged":true,"Privileged":null}}"#, &[Irregular::Ambiguous]),
        (r#"{"HostConfig":{"Privileged":true,"privileged":false}}"#, &[Irregular::Ambiguous]),
        (r#"{"HostConfig":{"Privileged":true},"HostConfig":{}}"#, &[Irregular::Ambiguous]),
        (r#"{"Privileged":true}"#, &[Irregular::UnknownField]),
        (r#"{"Privileged":true,"HostConfig":null}"#, &[Irregular::UnknownField]),
        (r#"{"HostConfig":{"Privileged":true}} {"HostConfig":{}}"#, &[Irregular::Ambiguous]),
        (r#"{"HostConfig":{"Privileged":true}}}"#, &[Irregular::Ambiguous]),
    ] {
        let (create, kinds) = read(body);
        assert!(create.host.privileged, "{body}");
        assert_eq!(kinds, odd, "{body}");
    }
    assert!(
        !read(r#"{"Privileged":true,"HostConfig":{}}"#).0.host.privileged,
        "no engine reads it beside a HostConfig"
    );
}

#[test]
fn of_lists_that_come_twice_all_elements_are_judged() {
    let (create, odd) = read(r#"{"HostConfig":{"Binds":["/:/host"],"Binds":[null]}}"#);
    assert_eq!((create.host.binds, odd), (vec!["/:/host".into()], vec![Irregular::Ambiguous]));
    let (create, _) =
        read(r#"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/etc"}],"mounts":[{"ReadOnly":true}]}}"#);
    assert_eq!(create.host.mounts.first().map(|mount| mount.source.as_ref()), Some("/etc"));
}

#[test]
fn what_the_engine_cannot_read_is_malformed() {
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\u{feff}{}",
        "{'Image':1}",
        r#"{"Image":1}"#,
        r#"{"HostConfig":{"Privileged":"true"}}"#,
        r#"{"HostConfig":{"Memory":1.5}}"#,
        r#"{"HostConfig":{"Memory":1e3}}"#,
        r#"{"HostConfig":{"Memory":9223372036854775808}}"#,
        r#"{"HostConfig":[]}"#,
        r#"{"Image":"a",}"#,
        "{\"Image\":\"a\nb\"}",
        r#"{"Image":NaN}"#,
    ] {
        assert_eq!(read(body).1, [Irregular::Malformed], "{body}");
    }
    let deep = "[".repeat(200);
    assert_eq!(read(&deep).1, [Irregular::Malformed]);
}

#[test]
fn maps_are_not_folded_and_words_may_be_bare() {
    let (create, odd) =
        read(r#"{"Cmd":"sh","HostConfig":{"CapAdd":"ALL","Sysctls":{"A":"1","a":"2"},"MaskedPaths":[]}}"#);
    assert_eq!(odd, []);
    assert_eq!(create.host.cap_add, ["ALL"]);
    assert_eq!(create.host.sysctls.len(), 2);
    assert_eq!(create.host.masked_paths, Some(vec![]));
    assert_eq!(read(r#"{"HostConfig":{"MaskedPaths":null}}"#).0.host.masked_paths, None);
}

#[test]
fn a_nul_and_bad_unicode_have_two_readings() {
    for body in [r#"{"HostConfig":{"Binds":["/srv\u0000/../etc:/x"]}}"#, r#"{"Labels":{"a":"\ud800"}}"#] {
        assert_eq!(read(body).1, [Irregular::Ambiguous], "{body}");
    }
    let bytes = b"{\"Labels\":{\"a\":\"\xff\"}}";
    let decoded = decode(&asked(Operation::ContainerCreate), bytes);
    assert_eq!(decoded.irregularities.first().map(|odd| odd.kind), Some(Irregular::Ambiguous));
}

#[test]
fn a_body_is_written_anew_with_the_engines_own_names() {
    let body =
        r#" { "image" : "a\u0062", "HOSTCONFIG":{"binds":[ "/a:/b" ],"New":{"x": 1.0}}, "Labels":{"image":"x"} } "#;
    let document = Document::read(body.as_bytes(), Limits::default()).unwrap();
    let written = write(Operation::ContainerCreate, &document).unwrap();
    let expected = r#"{"Image":"a\u0062","HostConfig":{"Binds":["/a:/b"],"New":{"x": 1.0}},"Labels":{"image":"x"}}"#;
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

fn tree(value: Value<'_, '_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.boolean().unwrap().into(),
        Kind::Number => serde_json::from_slice(value.raw()).unwrap(),
        Kind::String => value.text().unwrap().into_owned().into(),
        Kind::Array => value.elements().map(tree).collect(),
        Kind::Object => value.members().map(|(key, value)| (key.into_owned(), tree(value))).collect(),
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_as_serde_json_reads_it(json in any_json()) {
        let text = json.to_string();
        let document = Document::read(text.as_bytes(), Limits::default()).unwrap();
        prop_assert_eq!(tree(document.root()), json);
        prop_assert!(document.rest().is_empty());
    }

    #[test]
    fn what_we_take_for_json_serde_json_takes_too(bytes in prop::collection::vec(prop::sample::select(br#"{}[]",:\u0019truefalsn-.eE /"#.to_vec()), 0..40)) {
        let ours = Document::read(&bytes, Limits::default());
        if let Ok(document) = ours && document.flaw().is_none() {
            let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(document.root().raw());
            prop_assert!(theirs.is_ok(), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn any_bytes_are_decoded_without_panic(bytes in any::<Vec<u8>>()) {
        let _decoded = decode(&asked(Operation::ContainerCreate), &bytes);
    }

    #[test]
    fn a_body_written_anew_reads_the_same(json in any_json()) {
        let text = serde_json::json!({"Image": "a", "Labels": {"x": "y"}, "HostConfig": {"Tmpfs": {"/a": "b"}, "New": json}}).to_string();
        let document = Document::read(text.as_bytes(), Limits::default()).unwrap();
        let written = write(Operation::ContainerCreate, &document).unwrap();
        let again = Document::read(&written, Limits::default()).unwrap();
        prop_assert_eq!(tree(again.root()), tree(document.root()));
    }
}
