//! What a container is made of, and what it may use up.

use super::{Found, guards, mounts, network};
use crate::policy::Check;
use crate::policy::image::Image;
use crate::request::{ContainerCreate, ContainerUpdate, ExecCreate, HostConfig, RestartPolicy};

/// Everything about a create.
pub(super) fn create(found: &mut Found<'_>, create: &ContainerCreate<'_>) {
    image(found, create.image.as_deref().unwrap_or_default());
    host_config(found, &create.host, "HostConfig");
    mounts::anonymous(found, &create.volumes);
    network::endpoints(found, &create.endpoints);
    let user = create.user.as_deref().unwrap_or_default();
    let name = user.split(':').next().unwrap_or_default();
    found.add_if(
        is_root(name),
        Check::UserRoot,
        "User",
        if user.is_empty() { "not said, so the image's" } else { user },
    );
    working_dir(found, create.working_dir.as_deref());
}

/// Everything about a `HostConfig`, of a create or of a legacy start.
pub(super) fn host_config(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    guards::check(found, host, at);
    mounts::check(found, host, at);
    network::check(found, host, at);
    let unlimited = host.memory <= 0 || (host.nano_cpus <= 0 && host.cpu_quota <= 0) || host.pids_limit <= 0;
    found.add_if(unlimited, Check::ResourcesUnlimited, at, "set Memory, NanoCpus (--cpus) and PidsLimit");
    let parent = host.cgroup_parent.as_deref().or(host.cgroup.as_deref()).unwrap_or_default();
    found.add_if(!parent.is_empty(), Check::CgroupParent, &format!("{at}.CgroupParent"), parent);
    for (index, group) in host.group_add.iter().enumerate() {
        found.add(Check::GroupAdded, format!("{at}.GroupAdd[{index}]"), group);
    }
    if let Some(log) = &host.log_config {
        let harmless = matches!(log.kind.as_ref(), "" | "json-file" | "local" | "none" | "journald");
        found.add_if(!harmless, Check::LogDriver, &format!("{at}.LogConfig.Type"), &log.kind);
    }
    found.add_if(!host.readonly_rootfs, Check::RootfsWritable, &format!("{at}.ReadonlyRootfs"), "false");
    restart_policy(found, host.restart_policy.as_ref(), at);
    let runtime = host.runtime.as_deref().unwrap_or_default();
    let known = runtime.is_empty() || found.profile.runtimes.iter().any(|listed| listed == runtime);
    found.add_if(!known, Check::RuntimeOther, &format!("{at}.Runtime"), runtime);
}

fn image(found: &mut Found<'_>, text: &str) {
    let Some(image) = Image::parse(text) else {
        let detail = if text.is_empty() { "no image: an empty root file system" } else { text };
        found.add(Check::ImageNotAllowed, "Image", detail);
        return;
    };
    let listed = found.profile.images.iter().any(|pattern| pattern.lists(&image));
    found.add_if(!listed, Check::ImageNotAllowed, "Image", text);
    found.add_if(image.is_latest(), Check::ImageLatest, "Image", text);
    found.add_if(!image.is_pinned(), Check::ImageNotPinned, "Image", text);
}

/// An exec in a running container.
pub(super) fn exec(found: &mut Found<'_>, exec: &ExecCreate<'_>) {
    found.add_if(exec.privileged, Check::ExecPrivileged, "Privileged", "true");
    let user = exec.user.as_deref().unwrap_or_default();
    let is_said_root = !user.is_empty() && is_root(user.split(':').next().unwrap_or_default());
    found.add_if(is_said_root, Check::ExecUser, "User", user);
    working_dir(found, exec.working_dir.as_deref());
}

/// Limits and restart policy of a container that is there.
pub(super) fn update(found: &mut Found<'_>, update: &ContainerUpdate<'_>) {
    let lifted = update.memory.is_some_and(|bytes| bytes < 0) || update.pids_limit.is_some_and(|most| most <= 0);
    found.add_if(lifted, Check::ResourcesUnlimited, "body", "a limit is lifted");
    restart_policy(found, update.restart_policy.as_ref(), "body");
}

fn restart_policy(found: &mut Found<'_>, policy: Option<&RestartPolicy<'_>>, at: &str) {
    let name = policy.map_or("", |policy| policy.name.as_ref());
    let outlives = matches!(name, "always" | "unless-stopped");
    found.add_if(outlives, Check::RestartAlways, &format!("{at}.RestartPolicy.Name"), name);
}

/// With an old runc a working directory under `/proc` leads to the host's root (CVE-2024-21626).
fn working_dir(found: &mut Found<'_>, path: Option<&str>) {
    let path = path.unwrap_or_default();
    let cleaned = crate::policy::mount::clean(path);
    let under_proc = cleaned == "/proc" || cleaned.starts_with("/proc/");
    found.add_if(under_proc, Check::ProcessWorkingDir, "WorkingDir", path);
}

fn is_root(user: &str) -> bool {
    user.is_empty() || user == "root" || user.parse::<u32>().is_ok_and(|uid| uid == 0)
}
