//! One model of mounts, fed by `Binds`, `Mounts`, `Volumes`, `VolumesFrom`, `Tmpfs` and inline driver options.

use super::{Found, container};
use crate::policy::Check;
use crate::policy::facts::StoredMount;
use crate::policy::mount::{clean, is_path, is_sensitive, reaches_host, sources, volumes_of};
use crate::request::{HostConfig, Mount, Text};

/// Words of a bind's mode that change nothing a policy judges, and the access. Podman fills in the second line's.
const BIND_MODES: [&str; 14] = [
    "",
    "ro",
    "rw",
    "z",
    "Z",
    "nocopy",
    "consistent",
    "cached",
    "delegated",
    "bind",
    "rbind",
    "nodev",
    "noexec",
    "nosuid",
];

/// Propagations by which nothing gets out of the container.
const OWN_PROPAGATIONS: [&str; 5] = ["", "private", "rprivate", "slave", "rslave"];

pub(super) fn check(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    for (index, bind) in host.binds.iter().enumerate() {
        bind_text(found, bind, &format!("{at}.Binds[{index}]"));
    }
    for (index, mount) in host.mounts.iter().enumerate() {
        one(found, mount, &format!("{at}.Mounts[{index}]"));
    }
    for (index, from) in host.volumes_from.iter().enumerate() {
        if !found.joins(volumes_of(from)) {
            found.add(Check::MountVolumesFrom, format!("{at}.VolumesFrom[{index}]"), from);
        }
    }
    let driver = host.volume_driver.as_deref();
    if let Some(what) = reaches_host::<&str, &str>(driver, &[]) {
        found.add(Check::MountVolumeDriver, format!("{at}.VolumeDriver"), &what);
    }
}

/// `Volumes`: anonymous volumes by path; podman takes `source:target` for a bind.
pub(super) fn anonymous(found: &mut Found<'_>, paths: &[Text<'_>]) {
    for path in paths {
        if let Some((source, _target)) = path.split_once(':') {
            host_path(found, source, true, "Volumes");
        }
    }
}

/// `source:target[:mode]`; one part is an anonymous volume, a source that is not absolute a named one.
fn bind_text(found: &mut Found<'_>, bind: &str, field: &str) {
    let mut parts = bind.splitn(4, ':');
    let (Some(source), Some(_target)) = (parts.next(), parts.next()) else { return };
    let modes: Vec<&str> = parts.next().unwrap_or_default().split(',').collect();
    for mode in modes.iter().filter(|mode| !BIND_MODES.contains(mode) && !OWN_PROPAGATIONS.contains(mode)) {
        if matches!(*mode, "shared" | "rshared") {
            found.add(Check::MountPropagation, field, mode);
        } else {
            // Docker refuses it. Podman may take it for an overlay's folder, which is another path of the host.
            found.add(Check::MountHostPath, field, &format!("{mode}: is no mode of a bind"));
        }
    }
    if parts.next().is_some() {
        found.add(Check::MountHostPath, field, &format!("{bind}: has too many parts"));
    }
    let writable = modes.contains(&"rw") || !modes.contains(&"ro");
    if is_path(source) {
        host_path(found, source, writable, field);
    } else {
        volume(found, source, writable, field);
    }
}

/// A volume by its name: if it exists, its own options apply.
fn volume(found: &mut Found<'_>, name: &str, writable: bool, field: &str) {
    let Some(held) = found.facts.known.volume(name) else { return };
    if let Some(what) = reaches_host(Some(&held.driver), &held.options) {
        found.add(Check::MountVolumeDriver, field, &format!("volume {name}: {what}"));
        if what.starts_with('/') {
            host_path(found, &what, writable, field);
        }
    }
}

/// The mounts of a container as the engine has them, but for those that its `HostConfig` names: what it inherited from another
/// container is in no other list.
pub(super) fn stored(found: &mut Found<'_>, mounts: &[StoredMount], host: &HostConfig<'_>) {
    let named = sources(host);
    for (index, mount) in mounts.iter().enumerate() {
        let field = format!("Mounts[{index}].Source");
        match mount.kind.as_str() {
            "bind" if !named.paths.contains(&clean(&mount.source)) => {
                host_path(found, &mount.source, mount.writable, &field);
            }
            "volume" if !named.volumes.contains(&mount.name) => volume(found, &mount.name, mount.writable, &field),
            _named_or_harmless => {}
        }
    }
}

pub(super) fn one(found: &mut Found<'_>, mount: &Mount<'_>, field: &str) {
    if let Some(propagation) = mount.propagation.as_deref().filter(|mode| !OWN_PROPAGATIONS.contains(mode)) {
        found.add(Check::MountPropagation, field, propagation);
    }
    // Podman joins these into one option string and reads it again.
    let texts = [&mount.kind, &mount.source, &mount.target, &mount.consistency].into_iter();
    let mut texts = texts.chain(&mount.propagation).chain(&mount.subpaths).chain(&mount.driver);
    if texts.any(|text| text.contains([',', '"', '\n'])) {
        found.add(
            Check::RequestAmbiguous,
            field,
            "a comma, quote or line end, which some engines read as further options",
        );
    }
    match mount.kind.as_ref() {
        // A source is no part of it, and Docker refuses one.
        "tmpfs" if mount.source.is_empty() => {}
        "image" => container::image(found, &mount.source, None, &format!("{field}.Source")),
        "volume" | "" if !is_path(&mount.source) => {
            if let Some(what) = reaches_host(mount.driver.as_deref(), &mount.driver_options) {
                found.add(Check::MountVolumeDriver, format!("{field}.VolumeOptions.DriverConfig"), &what);
                if what.starts_with('/') {
                    host_path(found, &what, !mount.read_only, field);
                }
            }
            volume(found, &mount.source, !mount.read_only, field);
        }
        "bind" | "volume" | "tmpfs" | "" => {
            let source = if mount.source.is_empty() { &mount.target } else { &mount.source };
            host_path(found, source, !mount.read_only, field);
        }
        other => found.add(Check::MountVolumeDriver, format!("{field}.Type"), other),
    }
}

/// Judges a path on the host that a container would see.
pub(super) fn host_path(found: &mut Found<'_>, written: &str, writable: bool, field: &str) {
    let path = clean(written);
    if found.facts.is_engine_socket(&path) {
        found.add(Check::MountEngineSocket, field, written);
    }
    let listed = listed(found, &path);
    let is_writable = listed.iter().any(|entry| entry.writable);
    if listed.is_empty() {
        found.add(Check::MountHostPath, field, written);
    } else if writable && !is_writable {
        found.add(Check::MountWritable, field, written);
    }
    sensitive(found, (&path, written), writable, &listed, field);
    if let Some(real) = found.facts.known.leads_to(&path) {
        symlink(found, written, real, writable, field);
    }
}

/// Where `/etc/localtime` leads: the system's own, and public.
const ZONES: &str = "/usr/share/zoneinfo/";

/// Judges where a path leads by its symbolic links, which the kernel follows when the container starts.
fn symlink(found: &mut Found<'_>, written: &str, real: &str, writable: bool, field: &str) {
    let detail = format!("{written} leads to {real}");
    if found.facts.is_engine_socket(real) {
        found.add(Check::MountEngineSocket, field, &detail);
    }
    if !writable && real.starts_with(ZONES) {
        return;
    }
    let listed = listed(found, real);
    if listed.is_empty() {
        found.add(Check::MountSymlink, field, &detail);
    } else {
        let is_writable = listed.iter().any(|entry| entry.writable);
        found.add_if(writable && !is_writable, Check::MountWritable, field, &detail);
    }
    sensitive(found, (real, &detail), writable, &listed, field);
}

/// Judges a sensitive path, which only an entry that names it opens.
fn sensitive(found: &mut Found<'_>, (path, shown): (&str, &str), writable: bool, listed: &[Listed], field: &str) {
    let is_writable = listed.iter().any(|entry| entry.writable);
    // A broad entry does not let a sensitive path be written because a narrow one lets it be read.
    let is_named = listed.iter().any(|entry| entry.names && (entry.writable || !writable || !is_writable));
    found.add_if(is_sensitive(path) && !is_named, Check::MountSensitive, field, shown);
}

/// An entry of `binds` that lists a path.
struct Listed {
    /// Whether it lets the path be written.
    writable: bool,
    /// Whether it means the path as the sensitive one it may be.
    names: bool,
}

fn listed(found: &Found<'_>, path: &str) -> Vec<Listed> {
    let fixed = found.profile.binds.iter().filter_map(|bind| Some((bind.fixed.as_ref()?, bind.writable)));
    let own = found.own_binds.get_or_init(|| {
        // The ids of a container are nobody's here, and have no home.
        let peer = found.unix_peer().filter(|peer| peer.is_on_host());
        let home = peer.and_then(|peer| peer.home.as_deref()).and_then(|home| home.to_str());
        let user = peer.and_then(|peer| peer.user.as_deref());
        let own = found.profile.binds.iter().filter(|bind| bind.fixed.is_none());
        own.filter_map(|bind| Some((bind.of_caller(user, home)?, bind.writable))).collect()
    });
    let all = fixed.chain(own.iter().map(|(paths, writable)| (paths, *writable)));
    let fitting = all.filter(|(paths, _)| paths.lists(path));
    fitting.map(|(paths, writable)| Listed { writable, names: paths.names(path) }).collect()
}
