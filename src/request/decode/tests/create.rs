//! Creates as they are judged: nested, flat and legacy, and every merge that an engine was seen to make.

use super::{create, create_of, host_of};
use crate::request::decode::decode;
use crate::request::{Body, HostConfig, Irregular, Mount, Operation};

/// Reads one thing out of a `HostConfig`, for a table.
type See = fn(&HostConfig<'_>) -> String;

fn mount(mount: &Mount<'_>) -> String {
    let read_only = if mount.read_only { " ro" } else { "" };
    let options: String = mount.driver_options.iter().map(|(key, value)| format!(" {key}={value}")).collect();
    format!("{} {}:{}{read_only}{options}", mount.kind, mount.source, mount.target)
}

const PRIVILEGED: See = |host| host.privileged.to_string();
const BINDS: See = |host| host.binds.join(" ");
const MOUNTS: See = |host| host.mounts.iter().map(mount).collect::<Vec<_>>().join(", ");
const CAP_ADD: See = |host| host.cap_add.join(" ");
const CAP_DROP: See = |host| host.cap_drop.join(" ");
const NETWORK: See = |host| format!("{:?}", host.network_mode);
const MASKED: See = |host| format!("{:?}", host.masked_paths);
const SECURITY: See = |host| host.security_opt.join(" ");
const PORTS: See = |host| {
    let ports =
        host.port_bindings.iter().map(|port| format!("{} {}:{}", port.container_port, port.host_ip, port.host_port));
    ports.collect::<Vec<_>>().join(", ")
};
const DEVICES: See = |host| {
    let devices = host.devices.iter().map(|device| format!("{}>{}", device.path_on_host, device.path_in_container));
    devices.collect::<Vec<_>>().join(", ")
};

#[test]
fn a_host_config_is_seen_whatever_its_spelling() {
    for (host, see, expected) in [
        ("{}", PRIVILEGED, "false"),
        ("null", PRIVILEGED, "false"),
        (r#"{"Privileged":true}"#, PRIVILEGED, "true"),
        (r#"{"privileged":true}"#, PRIVILEGED, "true"),
        (r#"{"\u0050rivileged":true}"#, PRIVILEGED, "true"),
        ("{\"Networ\u{212a}Mode\":\"host\"}", NETWORK, r#"Some("host")"#),
        (r#"{"Networ\u212aMode":"host"}"#, NETWORK, r#"Some("host")"#),
        (r#"{"NetworkMode":""}"#, NETWORK, "None"),
        ("{\"Bind\u{17f}\":[\"/:/host\"]}", BINDS, "/:/host"),
        ("{\"Ma\u{17f}\u{212a}edPath\u{17f}\":[]}", MASKED, "Some([])"),
        (r#"{"MaskedPaths":null}"#, MASKED, "None"),
        (r#"{"MaskedPaths":["/proc/kcore"]}"#, MASKED, r#"Some(["/proc/kcore"])"#),
        (r#"{"CapAdd":"SYS_ADMIN"}"#, CAP_ADD, "SYS_ADMIN"),
        (r#"{"CapAdd":["sys_ptrace","ALL"]}"#, CAP_ADD, "sys_ptrace ALL"),
        (r#"{"Capabilities":["CAP_SYS_ADMIN"]}"#, CAP_ADD, "CAP_SYS_ADMIN"),
        (r#"{"Binds":["/srv/data :/d","//etc//:/d"]}"#, BINDS, "/srv/data :/d //etc//:/d"),
        (r#"{"SecurityOpt":["seccomp:unconfined","label:disable"]}"#, SECURITY, "seccomp:unconfined label:disable"),
        (r#"{"Devices":[{"pathonhost":"/dev/vda","PathInContainer":"/dev/x"},{}]}"#, DEVICES, "/dev/vda>/dev/x, >"),
        (r#"{"PortBindings":{"80/tcp":[{"HostPort":"80"}],"81/tcp":[]}}"#, PORTS, "80/tcp :80, 81/tcp :"),
        (
            r#"{"Mounts":[{"Type":"volume","Target":"/d","VolumeOptions":{"DriverConfig":{"Options":{"o":"rbind","Device":"/"}}}}]}"#,
            MOUNTS,
            "volume :/d o=rbind Device=/",
        ),
    ] {
        assert_eq!(host_of(host, see), (expected.to_owned(), Vec::new()), "{host}");
    }
}

#[test]
fn every_judged_field_is_read() {
    let body = create_of(
        r#""User":"0","Entrypoint":["e"],"Env":["A=secret=x","B"],"Labels":{"l":"m"},"WorkingDir":"/w","Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":{}},
        "NetworkingConfig":{"EndpointsConfig":{"host":{"DriverOpts":{"k":"v"}}}},"HostConfig":{
        "ContainerIDFile":"/i","VolumesFrom":["a:ro"],"VolumeDriver":"d","Tmpfs":{"/t":"exec"},"PidMode":"host","IpcMode":"container:x",
        "UTSMode":"host","UsernsMode":"host","CgroupnsMode":"private","Cgroup":"container:x","CgroupParent":"/../../x",
        "CapDrop":["ALL"],"DeviceCgroupRules":["a *:* rwm"],"DeviceRequests":[{"Driver":"cdi"},{"Count":-1}],
        "ReadonlyPaths":[],"Sysctls":{"net.core.somaxconn":"1"},"Runtime":"io.containerd.evil.v9",
        "Annotations":{"run.oci.handler":"wasm"},"LogConfig":{"Type":"syslog","Config":{"syslog-address":"unix:///x"}},
        "GroupAdd":["0"],"Links":["a:b"],"PublishAllPorts":true,"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},
        "ReadonlyRootfs":true,"Memory":1,"NanoCpus":2,"CpuQuota":3,"PidsLimit":4,"OomKillDisable":true,"OomScoreAdj":-5,
        "Mounts":[{"Type":"bind","Source":"/s","Target":"/t","ReadOnly":true,"Consistency":"c",
                   "BindOptions":{"Propagation":"rshared"}},
                  {"Type":"volume","VolumeOptions":{"Subpath":"p","DriverConfig":{"Name":"nfs"}}},
                  {"Type":"image","ImageOptions":{"Subpath":"q"}}]}"#,
    );
    let (create, odd) = create(&body);
    assert_eq!(odd, []);
    insta::assert_debug_snapshot!(create);
}

#[test]
fn duplicates_are_merged_to_the_worst() {
    for (host, see, expected) in [
        (r#"{"Privileged":false,"Privileged":true}"#, PRIVILEGED, "true"),
        (r#"{"Privileged":true,"Privileged":null}"#, PRIVILEGED, "true"),
        (r#"{"privileged":true,"Privileged":false}"#, PRIVILEGED, "true"),
        (r#"{"Privileged":true},"HostConfig":{}"#, PRIVILEGED, "true"),
        (r#"{"Privileged":true},"HostConfig":null"#, PRIVILEGED, "true"),
        (r#"{},"hostconfig":{"Privileged":true}"#, PRIVILEGED, "true"),
        (r#"{"NetworkMode":"host","NetworkMode":null}"#, NETWORK, r#"Some("host")"#),
        (r#"{"NetworkMode":"none","networkMode":"host"}"#, NETWORK, r#"Some("host")"#),
        (r#"{"Binds":["/:/host"],"Binds":[null]}"#, BINDS, "/:/host "),
        (r#"{"Binds":["/:/host"],"Binds":[]}"#, BINDS, "/:/host"),
        (r#"{"Binds":["/srv/data:/d"],"binds":["/:/host"]}"#, BINDS, "/srv/data:/d /:/host"),
        (r#"{"CapDrop":["ALL"],"CapDrop":[]}"#, CAP_DROP, ""),
        (r#"{"MaskedPaths":["/proc/kcore"],"MaskedPaths":[]}"#, MASKED, "Some([])"),
        (r#"{"MaskedPaths":[],"MaskedPaths":null}"#, MASKED, "Some([])"),
        (
            r#"{"Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}],"Mounts":[{"ReadOnly":true}]}"#,
            MOUNTS,
            "bind /etc:/h, bind /etc:/h ro",
        ),
        (r#"{"Mounts":[{"Type":"bind","Target":"/h"}],"Mounts":[{"Source":"/"}]}"#, MOUNTS, "bind :/h, bind /:/h"),
        (
            r#"{"Mounts":[{"Source":"/a"},{"Source":"/b"}],"Mounts":[{"ReadOnly":true}],"Mounts":[{},{"Target":"/t"}]}"#,
            MOUNTS,
            " /a:,  /b:,  /a: ro,  /a: ro,  /b:/t",
        ),
        (r#"{"Mounts":[{"Source":"/a"}],"Mounts":[],"Mounts":[{"Target":"/t"}]}"#, MOUNTS, " /a:,  :/t"),
        (
            r#"{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Options":{"device":"/etc"}}}}],"Mounts":[{"VolumeOptions":{}}]}"#,
            MOUNTS,
            "volume :/x device=/etc, volume :/x device=/etc",
        ),
        (
            r#"{"Devices":[{"PathOnHost":"/dev/vda"}],"Devices":[{"PathInContainer":"/dev/xx"}]}"#,
            DEVICES,
            "/dev/vda>, /dev/vda>/dev/xx",
        ),
    ] {
        let (seen, odd) = host_of(host, see);
        assert_eq!(seen, expected, "{host}");
        assert!(odd.iter().any(|(kind, _)| *kind == Irregular::Ambiguous), "{host}: {odd:?}");
    }
}

#[test]
fn limits_are_the_last_ones() {
    for (host, expected) in [
        (r#"{"Memory":1,"Memory":0}"#, (0, 0)),
        (r#"{"Memory":1,"Memory":null}"#, (1, 0)),
        (r#"{"PidsLimit":9,"PidsLimit":null}"#, (0, 0)),
        (r#"{"PidsLimit":9,"PidsLimit":-1}"#, (0, -1)),
    ] {
        assert_eq!(host_of(host, |host| (host.memory, host.pids_limit)).0, expected, "{host}");
    }
}

#[test]
fn many_duplicates_still_end_in_the_engines_reading() {
    let padding = r#""Mounts":[{}],"#.repeat(10_000);
    let host = format!(r#"{{"Mounts":[{{"Type":"bind","Target":"/h"}}],{padding}"Mounts":[{{"Source":"/"}}]}}"#);
    let (mounts, odd) = host_of(&host, |host| host.mounts.iter().map(mount).collect::<Vec<_>>());
    assert_eq!(mounts.last().map(String::as_str), Some("bind /:/h"));
    assert!(mounts.len() < 10, "a body must not be copied over and over");
    assert_eq!(odd.len(), 17, "nor fill the record");
}

#[test]
fn flat_fields_are_read_where_an_engine_reads_them() {
    let see = |host: &HostConfig<'_>| {
        let volume_driver = host.volume_driver.as_deref().unwrap_or_default();
        format!("{} {} {} {volume_driver}", host.privileged, host.binds.join(" "), host.memory)
    };
    for (members, expected, flat) in [
        (r#""Binds":["/:/host"],"PidMode":"host""#, "false /:/host 0 ", &["Binds", "PidMode"][..]),
        (r#""privileged":true"#, "true  0 ", &["Privileged"]),
        (r#""privileged":true,"HostConfig":null"#, "true  0 ", &["Privileged"]),
        (r#""HostConfig":{"Binds":["a:/a"]},"HostConfig":null,"Privileged":true"#, "true a:/a 0 ", &["Privileged"]),
        (r#""HostConfig":null,"HostConfig":{},"Privileged":true"#, "false  0 ", &["Privileged"]),
        (r#""HostConfig":{},"Privileged":true,"Binds":["/:/h"]"#, "false  0 ", &["Privileged", "Binds"]),
        (r#""HostConfig":{},"VolumeDriver":"evil","Memory":7"#, "false  0 evil", &["VolumeDriver", "Memory"]),
        (
            r#""VolumeDriver":"a","Memory":7,"HostConfig":{"VolumeDriver":"b","Memory":8}"#,
            "false  8 b",
            &["VolumeDriver", "Memory"],
        ),
        (r#""CpuShares":5,"Cpuset":"0","HostConfig":{}"#, "false  0 ", &["CpuShares"]),
        (r#""Memory":0,"VolumeDriver":"","Binds":null,"HostConfig":{}"#, "false  0 ", &[]),
        (r#""MaskedPaths":[]"#, "false  0 ", &["MaskedPaths"]),
        // Config's own fields are not HostConfig's.
        (r#""Volumes":{"/v":{}},"MacAddress":"x","Labels":{"Privileged":"true"}"#, "false  0 ", &[]),
    ] {
        let body = create_of(members);
        let (create, odd) = create(&body);
        assert_eq!((see(&create.host).as_str(), create.flat), (expected, !flat.is_empty()), "{members}");
        let unknown = odd.iter().filter(|odd| odd.kind == Irregular::UnknownField).map(|odd| odd.field.as_str());
        assert_eq!(unknown.collect::<Vec<_>>(), flat, "{members}");
    }
}

#[test]
fn a_legacy_start_is_a_host_config() {
    for body in [
        r#"{"Binds": ["/etc:/host"], "PidMode": "host", "NetworkMode": "host", "CapAdd": ["SYS_ADMIN"]}"#,
        r#"{"HostConfig": {"Binds": ["/etc:/host"], "pidmode": "host", "NetworkMode": "host", "CapAdd": "SYS_ADMIN"}}"#,
    ] {
        let decoded = decode(Operation::ContainerStart, body.as_bytes());
        let Body::ContainerStart(host) = decoded.body else { panic!("{body}") };
        assert_eq!(host.binds, ["/etc:/host"], "{body}");
        assert_eq!(host.pid_mode.as_deref(), Some("host"), "{body}");
        assert_eq!(host.network_mode.as_deref(), Some("host"), "{body}");
        assert_eq!(host.cap_add, ["SYS_ADMIN"], "{body}");
        assert_eq!(decoded.irregularities, [], "{body}");
    }
}

#[test]
fn what_only_looks_like_a_field_is_none() {
    let body = create_of(
        r#""Env":["HostConfig={\"Privileged\":true}"],"Labels":{"HostConfig":"{}"},"HostConfig ":{"Privileged":true},
        "Host-Config":{"Privileged":true},"HostConfig\u0000":{"Privileged":true},"Foo":{"Privileged":true}"#,
    );
    let (create, odd) = create(&body);
    assert!(!create.host.privileged);
    let unknown: Vec<_> = odd.iter().map(|odd| (odd.kind, odd.field.as_str())).collect();
    let fields = ["HostConfig ", "Host-Config", "HostConfig\\u{0}", "Foo"];
    assert_eq!(unknown, fields.map(|field| (Irregular::UnknownField, field)));
}
