//! As the gate has it.

use tidewaiter::request::{ContainerCreate, HostConfig, Mount, Text};

use super::{MountView, Rule, View, pair, port};

impl From<&ContainerCreate<'_>> for View {
    fn from(create: &ContainerCreate<'_>) -> Self {
        let mut view = Self::default();
        view.exact("Image", or_empty(&create.image));
        view.exact("User", or_empty(&create.user));
        view.exact("WorkingDir", or_empty(&create.working_dir));
        view.put_set("Volumes", Rule::Danger, create.volumes.iter().map(|text| text.as_ref()));
        view.put_set("ExposedPorts", Rule::Danger, create.exposed_ports.iter().map(|text| text.as_ref()));
        view.put_set("Endpoints", Rule::Danger, create.endpoints.iter().map(|endpoint| endpoint.network.as_ref()));
        let options = create.endpoints.iter().flat_map(|endpoint| {
            endpoint.driver_options.iter().map(|(key, value)| format!("{:?} {}", endpoint.network, pair(key, value)))
        });
        view.put_set("Endpoints' options", Rule::Danger, options);
        host(&mut view, &create.host);
        resources(&mut view, &create.host);
        mounts(&mut view, &create.host.mounts);
        view
    }
}

fn host(view: &mut View, host: &HostConfig<'_>) {
    view.flag("Privileged", Rule::Danger, host.privileged);
    view.flag("PublishAllPorts", Rule::Danger, host.publish_all_ports);
    view.flag("OomKillDisable", Rule::Danger, host.oom_kill_disable);
    view.flag("ReadonlyRootfs", Rule::Guard, host.readonly_rootfs);
    for (name, list) in [
        ("Binds", &host.binds),
        ("VolumesFrom", &host.volumes_from),
        ("DeviceCgroupRules", &host.device_cgroup_rules),
        ("DeviceRequests", &host.device_requests),
        ("GroupAdd", &host.group_add),
        ("Links", &host.links),
    ] {
        view.put(name, Rule::Danger, list.iter().map(|text| text.as_ref()));
    }
    view.security_options(host.security_opt.iter().map(|text| text.as_ref()));
    view.put_set("CapAdd", Rule::Danger, host.cap_add.iter().map(|text| text.as_ref()));
    view.put("CapDrop", Rule::Guard, host.cap_drop.iter().map(|text| text.as_ref()));
    view.flag("MaskedPaths", Rule::Danger, host.masked_paths.is_some());
    view.put("MaskedPaths' own", Rule::Told, host.masked_paths.iter().flatten().map(|text| text.as_ref()));
    view.flag("ReadonlyPaths", Rule::Danger, host.readonly_paths.is_some());
    view.put("ReadonlyPaths' own", Rule::Told, host.readonly_paths.iter().flatten().map(|text| text.as_ref()));
    for (name, text) in [
        ("VolumeDriver", &host.volume_driver),
        ("NetworkMode", &host.network_mode),
        ("PidMode", &host.pid_mode),
        ("IpcMode", &host.ipc_mode),
        ("UTSMode", &host.uts_mode),
        ("UsernsMode", &host.userns_mode),
        ("CgroupnsMode", &host.cgroupns_mode),
        ("Cgroup", &host.cgroup),
        ("CgroupParent", &host.cgroup_parent),
        ("Runtime", &host.runtime),
    ] {
        view.exact(name, or_empty(text));
    }
    for (name, map) in [("Tmpfs", &host.tmpfs), ("Sysctls", &host.sysctls), ("Annotations", &host.annotations)] {
        view.put_set(name, Rule::Danger, pairs(map));
    }
}

fn resources(view: &mut View, host: &HostConfig<'_>) {
    let devices = host.devices.iter().map(|device| {
        format!("{:?}>{:?} {:?}", device.path_on_host, device.path_in_container, device.cgroup_permissions)
    });
    view.put("Devices", Rule::Danger, devices);
    view.exact("LogConfig", host.log_config.as_ref().map(|log| log.kind.as_ref()).unwrap_or_default());
    let options = host.log_config.as_ref().map(|log| pairs(&log.options)).unwrap_or_default();
    view.put_set("LogConfig's options", Rule::Danger, options);
    let ports = host.port_bindings.iter().map(|it| port(&it.container_port, &it.host_ip, &it.host_port));
    view.put_set("PortBindings", Rule::Danger, ports);
    let restart = host.restart_policy.clone().unwrap_or_default();
    view.exact("RestartPolicy", restart.name);
    view.exact("RestartPolicy's count", restart.maximum_retry_count);
    view.limit("Memory", host.memory);
    view.limit("NanoCpus", host.nano_cpus);
    view.limit("CpuQuota", host.cpu_quota);
    view.limit("PidsLimit", host.pids_limit);
    view.exact("OomScoreAdj", host.oom_score_adj);
}

fn mounts(view: &mut View, mounts: &[Mount<'_>]) {
    let subpaths = mounts.iter().flat_map(|mount| &mount.subpaths).map(|path| path.as_ref());
    view.put_set("Mounts' subpaths", Rule::Danger, subpaths);
    view.mounts(mounts.iter().map(|mount: &Mount<'_>| MountView {
        told: format!(
            "{:?} {:?} {:?} {} {:?} {:?}",
            mount.kind,
            mount.source,
            mount.target,
            mount.read_only,
            mount.propagation.as_deref().unwrap_or_default(),
            mount.driver.as_deref().unwrap_or_default(),
        ),
        of_driver: pairs(&mount.driver_options),
    }));
}

fn or_empty(text: &Option<Text<'_>>) -> String {
    text.as_deref().unwrap_or_default().to_owned()
}

fn pairs(pairs: &[(Text<'_>, Text<'_>)]) -> Vec<String> {
    pairs.iter().map(|(key, value)| pair(key, value)).collect()
}
