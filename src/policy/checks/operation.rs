//! Which endpoint is called, by whom, and the bodies that are not a container's.

use super::{Found, container, image, mounts, network, podman, service, stored, top};
use crate::peer::Peer;
use crate::policy::Check;
use crate::policy::mount::reaches_host;
use crate::request::{Body, Build, Call, Class, NetworkCreate, Operation, VolumeCreate};

/// Everything about a call.
pub(in crate::policy) fn check(found: &mut Found<'_>, call: &Call<'_>) {
    for odd in call.all_irregularities() {
        found.add(Check::of_irregular(odd.kind), &odd.field, &odd.detail);
    }
    found.find_joinable();
    endpoint(found, call);
    checkpoint(found, call);
    top::check(found, call);
    image::check(found, call);
    match &call.body {
        Body::Unread | Body::ExecStart(_) | Body::CheckpointCreate(_) | Body::NetworkDisconnect(_) => {}
        Body::ContainerCreate(create) => container::create(found, create, found.facts.known.image.as_ref()),
        Body::ContainerStart(host) => container::host_config(found, host, "HostConfig"),
        Body::ContainerUpdate(update) => container::update(found, update),
        Body::ExecCreate(exec) => container::exec(found, exec),
        Body::VolumeCreate(volume) => volume_create(found, volume),
        Body::NetworkCreate(create) => network_create(found, create),
        Body::NetworkConnect(connect) => {
            network::join(found, call.asked.resource.as_deref().unwrap_or_default(), "path");
            network::driver_options(found, &connect.driver_options, "EndpointConfig");
        }
        Body::ServiceSpec(spec) => {
            service::spec(found, spec);
            let goes_back = call.asked.query.first("rollback") == Some("previous");
            found.add_if(goes_back, Check::ContainerUnseen, "query.rollback", "the earlier spec is not in the request");
        }
        Body::Build(options) => build(found, options),
    }
    podman::check(found, call);
    stored::check(found, call);
}

fn endpoint(found: &mut Found<'_>, call: &Call<'_>) {
    let asked = call.asked;
    let class = asked.class();
    // Bytes that never became a request have said so.
    let unreadable = asked.operation == Operation::Unknown && !asked.irregularities.is_empty();
    if class == Class::Unknown {
        found.add_if(!unreadable, Check::ApiUnknown, "path", "no endpoint of the Engine API that is known");
    } else {
        opens(found, class, asked.operation.name(), "path");
    }
    if let (Some(version), Some(oldest)) = (asked.api_version, found.profile.min_api)
        && version < oldest
    {
        found.add(Check::RequestOldApi, "path", &format!("{version} is older than {oldest}; use a newer client"));
    }
    let reads = asked.method == http::Method::GET;
    let name = asked.operation.name();
    found.add_if(class == Class::Files, Check::ContainerFiles, "path", name);
    found.add_if(class == Class::ImagesMint, Check::ImageLoad, "path", name);
    found.add_if(class == Class::BuildSession, Check::BuildSession, "path", SESSION);
    found.add_if(class == Class::Plugins && !reads, Check::PluginInstall, "path", name);
    found.add_if(orders_swarm(asked.operation), Check::SwarmChange, "path", name);
    if asked.operation == Operation::ImageTag {
        let target = [asked.query.first("repo"), asked.query.first("tag")].map(Option::unwrap_or_default).join(":");
        found.add(Check::ImageTag, "query.repo", &target);
    }
    let remote = matches!(found.peer, Peer::Tcp(_) | Peer::Tls(_));
    found.add_if(remote, Check::PrincipalRemote, "peer", "came through a TCP door");
}

/// Checkpoints in folders of the host's, which the engine reads, writes and removes as root; a start may come from one, and
/// then CRIU takes the process, its privileges and its files from what is there.
fn checkpoint(found: &mut Found<'_>, call: &Call<'_>) {
    let asked = call.asked;
    let start_from = asked.query.first("checkpoint").filter(|name| !name.is_empty());
    if let Some(name) = start_from.filter(|_| asked.operation == Operation::ContainerStart) {
        opens(found, Class::Checkpoints, name, "query.checkpoint");
    }
    if let Some((field, folder)) = call.checkpoint_folder() {
        // Listing makes the folder.
        mounts::host_path(found, folder, true, field);
    }
}

/// Reports what belongs to a class of endpoints that the profile does not open.
pub(super) fn opens(found: &mut Found<'_>, class: Class, what: &str, field: &str) {
    let opened = found.profile.opens(class);
    found.add_if(!opened, Check::ApiNotAllowed, field, &format!("{} ({what})", class.name()));
}

/// Whether a call changes who belongs to the swarm and who manages it, or hands out what lets others do so: a manager
/// elsewhere places tasks on this host past the gate.
const fn orders_swarm(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::SwarmInspect
            | Operation::SwarmUnlockkey
            | Operation::SwarmInit
            | Operation::SwarmJoin
            | Operation::SwarmLeave
            | Operation::SwarmUpdate
            | Operation::SwarmUnlock
            | Operation::NodeUpdate
            | Operation::NodeDelete
            // Only the swarm's own volumes can be changed.
            | Operation::VolumeUpdate
    )
}

/// Both ways on, for whoever meets this.
const SESSION: &str = "BuildKit's gRPC cannot be judged: set DOCKER_BUILDKIT=0, or \"build.session\" = \"warn\" in the profile's reactions";

fn build(found: &mut Found<'_>, build: &Build) {
    let mode = build.network_mode.as_deref().unwrap_or_default();
    let own = !matches!(mode, "" | "default" | "bridge" | "none");
    found.add_if(own, Check::BuildNetwork, "query.networkmode", mode);
    if let Some(remote) = build.remote.as_deref().filter(|remote| !remote.is_empty() && *remote != "client-session") {
        found.add(Check::BuildRemote, "query.remote", image::scheme(remote));
    }
    let session = build.buildkit || build.session.is_some();
    found.add_if(session, Check::BuildSession, "query.version", SESSION);
    let parent = build.cgroup_parent.as_deref().unwrap_or_default();
    found.add_if(!parent.is_empty(), Check::CgroupParent, "query.cgroupparent", parent);
    let guards = build.security_opt.as_deref().unwrap_or_default();
    let weakened = !matches!(guards, "" | "[]" | "null");
    found.add_if(weakened, Check::SecuritySeccomp, "query.securityopt", guards);
    let outputs = build.outputs.as_deref().unwrap_or_default();
    found.add_if(!matches!(outputs, "" | "[]" | "null"), Check::ImageTag, "query.outputs", "an output of its own");
}

fn volume_create(found: &mut Found<'_>, volume: &VolumeCreate<'_>) {
    if let Some(what) = reaches_host(volume.driver.as_deref(), &volume.driver_options) {
        found.add(Check::MountVolumeDriver, "DriverOpts", &what);
        if what.starts_with('/') {
            found.add(Check::VolumeHostPath, "DriverOpts", &what);
            mounts::host_path(found, &what, true, "DriverOpts");
        }
    }
    found.add_if(volume.cluster, Check::SwarmChange, "ClusterVolumeSpec", "a cluster volume");
}

fn network_create(found: &mut Found<'_>, create: &NetworkCreate<'_>) {
    let driver = create.driver.as_deref().unwrap_or_default();
    // An overlay is the swarm's own network.
    let bridged = matches!(driver, "" | "bridge" | "null") || driver == "overlay" && found.profile.opens(Class::Swarm);
    found.add_if(!bridged, Check::NetworkNotAllowed, "Driver", driver);
    for (name, _value) in &create.options {
        let on_host = matches!(name.as_ref(), "parent" | "com.docker.network.bridge.name");
        found.add_if(on_host, Check::NetworkNotAllowed, "Options", name);
    }
    let ipam = create.ipam_driver.as_deref().unwrap_or_default();
    found.add_if(!matches!(ipam, "" | "default" | "null"), Check::NetworkNotAllowed, "IPAM.Driver", ipam);
    for subnet in create.subnets.iter().filter(|subnet| !network::is_private(subnet)) {
        let detail = format!("{subnet}: addresses of others, which this host would then look for in the container");
        found.add(Check::NetworkNotAllowed, "IPAM.Config.Subnet", &detail);
    }
    let from = create.config_from.as_deref().unwrap_or_default();
    found.add_if(!from.is_empty(), Check::NetworkNotAllowed, "ConfigFrom", from);
    let swarm = create.scope.as_deref() == Some("swarm");
    found.add_if(swarm, Check::SwarmChange, "Scope", "swarm");
}
