//! The smaller bodies, and what bodies look like when they are written anew.

use super::{canonical, create_of, odd_of};
use crate::request::decode::decode;
use crate::request::{Body, Irregular, Operation};

#[test]
fn smaller_bodies_are_read() {
    use Operation::{ContainerExec, ContainerUpdate, ExecStart, NetworkConnect, NetworkCreate, VolumeCreate};
    let bodies = [
        (ContainerExec, r#"{"privileged":true,"User":"0","WorkingDir":"/proc/self/fd/8","Cmd":["id"],"Tty":false}"#),
        (ExecStart, r#"{"Detach":true,"Tty":false,"ConsoleSize":[24,80]}"#),
        (ContainerUpdate, r#"{"Memory":-1,"PidsLimit":0,"RestartPolicy":{"Name":"always"}}"#),
        (ContainerUpdate, r#"{"Memory":0,"PidsLimit":null,"CpuShares":3,"BlkioWeight":10}"#),
        (VolumeCreate, r#"{"Name":"v","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/etc"}}"#),
        (VolumeCreate, r#"{"ClusterVolumeSpec":{"Group":"g","AccessMode":{"Scope":"single","MountVolume":{}}}}"#),
        (
            NetworkCreate,
            r#"{"Name":"n","Driver":"ipvlan","Options":{"parent":"eth0"},"Scope":"local","IPAM":{"Driver":"d","Config":[{"Subnet":"10.0.0.0/8"}]},"ConfigFrom":{"Network":"c"}}"#,
        ),
        (Operation::CheckpointCreate, r#"{"CheckpointID":"x","CheckpointDir":"/etc","Exit":true}"#),
        (NetworkConnect, r#"{"Container":"c","EndpointConfig":{"DriverOpts":{"k":"v"},"Aliases":["a"]}}"#),
    ];
    let decoded: Vec<_> = bodies
        .iter()
        .map(|(operation, body)| {
            let decoded = decode(*operation, body.as_bytes());
            assert_eq!(decoded.irregularities, [], "{body}");
            decoded.body
        })
        .collect();
    insta::assert_debug_snapshot!(decoded);
}

#[test]
fn bodies_may_be_left_out_where_the_engine_reads_none() {
    for (operation, body) in
        [(Operation::ExecStart, ""), (Operation::ContainerStart, ""), (Operation::ContainerStart, "null")]
    {
        assert_eq!(odd_of(operation, body.as_bytes()), [], "{operation:?} {body}");
    }
    assert!(matches!(decode(Operation::ExecStart, b"").body, Body::ExecStart(start) if !start.detach));
    for operation in [
        Operation::ContainerCreate,
        Operation::ContainerExec,
        Operation::ContainerUpdate,
        Operation::VolumeCreate,
        Operation::NetworkCreate,
        Operation::NetworkConnect,
        Operation::CheckpointCreate,
        Operation::ServiceCreate,
        Operation::ServiceUpdate,
    ] {
        for body in ["", " ", "null", "[]", "1", r#""{}""#] {
            let odd = odd_of(operation, body.as_bytes());
            assert_eq!(odd, [(Irregular::Malformed, "body".to_owned())], "{operation:?} {body}");
        }
    }
}

#[test]
fn an_update_cannot_set_what_only_a_create_can() {
    let odd = odd_of(Operation::ContainerUpdate, br#"{"Privileged":true,"Devices":[]}"#);
    assert_eq!(odd, [(Irregular::UnknownField, "Privileged".to_owned())]);
}

#[test]
fn what_is_not_judged_stays_unread() {
    let decoded = decode(Operation::SystemPing, b"{");
    assert!(matches!(decoded.body, Body::Unread) && decoded.irregularities.is_empty() && decoded.document.is_none());
}

#[test]
fn a_body_is_written_anew_in_the_engines_spelling() {
    for (body, expected) in [
        (
            r#" {"image" : "b:1", "Hostconfig":{"bind\u017f": ["a:/a"],  "privileged":false}, "Labels":{"image":"x"}} "#,
            r#"{"Image":"b:1","HostConfig":{"Binds":["a:/a"],"Privileged":false},"Labels":{"image":"x"}}"#,
        ),
        (
            r#"{"Image":"b","hostConfig":{"mounts":[{"type":"bind", "bindoptions":{"propagation":"rslave"}}, {}]}}"#,
            r#"{"Image":"b","HostConfig":{"Mounts":[{"Type":"bind","BindOptions":{"Propagation":"rslave"}},{}]}}"#,
        ),
        (
            r#"{"HostConfig":{"FutureOption": {"a" : [ 1.50, "\u00e9" ]}},"env":["A=\/"],"User":null}"#,
            r#"{"HostConfig":{"FutureOption":{"a" : [ 1.50, "\u00e9" ]}},"Env":["A=\/"],"User":null}"#,
        ),
        (
            r#"{"NetworkingConfig":{"endpointsconfig":{"Net":{"driveropts":{"Type":"x"}}}}}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":{"Net":{"DriverOpts":{"Type":"x"}}}}}"#,
        ),
    ] {
        assert_eq!(canonical(Operation::ContainerCreate, body).as_deref(), Some(expected), "{body}");
    }
}

#[test]
fn a_body_with_two_readings_is_not_written_anew() {
    for members in [r#""HostConfig":{"Privileged":false,"Privileged":true}"#, r#""HostConfig":{"Privileged":1}"#] {
        assert_eq!(canonical(Operation::ContainerCreate, &create_of(members)), None, "{members}");
    }
    assert_eq!(canonical(Operation::ContainerCreate, "{}}"), None);
    assert_eq!(canonical(Operation::ExecStart, ""), None);
}
