//! Who sits before the console: a link that `tidewaiter console` asks for, and the session that it opens.
//!
//! A link is good once and for minutes, and names whom the kernel saw asking for it on the admin socket; a session names the
//! same person, so that every approval does. Both are sealed with a key of this host (mode 0600, in the state directory):
//! nothing else is kept, and a session outlives a restart.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::peer::UnixPeer;

/// How long a link may be used.
const LINK: SignedDuration = SignedDuration::from_mins(5);
/// How long a session lasts, and with it a form that stands open.
pub(super) const SESSION: SignedDuration = SignedDuration::from_hours(12);
/// Longest token that is looked at.
const MAX_TOKEN: usize = 4096;

/// The cookie. A browser sends it to every port of the host that set it: nothing but the gate may be trusted on loopback.
const COOKIE: &str = "tidewaiter";

/// Links and sessions of one host.
#[derive(Debug)]
pub(in crate::admin) struct Sessions {
    key: Key,
    /// Links from before it are used up: which of them were is forgotten with the process.
    since: Timestamp,
    /// Links that were used, until they would be over anyway.
    used: Mutex<BTreeMap<String, i64>>,
}

struct Key([u8; 32]);

/// What a sealed token stands for. One is never taken for another.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Link,
    Session,
    Form,
}

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claim {
    uid: u32,
    user: Option<String>,
    login_uid: Option<u32>,
    /// Seconds since the epoch.
    from: i64,
    until: i64,
    nonce: String,
}

impl Sessions {
    pub(in crate::admin) fn new(key: [u8; 32], now: Timestamp) -> Self {
        Self { key: Key(key), since: now, used: Mutex::default() }
    }

    /// A token that opens a session once. `None` for somebody without a user id: nobody could say who he is.
    pub(super) fn link(&self, person: &UnixPeer, now: Timestamp) -> Option<String> {
        self.seal(Purpose::Link, &Claim::of(person, now, LINK)?)
    }

    /// Opens a session with the token of a link, and returns the value of `Set-Cookie`.
    pub(super) fn enter(&self, token: &str, now: Timestamp) -> Option<String> {
        let claim = self.open(Purpose::Link, token, now).filter(|claim| claim.from >= self.since.as_second())?;
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.retain(|_, until| *until > now.as_second());
            if used.insert(claim.nonce.clone(), claim.until).is_some() {
                return None;
            }
        }
        let session = self.seal(Purpose::Session, &Claim::of(&claim.person(), now, SESSION)?)?;
        let age = SESSION.as_secs();
        Some(format!("{COOKIE}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict"))
    }

    /// The person behind the value of a `Cookie` header.
    pub(super) fn person(&self, cookies: &str, now: Timestamp) -> Option<UnixPeer> {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let (_, token) = pairs.find(|(name, _)| *name == COOKIE)?;
        self.open(Purpose::Session, token, now).map(|claim| claim.person())
    }

    /// A token that shows that a form came from a page for this person. Empty for somebody who may not send it.
    pub(super) fn form(&self, person: &UnixPeer, now: Timestamp) -> String {
        let claim = Claim::of(person, now, SESSION);
        claim.and_then(|claim| self.seal(Purpose::Form, &claim)).unwrap_or_default()
    }

    /// Whether a form came from a page for this person.
    pub(super) fn is_form_of(&self, token: &str, person: &UnixPeer, now: Timestamp) -> bool {
        self.open(Purpose::Form, token, now).is_some_and(|claim| Some(claim.uid) == person.uid)
    }

    fn seal(&self, purpose: Purpose, claim: &Claim) -> Option<String> {
        let text = serde_json::to_vec(claim).ok()?;
        let mac = self.mac(purpose, &text)?.finalize().into_bytes();
        Some(format!("{}.{}", hex(&text), hex(&mac)))
    }

    fn open(&self, purpose: Purpose, token: &str, now: Timestamp) -> Option<Claim> {
        let (text, mac) = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN)?;
        let (text, mac) = (unhex(text)?, unhex(mac)?);
        // In constant time, and before anything is read.
        self.mac(purpose, &text)?.verify_slice(&mac).ok()?;
        let claim: Claim = serde_json::from_slice(&text).ok()?;
        (claim.until > now.as_second()).then_some(claim)
    }

    fn mac(&self, purpose: Purpose, text: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.0).ok()?;
        mac.update(match purpose {
            Purpose::Link => b"tidewaiter console link\0",
            Purpose::Session => b"tidewaiter console session\0",
            Purpose::Form => b"tidewaiter console form\0",
        });
        mac.update(text);
        Some(mac)
    }
}

impl Claim {
    fn of(person: &UnixPeer, now: Timestamp, lasts: SignedDuration) -> Option<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).ok()?;
        let (from, until) = (now.as_second(), now.checked_add(lasts).ok()?.as_second());
        let UnixPeer { uid, user, login_uid, .. } = person;
        Some(Self { uid: (*uid)?, user: user.clone(), login_uid: *login_uid, from, until, nonce: hex(&nonce) })
    }

    fn person(&self) -> UnixPeer {
        let Self { uid, user, login_uid, .. } = self;
        UnixPeer { uid: Some(*uid), user: user.clone(), login_uid: *login_uid, ..UnixPeer::default() }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> UnixPeer {
        UnixPeer { uid: Some(1000), user: Some("bob".into()), login_uid: Some(1000), ..UnixPeer::default() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn cookie(set: &str) -> String {
        set.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_link_opens_one_session_of_whom_it_names() {
        let sessions = Sessions::new([7; 32], at(0));
        let link = sessions.link(&bob(), at(1)).unwrap();
        let set = sessions.enter(&link, at(2)).unwrap();
        assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
        let cookie = cookie(&set);
        assert_eq!(sessions.person(&format!("a=b; {cookie}"), at(3)), Some(bob()));
        assert_eq!(sessions.enter(&link, at(3)), None, "it is used up");
        assert_eq!(sessions.person(&cookie, at(2 + 43_200)), None, "it is over");
        // A restart forgets which links were used, so that all of them are over; sessions go on.
        let again = Sessions::new([7; 32], at(10));
        assert_eq!((again.enter(&link, at(11)), again.person(&cookie, at(11))), (None, Some(bob())));
        let other = Sessions::new([8; 32], at(0));
        assert_eq!(other.person(&cookie, at(3)), None);
    }

    #[test]
    fn a_token_is_good_for_one_purpose_unchanged_and_in_time() {
        let sessions = Sessions::new([7; 32], at(0));
        let (link, form) = (sessions.link(&bob(), at(0)).unwrap(), sessions.form(&bob(), at(0)));
        assert_eq!(sessions.person(&format!("tidewaiter={link}"), at(1)), None);
        assert_eq!(sessions.person(&format!("tidewaiter={form}"), at(1)), None);
        assert_eq!(sessions.enter(&form, at(1)), None);
        assert_eq!(sessions.enter(&link, at(300)), None, "too late");
        assert!(sessions.is_form_of(&form, &bob(), at(1)) && !sessions.is_form_of(&link, &bob(), at(1)));
        assert!(!sessions.is_form_of(&form, &UnixPeer { uid: Some(1001), ..bob() }, at(1)));
        for at_byte in 0..form.len() {
            let mut changed = form.clone().into_bytes();
            changed[at_byte] = if changed[at_byte] == b'0' { b'1' } else { b'0' };
            assert!(!sessions.is_form_of(&String::from_utf8(changed).unwrap(), &bob(), at(1)), "byte {at_byte}");
        }
        for broken in ["", ".", "a.b", "é.é", "00.0"] {
            assert!(!sessions.is_form_of(broken, &bob(), at(1)), "{broken}");
        }
        assert_eq!(sessions.form(&UnixPeer::default(), at(0)), "", "nobody has no form");
    }
}
