//! `/metrics` and `/health` on the admin door, held against the journal and against Prometheus' own tools.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::docker::Docker;
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options, WITH_ADMIN};
use super::support::raw::{Answer, Wire, ask};
use super::support::receiver::{Receiver, Way};

/// Calls in all; threads that make them.
const CALLS: usize = 10_000;
const THREADS: usize = 4;

fn gate(engine: &Engine) -> Gate {
    Gate::start(engine.socket(), Options { config: Some(WITH_ADMIN), mode: Some("enforce"), ..Options::default() })
}

fn get(gate: &Gate, path: &str) -> Answer {
    ask(&gate.dir().join("admin.sock"), &format!("GET {path} HTTP/1.1\r\nHost: tidewaiter\r\n\r\n")).unwrap()
}

/// The samples of a scrape: name with labels, and value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

/// Waits until as many calls are counted as were made, and nothing is on its way; returns the journal with the metrics.
fn settled(gate: &Gate, calls: usize) -> (Vec<Value>, BTreeMap<String, f64>) {
    eventually("all calls are counted", || {
        let (records, samples) = (gate.records(), samples(&get(gate, "/metrics").text()));
        let counted = samples["tidewaiter_gate_seconds_count"] == calls as f64;
        let still = samples["tidewaiter_reader_lag_records"] == 0.0 && gate.records().len() == records.len();
        (counted && still).then_some((records, samples))
    })
}

/// Makes calls of many kinds: allowed and refused, known and unknown, with an effect and without.
fn call(socket: &Path, count: usize) {
    let create = r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true,"PidMode":"host"}}"#;
    let create = format!(
        "POST /v1.40/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{create}",
        create.len()
    );
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: d\r\n\r\n");
    let kinds = [
        get("/_ping"),
        get("/v1.40/containers/json"),
        create,
        get("/v1.40/no-such-endpoint"),
        get("/v1.40/images/no-such-image/json"),
        "POST /v1.40/containers/no-such-container/stop HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ];
    let mut wire = Wire::open(socket);
    for number in 0..count {
        if number % 50 == 49 {
            wire = Wire::open(socket);
        }
        wire.send(&kinds[number % kinds.len()]).answer().expect("an answer");
    }
}

/// What `/metrics` should say, as the journal has it.
fn counted(records: &[Value]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    let mut count = |name: String| *counts.entry(name).or_insert(0.0) += 1.0;
    for record in records.iter().filter(|record| record["kind"] == "call" && record["stage"] == "outcome") {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (class, action) = (text(&record["request"]["class"]), text(&record["verdict"]["action"]));
        count(format!("tidewaiter_calls_total{{class=\"{class}\",action=\"{action}\"}}"));
        count(format!("tidewaiter_calls_ended_total{{ended=\"{}\"}}", text(&record["outcome"]["ended"])));
        count("tidewaiter_gate_seconds_count".to_owned());
        for finding in record["verdict"]["findings"].as_array().unwrap() {
            let (check, reaction) = (text(&finding["check"]), text(&finding["reaction"]));
            count(format!("tidewaiter_call_checks_total{{check=\"{check}\",reaction=\"{reaction}\"}}"));
        }
    }
    counts
}

#[test]
fn metrics_agree_with_the_journal_after_ten_thousand_mixed_calls() {
    let engine = Engine::shared();
    let mut gate = gate(&engine);
    // What an earlier run of the gate has recorded counts no more.
    call(&gate.socket(), 12);
    gate.terminate();
    let before = gate.records().len();
    gate.start_again();

    let socket = gate.socket();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| call(&socket, CALLS / THREADS));
        }
    });
    let (records, scraped) = settled(&gate, CALLS);
    let wanted = counted(&records[before..]);
    assert_eq!(wanted["tidewaiter_gate_seconds_count"], CALLS as f64);
    assert!(wanted.len() > 8, "the calls are of too few kinds: {wanted:?}");
    let prefixes = [
        "tidewaiter_calls_total",
        "tidewaiter_calls_ended_total",
        "tidewaiter_gate_seconds_count",
        "tidewaiter_call_checks_total",
    ];
    // What has not happened is there too, as 0.
    let of_calls = |(name, value): &(&String, &f64)| **value > 0.0 && prefixes.iter().any(|p| name.starts_with(p));
    let got: BTreeMap<_, _> = scraped.iter().filter(of_calls).map(|(n, v)| (n.clone(), *v)).collect();
    assert_eq!(got, wanted);
    assert_eq!(scraped["tidewaiter_journal_records_total"], (records.len() - before) as f64);
    assert_eq!(scraped["tidewaiter_reader_skipped_total"], 0.0);
}

#[test]
fn an_open_stream_is_counted_until_it_ends() {
    let engine = Engine::shared();
    let gate = gate(&engine);
    let streams = || samples(&get(&gate, "/metrics").text())["tidewaiter_streams_open"];
    let mut wire = Wire::open(&gate.socket());
    wire.send("GET /v1.40/events HTTP/1.1\r\nHost: d\r\n\r\n").head().unwrap();
    eventually("the stream is counted", || (streams() == 1.0).then_some(()));
    drop(wire);
    eventually("its end is counted", || (streams() == 0.0).then_some(()));
}

#[test]
fn health_says_which_policy_is_in_force() {
    let engine = Engine::shared();
    let gate = gate(&engine);
    let answer = get(&gate, "/health");
    let health: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status(), &health["status"], &health["policy"]["generation"]), (200, &"ok".into(), &1.into()));
    ask(&gate.socket(), "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").unwrap();
    let judged =
        eventually("a call is recorded", || gate.records().into_iter().find(|record| record["kind"] == "call"));
    assert_eq!(health["policy"]["sha256"], judged["policy"]["sha256"]);
}

#[test]
fn a_sink_that_takes_nothing_falls_behind_and_comes_up_again() {
    let engine = Engine::shared();
    let mut receiver = Receiver::rsyslog(Way::Tcp);
    let config = format!("{WITH_ADMIN}{}", receiver.sink(""));
    let options = Options { config: Some(&config), mode: Some("monitor"), ..Options::default() };
    let gate = Gate::start(engine.socket(), options);
    let sink = || {
        let scraped = samples(&get(&gate, "/metrics").text());
        let one = |name: &str| scraped[&format!("tidewaiter_sink_{name}{{sink=\"logs\"}}")];
        (one("up"), one("lag_records"))
    };
    eventually("all has arrived", || (sink() == (1.0, 0.0)).then_some(()));

    receiver.stop();
    call(&gate.socket(), 60);
    let health = eventually("it is down, and what was called since has not arrived", || {
        let health: Value = serde_json::from_slice(&get(&gate, "/health").body).unwrap();
        (health["sinks"][0]["up"] == false && health["sinks"][0]["lag"].as_u64() >= Some(60)).then_some(health)
    });
    assert_eq!((&health["status"], &health["sinks"][0]["name"]), (&"ok".into(), &"logs".into()), "calls are recorded");
    assert_eq!(sink().0, 0.0);

    receiver.start();
    eventually("all has arrived again", || (sink() == (1.0, 0.0)).then_some(()));
}

#[test]
fn events_of_the_kernel_are_counted_and_what_containers_hide_in_a_crowd_too() {
    let engine = Engine::shared();
    let gate = gate(&engine);
    let scrape = || samples(&get(&gate, "/metrics").text());
    let health: Value = serde_json::from_slice(&get(&gate, "/health").body).unwrap();
    assert_eq!((&health["sensor"]["on"], scrape()["tidewaiter_sensor_up"]), (&true.into(), 1.0), "{health}");
    let before = scrape();
    let crowd = "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done";
    Docker::at(&gate.socket()).ok(&["run", "--rm", "busybox:1.0", "sh", "-c", crowd]);
    eventually("both are counted", || {
        let more = |name: &str| scrape()[name] - before[name];
        (more("tidewaiter_sensor_events_total") >= 64.0 && more("tidewaiter_sensor_counted_total") >= 136.0)
            .then_some(())
    });
}

#[test]
fn a_sensor_that_nobody_wants_is_not_missed() {
    let engine = Engine::shared();
    let config = format!("{WITH_ADMIN}[watch]\nsensor = 'off'\n");
    let options = Options { config: Some(&config), mode: Some("monitor"), ..Options::default() };
    let gate = Gate::start(engine.socket(), options);
    assert!(!get(&gate, "/metrics").text().contains("tidewaiter_sensor_up"));
    let health: Value = serde_json::from_slice(&get(&gate, "/health").body).unwrap();
    assert_eq!(health["sensor"], serde_json::json!({"on": false, "status": "off: by configuration"}));
}

// === the examples ===

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prometheus");

fn example(name: &str) -> String {
    String::from_utf8(std::fs::read(Path::new(EXAMPLES).join(name)).unwrap()).unwrap()
}

/// Every metric's name in a text.
fn named(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tidewaiter_") && *word != "tidewaiter_").collect()
}

/// The expressions of all panels.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_examples_name_only_metrics_that_there_are() {
    let engine = Engine::shared();
    let gate = gate(&engine);
    let text = get(&gate, "/metrics").text();
    let known = |name: &str| {
        let bare = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        text.lines().any(|line| line.strip_prefix("# TYPE ").is_some_and(|line| line.split(' ').next() == Some(bare)))
    };
    let dashboard: Value = serde_json::from_str(&example("grafana.json")).unwrap();
    let expressions = expressions(&dashboard);
    let (alerts, tests) = (example("alerts.yml"), example("alerts.test.yml"));
    let used: Vec<&str> =
        expressions.iter().flat_map(|text| named(text)).chain(named(&alerts)).chain(named(&tests)).collect();
    assert!(expressions.len() > 10 && used.len() > 30, "{used:?}");
    assert_eq!(used.into_iter().filter(|name| !known(name)).collect::<Vec<_>>(), [""; 0]);
}

/// Runs promtool with something on its standard input.
fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    let child =
        command.args(args).current_dir(EXAMPLES).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("run this by `make promtool`: it needs promtool");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "promtool {args:?}: {output:#?}\n{input}");
}

#[test]
#[ignore = "needs promtool, which is large: run by `make promtool`"]
fn promtool_finds_nothing_wrong() {
    let engine = Engine::shared();
    let gate = gate(&engine);
    call(&gate.socket(), 60);
    promtool(&["check", "metrics"], &get(&gate, "/metrics").text());
    promtool(&["check", "config", "prometheus.yml"], "");
    promtool(&["test", "rules", "alerts.test.yml"], "");
    // The dashboard's expressions as rules: their syntax is the same, once Grafana has filled in its variables.
    let dashboard: Value = serde_json::from_str(&example("grafana.json")).unwrap();
    let filled =
        |text: String| text.replace("$__rate_interval", "5m").replace("$__range", "6h").replace("$instance", ".*");
    let rules: Vec<Value> = expressions(&dashboard)
        .into_iter()
        .enumerate()
        .map(|(at, text)| serde_json::json!({"record": format!("panel:{at}"), "expr": filled(text)}))
        .collect();
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let file = gate.dir().join("dashboard.yml");
    std::fs::write(&file, groups.to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
}
