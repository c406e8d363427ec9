//! As the gate has it.

use tidewaiter::request::{Body, ContainerCreate, HostConfig, Mount, RestartPolicy, ServiceSpec, Text};

use super::{NETWORKS, Rule, TASK_NETWORKS, View, WithOptions, pair, port};

impl View {
    /// None if the body is not read.
    pub fn of_gate(body: &Body<'_>) -> Option<Self> {
        let mut view = Self::default();
        match body {
            Body::Unread | Body::Build(_) => return None,
            Body::ServiceSpec(body) => service(&mut view, body),
            Body::CheckpointCreate(body) => view.exact("CheckpointDir", or_empty(&body.dir)),
            Body::ContainerCreate(body) => create(&mut view, body),
            Body::ContainerStart(body) => host(&mut view, body),
            Body::ContainerUpdate(body) => {
                restart_policy(&mut view, body.restart_policy.as_ref());
                view.limit("Memory", body.memory.unwrap_or_default());
                view.limit("PidsLimit", body.pids_limit.unwrap_or_default());
            }
            Body::ExecCreate(body) => {
                view.flag("Privileged", Rule::Danger, body.privileged);
                view.exact("User", or_empty(&body.user));
                view.exact("WorkingDir", or_empty(&body.working_dir));
                view.put("Cmd", Rule::Danger, texts(&body.cmd));
            }
            Body::ExecStart(body) => {
                view.flag("Detach", Rule::Danger, body.detach);
                view.flag("Tty", Rule::Danger, body.tty);
            }
            Body::VolumeCreate(body) => {
                view.exact("Name", or_empty(&body.name));
                view.exact("Driver", or_empty(&body.driver));
                view.put_set("DriverOpts", Rule::Danger, pairs(&body.driver_options));
                view.flag("ClusterVolumeSpec", Rule::Danger, body.cluster);
            }
            Body::NetworkCreate(body) => {
                view.exact("Name", or_empty(&body.name));
                view.exact("Driver", or_empty(&body.driver));
                view.exact("Scope", or_empty(&body.scope));
                view.exact("IPAM.Driver", or_empty(&body.ipam_driver));
                view.exact("ConfigFrom", or_empty(&body.config_from));
                view.put_set("Options", Rule::Danger, pairs(&body.options));
            }
            Body::NetworkDisconnect(body) => view.exact("Container", or_empty(&body.container)),
            Body::NetworkConnect(body) => {
                view.exact("Container", or_empty(&body.container));
                view.put_set("DriverOpts", Rule::Danger, pairs(&body.driver_options));
            }
        }
        Some(view)
    }
}

fn service(view: &mut View, service: &ServiceSpec<'_>) {
    let container = service.container.clone().unwrap_or_default();
    view.exact("Image", or_empty(&container.image));
    view.exact("User", or_empty(&container.user));
    view.exact("Dir", or_empty(&container.dir));
    view.put("Groups", Rule::Danger, texts(&container.groups));
    view.put("CapabilityAdd", Rule::Danger, texts(&container.capability_add));
    view.put("CapabilityDrop", Rule::Guard, texts(&container.capability_drop));
    view.put("Secrets", Rule::Danger, texts(&container.secrets));
    view.put("Configs", Rule::Danger, texts(&container.configs));
    view.put_set("Sysctls", Rule::Danger, pairs(&container.sysctls));
    view.flag("ReadOnly", Rule::Guard, container.read_only);
    view.exact("Seccomp", or_empty(&container.privileges.seccomp));
    view.exact("AppArmor", or_empty(&container.privileges.apparmor));
    view.flag("SELinuxContext", Rule::Danger, container.privileges.selinux);
    view.flag("NoNewPrivileges", Rule::Guard, container.privileges.no_new_privileges);
    mounts(view, &container.mounts);
    view.flag("PluginSpec", Rule::Danger, service.plugin.is_some());
    view.exact("Runtime", or_empty(&service.runtime));
    view.limit("MemoryBytes", service.limits.memory);
    view.limit("NanoCPUs", service.limits.nano_cpus);
    view.limit("Pids", service.limits.pids);
    view.exact("Condition", or_empty(&service.restart_condition));
    view.exact("LogDriver", service.log_driver.as_ref().map(|log| log.kind.as_ref()).unwrap_or_default());
    for (names, networks) in [(NETWORKS, &service.networks), (TASK_NETWORKS, &service.task_networks)] {
        let each = networks.iter();
        let each = each.map(|it| WithOptions { told: it.network.to_string(), options: pairs(&it.driver_options) });
        view.with_options(names, each);
    }
    let ports = service.ports.iter().map(|port| format!("{} {}:{}", port.protocol, port.published, port.target));
    view.put("Ports", Rule::Danger, ports);
}

fn create(view: &mut View, create: &ContainerCreate<'_>) {
    view.exact("Image", or_empty(&create.image));
    view.exact("User", or_empty(&create.user));
    view.exact("WorkingDir", or_empty(&create.working_dir));
    view.put_set("Volumes", Rule::Danger, texts(&create.volumes));
    view.put_set("ExposedPorts", Rule::Danger, texts(&create.exposed_ports));
    view.put_set("Endpoints", Rule::Danger, create.endpoints.iter().map(|endpoint| endpoint.network.as_ref()));
    let options = create.endpoints.iter().flat_map(|endpoint| {
        endpoint.driver_options.iter().map(|(key, value)| format!("{:?} {}", endpoint.network, pair(key, value)))
    });
    view.put_set("Endpoints' options", Rule::Danger, options);
    host(view, &create.host);
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
        view.put(name, Rule::Danger, texts(list));
    }
    view.security_options(texts(&host.security_opt));
    resources(view, host);
    mounts(view, &host.mounts);
    view.put_set("CapAdd", Rule::Danger, texts(&host.cap_add));
    view.put("CapDrop", Rule::Guard, texts(&host.cap_drop));
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
    restart_policy(view, host.restart_policy.as_ref());
    view.limit("Memory", host.memory);
    view.limit("NanoCpus", host.nano_cpus);
    view.limit("CpuQuota", host.cpu_quota);
    view.limit("PidsLimit", host.pids_limit);
    view.number("OomScoreAdj", host.oom_score_adj);
}

fn restart_policy(view: &mut View, policy: Option<&RestartPolicy<'_>>) {
    view.exact("RestartPolicy", policy.map(|policy| policy.name.as_ref()).unwrap_or_default());
    view.number("RestartPolicy's count", policy.map(|policy| policy.maximum_retry_count).unwrap_or_default());
}

fn mounts(view: &mut View, mounts: &[Mount<'_>]) {
    let subpaths = mounts.iter().flat_map(|mount| &mount.subpaths).map(|path| path.as_ref());
    view.put_set("Mounts' subpaths", Rule::Danger, subpaths);
    view.with_options(
        ["Mounts", "Mounts' driver options"],
        mounts.iter().map(|mount: &Mount<'_>| WithOptions {
            told: format!(
                "{:?} {:?} {:?} {} {:?} {:?}",
                mount.kind,
                mount.source,
                mount.target,
                mount.read_only,
                mount.propagation.as_deref().unwrap_or_default(),
                mount.driver.as_deref().unwrap_or_default(),
            ),
            options: pairs(&mount.driver_options),
        }),
    );
}

fn or_empty(text: &Option<Text<'_>>) -> String {
    text.as_deref().unwrap_or_default().to_owned()
}

fn texts<'t>(texts: &'t [Text<'_>]) -> impl Iterator<Item = &'t str> {
    texts.iter().map(|text| text.as_ref())
}

fn pairs(pairs: &[(Text<'_>, Text<'_>)]) -> Vec<String> {
    pairs.iter().map(|(key, value)| pair(key, value)).collect()
}
