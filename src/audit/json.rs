//! JSON written straight into one buffer: every text that came from outside is escaped and has a limit.

use std::fmt::Display;
use std::io::Write;

/// An object being written. Keys are our own words; values are bounded by the caller's limit.
#[derive(Debug)]
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// An array being written.
#[derive(Debug)]
pub(super) struct Array<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Goes on with an object of which members were already written.
    pub(super) fn resume(out: &'a mut Vec<u8>) -> Self {
        Self { out, empty: false }
    }

    /// Writes a key of ours, and leaves the value to the caller.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes a key that came from outside.
    pub(super) fn foreign_key(&mut self, key: &str, limit: usize) -> &mut Vec<u8> {
        self.separate();
        string(self.out, key, limit);
        self.out.push(b':');
        self.out
    }

    pub(super) fn text(&mut self, key: &str, value: &str, limit: usize) {
        string(self.key(key), value, limit);
    }

    pub(super) fn display(&mut self, key: &str, value: impl Display) {
        display(self.key(key), value);
    }

    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::begin(self.key(key));
        write(&mut object);
        object.end();
    }

    pub(super) fn array(&mut self, key: &str, write: impl FnOnce(&mut Array<'_>)) {
        let mut array = Array::begin(self.key(key));
        write(&mut array);
        array.end();
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}

impl<'a> Array<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Leaves the next element to the caller.
    pub(super) fn element(&mut self) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out
    }

    pub(super) fn text(&mut self, value: &str, limit: usize) {
        string(self.element(), value, limit);
    }

    pub(super) fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::begin(self.element());
        write(&mut object);
        object.end();
    }

    pub(super) fn end(self) {
        self.out.push(b']');
    }
}

/// Writes something that needs no quotes: a number, `true`, `null`.
pub(super) fn display(out: &mut Vec<u8>, value: impl Display) {
    // Writing into a Vec cannot fail.
    let _infallible = write!(out, "{value}");
}

/// Writes a string of at most `limit` bytes of `value`; a longer one ends in `…+N`, where N is the number of bytes left out.
pub(super) fn string(out: &mut Vec<u8>, value: &str, limit: usize) {
    out.push(b'"');
    if value.len() <= limit {
        escape(out, value);
    } else {
        let kept = (0..=limit).rev().find_map(|end| value.get(..end)).unwrap_or_default();
        escape(out, kept);
        display(out, format_args!("…+{}", value.len() - kept.len()));
    }
    out.push(b'"');
}

/// Escapes what JSON must, and what would let a record draw on the terminal of who reads it: C1 controls, line
/// separators and bidirectional overrides.
fn escape(out: &mut Vec<u8>, value: &str) {
    // In blocks without a branch, which the compiler turns into vector instructions; most texts need no look at all.
    let calm = |block: &[u8]| !block.iter().fold(false, |found, byte| found | needs_a_look(*byte));
    if value.as_bytes().chunks(32).all(calm) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    for c in value.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => display(out, format_args!("\\u{:04x}", u32::from(c))),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Lead bytes of everything that [`escape`] may have to change: C2 begins the C1 controls, E2 the rest.
const fn needs_a_look(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f | 0xc2 | 0xe2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_cannot_draw_on_a_terminal() {
        let mut out = Vec::new();
        string(&mut out, "a\u{1b}[2J\u{9b}\u{202e}\u{7f}é…", 100);
        assert_eq!(String::from_utf8(out).unwrap(), r#""a\u001b[2J\u009b\u202e\u007fé…""#);
    }

    #[test]
    fn a_long_text_says_how_much_is_missing() {
        let mut out = Vec::new();
        string(&mut out, "ééé", 3);
        assert_eq!(String::from_utf8(out).unwrap(), "\"é…+4\"");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let mut out = Vec::new();
            string(&mut out, &text, usize::MAX);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
