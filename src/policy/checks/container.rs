//! What a container is made of, and what it may use up.

use super::{Found, guards, mounts, network, podman};
use crate::policy::Check;
use crate::policy::facts::HeldImage;
use crate::policy::image::{Image, ImagePattern};
use crate::policy::mount::log_paths;
use crate::policy::profile::ImageProof;
use crate::request::{ContainerCreate, ContainerUpdate, ExecCreate, HostConfig, LogConfig, RestartPolicy, Text};

/// Annotations by which a runtime is told to run something else, to add devices, or what systemd is to do as root when the
/// container's scope ends (`SuccessAction`, as in CVE-2024-3154).
const RUNTIME_ANNOTATIONS: [&str; 6] =
    ["cdi.k8s.io/", "dev.gvisor.", "io.katacontainers.", "module.wasm.", "org.systemd.property.", "run.oci."];

/// Everything about a create, or about a container as the engine has it. `held` is its image, if the engine holds it.
pub(super) fn create(found: &mut Found<'_>, create: &ContainerCreate<'_>, held: Option<&HeldImage>) {
    image(found, create.image.as_deref().unwrap_or_default(), held, "Image");
    host_config(found, &create.host, "HostConfig");
    mounts::anonymous(found, &create.volumes);
    network::endpoints(found, &create.endpoints);
    if create.flat {
        // Engines from 27 on ignore the network it names.
        network::join(found, "bridge", "NetworkMode");
    }
    user(found, create.user.as_deref(), "User");
    working_dir(found, create.working_dir.as_deref(), "WorkingDir");
}

/// Everything about a `HostConfig`, of a create or of a legacy start.
pub(super) fn host_config(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    guards::check(found, host, at);
    mounts::check(found, host, at);
    network::check(found, host, at);
    let unlimited = host.memory <= 0 || (host.nano_cpus <= 0 && host.cpu_quota <= 0) || host.pids_limit <= 0;
    found.add_if(unlimited, Check::ResourcesUnlimited, at, "set Memory, NanoCpus (--cpus) and PidsLimit");
    let spared = host.oom_kill_disable || host.oom_score_adj < 0;
    found.add_if(spared, Check::ResourcesUnlimited, at, "others are killed first: OomKillDisable, OomScoreAdj");
    let parent = host.cgroup_parent.as_deref().or(host.cgroup.as_deref()).unwrap_or_default();
    found.add_if(!parent.is_empty(), Check::CgroupParent, &format!("{at}.CgroupParent"), parent);
    podman::host_config(found, host, at);
    groups(found, &host.group_add, &format!("{at}.GroupAdd"));
    log_driver(found, host.log_config.as_ref(), &format!("{at}.LogConfig.Type"));
    for path in log_paths(host.log_config.as_ref()) {
        mounts::host_path(found, path, true, &format!("{at}.LogConfig.Config.path"));
    }
    found.add_if(!host.readonly_rootfs, Check::RootfsWritable, &format!("{at}.ReadonlyRootfs"), "false");
    restart_policy(found, host.restart_policy.as_ref(), at);
    let runtime = host.runtime.as_deref().unwrap_or_default();
    // Podman's word for whatever runtime a container has.
    let is_podmans = runtime == "oci" && found.facts.known.engine.podman;
    let known = runtime.is_empty() || is_podmans || found.profile.runtimes.iter().any(|listed| listed == runtime);
    found.add_if(!known, Check::RuntimeOther, &format!("{at}.Runtime"), runtime);
    for (name, _value) in &host.annotations {
        if RUNTIME_ANNOTATIONS.iter().any(|start| name.starts_with(start)) {
            found.add(Check::RuntimeOther, format!("{at}.Annotations.{name}"), name);
        }
    }
}

/// An image by the name a request gives it, and by what the engine holds under that name; that of a mount is judged like
/// that of a container.
pub(super) fn image(found: &mut Found<'_>, text: &str, held: Option<&HeldImage>, field: &str) {
    let Some(image) = Image::parse(text).map(|image| image.known_as(text, held)) else {
        let detail = if text.is_empty() { "no image: an empty root file system" } else { text };
        found.add(Check::ImageNotAllowed, field, detail);
        return;
    };
    if matches!(image, Image::IdPrefix) {
        let detail = format!("{text}: may be an id or a name; write the whole id, or a tag");
        found.add(Check::ImageNotAllowed, field, &detail);
    } else {
        listed(found, &image, text, held, field);
    }
    found.add_if(image.is_latest(), Check::ImageLatest, field, text);
    found.add_if(!image.is_pinned(), Check::ImageNotPinned, field, text);
}

/// Whether an image is on the list, and where the profile asks for proof, whether the engine got it from there.
fn listed(found: &mut Found<'_>, image: &Image, text: &str, held: Option<&HeldImage>, field: &str) {
    let profile = found.profile;
    let by_id = held.map(|held| Image::Id(held.id.clone()));
    if by_id.is_some_and(|id| profile.images.iter().any(|pattern| pattern.lists(&id))) {
        return;
    }
    // GitLab Runner pulls by name and creates by id: what a listed registry gave is on the list under its id too.
    let engine = &found.facts.known.engine;
    // Podman too has a digest for every tag, pulled or not.
    let digests_prove = !engine.containerd_store && !engine.podman;
    let digests = held.filter(|_| digests_prove).map(|held| held.repo_digests.as_slice()).unwrap_or_default();
    let is_given = |pattern: &ImagePattern| digests.iter().any(|from| pattern.is_source(from));
    if matches!(image, Image::Id(_)) && profile.images.iter().any(|listed| listed.is_any_tag() && is_given(listed)) {
        return;
    }
    let mut listing = profile.images.iter().filter(|pattern| pattern.lists(image)).peekable();
    if listing.peek().is_none() {
        found.add(Check::ImageNotAllowed, field, text);
        return;
    }
    // What the engine does not hold it cannot run: it says so, and is asked again once it is pulled. A digest proves itself.
    let (Some(held), false, false) = (held, image.is_pinned(), profile.image_proof == ImageProof::Name) else { return };
    let proven = listing.any(is_given);
    let detail = format!("{text}: the engine holds {}, which no listed registry gave it", held.id);
    found.add_if(!proven, Check::ImageUnproven, field, &detail);
}

/// The user of the first process; absent, it is the image's.
pub(super) fn user(found: &mut Found<'_>, user: Option<&str>, field: &str) {
    let user = user.unwrap_or_default();
    let name = user.split(':').next().unwrap_or_default();
    let detail = if user.is_empty() { "not said, so the image's" } else { user };
    found.add_if(is_root(name), Check::UserRoot, field, detail);
}

pub(super) fn groups(found: &mut Found<'_>, groups: &[Text<'_>], field: &str) {
    for (index, group) in groups.iter().enumerate() {
        found.add(Check::GroupAdded, format!("{field}[{index}]"), group);
    }
}

/// A log driver that may reach out of the host, or is a plugin.
pub(super) fn log_driver(found: &mut Found<'_>, log: Option<&LogConfig<'_>>, field: &str) {
    let kind = log.map_or("", |log| log.kind.as_ref());
    let harmless = matches!(kind, "" | "json-file" | "local" | "none" | "journald");
    found.add_if(!harmless, Check::LogDriver, field, kind);
}

/// An exec in a running container.
pub(super) fn exec(found: &mut Found<'_>, exec: &ExecCreate<'_>) {
    exec_rights(found, exec.privileged, exec.user.as_deref().unwrap_or_default());
    working_dir(found, exec.working_dir.as_deref(), "WorkingDir");
}

/// What an exec may do, and as whom; no user is the container's own.
pub(super) fn exec_rights(found: &mut Found<'_>, privileged: bool, user: &str) {
    found.add_if(privileged, Check::ExecPrivileged, "Privileged", "true");
    let is_said_root = !user.is_empty() && is_root(user.split(':').next().unwrap_or_default());
    found.add_if(is_said_root, Check::ExecUser, "User", user);
}

/// Limits and restart policy of a container that is there.
pub(super) fn update(found: &mut Found<'_>, update: &ContainerUpdate<'_>) {
    let lifted = update.memory.is_some_and(|bytes| bytes < 0)
        || update.cpu_quota.is_some_and(|quota| quota < 0)
        || update.pids_limit.is_some_and(|most| most <= 0);
    found.add_if(lifted, Check::ResourcesUnlimited, "body", "a limit is lifted");
    restart_policy(found, update.restart_policy.as_ref(), "body");
}

fn restart_policy(found: &mut Found<'_>, policy: Option<&RestartPolicy<'_>>, at: &str) {
    let name = policy.map_or("", |policy| policy.name.as_ref());
    let outlives = matches!(name, "always" | "unless-stopped");
    found.add_if(outlives, Check::RestartAlways, &format!("{at}.RestartPolicy.Name"), name);
}

/// Links of a container's `/dev` to the descriptors of `/proc/self/fd`.
const DESCRIPTORS: [&str; 5] = ["/proc", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"];

/// With an old runc a working directory under `/proc` leads to the host's root (CVE-2024-21626).
pub(super) fn working_dir(found: &mut Found<'_>, path: Option<&str>, field: &str) {
    let path = path.unwrap_or_default();
    let cleaned = crate::policy::mount::clean(path);
    let is_below =
        |tree: &&str| cleaned.strip_prefix(*tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let under_proc = DESCRIPTORS.iter().any(is_below);
    found.add_if(under_proc, Check::ProcessWorkingDir, field, path);
}

/// Whether a user is root, or not said. The engine reads a number as Go's `Atoi`, for which `-0` is 0 too.
fn is_root(user: &str) -> bool {
    let digits = user.strip_prefix(['+', '-']).unwrap_or(user);
    user.is_empty() || user == "root" || !digits.is_empty() && digits.bytes().all(|byte| byte == b'0')
}
