//! One value as an operator writes it: sizes, durations, permission bits. Pure.

use std::time::Duration;

/// Why a value cannot be used, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Bad {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

/// Reads `64MiB`.
pub(super) fn size(text: &str) -> Result<u64, Bad> {
    let bad = || Bad::new(format!("'{text}' is not a size"), "write a whole number and B, KiB, MiB or GiB: \"4MiB\"");
    let (number, unit) = split(text).ok_or_else(bad)?;
    let scale: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "K" | "k" | "KB" | "kB" | "M" | "MB" | "G" | "GB" => {
            let first = unit.chars().next().unwrap_or('M').to_ascii_uppercase();
            return Err(Bad::new(format!("'{unit}' may mean 1000s or 1024s"), format!("write \"{number}{first}iB\"")));
        }
        _ => return Err(bad()),
    };
    number.checked_mul(scale).ok_or_else(bad)
}

/// Reads `30s`; never zero.
pub(super) fn duration(text: &str) -> Result<Duration, Bad> {
    let bad = || Bad::new(format!("'{text}' is not a duration"), "write a whole number and ms, s, m or h: \"30s\"");
    let (number, unit) = split(text).ok_or_else(bad)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    match number.checked_mul(milliseconds) {
        Some(0) => Err(Bad::new("a duration of nothing would end everything at once", "write at least \"1ms\"")),
        // A year: beyond it the runtime's timers no longer add up.
        Some(total) if total <= 366 * 86_400_000 => Ok(Duration::from_millis(total)),
        Some(_) | None => Err(bad()),
    }
}

/// Reads `0660`: permission bits in octal, as `chmod` takes them.
pub(super) fn mode(text: &str) -> Result<u32, Bad> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if octal && mode <= 0o777 => Ok(mode),
        Ok(_) | Err(_) => Err(Bad::new(
            format!("'{text}' is not a mode of a socket"),
            "write permission bits in octal, without set-id or sticky bits: \"0660\"",
        )),
    }
}

/// The name nearest to one that is not known, if any is near.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3) && *distance < known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A number and its unit; signs, spaces and fractions are not read.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}
