//! What was known, in the words of a record's `known`.

use crate::policy::{
    EngineFacts, HeldImage, HeldNetwork, HeldVolume, Joined, Known, Maker, RealPath, Stored, StoredExec, StoredMount,
};

/// Reads what was known in the words of a record's `known`; what is left out was not known.
///
/// # Errors
/// If it has other words, or was too large to be recorded.
pub fn known_of(text: &str) -> Result<Known, serde_json::Error> {
    let known: wire::Known<'_> = serde_json::from_str(text)?;
    Ok(Known {
        engine: EngineFacts {
            cgroup_v1: known.engine.cgroup_v1,
            containerd_store: known.engine.containerd_store,
            podman: known.engine.podman,
            root_dir: known.engine.root_dir,
        },
        container: known.container.map(Stored::from),
        absent: known.absent,
        maker: known.maker.map(Maker::from),
        joined: known.joined.into_iter().map(Joined::from).collect(),
        exec: known.exec.map(|exec| StoredExec { privileged: exec.privileged, user: exec.user }),
        image: known.image.map(HeldImage::from),
        volumes: known.volumes.into_iter().map(HeldVolume::from).collect(),
        networks: known
            .networks
            .into_iter()
            .map(|network| HeldNetwork { id: network.id, name: network.name })
            .collect(),
        paths: known.paths.into_iter().map(|path| RealPath { path: path.path, real: path.real }).collect(),
        unreachable: known.unreachable,
        missing: known.missing,
    })
}

/// The words of `known`.
mod wire {
    use serde::Deserialize;
    use serde_json::value::RawValue;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub(super) struct Known<'k> {
        pub(super) engine: Engine,
        pub(super) absent: bool,
        #[serde(borrow)]
        pub(super) container: Option<Container<'k>>,
        pub(super) maker: Option<Maker>,
        #[serde(borrow)]
        pub(super) joined: Vec<Joined<'k>>,
        pub(super) exec: Option<Exec>,
        pub(super) image: Option<Image>,
        pub(super) volumes: Vec<Volume>,
        pub(super) networks: Vec<Network>,
        pub(super) paths: Vec<Path>,
        pub(super) unreachable: Option<String>,
        pub(super) missing: Vec<String>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub(super) struct Engine {
        pub(super) cgroup_v1: bool,
        pub(super) containerd_store: bool,
        pub(super) podman: bool,
        pub(super) root_dir: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Container<'k> {
        pub(super) id: String,
        #[serde(default)]
        pub(super) name: String,
        #[serde(default)]
        pub(super) reference: String,
        #[serde(borrow, default)]
        pub(super) body: Option<&'k RawValue>,
        #[serde(default)]
        pub(super) mounts: Vec<Mount>,
        pub(super) image: Image,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Mount {
        pub(super) kind: String,
        #[serde(default)]
        pub(super) name: String,
        #[serde(default)]
        pub(super) source: String,
        pub(super) writable: bool,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Joined<'k> {
        pub(super) name: String,
        #[serde(borrow)]
        pub(super) container: Container<'k>,
        pub(super) maker: Option<Maker>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Maker {
        pub(super) principal: String,
        pub(super) image_id: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Exec {
        pub(super) privileged: bool,
        #[serde(default)]
        pub(super) user: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Image {
        pub(super) id: String,
        #[serde(default)]
        pub(super) repo_digests: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Volume {
        pub(super) name: String,
        #[serde(default)]
        pub(super) driver: String,
        #[serde(default)]
        pub(super) options: Vec<(String, String)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Network {
        pub(super) id: String,
        pub(super) name: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Path {
        pub(super) path: String,
        pub(super) real: String,
    }
}

impl From<wire::Container<'_>> for Stored {
    fn from(container: wire::Container<'_>) -> Self {
        let mount = |mount: wire::Mount| StoredMount {
            kind: mount.kind,
            name: mount.name,
            source: mount.source,
            writable: mount.writable,
        };
        Self {
            id: container.id,
            name: container.name,
            reference: container.reference,
            body: container.body.map(|body| body.get().as_bytes().to_vec()).unwrap_or_default(),
            mounts: container.mounts.into_iter().map(mount).collect(),
            image: container.image.into(),
        }
    }
}

impl From<wire::Joined<'_>> for Joined {
    fn from(joined: wire::Joined<'_>) -> Self {
        Self { name: joined.name, stored: joined.container.into(), maker: joined.maker.map(Maker::from) }
    }
}

impl From<wire::Maker> for Maker {
    fn from(maker: wire::Maker) -> Self {
        Self { principal: maker.principal, image_id: maker.image_id }
    }
}

impl From<wire::Image> for HeldImage {
    fn from(image: wire::Image) -> Self {
        Self { id: image.id, repo_digests: image.repo_digests }
    }
}

impl From<wire::Volume> for HeldVolume {
    fn from(volume: wire::Volume) -> Self {
        Self { name: volume.name, driver: volume.driver, options: volume.options }
    }
}
