//! Values as the typed decoders want them. A null leaves what is there, as in Go; a type that does not fit has been reported
//! by [`super::walk`] and is left out.

use super::json::{Kind, Value};
use crate::request::Text;

/// Sets what weakens a container: of two readings `true` is the worse one.
pub(super) fn flag(value: Value<'_, '_>, into: &mut bool) {
    *into |= value.boolean().unwrap_or(false);
}

/// Sets what protects one: the engine's reading, the last, decides.
pub(super) fn guard(value: Value<'_, '_>, into: &mut bool) {
    *into = value.boolean().unwrap_or(*into);
}

pub(super) fn number(value: Value<'_, '_>, into: &mut i64) {
    *into = value.integer().unwrap_or(*into);
}

pub(super) fn text<'a>(value: Value<'_, 'a>, into: &mut Text<'a>) {
    if let Some(text) = value.text() {
        *into = text;
    }
}

/// As [`text`]. Go does not tell an empty string from an absent one.
pub(super) fn some_text<'a>(value: Value<'_, 'a>, into: &mut Option<Text<'a>>) {
    if let Some(text) = value.text() {
        *into = Some(text).filter(|text| !text.is_empty());
    }
}

/// A slice of strings, or the bare string that older engines take for one. Adds to an earlier one. A null is an element:
/// empty, or what an earlier slice had there, which is still in the list.
pub(super) fn words<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.extend(value.text());
    let or_null = |element: Value<'_, 'a>| element.text().or((element.kind() == Kind::Null).then(Text::default));
    into.extend(value.elements().filter_map(or_null));
}

/// `SecurityOpt`: most of its options weaken a container, one protects it.
pub(super) fn security_options<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    *into = without_guards(std::mem::take(into));
    words(value, into);
}

/// Leaves out the options that protect, which a later slice may have replaced.
pub(super) fn without_guards(mut options: Vec<Text<'_>>) -> Vec<Text<'_>> {
    options.retain(|option| {
        let (name, word) = option.split_once(['=', ':']).unwrap_or((option, ""));
        // Go's words for true; those for false weaken.
        !(name == "no-new-privileges" && matches!(word, "" | "1" | "t" | "T" | "true" | "TRUE" | "True"))
    });
    options
}

/// A slice that protects: it replaces an earlier one.
pub(super) fn guards<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.clear();
    words(value, into);
}

/// A slice that protects unless it is absent.
pub(super) fn some_guards<'a>(value: Value<'_, 'a>, into: &mut Option<Vec<Text<'a>>>) {
    if value.kind() == Kind::Array {
        guards(value, into.get_or_insert_default());
    }
}

pub(super) fn keys<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.extend(value.members().map(|(key, _)| key));
}

/// What stands before the `=` of each element.
pub(super) fn names<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.extend(value.elements().filter_map(Value::text).map(|pair| match pair {
        Text::Borrowed(pair) => Text::Borrowed(pair.split('=').next().unwrap_or_default()),
        Text::Owned(pair) => Text::Owned(pair.split('=').next().unwrap_or_default().to_owned()),
    }));
}

pub(super) fn options<'a>(value: Value<'_, 'a>, into: &mut Vec<(Text<'a>, Text<'a>)>) {
    into.extend(value.members().map(|(key, value)| (key, value.text().unwrap_or_default())));
}

/// Reads slices of structs as Go does: the elements of a second slice are decoded over those of the first, so that
/// `[{"Source":"/etc"}]` and then `[{"ReadOnly":true}]` is `/etc`. Keeps the earlier elements too.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Where the element that Go has in each slot is.
    slots: Vec<usize>,
    /// How many slices were read.
    read: usize,
}

impl Slots {
    /// From here on elements are changed in place: each copy is bought with a few bytes, and may be as large as the body.
    const MAX_COPIED: usize = 4;

    pub(super) fn read<'d, 'a, T: Clone + Default>(
        &mut self,
        value: Value<'d, 'a>,
        all: &mut Vec<T>,
        decode: impl Fn(Value<'d, 'a>, &mut T),
    ) {
        self.read += 1;
        let mut any = false;
        for (at, element) in value.elements().enumerate() {
            any = true;
            let earlier = self.slots.get(at).and_then(|&slot| all.get_mut(slot));
            match earlier {
                Some(earlier) if self.read > Self::MAX_COPIED => decode(element, earlier),
                earlier => {
                    let mut new = earlier.cloned().unwrap_or_default();
                    decode(element, &mut new);
                    self.put(at, all.len());
                    all.push(new);
                }
            }
        }
        // An empty slice or a null drops the old elements, while a shorter one leaves those behind it in place.
        if !any {
            self.slots.clear();
        }
    }

    fn put(&mut self, at: usize, index: usize) {
        match self.slots.get_mut(at) {
            Some(slot) => *slot = index,
            None => self.slots.push(index),
        }
    }
}
