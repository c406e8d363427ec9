//! Holding a document against the engine's struct: what does not fit, what is there twice, what nobody knows; and writing it
//! anew with every known key once and in its own spelling.

use std::fmt;

use super::fold::is_field;
use super::json::{Kind, Value};
use super::schema::{Field, Shape};
use crate::request::{Irregular, Irregularity};

/// Longest key that is quoted in a finding.
const MAX_QUOTED: usize = 64;

/// Where in the body a value is, built backwards on the stack and written only when there is something to say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Element(&'p Place<'p>, usize),
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

/// The members of an object that are fields of a struct: name, type, value.
pub(super) fn fields<'d, 'a>(
    object: Value<'d, 'a>,
    known: &'static [Field],
) -> impl Iterator<Item = (&'static str, Value<'d, 'a>)> {
    let mut matcher = Matcher::new(known);
    object.members().filter_map(move |(key, value)| matcher.find(&key).map(|(_, (name, _))| (*name, value)))
}

/// Finds everything that is odd about a value of a type.
pub(super) fn check(value: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Vec<Irregularity>) {
    let kind = value.kind();
    if kind == Kind::Null {
        return;
    }
    match (shape, kind) {
        (Shape::Any, _) | (Shape::Bool, Kind::Bool) => {}
        (Shape::Int, Kind::Number) => {
            if value.integer().is_none() {
                found.push(malformed(place, "a number that is no 64-bit integer"));
            }
        }
        (Shape::Text | Shape::Words, Kind::String) => check_text(value, place, found),
        (Shape::Words, Kind::Array) => check_elements(value, &Shape::Text, place, found),
        (Shape::List(element), Kind::Array) => check_elements(value, element, place, found),
        (Shape::Map(element), Kind::Object) => check_map(value, element, place, found),
        (Shape::Struct(known), Kind::Object) => check_struct(value, known, place, found),
        _mismatch => {
            found.push(malformed(place, &format!("{} where {} is wanted", kind_name(kind), shape_name(shape))));
        }
    }
}

fn check_text(value: Value<'_, '_>, place: &Place<'_>, found: &mut Vec<Irregularity>) {
    // A raw NUL is no JSON, so that only an escape can make one. Go's path cleaning keeps it, C strings end there.
    if memchr::memmem::find(value.raw(), b"\\u0000").is_some() && value.text().is_some_and(|text| text.contains('\0')) {
        found.push(irregular(Irregular::Ambiguous, place, "holds a NUL byte, where readers differ; leave it out"));
    }
}

fn check_elements(value: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Vec<Irregularity>) {
    for (at, element) in value.elements().enumerate() {
        check(element, shape, &Place::Element(place, at), found);
    }
}

fn check_map(value: Value<'_, '_>, shape: &Shape, place: &Place<'_>, found: &mut Vec<Irregularity>) {
    let mut keys = Vec::new();
    for (key, element) in value.members() {
        check(element, shape, &Place::Field(place, &key), found);
        keys.push(key);
    }
    keys.sort_unstable();
    for twice in keys.windows(2) {
        if let [first, second] = twice
            && first == second
        {
            found.push(irregular(Irregular::Ambiguous, &Place::Field(place, first), "is there twice; write it once"));
        }
    }
}

fn check_struct(value: Value<'_, '_>, known: &'static [Field], place: &Place<'_>, found: &mut Vec<Irregularity>) {
    let mut matcher = Matcher::new(known);
    let mut seen = 0_u128;
    for (key, member) in value.members() {
        let Some((at, (name, shape))) = matcher.find(&key) else {
            let key: String = key.chars().take(MAX_QUOTED).collect();
            let place = Place::Field(place, &key);
            found.push(irregular(Irregular::UnknownField, &place, "no field that is known; it is passed on unjudged"));
            continue;
        };
        let place = Place::Field(place, name);
        let bit = 1_u128.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0);
        if seen & bit != 0 {
            found.push(irregular(
                Irregular::Ambiguous,
                &place,
                "is there twice, where the engine merges both; write it once",
            ));
        }
        seen |= bit;
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

pub(super) fn irregular(kind: Irregular, place: &Place<'_>, detail: &str) -> Irregularity {
    Irregularity { kind, field: place.to_string(), detail: detail.to_owned() }
}

fn malformed(place: &Place<'_>, detail: &str) -> Irregularity {
    irregular(Irregular::Malformed, place, detail)
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
        Shape::Int => "a number",
        Shape::Text => "a string",
        Shape::Words => "a string or an array of strings",
        Shape::List(_) => "an array",
        Shape::Map(_) | Shape::Struct(_) => "an object",
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("body"),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}
