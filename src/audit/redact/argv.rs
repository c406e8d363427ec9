//! Command lines: arguments stay, what looks like a secret among them does not.

use std::borrow::Cow;

use super::{Redactor, is_name, is_secret_name};

/// Options that take `NAME=value`, where the value may be anything.
const PAIR_OPTIONS: [&str; 10] =
    ["e", "env", "build-arg", "l", "label", "log-opt", "o", "opt", "driver-opt", "annotation"];
/// Options that take `user:password`.
const USER_OPTIONS: [&str; 4] = ["u", "user", "proxy-user", "U"];
/// Words after which the secret itself comes: schemes of `Authorization`.
const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];
/// What `-p…` begins besides passwords: options of `find`, `tar`, `ps` and the like.
const NOT_PASSWORDS: [&str; 8] = ["-p", "-print", "-print0", "-path", "-perm", "-prune", "-pid", "-port"];
/// How deep commands may be quoted in commands before they are tagged whole.
const DEPTH: u8 = 4;

/// Goes through a command line, one argument at a time.
#[derive(Debug)]
pub(in crate::audit) struct Argv<'r> {
    redactor: &'r Redactor,
    next: Next,
    depth: u8,
}

/// What the argument before says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Any,
    Secret,
    Pair,
    User,
    Header,
    /// After `-p`: a port for some programs, a password for others.
    PortOrSecret,
}

impl<'r> Argv<'r> {
    pub(in crate::audit) const fn new(redactor: &'r Redactor) -> Self {
        Self { redactor, next: Next::Any, depth: 0 }
    }

    /// The next argument, for the record.
    pub(in crate::audit) fn arg<'a>(&mut self, arg: &'a str) -> Cow<'a, str> {
        match std::mem::replace(&mut self.next, Next::Any) {
            Next::Secret if SCHEMES.iter().any(|s| arg.eq_ignore_ascii_case(s)) => {
                self.next = Next::Secret;
                Cow::Borrowed(arg)
            }
            Next::Secret => self.tag(arg),
            Next::Pair => Cow::Owned(self.redactor.pair(arg)),
            Next::User => self.user(arg),
            Next::Header => self.header(arg),
            Next::PortOrSecret if is_harmless(arg) => Cow::Borrowed(arg),
            Next::PortOrSecret => self.tag(arg),
            Next::Any if arg.contains(char::is_whitespace) => self.command(arg),
            Next::Any => self.word(arg),
        }
    }

    /// A whole command in one argument, as after `sh -c`: its words, with quotes respected.
    fn command<'a>(&self, command: &'a str) -> Cow<'a, str> {
        if self.depth >= DEPTH {
            return self.tag(command);
        }
        let mut inner = Argv { redactor: self.redactor, next: Next::Any, depth: self.depth + 1 };
        let mut out = String::with_capacity(command.len());
        let mut rest = command;
        while !rest.is_empty() {
            let (word, after) = rest.split_at(word_end(rest));
            let blank = after.find(|c: char| !c.is_whitespace()).unwrap_or(after.len());
            let (blank, after) = after.split_at(blank);
            if !word.is_empty() {
                out.push_str(&inner.quoted(word));
            }
            out.push_str(blank);
            rest = after;
        }
        Cow::Owned(out)
    }

    /// A word of a command: within its quotes, if it is quoted as a whole.
    fn quoted<'a>(&mut self, word: &'a str) -> Cow<'a, str> {
        for quote in ['"', '\''] {
            let inside = word.strip_prefix(quote).and_then(|w| w.strip_suffix(quote));
            if let Some(inside) = inside {
                return Cow::Owned(format!("{quote}{}{quote}", self.arg(inside)));
            }
        }
        self.arg(word)
    }

    fn word<'a>(&mut self, word: &'a str) -> Cow<'a, str> {
        if word.starts_with('-') {
            return self.option(word);
        }
        if let Some((name, value)) = word.split_once('=').filter(|(name, _)| is_name(name)) {
            if is_secret_name(name) || is_variable(name) {
                return self.assigned(name, '=', value);
            }
            return Cow::Owned(format!("{name}={}", self.redactor.scrub(value)));
        }
        if let Some((name, value)) = word.split_once(':').filter(|(name, _)| is_name(name))
            && is_secret_name(name)
            && !value.starts_with("//")
        {
            return self.assigned(name, ':', value);
        }
        self.redactor.scrub(word)
    }

    fn option<'a>(&mut self, word: &'a str) -> Cow<'a, str> {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word, None),
        };
        let name = option.trim_start_matches('-');
        let short = !word.starts_with("--");
        if PAIR_OPTIONS.contains(&name) {
            return self.valued(option, value, Next::Pair);
        }
        if short && word.starts_with("-p") && !NOT_PASSWORDS.contains(&word) {
            let rest = word.get(2..).unwrap_or_default();
            return if is_harmless(rest) { Cow::Borrowed(word) } else { self.attached("-p", rest) };
        }
        if name == "p" {
            return self.valued(option, value, Next::PortOrSecret);
        }
        // `-eNAME=value`
        if short && value.is_some() && matches!(name.as_bytes(), [b'e' | b'l' | b'o', ..]) {
            let (flag, pair) = word.split_at_checked(2).unwrap_or((word, ""));
            return Cow::Owned(format!("{flag}{}", self.redactor.pair(pair)));
        }
        if USER_OPTIONS.contains(&name) {
            return self.valued(option, value, Next::User);
        }
        if short && name.starts_with('u') && name.contains(':') {
            let rest = word.get(2..).unwrap_or_default();
            return Cow::Owned(format!("-u{}", self.user(rest)));
        }
        if matches!(name, "H" | "header") {
            return self.valued(option, value, Next::Header);
        }
        if is_secret_name(name) {
            return self.valued(option, value, Next::Secret);
        }
        match value {
            Some(value) => Cow::Owned(format!("{option}={}", self.redactor.scrub(value))),
            None => self.redactor.scrub(word),
        }
    }

    /// An option whose value is in the same word or the next one.
    fn valued<'a>(&mut self, option: &'a str, value: Option<&'a str>, next: Next) -> Cow<'a, str> {
        self.next = next;
        match value {
            Some(value) => Cow::Owned(format!("{option}={}", self.arg(value))),
            None => Cow::Borrowed(option),
        }
    }

    /// `name=value` or `name:value` with a secret value, which may also be the next word.
    fn assigned<'a>(&mut self, name: &str, sign: char, value: &str) -> Cow<'a, str> {
        if value.is_empty() {
            // `Authorization: Bearer …`; but `PASSWORD= cmd` sets nothing.
            self.next = if sign == ':' { Next::Secret } else { Next::Any };
            return Cow::Owned(format!("{name}{sign}"));
        }
        Cow::Owned(format!("{name}{sign}{}", self.redactor.tag(value.as_bytes())))
    }

    fn attached<'a>(&self, option: &str, value: &str) -> Cow<'a, str> {
        Cow::Owned(format!("{option}{}", self.redactor.tag(value.as_bytes())))
    }

    /// `user:password`; numbers are ids.
    fn user<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match text.split_once(':') {
            Some((user, secret)) if !is_harmless(secret) => self.attached(&format!("{user}:"), secret),
            Some(_) | None => self.redactor.scrub(text),
        }
    }

    fn header<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match text.split_once(':') {
            Some((name, secret)) if is_secret_name(name) => self.attached(&format!("{name}: "), secret.trim()),
            Some(_) | None => self.redactor.scrub(text),
        }
    }

    fn tag<'a>(&self, text: &str) -> Cow<'a, str> {
        Cow::Owned(self.redactor.tag(text.as_bytes()).to_string())
    }
}

/// Where the first word ends: at whitespace outside quotes.
fn word_end(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, c) if c.is_whitespace() => return at,
            (None | Some(_), _) => {}
        }
    }
    text.len()
}

/// Whether a name is written like a shell variable's.
fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether a value after `-p` or `user:` is a port, a port mapping, an id or a path, rather than a password.
fn is_harmless(value: &str) -> bool {
    let number = |text: &str| text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mapping = value.trim_end_matches("/tcp").trim_end_matches("/udp").split([':', '.']).all(number);
    mapping || value.starts_with(['/', '-'])
}
