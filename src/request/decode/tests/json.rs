use proptest::prelude::*;
use serde::de::IgnoredAny;

use crate::request::decode::{Document, JsonError, Kind, Limits, Value};

fn read(input: &(impl AsRef<[u8]> + ?Sized)) -> Result<Document<'_>, JsonError> {
    Document::read(input.as_ref(), Limits::default())
}

/// The same value in another reader's types; of a key that is there twice the last.
fn plain(value: Value<'_, '_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.boolean().unwrap().into(),
        Kind::Number => serde_json::from_slice(value.raw()).unwrap(),
        Kind::String => value.text().unwrap().into(),
        Kind::Array => value.elements().map(plain).collect(),
        Kind::Object => value.members().map(|(key, value)| (key.into_owned(), plain(value))).collect(),
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for (input, offset) in [
        ("", 0),
        (" ", 1),
        ("\u{feff}{}", 0),
        ("nul", 0),
        ("True", 0),
        ("NaN", 0),
        ("'a'", 0),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("[,1]", 1),
        ("[1}", 2),
        ("[", 1),
        (r#"{"a":1,}"#, 7),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":}"#, 5),
        (r#"{"a":1"#, 6),
        (r#"{"a"}"#, 4),
        ("{a:1}", 1),
        ("{1:1}", 1),
        (r#"[1/*x*/]"#, 2),
        ("[01]", 2),
        ("[-]", 2),
        ("[+1]", 1),
        ("[.5]", 1),
        ("[1.]", 3),
        ("[1e]", 3),
        ("[0x10]", 2),
        ("\"a", 2),
        ("\"\\", 2),
        ("\"a\nb\"", 2),
        ("\"12345678\u{1}\"", 9),
        (r#""\x41""#, 2),
        (r#""\u12g4""#, 2),
        (r#""\u12"#, 2),
    ] {
        let error = read(input).unwrap_err();
        assert_eq!(error.offset, offset, "{input}: {error}");
    }
}

#[test]
fn values_are_read() {
    let input =
        r#" {"a" : [1, -0.5e+3, {}, []], "\u0062": "x\u00e9\ud83d\ude00\n\/", "c": {"d": null}, "e": true, "f": ""} "#;
    let document = read(input).unwrap();
    assert_eq!(document.rest(), b"");
    assert_eq!(document.flaw(), None);
    assert_eq!(plain(document.root()), serde_json::from_str::<serde_json::Value>(input).unwrap());
    let raws: Vec<_> = document.root().members().map(|(_, value)| str::from_utf8(value.raw()).unwrap()).collect();
    let expected = ["[1, -0.5e+3, {}, []]", r#""x\u00e9\ud83d\ude00\n\/""#, r#"{"d": null}"#, "true", r#""""#];
    assert_eq!(raws, expected);
}

#[test]
fn members_keep_order_and_duplicates() {
    let document = read(r#"{"b":1,"a":2,"b":3}"#).unwrap();
    let keys: Vec<_> =
        document.root().members().map(|(key, value)| format!("{key}{}", value.integer().unwrap())).collect();
    assert_eq!(keys, ["b1", "a2", "b3"]);
}

#[test]
fn what_follows_is_handed_back() {
    for (input, rest) in
        [("{}", ""), ("{} \r\n\t", ""), ("{}}x", "}x"), ("[1]/*x*/", "/*x*/"), ("[] \u{c}", "\u{c}"), ("1 2", "2")]
    {
        assert_eq!(read(input).unwrap().rest(), rest.as_bytes(), "{input}");
    }
}

#[test]
fn integers_are_those_of_go() {
    for (input, value) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("1.0", None),
        ("1e3", None),
        ("\"1\"", None),
        ("true", None),
    ] {
        assert_eq!(read(input).unwrap().root().integer(), value, "{input}");
    }
}

#[test]
fn broken_text_is_readable_and_reported() {
    for (input, text, flaw) in [
        (&b"\"/et\xffc\""[..], "/et\u{fffd}c", Some(4)),
        (b"\"12345678\xff12345678\"", "12345678\u{fffd}12345678", Some(9)),
        (br#""/\ud800:/h""#, "/\u{fffd}:/h", Some(2)),
        (br#""\udc00""#, "\u{fffd}", Some(1)),
        (br#""\ud800\u0041""#, "\u{fffd}A", Some(1)),
        (b"\"\xff\\ud800\"", "\u{fffd}\u{fffd}", Some(1)),
        (b"\"\\ud800\xff\"", "\u{fffd}\u{fffd}", Some(1)),
        ("\"ſ\u{ff}é\"".as_bytes(), "ſ\u{ff}é", None),
    ] {
        let document = read(input).unwrap();
        assert_eq!(document.root().text().as_deref(), Some(text));
        assert_eq!(document.flaw(), flaw, "{text}");
    }
    assert_eq!(read(b"{\"a\":\"\",\"\xff\":1}").unwrap().flaw(), Some(9), "keys are text too");
}

#[test]
fn limits_refuse() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let document = nested(128);
    assert!(read(&document).is_ok());
    assert_eq!(read(&nested(129)).unwrap_err().reason, "nested deeper than can be judged");
    assert!(read(&"[".repeat(1_000_000)).is_err(), "no recursion to exhaust");
    let limits = Limits { depth: 128, nodes: 4 };
    assert!(Document::read(b"[1,2,3]", limits).is_ok());
    assert_eq!(Document::read(b"[1,2,3,4]", limits).unwrap_err().reason, "more values than can be judged");
}

#[test]
fn debug_tells_no_secrets() {
    let document = read(r#"{"Env":["TOKEN=hunter2"]}"#).unwrap();
    let shown = format!("{document:?} {:?}", document.root());
    assert!(!shown.contains("hunter2") && shown.contains("nodes"), "{shown}");
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        "[a-z\"\\\\\u{0}-\u{1f}é]{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..8).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn reads_as_another_reader_does(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let document = read(&text).unwrap();
        prop_assert_eq!(plain(document.root()), value);
        prop_assert_eq!(document.root().raw(), &text[..]);
        prop_assert_eq!(document.flaw(), None);
    }

    #[test]
    fn accepts_what_another_reader_accepts(
        text in r#"([\[\]{}:, \t\n]|"a"|"\\"|"\\u00e9"|"\\q"|"[\x00-\x7fé]{0,12}"|-|0|12|1\.5|\.|e|E\+|true|false|null|nul){0,16}"#,
    ) {
        let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        let ours = read(&text).is_ok_and(|document| document.rest().is_empty());
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), json in r#"[\[\]{}:,"\\u0d8f-]{0,40}"#) {
        for input in [&bytes[..], json.as_bytes()] {
            if let Ok(document) = read(input) {
                let _read = plain_text(document.root());
            }
        }
    }
}

fn plain_text(value: Value<'_, '_>) -> usize {
    let below: usize = value.elements().chain(value.members().map(|(_, value)| value)).map(plain_text).sum();
    value.text().map_or(0, |text| text.len()) + value.raw().len() + below
}
