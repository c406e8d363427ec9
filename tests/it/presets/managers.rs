//! Products that manage containers of others: Watchtower and Portainer.

use serde_json::{Value, json};

use super::super::support::engine::Engine;
use super::site::{Call, Site};

/// Roads to the host that no product here needs.
const ROADS: &[Call] = &[
    ("privileged", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#),
    ("mount.host-path", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"Binds":["/:/host"]}}"#),
    ("namespace.pid.host", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"PidMode":"host"}}"#),
    ("capability.added", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"CapAdd":["SYS_ADMIN"]}}"#),
    ("api.not-allowed", "POST /plugins/pull?remote=x", "[]"),
    ("api.not-allowed", "POST /swarm/init", r#"{"ListenAddr":"127.0.0.1"}"#),
    ("api.not-allowed", "POST /build?t=x", ""),
    ("api.not-allowed", "POST /commit?container={id}&repo=busybox&tag=1.0", ""),
];

/// Watchtower at 023c1a7d, `pkg/container/client.go`: `ListContainers`, `GetContainer`, `PullImage`, `StopContainer`.
const WATCHTOWER_STOPS: &[Call] = &[
    ("200", "GET /containers/json?filters=%7B%22status%22%3A%7B%22running%22%3Atrue%7D%7D", ""),
    ("200", "GET /containers/{id}/json", ""),
    ("200", "GET /images/{image}/json", ""),
    ("*", "POST /images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=1.0", ""),
    ("200", "GET /images/busybox:1.0/json", ""),
    ("204", "POST /containers/{id}/rename?name={name}-old", ""),
    ("204", "POST /containers/{id}/kill?signal=SIGKILL", ""),
    ("204", "DELETE /containers/{id}?force=1", ""),
];

/// `StartContainer` there, after the create; and `RemoveImageByID` of one that is gone.
const WATCHTOWER_STARTS: &[Call] = &[
    ("200", "POST /networks/bridge/disconnect", r#"{"Container":"{id}","Force":true}"#),
    ("200", "POST /networks/bridge/connect", r#"{"Container":"{id}","EndpointConfig":{"Aliases":[]}}"#),
    ("204", "POST /containers/{id}/start", ""),
    ("404", "DELETE /images/{name}?force=1", ""),
];

/// What Watchtower does not do, but for hooks in containers (`--enable-lifecycle-hooks`), which are off unless asked for.
const NOT_WATCHTOWER: &[Call] = &[
    ("image.not-allowed", "POST /containers/create", r#"{"Image":"other.example.com/x:1"}"#),
    ("image.not-allowed", "POST /images/create?fromImage=other.example.com%2Fx&tag=1", ""),
    ("api.not-allowed", "POST /containers/{id}/exec", r#"{"Cmd":["id"]}"#),
    ("api.not-allowed", "POST /images/busybox:1.0/push", ""),
    ("api.not-allowed", "POST /volumes/create", r#"{"Name":"x"}"#),
    ("api.not-allowed", "GET /containers/{id}/archive?path=/etc", ""),
];

#[test]
fn watchtower_starts_a_container_anew_with_what_it_had() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine, "watchtower", "watchtower", &[]);
    let run =
        ["run", "-d", "--restart", "unless-stopped", "--memory", "64m", "-l", "a=b", "busybox:1.0", "sleep", "600"];
    let id = site.direct.ok(&run);
    let had: Value = serde_json::from_str(&site.direct.ok(&["inspect", "-f", "{{json .}}", &id])).unwrap();
    site.set("{id}", id);
    site.make(WATCHTOWER_STOPS);
    let mut body = had["Config"].clone();
    body["HostConfig"] = had["HostConfig"].clone();
    body["NetworkingConfig"] = json!({ "EndpointsConfig": had["NetworkSettings"]["Networks"] });
    let answer = site.ask("POST /containers/create?name={name}", &body.to_string());
    assert_eq!(answer.status(), 201, "{}", answer.text());
    site.make(WATCHTOWER_STARTS);
    site.make(NOT_WATCHTOWER);
    site.make(ROADS);
    site.make(&[("204", "DELETE /containers/{id}?force=1", "")]);
}

/// What Portainer's pages for containers, images, networks and volumes do. Not taken from its source file by file.
const PORTAINER: &[Call] = &[
    ("200", "GET /_ping", ""),
    ("200", "GET /info", ""),
    ("200", "GET /version", ""),
    ("200", "GET /events?since=0&until=1", ""),
    ("200", "GET /containers/json?all=1&size=0", ""),
    ("200", "GET /images/json?all=0", ""),
    ("*", "POST /images/create?fromImage=nginx&tag=1.27", ""),
    ("200", "GET /volumes", ""),
    ("201", "POST /volumes/create", r#"{"Name":"{name}","Driver":"local","DriverOpts":{},"Labels":{}}"#),
    (
        "201",
        "POST /networks/create",
        r#"{"Name":"{name}","Driver":"bridge","IPAM":{"Driver":"default","Config":[]},"Internal":false}"#,
    ),
    (
        "201",
        "POST /containers/create?name={name}",
        r#"{"Image":"busybox:1.0","Cmd":["sleep","600"],"Tty":true,"OpenStdin":true,"HostConfig":{"RestartPolicy":{"Name":"unless-stopped"},"Binds":["{name}:/data"],"NetworkMode":"{name}","Privileged":false,"CapAdd":[],"CapDrop":[],"Devices":[],"ExtraHosts":[]}}"#,
    ),
    ("204", "POST /containers/{id}/start", ""),
    ("200", "GET /containers/{id}/json", ""),
    ("200", "GET /containers/{id}/logs?stdout=1&stderr=1&tail=100", ""),
    ("200", "GET /containers/{id}/stats?stream=0", ""),
    ("200", "GET /containers/{id}/top", ""),
    (
        "201",
        "POST /containers/{id}/exec",
        r#"{"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"Cmd":["sh"]}"#,
    ),
    ("101", "POST /exec/{exec}/start", r#"{"Detach":false,"Tty":true}"#),
    ("*", "POST /exec/{exec}/resize?h=24&w=80", ""),
    ("200", "GET /exec/{exec}/json", ""),
    ("101", "POST /containers/{id}/attach?stdin=1&stdout=1&stderr=1&stream=1", ""),
    ("200", "POST /containers/{id}/update", r#"{"RestartPolicy":{"Name":"no"}}"#),
    ("204", "POST /containers/{id}/pause", ""),
    ("204", "POST /containers/{id}/unpause", ""),
    ("204", "POST /containers/{id}/restart?t=0", ""),
    ("204", "POST /containers/{id}/rename?name={name}-2", ""),
    ("200", "POST /networks/bridge/connect", r#"{"Container":"{id}"}"#),
    ("200", "POST /networks/bridge/disconnect", r#"{"Container":"{id}","Force":false}"#),
    ("204", "POST /containers/{id}/kill", ""),
    ("204", "DELETE /containers/{id}?v=1&force=1", ""),
    ("204", "DELETE /networks/{name}", ""),
    ("204", "DELETE /volumes/{name}", ""),
];

#[test]
fn portainer_does_everyday_work_and_opens_no_road_to_the_host() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine, "portainer", "portainer", &[]);
    site.make(PORTAINER);
    site.make(ROADS);
}
