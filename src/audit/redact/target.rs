//! Request targets: the path stays, and of the query what is known to be clear.

use std::fmt::Write;

use super::Redactor;

/// Query keys whose values are clear but for credentials in URLs.
const CLEAR: [&str; 63] = [
    "all",
    "author",
    "before",
    "cgroupparent",
    "changes",
    "comment",
    "condition",
    "container",
    "cpuperiod",
    "cpuquota",
    "cpusetcpus",
    "cpusetmems",
    "cpushares",
    "detachkeys",
    "digests",
    "dockerfile",
    "extrahosts",
    "follow",
    "force",
    "forcerm",
    "fromimage",
    "fromsrc",
    "h",
    "link",
    "limit",
    "logs",
    "manifests",
    "memory",
    "memswap",
    "message",
    "name",
    "names",
    "networkmode",
    "nocache",
    "nooverwritedirnonfile",
    "noprune",
    "one-shot",
    "path",
    "pause",
    "platform",
    "ps_args",
    "pull",
    "q",
    "quiet",
    "remote",
    "repo",
    "rm",
    "session",
    "shmsize",
    "signal",
    "since",
    "size",
    "squash",
    "stderr",
    "stdin",
    "stdout",
    "stream",
    "t",
    "tag",
    "tail",
    "target",
    "timestamps",
    "until",
];
/// More of them.
const CLEAR_TOO: [&str; 15] = [
    "checkpoint",
    "checkpoint-dir",
    "dir",
    "registryauthfrom",
    "rollback",
    "v",
    "version",
    "w",
    "buildid",
    "copyuidgid",
    "verbose",
    "type",
    "shared-size",
    "scope",
    "filters",
];

impl Redactor {
    /// A request target as it came, with every other query value tagged.
    pub(in crate::audit) fn target(&self, target: &str) -> String {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut out = self.scrub(path).into_owned();
        if let Some(query) = query {
            out.push('?');
            // Go's parser takes `&` only; a `;` may have been meant as a separator all the same.
            for pair in query.split_inclusive(['&', ';']) {
                self.parameter(&mut out, pair);
            }
        }
        out
    }

    fn parameter(&self, out: &mut String, pair: &str) {
        let bare = pair.trim_end_matches(['&', ';']);
        let separator = pair.get(bare.len()..).unwrap_or_default();
        let Some((key, value)) = bare.split_once('=') else {
            // `?name` alone is a key without a value, but who writes `?<token>` means a value.
            let lone = if super::is_token(bare) { self.tag(bare.as_bytes()).to_string() } else { bare.to_owned() };
            out.push_str(&lone);
            out.push_str(separator);
            return;
        };
        out.push_str(key);
        out.push('=');
        let name = decode(key).to_ascii_lowercase();
        let plain = decode(value);
        let clear = CLEAR.contains(&name.as_str()) || CLEAR_TOO.contains(&name.as_str());
        // Filters may ask for a label's value.
        let label = name == "filters" && plain.contains("label");
        if value.is_empty() {
        } else if clear && !label && self.scrub(&plain) == plain {
            out.push_str(value);
        } else if clear && !label {
            encode(out, &self.scrub(&plain));
        } else {
            out.push_str(&self.tag(plain.as_bytes()).to_string());
        }
        out.push_str(separator);
    }
}

/// Decodes `%xx` and `+`; what does not decode stays.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'%' { hex_ahead(bytes.clone()) } else { None };
        match (byte, escaped) {
            (_, Some(value)) => {
                out.push(value);
                bytes.nth(1);
            }
            (b'+', None) => out.push(b' '),
            (other, None) => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_ahead(mut ahead: std::str::Bytes<'_>) -> Option<u8> {
    let mut digit = || char::from(ahead.next()?).to_digit(16);
    u8::try_from(digit()? << 4 | digit()?).ok()
}

/// Encodes what would end a query value or be read as an escape.
fn encode(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' | ';' | '#' | '%' | '+' | ' ' => {
                // Writing into a String cannot fail.
                let _infallible = write!(out, "%{:02X}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}
