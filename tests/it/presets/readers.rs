//! Products that read: Traefik and monitoring agents.

use super::super::support::engine::Engine;
use super::site::{Call, Site};

/// What neither of them does.
const NOT_READING: &[Call] = &[
    ("api.not-allowed", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#),
    ("api.not-allowed", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"Binds":["/:/host"]}}"#),
    ("api.not-allowed", "POST /containers/{id}/exec", r#"{"Cmd":["id"]}"#),
    ("api.not-allowed", "POST /containers/{id}/kill", ""),
    ("api.not-allowed", "POST /containers/{id}/attach?stdin=1&stream=1", ""),
    ("api.not-allowed", "GET /containers/{id}/archive?path=/etc", ""),
    ("api.not-allowed", "GET /containers/{id}/export", ""),
    ("api.not-allowed", "POST /images/create?fromImage=busybox&tag=2", ""),
    ("api.not-allowed", "POST /networks/bridge/connect", r#"{"Container":"{id}"}"#),
    ("api.not-allowed", "DELETE /containers/{id}?force=1", ""),
    ("api.not-allowed", "GET /secrets", ""),
    ("api.not-allowed", "GET /swarm/unlockkey", ""),
];

/// Traefik v3, `pkg/provider/docker/pdocker.go` (`Provide`, `listContainers`): version 1.24, list, inspect, events. Services,
/// tasks and networks are what its swarm provider is about; that file was not held against this.
const TRAEFIK: &[Call] = &[
    ("200", "HEAD /_ping", ""),
    ("200", "GET /v1.24/version", ""),
    ("200", "GET /v1.24/containers/json?all=1", ""),
    ("200", "GET /v1.24/containers/{id}/json", ""),
    ("200", "GET /v1.24/events?filters=%7B%22type%22%3A%7B%22container%22%3Atrue%7D%7D", ""),
    ("503", "GET /v1.24/services", ""),
    ("503", "GET /v1.24/tasks", ""),
    ("200", "GET /v1.24/networks", ""),
];

/// What monitoring agents (cAdvisor, Telegraf, Datadog's) are known to read. Not taken from one product's source.
const MONITORING: &[Call] = &[
    ("200", "GET /_ping", ""),
    ("200", "GET /version", ""),
    ("200", "GET /info", ""),
    ("200", "GET /containers/json?filters=%7B%22status%22%3A%7B%22running%22%3Atrue%7D%7D", ""),
    ("200", "GET /containers/{id}/json", ""),
    ("200", "GET /containers/{id}/stats?stream=0", ""),
    ("200", "GET /containers/{id}/stats?stream=1", ""),
    ("200", "GET /containers/{id}/top", ""),
    ("200", "GET /containers/{id}/logs?stdout=1&stderr=1&follow=1&tail=0", ""),
    ("200", "GET /events", ""),
    ("200", "GET /images/json", ""),
    ("200", "GET /images/{image}/json", ""),
    ("200", "GET /images/{image}/history", ""),
    ("200", "GET /volumes", ""),
    ("200", "GET /networks", ""),
    ("200", "GET /system/df", ""),
    ("503", "GET /services", ""),
    ("503", "GET /tasks", ""),
    ("503", "GET /nodes", ""),
];

fn reads(preset: &str, principal: &str, calls: &[Call]) {
    let engine = Engine::shared();
    let mut site = Site::new(&engine, preset, principal, &[]);
    let id = site.direct.ok(&["run", "-d", "busybox:1.0", "sleep", "600"]);
    site.set("{id}", id.clone());
    site.make(calls);
    site.make(NOT_READING);
    site.direct.ok(&["rm", "-f", &id]);
}

#[test]
fn traefik_makes_its_routes_and_changes_nothing() {
    reads("traefik", "traefik", TRAEFIK);
}

#[test]
fn a_monitor_sees_everything_and_changes_nothing() {
    reads("read-only-monitoring", "monitoring", MONITORING);
}
