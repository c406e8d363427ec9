//! Values as the typed decoders want them. A null leaves what is there, as in Go; a type that does not fit has been reported
//! by [`super::walk`] and is left out.

use super::json::{Kind, Value};
use crate::request::Text;

/// `true` stays true: of two readings the worse one is judged.
pub(super) fn flag(value: Value<'_, '_>, into: &mut bool) {
    *into |= value.boolean().unwrap_or(false);
}

pub(super) fn number(value: Value<'_, '_>, into: &mut i64) {
    *into = value.integer().unwrap_or(*into);
}

pub(super) fn some_number(value: Value<'_, '_>, into: &mut Option<i64>) {
    *into = value.integer().or(*into);
}

pub(super) fn text<'a>(value: Value<'_, 'a>, into: &mut Text<'a>) {
    if let Some(text) = value.text() {
        *into = text;
    }
}

pub(super) fn some_text<'a>(value: Value<'_, 'a>, into: &mut Option<Text<'a>>) {
    *into = value.text().or_else(|| into.take());
}

/// A slice of strings, or the bare string that older engines take for one.
pub(super) fn words<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.extend(value.text());
    into.extend(value.elements().filter_map(Value::text));
}

/// A slice where absence differs from emptiness.
pub(super) fn some_words<'a>(value: Value<'_, 'a>, into: &mut Option<Vec<Text<'a>>>) {
    if value.kind() == Kind::Array {
        words(value, into.get_or_insert_with(Vec::new));
    }
}

pub(super) fn keys<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.extend(value.members().map(|(key, _)| key));
}

pub(super) fn options<'a>(value: Value<'_, 'a>, into: &mut Vec<(Text<'a>, Text<'a>)>) {
    into.extend(value.members().map(|(key, value)| (key, value.text().unwrap_or_default())));
}
