//! Who made what: principals that act only on their own containers and see no others.

use std::time::{SystemTime, UNIX_EPOCH};

use super::support::docker::{Docker, Said, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[[principal]]
name = "ann"
profile = "own"
match = [{ gid = 61001 }]
[[principal]]
name = "bob"
profile = "own"
match = [{ gid = 61002 }]
[fallback]
profile = "baseline"
[profile.own]
extends = "baseline"
own-only = true
"#;

const ANN: &str = "61001";
const BOB: &str = "61002";

/// Runs `docker ARGS` through the gate as a member of one group.
fn as_group(gate: &Gate, gid: &str, args: &str) -> Said {
    let script = format!("setpriv --regid={gid} --clear-groups docker {args}");
    Docker::at(&gate.socket()).script(&script, &[])
}

#[track_caller]
fn ok(said: &Said) -> String {
    assert!(said.status.success(), "{said:#?}");
    said.stdout.trim().to_owned()
}

#[track_caller]
fn refused(said: &Said, check: &str) {
    assert!(!said.status.success() && said.stderr.contains(check), "no {check} in {said:#?}");
}

#[test]
fn a_principal_acts_only_on_what_it_made_and_sees_nothing_else() {
    let engine = Engine::own();
    let direct = Docker::at(engine.socket());
    let mut gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let (anns, bobs) = (unique("ann"), unique("bob"));
    ok(&as_group(&gate, ANN, &format!("run -d --name {anns} --label a=b busybox:1.0 sleep 600")));
    ok(&as_group(&gate, BOB, &format!("create --name {bobs} busybox:1.0 true")));
    let behind = direct.ok(&["create", "busybox:1.0"]);

    // Not those of others, whatever is done to them, and not those that never passed the gate.
    for args in
        ["start", "stop", "rm -f", "inspect", "logs", "kill", "exec", "rename x", "wait", "top", "stats --no-stream"]
    {
        let (verb, rest) = args.split_once(' ').unwrap_or((args, ""));
        let line = |name: &str| match verb {
            "exec" => format!("exec {name} true"),
            "rename" => format!("rename {name} x"),
            _ => format!("{verb} {rest} {name}"),
        };
        refused(&as_group(&gate, BOB, &line(&anns)), "container.foreign");
        refused(&as_group(&gate, ANN, &line(&behind)), "container.unseen");
    }
    assert_eq!(direct.ok(&["ps", "-q", "--no-trunc"]).lines().count(), 1, "ann's still runs");

    // Their own they have, by name, id and prefix.
    let id = ok(&as_group(&gate, ANN, &format!("inspect -f '{{{{.Id}}}}' {anns}")));
    let prefix: String = id.chars().take(5).collect();
    ok(&as_group(&gate, ANN, &format!("exec {prefix} true")));

    // Lists and events show nothing of others.
    for (gid, name) in [(ANN, &anns), (BOB, &bobs)] {
        assert_eq!(&ok(&as_group(&gate, gid, "ps -a --format '{{.Names}}'")), name);
        // To the nanosecond: `--until 0s` is the second that has begun, and leaves out what happened in it.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let until = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let events = format!("events --since 1h --until {until} --format '{{{{.Actor.Attributes.name}}}}'");
        let events = ok(&as_group(&gate, gid, &events));
        assert!(!events.is_empty() && events.lines().all(|line| line == name.as_str()), "{gid}: {events}");
    }
    let filtered = "ps -a --filter label=a=b --format '{{.Names}}'";
    assert_eq!(
        (ok(&as_group(&gate, ANN, filtered)), ok(&as_group(&gate, BOB, filtered))),
        (anns.clone(), String::new())
    );
    refused(&as_group(&gate, ANN, "system df"), "container.foreign");

    // Joining one's own is no way out; joining another's is refused.
    ok(&as_group(&gate, ANN, &format!("run --rm --network container:{anns} busybox:1.0 true")));
    refused(
        &as_group(&gate, BOB, &format!("run --rm --network container:{anns} busybox:1.0 true")),
        "namespace.network.container",
    );
    refused(&as_group(&gate, BOB, &format!("create --volumes-from {anns} busybox:1.0")), "mount.volumes-from");

    // The container may be named in a body.
    ok(&as_group(&gate, ANN, "network create anns"));
    refused(&as_group(&gate, BOB, &format!("network connect anns {anns}")), "container.foreign");
    ok(&as_group(&gate, ANN, &format!("network connect anns {anns}")));
    refused(&as_group(&gate, BOB, &format!("network disconnect anns {anns}")), "container.foreign");
    ok(&as_group(&gate, ANN, &format!("network disconnect anns {prefix}")));

    // Prune takes one's own only.
    ok(&as_group(&gate, BOB, "container prune -f"));
    let left = direct.ok(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]);
    assert!(!left.contains(&bobs) && left.contains(&anns) && left.contains(&behind), "{left}");

    // A restarted gate knows, and so does one whose index was lost.
    gate.kill9();
    gate.start_again();
    refused(&as_group(&gate, BOB, &format!("stop {anns}")), "container.foreign");
    gate.kill9();
    gate.lose_index();
    gate.start_again();
    refused(&as_group(&gate, BOB, &format!("stop {anns}")), "container.foreign: ");
    ok(&as_group(&gate, ANN, &format!("stop -t 0 {anns}")));
}

#[test]
fn a_link_to_anothers_container_would_read_its_environment() {
    let engine = Engine::own();
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let (anns, bobs) = (unique("ann"), unique("bob"));
    ok(&as_group(&gate, ANN, &format!("run -d --name {anns} -e WORD=anns busybox:1.0 sleep 600")));
    let linked = |name: &str| format!("create --name {bobs} --link {name}:db busybox:1.0 env");
    refused(&as_group(&gate, BOB, &linked(&anns)), "namespace.network.container");
    // Their own they may link, and start, when the engine has written the link in its own form.
    ok(&as_group(&gate, ANN, &linked(&anns)));
    assert!(ok(&as_group(&gate, ANN, &format!("start -a {bobs}"))).contains("WORD=anns"));
}

#[test]
fn what_is_not_there_yet_is_not_acted_on_when_it_comes() {
    let engine = Engine::own();
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let awaited = unique("awaited");
    refused(&as_group(&gate, BOB, &format!("rm {awaited}")), &format!("No such container: {awaited}"));
    refused(&as_group(&gate, BOB, &format!("exec {awaited} true")), &format!("No such container: {awaited}"));
    let ended = gate.records().into_iter().filter(|record| {
        let target = record.pointer("/request/target").and_then(serde_json::Value::as_str).unwrap_or_default();
        target.contains(&awaited) && record["stage"] == "outcome"
    });
    let ended: Vec<_> = ended.map(|record| record["outcome"]["ended"].clone()).collect();
    assert!(!ended.is_empty() && ended.iter().all(|ended| ended == "refused"), "by name to the engine: {ended:?}");
}
