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
    /// A signed integer.
    Int,
    /// An unsigned integer.
    Uint,
    /// `uint16`
    Uint16,
    /// `uint32`
    Uint32,
    /// `string`
    Text,
    /// A string that names something to the engine or the kernel, where nothing but one line of text has one reading.
    Line,
    /// A string that the engine writes in upper case by Unicode's rules, by which `ſ` is S and `ı` is I.
    Ascii,
    /// `[]string`, or a bare string (`strslice.StrSlice`, up to 28).
    Words(&'static Self),
    /// A slice.
    List(&'static Self),
    /// A map with string keys.
    Map(&'static Self),
    /// A struct.
    Struct(&'static [Field]),
}

/// A struct's field: its JSON name and type.
pub(super) type Field = (&'static str, Shape);

use Shape::{Any, Ascii, Bool, Int, Line, List, Map, Struct, Text, Uint, Uint16, Uint32, Words};

pub(super) const TEXTS: Shape = List(&Text);
pub(super) const LINES: Shape = List(&Line);
const ARGUMENTS: Shape = Words(&Text);
const CAPABILITIES: Shape = Words(&Ascii);
pub(super) const OPTIONS: Shape = Map(&Text);
pub(super) const LINE_OPTIONS: Shape = Map(&Line);
const SET: Shape = Map(&Struct(&[]));

/// The body of a create: `container.Config` with `HostConfig` and `NetworkingConfig`, and since engines up to 26.1 embed a
/// `HostConfig` at the top level too, its fields again: see [`super::container`]. No name is in both.
pub(super) const CONTAINER_CREATE: &[Field] = &join::<{ CONFIG.len() + HOST_CONFIG.len() }>(CONFIG, HOST_CONFIG);

/// Where in [`CONTAINER_CREATE`] the fields of the flat form begin.
pub(super) const FLAT: usize = CONFIG.len();

pub(super) const HOST_CONFIG: &[Field] = &join::<{ HOST_ONLY.len() + RESOURCES.len() }>(HOST_ONLY, RESOURCES);

pub(super) const CONTAINER_UPDATE: &[Field] =
    &join::<{ RESOURCES.len() + 1 }>(RESOURCES, &[("RestartPolicy", Struct(RESTART_POLICY))]);

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
    ("User", Line),
    ("AttachStdin", Bool),
    ("AttachStdout", Bool),
    ("AttachStderr", Bool),
    ("ExposedPorts", SET),
    ("Tty", Bool),
    ("OpenStdin", Bool),
    ("StdinOnce", Bool),
    ("Env", TEXTS),
    ("Cmd", ARGUMENTS),
    ("Healthcheck", Struct(HEALTHCHECK)),
    ("ArgsEscaped", Bool),
    ("Image", Line),
    ("Volumes", SET),
    ("WorkingDir", Line),
    ("Entrypoint", ARGUMENTS),
    ("NetworkDisabled", Bool),
    ("MacAddress", Text),
    ("OnBuild", TEXTS),
    ("Labels", OPTIONS),
    ("StopSignal", Text),
    ("StopTimeout", Int),
    ("Shell", ARGUMENTS),
    ("PortSpecs", TEXTS),
    ("HostConfig", Struct(HOST_CONFIG)),
    ("NetworkingConfig", Struct(NETWORKING)),
    // Of API versions below 1.18, by now flat.
    ("Cpuset", Text),
];

pub(super) const HEALTHCHECK: &[Field] = &[
    ("Test", TEXTS),
    ("Interval", Int),
    ("Timeout", Int),
    ("StartPeriod", Int),
    ("StartInterval", Int),
    ("Retries", Int),
];

const HOST_ONLY: &[Field] = &[
    ("Binds", LINES),
    ("ContainerIDFile", Line),
    ("LogConfig", Struct(LOG_CONFIG)),
    ("NetworkMode", Line),
    ("PortBindings", Map(&List(&Struct(PORT_BINDING)))),
    ("RestartPolicy", Struct(RESTART_POLICY)),
    ("AutoRemove", Bool),
    ("VolumeDriver", Line),
    ("VolumesFrom", LINES),
    ("ConsoleSize", List(&Uint)),
    ("Annotations", OPTIONS),
    ("CapAdd", CAPABILITIES),
    ("CapDrop", CAPABILITIES),
    ("CgroupnsMode", Line),
    ("Dns", TEXTS),
    ("DnsOptions", TEXTS),
    ("DnsSearch", TEXTS),
    ("ExtraHosts", TEXTS),
    ("GroupAdd", LINES),
    ("IpcMode", Line),
    ("Cgroup", Line),
    ("Links", LINES),
    ("OomScoreAdj", Int),
    ("PidMode", Line),
    ("Privileged", Bool),
    ("PublishAllPorts", Bool),
    ("ReadonlyRootfs", Bool),
    // Text: a seccomp profile is a JSON document in here.
    ("SecurityOpt", TEXTS),
    ("StorageOpt", OPTIONS),
    ("Tmpfs", LINE_OPTIONS),
    ("UTSMode", Line),
    ("UsernsMode", Line),
    ("ShmSize", Int),
    ("Sysctls", LINE_OPTIONS),
    ("Runtime", Line),
    ("Isolation", Line),
    // API 1.40 only.
    ("Capabilities", List(&Ascii)),
    ("Mounts", List(&Struct(MOUNT))),
    ("MaskedPaths", LINES),
    ("ReadonlyPaths", LINES),
    ("Init", Bool),
];

/// Embedded in `HostConfig` and in the body of an update.
const RESOURCES: &[Field] = &[
    ("CpuShares", Int),
    ("Memory", Int),
    ("NanoCpus", Int),
    ("CgroupParent", Line),
    ("BlkioWeight", Uint16),
    ("BlkioWeightDevice", List(&Struct(&[("Path", Line), ("Weight", Uint16)]))),
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
    ("DeviceCgroupRules", LINES),
    ("DeviceRequests", List(&Struct(DEVICE_REQUEST))),
    ("DiskQuota", Int),
    ("KernelMemory", Int),
    ("KernelMemoryTCP", Int),
    ("MemoryReservation", Int),
    ("MemorySwap", Int),
    ("MemorySwappiness", Int),
    ("OomKillDisable", Bool),
    ("PidsLimit", Int),
    ("Ulimits", ULIMITS),
    ("CpuCount", Int),
    ("CpuPercent", Int),
    ("IOMaximumIOps", Uint),
    ("IOMaximumBandwidth", Uint),
];

pub(super) const LOG_CONFIG: &[Field] = &[("Type", Line), ("Config", OPTIONS)];

pub(super) const PORT_BINDING: &[Field] = &[("HostIp", Line), ("HostPort", Line)];

pub(super) const ULIMITS: Shape = List(&Struct(&[("Name", Text), ("Hard", Int), ("Soft", Int)]));

const THROTTLE: Shape = List(&Struct(&[("Path", Line), ("Rate", Uint)]));

pub(super) const RESTART_POLICY: &[Field] = &[("Name", Text), ("MaximumRetryCount", Int)];

pub(super) const DEVICE: &[Field] = &[("PathOnHost", Line), ("PathInContainer", Line), ("CgroupPermissions", Line)];

pub(super) const DEVICE_REQUEST: &[Field] =
    &[("Driver", Line), ("Count", Int), ("DeviceIDs", TEXTS), ("Capabilities", List(&TEXTS)), ("Options", OPTIONS)];

pub(super) const MOUNT: &[Field] = &[
    ("Type", Line),
    ("Source", Line),
    ("Target", Line),
    ("ReadOnly", Bool),
    ("Consistency", Line),
    ("BindOptions", Struct(BIND_OPTIONS)),
    ("VolumeOptions", Struct(VOLUME_OPTIONS)),
    ("TmpfsOptions", Struct(&[("SizeBytes", Int), ("Mode", Uint32), ("Options", List(&TEXTS))])),
    ("ImageOptions", Struct(IMAGE_OPTIONS)),
    ("ClusterOptions", Struct(&[])),
];

pub(super) const BIND_OPTIONS: &[Field] = &[
    ("Propagation", Line),
    ("NonRecursive", Bool),
    ("CreateMountpoint", Bool),
    ("ReadOnlyNonRecursive", Bool),
    ("ReadOnlyForceRecursive", Bool),
];

pub(super) const VOLUME_OPTIONS: &[Field] =
    &[("NoCopy", Bool), ("Labels", OPTIONS), ("Subpath", Line), ("DriverConfig", Struct(DRIVER))];

pub(super) const DRIVER: &[Field] = &[("Name", Line), ("Options", LINE_OPTIONS)];

pub(super) const IMAGE_OPTIONS: &[Field] = &[("Subpath", Line)];

pub(super) const NETWORKING: &[Field] = &[("EndpointsConfig", Map(&Struct(ENDPOINT)))];

pub(super) const ENDPOINT: &[Field] = &[
    ("IPAMConfig", Struct(&[("IPv4Address", Text), ("IPv6Address", Text), ("LinkLocalIPs", TEXTS)])),
    ("Links", TEXTS),
    ("Aliases", TEXTS),
    ("MacAddress", Text),
    ("DriverOpts", LINE_OPTIONS),
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
    ("User", Line),
    ("Privileged", Bool),
    ("Tty", Bool),
    ("ConsoleSize", List(&Uint)),
    ("AttachStdin", Bool),
    ("AttachStderr", Bool),
    ("AttachStdout", Bool),
    ("Detach", Bool),
    ("DetachKeys", Text),
    ("Env", TEXTS),
    ("WorkingDir", Line),
    ("Cmd", TEXTS),
    ("Container", Text),
];

pub(super) const EXEC_START: &[Field] = &[("Detach", Bool), ("Tty", Bool), ("ConsoleSize", List(&Uint))];

pub(super) const VOLUME_CREATE: &[Field] = &[
    ("Name", Line),
    ("Driver", Line),
    ("DriverOpts", LINE_OPTIONS),
    ("Labels", OPTIONS),
    ("ClusterVolumeSpec", Struct(CLUSTER_VOLUME)),
];

const CLUSTER_VOLUME: &[Field] = &[
    ("Group", Text),
    ("AccessMode", Struct(ACCESS_MODE)),
    ("AccessibilityRequirements", Struct(&[("Requisite", TOPOLOGIES), ("Preferred", TOPOLOGIES)])),
    ("CapacityRange", Struct(&[("RequiredBytes", Int), ("LimitBytes", Int)])),
    ("Secrets", List(&Struct(&[("Key", Text), ("Secret", Text)]))),
    ("Availability", Text),
];

const ACCESS_MODE: &[Field] = &[
    ("Scope", Text),
    ("Sharing", Text),
    ("MountVolume", Struct(&[("FsType", Text), ("MountFlags", TEXTS)])),
    ("BlockVolume", Struct(&[])),
];

const TOPOLOGIES: Shape = List(&Struct(&[("Segments", OPTIONS)]));

pub(super) const NETWORK_CREATE: &[Field] = &[
    ("Name", Line),
    ("CheckDuplicate", Bool),
    ("Driver", Line),
    ("Scope", Line),
    ("EnableIPv4", Bool),
    ("EnableIPv6", Bool),
    ("IPAM", Struct(IPAM)),
    ("Internal", Bool),
    ("Attachable", Bool),
    ("Ingress", Bool),
    ("ConfigOnly", Bool),
    ("ConfigFrom", Struct(CONFIG_FROM)),
    ("Options", LINE_OPTIONS),
    ("Labels", OPTIONS),
];

pub(super) const IPAM: &[Field] = &[("Driver", Line), ("Options", LINE_OPTIONS), ("Config", List(&Struct(SUBNET)))];

pub(super) const CONFIG_FROM: &[Field] = &[("Network", Line)];

pub(super) const SUBNET: &[Field] =
    &[("Subnet", Text), ("IPRange", Text), ("Gateway", Text), ("AuxiliaryAddresses", OPTIONS)];

pub(super) const NETWORK_CONNECT: &[Field] = &[("Container", Line), ("EndpointConfig", Struct(ENDPOINT))];

pub(super) const NETWORK_DISCONNECT: &[Field] = &[("Container", Line), ("Force", Bool)];

pub(super) const CHECKPOINT_CREATE: &[Field] = &[("CheckpointID", Line), ("CheckpointDir", Line), ("Exit", Bool)];
