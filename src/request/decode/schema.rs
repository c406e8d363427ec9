//! The engine's own structs: every field of every judged body that any Engine API version knows, with its Go type.
//!
//! A key that is not here is reported and passed on as it came. Source: moby's `api/types` from 20.10 to 29.

/// A Go type, as far as JSON can tell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Whatever it is, it is not looked into.
    Any,
    /// `bool`
    Bool,
    /// An integer.
    Int,
    /// `string`
    Text,
    /// `[]string`, or a bare string (`strslice.StrSlice`, up to 28).
    Words,
    /// A slice.
    List(&'static Self),
    /// A map with string keys.
    Map(&'static Self),
    /// A struct.
    Struct(&'static [Field]),
}

/// A struct's field: its JSON name and type.
pub(super) type Field = (&'static str, Shape);

use Shape::{Any, Bool, Int, List, Map, Struct, Text, Words};

const TEXTS: Shape = List(&Text);
const OPTIONS: Shape = Map(&Text);

/// The body of a create: `container.Config` with `HostConfig` and `NetworkingConfig`, and since engines up to 26.1 embed a
/// `HostConfig` at the top level too, its fields again: see [`super::container`]. The names do not clash.
pub(super) const CONTAINER_CREATE: &[Field] = &join::<{ CONFIG.len() + HOST_CONFIG.len() }>(CONFIG, HOST_CONFIG);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which reports what is out of bounds")]
const fn join<const N: usize>(first: &[Field], second: &[Field]) -> [Field; N] {
    let mut joined = [("", Any); N];
    let mut at = 0;
    while at < N {
        joined[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    joined
}

const CONFIG: &[Field] = &[
    ("Hostname", Text),
    ("Domainname", Text),
    ("User", Text),
    ("AttachStdin", Bool),
    ("AttachStdout", Bool),
    ("AttachStderr", Bool),
    ("ExposedPorts", Map(&Any)),
    ("Tty", Bool),
    ("OpenStdin", Bool),
    ("StdinOnce", Bool),
    ("Env", TEXTS),
    ("Cmd", Words),
    ("Healthcheck", Struct(HEALTHCHECK)),
    ("ArgsEscaped", Bool),
    ("Image", Text),
    ("Volumes", Map(&Any)),
    ("WorkingDir", Text),
    ("Entrypoint", Words),
    ("NetworkDisabled", Bool),
    ("MacAddress", Text),
    ("OnBuild", TEXTS),
    ("Labels", OPTIONS),
    ("StopSignal", Text),
    ("StopTimeout", Int),
    ("Shell", Words),
    ("PortSpecs", TEXTS),
    ("HostConfig", Struct(HOST_CONFIG)),
    ("NetworkingConfig", Struct(&[("EndpointsConfig", Map(&Struct(ENDPOINT)))])),
    ("Cpuset", Text),
];

const HEALTHCHECK: &[Field] = &[
    ("Test", TEXTS),
    ("Interval", Int),
    ("Timeout", Int),
    ("StartPeriod", Int),
    ("StartInterval", Int),
    ("Retries", Int),
];

pub(super) const HOST_CONFIG: &[Field] = &[
    ("Binds", TEXTS),
    ("ContainerIDFile", Text),
    ("LogConfig", Struct(&[("Type", Text), ("Config", OPTIONS)])),
    ("NetworkMode", Text),
    ("PortBindings", Map(&List(&Struct(&[("HostIp", Text), ("HostPort", Text)])))),
    ("RestartPolicy", Struct(RESTART_POLICY)),
    ("AutoRemove", Bool),
    ("VolumeDriver", Text),
    ("VolumesFrom", TEXTS),
    ("ConsoleSize", List(&Int)),
    ("Annotations", OPTIONS),
    ("CapAdd", Words),
    ("CapDrop", Words),
    ("CgroupnsMode", Text),
    ("Dns", TEXTS),
    ("DnsOptions", TEXTS),
    ("DnsSearch", TEXTS),
    ("ExtraHosts", TEXTS),
    ("GroupAdd", TEXTS),
    ("IpcMode", Text),
    ("Cgroup", Text),
    ("Links", TEXTS),
    ("OomScoreAdj", Int),
    ("PidMode", Text),
    ("Privileged", Bool),
    ("PublishAllPorts", Bool),
    ("ReadonlyRootfs", Bool),
    ("SecurityOpt", TEXTS),
    ("StorageOpt", OPTIONS),
    ("Tmpfs", OPTIONS),
    ("UTSMode", Text),
    ("UsernsMode", Text),
    ("ShmSize", Int),
    ("Sysctls", OPTIONS),
    ("Runtime", Text),
    ("Isolation", Text),
    ("Capabilities", TEXTS),
    // Resources, embedded.
    ("CpuShares", Int),
    ("Memory", Int),
    ("NanoCpus", Int),
    ("CgroupParent", Text),
    ("BlkioWeight", Int),
    ("BlkioWeightDevice", List(&Struct(&[("Path", Text), ("Weight", Int)]))),
    ("BlkioDeviceReadBps", THROTTLE),
    ("BlkioDeviceWriteBps", THROTTLE),
    ("BlkioDeviceReadIOps", THROTTLE),
    ("BlkioDeviceWriteIOps", THROTTLE),
    ("CpuPeriod", Int),
    ("CpuQuota", Int),
    ("CpuRealtimePeriod", Int),
    ("CpuRealtimeRuntime", Int),
    ("CpusetCpus", Text),
    ("CpusetMems", Text),
    ("Devices", List(&Struct(DEVICE))),
    ("DeviceCgroupRules", TEXTS),
    ("DeviceRequests", List(&Struct(DEVICE_REQUEST))),
    ("DiskQuota", Int),
    ("KernelMemory", Int),
    ("KernelMemoryTCP", Int),
    ("MemoryReservation", Int),
    ("MemorySwap", Int),
    ("MemorySwappiness", Int),
    ("OomKillDisable", Bool),
    ("PidsLimit", Int),
    ("Ulimits", List(&Struct(&[("Name", Text), ("Hard", Int), ("Soft", Int)]))),
    ("CpuCount", Int),
    ("CpuPercent", Int),
    ("IOMaximumIOps", Int),
    ("IOMaximumBandwidth", Int),
    // Behind them.
    ("Mounts", List(&Struct(MOUNT))),
    ("MaskedPaths", TEXTS),
    ("ReadonlyPaths", TEXTS),
    ("Init", Bool),
];

const THROTTLE: Shape = List(&Struct(&[("Path", Text), ("Rate", Int)]));

pub(super) const RESTART_POLICY: &[Field] = &[("Name", Text), ("MaximumRetryCount", Int)];

const DEVICE: &[Field] = &[("PathOnHost", Text), ("PathInContainer", Text), ("CgroupPermissions", Text)];

const DEVICE_REQUEST: &[Field] =
    &[("Driver", Text), ("Count", Int), ("DeviceIDs", TEXTS), ("Capabilities", List(&TEXTS)), ("Options", OPTIONS)];

pub(super) const MOUNT: &[Field] = &[
    ("Type", Text),
    ("Source", Text),
    ("Target", Text),
    ("ReadOnly", Bool),
    ("Consistency", Text),
    ("BindOptions", Struct(BIND_OPTIONS)),
    ("VolumeOptions", Struct(VOLUME_OPTIONS)),
    ("TmpfsOptions", Struct(&[("SizeBytes", Int), ("Mode", Int), ("Options", List(&TEXTS))])),
    ("ImageOptions", Struct(&[("Subpath", Text)])),
    ("ClusterOptions", Struct(&[])),
];

const BIND_OPTIONS: &[Field] = &[
    ("Propagation", Text),
    ("NonRecursive", Bool),
    ("CreateMountpoint", Bool),
    ("ReadOnlyNonRecursive", Bool),
    ("ReadOnlyForceRecursive", Bool),
];

const VOLUME_OPTIONS: &[Field] = &[
    ("NoCopy", Bool),
    ("Labels", OPTIONS),
    ("Subpath", Text),
    ("DriverConfig", Struct(&[("Name", Text), ("Options", OPTIONS)])),
];

pub(super) const ENDPOINT: &[Field] = &[
    ("IPAMConfig", Struct(&[("IPv4Address", Text), ("IPv6Address", Text), ("LinkLocalIPs", TEXTS)])),
    ("Links", TEXTS),
    ("Aliases", TEXTS),
    ("MacAddress", Text),
    ("DriverOpts", OPTIONS),
    ("GwPriority", Int),
    ("NetworkID", Text),
    ("EndpointID", Text),
    ("Gateway", Text),
    ("IPAddress", Text),
    ("IPPrefixLen", Int),
    ("IPv6Gateway", Text),
    ("GlobalIPv6Address", Text),
    ("GlobalIPv6PrefixLen", Int),
    ("DNSNames", TEXTS),
];

pub(super) const EXEC_CREATE: &[Field] = &[
    ("User", Text),
    ("Privileged", Bool),
    ("Tty", Bool),
    ("ConsoleSize", List(&Int)),
    ("AttachStdin", Bool),
    ("AttachStderr", Bool),
    ("AttachStdout", Bool),
    ("Detach", Bool),
    ("DetachKeys", Text),
    ("Env", TEXTS),
    ("WorkingDir", Text),
    ("Cmd", Words),
    ("Container", Text),
];

pub(super) const EXEC_START: &[Field] = &[("Detach", Bool), ("Tty", Bool), ("ConsoleSize", List(&Int))];

pub(super) const VOLUME_CREATE: &[Field] =
    &[("Name", Text), ("Driver", Text), ("DriverOpts", OPTIONS), ("Labels", OPTIONS), ("ClusterVolumeSpec", Any)];

pub(super) const NETWORK_CREATE: &[Field] = &[
    ("Name", Text),
    ("CheckDuplicate", Bool),
    ("Driver", Text),
    ("Scope", Text),
    ("EnableIPv4", Bool),
    ("EnableIPv6", Bool),
    ("IPAM", Struct(&[("Driver", Text), ("Options", OPTIONS), ("Config", List(&Struct(SUBNET)))])),
    ("Internal", Bool),
    ("Attachable", Bool),
    ("Ingress", Bool),
    ("ConfigOnly", Bool),
    ("ConfigFrom", Struct(&[("Network", Text)])),
    ("Options", OPTIONS),
    ("Labels", OPTIONS),
];

const SUBNET: &[Field] = &[("Subnet", Text), ("IPRange", Text), ("Gateway", Text), ("AuxiliaryAddresses", OPTIONS)];

pub(super) const NETWORK_CONNECT: &[Field] = &[("Container", Text), ("EndpointConfig", Struct(ENDPOINT))];
