//! How Go's `encoding/json` matches a key to a struct field: any case, and two letters more.
//!
//! Map keys (labels, options, network names) are never folded.

/// Whether Go takes `key` for the field `name` (ASCII). Beyond ASCII case, Unicode's simple folding maps exactly two runes to
/// ASCII letters: `ſ` (U+017F) to s, and the Kelvin sign `K` (U+212A) to k.
pub(super) fn is_field(key: &str, name: &str) -> bool {
    if key.len() == name.len() {
        // Both runes are longer than the letter they stand for.
        return key.eq_ignore_ascii_case(name);
    }
    if key.is_ascii() {
        return false;
    }
    let mut name = name.bytes();
    let mut key = key.chars();
    loop {
        match (key.next().map(fold), name.next()) {
            (None, None) => return true,
            (Some(Some(letter)), Some(expected)) if letter == expected.to_ascii_lowercase() => {}
            _ => return false,
        }
    }
}

fn fold(letter: char) -> Option<u8> {
    match letter {
        '\u{17f}' => Some(b's'),
        '\u{212a}' => Some(b'k'),
        _ => u8::try_from(letter).ok().filter(u8::is_ascii).map(|letter| letter.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_field;

    #[test]
    fn keys_fold_as_in_go() {
        for (key, name, same) in [
            ("HostConfig", "HostConfig", true),
            ("hostconfig", "HostConfig", true),
            ("HO\u{17f}TCONFIG", "HostConfig", true),
            ("Networ\u{212a}Mode", "NetworkMode", true),
            ("Bind\u{17f}", "Binds", true),
            ("Host_Config", "HostConfig", false),
            ("HostConfig ", "HostConfig", false),
            ("HostConfi\u{47}\u{301}", "HostConfig", false),
            ("\u{ff22}inds", "Binds", false),
            ("", "Binds", false),
            ("Bind", "Binds", false),
        ] {
            assert_eq!(is_field(key, name), same, "{key} as {name}");
        }
    }
}
