//! Percent-escapes, read and written as Go's `net/url` does.

use std::borrow::Cow;

/// A part of a target whose escapes have been read.
#[derive(Debug)]
pub(super) struct Unescaped<'a> {
    pub(super) text: Cow<'a, str>,
    /// Whether `text` is what was said; the engine keeps bytes that are not UTF-8, and here they are replaced.
    pub(super) exact: bool,
}

/// Where a text stands in a target: other characters need an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
}

/// Reads escapes once. `None` where a `%` is not followed by two hex digits, which the engine refuses.
pub(super) fn unescape(raw: &str, place: Place) -> Option<Unescaped<'_>> {
    let plus = place == Place::Query;
    if !raw.bytes().any(|byte| byte == b'%' || (plus && byte == b'+')) {
        return Some(Unescaped { text: Cow::Borrowed(raw), exact: true });
    }
    let mut bytes = raw.bytes();
    let mut out = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => (digit(bytes.next()?)? << 4) | digit(bytes.next()?)?,
            b'+' if plus => b' ',
            other => other,
        });
    }
    Some(match String::from_utf8(out) {
        Ok(text) => Unescaped { text: Cow::Owned(text), exact: true },
        Err(bad) => Unescaped { text: Cow::Owned(String::from_utf8_lossy(bad.as_bytes()).into_owned()), exact: false },
    })
}

/// Appends a text with the escapes it needs, and no other.
pub(super) fn escape(out: &mut String, text: &str, place: Place) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' | b':' | b'@' if place == Place::Path => out.push(char::from(byte)),
            b' ' if place == Place::Query => out.push('+'),
            other => {
                out.push('%');
                for nibble in [other >> 4, other & 0xf] {
                    out.extend(char::from_digit(nibble.into(), 16).map(|digit| digit.to_ascii_uppercase()));
                }
            }
        }
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
