//! Readings that were not the engine's, each found by holding this decoder against Go's own (`make fuzz`).

use super::{create, create_of, host_of, odd_of};
use crate::request::decode::{Document, Limits, decode};
use crate::request::{Body, Irregular, Operation};

#[test]
fn every_broken_byte_is_one_replacement_as_in_go() {
    for (input, text) in [
        (&b"\"\xe2\x82:/h\""[..], "\u{fffd}\u{fffd}:/h"),
        (b"\"\xf0\x9f\x98\"", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\"\xed\xa0\x80\"", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\"\\n\xf0\x9f\x98\\n\xe2\x82\"", "\n\u{fffd}\u{fffd}\u{fffd}\n\u{fffd}\u{fffd}"),
        ("\"é\u{fffd}\"".as_bytes(), "é\u{fffd}"),
    ] {
        let document = Document::read(input, Limits::default()).unwrap();
        assert_eq!(document.root().text().as_deref(), Some(text), "{}", input.escape_ascii());
    }
}

#[test]
fn a_null_in_a_list_is_an_element() {
    let (groups, _odd) = host_of(r#"{"GroupAdd":[null,"a"]}"#, |host| host.group_add.join(" "));
    assert_eq!(groups, " a");
    let (groups, _odd) = host_of(r#"{"GroupAdd":["b"],"GroupAdd":[null]}"#, |host| host.group_add.join(" "));
    assert_eq!(groups, "b ", "in Go's reading b again");
}

#[test]
fn a_null_host_config_takes_back_what_protects() {
    let before = r#"{"CapDrop":["ALL"],"ReadonlyRootfs":true,"Memory":1,"NanoCpus":1,"CpuQuota":1,"PidsLimit":1,
        "NetworkMode":"none","Runtime":"runsc","Binds":["/:/h"],
        "Mounts":[{"Type":"tmpfs","Target":"/t","VolumeOptions":{"DriverConfig":{"Options":{"type":"tmpfs"}}}}]}"#;
    for after in ["null", r#"null,"HostConfig":{}"#, r#"null,"Privileged":false"#] {
        let body = create_of(&format!(r#""HostConfig":{before},"HostConfig":{after}"#));
        let host = create(&body).0.host;
        assert_eq!(host.binds, ["/:/h"], "{after}");
        assert!(host.cap_drop.is_empty() && !host.readonly_rootfs, "{after}");
        assert_eq!([host.memory, host.nano_cpus, host.cpu_quota, host.pids_limit], [0; 4], "{after}");
        assert_eq!((&host.network_mode, &host.runtime), (&None, &None), "{after}");
    }
    let body = create_of(&format!(
        r#""HostConfig":{before},"HostConfig":null,"HostConfig":{{"Mounts":[{{"Type":"volume","Target":"/v"}}]}}"#
    ));
    let mounts = create(&body).0.host.mounts;
    assert_eq!(mounts.len(), 2);
    assert!(mounts[1].driver_options.is_empty(), "not decoded over an element of another list: {mounts:?}");
}

#[test]
fn flat_fields_do_not_protect_where_newer_engines_ignore_them() {
    let body = create_of(
        r#""CapDrop":["ALL"],"ReadonlyRootfs":true,"Memory":1,"NanoCpus":1,"CpuQuota":1,"PidsLimit":1,"Binds":["/:/h"]"#,
    );
    let host = create(&body).0.host;
    assert_eq!(host.binds, ["/:/h"]);
    assert!(host.cap_drop.is_empty() && !host.readonly_rootfs);
    assert_eq!([host.memory, host.nano_cpus, host.cpu_quota, host.pids_limit], [0; 4]);

    let body = create_of(r#""HostConfig":{"PidsLimit":1},"Memory":1"#);
    let host = create(&body).0.host;
    assert_eq!([host.memory, host.pids_limit], [0, 1]);

    assert_eq!(
        create(&create_of(r#""CapDrop":"""#)).0.host.cap_drop,
        [""; 0],
        "an empty string is an element of a list"
    );

    // The body of a legacy start is flat by nature.
    let Body::ContainerStart(host) = decode(Operation::ContainerStart, br#"{"CapDrop":["ALL"],"Memory":1}"#).body
    else {
        panic!("a start");
    };
    assert_eq!((host.cap_drop.len(), host.memory), (1, 1));
}

#[test]
fn numbers_and_sets_are_as_narrow_as_the_engines() {
    for (members, field) in [
        (r#""HostConfig":{"BlkioWeight":65536}"#, "HostConfig.BlkioWeight"),
        (r#""HostConfig":{"BlkioWeightDevice":[{"Weight":65536}]}"#, "HostConfig.BlkioWeightDevice[0].Weight"),
        (r#""HostConfig":{"Mounts":[{"TmpfsOptions":{"Mode":4294967296}}]}"#, "HostConfig.Mounts[0].TmpfsOptions.Mode"),
        (r#""ExposedPorts":{"80/tcp":1}"#, "ExposedPorts.80/tcp"),
        (r#""Volumes":{"/v":[]}"#, "Volumes./v"),
    ] {
        let odd = odd_of(Operation::ContainerCreate, create_of(members).as_bytes());
        assert_eq!(odd, [(Irregular::Malformed, field.to_owned())], "{members}");
    }
    let widest = create_of(
        r#""Volumes":{"/v":{},"/w":null},"HostConfig":{"BlkioWeight":65535,"Mounts":[{"TmpfsOptions":{"Mode":4294967295}}]}"#,
    );
    assert_eq!(odd_of(Operation::ContainerCreate, widest.as_bytes()), []);
}

#[test]
fn both_subpaths_of_a_mount_are_seen() {
    for (mount, expected) in [
        (r#"{"VolumeOptions":{"Subpath":"a,b"},"ImageOptions":{"Subpath":""}}"#, "a,b"),
        (r#"{"VolumeOptions":{"Subpath":"a,b"},"ImageOptions":{"Subpath":"c"}}"#, "a,b c"),
        (r#"{"ImageOptions":{"Subpath":"c"},"VolumeOptions":{"Subpath":"a,b"}}"#, "c a,b"),
    ] {
        let (subpaths, odd) = host_of(&format!(r#"{{"Mounts":[{mount}]}}"#), |host| host.mounts[0].subpaths.join(" "));
        assert_eq!((subpaths.as_str(), odd.len()), (expected, 0), "{mount}");
    }
}

#[test]
fn a_list_that_is_replaced_no_longer_forbids_new_privileges() {
    for (members, expected) in [
        (
            r#""HostConfig":{"SecurityOpt":["no-new-privileges","label=a"],"SecurityOpt":["label=b"]}"#,
            "label=a label=b",
        ),
        (r#""HostConfig":{"SecurityOpt":["no-new-privileges:true"],"SecurityOpt":null}"#, ""),
        (r#""HostConfig":{"SecurityOpt":["no-new-privileges=1"]},"HostConfig":null"#, ""),
        (r#""SecurityOpt":["no-new-privileges=true","label=a"]"#, "label=a"),
        (r#""HostConfig":{"SecurityOpt":["no-new-privileges=false"],"SecurityOpt":[]}"#, "no-new-privileges=false"),
        (r#""HostConfig":{"SecurityOpt":["label=a","no-new-privileges"]}"#, "label=a no-new-privileges"),
    ] {
        assert_eq!(create(&create_of(members)).0.host.security_opt.join(" "), expected, "{members}");
    }
}

#[test]
fn null_options_of_a_mount_take_back_their_names() {
    for (mount, propagation, driver) in [
        (r#"{"BindOptions":{"Propagation":"rshared"},"BindOptions":null}"#, None, None),
        (r#"{"BindOptions":{"Propagation":"private"},"BindOptions":{}}"#, Some("private"), None),
        (r#"{"VolumeOptions":{"DriverConfig":{"Name":"nfs"}},"VolumeOptions":null}"#, None, None),
        (r#"{"VolumeOptions":{"DriverConfig":{"Name":"nfs"},"DriverConfig":null}}"#, None, None),
        (r#"{"VolumeOptions":{"DriverConfig":{"Name":"nfs"},"DriverConfig":{}}}"#, None, Some("nfs")),
    ] {
        let body = create_of(&format!(r#""HostConfig":{{"Mounts":[{mount}]}}"#));
        let mounts = create(&body).0.host.mounts;
        assert_eq!((mounts[0].propagation.as_deref(), mounts[0].driver.as_deref()), (propagation, driver), "{mount}");
    }
}

#[test]
fn null_parts_of_a_network_take_back_their_names() {
    let body = r#"{"IPAM":{"Driver":"d"},"ConfigFrom":{"Network":"c"},"IPAM":AGAIN,"ConfigFrom":AGAIN}"#;
    for (again, ipam_driver, config_from) in [("null", None, None), ("{}", Some("d"), Some("c"))] {
        let body = body.replace("AGAIN", again);
        let Body::NetworkCreate(network) = decode(Operation::NetworkCreate, body.as_bytes()).body else {
            panic!("{body}");
        };
        assert_eq!(
            (network.ipam_driver.as_deref(), network.config_from.as_deref()),
            (ipam_driver, config_from),
            "{body}"
        );
    }
}

#[test]
fn null_parts_of_a_service_take_back_what_protects() {
    let container = r#"{"Image":"i","ReadOnly":true,"CapabilityDrop":["ALL"],"Mounts":[{"Type":"bind"}],
        "Privileges":{"NoNewPrivileges":true,"Seccomp":{"Mode":"default"},"AppArmor":{"Mode":"default"}}}"#;
    let task = |again: &str| {
        format!(
            r#"{{"TaskTemplate":{{"ContainerSpec":{container},"Resources":{{"Limits":{{"Pids":1}}}},
            "RestartPolicy":{{"Condition":"none"}},"LogDriver":{{"Name":"none"}}{again}}}}}"#
        )
    };
    for (again, expected) in [
        ("", "i true 1 true Some(\"default\") 1 Some(\"none\") true"),
        (r#","ContainerSpec":null"#, " false 0 false None 1 Some(\"none\") true"),
        (r#","ContainerSpec":{"Privileges":null}"#, "i true 1 false None 1 Some(\"none\") true"),
        (r#","ContainerSpec":{"Privileges":{"Seccomp":null}}"#, "i true 1 true None 1 Some(\"none\") true"),
        (r#","Resources":null"#, "i true 1 true Some(\"default\") 0 Some(\"none\") true"),
        (r#","Resources":{"Limits":null}"#, "i true 1 true Some(\"default\") 0 Some(\"none\") true"),
        (r#","RestartPolicy":null,"LogDriver":null"#, "i true 1 true Some(\"default\") 1 None false"),
    ] {
        let body = task(again);
        let Body::ServiceSpec(spec) = decode(Operation::ServiceCreate, body.as_bytes()).body else { panic!("{body}") };
        let container = spec.container.unwrap();
        assert_eq!(container.mounts.len(), 1, "{again}");
        let seen = format!(
            "{} {} {} {} {:?} {} {:?} {}",
            container.image.unwrap_or_default(),
            container.read_only,
            container.capability_drop.len(),
            container.privileges.no_new_privileges,
            container.privileges.seccomp,
            spec.limits.pids,
            spec.restart_condition,
            spec.log_driver.is_some(),
        );
        assert_eq!(seen, expected, "{again}");
    }
    let ports = r#"{"EndpointSpec":{"Ports":[{"PublishedPort":4294967296}]}}"#;
    let field = "EndpointSpec.Ports[0].PublishedPort".to_owned();
    assert_eq!(odd_of(Operation::ServiceCreate, ports.as_bytes()), [(Irregular::Malformed, field)]);
}
