//! A preset in force in front of an engine, and the calls of the product it is for.

use serde_json::Value;

use super::super::support::docker::{Docker, unique};
use super::super::support::engine::Engine;
use super::super::support::gate::{Gate, Options};
use super::super::support::raw::{Answer, Wire};

/// A call: what is expected, method and target, body.
///
/// Expected is the engine's own status, `*` for whatever the engine answers, or the check that refuses the call. A target
/// without a version gets the newest one of the oldest engine. `{id}` is the container made last, `{exec}` the exec,
/// `{image}` an image's id, `{name}` a name that nothing else has.
pub(super) type Call = (&'static str, &'static str, &'static str);

/// A gate with a preset in force, whose caller is this process.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) gate: Gate,
    pub(super) direct: Docker,
    pub(super) gated: Docker,
    words: Vec<(&'static str, String)>,
}

impl Site {
    /// Puts a preset in force and makes this process the caller that `principal` is for; nothing else of it changes but
    /// `replaced`.
    pub(super) fn new(engine: &Engine, preset: &str, principal: &str, replaced: &[(&str, &str)]) -> Self {
        let path = format!("{}/conf/presets/{preset}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        let mut name = "";
        let file = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        for line in file.lines() {
            if let Some(said) = line.strip_prefix("name ") {
                name = said.trim_start_matches([' ', '=']).split('"').nth(1).unwrap();
            }
            let uid = if name == principal { nix::unistd::Uid::current().as_raw() } else { 65_533 };
            text += &match line {
                _ if line.starts_with("match ") => format!("match = [ {{ uid = {uid} }} ]"),
                _ if line.starts_with("mode ") => "mode = \"enforce\"".to_owned(),
                _ => line.to_owned(),
            };
            text += "\n";
        }
        for (from, to) in replaced {
            assert!(text.contains(from), "{from} is not in {preset}");
            text = text.replace(from, to);
        }
        let gate = Gate::start(engine.socket(), Options { policy: Some(&text), ..Options::default() });
        let (direct, gated) = (Docker::at(engine.socket()), Docker::at(&gate.socket()));
        let image = direct.ok(&["image", "inspect", "-f", "{{.Id}}", "busybox:1.0"]);
        Self { gate, direct, gated, words: vec![("{name}", unique("preset")), ("{image}", image)] }
    }

    /// Makes every call, in order.
    ///
    /// # Panics
    /// At the end, with every call that had another answer than expected.
    pub(super) fn make(&mut self, calls: &[Call]) {
        let mut wrong = Vec::new();
        for (expected, line, body) in calls {
            let answer = self.ask(line, body);
            let text = answer.text();
            let ours = text.contains("tidewaiter: ");
            let right = match *expected {
                "*" => !ours,
                check if check.starts_with(|first: char| first.is_ascii_lowercase()) => {
                    answer.status() == 403 && ours && text.contains(check)
                }
                status => !ours && status == answer.status().to_string(),
            };
            if !right {
                wrong.push(format!("{line}: {} instead of {expected}: {text}", answer.status()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Gives a word a value.
    pub(super) fn set(&mut self, word: &'static str, value: String) {
        self.words.retain(|(known, _)| *known != word);
        self.words.push((word, value));
    }

    /// Sends a call and reads its answer: the head alone of a stream.
    pub(super) fn ask(&mut self, line: &str, body: &str) -> Answer {
        let fill =
            |text: &str| self.words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value));
        let (line, body) = (fill(line), fill(body));
        let (method, target) = line.split_once(' ').unwrap();
        let version = if target.starts_with("/v1.") { "" } else { "/v1.41" };
        let streams = ["/attach", "/exec/", "/events", "follow=1", "stream=1"].iter().any(|part| target.contains(part));
        let hijacks = method == "POST" && (target.contains("/attach") || target.ends_with("/start") && streams);
        let upgrade = if hijacks { "Connection: Upgrade\r\nUpgrade: tcp\r\n" } else { "" };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        let mut wire = Wire::open(&self.gate.socket());
        wire.send(format!(
            "{method} {version}{target} HTTP/1.1\r\nHost: docker\r\n{upgrade}{kind}Content-Length: {length}\r\n\r\n{body}"
        ));
        let mut answer = wire.head().unwrap();
        if method != "HEAD" && (!streams || answer.header("content-length").is_some()) {
            wire.body(&mut answer);
        }
        if answer.status() == 201 {
            let made: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let word = match target {
                _ if target.ends_with("/exec") => Some("{exec}"),
                _ if target.starts_with("/containers/create") => Some("{id}"),
                _ => None,
            };
            if let (Some(word), Some(id)) = (word, made["Id"].as_str()) {
                self.set(word, id.to_owned());
            }
        }
        answer
    }
}
