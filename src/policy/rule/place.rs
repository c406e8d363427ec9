//! From a place in an expression to the place in the policy file, through the TOML string that holds it.

use std::ops::Range;

/// Where each byte of a TOML string's value is written.
#[derive(Debug)]
pub(super) struct Places {
    whole: Range<usize>,
    /// Offset in the file of each byte of the value, and of its end; empty where the writing could not be followed.
    offsets: Vec<usize>,
}

impl Places {
    /// Follows how `value` is written at `whole` in `file`.
    pub(super) fn of(file: &str, whole: Range<usize>, value: &str) -> Self {
        let written = file.get(whole.clone()).unwrap_or_default();
        let offsets = follow(written, value).unwrap_or_default();
        let offsets = offsets.into_iter().map(|offset| offset + whole.start).collect();
        Self { whole, offsets }
    }

    /// The range in the file of a range of the value; the whole string where that is not known.
    pub(super) fn range(&self, within: Range<usize>) -> Range<usize> {
        match (self.offsets.get(within.start), self.offsets.get(within.end)) {
            (Some(start), Some(end)) => *start..*end,
            _unknown => self.whole.clone(),
        }
    }
}

/// Offsets in `written` of the bytes of `value`, if the one says the other.
fn follow(written: &str, value: &str) -> Option<Vec<usize>> {
    let (open, is_literal) = ["'''", "\"\"\"", "'", "\""]
        .iter()
        .find(|quotes| written.starts_with(**quotes) && written.len() >= 2 * quotes.len())
        .map(|quotes| (quotes.len(), quotes.starts_with('\'')))?;
    let end = written.len() - open;
    let mut at = open;
    if open == 3 {
        // A newline right behind the quotes is not part of the value.
        let rest = written.get(at..)?;
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut offsets = Vec::with_capacity(value.len() + 1);
    for letter in value.chars() {
        let mut length = letter.len_utf8();
        if !is_literal && written.get(at..)?.starts_with('\\') {
            at = skip_line_end(written, at)?;
            if written.get(at..)?.starts_with('\\') {
                length = escape_length(written.get(at..)?)?;
            } else if !written.get(at..)?.starts_with(letter) {
                return None;
            }
        } else if !written.get(at..)?.starts_with(letter) {
            return None;
        }
        offsets.extend(std::iter::repeat_n(at, letter.len_utf8()));
        at += length;
    }
    offsets.push(if is_literal { at } else { skip_line_end(written, at)? });
    (offsets.last() == Some(&end)).then_some(offsets)
}

/// Behind backslashes at the ends of lines, with the white space that they join away.
fn skip_line_end(written: &str, mut at: usize) -> Option<usize> {
    loop {
        let Some(rest) = written.get(at..)?.strip_prefix('\\') else { return Some(at) };
        let text = rest.trim_start_matches([' ', '\t']);
        if !text.starts_with(['\n', '\r']) {
            return Some(at);
        }
        at += 1 + rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }
}

/// Bytes of the escape at the beginning of a text.
fn escape_length(text: &str) -> Option<usize> {
    Some(match text.chars().nth(1)? {
        'x' => 4,
        'u' => 6,
        'U' => 10,
        _one_letter => 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_value_is_found_in_the_file() {
        for (written, value, part) in [
            ("'a == b'", "a == b", "b"),
            ("\"a == 'b'\"", "a == 'b'", "'b'"),
            (r#""a == \"ö\" && b""#, "a == \"ö\" && b", "b"),
            ("\"a == '\\u00f6' && b\"", "a == 'ö' && b", "b"),
            ("'''\na &&\n  b'''", "a &&\n  b", "b"),
            ("\"\"\"\na \\\n   && b\"\"\"", "a && b", "b"),
        ] {
            let file = format!("when = {written}\n");
            let places = Places::of(&file, 7..7 + written.len(), value);
            let at = value.rfind(part).unwrap();
            let range = places.range(at..at + part.len());
            assert_eq!(file.get(range.clone()), Some(part), "{written}");
            assert_eq!(range.start, file.rfind(part).unwrap(), "{written}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_the_whole_string() {
        let places = Places::of("x = 'abc'", 4..9, "abd");
        assert_eq!(places.range(0..1), 4..9);
        assert_eq!(Places::of("", 0..5, "abc").range(0..1), 0..5);
    }
}
