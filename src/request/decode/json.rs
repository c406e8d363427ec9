//! JSON in Go's grammar, read once into a flat list of nodes that borrow the input.
//!
//! A tape rather than a tree: one allocation, spans for writing the body anew byte for byte, and no recursion that a client's
//! nesting could exhaust. Strings are unescaped only when somebody asks for them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::request::Text;

/// Bounds of one document.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Deepest nesting. Go stops at 10,000; no client nests deeper than ten.
    pub depth: usize,
    /// Most nodes.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, nodes: 1 << 20 }
    }
}

/// Where and why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    /// Byte offset.
    pub offset: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// A JSON value and everything below it. Its `Debug` says nothing of what is in it: bodies hold secrets.
pub struct Document<'a> {
    input: &'a [u8],
    nodes: Vec<Node>,
    end: usize,
    flaw: Option<usize>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One value of a document.
#[derive(Clone, Copy)]
pub struct Value<'d, 'a> {
    document: &'d Document<'a>,
    index: usize,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// A string with escapes.
    escaped: bool,
    start: u32,
    end: u32,
    /// The node behind this one and everything below it.
    next: u32,
}

impl<'a> Document<'a> {
    /// Reads one value. What follows it is the caller's to judge, see [`Document::rest`].
    ///
    /// # Errors
    /// If it is not JSON in Go's grammar, or exceeds a limit.
    pub fn read(input: &'a [u8], limits: Limits) -> Result<Self, JsonError> {
        let mut reader =
            Reader { input, at: 0, nodes: Vec::with_capacity(input.len() / 24), open: Vec::new(), flaw: None };
        if u32::try_from(input.len()).is_err() {
            return Err(reader.error("a document of 4 GiB"));
        }
        reader.value(limits)?;
        Ok(Self { input, end: reader.at, nodes: reader.nodes, flaw: reader.flaw })
    }

    /// The value.
    pub const fn root(&self) -> Value<'_, 'a> {
        Value { document: self, index: 0 }
    }

    /// What follows the value, from the first byte on that is no white space.
    pub fn rest(&self) -> &'a [u8] {
        let behind = self.input.get(self.end..).unwrap_or_default();
        let space = behind.iter().take_while(|byte| is_space(**byte)).count();
        behind.get(space..).unwrap_or_default()
    }

    /// Offset of the first invalid UTF-8 or lone surrogate in a string. Go reads U+FFFD there; others refuse it.
    pub const fn flaw(&self) -> Option<usize> {
        self.flaw
    }

    fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }
}

impl<'d, 'a> Value<'d, 'a> {
    /// What it is.
    pub fn kind(self) -> Kind {
        self.document.node(self.index).map_or(Kind::Null, |node| node.kind)
    }

    /// The source of the value, quotes and all.
    pub fn raw(self) -> &'a [u8] {
        let span = self.document.node(self.index).map(|node| node.start as usize..node.end as usize);
        span.and_then(|span| self.document.input.get(span)).unwrap_or_default()
    }

    /// A string's text.
    pub fn text(self) -> Option<Text<'a>> {
        let node = self.document.node(self.index).filter(|node| node.kind == Kind::String)?;
        let inner = self.raw().get(1..).and_then(|raw| raw.split_last()).map(|(_quote, inner)| inner)?;
        Some(if node.escaped { Cow::Owned(unescape(inner)) } else { utf8(inner) })
    }

    /// Whether it is a string with escapes in it.
    pub(super) fn is_escaped(self) -> bool {
        self.document.node(self.index).is_some_and(|node| node.escaped)
    }

    /// A boolean's value.
    pub fn boolean(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == b"true")
    }

    /// A number's value, if Go could decode it into an `int64`: no fraction, no exponent, no overflow.
    pub fn integer(self) -> Option<i64> {
        self.number()
    }

    /// As [`Value::integer`], of Go's type of the same size.
    pub(super) fn number<T: FromStr>(self) -> Option<T> {
        let is_number = self.kind() == Kind::Number;
        is_number.then(|| str::from_utf8(self.raw()).ok()?.parse().ok()).flatten()
    }

    /// Whether the value leaves a Go variable as it was made: null, false, 0 or an empty string.
    pub(super) fn is_zero(self) -> bool {
        matches!(self.raw(), b"null" | b"false" | b"0" | b"\"\"")
    }

    /// An array's elements; none for anything else.
    pub fn elements(self) -> impl Iterator<Item = Value<'d, 'a>> {
        let mut next = self.below(Kind::Array);
        std::iter::from_fn(move || {
            let (index, end) = next?;
            let value = Value { document: self.document, index };
            next = value.behind(end);
            Some(value)
        })
    }

    /// An object's members, in order, duplicates included; none for anything else.
    pub fn members(self) -> impl Iterator<Item = (Text<'a>, Value<'d, 'a>)> {
        self.pairs().map(|(key, value)| (key.text().unwrap_or_default(), value))
    }

    /// As [`Value::members`], with the keys as they were written.
    pub(super) fn pairs(self) -> impl Iterator<Item = (Value<'d, 'a>, Value<'d, 'a>)> {
        let mut next = self.below(Kind::Object);
        std::iter::from_fn(move || {
            let (index, end) = next?;
            let key = Value { document: self.document, index };
            let value = Value { document: self.document, index: index + 1 };
            next = value.behind(end);
            Some((key, value))
        })
    }

    /// First node below, and the node behind them all.
    fn below(self, kind: Kind) -> Option<(usize, usize)> {
        let node = self.document.node(self.index).filter(|node| node.kind == kind)?;
        let end = node.next as usize;
        (self.index + 1 < end).then_some((self.index + 1, end))
    }

    fn behind(self, end: usize) -> Option<(usize, usize)> {
        let next = self.document.node(self.index)?.next as usize;
        (next < end).then_some((next, end))
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.input.len()).field("nodes", &self.nodes.len()).finish()
    }
}

impl fmt::Debug for Value<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("kind", &self.kind()).field("bytes", &self.raw().len()).finish()
    }
}

/// An array or object that is not closed yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: usize,
    is_object: bool,
}

#[derive(Debug)]
struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    open: Vec<Open>,
    flaw: Option<usize>,
}

impl Reader<'_> {
    fn value(&mut self, limits: Limits) -> Result<(), JsonError> {
        loop {
            if self.nodes.len() >= limits.nodes {
                return Err(self.error("more values than can be judged"));
            }
            self.skip_space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if self.open.len() >= limits.depth {
                        return Err(self.error("nested deeper than can be judged"));
                    }
                    if self.begin(open == b'{')? {
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true", Kind::Bool)?,
                Some(b'f') => self.word(b"false", Kind::Bool)?,
                Some(b'n') => self.word(b"null", Kind::Null)?,
                Some(_) => return Err(self.error("no JSON value")),
                None => return Err(self.error("an unexpected end")),
            }
            if !self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Opens an array or object; tells whether a value follows, which it does unless it is empty.
    fn begin(&mut self, is_object: bool) -> Result<bool, JsonError> {
        let kind = if is_object { Kind::Object } else { Kind::Array };
        self.push(kind, self.at, self.at, false);
        self.open.push(Open { node: self.nodes.len() - 1, is_object });
        self.at += 1;
        self.skip_space();
        let close = if is_object { b'}' } else { b']' };
        if self.peek() == Some(close) {
            self.close();
            return Ok(false);
        }
        if is_object {
            self.key()?;
        }
        Ok(true)
    }

    /// Behind a value: closes what ends here; tells whether another value follows.
    fn after_value(&mut self) -> Result<bool, JsonError> {
        while let Some(open) = self.open.last().copied() {
            self.skip_space();
            match (self.peek(), open.is_object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.skip_space();
                    self.key()?;
                    return Ok(true);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => self.close(),
                (Some(_), _) => return Err(self.error("neither a comma nor an end")),
                (None, _) => return Err(self.error("an unexpected end")),
            }
        }
        Ok(false)
    }

    fn close(&mut self) {
        self.at += 1;
        let next = index(self.nodes.len());
        if let Some(node) = self.open.pop().and_then(|open| self.nodes.get_mut(open.node)) {
            node.end = index(self.at);
            node.next = next;
        }
    }

    fn key(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("a member without a quoted name"));
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.error("a name without a colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let (mut is_ascii, mut escaped) = (true, false);
        self.at += 1;
        loop {
            let run = Run::of(self.input.get(self.at..).unwrap_or_default());
            self.at += run.length;
            is_ascii &= run.is_ascii;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string without an end")),
            }
        }
        if !is_ascii && let Err(error) = str::from_utf8(self.input.get(start..self.at).unwrap_or_default()) {
            self.flawed(start + error.valid_up_to());
        }
        self.at += 1;
        self.push(Kind::String, start, self.at, escaped);
        Ok(())
    }

    /// Behind a backslash.
    fn escape(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let at = self.at;
                let rest = self.input.get(at + 1..).unwrap_or_default();
                let Some(unit) = hex_unit(rest) else { return Err(self.error("a \\u without four hex digits")) };
                self.at += 5;
                let is_pair = is_high(unit) && self.input.get(self.at..).and_then(low_escape).is_some();
                if is_pair {
                    self.at += 6;
                } else if is_high(unit) || is_low(unit) {
                    self.flawed(at - 1);
                }
            }
            _ => return Err(self.error("an unknown escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.error("a minus without digits")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        self.push(Kind::Number, start, self.at, false);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("a number without digits")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<(), JsonError> {
        let start = self.at;
        if !self.input.get(start..).unwrap_or_default().starts_with(word) {
            return Err(self.error("no JSON value"));
        }
        self.at += word.len();
        self.push(kind, start, self.at, false);
        Ok(())
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, escaped: bool) {
        let next = index(self.nodes.len() + 1);
        self.nodes.push(Node { kind, escaped, start: index(start), end: index(end), next });
    }

    fn flawed(&mut self, at: usize) {
        self.flaw = Some(self.flaw.map_or(at, |first| first.min(at)));
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    const fn error(&self, reason: &'static str) -> JsonError {
        JsonError { offset: self.at, reason }
    }
}

/// The start of a string's text, up to a quote, a backslash, a control character or the end.
#[derive(Debug, Clone, Copy)]
struct Run {
    length: usize,
    /// False also if a byte shortly behind the run is none.
    is_ascii: bool,
}

impl Run {
    /// Looks at eight bytes at a time: bodies are mostly text, and this is where their reading spends its time.
    fn of(bytes: &[u8]) -> Self {
        let (words, tail) = bytes.as_chunks::<8>();
        let mut high = 0;
        for (at, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            high |= word & HIGH;
            let stops = zeros(word ^ (EACH * u64::from(b'"')))
                | zeros(word ^ (EACH * u64::from(b'\\')))
                | (word.wrapping_sub(EACH * 0x20) & !word & HIGH);
            if stops != 0 {
                let within = stops.trailing_zeros() / 8;
                return Self { length: at * 8 + within as usize, is_ascii: high == 0 };
            }
        }
        let length = tail.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
        Self { length: words.len() * 8 + length, is_ascii: high == 0 && tail.is_ascii() }
    }
}

const EACH: u64 = u64::MAX / 0xFF;
const HIGH: u64 = EACH * 0x80;

/// Marks the bytes that are zero. Bytes above the lowest mark may be marked wrongly, which is why only that one is used.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & HIGH
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Offsets fit: [`Document::read`] refuses inputs that do not, and there are fewer nodes than bytes.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xD800..=0xDBFF)
}

const fn is_low(unit: u16) -> bool {
    matches!(unit, 0xDC00..=0xDFFF)
}

fn hex_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.get(..4)?;
    let all_hex = digits.iter().all(u8::is_ascii_hexdigit);
    all_hex.then(|| u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

/// The low half of a surrogate pair, if an escape of one follows.
fn low_escape(bytes: &[u8]) -> Option<u16> {
    bytes.strip_prefix(b"\\u").and_then(hex_unit).filter(|&unit| is_low(unit))
}

/// Unescapes a string that was found well-formed.
fn unescape(mut raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    while let Some(at) = memchr::memchr(b'\\', raw) {
        let (plain, escape) = raw.split_at_checked(at).unwrap_or_default();
        text.push_str(&utf8(plain));
        let (code, rest) = escape.get(1..).and_then(<[u8]>::split_first).unwrap_or((&b'\\', &[]));
        raw = rest;
        match code {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let unit = hex_unit(raw).unwrap_or(0xFFFD);
                raw = raw.get(4..).unwrap_or_default();
                let low = low_escape(raw).filter(|_| is_high(unit));
                if low.is_some() {
                    raw = raw.get(6..).unwrap_or_default();
                }
                let units = [Some(unit), low].into_iter().flatten();
                text.extend(char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            other => text.push(char::from(*other)),
        }
    }
    text.push_str(&utf8(raw));
    text
}

/// Text with one U+FFFD for each byte that is no UTF-8, as in Go; Rust's own lossy reading has one for several.
fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    // Whole texts are checked a word at a time, mending ones byte by byte.
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}
