//! `HostConfig` and what is in it.

use super::json::Value;
use super::read::{flag, number, options, some_text, some_words, text, words};
use super::schema::{HOST_CONFIG, RESTART_POLICY};
use super::walk::fields;
use crate::request::{Device, HostConfig, LogConfig, Mount, PortBinding, RestartPolicy};

/// Reads an object's fields into a `HostConfig`.
pub(super) fn host_config<'a>(object: Value<'_, 'a>, host: &mut HostConfig<'a>) {
    for (name, value) in fields(object, HOST_CONFIG) {
        field(name, value, host);
    }
}

/// Reads one field; the flat legacy form has them beside `Config`'s. Tells whether it is one that is judged, and set.
pub(super) fn field<'a>(name: &str, value: Value<'_, 'a>, host: &mut HostConfig<'a>) -> bool {
    if value.is_zero() {
        // Most of what the CLI sends; it leaves every field as it is made.
        return false;
    }
    match name {
        "Privileged" => flag(value, &mut host.privileged),
        "Binds" => words(value, &mut host.binds),
        "Mounts" => host.mounts.extend(value.elements().map(mount)),
        "VolumesFrom" => words(value, &mut host.volumes_from),
        "VolumeDriver" => some_text(value, &mut host.volume_driver),
        "Tmpfs" => options(value, &mut host.tmpfs),
        "NetworkMode" => some_text(value, &mut host.network_mode),
        "PidMode" => some_text(value, &mut host.pid_mode),
        "IpcMode" => some_text(value, &mut host.ipc_mode),
        "UTSMode" => some_text(value, &mut host.uts_mode),
        "UsernsMode" => some_text(value, &mut host.userns_mode),
        "CgroupnsMode" => some_text(value, &mut host.cgroupns_mode),
        "Cgroup" => some_text(value, &mut host.cgroup),
        "CgroupParent" => some_text(value, &mut host.cgroup_parent),
        "CapAdd" | "Capabilities" => words(value, &mut host.cap_add),
        "CapDrop" => words(value, &mut host.cap_drop),
        "Devices" => host.devices.extend(value.elements().map(device)),
        "DeviceCgroupRules" => words(value, &mut host.device_cgroup_rules),
        "DeviceRequests" => host.device_requests.extend(value.elements().map(device_driver)),
        "SecurityOpt" => words(value, &mut host.security_opt),
        "MaskedPaths" => some_words(value, &mut host.masked_paths),
        "ReadonlyPaths" => some_words(value, &mut host.readonly_paths),
        "Sysctls" => options(value, &mut host.sysctls),
        "Runtime" => some_text(value, &mut host.runtime),
        "Annotations" => options(value, &mut host.annotations),
        "LogConfig" => log_config(value, host.log_config.get_or_insert_default()),
        "GroupAdd" => words(value, &mut host.group_add),
        "Links" => words(value, &mut host.links),
        "PortBindings" => port_bindings(value, &mut host.port_bindings),
        "PublishAllPorts" => flag(value, &mut host.publish_all_ports),
        "RestartPolicy" => restart_policy(value, host.restart_policy.get_or_insert_default()),
        "ReadonlyRootfs" => flag(value, &mut host.readonly_rootfs),
        "Memory" => number(value, &mut host.memory),
        "NanoCpus" => number(value, &mut host.nano_cpus),
        "CpuQuota" => number(value, &mut host.cpu_quota),
        "PidsLimit" => number(value, &mut host.pids_limit),
        "OomKillDisable" => flag(value, &mut host.oom_kill_disable),
        "OomScoreAdj" => number(value, &mut host.oom_score_adj),
        // Known, and no road to the host.
        _harmless => return false,
    }
    true
}

fn mount<'a>(object: Value<'_, 'a>) -> Mount<'a> {
    let mut mount = Mount::default();
    for (name, value) in fields(object, super::schema::MOUNT) {
        match name {
            "Type" => text(value, &mut mount.kind),
            "Source" => text(value, &mut mount.source),
            "Target" => text(value, &mut mount.target),
            "ReadOnly" => flag(value, &mut mount.read_only),
            "BindOptions" => {
                for (_, value) in fields(value, &[("Propagation", super::schema::Shape::Text)]) {
                    some_text(value, &mut mount.propagation);
                }
            }
            "VolumeOptions" | "ImageOptions" => volume_options(value, &mut mount),
            _harmless => {}
        }
    }
    mount
}

fn volume_options<'a>(object: Value<'_, 'a>, mount: &mut Mount<'a>) {
    use super::schema::Shape::Any;
    for (name, value) in fields(object, &[("Subpath", Any), ("DriverConfig", Any)]) {
        if name == "Subpath" {
            some_text(value, &mut mount.subpath);
            continue;
        }
        for (name, value) in fields(value, &[("Name", Any), ("Options", Any)]) {
            match name {
                "Name" => some_text(value, &mut mount.driver),
                _options => options(value, &mut mount.driver_options),
            }
        }
    }
}

fn device<'a>(object: Value<'_, 'a>) -> Device<'a> {
    use super::schema::Shape::Any;
    let mut device = Device::default();
    for (name, value) in fields(object, &[("PathOnHost", Any), ("PathInContainer", Any), ("CgroupPermissions", Any)]) {
        match name {
            "PathOnHost" => text(value, &mut device.path_on_host),
            "PathInContainer" => text(value, &mut device.path_in_container),
            _permissions => text(value, &mut device.cgroup_permissions),
        }
    }
    device
}

fn device_driver<'a>(object: Value<'_, 'a>) -> crate::request::Text<'a> {
    let mut driver = crate::request::Text::default();
    for (_, value) in fields(object, &[("Driver", super::schema::Shape::Text)]) {
        text(value, &mut driver);
    }
    driver
}

fn log_config<'a>(object: Value<'_, 'a>, log: &mut LogConfig<'a>) {
    use super::schema::Shape::Any;
    for (name, value) in fields(object, &[("Type", Any), ("Config", Any)]) {
        match name {
            "Type" => text(value, &mut log.kind),
            _config => options(value, &mut log.options),
        }
    }
}

fn port_bindings<'a>(map: Value<'_, 'a>, bindings: &mut Vec<PortBinding<'a>>) {
    use super::schema::Shape::Any;
    for (container_port, list) in map.members() {
        let before = bindings.len();
        for object in list.elements() {
            let mut binding = PortBinding { container_port: container_port.clone(), ..PortBinding::default() };
            for (name, value) in fields(object, &[("HostIp", Any), ("HostPort", Any)]) {
                match name {
                    "HostIp" => text(value, &mut binding.host_ip),
                    _port => text(value, &mut binding.host_port),
                }
            }
            bindings.push(binding);
        }
        if bindings.len() == before {
            // The engine fills an empty list with a port of its own choice.
            bindings.push(PortBinding { container_port, ..PortBinding::default() });
        }
    }
}

pub(super) fn restart_policy<'a>(object: Value<'_, 'a>, policy: &mut RestartPolicy<'a>) {
    for (name, value) in fields(object, RESTART_POLICY) {
        match name {
            "Name" => text(value, &mut policy.name),
            _count => number(value, &mut policy.maximum_retry_count),
        }
    }
}
