//! What a call acts on, as the engine has it: whoever made it and however, it meets the same checks as a create.

use super::{Found, WITHIN_CONTAINER, WITHIN_EXEC, container, mounts, podman};
use crate::policy::Check;
use crate::policy::facts::Stored;
use crate::request::{Call, ContainerCreate, Irregular, Operation, Text, stored_container};

/// Judges the container or exec behind a call that makes use of it.
pub(super) fn check(found: &mut Found<'_>, call: &Call<'_>) {
    let known = found.facts.known;
    for what in &known.missing {
        found.add(Check::FactsMissing, "engine", what);
    }
    ownership(found, call);
    if !call.asked.operation.uses_container() {
        return;
    }
    if let Some(stored) = &known.container {
        if known.maker.is_none() {
            podman::unseen(found, stored);
        }
        found.within = WITHIN_CONTAINER;
        container(found, stored);
        found.within = "";
    }
    if let Some(exec) = &known.exec {
        found.within = WITHIN_EXEC;
        container::exec_rights(found, exec.privileged, &exec.user);
        found.within = "";
    }
}

/// Whose the container is, and whether it still is what was judged when it was made.
fn ownership(found: &mut Found<'_>, call: &Call<'_>) {
    if found.profile.own_only && OTHERS.contains(&call.asked.operation) {
        found.add(Check::ContainerForeign, "path", "tells or removes what others made");
    }
    if found.profile.own_only && is_sent_as_it_came(call) && (call.asked.is_narrowed() || call.target().is_some()) {
        found.add(
            Check::ContainerForeign,
            "path",
            "has two readings, so that it cannot be narrowed to what is one's own",
        );
    }
    let known = found.facts.known;
    let Some(stored) = &known.container else { return };
    match &known.maker {
        None => found.add(Check::ContainerUnseen, "path", &format!("{} was not made through this gate", stored.name)),
        Some(maker) if maker.principal != found.principal => {
            found.add(Check::ContainerForeign, "path", &format!("{} was made by {}", stored.name, maker.principal));
        }
        Some(_own) => {}
    }
    let judged = known.maker.as_ref().and_then(|maker| maker.image_id.as_deref());
    if let Some(judged) = judged.filter(|judged| *judged != stored.image.id) {
        let detail = format!("was judged with {judged}, and has {}", stored.image.id);
        found.add(Check::ImageChanged, "container.Image", &detail);
    }
}

/// Whether the engine gets the client's own bytes, if a policy lets it: see [`crate::policy::Verdict::permit`].
fn is_sent_as_it_came(call: &Call<'_>) -> bool {
    call.all_irregularities().any(|odd| odd.kind != Irregular::UnknownField)
}

/// What cannot be narrowed to a principal's own containers: nobody notes who made a service.
const OTHERS: [Operation; 10] = [
    Operation::SystemDataUsage,
    Operation::BuildPrune,
    Operation::ServiceList,
    Operation::ServiceInspect,
    Operation::ServiceLogs,
    Operation::ServiceUpdate,
    Operation::ServiceDelete,
    Operation::TaskList,
    Operation::TaskInspect,
    Operation::TaskLogs,
];

/// Judges a container as the engine has it.
pub(super) fn container(found: &mut Found<'_>, stored: &Stored) {
    let Some(mut container) = stored_container(&stored.body) else {
        found.add(Check::FactsMissing, "Config", "the engine's view of the container cannot be read");
        return;
    };
    without_defaults(&mut container, found.facts.known.engine.cgroup_v1);
    container::create(found, &container, Some(&stored.image));
    mounts::stored(found, &stored.mounts, &container.host);
}

/// What every engine since 19.03 masks, and what it mounts read-only; newer ones add to it.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Takes out what the engine itself fills in where a request says nothing.
fn without_defaults(container: &mut ContainerCreate<'_>, cgroup_v1: bool) {
    let host = &mut container.host;
    if cgroup_v1 && host.cgroupns_mode.as_deref() == Some("host") {
        host.cgroupns_mode = None;
    }
    // What is privileged or shares these with the host has a finding of its own, and no label could confine it.
    let is_host = |mode: &Option<Text<'_>>| mode.as_deref() == Some("host");
    let is_unlabelled = host.privileged || is_host(&host.pid_mode) || is_host(&host.ipc_mode);
    if is_unlabelled && matches!(host.security_opt.as_slice(), [option] if option == "label=disable") {
        host.security_opt.clear();
    }
    let holds_all = |paths: &Vec<Text<'_>>, all: &[&str]| all.iter().all(|path| paths.iter().any(|held| held == path));
    host.masked_paths.take_if(|paths| holds_all(paths, &MASKED));
    host.readonly_paths.take_if(|paths| holds_all(paths, &READ_ONLY));
}
