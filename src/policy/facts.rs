//! What the request does not tell, as plain values: looked up by [`crate::facts`] before the judgement.

use jiff::Timestamp;

use super::mount;

/// What a judgement takes besides policy, peer and request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Now, for exceptions that expire.
    pub now: Timestamp,
    /// Absolute paths that no container may see: sockets and state of this engine and of the gate.
    pub protected: &'a [String],
    /// What was looked up for this call.
    pub known: &'a Known,
}

/// What the engine and the host said about what a call names.
#[derive(Debug, Default)]
pub struct Known {
    /// The engine itself.
    pub engine: EngineFacts,
    /// The container the call acts on, if there is one.
    pub container: Option<Stored>,
    /// Whether the call names a container or exec that the engine did not have when it was asked. One that gets the name later
    /// was never judged.
    pub absent: bool,
    /// Who made that container through this gate; `None` if nobody did.
    pub maker: Option<Maker>,
    /// Containers whose namespaces or volumes a create wants to join.
    pub joined: Vec<Joined>,
    /// The exec the call starts, if there is one.
    pub exec: Option<StoredExec>,
    /// The image a create names, if the engine holds it.
    pub image: Option<HeldImage>,
    /// Existing volumes that a container names, or would name.
    pub volumes: Vec<HeldVolume>,
    /// Networks of the swarm that a service names by their ids.
    pub networks: Vec<HeldNetwork>,
    /// Where paths on the host really lead.
    pub paths: Vec<RealPath>,
    /// Why the engine could not be asked at all, if so: nothing else is known then.
    pub unreachable: Option<String>,
    /// What could not be looked up, and why.
    pub missing: Vec<String>,
}

/// What the engine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// cgroup v1, where containers share the host's cgroup namespace unless told otherwise.
    pub cgroup_v1: bool,
    /// Images are in containerd's store, which gives every tagged image a repository digest, pulled or not.
    pub containerd_store: bool,
    /// Podman, whose socket reads Docker's API in its own way and tells less of a container than Docker does.
    pub podman: bool,
    /// The engine's state directory.
    pub root_dir: Option<String>,
}

/// A container as the engine has it.
#[derive(Debug, Default)]
pub struct Stored {
    /// The full id.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// The image reference it was made from, as its creator wrote it.
    pub reference: String,
    /// `Config`, `HostConfig` and networks in the shape of a create's body.
    pub body: Vec<u8>,
    /// Where its mounts come from, inherited ones included.
    pub mounts: Vec<StoredMount>,
    /// The image it was made from, which keeps its id when the name moves.
    pub image: HeldImage,
}

/// Who made a container through this gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maker {
    /// The principal.
    pub principal: String,
    /// The id of the image that was judged then; `None` if the engine did not hold it.
    pub image_id: Option<String>,
}

/// A container that another is to join.
#[derive(Debug)]
pub struct Joined {
    /// The name it is called by.
    pub name: String,
    /// The container.
    pub stored: Stored,
    /// Who made it.
    pub maker: Option<Maker>,
}

/// A mount point of a container.
#[derive(Debug, Clone, Default)]
pub struct StoredMount {
    /// `bind`, `volume`, `tmpfs`, …
    pub kind: String,
    /// The volume's name; empty for a bind.
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// Whether the container may write there.
    pub writable: bool,
}

/// An exec as the engine has it.
#[derive(Debug, Clone, Default)]
pub struct StoredExec {
    /// Whether it runs with all capabilities.
    pub privileged: bool,
    /// The user it runs as; empty for the container's own.
    pub user: String,
}

/// An image that the engine holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldImage {
    /// `sha256:<64 hex>`
    pub id: String,
    /// `repository@sha256:…` of every registry it was pulled from or pushed to.
    pub repo_digests: Vec<String>,
}

/// A volume that exists; its own options apply, whatever a request says.
#[derive(Debug, Clone, Default)]
pub struct HeldVolume {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Its driver's options.
    pub options: Vec<(String, String)>,
}

/// A network of a swarm. Neither its id nor its name ever changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldNetwork {
    /// Its whole id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Where a path leads once every symbolic link in it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealPath {
    /// The path as it was asked for, cleaned.
    pub path: String,
    /// Where it leads, cleaned.
    pub real: String,
}

impl Known {
    /// Nothing was looked up.
    pub const NOTHING: &Self = &Self {
        engine: EngineFacts { cgroup_v1: false, containerd_store: false, podman: false, root_dir: None },
        container: None,
        absent: false,
        maker: None,
        joined: Vec::new(),
        exec: None,
        image: None,
        volumes: Vec::new(),
        networks: Vec::new(),
        paths: Vec::new(),
        unreachable: None,
        missing: Vec::new(),
    };

    pub(super) fn volume(&self, name: &str) -> Option<&HeldVolume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// The name of a network by its whole id.
    pub(super) fn network_name(&self, id: &str) -> Option<&str> {
        self.networks.iter().find(|network| network.id == id).map(|network| network.name.as_str())
    }

    /// Where a cleaned path leads, if that is elsewhere.
    pub(super) fn leads_to(&self, path: &str) -> Option<&str> {
        let found = self.paths.iter().find(|known| known.path == path)?;
        (found.real != path).then_some(found.real.as_str())
    }
}

impl HeldVolume {
    /// The path on the host that it leads to, if it does.
    pub fn device(&self) -> Option<&str> {
        let device = self.options.iter().find(|(name, _)| name == "device");
        device.map(|(_, path)| path.as_str()).filter(|path| path.starts_with('/'))
    }
}

impl Facts<'_> {
    /// Whether a cleaned path leads to a socket that makes containers, or to what engine or gate keep for themselves.
    pub(super) fn is_engine_socket(&self, cleaned: &str) -> bool {
        let own = self.protected.iter().chain(&self.known.engine.root_dir);
        mount::is_engine_socket(cleaned, own)
    }
}
