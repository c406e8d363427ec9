//! The spec of a service.

use super::{canonical, decode, odd_of};
use crate::request::{Body, Irregular, Operation, ServiceSpec};

const WHOLE: &str = r#"{
"Name":"web","Labels":{"a":"b"},
"TaskTemplate":{
  "ContainerSpec":{
    "Image":"busybox:1.0","Labels":{},"Command":["sh","-c"],"Args":["id"],"Hostname":"h","Env":["A=1"],"Dir":"/proc/self/fd/8",
    "User":"0:0","Groups":["docker"],"Init":true,"StopSignal":"TERM","TTY":true,"OpenStdin":false,"ReadOnly":true,
    "Privileges":{"CredentialSpec":{"Config":"c","File":"f","Registry":"r"},
      "SELinuxContext":{"Disable":true,"User":"","Role":"","Type":"","Level":""},
      "Seccomp":{"Mode":"custom","Profile":"e30="},"AppArmor":{"Mode":"disabled"},"NoNewPrivileges":true},
    "Mounts":[{"Type":"bind","Source":"/etc","Target":"/h","BindOptions":{"Propagation":"rshared"}},
      {"Type":"volume","Source":"v","Target":"/v","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"none","o":"bind","device":"/"}}}}],
    "StopGracePeriod":1,"Healthcheck":{"Test":["NONE"]},"Hosts":["127.0.0.1 x"],
    "DNSConfig":{"Nameservers":["9.9.9.9"],"Search":["s"],"Options":["o"]},
    "Secrets":[{"File":{"Name":"n","UID":"0","GID":"0","Mode":292},"SecretID":"i1","SecretName":"s1"},{"SecretID":"i2"}],
    "Configs":[{"File":{"Name":"n"},"ConfigID":"i3","ConfigName":"c1"},{"Runtime":{},"ConfigID":"i4"}],
    "Isolation":"","Sysctls":{"net.ipv4.ip_forward":"1"},"CapabilityAdd":["CAP_SYS_ADMIN"],"CapabilityDrop":["ALL"],
    "Ulimits":[{"Name":"nofile","Hard":2,"Soft":1}],"OomScoreAdj":-1},
  "PluginSpec":{"Name":"p","Remote":"evil/plugin:1","Privileges":[{"Name":"network","Description":"","Value":["host"]}],"Disabled":false,"Env":["A=1"]},
  "NetworkAttachmentSpec":{"ContainerID":"c"},
  "Resources":{"Limits":{"NanoCPUs":1,"MemoryBytes":2,"Pids":3},
    "Reservations":{"NanoCPUs":1,"MemoryBytes":2,"GenericResources":[{"NamedResourceSpec":{"Kind":"gpu","Value":"a"}},{"DiscreteResourceSpec":{"Kind":"ssd","Value":1}}]},
    "SwapBytes":4,"MemorySwappiness":5},
  "RestartPolicy":{"Condition":"on-failure","Delay":1,"MaxAttempts":2,"Window":3},
  "Placement":{"Constraints":["node.role==manager"],"Preferences":[{"Spread":{"SpreadDescriptor":"node.labels.az"}}],"MaxReplicas":1,"Platforms":[{"Architecture":"amd64","OS":"linux"}]},
  "Networks":[{"Target":"host","Aliases":["a"],"DriverOpts":{"k":"v"}}],
  "LogDriver":{"Name":"syslog","Options":{"syslog-address":"udp://x"}},
  "ForceUpdate":1,"Runtime":"plugin"},
"Mode":{"Replicated":{"Replicas":1},"Global":{},"ReplicatedJob":{"MaxConcurrent":1,"TotalCompletions":1},"GlobalJob":{}},
"UpdateConfig":{"Parallelism":1,"Delay":1,"FailureAction":"rollback","Monitor":1,"MaxFailureRatio":0.5,"Order":"start-first"},
"RollbackConfig":{"Parallelism":0,"MaxFailureRatio":0,"Order":""},
"Networks":[{"Target":"old-net"}],
"EndpointSpec":{"Mode":"vip","Ports":[{"Name":"p","Protocol":"tcp","TargetPort":80,"PublishedPort":8080,"PublishMode":"host"}]}
}"#;

fn spec(body: &str) -> (ServiceSpec<'_>, Vec<(Irregular, String)>) {
    let decoded = decode(Operation::ServiceCreate, body.as_bytes());
    let Body::ServiceSpec(spec) = decoded.body else { panic!("{body}: {:?}", decoded.irregularities) };
    (*spec, super::pairs(decoded.irregularities))
}

/// A spec whose container has these members.
fn container(members: &str) -> String {
    format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{{members}}}}}}}"#)
}

#[test]
fn every_judged_field_of_a_service_is_read() {
    let (spec, odd) = spec(WHOLE);
    assert_eq!(odd, []);
    insta::assert_debug_snapshot!(spec);
}

#[test]
fn an_update_is_read_like_a_create() {
    let Body::ServiceSpec(update) = decode(Operation::ServiceUpdate, WHOLE.as_bytes()).body else { panic!() };
    assert_eq!(format!("{update:?}"), format!("{:?}", spec(WHOLE).0));
}

#[test]
fn keys_of_a_service_fold_and_are_written_in_the_engines_spelling() {
    let body = r#"{"tasktemplate":{"containerspec":{"mount\u017f":[{"type":"bind","source":"/etc"}],"\u212aey":1,"tty":true}}}"#;
    let (spec, odd) = spec(body);
    assert_eq!(spec.container.unwrap().mounts[0].source, "/etc");
    assert_eq!(odd, [(Irregular::UnknownField, "TaskTemplate.ContainerSpec.\u{212a}ey".to_owned())]);
    let written =
        r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/etc"}],"\u212aey":1,"TTY":true}}}"#;
    assert_eq!(canonical(Operation::ServiceCreate, body).as_deref(), Some(written));
}

#[test]
fn what_is_there_twice_keeps_its_worst_reading() {
    let bind = r#"{"Type":"bind","Source":"/etc","Target":"/h"}"#;
    for body in [
        format!(
            r#"{{"TaskTemplate":{{"ContainerSpec":{{"Mounts":[{bind}]}}}},"TaskTemplate":{{"ContainerSpec":{{"Mounts":[]}}}}}}"#
        ),
        format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Mounts":[{bind}]}},"containerspec":null}}}}"#),
        container(&format!(r#""Mounts":[{bind}],"Mounts":[{{"ReadOnly":true}}]"#)),
        container(&format!(r#""Mounts":[{{"ReadOnly":true}}],"Mounts":[{bind}]"#)),
    ] {
        let (spec, odd) = spec(&body);
        assert!(odd.iter().any(|(kind, _)| *kind == Irregular::Ambiguous), "{body}");
        let mounts = spec.container.unwrap().mounts;
        assert!(mounts.iter().any(|mount| mount.source == "/etc" && mount.kind == "bind"), "{body}: {mounts:?}");
        assert_eq!(canonical(Operation::ServiceCreate, &body), None, "{body}");
    }
}

#[test]
fn a_second_spec_takes_a_guard_back() {
    let (spec, _) = spec(
        r#"{"TaskTemplate":{"ContainerSpec":{"ReadOnly":true,"CapabilityDrop":["ALL"],
        "Privileges":{"NoNewPrivileges":true}},"ContainerSpec":{"ReadOnly":false,"CapabilityDrop":[],"Privileges":{"NoNewPrivileges":false}}}}"#,
    );
    let container = spec.container.unwrap();
    assert!(!container.read_only && container.capability_drop.is_empty() && !container.privileges.no_new_privileges);
}

#[test]
fn types_that_a_service_does_not_have_are_malformed() {
    for (body, field) in [
        (container(r#""CapabilityAdd":"SYS_ADMIN""#), "TaskTemplate.ContainerSpec.CapabilityAdd"),
        (container(r#""Mounts":{}"#), "TaskTemplate.ContainerSpec.Mounts"),
        (r#"{"EndpointSpec":{"Ports":[{"PublishedPort":"80"}]}}"#.to_owned(), "EndpointSpec.Ports[0].PublishedPort"),
        (r#"{"EndpointSpec":{"Ports":[{"PublishedPort":-1}]}}"#.to_owned(), "EndpointSpec.Ports[0].PublishedPort"),
    ] {
        assert_eq!(
            odd_of(Operation::ServiceCreate, body.as_bytes()),
            [(Irregular::Malformed, field.to_owned())],
            "{body}"
        );
    }
    let letters = container(r#""CapabilityAdd":["\u017fys_admin"]"#);
    let odd = odd_of(Operation::ServiceCreate, letters.as_bytes());
    assert_eq!(odd, [(Irregular::Ambiguous, "TaskTemplate.ContainerSpec.CapabilityAdd[0]".to_owned())]);
}
