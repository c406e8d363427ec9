//! Holding a document against the engine's struct: what does not fit, what is there twice, what nobody knows; and writing it
//! anew with every known key in its own spelling.

use std::fmt::{self, Write as _};

use super::fold::is_field;
use super::json::{Kind, Value};
use super::schema::{self, Field, Shape};
use crate::request::{Irregular, Irregularity};

/// Longest key that is quoted in a finding.
const MAX_QUOTED: usize = 64;

/// Most findings of one kind: a body of nothing but unknown keys must not make a record many times its size.
const MAX_FOUND: usize = 16;

/// Fields of a struct are marked in a word of this many bits.
const MAX_FIELDS: usize = u128::BITS as usize;

const _: () = assert!(schema::CONTAINER_CREATE.len() <= MAX_FIELDS, "the largest struct");

/// Where in the body a value is, built backwards on the stack and written only when there is something to say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Element(&'p Place<'p>, usize),
}

/// What is odd about a body, so far.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<Irregularity>);

impl Found {
    pub(super) fn push(&mut self, kind: Irregular, place: &Place<'_>, detail: fmt::Arguments<'_>) {
        let before = self.0.iter().filter(|found| found.kind == kind).count();
        if before < MAX_FOUND {
            self.0.push(Irregularity { kind, field: place.to_string(), detail: detail.to_string() });
        } else if before == MAX_FOUND {
            let detail = format!("has more than {MAX_FOUND} of these; the rest is not listed");
            self.0.push(Irregularity { kind, field: Place::Root.to_string(), detail });
        }
    }

    pub(super) fn into_list(self) -> Vec<Irregularity> {
        self.0
    }
}

/// Matches an object's keys to fields. Clients write keys in the order of Go's struct, so that the next field is tried first.
#[derive(Debug)]
struct Matcher {
    fields: &'static [Field],
    next: usize,
}

impl Matcher {
    const fn new(fields: &'static [Field]) -> Self {
        Self { fields, next: 0 }
    }

    fn find(&mut self, key: &str) -> Option<(usize, &'static Field)> {
        let (before, after) = self.fields.split_at_checked(self.next).unwrap_or((self.fields, &[]));
        let found = after.iter().zip(self.next..).chain(before.iter().zip(0..));
        let (field, at) = found.into_iter().find(|((name, _), _)| is_field(key, name))?;
        self.next = at + 1;
        Some((at, field))
    }
}

/// The members of an object that are fields of a struct: name, value.
pub(super) fn fields<'d, 'a>(
    object: Value<'d, 'a>,
    known: &'static [Field],
) -> impl Iterator<Item = (&'static str, Value<'d, 'a>)> {
    numbered(object, known).map(|(_, name, value)| (name, value))
}

/// As [`fields`], with the field's place in the struct.
pub(super) fn numbered<'d, 'a>(
    object: Value<'d, 'a>,
    known: &'static [Field],
) -> impl Iterator<Item = (usize, &'static str, Value<'d, 'a>)> {
    let mut matcher = Matcher::new(known);
    object.members().filter_map(move |(key, value)| matcher.find(&key).map(|(at, (name, _))| (at, *name, value)))
}

/// Finds everything that is odd about a value of a type.
pub(super) fn check(value: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Found) {
    let kind = value.kind();
    match (shape, kind) {
        // Go leaves the variable as it is, or sets it to nil.
        (_, Kind::Null) | (Shape::Any, _) | (Shape::Bool, Kind::Bool) => {}
        (Shape::Int, Kind::Number) if value.integer().is_some() => {}
        (Shape::Uint, Kind::Number) if value.number::<u64>().is_some() => {}
        (Shape::Uint16, Kind::Number) if value.number::<u16>().is_some() => {}
        (Shape::Uint32, Kind::Number) if value.number::<u32>().is_some() => {}
        (Shape::Int | Shape::Uint | Shape::Uint16 | Shape::Uint32, Kind::Number) => {
            found.push(Irregular::Malformed, place, format_args!("is not {}; write one", shape_name(shape)));
        }
        (Shape::Text | Shape::Line | Shape::Ascii, Kind::String) => check_text(value, shape, place, found),
        (Shape::Words(element), Kind::String) => check(value, element, place, found),
        (Shape::Words(element) | Shape::List(element), Kind::Array) => check_elements(value, element, place, found),
        (Shape::Map(element), Kind::Object) => check_map(value, element, place, found),
        (Shape::Struct(known), Kind::Object) => check_struct(value, known, place, found),
        _mismatch => {
            let (is, wanted) = (kind_name(kind), shape_name(shape));
            found.push(Irregular::Malformed, place, format_args!("is {is} where the engine wants {wanted}"));
        }
    }
}

fn check_text(value: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Found) {
    let is_prose = matches!(shape, Shape::Text);
    // JSON lets no control character but DEL stand in a string unescaped.
    if !value.is_escaped() && is_prose {
        return;
    }
    let Some(text) = value.text() else { return };
    if matches!(shape, Shape::Ascii) && !text.is_ascii() {
        let detail =
            format_args!("holds more than ASCII, which the engine turns into other letters; write plain ASCII");
        found.push(Irregular::Ambiguous, place, detail);
    }
    check_controls(&text, is_prose, place, found);
}

/// C strings end at a NUL, while Go's path cleaning takes it for a letter; what names something to the engine or the kernel
/// is read once more, often by line.
fn check_controls(text: &str, is_prose: bool, place: &Place<'_>, found: &mut Found) {
    if text.bytes().any(|byte| byte == 0 || (!is_prose && byte.is_ascii_control())) {
        let detail = format_args!("holds a control character, where readers differ; leave it out");
        found.push(Irregular::Ambiguous, place, detail);
    }
}

fn check_elements(array: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Found) {
    for (at, element) in array.elements().enumerate() {
        let place = Place::Element(place, at);
        if element.kind() == Kind::Null {
            let detail = format_args!("is null, which is empty or what an earlier list left there; leave it out");
            found.push(Irregular::Ambiguous, &place, detail);
        }
        check(element, shape, &place, found);
    }
}

fn check_map(map: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Found) {
    let mut keys: Vec<_> = map
        .members()
        .map(|(key, element)| {
            let place = Place::Field(place, &key);
            check_controls(&key, false, &place, found);
            check(element, shape, &place, found);
            key
        })
        .collect();
    keys.sort_unstable();
    for pair in keys.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            let detail = format_args!("is there twice, where the engine merges both; write it once");
            found.push(Irregular::Ambiguous, &Place::Field(place, first), detail);
        }
    }
}

fn check_struct(object: Value<'_, '_>, known: &'static [Field], place: &Place<'_>, found: &mut Found) {
    let mut matcher = Matcher::new(known);
    let mut seen = 0_u128;
    for (key, member) in object.members() {
        let Some((at, (name, shape))) = matcher.find(&key) else {
            let detail = format_args!("is no field that is known; it is passed on unjudged");
            found.push(Irregular::UnknownField, &Place::Field(place, &key), detail);
            continue;
        };
        let place = Place::Field(place, name);
        let mark = 1 << at;
        if seen & mark != 0 {
            let detail = format_args!("is there twice, where the engine merges both; write it once");
            found.push(Irregular::Ambiguous, &place, detail);
        }
        seen |= mark;
        check(member, shape, &place, found);
    }
}

/// Writes a checked value anew: keys of structs in their own spelling, everything else as it came.
pub(super) fn write(value: Value<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
    match (shape, value.kind()) {
        (Shape::Struct(known), Kind::Object) => {
            let mut matcher = Matcher::new(known);
            write_members(value, out, |key| matcher.find(key).map(|(_, (name, shape))| (Some(*name), shape)));
        }
        (Shape::Map(element), Kind::Object) => write_members(value, out, |_key| Some((None, *element))),
        (Shape::List(element), Kind::Array) => {
            out.push(b'[');
            for (at, element_value) in value.elements().enumerate() {
                separate(at, out);
                write(element_value, element, out);
            }
            out.push(b']');
        }
        _plain => out.extend_from_slice(value.raw()),
    }
}

fn write_members(
    object: Value<'_, '_>,
    out: &mut Vec<u8>,
    mut find: impl FnMut(&str) -> Option<(Option<&'static str>, &'static Shape)>,
) {
    out.push(b'{');
    for (at, (key, value)) in object.pairs().enumerate() {
        separate(at, out);
        let (name, shape) = find(&key.text().unwrap_or_default()).unwrap_or((None, &Shape::Any));
        match name {
            Some(name) => {
                out.push(b'"');
                out.extend_from_slice(name.as_bytes());
                out.push(b'"');
            }
            None => out.extend_from_slice(key.raw()),
        }
        out.push(b':');
        write(value, shape, out);
    }
    out.push(b'}');
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    }
}

const fn shape_name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any => "anything",
        Shape::Bool => "a boolean",
        Shape::Int => "a 64-bit integer",
        Shape::Uint => "an unsigned 64-bit integer",
        Shape::Uint16 => "an unsigned 16-bit integer",
        Shape::Uint32 => "an unsigned 32-bit integer",
        Shape::Text | Shape::Line | Shape::Ascii => "a string",
        Shape::Words(_) => "a string or an array of strings",
        Shape::List(_) => "an array",
        Shape::Map(_) | Shape::Struct(_) => "an object",
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("body"),
            Self::Field(Self::Root, name) => write_name(name, f),
            Self::Field(parent, name) => {
                write!(f, "{parent}.")?;
                write_name(name, f)
            }
            Self::Element(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

/// A name in one line, and not longer than a record wants it: the client chose it.
fn write_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    name.chars().take(MAX_QUOTED).try_for_each(|letter| match letter.is_control() {
        true => write!(f, "{}", letter.escape_unicode()),
        false => f.write_char(letter),
    })?;
    if name.chars().nth(MAX_QUOTED).is_some() { f.write_str("…") } else { Ok(()) }
}
