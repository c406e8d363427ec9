//! JSON that may be odd in every way that JSON can be: order and duplicates kept, strings spelled at will, bytes for values.

use crate::random::Random;

/// A value.
#[derive(Debug, Clone)]
pub enum Node {
    /// An object; whether its keys are a struct's fields.
    Object(Vec<(String, Node)>, bool),
    /// An array.
    Array(Vec<Node>),
    /// A string.
    Text(String),
    /// Anything, as it stands.
    Raw(Vec<u8>),
}

impl Node {
    /// Bytes as they stand.
    pub fn raw(text: &str) -> Self {
        Self::Raw(text.as_bytes().to_vec())
    }

    /// How many values there are here and below.
    pub fn count(&self) -> usize {
        1 + match self {
            Self::Object(members, _) => members.iter().map(|(_, value)| value.count()).sum(),
            Self::Array(elements) => elements.iter().map(Self::count).sum::<usize>(),
            Self::Text(_) | Self::Raw(_) => 0,
        }
    }

    /// The value of this number, and the keys that lead there.
    pub fn nth(&mut self, number: &mut usize, path: &mut Vec<String>) -> Option<&mut Self> {
        if *number == 0 {
            return Some(self);
        }
        *number -= 1;
        match self {
            Self::Object(members, _) => {
                for (key, value) in members {
                    path.push(key.clone());
                    if let Some(found) = value.nth(number, path) {
                        return Some(found);
                    }
                    path.pop();
                }
                None
            }
            Self::Array(elements) => elements.iter_mut().find_map(|element| element.nth(number, path)),
            Self::Text(_) | Self::Raw(_) => None,
        }
    }

    /// The value that these keys lead to, through the first element of every array.
    pub fn at(&self, path: &[String]) -> Option<&Self> {
        match (self, path) {
            (found, []) => Some(found),
            (Self::Array(elements), _) => elements.first()?.at(path),
            (Self::Object(members, _), [key, rest @ ..]) => members.iter().find(|(name, _)| name == key)?.1.at(rest),
            (Self::Text(_) | Self::Raw(_), _) => None,
        }
    }

    /// Writes it; `plain` leaves out needless escapes, white space and other spellings of fields.
    pub fn write(&self, plain: bool, random: &mut Random, out: &mut Vec<u8>) {
        match self {
            Self::Object(members, is_struct) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    separate(at, plain, random, out);
                    if plain || !is_struct || random.percent(60) {
                        text(key, plain, random, out);
                    } else {
                        text(&respell(key, random), plain, random, out);
                    }
                    space(plain, random, out);
                    out.push(b':');
                    space(plain, random, out);
                    value.write(plain, random, out);
                }
                space(plain, random, out);
                out.push(b'}');
            }
            Self::Array(elements) => {
                out.push(b'[');
                for (at, element) in elements.iter().enumerate() {
                    separate(at, plain, random, out);
                    element.write(plain, random, out);
                }
                space(plain, random, out);
                out.push(b']');
            }
            Self::Text(value) => text(value, plain, random, out),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Another spelling of a field that Go takes for the same.
pub fn respell(name: &str, random: &mut Random) -> String {
    let how = random.below(4);
    let letters = name.chars().map(|letter| match (how, letter.to_ascii_lowercase()) {
        (0, lower) => lower,
        (1, _) => letter.to_ascii_uppercase(),
        (2, 's') => '\u{17f}',
        (2, 'k') => '\u{212a}',
        (3, lower) if random.percent(50) => lower,
        _ => letter,
    });
    letters.collect()
}

fn separate(at: usize, plain: bool, random: &mut Random, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
    space(plain, random, out);
}

fn space(plain: bool, random: &mut Random, out: &mut Vec<u8>) {
    while !plain && random.percent(8) {
        out.extend_from_slice(random.pick(&[" ", "\n", "\t", "\r", "  "]).as_bytes());
    }
}

fn text(text: &str, plain: bool, random: &mut Random, out: &mut Vec<u8>) {
    let escapes = if plain || random.percent(70) { 0 } else { 20 };
    out.push(b'"');
    for letter in text.chars() {
        let mut utf8 = [0; 4];
        match letter {
            '"' | '\\' => out.extend([b'\\', letter as u8]),
            '/' if random.percent(escapes) => out.extend(b"\\/"),
            '\n' if random.percent(50) => out.extend(b"\\n"),
            _ if letter < ' ' || random.percent(escapes) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let lower = format!("\\u{unit:04x}");
                    out.extend(if random.percent(50) { lower } else { format!("\\u{unit:04X}") }.bytes());
                }
            }
            _ => out.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes()),
        }
    }
    out.push(b'"');
}
