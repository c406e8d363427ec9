//! One call's look-ups.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::answers;
use super::host::real_paths;
use crate::engine::{Inspect, InspectError};
use crate::policy::{
    self, EngineFacts, HeldImage, HeldNetwork, HeldVolume, Joined, Known, Maker, RealPath, Sources, Stored, StoredExec,
};
use crate::request::{Body, Call, HostConfig, ServiceSpec, Target, inspect_path, stored_container, volume_path};
use crate::store::Store;

/// How long what the engine said of itself holds.
const ENGINE_FACTS_HOLD: Duration = Duration::from_secs(60);

/// How long all look-ups of one call may take. An engine that plugs volumes in over a network may be slow.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long the host's file systems may take.
const PATHS_DEADLINE: Duration = Duration::from_secs(5);

/// Most volumes and paths of one call that are looked up. A body of some megabytes could name half a million.
const MAX_NAMED: usize = 256;

/// Most containers that one may join and that are looked up; more are not known, and so refused.
const MAX_JOINED: usize = 16;

/// The engine cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unreachable(InspectError);

/// Looks up what calls name.
#[derive(Debug)]
pub struct LookUp {
    inspect: Inspect,
    store: Store,
    /// Whether the engine's paths are those of this host.
    paths_are_here: bool,
    engine: Mutex<Option<(Instant, EngineFacts)>>,
}

impl LookUp {
    /// Look-ups at one engine, and at what this gate has seen made there.
    ///
    /// Links are followed only where the paths are those of this host: elsewhere the same name may lead anywhere.
    pub fn new(inspect: Inspect, store: Store, paths_are_here: bool) -> Self {
        Self { inspect, store, paths_are_here, engine: Mutex::new(None) }
    }

    /// Learns what a call names. What could not be learned is told in the answer.
    ///
    /// With `every_container` a container is looked up even if the call only looks at it, or ends it.
    pub async fn learn(&self, call: &Call<'_>, every_container: bool) -> Known {
        let target = call.target().filter(|_| every_container || call.asked.operation.uses_container());
        match timeout(DEADLINE, self.learn_all(call, target)).await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => Known { unreachable: Some(error.to_string()), ..Known::default() },
            Err(_late) => {
                let why = format!("what the call names, within {} s", DEADLINE.as_secs());
                Known { missing: vec![why], ..Known::default() }
            }
        }
    }

    async fn learn_all(&self, call: &Call<'_>, target: Option<Target<'_>>) -> Result<Known, Unreachable> {
        let mut known = Known::default();
        let (host, mut named) = named(call);
        let image = call.body.image();
        let names_nothing = target.is_none() && host.is_none() && image.is_none() && named.is_empty();
        if names_nothing && !policy::depends_on_engine(call) {
            return Ok(known);
        }
        self.engine(&mut known).await?;
        if let Some(target) = target {
            self.container(target, &mut known).await?;
            known.absent = known.container.is_none() && known.missing.is_empty();
        }
        if let Some(image) = image {
            known.image = self.image(image, &mut known.missing).await?;
        }
        if let Body::ServiceSpec(spec) = &call.body {
            self.networks(spec, &mut known).await?;
        }
        self.joined(host, &mut known).await?;
        self.mounts(&mut named, &mut known).await?;
        Ok(known)
    }

    /// The image reference that the container a caller runs in was made from; `None` if the engine does not know the
    /// container, or if none of `doors` was bound into it.
    ///
    /// What an image is called proves nothing: anybody may run one, or name one so. Who may come in by it is decided where
    /// a container is given a door, which is refused to others (`mount.engine-socket`); a process in one that was given none
    /// got there by a descriptor that somebody passed to it.
    ///
    /// # Errors
    /// If the engine cannot be asked.
    pub async fn image_of_caller(&self, id: &str, doors: &[String]) -> Result<Option<String>, InspectError> {
        if !self.paths_are_here {
            return Ok(None);
        }
        let path = inspect_path("containers", id);
        let Some(container) = self.inspect.get::<answers::Container>(&path).await? else { return Ok(None) };
        let binds = container.mounts.iter().filter(|mount| mount.kind == "bind");
        let sources: Vec<String> = binds.map(|mount| policy::clean_path(&mount.source)).collect();
        let real = follow(sources.clone()).await.unwrap_or_default().into_iter().map(|path| path.real);
        let shows = |source: String| doors.iter().any(|door| policy::holds_path(&source, &policy::clean_path(door)));
        let was_given = sources.into_iter().chain(real).any(shows);
        Ok(container.image_reference().filter(|_| was_given))
    }

    /// The image that a new container was really made from.
    ///
    /// # Errors
    /// If the engine cannot be asked.
    pub async fn used_image(&self, container: &str) -> Result<Option<HeldImage>, InspectError> {
        let path = inspect_path("containers", container);
        let Some(container) = self.inspect.get::<answers::Container>(&path).await? else { return Ok(None) };
        let image = self.inspect.get::<answers::Image>(&inspect_path("images", &container.image)).await?;
        Ok(image.map(HeldImage::from))
    }

    async fn engine(&self, known: &mut Known) -> Result<(), Unreachable> {
        let mut held = self.engine.lock().await;
        if let Some((since, facts)) = held.as_ref()
            && since.elapsed() < ENGINE_FACTS_HOLD
        {
            known.engine = facts.clone();
            return Ok(());
        }
        if let Some(info) = self.ask::<answers::Info>("/info", "the engine itself", &mut known.missing).await? {
            known.engine = info.into();
            *held = Some((Instant::now(), known.engine.clone()));
        }
        Ok(())
    }

    async fn container(&self, target: Target<'_>, known: &mut Known) -> Result<(), Unreachable> {
        let path = match target {
            Target::Container(_) => target.inspect_path(),
            Target::Exec(id) => {
                let what = format!("exec {id}");
                let exec = self.ask::<answers::Exec>(&target.inspect_path(), &what, &mut known.missing).await?;
                let Some(exec) = exec else { return Ok(()) };
                let path = inspect_path("containers", &exec.container);
                known.exec = Some(StoredExec::from(exec));
                path
            }
        };
        if let Some((stored, maker)) = self.stored(&path, &mut known.missing).await? {
            known.container = Some(stored);
            known.maker = maker;
        }
        Ok(())
    }

    /// Containers whose namespaces or volumes a create wants to join, or the container shares.
    async fn joined(&self, host: Option<&HostConfig<'_>>, known: &mut Known) -> Result<(), Unreachable> {
        let stored = known.container.take();
        let container = stored.as_ref().and_then(|stored| stored_container(&stored.body));
        let hosts = host.into_iter().chain(container.as_ref().map(|container| &container.host));
        for name in hosts.flat_map(policy::joined).take(MAX_JOINED) {
            let path = inspect_path("containers", name);
            if let Some((stored, maker)) = self.stored(&path, &mut known.missing).await? {
                known.joined.push(Joined { name: name.to_owned(), stored, maker });
            }
        }
        drop(container);
        known.container = stored;
        Ok(())
    }

    /// A container as the engine has it, and who made it.
    async fn stored(
        &self,
        path: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<(Stored, Option<Maker>)>, Unreachable> {
        let Some(container) = self.ask::<answers::Container>(path, "the container", missing).await? else {
            return Ok(None);
        };
        let image = self.image(&container.image, missing).await?;
        let stored = container.into_stored(image);
        let maker = match self.store.launch(&stored.id).await {
            Ok(launch) => launch.map(|launch| Maker { principal: launch.principal, image_id: launch.image_id }),
            Err(error) => {
                missing.push(format!("who made the container: {error}"));
                None
            }
        };
        Ok(Some((stored, maker)))
    }

    async fn image(&self, name: &str, missing: &mut Vec<String>) -> Result<Option<HeldImage>, Unreachable> {
        if name.is_empty() {
            return Ok(None);
        }
        let image = self.ask::<answers::Image>(&inspect_path("images", name), "the image", missing).await?;
        Ok(image.map(HeldImage::from))
    }

    /// The networks that a service names by id. An answer of another id is a network that has this one for its name.
    async fn networks(&self, spec: &ServiceSpec<'_>, known: &mut Known) -> Result<(), Unreachable> {
        for id in spec.network_ids().take(MAX_NAMED) {
            let (path, what) = (format!("/networks/{id}?scope=swarm"), format!("network {id}"));
            let network = self.ask::<answers::Network>(&path, &what, &mut known.missing).await?;
            known.networks.extend(network.map(HeldNetwork::from).filter(|network| network.id == id));
        }
        Ok(())
    }

    /// Existing volumes, and where paths lead: those a request names, and those a container has.
    async fn mounts(&self, named: &mut Sources, known: &mut Known) -> Result<(), Unreachable> {
        let joined = known.joined.iter().map(|joined| &joined.stored);
        known.container.iter().chain(joined).for_each(|stored| add_stored(stored, named));
        if named.volumes.len() > MAX_NAMED || named.paths.len() > MAX_NAMED {
            known.missing.push(format!("more than {MAX_NAMED} volumes or paths in one container"));
        }
        for name in named.volumes.iter().take(MAX_NAMED) {
            let what = format!("volume {name}");
            let volume = self.ask::<answers::Volume>(&volume_path(name), &what, &mut known.missing).await?;
            known.volumes.extend(volume.map(HeldVolume::from));
        }
        for device in known.volumes.iter().filter_map(HeldVolume::device) {
            named.add_path(device);
        }
        named.paths.truncate(MAX_NAMED);
        if !self.paths_are_here {
            return Ok(());
        }
        let asked = std::mem::take(&mut named.paths);
        match follow(asked.clone()).await {
            Some(paths) => {
                let is_known = |path: &String| paths.iter().any(|known| known.path == *path);
                let unknown = asked.iter().filter(|path| !is_known(path));
                known.missing.extend(unknown.map(|path| format!("where {path} leads")));
                known.paths = paths;
            }
            None => known.missing.push(format!("where paths lead, within {} s", PATHS_DEADLINE.as_secs())),
        }
        Ok(())
    }

    /// Asks for one thing; what cannot be learned is told in `missing`.
    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<T>, Unreachable> {
        match self.inspect.get(path).await {
            Ok(answer) => Ok(answer),
            Err(error @ InspectError::Unreachable(_)) => Err(Unreachable(error)),
            Err(error) => {
                missing.push(format!("{what}: {error}"));
                Ok(None)
            }
        }
    }
}

/// The `HostConfig` of a call, if it brings one, and what its mounts name.
fn named<'c>(call: &'c Call<'_>) -> (Option<&'c HostConfig<'c>>, Sources) {
    let (host, mut named) = match &call.body {
        Body::ContainerCreate(create) => (Some(&create.host), policy::sources(&create.host)),
        Body::ContainerStart(host) => (Some(host.as_ref()), policy::sources(host)),
        Body::VolumeCreate(volume) => (None, policy::volume_sources(volume)),
        Body::ServiceSpec(spec) => (None, policy::service_sources(spec)),
        Body::Unread
        | Body::ContainerUpdate(_)
        | Body::ExecCreate(_)
        | Body::ExecStart(_)
        | Body::NetworkCreate(_)
        | Body::NetworkConnect(_)
        | Body::NetworkDisconnect(_)
        | Body::CheckpointCreate(_)
        | Body::Build(_) => (None, Sources::default()),
    };
    if let Some((_field, folder)) = call.checkpoint_folder() {
        named.add_path(folder);
    }
    (host, named)
}

/// Adds what the mounts of a container name, as the engine has them and as they were asked for.
fn add_stored(stored: &Stored, named: &mut Sources) {
    if let Some(create) = stored_container(&stored.body) {
        named.add_all(policy::sources(&create.host));
    }
    for mount in &stored.mounts {
        match mount.kind.as_str() {
            "bind" => named.add_path(&mount.source),
            "volume" => named.add_volume(&mount.name),
            _elsewhere => {}
        }
    }
}

/// Follows the links of paths beside the call: a file system may hang. `None` if it does.
async fn follow(paths: Vec<String>) -> Option<Vec<RealPath>> {
    if paths.is_empty() {
        return Some(Vec::new());
    }
    timeout(PATHS_DEADLINE, tokio::task::spawn_blocking(move || real_paths(paths))).await.ok()?.ok()
}
