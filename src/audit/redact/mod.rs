//! Takes the secrets out of a record: names stay, values become keyed tags.
//!
//! A tag is an HMAC-SHA256 under this host's key, so equal values compare equal, and none can be read or guessed without
//! the key. What we do not know is tagged too: the lists here are of what is clear.

mod argv;
mod body;
mod target;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::chain::hex_pair;

pub(super) use argv::Argv;
pub(super) use body::Redacted;

/// Words in a name that say its value is a secret. `key` counts at the end of a name only.
const SECRET_WORDS: [&str; 11] =
    ["pass", "pwd", "secret", "token", "credential", "private", "auth", "bearer", "cookie", "signature", "apikey"];
/// Names that say so as a whole.
const SECRET_NAMES: [&str; 6] = ["pw", "pin", "dsn", "otp", "salt", "sig"];
/// How well-known tokens begin.
const TOKEN_PREFIXES: [&str; 15] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "eyJ",
    "sk-",
    "sk_live_",
    "dckr_pat_",
    "npm_",
];
/// Options of `mount(2)` without a value.
const MOUNT_FLAGS: [&str; 14] = [
    "bind", "defaults", "hard", "noatime", "nodev", "noexec", "nolock", "nosuid", "rbind", "ro", "rw", "soft", "tcp",
    "udp",
];
/// Options of `mount(2)` whose values hold no secret.
const MOUNT_OPTIONS: [&str; 8] = ["addr", "gid", "mode", "nfsvers", "size", "uid", "vers", "nr_inodes"];
/// Shortest text that may be a token by its look alone.
const TOKEN: usize = 20;

/// The tagger, with this host's key.
#[derive(Clone)]
pub(super) struct Redactor {
    keyed: Hmac<Sha256>,
}

/// A keyed tag: 128 bits of an HMAC. Written `hmac:` and 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag([u8; 16]);

impl Tag {
    /// Bytes of a tag as it is written.
    const LEN: usize = "hmac:".len() + 32;

    fn write(self, out: &mut String) {
        out.push_str("hmac:");
        out.extend(self.0.into_iter().flat_map(hex_pair).map(char::from));
    }
}

impl Redactor {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        // `new_from_slice` takes any length; this type has no other constructor for a 32-byte key.
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { keyed: Hmac::new(&block.into()) }
    }

    pub(super) fn tag(&self, value: &[u8]) -> Tag {
        let digest = self.keyed.clone().chain_update(value).finalize().into_bytes();
        Tag(digest.first_chunk().copied().unwrap_or_default())
    }

    /// `NAME=value` with the value tagged. What has no name that could be one is tagged whole.
    pub(super) fn pair(&self, text: &str) -> String {
        match text.split_once('=') {
            Some((name, "")) if is_name(name) => text.to_owned(),
            // By hand: there may be a thousand of these in one body, and `format!` grows its string four times for each.
            Some((name, value)) if is_name(name) => {
                let mut pair = String::with_capacity(name.len() + 1 + Tag::LEN);
                pair.push_str(name);
                pair.push('=');
                self.tag(value.as_bytes()).write(&mut pair);
                pair
            }
            None if is_name(text) && !is_token(text) => text.to_owned(),
            Some(_) | None => self.tag(text.as_bytes()).to_string(),
        }
    }

    /// An option of a volume's or log's driver. What it is of and where it leads stays, for it is judged; of the options of
    /// `mount(2)` the usual ones; every other value is tagged.
    pub(super) fn driver_option(&self, name: &str, value: &str) -> String {
        match name.trim().to_ascii_lowercase().as_str() {
            _ if value.is_empty() => String::new(),
            "type" | "path" => self.scrub(value).into_owned(),
            // `//user:password@host/share`: a URL but for its scheme.
            "device" => {
                let url = format!("device:{value}");
                let clean = self.scrub(&url);
                clean.strip_prefix("device:").map_or_else(|| self.tag(value.as_bytes()).to_string(), ToOwned::to_owned)
            }
            "o" => value.split(',').map(|option| self.mount_option(option)).collect::<Vec<_>>().join(","),
            _secret => self.tag(value.as_bytes()).to_string(),
        }
    }

    fn mount_option(&self, option: &str) -> String {
        match option.split_once('=') {
            None if MOUNT_FLAGS.contains(&option) => option.to_owned(),
            Some((name, _value)) if MOUNT_OPTIONS.contains(&name) => option.to_owned(),
            Some((name, value)) if is_name(name) => format!("{name}={}", self.tag(value.as_bytes())),
            Some(_) | None => self.tag(option.as_bytes()).to_string(),
        }
    }

    /// A text that is clear but for credentials in URLs (`scheme://user:password@host`, `user:password@host`, `?token=…`)
    /// and what looks like a token.
    pub(super) fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if is_token(text) {
            return Cow::Owned(self.tag(text.as_bytes()).to_string());
        }
        if !text.contains(['@', '?', '&', ';']) {
            return Cow::Borrowed(text);
        }
        let mut words: Vec<String> = Vec::new();
        for word in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
            // A decoded password may hold a blank or a quote: a URL ends where the next begins.
            match words.last_mut().filter(|last| last.contains("://") && !word.contains("://")) {
                Some(url) => url.push_str(word),
                None => words.push(word.to_owned()),
            }
        }
        Cow::Owned(words.iter().map(|word| self.scrub_params(&self.scrub_userinfo(word))).collect())
    }

    fn scrub_userinfo<'t>(&self, word: &'t str) -> Cow<'t, str> {
        let (scheme, rest) = match word.find("://") {
            Some(at) => word.split_at(at + 3),
            None => ("", word),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may hold a bare slash: then what should be the port is no number, and the userinfo ends further on.
        let port = authority.rsplit_once(':').map(|(_, port)| port.trim_end());
        let broken = port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit()));
        let end = match authority.rfind('@') {
            Some(at) => Some(at),
            None if broken && !scheme.is_empty() => rest.rfind('@'),
            None => None,
        };
        let Some((userinfo, host)) = end.and_then(|at| rest.split_at_checked(at)) else {
            return Cow::Borrowed(word);
        };
        // `name:tag@sha256:…` is an image.
        let digest = host.starts_with("@sha256:") || host.starts_with("@sha512:");
        if userinfo.is_empty() || scheme.is_empty() && (digest || !userinfo.contains(':')) {
            return Cow::Borrowed(word);
        }
        Cow::Owned(format!("{scheme}{}{host}", self.tag(userinfo.as_bytes())))
    }

    fn scrub_params(&self, word: &str) -> String {
        let params = word.split_inclusive(['?', '&', ';']);
        params
            .map(|param| match param.split_once('=') {
                Some((name, value)) if is_secret_name(name) => {
                    let bare = value.trim_end_matches(['?', '&', ';', '"', '\'', ',', ' ', '\n', '\t']);
                    let rest = value.get(bare.len()..).unwrap_or_default();
                    format!("{name}={}{rest}", self.tag(bare.as_bytes()))
                }
                Some(_) | None => param.to_owned(),
            })
            .collect()
    }
}

/// Whether a name says that its value is a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    name.ends_with("key")
        || SECRET_NAMES.contains(&name.as_str())
        || SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a text can be the name of a variable or option rather than a value.
fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
}

/// Whether a text looks like a token by itself: a known prefix, or long and random. Digests and ids of containers and
/// commits (64 or 40 hex digits) do not count.
fn is_token(text: &str) -> bool {
    if TOKEN_PREFIXES.iter().any(|p| text.starts_with(p)) && text.len() >= TOKEN {
        return true;
    }
    if text.len() < TOKEN || text.starts_with(['/', '.', '~', '-']) {
        return false;
    }
    let (mut upper, mut lower, mut digit, mut other) = (false, false, false, false);
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' => upper = true,
            b'a'..=b'z' => lower = true,
            b'0'..=b'9' => digit = true,
            b'+' | b'/' | b'_' | b'-' | b'=' => other = true,
            _ => return false,
        }
    }
    let hex = !other && !upper && text.bytes().all(|b| b.is_ascii_hexdigit());
    match hex {
        true => digit && text.len() >= 32 && !matches!(text.len(), 40 | 64),
        false => upper && lower && digit,
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::LEN);
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}
