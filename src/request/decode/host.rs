//! `HostConfig` and what is in it.

use super::json::{Kind, Value};
use super::read::{
    Slots, flag, guard, guards, number, options, security_options, some_guards, some_text, text, without_guards, words,
};
use super::schema::{
    BIND_OPTIONS, DEVICE, DEVICE_REQUEST, DRIVER, HOST_CONFIG, IMAGE_OPTIONS, LOG_CONFIG, MOUNT, PORT_BINDING,
    RESTART_POLICY, VOLUME_OPTIONS,
};
use super::walk::fields;
use crate::request::{Device, HostConfig, LogConfig, Mount, PortBinding, RestartPolicy, Text};

/// A `HostConfig` being read, perhaps from several objects.
#[derive(Debug, Default)]
pub(super) struct Reader<'a> {
    pub(super) host: HostConfig<'a>,
    mounts: Slots,
    devices: Slots,
}

impl<'a> Reader<'a> {
    /// Reads on, into another of the engine's variables: names, limits and what protects begin anew. What is dangerous stays
    /// judged, which is all that is kept here.
    pub(super) fn anew(self) -> Self {
        let before = self.host;
        let host = HostConfig {
            privileged: before.privileged,
            binds: before.binds,
            mounts: before.mounts,
            volumes_from: before.volumes_from,
            tmpfs: before.tmpfs,
            cap_add: before.cap_add,
            devices: before.devices,
            device_cgroup_rules: before.device_cgroup_rules,
            device_requests: before.device_requests,
            security_opt: without_guards(before.security_opt),
            masked_paths: before.masked_paths,
            readonly_paths: before.readonly_paths,
            sysctls: before.sysctls,
            annotations: before.annotations,
            group_add: before.group_add,
            links: before.links,
            port_bindings: before.port_bindings,
            publish_all_ports: before.publish_all_ports,
            oom_kill_disable: before.oom_kill_disable,
            ..HostConfig::default()
        };
        Self { host, ..Self::default() }
    }

    pub(super) fn object(&mut self, object: Value<'_, 'a>) {
        for (name, value) in fields(object, HOST_CONFIG) {
            self.field(name, value);
        }
    }

    /// Reads one field; the flat legacy form has them beside `Config`'s.
    pub(super) fn field(&mut self, name: &str, value: Value<'_, 'a>) {
        let host = &mut self.host;
        match name {
            "Privileged" => flag(value, &mut host.privileged),
            "Binds" => words(value, &mut host.binds),
            "Mounts" => self.mounts.read(value, &mut host.mounts, mount),
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
            "CapDrop" => guards(value, &mut host.cap_drop),
            "Devices" => self.devices.read(value, &mut host.devices, device),
            "DeviceCgroupRules" => words(value, &mut host.device_cgroup_rules),
            "DeviceRequests" => host.device_requests.extend(value.elements().map(device_driver)),
            "SecurityOpt" => security_options(value, &mut host.security_opt),
            "MaskedPaths" => some_guards(value, &mut host.masked_paths),
            "ReadonlyPaths" => some_guards(value, &mut host.readonly_paths),
            "Sysctls" => options(value, &mut host.sysctls),
            "Runtime" => some_text(value, &mut host.runtime),
            "Annotations" => options(value, &mut host.annotations),
            "ContainerIDFile" => text(value, &mut host.container_id_file),
            "LogConfig" => log_config(value, &mut host.log_config),
            "GroupAdd" => words(value, &mut host.group_add),
            "Links" => words(value, &mut host.links),
            "PortBindings" => port_bindings(value, &mut host.port_bindings),
            "PublishAllPorts" => flag(value, &mut host.publish_all_ports),
            "RestartPolicy" => restart_policy(value, &mut host.restart_policy),
            "ReadonlyRootfs" => guard(value, &mut host.readonly_rootfs),
            "Memory" => number(value, &mut host.memory),
            "NanoCpus" => number(value, &mut host.nano_cpus),
            "CpuQuota" => number(value, &mut host.cpu_quota),
            // A pointer in Go, which null resets.
            "PidsLimit" => host.pids_limit = value.integer().unwrap_or(0),
            "OomKillDisable" => flag(value, &mut host.oom_kill_disable),
            "OomScoreAdj" => number(value, &mut host.oom_score_adj),
            // Known, and no road to the host.
            _harmless => {}
        }
    }
}

pub(super) fn mount<'a>(object: Value<'_, 'a>, mount: &mut Mount<'a>) {
    for (name, value) in fields(object, MOUNT) {
        match name {
            "Type" => text(value, &mut mount.kind),
            "Source" => text(value, &mut mount.source),
            "Target" => text(value, &mut mount.target),
            "Consistency" => text(value, &mut mount.consistency),
            "ReadOnly" => guard(value, &mut mount.read_only),
            // Pointers in Go, which null resets; the options of a driver stay judged.
            "BindOptions" if value.kind() == Kind::Null => mount.propagation = None,
            "VolumeOptions" if value.kind() == Kind::Null => mount.driver = None,
            "BindOptions" => {
                let propagation = fields(value, BIND_OPTIONS).filter(|(name, _)| *name == "Propagation");
                propagation.for_each(|(_, value)| some_text(value, &mut mount.propagation));
            }
            "VolumeOptions" => volume_options(value, mount),
            "ImageOptions" => {
                fields(value, IMAGE_OPTIONS).for_each(|(_, value)| subpath(value, &mut mount.subpaths));
            }
            _harmless => {}
        }
    }
}

fn volume_options<'a>(object: Value<'_, 'a>, mount: &mut Mount<'a>) {
    for (name, value) in fields(object, VOLUME_OPTIONS) {
        match name {
            "Subpath" => subpath(value, &mut mount.subpaths),
            "DriverConfig" if value.kind() == Kind::Null => mount.driver = None,
            "DriverConfig" => {
                for (name, value) in fields(value, DRIVER) {
                    match name {
                        "Name" => some_text(value, &mut mount.driver),
                        _options => options(value, &mut mount.driver_options),
                    }
                }
            }
            _harmless => {}
        }
    }
}

fn subpath<'a>(value: Value<'_, 'a>, into: &mut Vec<Text<'a>>) {
    into.extend(value.text().filter(|path| !path.is_empty()));
}

fn device<'a>(object: Value<'_, 'a>, device: &mut Device<'a>) {
    for (name, value) in fields(object, DEVICE) {
        match name {
            "PathOnHost" => text(value, &mut device.path_on_host),
            "PathInContainer" => text(value, &mut device.path_in_container),
            _permissions => text(value, &mut device.cgroup_permissions),
        }
    }
}

fn device_driver<'a>(object: Value<'_, 'a>) -> Text<'a> {
    let mut driver = Text::default();
    for (name, value) in fields(object, DEVICE_REQUEST) {
        if name == "Driver" {
            text(value, &mut driver);
        }
    }
    driver
}

fn log_config<'a>(object: Value<'_, 'a>, into: &mut Option<LogConfig<'a>>) {
    if object.kind() == Kind::Object {
        let log = into.get_or_insert_default();
        for (name, value) in fields(object, LOG_CONFIG) {
            match name {
                "Type" => text(value, &mut log.kind),
                _config => options(value, &mut log.options),
            }
        }
    }
}

fn port_bindings<'a>(map: Value<'_, 'a>, bindings: &mut Vec<PortBinding<'a>>) {
    for (container_port, list) in map.members() {
        let before = bindings.len();
        for object in list.elements() {
            let mut binding = PortBinding { container_port: container_port.clone(), ..PortBinding::default() };
            for (name, value) in fields(object, PORT_BINDING) {
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

pub(super) fn restart_policy<'a>(object: Value<'_, 'a>, into: &mut Option<RestartPolicy<'a>>) {
    if object.kind() == Kind::Object {
        let policy = into.get_or_insert_default();
        for (name, value) in fields(object, RESTART_POLICY) {
            match name {
                "Name" => text(value, &mut policy.name),
                _count => number(value, &mut policy.maximum_retry_count),
            }
        }
    }
}
