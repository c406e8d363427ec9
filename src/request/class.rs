//! The classes of endpoints: what a profile's `api` names.

/// The classes of endpoints a profile's `api` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Only what truly reads: no stream that takes input, no secret, no join token, no outbound request in disguise.
    Read,
    /// Create, lifecycle, attach, update, rename, prune.
    Containers,
    /// Exec create, start, resize.
    Exec,
    /// Archive and export.
    Files,
    /// Pull, and what else makes the engine ask a registry.
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
    /// The swarm itself, services and nodes.
    Swarm,
    /// Secrets and configs.
    Secrets,
    /// Plugins.
    Plugins,
    /// Checkpoints.
    Checkpoints,
    /// Auth and debug.
    System,
    /// No such endpoint, or one this gate does not read.
    Unknown,
}

impl Class {
    /// All that a profile's `api` may say.
    pub const ALL_SELECTORS: &[&str] = &[
        "read",
        "containers",
        "exec",
        "files",
        "images",
        "images.pull",
        "images.push",
        "images.manage",
        "images.mint",
        "build",
        "build.session",
        "volumes",
        "networks",
        "swarm",
        "secrets",
        "plugins",
        "checkpoints",
        "system",
    ];

    /// The name a policy uses: `images.pull`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Containers => "containers",
            Self::Exec => "exec",
            Self::Files => "files",
            Self::ImagesPull => "images.pull",
            Self::ImagesPush => "images.push",
            Self::ImagesManage => "images.manage",
            Self::ImagesMint => "images.mint",
            Self::Build => "build",
            Self::BuildSession => "build.session",
            Self::Volumes => "volumes",
            Self::Networks => "networks",
            Self::Swarm => "swarm",
            Self::Secrets => "secrets",
            Self::Plugins => "plugins",
            Self::Checkpoints => "checkpoints",
            Self::System => "system",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a name in a profile's `api` covers this class; `images` covers `images.pull`, `.push` and `.manage`, but
    /// never `images.mint`, and `build` never `build.session`. Nothing covers [`Class::Unknown`].
    pub fn is_covered_by(self, selector: &str) -> bool {
        match selector {
            "images" => matches!(self, Self::ImagesPull | Self::ImagesPush | Self::ImagesManage),
            name => self != Self::Unknown && self.name() == name,
        }
    }
}
