//! What a rule may name: every variable, every field, and what kind of value is there.
//!
//! Names of containers, execs and updates are the engine's own, in its JSON. Secrets are not here: of `Env` only names.

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Int,
    Text,
    List(&'static Shape),
    /// Text to values.
    Map(&'static Shape),
    Record(Fields),
}

/// The fields of a record.
pub(super) type Fields = &'static [(&'static str, Shape)];

use Shape::{Bool, Int, List, Map, Record, Text};

const TEXTS: Shape = List(&Text);
const PAIRS: Shape = Map(&Text);

/// Every variable. `create`, `exec`, `update`, `service`, `container` and `image` are null where a call has none.
pub(super) const VARIABLES: Fields = &[
    ("operation", Text),
    ("method", Text),
    ("path", Text),
    ("api_version", Text),
    ("class", Text),
    ("query", PAIRS),
    ("principal", Record(PRINCIPAL)),
    ("peer", Record(PEER)),
    ("create", Record(CONTAINER)),
    ("exec", Record(EXEC)),
    ("update", Record(UPDATE)),
    ("service", Record(&[("TaskTemplate", Record(TASK))])),
    ("container", Record(CONTAINER)),
    ("image", Record(IMAGE)),
];

const PRINCIPAL: Fields = &[("name", Text), ("admin", Bool), ("profile", Text)];

const PEER: Fields = &[
    ("kind", Text),
    ("uid", Int),
    ("gid", Int),
    ("user", Text),
    ("groups", TEXTS),
    ("exe", Text),
    ("container_image", Text),
    ("cert_subject", Text),
    ("cert_sans", TEXTS),
];

const IMAGE: Fields = &[("reference", Text), ("id", Text), ("repo_digests", TEXTS)];

const EXEC: Fields = &[("Privileged", Bool), ("User", Text), ("WorkingDir", Text), ("Cmd", TEXTS)];

const UPDATE: Fields = &[("Memory", Int), ("PidsLimit", Int), ("RestartPolicy", Record(RESTART_POLICY))];

const TASK: Fields = &[
    (
        "ContainerSpec",
        Record(&[
            ("Image", Text),
            ("User", Text),
            ("Mounts", List(&Record(MOUNT))),
            ("CapabilityAdd", TEXTS),
            ("CapabilityDrop", TEXTS),
            ("ReadOnly", Bool),
            ("Secrets", TEXTS),
            ("Configs", TEXTS),
        ]),
    ),
    ("Resources", Record(&[("Limits", Record(&[("MemoryBytes", Int), ("NanoCPUs", Int), ("Pids", Int)]))])),
];

const CONTAINER: Fields = &[
    ("Image", Text),
    ("User", Text),
    ("WorkingDir", Text),
    ("Entrypoint", TEXTS),
    ("Cmd", TEXTS),
    ("Env", TEXTS),
    ("Labels", PAIRS),
    ("Volumes", TEXTS),
    ("ExposedPorts", TEXTS),
    ("HostConfig", Record(HOST_CONFIG)),
    ("NetworkingConfig", Record(&[("EndpointsConfig", TEXTS)])),
];

const HOST_CONFIG: Fields = &[
    ("Annotations", PAIRS),
    ("Binds", TEXTS),
    ("CapAdd", TEXTS),
    ("CapDrop", TEXTS),
    ("CgroupParent", Text),
    ("CgroupnsMode", Text),
    ("CpuQuota", Int),
    ("DeviceCgroupRules", TEXTS),
    ("Devices", List(&Record(DEVICE))),
    ("GroupAdd", TEXTS),
    ("IpcMode", Text),
    ("Links", TEXTS),
    ("LogConfig", Record(&[("Type", Text)])),
    ("Memory", Int),
    ("Mounts", List(&Record(MOUNT))),
    ("NanoCpus", Int),
    ("NetworkMode", Text),
    ("OomKillDisable", Bool),
    ("OomScoreAdj", Int),
    ("PidMode", Text),
    ("PidsLimit", Int),
    ("PortBindings", List(&Record(PORT_BINDING))),
    ("Privileged", Bool),
    ("PublishAllPorts", Bool),
    ("ReadonlyRootfs", Bool),
    ("RestartPolicy", Record(RESTART_POLICY)),
    ("Runtime", Text),
    ("SecurityOpt", TEXTS),
    ("Sysctls", PAIRS),
    ("Tmpfs", PAIRS),
    ("UTSMode", Text),
    ("UsernsMode", Text),
    ("VolumeDriver", Text),
    ("VolumesFrom", TEXTS),
];

const MOUNT: Fields = &[("Type", Text), ("Source", Text), ("Target", Text), ("ReadOnly", Bool)];

const DEVICE: Fields = &[("PathOnHost", Text), ("PathInContainer", Text), ("CgroupPermissions", Text)];

/// One host port each; in the engine's JSON they stand by their container port.
const PORT_BINDING: Fields = &[("ContainerPort", Text), ("HostIp", Text), ("HostPort", Text)];

const RESTART_POLICY: Fields = &[("Name", Text), ("MaximumRetryCount", Int)];
