//! Decoded bodies: the fields a policy judges, borrowed from the bytes that were read.
//!
//! Where a key came twice in monitor mode, these hold the worst reading: `true` beats `false`, lists hold all elements. Of
//! limits, names, and what protects (`ReadonlyRootfs`, `CapDrop`, `MaskedPaths`, …) they hold the engine's reading, the last.
//! Go does not tell an empty string from an absent one: both are `None`.

use std::borrow::Cow;

/// A JSON string, borrowed unless it had escapes.
pub type Text<'a> = Cow<'a, str>;

/// A request's body after reading.
#[derive(Debug, Clone, Default)]
pub enum Body<'a> {
    /// Not read: the operation's body streams through, or it could not be decoded.
    #[default]
    Unread,
    /// `POST /containers/create`
    ContainerCreate(Box<ContainerCreate<'a>>),
    /// `POST /containers/{id}/start` with a legacy body (API < 1.24).
    ContainerStart(Box<HostConfig<'a>>),
    /// `POST /containers/{id}/update`
    ContainerUpdate(ContainerUpdate<'a>),
    /// `POST /containers/{id}/exec`
    ExecCreate(ExecCreate<'a>),
    /// `POST /exec/{id}/start`
    ExecStart(ExecStart),
    /// `POST /volumes/create`
    VolumeCreate(VolumeCreate<'a>),
    /// `POST /networks/create`
    NetworkCreate(NetworkCreate<'a>),
    /// `POST /networks/{id}/connect`
    NetworkConnect(NetworkConnect<'a>),
    /// `POST /networks/{id}/disconnect`
    NetworkDisconnect(NetworkDisconnect<'a>),
    /// `POST /containers/{id}/checkpoints`
    CheckpointCreate(CheckpointCreate<'a>),
    /// `POST /services/create` and `POST /services/{id}/update`
    ServiceSpec(Box<ServiceSpec<'a>>),
    /// `POST /build`: its options are in the query.
    Build(Build),
}

impl Body<'_> {
    /// The image that containers are to be made from, as the client wrote it.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::ContainerCreate(create) => create.image.as_deref(),
            Self::ServiceSpec(spec) => spec.container.as_ref()?.image.as_deref(),
            Self::Unread
            | Self::ContainerStart(_)
            | Self::ContainerUpdate(_)
            | Self::ExecCreate(_)
            | Self::ExecStart(_)
            | Self::VolumeCreate(_)
            | Self::NetworkCreate(_)
            | Self::NetworkConnect(_)
            | Self::NetworkDisconnect(_)
            | Self::CheckpointCreate(_)
            | Self::Build(_) => None,
        }
    }
}

/// `POST /containers/create`: `Config` at the top level, with `HostConfig` and `NetworkingConfig`.
#[derive(Debug, Clone, Default)]
pub struct ContainerCreate<'a> {
    /// `Image`; `None` if absent.
    pub image: Option<Text<'a>>,
    /// `User`
    pub user: Option<Text<'a>>,
    /// `WorkingDir`
    pub working_dir: Option<Text<'a>>,
    /// `Entrypoint`
    pub entrypoint: Vec<Text<'a>>,
    /// `Cmd`
    pub cmd: Vec<Text<'a>>,
    /// Names in `Env`; the values may be secrets.
    pub env: Vec<Text<'a>>,
    /// `Labels`
    pub labels: Vec<(Text<'a>, Text<'a>)>,
    /// Keys of `Volumes`: paths of anonymous volumes on Docker.
    pub volumes: Vec<Text<'a>>,
    /// Keys of `ExposedPorts`.
    pub exposed_ports: Vec<Text<'a>>,
    /// `HostConfig`, or where it is absent the flat legacy fields that engines up to 26.1 read in its place.
    pub host: HostConfig<'a>,
    /// Whether `host` has fields from the flat legacy form.
    pub flat: bool,
    /// `NetworkingConfig.EndpointsConfig`
    pub endpoints: Vec<Endpoint<'a>>,
}

/// `HostConfig` of a create, or of a legacy start.
#[derive(Debug, Clone, Default)]
pub struct HostConfig<'a> {
    /// `ContainerIDFile`, which Docker's engines keep and ignore.
    pub container_id_file: Text<'a>,
    /// `Privileged`
    pub privileged: bool,
    /// `Binds`
    pub binds: Vec<Text<'a>>,
    /// `Mounts`
    pub mounts: Vec<Mount<'a>>,
    /// `VolumesFrom`
    pub volumes_from: Vec<Text<'a>>,
    /// `VolumeDriver`
    pub volume_driver: Option<Text<'a>>,
    /// `Tmpfs`: path and options.
    pub tmpfs: Vec<(Text<'a>, Text<'a>)>,
    /// `NetworkMode`
    pub network_mode: Option<Text<'a>>,
    /// `PidMode`
    pub pid_mode: Option<Text<'a>>,
    /// `IpcMode`
    pub ipc_mode: Option<Text<'a>>,
    /// `UTSMode`
    pub uts_mode: Option<Text<'a>>,
    /// `UsernsMode`
    pub userns_mode: Option<Text<'a>>,
    /// `CgroupnsMode`
    pub cgroupns_mode: Option<Text<'a>>,
    /// `Cgroup` (`container:x`)
    pub cgroup: Option<Text<'a>>,
    /// `CgroupParent`
    pub cgroup_parent: Option<Text<'a>>,
    /// `CapAdd`, and `Capabilities` of API 1.40.
    pub cap_add: Vec<Text<'a>>,
    /// `CapDrop`
    pub cap_drop: Vec<Text<'a>>,
    /// `Devices`
    pub devices: Vec<Device<'a>>,
    /// `DeviceCgroupRules`
    pub device_cgroup_rules: Vec<Text<'a>>,
    /// `DeviceRequests`: driver of each, empty if none is named.
    pub device_requests: Vec<Text<'a>>,
    /// `SecurityOpt`
    pub security_opt: Vec<Text<'a>>,
    /// `MaskedPaths`; `None` if absent or null, which keeps the engine's defaults.
    pub masked_paths: Option<Vec<Text<'a>>>,
    /// `ReadonlyPaths`; as `masked_paths`.
    pub readonly_paths: Option<Vec<Text<'a>>>,
    /// `Sysctls`
    pub sysctls: Vec<(Text<'a>, Text<'a>)>,
    /// `Runtime`
    pub runtime: Option<Text<'a>>,
    /// `Annotations`
    pub annotations: Vec<(Text<'a>, Text<'a>)>,
    /// `LogConfig`
    pub log_config: Option<LogConfig<'a>>,
    /// `GroupAdd`
    pub group_add: Vec<Text<'a>>,
    /// `Links`
    pub links: Vec<Text<'a>>,
    /// `PortBindings`
    pub port_bindings: Vec<PortBinding<'a>>,
    /// `PublishAllPorts`
    pub publish_all_ports: bool,
    /// `RestartPolicy`
    pub restart_policy: Option<RestartPolicy<'a>>,
    /// `ReadonlyRootfs`
    pub readonly_rootfs: bool,
    /// `Memory` in bytes; 0 if unset.
    pub memory: i64,
    /// `NanoCpus`; 0 if unset.
    pub nano_cpus: i64,
    /// `CpuQuota` in microseconds a period; 0 if unset.
    pub cpu_quota: i64,
    /// `PidsLimit`; 0 or negative: unlimited.
    pub pids_limit: i64,
    /// `OomKillDisable`
    pub oom_kill_disable: bool,
    /// `OomScoreAdj`
    pub oom_score_adj: i64,
}

/// An element of `HostConfig.Mounts`.
#[derive(Debug, Clone, Default)]
pub struct Mount<'a> {
    /// `Type`: `bind`, `volume`, `tmpfs`, `image`, `npipe`, `cluster`, or what the client wrote.
    pub kind: Text<'a>,
    /// `Source`
    pub source: Text<'a>,
    /// `Target`
    pub target: Text<'a>,
    /// `ReadOnly`
    pub read_only: bool,
    /// `Consistency`, which Docker's engines keep and ignore.
    pub consistency: Text<'a>,
    /// `BindOptions.Propagation`
    pub propagation: Option<Text<'a>>,
    /// `VolumeOptions.DriverConfig.Name`
    pub driver: Option<Text<'a>>,
    /// `VolumeOptions.DriverConfig.Options`
    pub driver_options: Vec<(Text<'a>, Text<'a>)>,
    /// `VolumeOptions.Subpath` and `ImageOptions.Subpath`, where they are not empty; the type says which of them counts.
    pub subpaths: Vec<Text<'a>>,
}

/// An element of `Devices`.
#[derive(Debug, Clone, Default)]
pub struct Device<'a> {
    /// `PathOnHost`
    pub path_on_host: Text<'a>,
    /// `PathInContainer`
    pub path_in_container: Text<'a>,
    /// `CgroupPermissions`
    pub cgroup_permissions: Text<'a>,
}

/// `LogConfig`.
#[derive(Debug, Clone, Default)]
pub struct LogConfig<'a> {
    /// `Type`
    pub kind: Text<'a>,
    /// `Config`
    pub options: Vec<(Text<'a>, Text<'a>)>,
}

/// One host port of `PortBindings`.
#[derive(Debug, Clone, Default)]
pub struct PortBinding<'a> {
    /// `80/tcp`
    pub container_port: Text<'a>,
    /// `HostIp`; empty: all addresses.
    pub host_ip: Text<'a>,
    /// `HostPort`; empty: the engine picks one.
    pub host_port: Text<'a>,
}

/// `RestartPolicy`.
#[derive(Debug, Clone, Default)]
pub struct RestartPolicy<'a> {
    /// `Name`: `no`, `always`, `unless-stopped`, `on-failure`, empty.
    pub name: Text<'a>,
    /// `MaximumRetryCount`
    pub maximum_retry_count: i64,
}

/// A network of `EndpointsConfig`.
#[derive(Debug, Clone, Default)]
pub struct Endpoint<'a> {
    /// The network's name or id: the key of the map.
    pub network: Text<'a>,
    /// `DriverOpts`
    pub driver_options: Vec<(Text<'a>, Text<'a>)>,
}

/// `POST /containers/{id}/exec`.
#[derive(Debug, Clone, Default)]
pub struct ExecCreate<'a> {
    /// `Privileged`
    pub privileged: bool,
    /// `User`
    pub user: Option<Text<'a>>,
    /// `WorkingDir`
    pub working_dir: Option<Text<'a>>,
    /// `Cmd`
    pub cmd: Vec<Text<'a>>,
}

/// `POST /exec/{id}/start`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecStart {
    /// `Detach`: then nothing is hijacked.
    pub detach: bool,
    /// `Tty`
    pub tty: bool,
}

/// `POST /containers/{id}/update`.
#[derive(Debug, Clone, Default)]
pub struct ContainerUpdate<'a> {
    /// `RestartPolicy`
    pub restart_policy: Option<RestartPolicy<'a>>,
    /// `Memory` in bytes; `None` if absent or 0, which keeps the limit. −1 lifts it.
    pub memory: Option<i64>,
    /// `PidsLimit`; `None` if absent; 0 or −1 lifts it.
    pub pids_limit: Option<i64>,
    /// `CpuQuota` in microseconds a period; `None` if absent or 0, which keeps the limit. −1 lifts it.
    pub cpu_quota: Option<i64>,
}

/// `POST /containers/{id}/checkpoints`.
#[derive(Debug, Clone, Default)]
pub struct CheckpointCreate<'a> {
    /// `CheckpointDir`: a folder of the host that the engine writes as root; absent: its own.
    pub dir: Option<Text<'a>>,
}

/// `POST /volumes/create`.
#[derive(Debug, Clone, Default)]
pub struct VolumeCreate<'a> {
    /// `Name`
    pub name: Option<Text<'a>>,
    /// `Driver`; absent or empty: `local`.
    pub driver: Option<Text<'a>>,
    /// `DriverOpts`
    pub driver_options: Vec<(Text<'a>, Text<'a>)>,
    /// Whether `ClusterVolumeSpec` is set.
    pub cluster: bool,
}

/// `POST /networks/create`.
#[derive(Debug, Clone, Default)]
pub struct NetworkCreate<'a> {
    /// `Name`
    pub name: Option<Text<'a>>,
    /// `Driver`; absent or empty: `bridge`.
    pub driver: Option<Text<'a>>,
    /// `Options`
    pub options: Vec<(Text<'a>, Text<'a>)>,
    /// `Scope`
    pub scope: Option<Text<'a>>,
    /// `IPAM.Driver`
    pub ipam_driver: Option<Text<'a>>,
    /// `IPAM.Config[].Subnet`
    pub subnets: Vec<Text<'a>>,
    /// `ConfigFrom.Network`
    pub config_from: Option<Text<'a>>,
}

/// `POST /networks/{id}/connect`.
#[derive(Debug, Clone, Default)]
pub struct NetworkConnect<'a> {
    /// `Container`
    pub container: Option<Text<'a>>,
    /// `EndpointConfig.DriverOpts`
    pub driver_options: Vec<(Text<'a>, Text<'a>)>,
}

/// `POST /services/create` and `POST /services/{id}/update`: containers that a swarm makes on its nodes.
#[derive(Debug, Clone, Default)]
pub struct ServiceSpec<'a> {
    /// `TaskTemplate.ContainerSpec`; `None` if absent.
    pub container: Option<ContainerSpec<'a>>,
    /// `TaskTemplate.PluginSpec.Remote`, empty if it has none; `None` if there is no such spec.
    pub plugin: Option<Text<'a>>,
    /// `TaskTemplate.Runtime`: `container`, `plugin`, or what the client wrote.
    pub runtime: Option<Text<'a>>,
    /// `TaskTemplate.Resources.Limits`
    pub limits: ServiceLimits,
    /// `TaskTemplate.RestartPolicy.Condition`: `none`, `on-failure`, `any`; absent: `any`.
    pub restart_condition: Option<Text<'a>>,
    /// `TaskTemplate.Networks`
    pub task_networks: Vec<Endpoint<'a>>,
    /// `Networks`, read by the engine where `TaskTemplate` has none.
    pub networks: Vec<Endpoint<'a>>,
    /// `TaskTemplate.LogDriver`
    pub log_driver: Option<LogConfig<'a>>,
    /// `EndpointSpec.Ports`
    pub ports: Vec<ServicePort<'a>>,
}

/// Letters of a whole id in a swarm: 0–9 and a–z.
const SWARM_ID: usize = 25;

impl ServiceSpec<'_> {
    /// The networks that are named by whole ids of a swarm, as the Docker CLI names all of them.
    pub fn network_ids(&self) -> impl Iterator<Item = &str> {
        let targets = self.task_networks.iter().chain(&self.networks).map(|network| network.network.as_ref());
        let is_letter = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        targets.filter(move |target| target.len() == SWARM_ID && target.bytes().all(is_letter))
    }
}

/// `TaskTemplate.ContainerSpec` of a service.
#[derive(Debug, Clone, Default)]
pub struct ContainerSpec<'a> {
    /// `Image`
    pub image: Option<Text<'a>>,
    /// `User`
    pub user: Option<Text<'a>>,
    /// `Groups`
    pub groups: Vec<Text<'a>>,
    /// `Dir`
    pub dir: Option<Text<'a>>,
    /// `Mounts`
    pub mounts: Vec<Mount<'a>>,
    /// `Privileges`
    pub privileges: Privileges<'a>,
    /// `Sysctls`
    pub sysctls: Vec<(Text<'a>, Text<'a>)>,
    /// `CapabilityAdd`
    pub capability_add: Vec<Text<'a>>,
    /// `CapabilityDrop`
    pub capability_drop: Vec<Text<'a>>,
    /// `ReadOnly`
    pub read_only: bool,
    /// `Secrets`: the name of each, or its id where it has none.
    pub secrets: Vec<Text<'a>>,
    /// `Configs`; as `secrets`.
    pub configs: Vec<Text<'a>>,
}

/// `Privileges` of a service's container.
#[derive(Debug, Clone, Default)]
pub struct Privileges<'a> {
    /// `Seccomp.Mode`: `default`, `unconfined`, `custom`, or what the client wrote.
    pub seccomp: Option<Text<'a>>,
    /// `AppArmor.Mode`: `default`, `disabled`, or what the client wrote.
    pub apparmor: Option<Text<'a>>,
    /// Whether `SELinuxContext` says anything: labels off, or others.
    pub selinux: bool,
    /// `NoNewPrivileges`
    pub no_new_privileges: bool,
}

/// `TaskTemplate.Resources.Limits` of a service; 0 is unlimited.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceLimits {
    /// `MemoryBytes`
    pub memory: i64,
    /// `NanoCPUs`
    pub nano_cpus: i64,
    /// `Pids`
    pub pids: i64,
}

/// An element of `EndpointSpec.Ports`.
#[derive(Debug, Clone, Default)]
pub struct ServicePort<'a> {
    /// `TargetPort`
    pub target: i64,
    /// `Protocol`
    pub protocol: Text<'a>,
    /// `PublishedPort`; 0: the engine picks one.
    pub published: i64,
}

/// `POST /networks/{id}/disconnect`.
#[derive(Debug, Clone, Default)]
pub struct NetworkDisconnect<'a> {
    /// `Container`
    pub container: Option<Text<'a>>,
}

/// `POST /build`, from its query.
#[derive(Debug, Clone, Default)]
pub struct Build {
    /// `networkmode`
    pub network_mode: Option<String>,
    /// `remote`: a context the engine fetches itself.
    pub remote: Option<String>,
    /// `cgroupparent`
    pub cgroup_parent: Option<String>,
    /// `version=2`: BuildKit over a session.
    pub buildkit: bool,
    /// `session`, or a `buildid` that splits the context from the build.
    pub session: Option<String>,
    /// `t`, in order.
    pub tags: Vec<String>,
    /// `outputs`, raw JSON.
    pub outputs: Option<String>,
    /// `securityopt`, raw JSON.
    pub security_opt: Option<String>,
    /// `ulimits`, raw JSON.
    pub ulimits: Option<String>,
    /// `extrahosts`
    pub extra_hosts: Vec<String>,
}
