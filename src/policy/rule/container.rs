//! Bodies as rules see them: the engine's own names, absent numbers 0, absent texts empty, absent lists empty.

use std::collections::BTreeSet;

use super::values::{Built, Record, Room, flag, list, map, number, text, texts};
use crate::policy::mount::clean;
use crate::request::{
    ContainerCreate, ContainerUpdate, Device, ExecCreate, HostConfig, Mount, PortBinding, RestartPolicy, ServiceSpec,
    Text,
};

type Used = BTreeSet<String>;

pub(super) fn container<'a>(create: &ContainerCreate<'a>, used: &Used) -> Built<'a> {
    let mut record = Record::new(used);
    record.field("Image", |room| some(create.image.as_ref(), room));
    record.field("User", |room| some(create.user.as_ref(), room));
    record.field("WorkingDir", |room| some(create.working_dir.as_ref(), room));
    record.field("Entrypoint", |room| all(&create.entrypoint, room));
    record.field("Cmd", |room| all(&create.cmd, room));
    record.field("Env", |room| all(&create.env, room));
    record.field("Labels", |room| pairs(&create.labels, room));
    record.field("Volumes", |room| all(&create.volumes, room));
    record.field("ExposedPorts", |room| all(&create.exposed_ports, room));
    record.field("HostConfig", |_room| host_config(&create.host, used));
    record.field("NetworkingConfig", |_room| {
        let mut record = Record::new(used);
        record.field("EndpointsConfig", |room| {
            texts(create.endpoints.iter().map(|endpoint| endpoint.network.clone()), room)
        });
        record.finish()
    });
    record.finish()
}

fn host_config<'a>(host: &HostConfig<'a>, used: &Used) -> Built<'a> {
    let mut record = Record::new(used);
    for (name, value) in [
        ("CgroupParent", &host.cgroup_parent),
        ("CgroupnsMode", &host.cgroupns_mode),
        ("IpcMode", &host.ipc_mode),
        ("NetworkMode", &host.network_mode),
        ("PidMode", &host.pid_mode),
        ("Runtime", &host.runtime),
        ("UTSMode", &host.uts_mode),
        ("UsernsMode", &host.userns_mode),
        ("VolumeDriver", &host.volume_driver),
    ] {
        record.field(name, |room| some(value.as_ref(), room));
    }
    for (name, values) in [
        ("DeviceCgroupRules", &host.device_cgroup_rules),
        ("GroupAdd", &host.group_add),
        ("Links", &host.links),
        ("SecurityOpt", &host.security_opt),
        ("VolumesFrom", &host.volumes_from),
    ] {
        record.field(name, |room| all(values, room));
    }
    for (name, values) in [("CapAdd", &host.cap_add), ("CapDrop", &host.cap_drop)] {
        record.field(name, |room| texts(values.iter().map(|name| capability(name)), room));
    }
    for (name, values) in [("Annotations", &host.annotations), ("Sysctls", &host.sysctls), ("Tmpfs", &host.tmpfs)] {
        record.field(name, |room| pairs(values, room));
    }
    for (name, value) in [
        ("OomKillDisable", host.oom_kill_disable),
        ("Privileged", host.privileged),
        ("PublishAllPorts", host.publish_all_ports),
        ("ReadonlyRootfs", host.readonly_rootfs),
    ] {
        record.field(name, |_room| flag(value));
    }
    for (name, value) in [
        ("CpuQuota", host.cpu_quota),
        ("Memory", host.memory),
        ("NanoCpus", host.nano_cpus),
        ("OomScoreAdj", host.oom_score_adj),
        ("PidsLimit", host.pids_limit),
    ] {
        record.field(name, |_room| number(value));
    }
    record.field("Binds", |room| texts(host.binds.iter().map(bind), room));
    record.field("Mounts", |room| list(host.mounts.iter(), room, |one, room| mount(one, used, room)));
    record.field("Devices", |room| list(host.devices.iter(), room, |one, room| device(one, used, room)));
    record.field("PortBindings", |room| list(host.port_bindings.iter(), room, |one, room| port(one, used, room)));
    record.field("LogConfig", |room| {
        let mut record = Record::new(used);
        let kind = host.log_config.as_ref().map(|log| log.kind.clone()).unwrap_or_default();
        record.within("Type", room, |room| text(&kind, room));
        record.finish()
    });
    record.field("RestartPolicy", |room| restart_policy(host.restart_policy.as_ref(), used, room));
    record.finish()
}

fn mount<'a>(mount: &Mount<'a>, used: &Used, room: &mut Room) -> Built<'a> {
    let mut record = Record::new(used);
    record.within("Type", room, |room| text(&mount.kind, room));
    record.within("Source", room, |room| text(&source(&mount.source), room));
    record.within("Target", room, |room| text(&mount.target, room));
    record.within("ReadOnly", room, |_room| flag(mount.read_only));
    record.finish()
}

fn device<'a>(device: &Device<'a>, used: &Used, room: &mut Room) -> Built<'a> {
    let mut record = Record::new(used);
    record.within("PathOnHost", room, |room| text(&source(&device.path_on_host), room));
    record.within("PathInContainer", room, |room| text(&device.path_in_container, room));
    record.within("CgroupPermissions", room, |room| text(&device.cgroup_permissions, room));
    record.finish()
}

fn port<'a>(port: &PortBinding<'a>, used: &Used, room: &mut Room) -> Built<'a> {
    let mut record = Record::new(used);
    record.within("ContainerPort", room, |room| text(&port.container_port, room));
    record.within("HostIp", room, |room| text(&port.host_ip, room));
    record.within("HostPort", room, |room| text(&port.host_port, room));
    record.finish()
}

fn restart_policy<'a>(policy: Option<&RestartPolicy<'a>>, used: &Used, room: &mut Room) -> Built<'a> {
    let policy = policy.cloned().unwrap_or_default();
    let mut record = Record::new(used);
    record.within("Name", room, |room| text(&policy.name, room));
    record.within("MaximumRetryCount", room, |_room| number(policy.maximum_retry_count));
    record.finish()
}

pub(super) fn exec<'a>(exec: &ExecCreate<'a>, used: &Used) -> Built<'a> {
    let mut record = Record::new(used);
    record.field("Privileged", |_room| flag(exec.privileged));
    record.field("User", |room| some(exec.user.as_ref(), room));
    record.field("WorkingDir", |room| some(exec.working_dir.as_ref(), room));
    record.field("Cmd", |room| all(&exec.cmd, room));
    record.finish()
}

pub(super) fn update<'a>(update: &ContainerUpdate<'a>, used: &Used) -> Built<'a> {
    let mut record = Record::new(used);
    record.field("Memory", |_room| number(update.memory.unwrap_or_default()));
    record.field("PidsLimit", |_room| number(update.pids_limit.unwrap_or_default()));
    record.field("RestartPolicy", |room| restart_policy(update.restart_policy.as_ref(), used, room));
    record.finish()
}

/// What a swarm makes containers from. Without a container's spec it is that of a plugin, and has an empty one here.
pub(super) fn service<'a>(service: &ServiceSpec<'a>, used: &Used) -> Built<'a> {
    let spec = service.container.clone().unwrap_or_default();
    let container = |_room: &mut Room| {
        let mut record = Record::new(used);
        record.field("Image", |room| some(spec.image.as_ref(), room));
        record.field("User", |room| some(spec.user.as_ref(), room));
        record.field("Mounts", |room| list(spec.mounts.iter(), room, |one, room| mount(one, used, room)));
        for (name, values) in [("CapabilityAdd", &spec.capability_add), ("CapabilityDrop", &spec.capability_drop)] {
            record.field(name, |room| texts(values.iter().map(|name| capability(name)), room));
        }
        record.field("ReadOnly", |_room| flag(spec.read_only));
        record.field("Secrets", |room| all(&spec.secrets, room));
        record.field("Configs", |room| all(&spec.configs, room));
        record.finish()
    };
    let limits = |_room: &mut Room| {
        let mut record = Record::new(used);
        record.field("MemoryBytes", |_room| number(service.limits.memory));
        record.field("NanoCPUs", |_room| number(service.limits.nano_cpus));
        record.field("Pids", |_room| number(service.limits.pids));
        record.finish()
    };
    let resources = |_room: &mut Room| {
        let mut record = Record::new(used);
        record.field("Limits", limits);
        record.finish()
    };
    let mut task = Record::new(used);
    task.field("ContainerSpec", container);
    task.field("Resources", resources);
    let mut record = Record::new(used);
    record.field("TaskTemplate", |_room| task.finish());
    record.finish()
}

fn some<'a>(value: Option<&Text<'a>>, room: &mut Room) -> Built<'a> {
    text(value.unwrap_or(&Text::Borrowed("")), room)
}

fn all<'a>(values: &[Text<'a>], room: &mut Room) -> Built<'a> {
    texts(values.iter().cloned(), room)
}

fn pairs<'a>(values: &[(Text<'a>, Text<'a>)], room: &mut Room) -> Built<'a> {
    map(values.iter().cloned(), room)
}

/// The engine upper-cases by Unicode, where a long s becomes an S.
fn capability<'a>(written: &str) -> Text<'a> {
    let upper = written.to_uppercase();
    upper.strip_prefix("CAP_").map(ToOwned::to_owned).unwrap_or(upper).into()
}

/// A bind with its source as the engine cleans it.
fn bind<'a>(written: &Text<'a>) -> Text<'a> {
    match written.split_once(':') {
        Some((path, rest)) if path.starts_with('/') => format!("{}:{rest}", clean(path)).into(),
        _volume => written.clone(),
    }
}

fn source<'a>(written: &Text<'a>) -> Text<'a> {
    if written.starts_with('/') { clean(written).into() } else { written.clone() }
}
