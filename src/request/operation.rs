//! Every endpoint of the Engine API, each with exactly one class.

use super::{BodyPlan, Class};

/// Writes the enum, its names and its classes from one list, so that no endpoint can be without either.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $class:ident,)+) => {
        /// An endpoint of the Engine API; names are the API's own `operationId`s where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The API's `operationId`, for records and rules.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The class a profile allows or refuses it by. For [`Operation::ImageCreate`] the query decides between pull
            /// and import: ask [`super::Asked::class`], which knows it.
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$name => Class::$class,)+
                }
            }
        }
    };
}

operations! {
    // --- containers
    /// `GET /containers/json`
    ContainerList: Read,
    /// `POST /containers/create`
    ContainerCreate: Containers,
    /// `GET /containers/{name}/json`
    ContainerInspect: Read,
    /// `GET /containers/{name}/top`: with `ps_args` the engine runs `ps` on the host with words of the client's choice, and is
    /// meant to show only lines of the container's processes.
    ContainerTop: Read,
    /// `GET /containers/{name}/logs`
    ContainerLogs: Read,
    /// `GET /containers/{name}/changes`
    ContainerChanges: Read,
    /// `GET /containers/{name}/stats`
    ContainerStats: Read,
    /// `POST /containers/{name}/wait`: a long poll that changes nothing.
    ContainerWait: Read,
    /// `GET /containers/{name}/export`
    ContainerExport: Files,
    /// `GET /containers/{name}/archive`
    ContainerArchive: Files,
    /// `HEAD /containers/{name}/archive`: follows binds into the host.
    ContainerArchiveInfo: Files,
    /// `PUT /containers/{name}/archive`
    PutContainerArchive: Files,
    /// `POST /containers/{name}/copy`, of API versions below 1.24.
    ContainerCopy: Files,
    /// `POST /containers/{name}/start`
    ContainerStart: Containers,
    /// `POST /containers/{name}/stop`
    ContainerStop: Containers,
    /// `POST /containers/{name}/restart`: starts what never ran.
    ContainerRestart: Containers,
    /// `POST /containers/{name}/kill`
    ContainerKill: Containers,
    /// `POST /containers/{name}/pause`
    ContainerPause: Containers,
    /// `POST /containers/{name}/unpause`
    ContainerUnpause: Containers,
    /// `POST /containers/{name}/resize`
    ContainerResize: Containers,
    /// `POST /containers/{name}/rename`
    ContainerRename: Containers,
    /// `POST /containers/{name}/update`
    ContainerUpdate: Containers,
    /// `POST /containers/{name}/attach`
    ContainerAttach: Containers,
    /// `GET /containers/{name}/attach/ws`: writes to the container's stdin although it is a GET.
    ContainerAttachWebsocket: Containers,
    /// `DELETE /containers/{name}`
    ContainerDelete: Containers,
    /// `POST /containers/prune`
    ContainerPrune: Containers,

    // --- exec
    /// `POST /containers/{name}/exec`
    ContainerExec: Exec,
    /// `POST /exec/{id}/start`
    ExecStart: Exec,
    /// `POST /exec/{id}/resize`
    ExecResize: Exec,
    /// `GET /exec/{id}/json`
    ExecInspect: Read,

    // --- checkpoints
    /// `GET /containers/{name}/checkpoints`: lists any directory of the host by `dir`.
    CheckpointList: Checkpoints,
    /// `POST /containers/{name}/checkpoints`
    CheckpointCreate: Checkpoints,
    /// `DELETE /containers/{name}/checkpoints/{checkpoint}`
    CheckpointDelete: Checkpoints,

    // --- images
    /// `GET /images/json`
    ImageList: Read,
    /// `GET /images/{name}/json`
    ImageInspect: Read,
    /// `GET /images/{name}/history`
    ImageHistory: Read,
    /// `GET /images/{name}/attestations`
    ImageAttestations: Read,
    /// `GET /images/{name}/get`
    ImageGet: Files,
    /// `GET /images/get`
    ImageGetAll: Files,
    /// `POST /images/create`: pulls, or without `fromImage` imports.
    ImageCreate: ImagesPull,
    /// `GET /images/search`: an outbound request.
    ImageSearch: ImagesPull,
    /// `GET /distribution/{name}/json`: an outbound request to any host.
    DistributionInspect: ImagesPull,
    /// `POST /images/{name}/push`
    ImagePush: ImagesPush,
    /// `POST /images/{name}/tag`
    ImageTag: ImagesManage,
    /// `DELETE /images/{name}`
    ImageDelete: ImagesManage,
    /// `POST /images/prune`
    ImagePrune: ImagesManage,
    /// `POST /images/load`
    ImageLoad: ImagesMint,
    /// `POST /commit`
    ImageCommit: ImagesMint,

    // --- build
    /// `POST /build`
    ImageBuild: Build,
    /// `POST /build/prune`
    BuildPrune: Build,
    /// `POST /build/cancel`
    BuildCancel: Build,
    /// `POST /session`
    Session: BuildSession,
    /// `POST /grpc`, and BuildKit's own services, which engine 29 serves over HTTP/2 on any path.
    Grpc: BuildSession,

    // --- volumes
    /// `GET /volumes`
    VolumeList: Read,
    /// `GET /volumes/{name}`
    VolumeInspect: Read,
    /// `POST /volumes/create`
    VolumeCreate: Volumes,
    /// `PUT /volumes/{name}`
    VolumeUpdate: Volumes,
    /// `DELETE /volumes/{name}`
    VolumeDelete: Volumes,
    /// `POST /volumes/prune`
    VolumePrune: Volumes,

    // --- networks
    /// `GET /networks` and `GET /networks/`
    NetworkList: Read,
    /// `GET /networks/{id}`
    NetworkInspect: Read,
    /// `POST /networks/create`
    NetworkCreate: Networks,
    /// `POST /networks/{id}/connect`
    NetworkConnect: Networks,
    /// `POST /networks/{id}/disconnect`
    NetworkDisconnect: Networks,
    /// `DELETE /networks/{id}`
    NetworkDelete: Networks,
    /// `POST /networks/prune`
    NetworkPrune: Networks,

    // --- swarm
    /// `GET /swarm`: hands out the join tokens.
    SwarmInspect: Swarm,
    /// `GET /swarm/unlockkey`
    SwarmUnlockkey: Swarm,
    /// `POST /swarm/init`
    SwarmInit: Swarm,
    /// `POST /swarm/join`
    SwarmJoin: Swarm,
    /// `POST /swarm/leave`
    SwarmLeave: Swarm,
    /// `POST /swarm/update`
    SwarmUpdate: Swarm,
    /// `POST /swarm/unlock`
    SwarmUnlock: Swarm,
    /// `GET /services`
    ServiceList: Read,
    /// `GET /services/{id}`
    ServiceInspect: Read,
    /// `GET /services/{id}/logs`
    ServiceLogs: Read,
    /// `POST /services/create`
    ServiceCreate: Swarm,
    /// `POST /services/{id}/update`
    ServiceUpdate: Swarm,
    /// `DELETE /services/{id}`
    ServiceDelete: Swarm,
    /// `GET /nodes`
    NodeList: Read,
    /// `GET /nodes/{id}`
    NodeInspect: Read,
    /// `POST /nodes/{id}/update`
    NodeUpdate: Swarm,
    /// `DELETE /nodes/{id}`
    NodeDelete: Swarm,
    /// `GET /tasks`
    TaskList: Read,
    /// `GET /tasks/{id}`
    TaskInspect: Read,
    /// `GET /tasks/{id}/logs`
    TaskLogs: Read,

    // --- secrets
    /// `GET /secrets`
    SecretList: Secrets,
    /// `GET /secrets/{id}`
    SecretInspect: Secrets,
    /// `POST /secrets/create`
    SecretCreate: Secrets,
    /// `POST /secrets/{id}/update`
    SecretUpdate: Secrets,
    /// `DELETE /secrets/{id}`
    SecretDelete: Secrets,
    /// `GET /configs`: with their data.
    ConfigList: Secrets,
    /// `GET /configs/{id}`: with its data.
    ConfigInspect: Secrets,
    /// `POST /configs/create`
    ConfigCreate: Secrets,
    /// `POST /configs/{id}/update`
    ConfigUpdate: Secrets,
    /// `DELETE /configs/{id}`
    ConfigDelete: Secrets,

    // --- plugins
    /// `GET /plugins`
    PluginList: Read,
    /// `GET /plugins/{name}/json`
    PluginInspect: Read,
    /// `GET /plugins/privileges`: an outbound request.
    GetPluginPrivileges: Plugins,
    /// `POST /plugins/pull`
    PluginPull: Plugins,
    /// `POST /plugins/create`
    PluginCreate: Plugins,
    /// `POST /plugins/{name}/enable`: runs the plugin as root.
    PluginEnable: Plugins,
    /// `POST /plugins/{name}/disable`
    PluginDisable: Plugins,
    /// `POST /plugins/{name}/set`
    PluginSet: Plugins,
    /// `POST /plugins/{name}/upgrade`
    PluginUpgrade: Plugins,
    /// `POST /plugins/{name}/push`
    PluginPush: Plugins,
    /// `DELETE /plugins/{name}`
    PluginDelete: Plugins,

    // --- system
    /// `GET|HEAD /_ping`
    SystemPing: Read,
    /// `GET /version`
    SystemVersion: Read,
    /// `GET /info`
    SystemInfo: Read,
    /// `GET /events`
    SystemEvents: Read,
    /// `GET /system/df`
    SystemDataUsage: Read,
    /// `OPTIONS` on any path: an empty 200.
    SystemOptions: Read,
    /// `POST /auth`: an outbound request with a password.
    SystemAuth: System,
    /// `GET /debug/vars`
    DebugVars: System,
    /// `GET /debug/pprof/`
    DebugPprofIndex: System,
    /// `GET /debug/pprof/{name}`: dumps the engine's memory.
    DebugPprof: System,

    // --- what is not read
    /// Podman's own API, `/v5.0.0/libpod/…`: other bodies, other options, not read here.
    Libpod: Unknown,
    /// No such endpoint.
    Unknown: Unknown,
}

impl Operation {
    /// Finds an operation by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// Whether it can change anything or hand anything out beyond a read: then its intent is durable before it is forwarded.
    pub const fn has_effect(self) -> bool {
        !matches!(self.class(), Class::Read)
    }

    /// Whether it acts on one container, named in the path.
    pub const fn is_on_container(self) -> bool {
        matches!(
            self,
            Self::ContainerInspect
                | Self::ContainerTop
                | Self::ContainerLogs
                | Self::ContainerChanges
                | Self::ContainerStats
                | Self::ContainerWait
                | Self::ContainerExport
                | Self::ContainerArchive
                | Self::ContainerArchiveInfo
                | Self::PutContainerArchive
                | Self::ContainerCopy
                | Self::ContainerStart
                | Self::ContainerStop
                | Self::ContainerRestart
                | Self::ContainerKill
                | Self::ContainerPause
                | Self::ContainerUnpause
                | Self::ContainerResize
                | Self::ContainerRename
                | Self::ContainerUpdate
                | Self::ContainerAttach
                | Self::ContainerAttachWebsocket
                | Self::ContainerDelete
                | Self::ContainerExec
                | Self::CheckpointList
                | Self::CheckpointCreate
                | Self::CheckpointDelete
        )
    }

    /// Whether it makes use of what a container may do, so that the container is judged as the engine has it. What only
    /// looks at a container, or ends it, is not: an evil one can always be stopped.
    pub const fn uses_container(self) -> bool {
        matches!(
            self,
            Self::ContainerStart
                | Self::ContainerRestart
                | Self::ContainerUnpause
                | Self::ContainerExec
                | Self::ExecStart
                | Self::ContainerUpdate
                | Self::ContainerAttach
                | Self::ContainerAttachWebsocket
                | Self::ContainerRename
                | Self::ContainerArchive
                | Self::ContainerArchiveInfo
                | Self::PutContainerArchive
                | Self::ContainerCopy
                | Self::ContainerExport
                | Self::ImageCommit
                | Self::NetworkConnect
                | Self::CheckpointCreate
        )
    }

    /// Whether the engine may take the connection over for a raw stream after 101, or after 200 without a length.
    pub const fn hijacks(self) -> bool {
        matches!(self, Self::ContainerAttach | Self::ExecStart)
    }

    /// Whether the engine may switch protocols, which it does with 101 and in no other way.
    pub const fn upgrades(self) -> bool {
        matches!(self, Self::ContainerAttachWebsocket | Self::Session | Self::Grpc)
    }

    /// What is to be done with the body before judging.
    pub(super) const fn body_plan(self) -> BodyPlan {
        let judged = matches!(
            self,
            Self::ContainerCreate
                | Self::ContainerStart
                | Self::ContainerUpdate
                | Self::ContainerExec
                | Self::ExecStart
                | Self::VolumeCreate
                | Self::NetworkCreate
                | Self::NetworkConnect
                | Self::NetworkDisconnect
                | Self::CheckpointCreate
                | Self::ServiceCreate
                | Self::ServiceUpdate
        );
        if judged { BodyPlan::Judge } else { BodyPlan::Stream }
    }
}
