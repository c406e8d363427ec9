//! Readings that were not the engine's, each found by holding this decoder against Go's own (`make fuzz`).

use super::host_of;
use crate::request::decode::{Document, Limits};

#[test]
fn every_broken_byte_is_one_replacement_as_in_go() {
    for (input, text) in [
        (&b"\"\xe2\x82:/h\""[..], "\u{fffd}\u{fffd}:/h"),
        (b"\"\xf0\x9f\x98\"", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\"\xed\xa0\x80\"", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\"\\n\xf0\x9f\x98\\n\xe2\x82\"", "\n\u{fffd}\u{fffd}\u{fffd}\n\u{fffd}\u{fffd}"),
        ("\"é\u{fffd}\"".as_bytes(), "é\u{fffd}"),
    ] {
        let document = Document::read(input, Limits::default()).unwrap();
        assert_eq!(document.root().text().as_deref(), Some(text), "{}", input.escape_ascii());
    }
}

#[test]
fn a_null_in_a_list_is_an_element() {
    let (groups, _odd) = host_of(r#"{"GroupAdd":[null,"a"]}"#, |host| host.group_add.join(" "));
    assert_eq!(groups, " a");
    let (groups, _odd) = host_of(r#"{"GroupAdd":["b"],"GroupAdd":[null]}"#, |host| host.group_add.join(" "));
    assert_eq!(groups, "b ", "in Go's reading b again");
}
