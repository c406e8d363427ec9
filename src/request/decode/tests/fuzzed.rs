//! Readings that were not the engine's, each found by holding this decoder against Go's own (`make fuzz`).

use super::{create, create_of, host_of};
use crate::request::decode::{Document, Limits, decode};
use crate::request::{Body, Operation};

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

    // The body of a legacy start is flat by nature.
    let Body::ContainerStart(host) = decode(Operation::ContainerStart, br#"{"CapDrop":["ALL"],"Memory":1}"#).body
    else {
        panic!("a start");
    };
    assert_eq!((host.cap_drop.len(), host.memory), (1, 1));
}
