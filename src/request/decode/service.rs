//! The spec of a swarm service: another way to say a container, with structs of its own.
//!
//! Source: moby's `api/types/swarm` from 20.10 to 29.

use super::host::mount;
use super::json::{Kind, Value};
use super::read::{Slots, guard, guards, number, options, some_text, text, words};
use super::schema::{Field, HEALTHCHECK, LINE_OPTIONS, LINES, MOUNT, OPTIONS, Shape, TEXTS, ULIMITS};
use super::walk::fields;
use crate::request::{Endpoint, LogConfig, Privileges, ServiceLimits, ServicePort, ServiceSpec, Text};

use Shape::{Any, Ascii, Bool, Int, Line, List, Struct, Text as Prose, Uint, Uint32};

// === the engine's structs ===

pub(super) const SPEC: &[Field] = &[
    ("Name", Line),
    ("Labels", OPTIONS),
    ("TaskTemplate", Struct(TASK)),
    ("Mode", Struct(MODE)),
    ("UpdateConfig", Struct(ROLLOUT)),
    ("RollbackConfig", Struct(ROLLOUT)),
    ("Networks", List(&Struct(NETWORK))),
    ("EndpointSpec", Struct(ENDPOINT)),
];

const TASK: &[Field] = &[
    ("ContainerSpec", Struct(CONTAINER)),
    ("PluginSpec", Struct(PLUGIN)),
    ("NetworkAttachmentSpec", Struct(&[("ContainerID", Line)])),
    ("Resources", Struct(RESOURCES)),
    ("RestartPolicy", Struct(RESTART)),
    ("Placement", Struct(PLACEMENT)),
    ("Networks", List(&Struct(NETWORK))),
    ("LogDriver", Struct(DRIVER)),
    ("ForceUpdate", Uint),
    ("Runtime", Line),
];

const CONTAINER: &[Field] = &[
    ("Image", Line),
    ("Labels", OPTIONS),
    ("Command", TEXTS),
    ("Args", TEXTS),
    ("Hostname", Prose),
    ("Env", TEXTS),
    ("Dir", Line),
    ("User", Line),
    ("Groups", LINES),
    ("Privileges", Struct(PRIVILEGES)),
    ("Init", Bool),
    ("StopSignal", Prose),
    ("TTY", Bool),
    ("OpenStdin", Bool),
    ("ReadOnly", Bool),
    ("Mounts", List(&Struct(MOUNT))),
    ("StopGracePeriod", Int),
    ("Healthcheck", Struct(HEALTHCHECK)),
    ("Hosts", TEXTS),
    ("DNSConfig", Struct(&[("Nameservers", TEXTS), ("Search", TEXTS), ("Options", TEXTS)])),
    ("Secrets", List(&Struct(SECRET))),
    ("Configs", List(&Struct(CONFIG))),
    ("Isolation", Line),
    ("Sysctls", LINE_OPTIONS),
    ("CapabilityAdd", List(&Ascii)),
    ("CapabilityDrop", List(&Ascii)),
    ("Ulimits", ULIMITS),
    ("OomScoreAdj", Int),
];

const PRIVILEGES: &[Field] = &[
    ("CredentialSpec", Struct(&[("Config", Line), ("File", Line), ("Registry", Line)])),
    ("SELinuxContext", Struct(SELINUX)),
    // The profile is `[]byte`: base64.
    ("Seccomp", Struct(&[("Mode", Line), ("Profile", Prose)])),
    ("AppArmor", Struct(GUARD_MODE)),
    ("NoNewPrivileges", Bool),
];

const SELINUX: &[Field] = &[("Disable", Bool), ("User", Line), ("Role", Line), ("Type", Line), ("Level", Line)];

/// Of `Seccomp` too: its profile is read only where the mode says so.
const GUARD_MODE: &[Field] = &[("Mode", Line)];

const SECRET: &[Field] = &[("File", Struct(FILE)), ("SecretID", Line), ("SecretName", Line)];

const CONFIG: &[Field] = &[("File", Struct(FILE)), ("Runtime", Struct(&[])), ("ConfigID", Line), ("ConfigName", Line)];

const FILE: &[Field] = &[("Name", Line), ("UID", Line), ("GID", Line), ("Mode", Uint32)];

const PLUGIN: &[Field] =
    &[("Name", Line), ("Remote", Line), ("Privileges", List(&Struct(PRIVILEGE))), ("Disabled", Bool), ("Env", TEXTS)];

const PRIVILEGE: &[Field] = &[("Name", Line), ("Description", Prose), ("Value", TEXTS)];

const RESOURCES: &[Field] = &[
    ("Limits", Struct(LIMITS)),
    ("Reservations", Struct(RESERVATIONS)),
    ("SwapBytes", Int),
    ("MemorySwappiness", Int),
];

const LIMITS: &[Field] = &[("NanoCPUs", Int), ("MemoryBytes", Int), ("Pids", Int)];

const RESERVATIONS: &[Field] =
    &[("NanoCPUs", Int), ("MemoryBytes", Int), ("GenericResources", List(&Struct(GENERIC_RESOURCE)))];

const GENERIC_RESOURCE: &[Field] = &[
    ("NamedResourceSpec", Struct(&[("Kind", Line), ("Value", Line)])),
    ("DiscreteResourceSpec", Struct(&[("Kind", Line), ("Value", Int)])),
];

const RESTART: &[Field] = &[("Condition", Line), ("Delay", Int), ("MaxAttempts", Uint), ("Window", Int)];

const PLACEMENT: &[Field] = &[
    ("Constraints", TEXTS),
    ("Preferences", List(&Struct(&[("Spread", Struct(&[("SpreadDescriptor", Prose)]))]))),
    ("MaxReplicas", Uint),
    ("Platforms", List(&Struct(&[("Architecture", Prose), ("OS", Prose)]))),
];

const NETWORK: &[Field] = &[("Target", Line), ("Aliases", TEXTS), ("DriverOpts", LINE_OPTIONS)];

const DRIVER: &[Field] = &[("Name", Line), ("Options", OPTIONS)];

const MODE: &[Field] = &[
    ("Replicated", Struct(&[("Replicas", Uint)])),
    ("Global", Struct(&[])),
    ("ReplicatedJob", Struct(&[("MaxConcurrent", Uint), ("TotalCompletions", Uint)])),
    ("GlobalJob", Struct(&[])),
];

const ROLLOUT: &[Field] = &[
    ("Parallelism", Uint),
    ("Delay", Int),
    ("FailureAction", Line),
    ("Monitor", Int),
    // `float32`
    ("MaxFailureRatio", Any),
    ("Order", Line),
];

const ENDPOINT: &[Field] = &[("Mode", Line), ("Ports", List(&Struct(PORT)))];

const PORT: &[Field] =
    &[("Name", Line), ("Protocol", Line), ("TargetPort", Uint32), ("PublishedPort", Uint32), ("PublishMode", Line)];

// === into what is judged ===

/// A spec being read, perhaps from several objects.
#[derive(Debug, Default)]
struct Reader<'a> {
    spec: ServiceSpec<'a>,
    mounts: Slots,
    task_networks: Slots,
    networks: Slots,
    ports: Slots,
}

/// Reads a service's spec.
pub(super) fn spec<'a>(object: Value<'_, 'a>) -> ServiceSpec<'a> {
    let mut reader = Reader::default();
    for (name, value) in fields(object, SPEC) {
        match name {
            "TaskTemplate" => reader.task(value),
            "Networks" => reader.networks.read(value, &mut reader.spec.networks, network),
            "EndpointSpec" => {
                let ports = fields(value, ENDPOINT).filter(|(name, _)| *name == "Ports");
                ports.for_each(|(_, value)| reader.ports.read(value, &mut reader.spec.ports, port));
            }
            // Known, and no road to the host.
            _harmless => {}
        }
    }
    reader.spec
}

impl<'a> Reader<'a> {
    fn task(&mut self, object: Value<'_, 'a>) {
        for (name, value) in fields(object, TASK) {
            let spec = &mut self.spec;
            match name {
                // Pointers in Go, which null resets: limits and names are gone.
                "Resources" if value.kind() == Kind::Null => spec.limits = ServiceLimits::default(),
                "RestartPolicy" if value.kind() == Kind::Null => spec.restart_condition = None,
                "LogDriver" if value.kind() == Kind::Null => spec.log_driver = None,
                "ContainerSpec" => self.container(value),
                "PluginSpec" => plugin(value, &mut spec.plugin),
                "Resources" => {
                    let limits = fields(value, RESOURCES).filter(|(name, _)| *name == "Limits");
                    limits.for_each(|(_, value)| read_limits(value, &mut spec.limits));
                }
                "RestartPolicy" => {
                    let condition = fields(value, RESTART).filter(|(name, _)| *name == "Condition");
                    condition.for_each(|(_, value)| some_text(value, &mut spec.restart_condition));
                }
                "Networks" => self.task_networks.read(value, &mut spec.task_networks, network),
                "LogDriver" => log_driver(value, &mut spec.log_driver),
                "Runtime" => some_text(value, &mut spec.runtime),
                _harmless => {}
            }
        }
    }

    /// A pointer in Go, which a null resets: names and what protects are gone. What is dangerous stays judged.
    fn container(&mut self, object: Value<'_, 'a>) {
        if object.kind() != Kind::Object {
            self.mounts = Slots::default();
            if let Some(container) = &mut self.spec.container {
                (container.image, container.user, container.dir) = (None, None, None);
                container.capability_drop.clear();
                container.read_only = false;
                without_guards(&mut container.privileges);
            }
            return;
        }
        let container = self.spec.container.get_or_insert_default();
        for (name, value) in fields(object, CONTAINER) {
            match name {
                "Image" => some_text(value, &mut container.image),
                "User" => some_text(value, &mut container.user),
                "Groups" => words(value, &mut container.groups),
                "Dir" => some_text(value, &mut container.dir),
                "Mounts" => self.mounts.read(value, &mut container.mounts, mount),
                "Privileges" => privileges(value, &mut container.privileges),
                "Sysctls" => options(value, &mut container.sysctls),
                "CapabilityAdd" => words(value, &mut container.capability_add),
                "CapabilityDrop" => guards(value, &mut container.capability_drop),
                "ReadOnly" => guard(value, &mut container.read_only),
                "Secrets" => container.secrets.extend(value.elements().map(|value| reference(value, SECRET))),
                "Configs" => container.configs.extend(value.elements().map(|value| reference(value, CONFIG))),
                _harmless => {}
            }
        }
    }
}

fn without_guards(privileges: &mut Privileges<'_>) {
    *privileges = Privileges { selinux: privileges.selinux, ..Privileges::default() };
}

fn privileges<'a>(object: Value<'_, 'a>, into: &mut Privileges<'a>) {
    if object.kind() == Kind::Null {
        without_guards(into);
    }
    for (name, value) in fields(object, PRIVILEGES) {
        match name {
            "SELinuxContext" => {
                into.selinux |= fields(value, SELINUX).any(|(_, value)| !value.is_zero());
            }
            "Seccomp" => mode(value, &mut into.seccomp),
            "AppArmor" => mode(value, &mut into.apparmor),
            "NoNewPrivileges" => guard(value, &mut into.no_new_privileges),
            // Read on Windows only.
            _credentials => {}
        }
    }
}

fn mode<'a>(object: Value<'_, 'a>, into: &mut Option<Text<'a>>) {
    if object.kind() == Kind::Null {
        *into = None;
    }
    fields(object, GUARD_MODE).for_each(|(_, value)| some_text(value, into));
}

/// The name of a secret or a config, or its id.
fn reference<'a>(object: Value<'_, 'a>, known: &'static [Field]) -> Text<'a> {
    let (mut id, mut called) = (Text::default(), Text::default());
    for (name, value) in fields(object, known) {
        match name {
            "SecretID" | "ConfigID" => text(value, &mut id),
            "SecretName" | "ConfigName" => text(value, &mut called),
            _file => {}
        }
    }
    if called.is_empty() { id } else { called }
}

fn plugin<'a>(object: Value<'_, 'a>, into: &mut Option<Text<'a>>) {
    if object.kind() == Kind::Object {
        let remote = into.get_or_insert_default();
        for (name, value) in fields(object, PLUGIN) {
            if name == "Remote" {
                text(value, remote);
            }
        }
    }
}

fn read_limits(object: Value<'_, '_>, limits: &mut ServiceLimits) {
    if object.kind() == Kind::Null {
        *limits = ServiceLimits::default();
    }
    for (name, value) in fields(object, LIMITS) {
        match name {
            "MemoryBytes" => number(value, &mut limits.memory),
            "NanoCPUs" => number(value, &mut limits.nano_cpus),
            _pids => number(value, &mut limits.pids),
        }
    }
}

fn network<'a>(object: Value<'_, 'a>, network: &mut Endpoint<'a>) {
    for (name, value) in fields(object, NETWORK) {
        match name {
            "Target" => text(value, &mut network.network),
            "DriverOpts" => options(value, &mut network.driver_options),
            _aliases => {}
        }
    }
}

fn log_driver<'a>(object: Value<'_, 'a>, into: &mut Option<LogConfig<'a>>) {
    if object.kind() == Kind::Object {
        let log = into.get_or_insert_default();
        for (name, value) in fields(object, DRIVER) {
            match name {
                "Name" => text(value, &mut log.kind),
                _options => options(value, &mut log.options),
            }
        }
    }
}

fn port<'a>(object: Value<'_, 'a>, port: &mut ServicePort<'a>) {
    for (name, value) in fields(object, PORT) {
        match name {
            "Protocol" => text(value, &mut port.protocol),
            "TargetPort" => number(value, &mut port.target),
            "PublishedPort" => number(value, &mut port.published),
            _name_and_mode => {}
        }
    }
}
