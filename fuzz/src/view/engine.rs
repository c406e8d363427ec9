//! As the engine has it, by the Go program's JSON.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::inputs::Kind;

use super::{NETWORKS, Rule, TASK_NETWORKS, View, WithOptions, pair, port};

type Options = BTreeMap<String, String>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Create {
    image: String,
    user: String,
    working_dir: String,
    volumes: BTreeMap<String, serde::de::IgnoredAny>,
    exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    host_config: Host,
    networking_config: Networking,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Networking {
    endpoints_config: BTreeMap<String, Option<Endpoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Endpoint {
    driver_opts: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Host {
    privileged: bool,
    publish_all_ports: bool,
    oom_kill_disable: bool,
    readonly_rootfs: bool,
    binds: Vec<String>,
    volumes_from: Vec<String>,
    device_cgroup_rules: Vec<String>,
    device_requests: Vec<DeviceRequest>,
    security_opt: Vec<String>,
    group_add: Vec<String>,
    links: Vec<String>,
    cap_add: Vec<String>,
    capabilities: Vec<String>,
    cap_drop: Vec<String>,
    masked_paths: Option<Vec<String>>,
    readonly_paths: Option<Vec<String>>,
    volume_driver: String,
    network_mode: String,
    pid_mode: String,
    ipc_mode: String,
    #[serde(rename = "UTSMode")]
    uts_mode: String,
    userns_mode: String,
    cgroupns_mode: String,
    cgroup: String,
    cgroup_parent: String,
    runtime: String,
    tmpfs: Options,
    sysctls: Options,
    annotations: Options,
    devices: Vec<Device>,
    log_config: LogConfig,
    port_bindings: BTreeMap<String, Option<Vec<PortBinding>>>,
    restart_policy: RestartPolicy,
    memory: i64,
    nano_cpus: i64,
    cpu_quota: i64,
    pids_limit: i64,
    oom_score_adj: i64,
    mounts: Vec<EngineMount>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeviceRequest {
    driver: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Device {
    path_on_host: String,
    path_in_container: String,
    cgroup_permissions: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LogConfig {
    r#type: String,
    config: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PortBinding {
    host_ip: String,
    host_port: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartPolicy {
    name: String,
    maximum_retry_count: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EngineMount {
    r#type: String,
    source: String,
    target: String,
    read_only: bool,
    bind_options: BindOptions,
    volume_options: VolumeOptions,
    image_options: ImageOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct BindOptions {
    propagation: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct VolumeOptions {
    subpath: String,
    driver_config: Driver,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ImageOptions {
    subpath: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Driver {
    name: String,
    options: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Update {
    restart_policy: RestartPolicy,
    memory: i64,
    pids_limit: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Exec {
    privileged: bool,
    user: String,
    working_dir: String,
    cmd: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ExecStart {
    detach: bool,
    tty: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Volume {
    name: String,
    driver: String,
    driver_opts: Options,
    cluster_volume_spec: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    name: String,
    driver: String,
    scope: String,
    options: Options,
    #[serde(rename = "IPAM")]
    ipam: Ipam,
    config_from: ConfigFrom,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Ipam {
    driver: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigFrom {
    network: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Connect {
    container: String,
    endpoint_config: Endpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Disconnect {
    container: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Checkpoint {
    checkpoint_dir: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    task_template: Task,
    networks: Vec<Attachment>,
    endpoint_spec: ServicePublic,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Task {
    container_spec: TaskContainer,
    plugin_spec: Option<serde::de::IgnoredAny>,
    resources: TaskResources,
    restart_policy: TaskRestart,
    networks: Vec<Attachment>,
    log_driver: Driver,
    runtime: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TaskContainer {
    image: String,
    dir: String,
    user: String,
    groups: Vec<String>,
    privileges: Privileges,
    mounts: Vec<EngineMount>,
    read_only: bool,
    secrets: Vec<Option<Reference>>,
    configs: Vec<Option<Reference>>,
    sysctls: Options,
    capability_add: Vec<String>,
    capability_drop: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Privileges {
    #[serde(rename = "SELinuxContext")]
    selinux: BTreeMap<String, serde::de::IgnoredAny>,
    seccomp: Guard,
    app_armor: Guard,
    no_new_privileges: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Guard {
    mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Reference {
    #[serde(alias = "SecretID", alias = "ConfigID")]
    id: String,
    #[serde(alias = "SecretName", alias = "ConfigName")]
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TaskResources {
    limits: TaskLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TaskLimits {
    #[serde(rename = "NanoCPUs")]
    nano_cpus: i64,
    memory_bytes: i64,
    pids: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TaskRestart {
    condition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attachment {
    target: String,
    driver_opts: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ServicePublic {
    ports: Vec<PublicPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PublicPort {
    protocol: String,
    target_port: i64,
    published_port: i64,
}

impl View {
    /// From the Go program's JSON.
    pub fn of_engine(kind: Kind, json: &str) -> serde_json::Result<Self> {
        let mut view = Self::default();
        match kind {
            Kind::Create => create(&mut view, serde_json::from_str(json)?),
            Kind::Start => host(&mut view, serde_json::from_str::<Create>(json)?.host_config),
            Kind::Update => {
                let body: Update = serde_json::from_str(json)?;
                restart_policy(&mut view, body.restart_policy);
                view.limit("Memory", body.memory);
                view.limit("PidsLimit", body.pids_limit);
            }
            Kind::Exec => {
                let body: Exec = serde_json::from_str(json)?;
                view.flag("Privileged", Rule::Danger, body.privileged);
                view.exact("User", body.user);
                view.exact("WorkingDir", body.working_dir);
                view.put("Cmd", Rule::Danger, body.cmd);
            }
            Kind::ExecStart => {
                let body: ExecStart = serde_json::from_str(json)?;
                view.flag("Detach", Rule::Danger, body.detach);
                view.flag("Tty", Rule::Danger, body.tty);
            }
            Kind::Volume => {
                let body: Volume = serde_json::from_str(json)?;
                view.exact("Name", body.name);
                view.exact("Driver", body.driver);
                view.put_set("DriverOpts", Rule::Danger, pairs(body.driver_opts));
                view.flag("ClusterVolumeSpec", Rule::Danger, body.cluster_volume_spec.is_some());
            }
            Kind::Network => {
                let body: Network = serde_json::from_str(json)?;
                view.exact("Name", body.name);
                view.exact("Driver", body.driver);
                view.exact("Scope", body.scope);
                view.exact("IPAM.Driver", body.ipam.driver);
                view.exact("ConfigFrom", body.config_from.network);
                view.put_set("Options", Rule::Danger, pairs(body.options));
            }
            Kind::Service => service(&mut view, serde_json::from_str(json)?),
            Kind::Checkpoint => {
                view.exact("CheckpointDir", serde_json::from_str::<Checkpoint>(json)?.checkpoint_dir);
            }
            Kind::Disconnect => view.exact("Container", serde_json::from_str::<Disconnect>(json)?.container),
            Kind::Connect => {
                let body: Connect = serde_json::from_str(json)?;
                view.exact("Container", body.container);
                view.put_set("DriverOpts", Rule::Danger, pairs(body.endpoint_config.driver_opts));
            }
        }
        Ok(view)
    }
}

fn service(view: &mut View, service: Service) {
    let task = service.task_template;
    let container = task.container_spec;
    view.exact("Image", container.image);
    view.exact("User", container.user);
    view.exact("Dir", container.dir);
    view.put("Groups", Rule::Danger, container.groups);
    view.put("CapabilityAdd", Rule::Danger, container.capability_add);
    view.put("CapabilityDrop", Rule::Guard, container.capability_drop);
    for (name, references) in [("Secrets", container.secrets), ("Configs", container.configs)] {
        let references = references.into_iter().map(Option::unwrap_or_default);
        view.put(name, Rule::Danger, references.map(|it| if it.name.is_empty() { it.id } else { it.name }));
    }
    view.put_set("Sysctls", Rule::Danger, pairs(container.sysctls));
    view.flag("ReadOnly", Rule::Guard, container.read_only);
    view.exact("Seccomp", container.privileges.seccomp.mode);
    view.exact("AppArmor", container.privileges.app_armor.mode);
    view.flag("SELinuxContext", Rule::Danger, !container.privileges.selinux.is_empty());
    view.flag("NoNewPrivileges", Rule::Guard, container.privileges.no_new_privileges);
    mounts(view, container.mounts);
    view.flag("PluginSpec", Rule::Danger, task.plugin_spec.is_some());
    view.exact("Runtime", task.runtime);
    view.limit("MemoryBytes", task.resources.limits.memory_bytes);
    view.limit("NanoCPUs", task.resources.limits.nano_cpus);
    view.limit("Pids", task.resources.limits.pids);
    view.exact("Condition", task.restart_policy.condition);
    view.exact("LogDriver", task.log_driver.name);
    for (names, networks) in [(NETWORKS, service.networks), (TASK_NETWORKS, task.networks)] {
        let each = networks.into_iter();
        view.with_options(names, each.map(|it| WithOptions { told: it.target, options: pairs(it.driver_opts) }));
    }
    let ports = service.endpoint_spec.ports.into_iter();
    let ports = ports.map(|port| format!("{} {}:{}", port.protocol, port.published_port, port.target_port));
    view.put("Ports", Rule::Danger, ports);
}

fn create(view: &mut View, create: Create) {
    view.exact("Image", create.image);
    view.exact("User", create.user);
    view.exact("WorkingDir", create.working_dir);
    view.put_set("Volumes", Rule::Danger, create.volumes.into_keys());
    view.put_set("ExposedPorts", Rule::Danger, create.exposed_ports.into_keys());
    let endpoints = create.networking_config.endpoints_config;
    view.put_set("Endpoints", Rule::Danger, endpoints.keys());
    let options = endpoints.into_iter().flat_map(|(network, endpoint)| {
        let options = endpoint.unwrap_or_default().driver_opts.into_iter();
        options.map(move |(key, value)| format!("{network:?} {}", pair(&key, &value)))
    });
    view.put_set("Endpoints' options", Rule::Danger, options);
    host(view, create.host_config);
}

fn host(view: &mut View, host: Host) {
    view.flag("Privileged", Rule::Danger, host.privileged);
    view.flag("PublishAllPorts", Rule::Danger, host.publish_all_ports);
    view.flag("OomKillDisable", Rule::Danger, host.oom_kill_disable);
    view.flag("ReadonlyRootfs", Rule::Guard, host.readonly_rootfs);
    view.put("DeviceRequests", Rule::Danger, host.device_requests.into_iter().map(|request| request.driver));
    for (name, list) in [
        ("Binds", host.binds),
        ("VolumesFrom", host.volumes_from),
        ("DeviceCgroupRules", host.device_cgroup_rules),
        ("GroupAdd", host.group_add),
        ("Links", host.links),
    ] {
        view.put(name, Rule::Danger, list);
    }
    view.security_options(host.security_opt.iter().map(String::as_str));
    view.put_set("CapAdd", Rule::Danger, host.cap_add.into_iter().chain(host.capabilities));
    view.put("CapDrop", Rule::Guard, host.cap_drop);
    view.flag("MaskedPaths", Rule::Danger, host.masked_paths.is_some());
    view.put("MaskedPaths' own", Rule::Told, host.masked_paths.unwrap_or_default());
    view.flag("ReadonlyPaths", Rule::Danger, host.readonly_paths.is_some());
    view.put("ReadonlyPaths' own", Rule::Told, host.readonly_paths.unwrap_or_default());
    for (name, text) in [
        ("VolumeDriver", host.volume_driver),
        ("NetworkMode", host.network_mode),
        ("PidMode", host.pid_mode),
        ("IpcMode", host.ipc_mode),
        ("UTSMode", host.uts_mode),
        ("UsernsMode", host.userns_mode),
        ("CgroupnsMode", host.cgroupns_mode),
        ("Cgroup", host.cgroup),
        ("CgroupParent", host.cgroup_parent),
        ("Runtime", host.runtime),
    ] {
        view.exact(name, text);
    }
    for (name, map) in [("Tmpfs", host.tmpfs), ("Sysctls", host.sysctls), ("Annotations", host.annotations)] {
        view.put_set(name, Rule::Danger, pairs(map));
    }
    view.limit("Memory", host.memory);
    view.limit("NanoCpus", host.nano_cpus);
    view.limit("CpuQuota", host.cpu_quota);
    view.limit("PidsLimit", host.pids_limit);
    view.number("OomScoreAdj", host.oom_score_adj);
    devices(view, &host.devices);
    log_config(view, host.log_config);
    restart_policy(view, host.restart_policy);
    port_bindings(view, host.port_bindings);
    mounts(view, host.mounts);
}

fn devices(view: &mut View, devices: &[Device]) {
    let devices = devices.iter().map(|device| {
        format!("{:?}>{:?} {:?}", device.path_on_host, device.path_in_container, device.cgroup_permissions)
    });
    view.put("Devices", Rule::Danger, devices);
}

fn log_config(view: &mut View, log: LogConfig) {
    view.exact("LogConfig", log.r#type);
    view.put_set("LogConfig's options", Rule::Danger, pairs(log.config));
}

fn port_bindings(view: &mut View, bindings: BTreeMap<String, Option<Vec<PortBinding>>>) {
    let ports = bindings.into_iter().flat_map(|(container, list)| {
        // The engine fills an empty list with a port of its own choice.
        let list = list.filter(|list| !list.is_empty()).unwrap_or_else(|| vec![PortBinding::default()]);
        list.into_iter().map(move |it| port(&container, &it.host_ip, &it.host_port))
    });
    view.put_set("PortBindings", Rule::Danger, ports);
}

fn restart_policy(view: &mut View, policy: RestartPolicy) {
    view.exact("RestartPolicy", policy.name);
    view.number("RestartPolicy's count", policy.maximum_retry_count);
}

fn mounts(view: &mut View, mounts: Vec<EngineMount>) {
    let subpaths = mounts.iter().flat_map(|it| [&it.volume_options.subpath, &it.image_options.subpath]);
    view.put_set("Mounts' subpaths", Rule::Danger, subpaths.filter(|path| !path.is_empty()).cloned());
    view.with_options(
        ["Mounts", "Mounts' driver options"],
        mounts.into_iter().map(|mount| WithOptions {
            told: format!(
                "{:?} {:?} {:?} {} {:?} {:?}",
                mount.r#type,
                mount.source,
                mount.target,
                mount.read_only,
                mount.bind_options.propagation,
                mount.volume_options.driver_config.name,
            ),
            options: pairs(mount.volume_options.driver_config.options),
        }),
    );
}

fn pairs(map: Options) -> Vec<String> {
    map.iter().map(|(key, value)| pair(key, value)).collect()
}
