//! Every endpoint of the Engine API, each with exactly one class.

/// An endpoint of the Engine API; names are the API's own `operationId`s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /containers/create`
    ContainerCreate,
    /// `POST /containers/{id}/start`
    ContainerStart,
    /// `POST /containers/{id}/attach`
    ContainerAttach,
    /// `POST /containers/{id}/update`
    ContainerUpdate,
    /// `POST /containers/{id}/exec`
    ContainerExec,
    /// `POST /exec/{id}/start`
    ExecStart,
    /// `POST /volumes/create`
    VolumeCreate,
    /// `POST /networks/create`
    NetworkCreate,
    /// `POST /networks/{id}/connect`
    NetworkConnect,
    /// `GET|HEAD /_ping`
    SystemPing,
    /// No such endpoint.
    Unknown,
}

/// The classes of endpoints a profile's `api` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Only what truly reads.
    Read,
    /// Create, lifecycle, attach, update, rename, prune.
    Containers,
    /// Exec create, start, resize.
    Exec,
    /// Archive and export.
    Files,
    /// Pull.
    ImagesPull,
    /// Push.
    ImagesPush,
    /// Tag, delete, prune.
    ImagesManage,
    /// Load, import, commit: what makes an image out of foreign bytes.
    ImagesMint,
    /// Classic build.
    Build,
    /// BuildKit's `/session` and `/grpc`.
    BuildSession,
    /// Volumes.
    Volumes,
    /// Networks.
    Networks,
    /// Swarm, services, nodes, tasks.
    Swarm,
    /// Secrets and configs.
    Secrets,
    /// Plugins.
    Plugins,
    /// Checkpoints.
    Checkpoints,
    /// Auth, prune, debug.
    System,
    /// No such endpoint.
    Unknown,
}

impl Operation {
    /// The API's `operationId`, for records and rules.
    pub const fn name(self) -> &'static str {
        "Unknown"
    }

    /// The class a profile allows or refuses it by.
    pub const fn class(self) -> Class {
        Class::Unknown
    }

    /// Whether it can change anything or hand anything out beyond a read: then its intent is durable before it is forwarded.
    pub const fn has_effect(self) -> bool {
        !matches!(self.class(), Class::Read)
    }

    /// Whether the engine may take the connection over for a raw stream after 101, or after 200 without a length.
    pub const fn hijacks(self) -> bool {
        matches!(self, Self::ContainerAttach | Self::ExecStart)
    }
}

impl Operation {
    /// Whether the engine may switch protocols with 101.
    pub const fn upgrades(self) -> bool {
        false
    }
}

impl Class {
    /// The name a policy uses: `images.pull`.
    pub const fn name(self) -> &'static str {
        "unknown"
    }

    /// Whether a name in a profile's `api` covers this class; `images` covers `images.pull`, `.push` and `.manage`, but
    /// never `images.mint`, and `build` never `build.session`.
    pub fn is_covered_by(self, selector: &str) -> bool {
        self.name() == selector
    }
}
