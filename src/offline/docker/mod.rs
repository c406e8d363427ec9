//! The arguments of `docker run` and `docker create` as the body that the Docker CLI makes of them, as far as it is judged.
//!
//! Source: docker/cli, `cli/command/container/opts.go`. What is not understood is an error that names it: a body that says less
//! than the CLI's would be judged better than it is.

mod mounts;
mod options;
mod ports;
mod words;

pub(super) use words::words;

use serde_json::{Value, json};

use options::{Kind, kind};

/// A create, as the CLI would send it.
#[derive(Debug, PartialEq)]
pub(super) struct Create {
    /// The query: `name` and `platform`.
    pub(super) query: Vec<(String, String)>,
    /// The body.
    pub(super) body: Value,
}

/// Options before the command, with whether they take a value.
const GLOBAL: [(&str, bool); 16] = [
    ("--config", true),
    ("--context", true),
    ("-c", true),
    ("--debug", false),
    ("-D", false),
    ("--host", true),
    ("-H", true),
    ("--log-level", true),
    ("-l", true),
    ("--tls", false),
    ("--tlsverify", false),
    ("--tlscacert", true),
    ("--tlscert", true),
    ("--tlskey", true),
    ("sudo", false),
    ("docker", false),
];

/// Reads a command line, with or without `docker` at its start. Relative paths of binds start from `directory`.
///
/// # Errors
/// What is not understood, by name.
pub(super) fn create(line: &[String], directory: &str) -> Result<Create, String> {
    let mut words = line.iter().map(String::as_str).peekable();
    while let Some(word) = words.peek().copied() {
        let name = word.split('=').next().unwrap_or_default();
        let Some((_, takes)) = GLOBAL.iter().find(|(global, _)| *global == name) else { break };
        words.next();
        if *takes && !word.contains('=') {
            words.next();
        }
    }
    words.next_if_eq(&"container");
    match words.next() {
        Some("run" | "create") => {}
        Some(other) => {
            return Err(format!("'{other}' is not understood: only docker run and docker create make a container"));
        }
        None => return Err("there is no command: write docker run …".to_owned()),
    }
    let mut building = Building::new(directory);
    building.options(&mut words)?;
    let image = words.next().ok_or("there is no image")?;
    building.body("Image", json!(image));
    let command: Vec<&str> = words.collect();
    if !command.is_empty() {
        building.body("Cmd", json!(command));
    }
    Ok(building.finish())
}

/// A body in the making.
#[derive(Debug)]
pub(super) struct Building<'d> {
    directory: &'d str,
    query: Vec<(String, String)>,
    body: Value,
    host: Value,
    networks: Vec<String>,
}

impl<'d> Building<'d> {
    fn new(directory: &'d str) -> Self {
        Self { directory, query: Vec::new(), body: json!({}), host: json!({}), networks: Vec::new() }
    }

    /// Takes options up to the first word that is none.
    fn options<'w>(&mut self, words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>) -> Result<(), String> {
        while let Some(word) = words.next_if(|word| word.len() > 1 && word.starts_with('-')) {
            if word == "--" {
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                self.option(name, &format!("--{name}"), value, words)?;
            } else {
                self.short(word, words)?;
            }
        }
        Ok(())
    }

    /// `-it`, `-p80:80`, `-e A=b`: letters until one that takes a value.
    fn short<'w>(&mut self, word: &str, words: &mut impl Iterator<Item = &'w str>) -> Result<(), String> {
        let mut letters = word.trim_start_matches('-').chars();
        while let Some(letter) = letters.next() {
            let said = format!("-{letter}");
            let name = options::long(letter).ok_or_else(|| format!("{said} is not understood"))?;
            let rest = letters.as_str();
            let takes = kind(name).is_some_and(Kind::takes_value);
            if takes && !rest.is_empty() {
                return self.option(name, &said, Some(rest.strip_prefix('=').unwrap_or(rest)), words);
            }
            if let Some(value) = rest.strip_prefix('=') {
                return self.option(name, &said, Some(value), words);
            }
            self.option(name, &said, None, words)?;
        }
        Ok(())
    }

    fn option<'w>(
        &mut self,
        name: &str,
        said: &str,
        value: Option<&str>,
        words: &mut impl Iterator<Item = &'w str>,
    ) -> Result<(), String> {
        let kind = kind(name).ok_or_else(|| format!("{said} is not understood"))?;
        let value = match (kind.takes_value(), value) {
            (_, Some(value)) => value,
            (false, None) => "true",
            (true, None) => words.next().ok_or_else(|| format!("{said} has no value"))?,
        };
        self.set(name, kind, value).map_err(|why| format!("{said} {value}: {why}"))
    }

    /// Sets a member of the body.
    fn body(&mut self, key: &str, value: Value) {
        set(&mut self.body, key, value);
    }

    /// Sets a member of `HostConfig`.
    fn host(&mut self, key: &str, value: Value) {
        set(&mut self.host, key, value);
    }

    /// Adds to a list of `HostConfig`.
    fn add(&mut self, key: &str, value: Value) {
        push(&mut self.host, key, value);
    }

    fn finish(mut self) -> Create {
        let mode = self.networks.first().map_or("default", String::as_str);
        let endpoints: serde_json::Map<String, Value> = self
            .networks
            .iter()
            .filter(|name| !matches!(name.as_str(), "host" | "none" | "default") && !name.starts_with("container:"))
            .map(|name| (name.clone(), json!({})))
            .collect();
        set(&mut self.host, "NetworkMode", json!(mode));
        set(&mut self.body, "NetworkingConfig", json!({ "EndpointsConfig": endpoints }));
        set(&mut self.body, "HostConfig", self.host);
        Create { query: self.query, body: self.body }
    }
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn push(object: &mut Value, key: &str, value: Value) {
    let list = object.as_object_mut().map(|members| members.entry(key).or_insert_with(|| json!([])));
    if let Some(list) = list.and_then(Value::as_array_mut) {
        list.push(value);
    }
}

/// Sets a member of an object within an object, which is made if it is not there.
fn set_in(object: &mut Value, outer: &str, key: &str, value: Value) {
    if let Some(inner) = inner(object, outer) {
        set(inner, key, value);
    }
}

/// An object within an object, made if it is not there.
fn inner<'v>(object: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    Some(object.as_object_mut()?.entry(key).or_insert_with(|| json!({})))
}

#[cfg(test)]
mod tests;
