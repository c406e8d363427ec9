//! What Podman's socket reads that Docker's engines do not, in calls of Docker's API.

use super::{Found, mounts};
use crate::policy::Check;
use crate::policy::facts::Stored;
use crate::request::{Call, HostConfig, Operation};

/// Keys that some call of Docker's API takes in its query. Podman has others for the same calls, some of them roads to the
/// host: a push to a `destination` that is a file, builds with `addcaps`, `nsoptions`, `devices`, `rusagelogfile`.
const DOCKERS: &[&str] = &[
    "all",
    "author",
    "buildargs",
    "buildid",
    "cachefrom",
    "cgroupparent",
    "changes",
    "checkpoint",
    "checkpoint-dir",
    "comment",
    "condition",
    "container",
    "copyUIDGID",
    "cpuperiod",
    "cpuquota",
    "cpusetcpus",
    "cpusetmems",
    "cpushares",
    "dangling",
    "detachKeys",
    "details",
    "digests",
    "dir",
    "dockerfile",
    "extrahosts",
    "filters",
    "follow",
    "force",
    "forcerm",
    "fromImage",
    "fromSrc",
    "h",
    "identity",
    "insertDefaults",
    "isolation",
    "keep-storage",
    "labels",
    "limit",
    "link",
    "logs",
    "manifests",
    "max-used-space",
    "memory",
    "memswap",
    "message",
    "min-free-space",
    "name",
    "names",
    "networkmode",
    "noOverwriteDirNonDir",
    "nocache",
    "noprune",
    "one-shot",
    "outputs",
    "path",
    "pause",
    "platform",
    "platforms",
    "ps_args",
    "pull",
    "q",
    "quiet",
    "registryAuthFrom",
    "remote",
    "repo",
    "reserved-space",
    "rm",
    "rollback",
    "rotateManagerToken",
    "rotateManagerUnlockKey",
    "rotateWorkerToken",
    "scope",
    "securityopt",
    "session",
    "shared-size",
    "shmsize",
    "signal",
    "since",
    "size",
    "squash",
    "status",
    "stderr",
    "stdin",
    "stdout",
    "stream",
    "t",
    "tag",
    "tail",
    "target",
    "term",
    "timeout",
    "timestamps",
    "tty",
    "type",
    "ulimits",
    "until",
    "v",
    "verbose",
    "version",
    "w",
];

/// Whether a call is one to Docker and another to Podman, so that it must be known which of them is asked.
pub(in crate::policy) fn depends_on_engine(call: &Call<'_>) -> bool {
    let asked = call.asked;
    asked.operation.has_effect()
        && (asked.operation == Operation::SecretCreate || foreign(call).next().is_some() || isolation(call).is_some())
}

/// What Podman would read in a call beside what was judged.
pub(super) fn check(found: &mut Found<'_>, call: &Call<'_>) {
    if !found.facts.known.engine.podman || !call.asked.operation.has_effect() {
        return;
    }
    for key in foreign(call) {
        let detail = "no option of Docker's API, and maybe one of Podman's, which are not read here; leave it out";
        found.add(Check::RequestAmbiguous, format!("query.{key}"), detail);
    }
    if let Some(isolation) = isolation(call) {
        found.add(Check::RuntimeOther, "query.isolation", isolation);
    }
    let detail = "Podman's secrets may name a driver that runs commands on the host";
    found.add_if(call.asked.operation == Operation::SecretCreate, Check::RequestAmbiguous, "path", detail);
}

/// The file that a client wrote the id to, which Podman removes as root when the container goes.
pub(super) fn host_config(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    if found.facts.known.engine.podman && !host.container_id_file.is_empty() {
        mounts::host_path(found, &host.container_id_file, true, &format!("{at}.ContainerIDFile"));
    }
}

/// Podman's answers leave out that a container has the host's IPC or cgroup namespace, unmasked paths, overlays of host
/// folders, device rules and annotations: one that was not judged when it was made cannot be judged now.
pub(super) fn unseen(found: &mut Found<'_>, stored: &Stored) {
    if found.facts.known.engine.podman {
        let detail = format!("{} was not made through this gate, and Podman does not tell all of it", stored.name);
        found.add(Check::FactsMissing, "container", &detail);
    }
}

fn foreign<'c>(call: &'c Call<'_>) -> impl Iterator<Item = &'c str> {
    call.asked.query.firsts().into_keys().filter(|key| !DOCKERS.contains(key))
}

/// How a build's steps are to be kept apart: Podman takes `chroot`, which is hardly at all. Docker on Linux has the default only.
fn isolation<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    let isolation = call.asked.query.first("isolation").filter(|_| call.asked.operation == Operation::ImageBuild)?;
    (!matches!(isolation, "" | "default" | "oci")).then_some(isolation)
}
