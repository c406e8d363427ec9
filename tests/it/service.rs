//! A swarm's services: what would be refused as a container is refused as a service, on a real engine in swarm mode.

use std::net::{Ipv4Addr, TcpListener};

use super::support::docker::{Docker, Said};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "swarm"
[profile.swarm]
extends = "baseline"
binds = [{ path = "/srv/data/**", access = "rw" }]
api = ["read", "containers", "images", "swarm"]
"#;

/// Options that say as much as the client can, so that all names of fields it writes are met.
const ALL: &str = "--replicas 0 --env A=1 --label a=b --container-label c=d --user 1000 --workdir /tmp --hostname h --init --read-only \
    --cap-drop ALL --host h:127.0.0.1 --dns 127.0.0.1 --dns-search s --dns-option timeout:1 --stop-grace-period 1s \
    --stop-signal TERM --health-cmd true --health-interval 1h --ulimit nofile=64:64 --sysctl net.ipv4.tcp_syncookies=1 \
    --limit-cpu 0.5 --limit-memory 64m --limit-pids 8 --reserve-cpu 0.1 --reserve-memory 8m --constraint node.role==manager \
    --placement-pref spread=node.labels.az --replicas-max-per-node 1 --restart-condition none --restart-delay 1s \
    --restart-max-attempts 1 --restart-window 1s --update-delay 1s --update-failure-action pause --update-monitor 1s \
    --update-max-failure-ratio 0.5 --update-order stop-first --update-parallelism 1 --rollback-delay 1s \
    --endpoint-mode dnsrr --log-driver json-file --log-opt max-size=1m --mount type=volume,source=v,target=/v-{{.Task.Slot}} \
    --mount type=tmpfs,target=/t,tmpfs-size=1m";

fn create(docker: &Docker, name: &str, options: &[&str]) -> Said {
    let mut args = vec!["service", "create", "--quiet", "--detach", "--no-resolve-image", "--name", name];
    args.extend(options);
    args.extend(["busybox:1.0", "sleep", "60"]);
    docker.run(&args)
}

/// Asserts that a command was refused by these findings.
fn refused(said: &Said, findings: &[&str]) {
    assert!(!said.status.success(), "{said:#?}");
    for finding in findings {
        assert!(said.stderr.contains(finding), "{finding} in {said:#?}");
    }
}

/// Another swarm on this machine may have the usual port.
fn init(docker: &Docker) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    docker.ok(&["swarm", "init", "--advertise-addr", &address, "--listen-addr", &address]);
}

#[test]
fn a_service_meets_the_gate_as_a_container_does() {
    let engine = Engine::own();
    let direct = Docker::at(engine.socket());
    init(&direct);
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let docker = Docker::at(&gate.socket());

    let etc = "type=bind,source=/etc,target=/h";
    let here = "TaskTemplate.ContainerSpec.Mounts[0]";
    let sensitive = format!("mount.sensitive: /etc ({here})");
    refused(&create(&docker, "etc", &["--mount", etc]), &["mount.host-path: /etc", &sensitive]);
    let template = r#"type=bind,"source=/srv/data/{{index .Service.Labels ""x""}}",target=/h"#;
    let said = create(&docker, "template", &["--label", "x=../../etc", "--mount", template]);
    refused(&said, &["mount.host-path", "filled in after this"]);
    refused(&create(&docker, "capable", &["--cap-add", "SYS_ADMIN"]), &["capability.added: CAP_SYS_ADMIN"]);
    // The client writes a network's id in place of its name.
    refused(&create(&docker, "host", &["--network", "host"]), &["namespace.network.host: host"]);
    let as_bind = ["--opt", "type=none", "--opt", "o=bind", "--opt", "device=/etc"];
    direct.ok(&[&["volume", "create"], &as_bind[..], &["disguised"]].concat());
    let said = create(&docker, "volume", &["--mount", "type=volume,source=disguised,target=/v"]);
    refused(&said, &["mount.volume-driver: volume disguised: /etc"]);
    refused(&docker.run(&["swarm", "join-token", "manager"]), &["swarm.change"]);
    refused(&docker.run(&["secret", "ls"]), &["api.not-allowed"]);
    assert_eq!(direct.ok(&["service", "ls", "--format", "{{.Name}}"]), "");

    direct.ok(&["network", "create", "--driver", "overlay", "backend"]);
    for (name, options) in [
        ("all", ALL),
        ("networked", "--network backend --replicas 0"),
        ("plain", "--mount type=volume,target=/v --restart-condition none"),
    ] {
        let said = create(&docker, name, &options.split_whitespace().collect::<Vec<_>>());
        assert!(said.status.success(), "{said:#?}");
        assert_eq!(docker.ok(&["service", "inspect", name]), direct.ok(&["service", "inspect", name]));
    }
    let tasks = ["service", "ps", "plain", "--format", "{{.CurrentState}}"];
    eventually("the service's task runs", || direct.ok(&tasks).starts_with("Running").then_some(()));

    let update = |options: &[&str]| {
        docker.run(&[&["service", "update", "--quiet", "--detach", "--no-resolve-image"], options, &["plain"]].concat())
    };
    refused(&update(&["--mount-add", etc]), &["mount.sensitive: /etc"]);
    let mounts = "{{range .Spec.TaskTemplate.ContainerSpec.Mounts}}{{.Type}} {{end}}";
    assert_eq!(direct.ok(&["service", "inspect", "plain", "--format", mounts]), "volume");
    let said = update(&["--label-add", "e=f", "--replicas", "0"]);
    assert!(said.status.success(), "{said:#?}");

    let unknown = |record: &serde_json::Value| record.to_string().contains("request.unknown-field");
    let records = gate.records();
    assert!(!records.iter().any(unknown), "{records:#?}");
    docker.ok(&["service", "rm", "plain"]);
    direct.ok(&["swarm", "leave", "--force"]);
}
