//! Launches with the kernel's word in them: who asked, and what the container then did first, in one record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::support::docker::{Docker, Said, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};

/// Three callers. The window is short, so that launches end.
const POLICY: &str = r#"
version = 1
mode = "monitor"
[[principal]]
name = "ann"
profile = "baseline"
match = [{ gid = 61001 }]
[[principal]]
name = "bob"
profile = "baseline"
match = [{ gid = 61002 }]
[[principal]]
name = "cid"
profile = "baseline"
match = [{ gid = 61003 }]
[fallback]
profile = "baseline"
[an0693]
time-window = "15s"
"#;
const CALLERS: [(&str, &str); 3] = [("ann", "61001"), ("bob", "61002"), ("cid", "61003")];

/// How many launches are measured, and how many at once.
const LAUNCHES: usize = 500;
const AT_ONCE: usize = 8;

/// A gate that watches the kernel; `None` where the kernel cannot be watched, which is told.
fn watching(engine: &Engine) -> Option<Gate> {
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    Docker::at(&gate.socket()).ok(&["version"]);
    let is_on = !gate.log().contains(r#""status":"off:"#);
    if !is_on {
        println!("NOT TRIED: {}", gate.log());
    }
    is_on.then_some(gate)
}

/// The last record of a container's launch, once it is closed.
fn closed(gate: &Gate, container: &str) -> Value {
    eventually("the launch is over", || {
        let is_it = |record: &Value| {
            record["kind"] == "launch" && record["event"] == "closed" && record["container"]["id"] == container
        };
        gate.records().into_iter().find(is_it)
    })
}

fn timeline(launch: &Value) -> Vec<&Value> {
    launch["timeline"].as_array().unwrap().iter().collect()
}

/// What a launch's processes were given to run.
fn commands(launch: &Value) -> Vec<String> {
    let words = |entry: &&Value| -> String {
        let argv = entry["argv"].as_array().unwrap();
        argv.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    timeline(launch).iter().filter(|entry| entry["what"] == "process").map(words).collect()
}

fn did<'a>(launch: &'a Value, what: &str) -> Vec<&'a Value> {
    timeline(launch).into_iter().filter(|entry| entry["what"] == what).collect()
}

#[test]
fn what_a_container_did_first_stands_beside_who_asked_for_it() {
    let engine = Engine::shared();
    let Some(gate) = watching(&engine) else { return };
    let docker = Docker::at(&gate.socket());
    let server = docker.ok(&["run", "-d", "busybox:1.0", "httpd", "-f", "-p", "80"]);
    let address = docker.ok(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &server]);
    let act = format!(
        "/bin/ls / >/dev/null; wget -q -O /dev/null http://{address}/; nslookup first.example.test 127.0.0.1; true"
    );
    let name = unique("first");
    let client = docker.ok(&["create", "--name", &name, "busybox:1.0", "sh", "-c", &act]);
    docker.ok(&["start", "-a", &client]);

    let launch = closed(&gate, &client);
    assert_eq!(launch["sensor"], "kernel", "{launch:#}");
    assert_eq!(
        (&launch["principal"]["name"], &launch["container"]["name"]),
        (&"fallback".into(), &name.as_str().into())
    );
    let whats: Vec<&str> = timeline(&launch).iter().filter_map(|entry| entry["what"].as_str()).collect();
    assert_eq!(whats.first(), Some(&"create"));
    let (start, process) =
        (whats.iter().position(|what| *what == "start"), whats.iter().position(|what| *what == "process"));
    assert!(start.is_some() && process.is_some() && whats.contains(&"die"), "{launch:#}");
    let run = commands(&launch);
    assert!(run[0].starts_with("sh -c /bin/ls") && run[1] == "/bin/ls /", "{run:?}");
    assert_eq!(did(&launch, "process").iter().filter(|entry| entry["first"] == true).count(), 1);
    assert!(did(&launch, "connect").iter().any(|entry| entry["remote"] == format!("{address}:80")), "{launch:#}");
    assert!(did(&launch, "dns").iter().any(|entry| entry["name"] == "first.example.test"), "{launch:#}");
    // Both calls are there, by the ids of their records.
    for what in ["create", "start"] {
        assert!(did(&launch, what)[0]["record"].is_string(), "{launch:#}");
    }

    docker.ok(&["rm", "-f", &server, &client]);
    let launch = closed(&gate, &server);
    assert_eq!(did(&launch, "listen").len(), 1, "{launch:#}");
    assert!(!did(&launch, "inbound").is_empty(), "{launch:#}");
}

#[test]
fn whoever_enters_is_told_apart_by_whether_a_call_asked_for_it() {
    let engine = Engine::shared();
    let Some(gate) = watching(&engine) else { return };
    let (docker, behind) = (Docker::at(&gate.socket()), Docker::at(engine.socket()));
    let id = docker.ok(&["run", "-d", "--pid", "host", "--network", "host", "busybox:1.0", "sleep", "600"]);
    let with_init = docker.ok(&["run", "-d", "--init", "busybox:1.0", "sleep", "600"]);
    docker.ok(&["exec", &id, "/bin/echo", "asked"]);
    behind.ok(&["exec", &id, "/bin/echo", "unasked"]);
    let launch = closed(&gate, &id);
    assert_eq!(commands(&launch), ["sleep 600"]);
    let run = commands(&closed(&gate, &with_init));
    assert!(run[0].contains("docker-init") && run[1] == "sleep 600", "{run:?}");
    let execs = did(&launch, "exec");
    let of = |word: &str| execs.iter().find(|entry| entry["argv"].to_string().contains(&format!("\"{word}\"")));
    let (asked, unasked) = (of("asked").unwrap(), of("unasked").unwrap());
    assert!(asked["record"].is_string() && asked["out_of_band"] != true, "{asked:#}");
    assert!(unasked["out_of_band"] == true && unasked["pid"].is_u64(), "{unasked:#}");
    let finding = gate.records().into_iter().filter(|record| record["kind"] == "finding");
    let checks: Vec<String> = finding
        .filter(|finding| finding["container"]["id"] == id.as_str() && finding["event"] == "open")
        .map(|finding| finding["check"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        checks.contains(&"launch.an0693".to_owned()) && checks.contains(&"exec.out-of-band".to_owned()),
        "{checks:?}"
    );
    docker.ok(&["rm", "-f", &id, &with_init]);
}

#[test]
fn what_is_not_told_one_by_one_is_counted_in_the_launch() {
    let engine = Engine::shared();
    let Some(gate) = watching(&engine) else { return };
    let docker = Docker::at(&gate.socket());
    let many = "n=0; while [ $n -lt 100 ]; do /bin/true; n=$((n+1)); done";
    let id = docker.ok(&["create", "busybox:1.0", "sh", "-c", many]);
    docker.ok(&["start", "-a", &id]);
    let launch = closed(&gate, &id);
    let (told, untold) = (did(&launch, "process").len(), launch["untold"]["execs"].as_u64().unwrap());
    assert_eq!(told as u64 + untold, 101, "the shell and a hundred more: {launch:#}");
    docker.ok(&["rm", &id]);
}

#[test]
fn a_container_made_behind_the_gate_is_told_with_what_it_did() {
    let engine = Engine::shared();
    let Some(gate) = watching(&engine) else { return };
    let id = Docker::at(engine.socket()).ok(&["run", "-d", "busybox:1.0", "sleep", "600"]);
    let finding = eventually("the bypass with its first process", || {
        gate.records().into_iter().find(|record| {
            record["check"] == "launch.bypass"
                && record["container"]["id"] == id.as_str()
                && did(record, "process").iter().any(|entry| entry["argv"][0] == "sleep")
        })
    });
    assert_eq!(finding["principal"], Value::Null, "{finding:#}");
    Docker::at(engine.socket()).ok(&["rm", "-f", &id]);
}

/// Runs `docker ARGS` through the gate as a member of one group.
fn as_group(gate: &Gate, gid: &str, args: &str) -> Said {
    Docker::at(&gate.socket()).script(&format!("setpriv --regid={gid} --clear-groups docker {args}"), &[])
}

#[test]
#[ignore = "measures, for minutes: run by `make launches`"]
fn five_hundred_launches_are_each_whole() {
    let engine = Engine::own();
    let Some(gate) = watching(&engine) else { panic!("the kernel cannot be watched here") };
    let launch = |number: usize| {
        let (caller, gid) = CALLERS[number % CALLERS.len()];
        let name = format!("launch-{number}");
        // Risky, so that there is a finding whose delay can be told.
        let said = as_group(
            &gate,
            gid,
            &format!("run --rm --name {name} --pid host --network none busybox:1.0 /bin/echo {name}"),
        );
        assert!(said.status.success(), "{said:#?}");
        (name, caller)
    };
    let made: BTreeMap<String, &str> = std::thread::scope(|scope| {
        let workers = (0..AT_ONCE)
            .map(|worker| scope.spawn(move || (worker..LAUNCHES).step_by(AT_ONCE).map(launch).collect::<Vec<_>>()));
        let workers: Vec<_> = workers.collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let records = eventually("all launches are over", || {
        let records = gate.records();
        let over = records.iter().filter(|record| record["kind"] == "launch" && record["event"] == "closed").count();
        (over >= LAUNCHES).then_some(records)
    });
    let of = |kind: &str, name: &str| {
        let is_it = |record: &&Value| record["kind"] == kind && record["container"]["name"] == name;
        records.iter().filter(is_it).collect::<Vec<_>>()
    };
    let whole = |(name, caller): (&String, &&str)| {
        let launches = of("launch", name);
        let Some(launch) = launches.last() else { return false };
        let calls =
            ["create", "start"].iter().all(|what| did(launch, what).iter().any(|entry| entry["record"].is_string()));
        let first = commands(launch).first().is_some_and(|first| *first == format!("/bin/echo {name}"));
        launch["principal"]["name"] == **caller && calls && first
    };
    let missed: Vec<&String> = made.iter().filter(|launch| !whole(*launch)).map(|(name, _)| name).collect();
    let mut delays: Vec<f64> = made.keys().filter_map(|name| delay(&of("finding", name))).collect();
    delays.sort_by(f64::total_cmp);
    let at = |percent: usize| delays.get(delays.len() * percent / 100).copied().unwrap_or(f64::NAN);
    println!(
        "{} launches by {} callers, {AT_ONCE} at once: {} missed; from the first process in the kernel to its finding: \
         p50 {:.0} ms, p99 {:.0} ms, of {}",
        made.len(),
        CALLERS.len(),
        missed.len(),
        at(50),
        at(99),
        delays.len()
    );
    assert_eq!(missed, Vec::<&String>::new());
    assert_eq!(delays.len(), LAUNCHES);
}

/// Milliseconds from the first process, as the kernel stamped it, to the first record of a finding that has it.
fn delay(findings: &[&Value]) -> Option<f64> {
    let finding = findings.iter().find(|finding| !did(finding, "process").is_empty())?;
    let time = |text: &Value| text.as_str()?.parse::<Timestamp>().ok();
    let (process, told) = (time(&did(finding, "process").first()?["at"])?, time(&finding["time"])?);
    Some(told.duration_since(process).as_secs_f64() * 1000.0)
}
