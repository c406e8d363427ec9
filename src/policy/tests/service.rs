//! Services, and what else orders a swarm.

use super::{REFERENCE, denying, judged, policy};
use crate::policy::{Action, HeldNetwork, Known, Policy};

const CREATE: &str = "/v1.41/services/create";

/// The reference policy with these classes of endpoints more.
fn opened(classes: &str) -> Policy {
    policy(&REFERENCE.replace("\"build\"]", &format!("\"build\", {classes}]")))
}

fn denied(policy: &Policy, method: &str, target: &str, body: &str) -> Vec<&'static str> {
    denying(&judged(policy, 1000, method, target, body))
}

fn of_task(members: &str) -> String {
    format!(r#"{{"Name":"s","TaskTemplate":{{{members}}}}}"#)
}

fn of_container(members: &str) -> String {
    of_task(&format!(r#""ContainerSpec":{{"Image":"busybox:1.0"{members}}}"#))
}

/// Members of a container spec; the check that fires, and where in the spec.
const OF_CONTAINER: [(&str, &str, &str); 16] = [
    (r#","Image":"evil:1""#, "image.not-allowed", "Image"),
    (r#","Mounts":[{"Type":"bind","Source":"/etc"}]"#, "mount.sensitive", "Mounts[0]"),
    (r#","Mounts":[{},{"Type":"bind","Source":"/run"}]"#, "mount.engine-socket", "Mounts[1]"),
    (
        r#","Mounts":[{"Type":"bind","Source":"/srv/data","BindOptions":{"Propagation":"shared"}}]"#,
        "mount.propagation",
        "Mounts[0]",
    ),
    (
        r#","Mounts":[{"Type":"volume","Source":"v","VolumeOptions":{"DriverConfig":{"Options":{"type":"none","o":"bind","device":"/etc"}}}}]"#,
        "mount.volume-driver",
        "Mounts[0].VolumeOptions.DriverConfig",
    ),
    (r#","Mounts":[{"Type":"cluster","Source":"v"}]"#, "mount.volume-driver", "Mounts[0].Type"),
    (r#","CapabilityAdd":["CAP_SYS_ADMIN"]"#, "capability.added", "CapabilityAdd[0]"),
    (r#","Sysctls":{"net.ipv4.ip_forward":"1"}"#, "sysctl.set", "Sysctls.net.ipv4.ip_forward"),
    (r#","Privileges":{"Seccomp":{"Mode":"unconfined"}}"#, "security.seccomp", "Privileges.Seccomp.Mode"),
    (r#","Privileges":{"Seccomp":{"Mode":"custom","Profile":"e30="}}"#, "security.seccomp", "Privileges.Seccomp.Mode"),
    (r#","Privileges":{"AppArmor":{"Mode":"disabled"}}"#, "security.apparmor", "Privileges.AppArmor.Mode"),
    (r#","Privileges":{"SELinuxContext":{"Disable":true}}"#, "security.selinux", "Privileges.SELinuxContext"),
    (r#","Privileges":{"SELinuxContext":{"Type":"spc_t"}}"#, "security.selinux", "Privileges.SELinuxContext"),
    (r#","Dir":"/proc/self/fd/8""#, "process.working-dir", "Dir"),
    (r#","Secrets":[{"SecretName":"db","SecretID":"i"}]"#, "api.not-allowed", "Secrets[0]"),
    (r#","Configs":[{"ConfigID":"i"}]"#, "api.not-allowed", "Configs[0]"),
];

/// Members of a task; the check that fires, and where.
const OF_TASK: [(&str, &str, &str); 6] = [
    (r#""ContainerSpec":{}"#, "image.not-allowed", "TaskTemplate.ContainerSpec.Image"),
    (r#""Networks":[{"Target":"host"}]"#, "namespace.network.host", "TaskTemplate.Networks[0].Target"),
    (
        r#""Networks":[{"Target":"a-b","DriverOpts":{"com.docker.network.endpoint.sysctls":"x"}}]"#,
        "sysctl.set",
        "TaskTemplate.Networks[0].DriverOpts",
    ),
    (r#""Runtime":"plugin""#, "plugin.install", "TaskTemplate.Runtime"),
    (r#""PluginSpec":{"Remote":"evil/plugin"}"#, "plugin.install", "TaskTemplate.PluginSpec"),
    (r#""Runtime":"attachment""#, "runtime.other", "TaskTemplate.Runtime"),
];

#[test]
fn a_service_meets_the_checks_of_a_container() {
    let policy = opened("\"swarm\"");
    let containers = OF_CONTAINER
        .map(|(members, check, field)| (of_container(members), check, format!("TaskTemplate.ContainerSpec.{field}")));
    let tasks = OF_TASK.map(|(members, check, field)| (of_task(members), check, field.to_owned()));
    let old =
        [(r#"{"Networks":[{"Target":"host"}]}"#.to_owned(), "namespace.network.host", "Networks[0].Target".to_owned())];
    for (body, check, field) in containers.into_iter().chain(tasks).chain(old) {
        for target in [CREATE, "/v1.41/services/s/update?version=7"] {
            let verdict = judged(&policy, 1000, "POST", target, &body);
            assert_eq!(verdict.action, Action::Deny, "{target} {body}");
            let named = verdict.findings.iter().any(|it| it.check.id() == check && it.field == field);
            assert!(named, "{target} {body}: {:?}", verdict.findings);
        }
    }
}

#[test]
fn ordinary_services_pass() {
    for body in [
        of_container(""),
        of_container(r#","Mounts":[{"Type":"bind","Source":"/srv/data","Target":"/d"},{"Type":"volume","Source":"v","Target":"/v-{{.Task.Slot}}"},{"Type":"tmpfs","Target":"/t"}]"#),
        of_container(r#","CapabilityAdd":["CAP_NET_BIND_SERVICE"],"Privileges":{"Seccomp":{"Mode":"default"},"AppArmor":{"Mode":"default"},"SELinuxContext":{"Disable":false}}"#),
        of_task(r#""ContainerSpec":{"Image":"busybox:1.0"},"Networks":[{"Target":"app_default"},{"Target":"ingress"}],"Runtime":"container""#),
        r#"{"TaskTemplate":{"ContainerSpec":{"Image":"busybox:1.0"}},"EndpointSpec":{"Ports":[{"TargetPort":80,"PublishedPort":8080}]}}"#.to_owned(),
    ] {
        assert_eq!(denied(&opened("\"swarm\""), "POST", CREATE, &body), [""; 0], "{body}");
    }
    let secret = of_container(r#","Secrets":[{"SecretName":"db"}]"#);
    assert_eq!(denied(&opened("\"swarm\", \"secrets\""), "POST", CREATE, &secret), [""; 0]);
}

#[test]
fn what_a_template_becomes_is_not_known_here() {
    let policy = opened("\"swarm\"");
    for mounts in [
        r#"[{"Type":"bind","Source":"/srv/data/{{index .Service.Labels \"x\"}}","Target":"/h"}]"#,
        r#"[{"Type":"volume","Source":"{{.Service.Name}}","Target":"/v"}]"#,
        r#"[{"Type":"bind","Source":"/srv/data/\u007b{.Service.Name}}","Target":"/h"}]"#,
        r#"[{"Type":"volume","Source":"v","VolumeOptions":{"DriverConfig":{"Options":{"type":"tmpfs","device":"/etc","o":"{{index .Service.Labels \"o\"}}"}}}}]"#,
    ] {
        let denied = denied(&policy, "POST", CREATE, &of_container(&format!(r#","Mounts":{mounts}"#)));
        assert!(!denied.is_empty(), "{mounts}");
    }
}

const HOST: &str = "ygc7wrd3zl5h0vnaiu5r8v3qo";
const BACK: &str = "6tyjo7afdncmtmz35tru0zpie";

/// What is denied of a service on one network, where the engine has these.
fn on_network(policy: &Policy, target: &str, networks: &[(&str, &str)]) -> Vec<&'static str> {
    let body = of_task(&format!(r#""ContainerSpec":{{"Image":"busybox:1.0"}},"Networks":[{{"Target":"{target}"}}]"#));
    let held = |(id, name): &(&str, &str)| HeldNetwork { id: (*id).into(), name: (*name).into() };
    let known = Known { networks: networks.iter().map(held).collect(), ..Known::default() };
    denying(&super::judged_with(policy, 1000, ("POST", CREATE), &body, &known))
}

#[test]
fn the_hosts_network_is_not_reached_by_its_id() {
    let open = opened("\"swarm\"");
    for id in [HOST, "y", "yg", "3f", "backend"] {
        assert_eq!(on_network(&open, id, &[]), ["namespace.network.host"], "{id}");
    }
    assert_eq!(on_network(&opened("\"swarm\"]\nnetworks = [\"*\""), "backend", &[]), ["namespace.network.host"]);
    assert_eq!(on_network(&open, "b-net", &[]), [""; 0]);
}

#[test]
fn an_id_that_the_engine_knows_is_judged_by_its_name() {
    let held = [(HOST, "host"), (BACK, "backend")];
    let listed = opened("\"swarm\"]\nnetworks = [\"b*\"");
    assert_eq!(on_network(&opened("\"swarm\""), HOST, &held), ["namespace.network.host"]);
    assert_eq!(on_network(&opened("\"swarm\""), BACK, &held), [""; 0]);
    assert_eq!(on_network(&listed, BACK, &held), [""; 0]);
    assert_eq!(on_network(&listed, BACK, &[(BACK, "other")]), ["network.not-allowed"]);
}

#[test]
fn ports_of_a_service_are_open_on_every_address() {
    let text = REFERENCE
        .replace("\"build\"]", "\"build\", \"swarm\"]\npublish = [\"0.0.0.0:8000-8999\", \"127.0.0.1:*\"]")
        .replace("\"image.not-allowed\" = \"deny\"", "\"network.publish\" = \"deny\"");
    let policy = policy(&text);
    let body = |port: &str| {
        format!(
            r#"{{"TaskTemplate":{{"ContainerSpec":{{"Image":"busybox:1.0"}}}},"EndpointSpec":{{"Ports":[{{"TargetPort":80{port}}}]}}}}"#
        )
    };
    assert_eq!(denied(&policy, "POST", CREATE, &body(r#","PublishedPort":8080,"PublishMode":"host""#)), [""; 0]);
    for port in [r#","PublishedPort":22,"PublishMode":"host""#, r#","PublishedPort":9000"#, ""] {
        assert_eq!(denied(&policy, "POST", CREATE, &body(port)), ["network.publish"], "{port}");
    }
}

#[test]
fn restricted_asks_of_a_service_what_it_asks_of_a_container() {
    let text = "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nextends = \"restricted\"\n\
                images = [\"busybox\"]\napi = [\"swarm\"]\n";
    let policy = policy(text);
    let digest = format!("sha256:{}", "a".repeat(64));
    let open = denied(
        &policy,
        "POST",
        CREATE,
        r#"{"TaskTemplate":{"ContainerSpec":{"Image":"busybox","Groups":["docker"]},"LogDriver":{"Name":"syslog"}},"EndpointSpec":{"Ports":[{}]}}"#,
    );
    for check in [
        "image.latest",
        "image.not-pinned",
        "capability.kept",
        "security.new-privileges",
        "user.root",
        "group.added",
        "log.driver",
        "network.publish",
        "resources.unlimited",
    ] {
        assert!(open.contains(&check), "{check}: {open:?}");
    }
    let closed = format!(
        r#"{{"TaskTemplate":{{"ContainerSpec":{{"Image":"busybox@{digest}","User":"1000","CapabilityDrop":["ALL"],"Privileges":{{"NoNewPrivileges":true}}}},"Resources":{{"Limits":{{"MemoryBytes":1,"NanoCPUs":1,"Pids":1}}}}}}}}"#
    );
    assert_eq!(denied(&policy, "POST", CREATE, &closed), [""; 0]);
}

#[test]
fn a_way_back_is_reported_since_its_spec_is_not_in_the_request() {
    let verdict = judged(
        &opened("\"swarm\""),
        1000,
        "POST",
        "/v1.41/services/s/update?version=7&rollback=previous",
        &of_container(""),
    );
    assert!(verdict.findings.iter().any(|it| it.check.id() == "container.unseen" && it.field == "query.rollback"));
}

#[test]
fn an_exception_for_an_image_covers_its_services() {
    let text = format!(
        "{REFERENCE}[[exception]]\nchecks = [\"capability.added\"]\nimages = [\"busybox:1.0\"]\nreason = \"known\"\n"
    );
    let policy = policy(&text.replace("\"build\"]", "\"build\", \"swarm\"]"));
    assert_eq!(denied(&policy, "POST", CREATE, &of_container(r#","CapabilityAdd":["NET_ADMIN"]"#)), [""; 0]);
}

#[test]
fn a_profile_that_opens_the_swarm_class_does_not_give_the_swarm_away() {
    let policy = opened("\"swarm\", \"secrets\"");
    for (method, target) in [
        ("GET", "/v1.41/swarm"),
        ("GET", "/v1.41/swarm/unlockkey"),
        ("POST", "/v1.41/swarm/init"),
        ("POST", "/v1.41/swarm/join"),
        ("POST", "/v1.41/swarm/leave?force=1"),
        ("POST", "/v1.41/swarm/update?version=1&rotateManagerToken=1"),
        ("POST", "/v1.41/swarm/unlock"),
        ("POST", "/v1.41/nodes/n/update?version=1"),
        ("DELETE", "/v1.41/nodes/n"),
        ("PUT", "/v1.41/volumes/v?version=1"),
    ] {
        assert_eq!(denied(&policy, method, target, ""), ["swarm.change"], "{method} {target}");
    }
    for (method, target) in [
        ("GET", "/v1.41/services"),
        ("GET", "/v1.41/nodes"),
        ("GET", "/v1.41/tasks"),
        ("DELETE", "/v1.41/services/s"),
        ("GET", "/v1.41/secrets"),
        ("GET", "/v1.41/configs/c"),
        ("POST", "/v1.41/secrets/create"),
        ("POST", "/v1.41/configs/create"),
    ] {
        assert_eq!(denied(&policy, method, target, ""), [""; 0], "{method} {target}");
    }
}

#[test]
fn baseline_refuses_all_of_it() {
    let baseline = policy("version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"baseline\"\n");
    for (method, target) in [
        ("GET", "/v1.41/swarm"),
        ("GET", "/v1.41/swarm/unlockkey"),
        ("POST", "/v1.41/swarm/init"),
        ("POST", "/v1.41/services/create"),
        ("POST", "/v1.41/services/s/update"),
        ("DELETE", "/v1.41/services/s"),
        ("POST", "/v1.41/nodes/n/update"),
        ("GET", "/v1.41/secrets"),
        ("GET", "/v1.41/secrets/s"),
        ("POST", "/v1.41/secrets/create"),
        ("GET", "/v1.41/configs"),
        ("GET", "/v1.41/configs/c"),
        ("POST", "/v1.41/configs/create"),
    ] {
        let body = if target.contains("services") && method == "POST" { of_container("") } else { String::new() };
        assert!(denied(&baseline, method, target, &body).contains(&"api.not-allowed"), "{method} {target}");
    }
}

#[test]
fn whoever_acts_on_his_own_only_has_no_services_of_others() {
    let own = policy(&REFERENCE.replace("\"build\"]", "\"build\", \"swarm\"]\nown-only = true"));
    for (method, target) in [
        ("GET", "/v1.41/services"),
        ("GET", "/v1.41/services/s"),
        ("GET", "/v1.41/services/s/logs"),
        ("GET", "/v1.41/tasks"),
        ("GET", "/v1.41/tasks/t"),
        ("GET", "/v1.41/tasks/t/logs"),
        ("DELETE", "/v1.41/services/s"),
    ] {
        assert_eq!(denied(&own, method, target, ""), ["container.foreign"], "{method} {target}");
    }
    assert_eq!(denied(&own, "POST", "/v1.41/services/s/update", &of_container("")), ["container.foreign"]);
    assert_eq!(denied(&own, "POST", CREATE, &of_container("")), [""; 0]);
}
