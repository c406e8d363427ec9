//! What the engine answers to look-ups, as far as it is judged.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::policy::{EngineFacts, HeldImage, HeldNetwork, HeldVolume, Stored, StoredExec, StoredMount};

/// `GET /containers/{name}/json`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    id: String,
    name: String,
    /// The id of its image, which a moved tag does not change.
    pub(super) image: String,
    config: Box<RawValue>,
    host_config: Box<RawValue>,
    #[serde(default)]
    pub(super) mounts: Vec<Mount>,
    network_settings: Option<NetworkSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Mount {
    #[serde(default, rename = "Type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) source: String,
    #[serde(default, rename = "RW")]
    writable: bool,
}

/// `GET /exec/{id}/json`
#[derive(Debug, Deserialize)]
pub(super) struct Exec {
    #[serde(rename = "ContainerID")]
    pub(super) container: String,
    #[serde(rename = "ProcessConfig")]
    process: ProcessConfig,
}

#[derive(Debug, Deserialize)]
struct ProcessConfig {
    #[serde(default)]
    privileged: Option<bool>,
    #[serde(default)]
    user: Option<String>,
}

/// `GET /images/{name}/json`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    id: String,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

/// `GET /volumes/{name}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Volume {
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    options: Option<std::collections::BTreeMap<String, String>>,
}

/// `GET /networks/{id}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Network {
    id: String,
    name: String,
}

/// `GET /info`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Info {
    #[serde(default)]
    cgroup_version: String,
    #[serde(default)]
    docker_root_dir: String,
    #[serde(default)]
    driver_status: Option<Vec<Vec<String>>>,
    /// Podman's alone.
    #[serde(default)]
    buildah_version: Option<String>,
}

impl Container {
    /// The container, but for its image's digests.
    pub(super) fn into_stored(self, image: Option<HeldImage>) -> Stored {
        let reference = self.image_reference().unwrap_or_default();
        let networks = self.network_settings.and_then(|settings| settings.networks);
        let body = as_create(self.config.get(), self.host_config.get(), networks.as_ref().map(|raw| raw.get()));
        let mounts = self.mounts.into_iter().map(|mount| StoredMount {
            kind: mount.kind,
            name: mount.name,
            source: mount.source,
            writable: mount.writable,
        });
        Stored {
            id: self.id,
            name: self.name.trim_start_matches('/').to_owned(),
            reference,
            body,
            mounts: mounts.collect(),
            image: image.unwrap_or_else(|| HeldImage { id: self.image, repo_digests: Vec::new() }),
        }
    }

    /// The image reference it was made from, as its creator wrote it.
    pub(super) fn image_reference(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "Image")]
            image: String,
        }
        serde_json::from_str::<Config>(self.config.get()).ok().map(|config| config.image)
    }
}

/// A create's body: `Config` at the top, the others beside it.
fn as_create(config: &str, host_config: &str, networks: Option<&str>) -> Vec<u8> {
    let fields = config.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().trim();
    let comma = if fields.is_empty() { "" } else { "," };
    let networks = networks.unwrap_or("null");
    let rest = format!(r#"{comma}"HostConfig":{host_config},"NetworkingConfig":{{"EndpointsConfig":{networks}}}}}"#);
    ["{", fields, &rest].concat().into_bytes()
}

impl From<Exec> for StoredExec {
    fn from(exec: Exec) -> Self {
        let ProcessConfig { privileged, user } = exec.process;
        Self { privileged: privileged.unwrap_or_default(), user: user.unwrap_or_default() }
    }
}

impl From<Image> for HeldImage {
    fn from(image: Image) -> Self {
        Self { id: image.id, repo_digests: image.repo_digests.unwrap_or_default() }
    }
}

impl From<Volume> for HeldVolume {
    fn from(volume: Volume) -> Self {
        let options = volume.options.unwrap_or_default().into_iter().collect();
        Self { name: volume.name, driver: volume.driver, options }
    }
}

impl From<Network> for HeldNetwork {
    fn from(network: Network) -> Self {
        Self { id: network.id, name: network.name }
    }
}

impl From<Info> for EngineFacts {
    fn from(info: Info) -> Self {
        let mut status = info.driver_status.iter().flatten();
        let is_containerd = |pair: &Vec<String>| pair.iter().any(|word| word.starts_with("io.containerd.snapshotter"));
        Self {
            // Engines before API 1.41 do not say, and know v1 only.
            cgroup_v1: info.cgroup_version != "2",
            containerd_store: status.any(is_containerd),
            podman: info.buildah_version.is_some(),
            root_dir: Some(info.docker_root_dir).filter(|dir| !dir.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::stored_container;

    #[test]
    fn a_container_reads_like_the_create_it_came_from() {
        let text = r#"{"Id":"ab","Name":"/web","Image":"sha256:cd","Config":{"Image":"busybox","User":"5"},
            "HostConfig":{"Privileged":true,"Binds":["/etc:/h"]},"Mounts":[{"Type":"bind","Source":"/etc","RW":true}],
            "NetworkSettings":{"Networks":{"bridge":{"DriverOpts":null}}}}"#;
        let container: Container = serde_json::from_str(text).unwrap();
        let stored = container.into_stored(None);
        let create = stored_container(&stored.body).unwrap();
        assert_eq!((create.image.as_deref(), create.user.as_deref()), (Some("busybox"), Some("5")));
        assert!(create.host.privileged && !create.flat);
        assert_eq!((create.host.binds.len(), create.endpoints.len(), stored.mounts.len()), (1, 1, 1));
        assert_eq!((stored.name.as_str(), stored.image.id.as_str()), ("web", "sha256:cd"));
    }

    #[test]
    fn an_empty_config_still_makes_a_body() {
        let body = as_create("{}", r#"{"PidMode":"host"}"#, None);
        assert_eq!(stored_container(&body).unwrap().host.pid_mode.as_deref(), Some("host"));
    }
}
