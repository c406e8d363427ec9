//! Site rules, through a gate and in front of an engine.

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "baseline"
[[rule]]
id = "site.memory-limit"
when = "[create, container].exists(c, c != null && c.HostConfig.Memory == 0)"
message = "set a memory limit (--memory)"
"#;

#[test]
fn a_site_rule_refuses_a_container_without_a_memory_limit() {
    let engine = Engine::shared();
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let (direct, gated) = (Docker::at(engine.socket()), Docker::at(&gate.socket()));
    let (unlimited, limited) = (unique("unlimited"), unique("limited"));

    let refused = gated.run(&["create", "--name", &unlimited, "busybox:1.0", "true"]);
    let words = "denied for fallback (profile baseline): site.memory-limit: set a memory limit (--memory) (rule)";
    assert!(!refused.status.success() && refused.stderr.contains(words), "{refused:#?}");

    gated.ok(&["create", "--name", &limited, "--memory", "64m", "busybox:1.0", "true"]);
    gated.ok(&["start", &limited]);

    direct.ok(&["create", "--name", &unlimited, "busybox:1.0", "true"]);
    let started = gated.run(&["start", &unlimited]);
    direct.ok(&["rm", "-f", &unlimited, &limited]);
    assert!(
        !started.status.success() && started.stderr.contains("site.memory-limit"),
        "made behind the gate: {started:#?}"
    );

    let records = gate.records();
    let finding =
        records.iter().flat_map(|record| record["verdict"]["findings"].as_array().cloned().unwrap_or_default());
    let ours: Vec<_> = finding.filter(|finding| finding["check"] == "site.memory-limit").collect();
    assert!(ours.len() >= 2, "{ours:#?}");
    assert_eq!(ours[0]["detail"], "set a memory limit (--memory)");
}
