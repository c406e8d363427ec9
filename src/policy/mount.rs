//! Host paths: read as the engine reads them, compared as the kernel would.

use globset::GlobMatcher;

use super::image::glob;
use crate::request::{HostConfig, LogConfig, Mount, ServiceSpec, Text, VolumeCreate};

/// Paths whose sight or change leads to root on the host; what is below them, and what they are below, as well. One below
/// another is there because to list the upper is not to mean the lower.
const SENSITIVE: [&str; 29] = [
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/root",
    "/home",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/var",
    "/run",
    "/opt",
    "/snap",
    "/nix",
    "/ostree",
    "/sysroot",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/lib/tidewaiter",
    "/var/log/tidewaiter",
    "/var/spool/cron",
];

/// Trees of the system's own, in which the home of a service's user may lie (`/bin`, `/usr/sbin`, `/dev`).
const SYSTEM: [&str; 13] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"];

/// A pattern of host paths that may be bound, compiled.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// The components before the first that is a pattern.
    literal: String,
    /// Whether that is all of it.
    is_literal: bool,
    globs: Vec<GlobMatcher>,
}

/// Sockets that make containers, and what their engines keep for themselves; a folder with one in it is as good.
const SOCKETS: [&str; 11] = [
    "/run/docker",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/run/cri-dockerd.sock",
    "/run/docker.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/tidewaiter",
];

/// Names of such sockets at any place: rootless engines keep theirs with their users.
const SOCKET_NAMES: [&str; 6] =
    ["buildkitd.sock", "containerd.sock", "cri-dockerd.sock", "crio.sock", "docker.sock", "podman.sock"];

/// What the mounts of a container name: the rest of what is to be known of them must be looked up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Paths on the host, cleaned.
    pub paths: Vec<String>,
    /// Named volumes.
    pub volumes: Vec<String>,
}

impl Sources {
    /// Whether nothing is named.
    pub const fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.volumes.is_empty()
    }

    /// Adds a path on the host, whatever it looks like.
    pub fn add_path(&mut self, path: &str) {
        add(&mut self.paths, clean(path));
    }

    /// Adds a volume by its name.
    pub fn add_volume(&mut self, name: &str) {
        add(&mut self.volumes, name.to_owned());
    }

    /// Adds what another names.
    pub fn add_all(&mut self, other: Self) {
        other.paths.into_iter().for_each(|path| add(&mut self.paths, path));
        other.volumes.into_iter().for_each(|name| add(&mut self.volumes, name));
    }

    fn add_mounts(&mut self, mounts: &[Mount<'_>]) {
        for mount in mounts {
            match mount.kind.as_ref() {
                "tmpfs" | "image" => {}
                _other => self.add(&mount.source),
            }
            self.add_device(mount.driver.as_deref(), &mount.driver_options);
        }
    }

    fn add_device(&mut self, driver: Option<&str>, options: &[(Text<'_>, Text<'_>)]) {
        let device = reaches_host(driver, options);
        device.iter().filter(|device| device.starts_with('/')).for_each(|device| self.add_path(device));
    }

    fn add(&mut self, source: &str) {
        if is_path(source) { self.add_path(source) } else { self.add_volume(source) }
    }
}

fn add(list: &mut Vec<String>, name: String) {
    if !name.is_empty() && !list.contains(&name) {
        list.push(name);
    }
}

/// Collects what the mounts of a container name.
pub fn sources(host: &HostConfig<'_>) -> Sources {
    let mut named = Sources::default();
    for bind in &host.binds {
        if let Some((source, _target)) = bind.split_once(':') {
            named.add(source);
        }
    }
    named.add_mounts(&host.mounts);
    log_paths(host.log_config.as_ref()).for_each(|path| named.add_path(path));
    named
}

/// Where a container's log is to be written. Podman writes it there as root; Docker refuses the option.
pub(super) fn log_paths<'l>(log: Option<&'l LogConfig<'_>>) -> impl Iterator<Item = &'l str> {
    let options = log.into_iter().flat_map(|log| &log.options);
    options.filter(|(name, _)| name.trim().eq_ignore_ascii_case("path")).map(|(_, path)| path.as_ref())
}

/// Collects what the mounts of a service's containers name.
pub fn service_sources(spec: &ServiceSpec<'_>) -> Sources {
    let mut named = Sources::default();
    spec.container.iter().for_each(|container| named.add_mounts(&container.mounts));
    named
}

/// Collects what a new volume names.
pub fn volume_sources(volume: &VolumeCreate<'_>) -> Sources {
    let mut named = Sources::default();
    named.add_device(volume.driver.as_deref(), &volume.driver_options);
    named
}

/// The containers whose volumes, namespaces or environment a container wants to share, by the names it calls them.
pub fn joined<'h>(host: &'h HostConfig<'_>) -> Vec<&'h str> {
    let modes = [&host.pid_mode, &host.network_mode, &host.ipc_mode, &host.cgroup];
    let shared = modes.into_iter().flatten().filter_map(|mode| mode.strip_prefix("container:"));
    let volumes = host.volumes_from.iter().map(|from| volumes_of(from));
    let links = host.links.iter().map(|link| linked(link));
    let mut names: Vec<&str> = shared.chain(volumes).chain(links).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The container in an entry of `VolumesFrom`, `name[:mode]`.
pub(super) fn volumes_of(from: &str) -> &str {
    from.split_once(':').map_or(from, |(name, _mode)| name)
}

/// The container in an entry of `Links`: `name`, `name:alias`, or as the engine has it `/name:/own/alias`.
pub(super) fn linked(link: &str) -> &str {
    let name = link.split_once(':').map_or(link, |(name, _alias)| name);
    name.strip_prefix('/').unwrap_or(name)
}

/// Whether a source is a path. A volume's name has no slash; a relative path is one where Podman reads it.
pub(super) fn is_path(source: &str) -> bool {
    source.contains('/') || source.starts_with(['.', '~'])
}

/// Cleans a path as Go's `path.Clean` does: lexically, symlinks not resolved; `/var/run` is `/run` on every host that matters.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    let cleaned = format!("/{}", parts.join("/"));
    match cleaned.strip_prefix("/var/run") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}"),
        _other => cleaned,
    }
}

/// Whether a cleaned path is another, or holds it.
pub fn holds(outer: &str, inner: &str) -> bool {
    outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether one of two cleaned paths is the other, or holds it.
fn touches(one: &str, other: &str) -> bool {
    holds(one, other) || holds(other, one)
}

pub(super) fn is_sensitive(cleaned: &str) -> bool {
    SENSITIVE.iter().any(|path| touches(cleaned, path))
}

/// Whether a home lies where the system's own files do: to let its user bind it would open those.
pub(super) fn is_system(cleaned: &str) -> bool {
    SYSTEM.iter().any(|tree| touches(cleaned, tree))
}

impl Paths {
    /// Compiles a pattern; `/srv/data/**` means `/srv/data` too. One that is no glob lists nothing.
    pub(super) fn new(pattern: &str) -> Self {
        let is_plain = |component: &&str| !component.contains(['*', '?', '[', ']', '{', '}', '\\']);
        let plain: Vec<&str> = pattern.split('/').take_while(is_plain).collect();
        let folder = pattern.strip_suffix("/**").filter(|folder| !folder.is_empty());
        Self {
            literal: clean(&plain.join("/")),
            is_literal: pattern.split('/').all(|component| is_plain(&component)),
            globs: [pattern].into_iter().chain(folder).filter_map(glob).collect(),
        }
    }

    /// Whether a cleaned path fits.
    pub(super) fn lists(&self, cleaned: &str) -> bool {
        self.globs.iter().any(|glob| glob.is_match(cleaned))
    }

    /// Whether a path that fits was meant as the sensitive one it is: it is spelt out, or below a folder that is spelt out and
    /// itself below the sensitive one. `/etc/ssl/**` names `/etc/ssl/certs`; `/**` and `/etc/**` name nothing in `/etc`, and no
    /// entry names all that is in `/`.
    pub(super) fn names(&self, cleaned: &str) -> bool {
        SENSITIVE.iter().filter(|path| touches(cleaned, path)).all(|path| {
            let is_below = self.literal != **path && holds(path, &self.literal);
            is_below || (self.is_literal && cleaned == *path)
        })
    }

    /// A sensitive path that fits, or has something below it that does, without being named.
    pub(super) fn covers(&self) -> Option<&'static str> {
        let is_covered = |path: &str| self.lists(path) && !self.names(path);
        SENSITIVE.into_iter().find(|path| {
            let is_root_of_it = !self.is_literal && self.literal == *path;
            is_root_of_it || is_covered("/") || is_covered(path) || is_covered(&format!("{path}/x"))
        })
    }
}

/// Whether a cleaned path leads to a socket that makes containers, or to one of `protected`.
pub(super) fn is_engine_socket<'a>(cleaned: &str, mut protected: impl Iterator<Item = &'a String>) -> bool {
    let name = cleaned.rsplit('/').next().unwrap_or_default();
    SOCKET_NAMES.contains(&name)
        || SOCKETS.iter().any(|path| touches(cleaned, path))
        || protected.any(|path| touches(cleaned, &clean(path)))
}

/// What a volume's driver options reach on the host: the device, where there is one. What `o` says stays unsaid: with a
/// network file system it holds a password.
///
/// The local driver does a plain `mount(2)` as root, so that only `tmpfs` is harmless.
pub(super) fn reaches_host<K: AsRef<str>, V: AsRef<str>>(driver: Option<&str>, options: &[(K, V)]) -> Option<String> {
    if driver.is_some_and(|driver| !driver.is_empty() && driver != "local") {
        return driver.map(|driver| format!("driver {driver}"));
    }
    // One that comes twice has its last value, and is judged by its worst.
    let values = |name: &'static str| {
        options.iter().filter(move |(key, _)| key.as_ref() == name).map(|(_, value)| value.as_ref())
    };
    let mut kinds = values("type").peekable();
    let is_tmpfs = kinds.peek().is_some()
        && kinds.all(|kind| kind == "tmpfs")
        && !values("o").any(|options| options.contains("bind"));
    let only_size = options.iter().all(|(key, _)| key.as_ref() == "size");
    let harmless = options.is_empty() || is_tmpfs || only_size;
    (!harmless).then(|| values("device").last().unwrap_or("driver options").to_owned())
}
