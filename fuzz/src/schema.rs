//! Bodies by the engine's own struct, as the Go program tells it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::node::Node;
use crate::random::Random;

/// A Go type, as far as JSON can tell.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Shape {
    Bool,
    Int,
    Int64,
    Uint,
    Uint16,
    Uint32,
    Uint64,
    String,
    /// A list, or a bare string.
    Words,
    Slice {
        of: Box<Shape>,
    },
    Map {
        of: Box<Shape>,
    },
    Struct {
        fields: BTreeMap<String, Shape>,
    },
}

/// What a policy looks at; the other fields are many and seldom matter.
const HOT: [&str; 54] = [
    "Binds",
    "BindOptions",
    "CapAdd",
    "CapDrop",
    "Capabilities",
    "Cgroup",
    "CgroupParent",
    "CgroupnsMode",
    "CpuQuota",
    "ConfigFrom",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "Driver",
    "DriverConfig",
    "DriverOpts",
    "EndpointsConfig",
    "GroupAdd",
    "HostConfig",
    "HostPort",
    "Image",
    "ImageOptions",
    "IPAM",
    "IpcMode",
    "LogConfig",
    "MaskedPaths",
    "Memory",
    "Mounts",
    "Name",
    "NanoCpus",
    "NetworkMode",
    "NetworkingConfig",
    "Options",
    "PathOnHost",
    "PidMode",
    "PidsLimit",
    "PortBindings",
    "Privileged",
    "Propagation",
    "ReadOnly",
    "ReadonlyPaths",
    "ReadonlyRootfs",
    "RestartPolicy",
    "Runtime",
    "SecurityOpt",
    "Source",
    "Sysctls",
    "Target",
    "Type",
    "UTSMode",
    "User",
    "UsernsMode",
    "VolumeOptions",
    "VolumesFrom",
];

const MODES: &[&str] = &["host", "none", "private", "container:x", "", "bridge", "default", "Host", "shareable"];
const CAPABILITIES: &[&str] = &["ALL", "SYS_ADMIN", "CAP_NET_BIND_SERVICE", "net_bind_service", "sys_ptrace", ""];
const PATHS: &[&str] =
    &["/etc", "/", "/srv/data", "/var/run/docker.sock", "vol", "", "/srv/../etc", "/proc", "/dev/sda"];
const WORDS: &[&str] = &[
    "busybox:1.0",
    "busybox",
    "always",
    "no",
    "a",
    "",
    "0",
    "root",
    "1000:1000",
    "x y",
    "k=v",
    "seccomp=unconfined",
    "label:disable",
    "no-new-privileges",
    "json-file",
    "syslog",
    "runsc",
    "é\u{1f600}",
    "<&>\u{2028}",
    "a,b",
    "~",
];
const KEYS: &[&str] =
    &["80/tcp", "/t", "type", "o", "device", "Type", "kernel.core_pattern", "net", "", "host", "K", "k"];

impl Shape {
    /// A body that has nothing odd about it, unless `flat` lets `HostConfig`'s fields stand beside it.
    pub fn body(&self, flat: bool, random: &mut Random) -> Node {
        let Self::Struct { fields } = self else { return Node::raw("{}") };
        let host = fields.get("HostConfig");
        let is_flat = |name: &str| matches!(host, Some(Self::Struct { fields }) if fields.contains_key(name));
        let mut members = structure(fields, |name| flat || !is_flat(name), random);
        if let Some(host) = host
            && members.iter().all(|(name, _)| name != "HostConfig")
            && random.percent(80)
        {
            members.push(("HostConfig".to_owned(), host.value("HostConfig", random)));
        }
        Node::Object(members, true)
    }

    fn value(&self, name: &str, random: &mut Random) -> Node {
        if random.percent(3) {
            return Node::raw("null");
        }
        match self {
            Self::Bool => Node::raw(random.pick(&["true", "false"])),
            Self::Int | Self::Int64 => Node::raw(random.pick(&[
                "0",
                "1",
                "-1",
                "536870912",
                "9223372036854775807",
                "-9223372036854775808",
                "-0",
            ])),
            Self::Uint16 => Node::raw(random.pick(&["0", "10", "65535"])),
            Self::Uint32 => Node::raw(random.pick(&["0", "493", "4294967295"])),
            Self::Uint | Self::Uint64 => Node::raw(random.pick(&["0", "1", "18446744073709551615"])),
            Self::String => string(name, random),
            Self::Words if random.percent(20) => string(name, random),
            Self::Words => Node::Array((0..random.below(3)).map(|_| string(name, random)).collect()),
            Self::Slice { of } if name == "ConsoleSize" => {
                Node::Array((0..2).map(|_| of.given(name, random)).collect())
            }
            Self::Slice { of } => Node::Array((0..random.below(4)).map(|_| of.given(name, random)).collect()),
            Self::Map { of } => {
                let mut members: Vec<(String, Node)> = Vec::new();
                for _ in 0..random.below(4) {
                    let key = if name == "EndpointsConfig" { random.pick(MODES) } else { random.pick(KEYS) };
                    if members.iter().all(|(earlier, _)| earlier != key) {
                        members.push((key.to_owned(), of.value(key, random)));
                    }
                }
                Node::Object(members, false)
            }
            Self::Struct { fields } => Node::Object(structure(fields, |_| true, random), true),
        }
    }

    /// As [`Shape::value`], but never null: in a list that has two readings.
    fn given(&self, name: &str, random: &mut Random) -> Node {
        loop {
            match self.value(name, random) {
                Node::Raw(raw) if raw == b"null" => {}
                value => return value,
            }
        }
    }
}

fn structure(fields: &BTreeMap<String, Shape>, may: impl Fn(&str) -> bool, random: &mut Random) -> Vec<(String, Node)> {
    let mut members: Vec<(String, Node)> = Vec::new();
    let (most, hot) = (2 + random.below(8), random.percent(70));
    let able: Vec<_> = fields
        .iter()
        .filter(|(name, _)| may(name) && (!hot || fields.len() < 8 || HOT.contains(&name.as_str())))
        .collect();
    for _ in 0..most {
        if let Some((name, shape)) = able.get(random.below(able.len()))
            && members.iter().all(|(earlier, _)| earlier != *name)
        {
            members.push(((*name).clone(), shape.value(name, random)));
        }
    }
    members
}

fn string(name: &str, random: &mut Random) -> Node {
    let other = random.percent(10);
    let from = match name {
        "CapAdd" | "CapDrop" | "Capabilities" | "CapabilityAdd" | "CapabilityDrop" => CAPABILITIES,
        _ if other => WORDS,
        "Type" => &["bind", "volume", "tmpfs", "image", "", "npipe", "json-file", "syslog"],
        "Binds" => &["/etc:/h", "/srv/data:/d:ro", "vol:/v", "/anonymous", "/:/h:rshared", "/srv/data/../..:/x"],
        "Source" | "Target" | "PathOnHost" | "WorkingDir" | "device" | "CgroupParent" => PATHS,
        "Propagation" => &["private", "rprivate", "rshared", "shared", ""],
        "type" => &["none", "tmpfs", "nfs", "ext4"],
        "o" => &["bind", "rbind", "size=1", "addr=x"],
        "HostPort" => &["80", "8080", ""],
        "Driver" | "VolumeDriver" | "Name" => &["local", "bridge", "ipvlan", "", "nfs", "cdi", "always", "on-failure"],
        _ if name.ends_with("Mode") || name == "Cgroup" => MODES,
        _ => WORDS,
    };
    Node::Text(random.pick(from).to_owned())
}
