//! Policy tests as files: who asks what, what is to come of it, and by which checks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_spanned::Spanned;

use super::asking::Asking;
use super::explain::{Asked, Explained};
use super::{docker, identity};
use crate::audit::known_of;
use crate::diagnostic::Source;
use crate::peer::Peer;
use crate::policy::Check;

/// The tests of one file.
#[derive(Debug)]
pub struct Suite {
    /// The policy that the file is about, relative to it.
    pub policy: Option<PathBuf>,
    /// Its tests.
    pub tests: Vec<Test>,
}

/// A test.
#[derive(Debug)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    peer: Peer,
    asking: Asking,
    protected: Vec<String>,
    expect: Expect,
    checks: Option<Vec<String>>,
}

/// What is to come of a call in enforce mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    Approve,
    Deny,
}

/// What came of a test that failed.
#[derive(Debug)]
pub struct Failure {
    /// What was to come: `deny by privileged`.
    pub expected: String,
    /// What came: `allow`, `deny by mount.host-path`.
    pub got: String,
    /// All of it.
    pub answer: Explained,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policy: Option<PathBuf>,
    #[serde(default)]
    test: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Spanned<String>,
    #[serde(rename = "as", default)]
    caller: BTreeMap<String, OneOrMore>,
    /// `docker run …`
    run: Option<Line>,
    /// The body of a create.
    create: Option<toml::Value>,
    /// `POST /v1.41/volumes/create`
    request: Option<String>,
    /// Its body.
    body: Option<toml::Value>,
    /// What the engine holds, in the words of a record's `known`.
    known: Option<toml::Value>,
    #[serde(default)]
    protected: Vec<String>,
    expect: Expect,
    checks: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    Number(u32),
    Text(String),
    More(Vec<Self>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Words(Vec<String>),
}

impl Suite {
    /// Reads a file of tests.
    ///
    /// # Errors
    /// What cannot be read, with its line.
    pub fn read(source: &Source) -> Result<Self, String> {
        let at = |offset: usize| format!("{}:{}", source.path.display(), source.place(offset).0);
        let file: File = toml::from_str(&source.text).map_err(|error| {
            let place = error.span().map_or_else(|| source.path.display().to_string(), |span| at(span.start));
            format!("{place}: {}", error.message())
        })?;
        let mut tests = Vec::new();
        for written in file.test {
            let place = written.name.span().start;
            tests.push(written.test(source.place(place).0).map_err(|why| format!("{}: {why}", at(place)))?);
        }
        Ok(Self { policy: file.policy, tests })
    }
}

impl Test {
    /// Puts it to a policy.
    ///
    /// # Errors
    /// What came instead of what was to come.
    pub fn run(&mut self, asked: &mut Asked) -> Result<(), Box<Failure>> {
        asked.protected.clone_from(&self.protected);
        let answer = asked.explain(&mut self.asking, &self.peer);
        let refusing = |refuses: bool| {
            let found = answer.findings.iter().filter(|told| told.reaction.refuses() == refuses);
            let mut checks: Vec<String> = found.map(|told| told.check.clone()).collect();
            checks.sort_unstable();
            checks.dedup();
            checks
        };
        let is_refused = self.expect != Expect::Allow;
        let checks = refusing(true);
        let as_wanted = self.checks.as_ref().is_none_or(|wanted| {
            // What is allowed may be told of all the same: the checks named must be among that.
            if is_refused { *wanted == checks } else { wanted.iter().all(|check| refusing(false).contains(check)) }
        });
        if answer.verdict == self.expect.word() && as_wanted {
            return Ok(());
        }
        let by = |word: &str, checks: &[String]| match checks {
            [] => word.to_owned(),
            checks => format!("{word} by {}", checks.join(", ")),
        };
        let expected = by(self.expect.word(), self.checks.as_deref().unwrap_or_default());
        Err(Box::new(Failure { expected, got: by(answer.verdict, &checks), answer }))
    }
}

impl Expect {
    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

impl Written {
    fn test(self, line: usize) -> Result<Test, String> {
        let checks = self.checks.map(|mut checks| {
            checks.sort_unstable();
            checks
        });
        let is_check = |check: &&String| Check::from_id(check).is_none() && !check.starts_with("site.");
        if let Some(unknown) = checks.iter().flatten().find(is_check) {
            return Err(format!("'{unknown}' is no check"));
        }
        let mut asking = asking(self.run, self.create, self.request, self.body)?;
        if let Some(known) = self.known {
            asking.know(known_of(&json(&known)?).map_err(|error| format!("known: {error}"))?);
        }
        let pairs: Vec<(String, String)> = self
            .caller
            .into_iter()
            .flat_map(|(key, value)| value.texts().into_iter().map(move |text| (key.clone(), text)))
            .collect();
        let peer = identity(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))?;
        let name = self.name.into_inner();
        Ok(Test { name, line, peer, asking, protected: self.protected, expect: self.expect, checks })
    }
}

fn asking(
    run: Option<Line>,
    create: Option<toml::Value>,
    request: Option<String>,
    body: Option<toml::Value>,
) -> Result<Asking, String> {
    match (run, create, request, body) {
        (Some(line), None, None, None) => {
            let words = match line {
                Line::Text(text) => docker::words(&text)?,
                Line::Words(words) => words,
            };
            Asking::of_command(&words, "/")
        }
        (None, Some(create), None, None) => {
            Asking::new("POST", "/v1.41/containers/create", Some(json(&create)?.into_bytes()))
        }
        (None, None, Some(request), body) => {
            let (method, target) = request.split_once(' ').ok_or("request is written \"POST /v1.41/…\"")?;
            let body = body.as_ref().map(json).transpose()?;
            Asking::new(method, target.trim(), body.map(String::into_bytes))
        }
        _other => Err("a test says one of run, create, and request (with body)".to_owned()),
    }
}

fn json(value: &toml::Value) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

impl OneOrMore {
    fn texts(self) -> Vec<String> {
        match self {
            Self::Number(number) => vec![number.to_string()],
            Self::Text(text) => vec![text],
            Self::More(all) => all.into_iter().flat_map(Self::texts).collect(),
        }
    }
}
