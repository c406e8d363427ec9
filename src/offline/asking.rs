//! What is asked, in any of the forms that people have it: a whole HTTP request, a create's body, a command line, or a
//! container as the engine shows it.

use http::{HeaderMap, Method, Uri, Version};

use super::docker;
use super::http1;
use crate::policy::{Known, Maker, Stored};
use crate::request::{self, Asked, BodyPlan, Call, Head, Irregularity};

/// A request that is put to a policy.
#[derive(Debug)]
pub struct Asking {
    pub(super) asked: Asked,
    pub(super) body: Option<Vec<u8>>,
    /// What is odd about how the body came.
    pub(super) odd: Vec<Irregularity>,
    /// What is known of what it names.
    pub(super) known: Known,
    /// Whether the container it acts on is taken for the caller's own.
    is_own: bool,
}

/// What a text holds.
#[derive(Debug)]
pub enum Input {
    /// Requests as they come over the wire, one behind the other.
    Http(Vec<Asking>),
    /// The body of a create.
    Create(Box<Asking>),
    /// What `docker inspect` shows of containers, each still to be read.
    Inspect(Vec<String>),
}

impl Input {
    /// Tells what a text is, and reads it.
    ///
    /// # Errors
    /// If it is none of them.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let is_json = text.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'['));
        if !is_json {
            return http1::requests(text).map(Self::Http);
        }
        let value: serde_json::Value =
            serde_json::from_slice(text).map_err(|error| format!("this is no JSON: {error}"))?;
        let is_inspect = |value: &serde_json::Value| value.get("HostConfig").is_some() && value.get("Config").is_some();
        match value.as_array() {
            Some(list) if !list.is_empty() && list.iter().all(is_inspect) => {
                Ok(Self::Inspect(list.iter().map(ToString::to_string).collect()))
            }
            Some(_) => Err("this is a list, but not of containers as docker inspect shows them".into()),
            None if is_inspect(&value) => Ok(Self::Inspect(vec![value.to_string()])),
            // As it came: what comes twice in it would be lost otherwise.
            None => {
                let create = Asking::new("POST", "/v1.41/containers/create", Some(text.to_vec()))?;
                Ok(Self::Create(Box::new(create)))
            }
        }
    }
}

impl Asking {
    /// A request by its method, target and body.
    ///
    /// # Errors
    /// If method or target is none.
    pub fn new(method: &str, target: &str, body: Option<Vec<u8>>) -> Result<Self, String> {
        let method: Method = method.parse().map_err(|_no| format!("'{method}' is no method"))?;
        let uri: Uri = target.parse().map_err(|_no| format!("'{target}' is no target"))?;
        let head = Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &HeaderMap::new() };
        let asked = request::read(&head);
        let body = body.or_else(|| (asked.body == BodyPlan::Judge).then(Vec::new));
        Ok(Self::of(asked, body, Vec::new()))
    }

    /// A `docker run` or `docker create`, word by word.
    ///
    /// # Errors
    /// What is not understood, by name.
    pub fn of_command(line: &[String], directory: &str) -> Result<Self, String> {
        let docker::Create { query, body } = docker::create(line, directory)?;
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let target = format!("/v1.41/containers/create?{}", query.join("&"));
        Self::new("POST", target.trim_end_matches('?'), Some(body.to_string().into_bytes()))
    }

    /// The start of a container that the engine has. Who made it is taken for the caller.
    ///
    /// # Errors
    /// If its id is none.
    pub fn of_container(stored: Stored) -> Result<Self, String> {
        let mut asking = Self::new("POST", &format!("/v1.41/containers/{}/start", stored.id), None)?;
        asking.known.container = Some(stored);
        asking.is_own = true;
        Ok(asking)
    }

    pub(super) fn of(asked: Asked, body: Option<Vec<u8>>, odd: Vec<Irregularity>) -> Self {
        Self { asked, body, odd, known: Known::default(), is_own: false }
    }

    /// The call, as a gate would read it.
    pub fn call(&self) -> Call<'_> {
        let mut call = match &self.body {
            Some(body) if self.asked.body == BodyPlan::Judge => Call::decode(&self.asked, body),
            Some(_) | None => Call::unread(&self.asked),
        };
        call.irregularities.extend(self.odd.iter().cloned());
        call
    }

    /// Takes what was looked up in place of what was said: who made the container is known then, or that nobody did.
    pub fn know(&mut self, known: Known) {
        self.known = known;
        self.is_own = false;
    }

    /// Takes the container for made by a principal, if it is to be taken for the caller's own.
    pub(super) fn made_by(&mut self, principal: &str) {
        if self.is_own {
            self.known.maker = Some(Maker { principal: principal.to_owned(), image_id: None });
        }
    }
}

/// A value of a query.
fn escaped(value: &str) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
