//! Endpoints beside those that make containers, by what each may do to the host.

use super::{REFERENCE, denying, judged, policy};
use crate::policy::{Action, Policy};
use crate::request::Class;

/// A profile that extends `baseline` with these classes of endpoints and nothing else.
fn opened(classes: &str) -> Policy {
    policy(&REFERENCE.replace("\"build\"]", &format!("\"build\", {classes}]")))
}

fn baseline() -> Policy {
    policy("version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"baseline\"\n")
}

fn denied(policy: &Policy, method: &str, target: &str, body: &str) -> Vec<&'static str> {
    denying(&judged(policy, 1000, method, target, body))
}

#[test]
fn restricted_builds_nothing_since_a_build_runs_any_image_as_root() {
    let restricted = policy("version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"restricted\"\n");
    assert_eq!(denied(&restricted, "POST", "/v1.41/build", ""), ["api.not-allowed"]);
    assert_eq!(denied(&baseline(), "POST", "/v1.41/build", ""), [""; 0]);
}

#[test]
fn a_plugin_is_refused_at_every_step_even_where_its_class_is_open() {
    for (method, target) in [
        ("POST", "/v1.41/plugins/pull?remote=evil/plugin"),
        ("POST", "/v1.41/plugins/create?name=p"),
        ("POST", "/v1.41/plugins/p/set"),
        ("POST", "/v1.41/plugins/p/upgrade?remote=evil/plugin"),
        ("POST", "/v1.41/plugins/p/enable?timeout=0"),
        ("POST", "/v1.41/plugins/p/disable"),
        ("POST", "/v1.41/plugins/p/push"),
        ("DELETE", "/v1.41/plugins/p"),
    ] {
        assert_eq!(denied(&opened("\"plugins\""), method, target, ""), ["plugin.install"], "{target}");
        assert_eq!(denied(&baseline(), method, target, ""), ["api.not-allowed", "plugin.install"], "{target}");
    }
    let privileges = "/v1.41/plugins/privileges?remote=evil/plugin";
    assert_eq!(denied(&baseline(), "GET", privileges, ""), ["api.not-allowed"], "an outbound request");
}

#[test]
fn a_network_takes_no_addresses_of_others() {
    for (subnets, passes) in [
        ("", true),
        (r#"{"Subnet":"172.28.0.0/16"},{"Subnet":"fd00:1::/64"},{"Subnet":"2001:db8::/64"},{"Subnet":""}"#, true),
        (r#"{"Subnet":"192.168.1.0/24","Gateway":"192.168.1.1"}"#, true),
        (r#"{"Subnet":"198.51.100.0/24"}"#, false),
        (r#"{"Subnet":"172.28.0.0/16"},{"subnet":"1.1.1.1/32"}"#, false),
        (r#"{"Subnet":"0.0.0.0/1"}"#, false),
        (r#"{"Subnet":"10.0.0.0/7"}"#, false),
        (r#"{"Subnet":"172.32.0.0/16"}"#, false),
        (r#"{"Subnet":"2000::/3"}"#, false),
        (r#"{"Subnet":"::ffff:1.1.1.0/120"}"#, false),
        (r#"{"Subnet":"10.0.0.0"}"#, false),
    ] {
        let body = format!(r#"{{"Name":"n","IPAM":{{"Config":[{subnets}]}}}}"#);
        let denied = denied(&baseline(), "POST", "/v1.41/networks/create", &body);
        assert_eq!(denied, if passes { &[][..] } else { &["network.not-allowed"] }, "{subnets}");
    }
}

#[test]
fn a_list_of_processes_shows_none_of_the_host() {
    let top = "/v1.41/containers/c/top";
    for query in ["", "?ps_args=-ef", "?ps_args=aux", "?ps_args=-eo%20pid,comm"] {
        assert_eq!(denied(&baseline(), "GET", &format!("{top}{query}"), ""), [""; 0], "{query}");
    }
    let renamed = "?ps_args=-osupgid%3DPID%20-oargs%20e%20-p%201,2";
    assert_eq!(denied(&baseline(), "GET", &format!("{top}{renamed}"), ""), ["process.listing"]);
}

#[test]
fn the_folder_of_a_checkpoint_is_a_path_of_the_host() {
    let open = opened("\"checkpoints\"");
    let (create, etc) = ("/v1.41/containers/c/checkpoints", r#"{"CheckpointID":"x","checkpointdir":"/etc/cron.d"}"#);
    assert_eq!(denied(&open, "POST", create, etc), ["mount.host-path", "mount.sensitive"]);
    let own = r#"{"CheckpointID":"x","CheckpointDir":"","Exit":true}"#;
    assert_eq!(denied(&open, "POST", create, own), [""; 0]);
    assert_eq!(denied(&open, "POST", create, r#"{"CheckpointDir":"/srv/data/c"}"#), [""; 0], "listed");
    for (method, target) in [
        ("GET", "/v1.41/containers/c/checkpoints?dir=/etc"),
        ("DELETE", "/v1.41/containers/c/checkpoints/x?dir=/srv/data/../../etc"),
        ("POST", "/v1.41/containers/c/start?checkpoint=x&checkpoint-dir=/etc"),
    ] {
        assert_eq!(denied(&open, method, target, ""), ["mount.host-path", "mount.sensitive"], "{target}");
    }
}

#[test]
fn a_start_from_a_checkpoint_takes_the_class_of_checkpoints() {
    let start = "/v1.41/containers/c/start";
    for policy in [baseline(), policy(REFERENCE)] {
        assert_eq!(denied(&policy, "POST", &format!("{start}?checkpoint=x"), ""), ["api.not-allowed"]);
        assert_eq!(denied(&policy, "POST", &format!("{start}?checkpoint=&detachKeys=a"), ""), [""; 0]);
        assert_eq!(denied(&policy, "POST", start, ""), [""; 0]);
    }
    assert_eq!(denied(&opened("\"checkpoints\""), "POST", &format!("{start}?checkpoint=x"), ""), [""; 0]);
}

#[test]
fn an_update_says_what_the_engine_will_ignore_and_what_it_lifts() {
    let found = |body: &str| -> Vec<(&str, String)> {
        let verdict = judged(&baseline(), 1000, "POST", "/v1.41/containers/c/update", body);
        let told = verdict.findings.into_iter().filter(|finding| finding.check.id() != "principal.non-admin");
        told.filter_map(|finding| Some((finding.check.builtin()?.id(), finding.field))).collect()
    };
    for (body, check, field) in [
        (r#"{"Devices":[{"PathOnHost":"/dev/sda"}]}"#, "request.unknown-field", "Devices"),
        (r#"{"devicecgrouprules":["a *:* rwm"]}"#, "request.unknown-field", "DeviceCgroupRules"),
        (r#"{"DeviceRequests":[{"Driver":"cdi"}]}"#, "request.unknown-field", "DeviceRequests"),
        (r#"{"CgroupParent":"/x"}"#, "request.unknown-field", "CgroupParent"),
        (r#"{"Privileged":true}"#, "request.unknown-field", "Privileged"),
        (r#"{"Memory":-1}"#, "resources.unlimited", "body"),
        (r#"{"CpuQuota":-1}"#, "resources.unlimited", "body"),
        (r#"{"PidsLimit":0}"#, "resources.unlimited", "body"),
        (r#"{"RestartPolicy":{"Name":"always"}}"#, "restart.always", "body.RestartPolicy.Name"),
    ] {
        assert_eq!(found(body), [(check, field.to_owned())], "{body}");
    }
    let of_a_client = r#"{"CpuShares":0,"Memory":67108864,"CgroupParent":"","Devices":null,"DeviceCgroupRules":[],
        "DeviceRequests":null,"CpuQuota":0,"RestartPolicy":{"Name":"","MaximumRetryCount":0}}"#;
    assert_eq!(found(of_a_client), []);
}

#[test]
fn networks_reach_the_host_by_driver_parent_and_name() {
    for (target, body, check) in [
        ("create", r#"{"Name":"n","Driver":"macvlan","Options":{"parent":"eth0"}}"#, "network.not-allowed"),
        ("create", r#"{"Name":"n","Driver":"ipvlan","Options":{"parent":"eth0"}}"#, "network.not-allowed"),
        ("create", r#"{"Name":"n","Options":{"parent":"eth0"}}"#, "network.not-allowed"),
        ("create", r#"{"Name":"n","Options":{"com.docker.network.bridge.name":"lo"}}"#, "network.not-allowed"),
        ("create", r#"{"Name":"n","Driver":"overlay"}"#, "network.not-allowed"),
        ("create", r#"{"Name":"n","Scope":"swarm"}"#, "swarm.change"),
        ("host/connect", r#"{"Container":"c"}"#, "namespace.network.host"),
    ] {
        let denied = denied(&baseline(), "POST", &format!("/v1.41/networks/{target}"), body);
        assert_eq!(denied, denied.iter().map(|_| check).collect::<Vec<_>>(), "{body}");
        assert!(!denied.is_empty(), "{target} {body}");
    }
    let overlay = r#"{"Name":"n","Driver":"overlay","Attachable":true}"#;
    assert_eq!(denied(&opened("\"swarm\""), "POST", "/v1.41/networks/create", overlay), [""; 0]);
}

#[test]
fn files_of_a_container_go_either_way_with_a_warning_and_by_their_class() {
    let archive = "/v1.41/containers/c/archive?path=/etc";
    for method in ["GET", "HEAD", "PUT"] {
        assert_eq!(denied(&policy(REFERENCE), method, archive, ""), ["api.not-allowed"], "{method}");
        let verdict = judged(&baseline(), 1000, method, archive, "");
        assert!(verdict.findings.iter().any(|finding| finding.check.id() == "container.files"), "{method}");
    }
}

#[test]
fn what_asks_another_host_is_no_read() {
    let reads =
        policy(&REFERENCE.replace("api = [\"read\", \"containers\", \"exec\", \"images.pull\"", "api = [\"read\""));
    for (method, target) in [
        ("GET", "/v1.41/distribution/busybox:1.0/json"),
        ("GET", "/v1.41/images/search?term=x"),
        ("POST", "/v1.41/auth"),
        ("GET", "/v1.41/plugins/privileges?remote=h/x"),
        ("POST", "/v1.41/images/create?fromImage=busybox&tag=1.0"),
    ] {
        assert_eq!(denied(&reads, method, target, ""), ["api.not-allowed"], "{target}");
    }
}

#[test]
fn podmans_own_api_is_refused_whatever_classes_are_open() {
    let policy =
        policy(&REFERENCE.replace("api = [", &format!("api = [\"{}\", ", Class::ALL_SELECTORS.join("\", \""))));
    for (method, target) in [
        ("POST", "/v4.0.0/libpod/containers/create"),
        ("POST", "/v5.0.0/libpod/play/kube"),
        ("GET", "/libpod/info"),
        ("DELETE", "/v4.0.0/libpod/containers/c"),
    ] {
        let verdict = judged(&policy, 1000, method, target, "");
        assert_eq!((verdict.action, denying(&verdict)), (Action::Deny, vec!["api.unknown"]), "{target}");
        assert!(verdict.permit().is_none());
    }
}
