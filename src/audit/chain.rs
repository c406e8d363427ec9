//! The chain: each line's hash covers the line and the hash before it; signed checkpoints say where the chain stood.
//!
//! `hash = sha256(prev ‖ line without hash)`: `prev` as its 64 hex digits, the line without its newline and without
//! `,"hash":"…"`, so that `printf %s%s "$prev" "$line" | sha256sum` checks it by hand.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::json::display;

/// `,"prev":"` and `,"hash":"`, which end every line.
const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b",\"hash\":\"";
const CLOSE: &[u8] = b"\"}";
/// Bytes from `,"hash":"` to the end of a line.
const HASH_FIELD: usize = HASH.len() + Hash::HEX + CLOSE.len();

/// Schema version, first in every line.
pub(super) const VERSION: u8 = 1;

/// A line's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash([u8; Hash::HEX]);

/// Where the chain stands: the number and the predecessor of the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Sequence number of the next line.
    pub(super) seq: u64,
    /// Hash of the line before it.
    pub(super) prev: Hash,
}

/// Why a line does not continue the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("it is not a journal line")]
    Form,
    #[error("its hash does not cover its content: the line was changed")]
    Hash,
    #[error("it does not follow the line before it: lines were removed, added or moved")]
    Prev,
    #[error("its number does not follow the line before it")]
    Seq,
}

impl Hash {
    /// Hex digits of a hash.
    pub(super) const HEX: usize = 64;
    /// What the first line of all follows.
    pub(super) const GENESIS: Self = Self([b'0'; Self::HEX]);

    pub(super) fn as_str(&self) -> &str {
        // Always hex digits; there is no other constructor.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn of(prev: &Self, line: &[u8], end: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(prev.0).chain_update(line).chain_update(end).finalize();
        let mut hex = [0; Self::HEX];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair.copy_from_slice(&hex_pair(byte));
        }
        Self(hex)
    }

    fn parse(hex: &[u8]) -> Option<Self> {
        let hex: [u8; Self::HEX] = hex.try_into().ok()?;
        hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(hex))
    }
}

impl Link {
    pub(super) const GENESIS: Self = Self { seq: 1, prev: Hash::GENESIS };

    /// Appends one line, newline included, and moves on. `content` is the line's members from `"id"` on.
    pub(super) fn seal(&mut self, out: &mut Vec<u8>, content: &[u8]) {
        let start = out.len();
        display(out, format_args!("{{\"v\":{VERSION},\"seq\":{},", self.seq));
        out.extend_from_slice(content);
        out.extend_from_slice(PREV);
        out.extend_from_slice(&self.prev.0);
        out.push(b'"');
        let hash = Hash::of(&self.prev, out.get(start..).unwrap_or_default(), b"}");
        out.extend_from_slice(HASH);
        out.extend_from_slice(&hash.0);
        out.extend_from_slice(CLOSE);
        out.push(b'\n');
        self.seq += 1;
        self.prev = hash;
    }

    /// Checks that `line` (without its newline) is the next one, and moves on.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<(), Broken> {
        let sealed = Sealed::parse(line)?;
        if sealed.prev != self.prev {
            return Err(Broken::Prev);
        }
        if sealed.seq != self.seq {
            return Err(Broken::Seq);
        }
        self.seq += 1;
        self.prev = sealed.hash;
        Ok(())
    }

    /// Where a chain that begins with `line` stands before it, for files whose predecessors were rotated away.
    pub(super) fn before(line: &[u8]) -> Result<Self, Broken> {
        let sealed = Sealed::parse(line)?;
        Ok(Self { seq: sealed.seq, prev: sealed.prev })
    }
}

/// The parts of a line that the chain is made of; its hash covers it.
struct Sealed {
    seq: u64,
    prev: Hash,
    hash: Hash,
}

impl Sealed {
    fn parse(line: &[u8]) -> Result<Self, Broken> {
        let split = line.len().checked_sub(HASH_FIELD).ok_or(Broken::Form)?;
        let (body, hash) = line.split_at_checked(split).ok_or(Broken::Form)?;
        let hash = field(hash, HASH, CLOSE).ok_or(Broken::Form)?;
        let split = body.len().checked_sub(PREV.len() + Hash::HEX + 1).ok_or(Broken::Form)?;
        let prev = body.get(split..).and_then(|b| field(b, PREV, b"\"")).ok_or(Broken::Form)?;
        if Hash::of(&prev, body, b"}") != hash {
            return Err(Broken::Hash);
        }
        let seq = seq(body).ok_or(Broken::Form)?;
        Ok(Self { seq, prev, hash })
    }
}

fn field(bytes: &[u8], open: &[u8], close: &[u8]) -> Option<Hash> {
    Hash::parse(bytes.strip_prefix(open)?.strip_suffix(close)?)
}

/// Reads the number from `{"v":1,"seq":N,`.
pub(super) fn seq(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"v\":1,\"seq\":")?;
    let end = memchr::memchr(b',', rest)?;
    let digits = std::str::from_utf8(rest.get(..end)?).ok()?;
    // A sign or a leading zero would be a second spelling of the same number.
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// The hash a line ends with, unchecked.
pub(super) fn hash(line: &[u8]) -> Option<&str> {
    let field = line.get(line.len().checked_sub(HASH_FIELD)?..)?;
    str::from_utf8(field.strip_prefix(HASH)?.strip_suffix(CLOSE)?).ok()
}

/// What a checkpoint's signature covers, besides the chain itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim<'a> {
    /// Host name in the record.
    pub(super) host: &'a str,
    /// Time in the record.
    pub(super) time: &'a str,
    /// Why it was made: `begin`, `count`, `rotate`, `close`.
    pub(super) reason: &'a str,
    /// Where the checkpoint itself stands in the chain.
    pub(super) link: Link,
}

impl Claim<'_> {
    pub(super) fn sign(&self, key: &SigningKey) -> String {
        hex(&key.sign(&self.message()).to_bytes())
    }

    pub(super) fn is_signed(&self, signature: &str, key: &VerifyingKey) -> bool {
        // A newline in a part would let one signed message be read as another.
        let one_reading = [self.host, self.time, self.reason].iter().all(|part| !part.contains('\n'));
        one_reading
            && unhex(signature)
                .is_some_and(|bytes| key.verify_strict(&self.message(), &Signature::from_bytes(&bytes)).is_ok())
    }

    /// One statement a line.
    fn message(&self) -> Vec<u8> {
        let Link { seq, prev } = self.link;
        let (host, time, reason) = (self.host, self.time, self.reason);
        format!("tidewaiter checkpoint v1\n{seq}\n{}\n{time}\n{reason}\n{host}\n", prev.as_str()).into_bytes()
    }
}

/// SHA-256, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| hex_pair(*b)).map(char::from).collect()
}

/// The bytes of exactly `2 * N` hex digits.
pub(super) fn unhex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        // `from_str_radix` takes a sign.
        if pair.starts_with('+') {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

/// The two digits of a byte.
pub(super) const fn hex_pair(byte: u8) -> [u8; 2] {
    const fn digit(nibble: u8) -> u8 {
        if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
    }
    [digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn journal(lines: usize) -> Vec<Vec<u8>> {
        let mut link = Link::GENESIS;
        (0..lines)
            .map(|n| {
                let mut out = Vec::new();
                link.seal(&mut out, format!("\"id\":\"{n}\",\"kind\":\"call\"").as_bytes());
                out.pop();
                out
            })
            .collect()
    }

    fn verify(lines: &[Vec<u8>]) -> Result<Link, (usize, Broken)> {
        let mut link = Link::GENESIS;
        for (n, line) in lines.iter().enumerate() {
            link.follow(line).map_err(|why| (n, why))?;
        }
        Ok(link)
    }

    #[test]
    fn a_line_is_as_documented() {
        let line = journal(1).remove(0);
        let text = String::from_utf8(line).unwrap();
        let (body, hash) = text.split_once(",\"hash\":\"").unwrap();
        assert_eq!(body, format!("{{\"v\":1,\"seq\":1,\"id\":\"0\",\"kind\":\"call\",\"prev\":\"{}\"", "0".repeat(64)));
        let digest = Sha256::digest(format!("{}{body}}}", "0".repeat(64)));
        assert_eq!(hash, format!("{}\"}}", hex(&digest)));
    }

    #[test]
    fn a_signature_covers_every_part() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let claim = Claim { host: "h", time: "t", reason: "count", link: Link::GENESIS };
        let signature = claim.sign(&key);
        let by = key.verifying_key();
        assert!(claim.is_signed(&signature, &by));
        assert!(!Claim { host: "i", ..claim }.is_signed(&signature, &by));
        assert!(!Claim { time: "u", ..claim }.is_signed(&signature, &by));
        assert!(!Claim { reason: "close", ..claim }.is_signed(&signature, &by));
        let link = Link { seq: 2, ..Link::GENESIS };
        assert!(!Claim { link, ..claim }.is_signed(&signature, &by));
        assert!(!claim.is_signed(&signature, &SigningKey::from_bytes(&[8; 32]).verifying_key()));
        assert!(!claim.is_signed("+0", &by));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_found(lines in 1usize..6, at in any::<prop::sample::Index>(), with in 1u8..) {
            let mut journal = journal(lines);
            let flat: usize = journal.iter().map(Vec::len).sum();
            let mut at = at.index(flat);
            let line = journal.iter_mut().find(|l| if at < l.len() { true } else { at -= l.len(); false }).unwrap();
            line[at] ^= with;
            prop_assert!(verify(&journal).is_err());
        }

        #[test]
        fn any_removed_line_but_the_last_is_found(lines in 2usize..8, at in any::<prop::sample::Index>()) {
            let mut journal = journal(lines);
            let at = at.index(lines - 1);
            journal.remove(at);
            prop_assert_eq!(verify(&journal), Err((at, Broken::Prev)));
        }

        #[test]
        fn any_swap_is_found(lines in 2usize..8, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let mut journal = journal(lines);
            let (a, b) = (a.index(lines), b.index(lines));
            prop_assume!(a != b);
            journal.swap(a, b);
            prop_assert!(verify(&journal).is_err());
        }
    }
}
