//! The name that a DNS message asks for (RFC 1035, 4.1). Pure.

/// Bytes of a message before its first question.
const HEAD: usize = 12;

/// Reads the name of the first question, without its last dot; `None` if the message is no question for a name.
///
/// A byte that is not plain in a name is written `\DDD`, as in zone files (RFC 1035, 5.1): a name is what the container made up.
pub(super) fn name(message: &[u8]) -> Option<String> {
    let [_, _, flags, _, high, low, ..] = *message else { return None };
    // Bit 7: an answer. The next four: another operation than asking.
    if flags & 0xf8 != 0 || (high, low) == (0, 0) {
        return None;
    }
    let mut rest = message.get(HEAD..)?;
    let mut name = String::new();
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            break;
        }
        // The two high bits lead elsewhere in the message: in a first question there is nowhere to lead.
        if length > 63 {
            return None;
        }
        let (label, after) = after.split_at_checked(usize::from(length))?;
        if !name.is_empty() {
            name.push('.');
        }
        label.iter().for_each(|&byte| push(&mut name, byte));
        rest = after;
    }
    (!name.is_empty()).then_some(name)
}

fn push(name: &mut String, byte: u8) {
    match byte {
        b'.' | b'\\' => name.extend(['\\', char::from(byte)]),
        b'!'..=b'~' => name.push(char::from(byte.to_ascii_lowercase())),
        _ => name.push_str(&format!("\\{byte:03}")),
    }
}
