//! Requests that were sent raw to real engines to see how they are read (`tests/data/cases.json`): through a gate in enforce
//! mode, what must be refused has no effect in the engine, and what must pass does; in monitor mode all is as without a gate.

use std::path::{Path, PathBuf};
use std::thread;

use jiff::Timestamp;

use super::support::case::{Case, HostPaths, clean, effects, engine_name, exchange, held};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};
use super::support::raw::Answer;
use super::support::table::Table;

/// One image, no host binds but one folder, one capability, nothing else beyond the baseline.
pub(crate) const POLICY: &str = r#"
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

/// Rows whose answers differ from the engine's even in monitor mode, all of them requests that no client sends on purpose:
/// the gate reads HTTP with hyper, which answers or reads these in its own way.
const DIFFERENT: &[(&str, &str)] = &[
    ("path-021", "an opaque target: hyper refuses what Go takes"),
    ("path-026", "no leading slash: both refuse, hyper with an empty body"),
    ("frm-008", "a folded Transfer-Encoding: hyper refuses what Go takes"),
    ("frm-017", "an empty Content-Length: both refuse, hyper with an empty body"),
    ("frm-019", "bytes behind a request that are none: both refuse, hyper with an empty body"),
    ("frm-023", "Content-Length beside chunked: read alike, but hyper closes where Go takes another request"),
    ("frm-030", "bare LF in chunks: hyper refuses what Go 1.19 takes"),
    ("frm-041", "an HTTP/2 preface: refused with a record"),
    ("frm-045", "a CRLF before the request: hyper skips what Go refuses"),
];

/// Rows that cannot end before the client says that it will send no more.
const UNENDED: &[&str] = &["frm-017", "frm-034"];

/// Rows for which the engine looks for a plugin, over and over for 15 s.
const SLOW: &[&str] = &["flat-006", "bind-035", "ep-004"];

/// An answer without what differs between two equal calls: times, ids, and how far a build was when it told.
fn told(answer: Answer) -> Answer {
    let mut answer = answer.comparable();
    if answer.header("content-type") == Some("application/x-tar") {
        // When the file was changed, and the checksum over that.
        answer.body[136..156].fill(b'0');
    }
    let mut text = String::new();
    for line in answer.text().split_inclusive('\n').filter(|line| !line.contains("moby.buildkit.trace")) {
        for word in line.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
            let id = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            // Swarm's ids have 25 letters, all others 64.
            let is_id = matches!(id.len(), 25 | 64) && id.chars().all(|letter| !letter.is_ascii_uppercase());
            text.push_str(if is_id { word.strip_prefix(id).unwrap() } else { word });
        }
    }
    // A volume tells the second in which it was made.
    if let Some((before, made)) = text.split_once("\"CreatedAt\":\"")
        && let Some((_time, after)) = made.split_once('"')
    {
        text = format!("{before}{after}");
    }
    answer.body = text.into_bytes();
    answer
}

fn is_one_of(rows: &[&str], case: &Case) -> bool {
    rows.contains(&case.id.as_str())
}

/// What came of a row: the answers, and what the engine did.
type Outcome = (Vec<Answer>, Vec<String>);

fn outcome(case: &Case, socket: &Path, engine: &Path) -> Outcome {
    let is_podman = engine.ends_with("podman.sock");
    // Podman does not tell enough of a container that was made behind the gate for it to be let pass.
    let bytes = case.prepare(engine, if is_podman { socket } else { engine });
    let podman = is_podman.then(|| held(engine));
    let since = Timestamp::now();
    let answers = exchange(socket, &bytes, is_one_of(UNENDED, case));
    let effects = match podman {
        Some(before) => before.symmetric_difference(&held(engine)).cloned().collect(),
        None => effects(engine, since),
    };
    clean(engine);
    (answers.into_iter().map(told).collect(), effects)
}

#[test]
fn in_monitor_mode_every_answer_and_effect_is_the_engines_own() {
    let _paths = HostPaths::hold();
    let engine = Engine::own();
    let engine = engine.socket();
    let gate = Gate::start(engine, Options { policy: Some(POLICY), mode: Some("monitor"), ..Options::default() });
    let cases = Case::of_docker();
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|case| !is_one_of(SLOW, case)) {
        let (engines, gates) = (outcome(case, engine, engine), outcome(case, &gate.socket(), engine));
        let may_differ = DIFFERENT.iter().any(|(id, _)| *id == case.id);
        if (engines != gates) != may_differ {
            wrong.push(format!("{} {}: {engines:?} / {gates:?}", case.id, case.title));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases: {wrong:#?}", wrong.len(), cases.len());
}

#[test]
fn in_monitor_mode_a_look_up_of_15_seconds_is_the_engines_own() {
    let engine = Engine::shared();
    let gate = Gate::monitor(engine.socket());
    let cases = Case::of_docker();
    thread::scope(|scope| {
        let mut letters = 'a'..;
        let mut ask = |case: &Case, socket: PathBuf| {
            // Each has names of its own, as long as those of the row: the engine looks for one plugin after the other.
            let letter = letters.next().unwrap();
            let names = ["h2", "nosuchdrv", "evilplugin"].map(|name| {
                let mut own = name.to_owned();
                own.replace_range(..1, letter.encode_utf8(&mut [0; 4]));
                (name, own)
            });
            let own = |text: String| names.iter().fold(text, |text, (name, own)| text.replace(name, own));
            let request = own(String::from_utf8(case.prepare(&socket, &socket)).unwrap());
            scope.spawn(move || {
                let answers = exchange(&socket, request.as_bytes(), false).into_iter().map(told);
                let rows = |text: String| names.iter().fold(text, |text, (name, own)| text.replace(own, name));
                answers.map(|answer| (answer.status(), rows(answer.text()))).collect::<Vec<_>>()
            })
        };
        let slow = cases.iter().filter(|case| is_one_of(SLOW, case));
        let both: Vec<_> = slow.map(|case| (ask(case, engine.socket().into()), ask(case, gate.socket()))).collect();
        for (direct, through) in both {
            assert_eq!(direct.join().unwrap(), through.join().unwrap());
        }
    });
}

#[test]
fn what_must_be_refused_never_reaches_the_engine_and_what_must_pass_does() {
    enforce(Engine::own().socket(), &Case::of_docker());
}

/// Docker's rows too: what Podman refuses by itself has passed the gate all the same.
#[test]
#[ignore = "needs Podman: run by `make podman`"]
fn on_podman_what_must_be_refused_never_reaches_it_and_what_must_pass_does() {
    enforce(Engine::podman().socket(), &Case::all());
}

/// Sends the rows through a gate in enforce mode, and prints and judges what came of each.
fn enforce(engine: &Path, cases: &[Case]) {
    let _paths = HostPaths::hold();
    let gate = Gate::start(engine, Options { policy: Some(POLICY), ..Options::default() });
    let mut table = Table::new(engine_name(engine));
    let mut wrong = Vec::new();
    for case in cases {
        let (answers, effects) = outcome(case, &gate.socket(), engine);
        // The gate says its name; hyper refuses what is no HTTP with an empty answer or none.
        let engines = |answer: &Answer| {
            let ok = matches!(answer.status(), 101 | 200 | 201 | 204 | 304);
            ok || (!answer.body.is_empty() && !answer.text().contains("tidewaiter: "))
        };
        // Behind a first request that may pass, what counts is what the engine does.
        let answered = !case.hides_another() && answers.iter().any(engines);
        let passed = answered || !effects.is_empty();
        let may_pass = case.accept.iter().any(|verdict| verdict == "allow");
        let must_pass = case.expect == "allow" && case.accept.iter().all(|verdict| verdict == "allow");
        let (bypassed, refused) = (passed && !may_pass, !passed && must_pass);
        table.add(case, answers.first().map(Answer::status), passed, &effects);
        if bypassed || refused {
            wrong.push(format!("{} {}: wanted {}, got {answers:?} {effects:?}", case.id, case.title, case.expect));
        }
    }
    table.print();
    assert!(wrong.is_empty(), "{} of {} cases: {wrong:#?}", wrong.len(), cases.len());
}
