//! Requests that were sent raw to real engines to see how they are read (`tests/data/cases.json`, bytes as Latin-1): through a
//! gate in enforce mode, what must be refused never reaches the engine, and what must pass does.

use serde::Deserialize;

use super::support::docker::Docker;
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};
use super::support::raw::Wire;

/// One image, no host binds but one folder, one capability, nothing else beyond the baseline.
const POLICY: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "reference"
[profile.reference]
extends = "baseline"
images = ["busybox:1.0"]
capabilities = ["NET_BIND_SERVICE"]
binds = [{ path = "/srv/data/**", access = "rw" }]
api = ["read", "containers", "exec", "images.pull", "images.manage", "networks", "volumes", "build"]
[profile.reference.reactions]
"image.not-allowed" = "deny"
"image.tag" = "deny"
"#;

#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    title: String,
    expect: String,
    accept: Vec<String>,
    bytes: String,
}

#[test]
fn what_must_be_refused_never_reaches_the_engine_and_what_must_pass_does() {
    let engine = Engine::own();
    let direct = Docker::at(engine.socket());
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let text = include_str!("../data/cases.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let bytes: Vec<u8> = case.bytes.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
        let answer = Wire::open(&gate.socket()).send(bytes).finish().answer();
        let made = direct.ok(&["ps", "-aq"]);
        // Behind a first request that may pass, what counts is what the engine then holds.
        let passed = if case.bytes.matches(" HTTP/1.1\r\n").count() > 1 {
            !made.is_empty()
        } else {
            // The gate says its name; hyper refuses what is no HTTP with an empty answer or none.
            answer.as_ref().is_some_and(|answer| {
                let ok = matches!(answer.status(), 101 | 200 | 201 | 204 | 304);
                ok || (!answer.body.is_empty() && !answer.text().contains("tidewaiter: "))
            })
        };
        let may_pass = case.accept.iter().any(|verdict| verdict == "allow");
        let must_pass = case.expect == "allow" && case.accept.iter().all(|verdict| verdict == "allow");
        if (passed && !may_pass) || (!passed && must_pass) {
            let said = answer.map(|answer| format!("{} {}", answer.line, answer.text())).unwrap_or_default();
            wrong.push((case.id.clone(), format!("{}: wanted {}, got {said}", case.title, case.expect)));
        }
        for made in made.lines() {
            direct.run(&["rm", "-f", made]);
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases: {wrong:#?}", wrong.len(), cases.len());
}
