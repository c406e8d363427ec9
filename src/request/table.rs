//! The route table: the engine's own patterns, matched as `gorilla/mux` matches them.
//!
//! The engine routes by ordered patterns whose `{name:.*}` may hold slashes, not by segments: `POST
//! /containers/create/start` starts a container named `create`. All patterns but that of `OPTIONS` begin with a literal
//! noun, so the order, which the engine keeps over its whole list, matters only within a noun.

use http::Method;

use super::Operation;
use super::Operation as Op;
use Verb::{Delete, Get, Head, Options, Post, Put};

/// A method some route is registered for. Methods are case-sensitive, and `GET` does not imply `HEAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Delete,
    Get,
    Head,
    Options,
    Post,
    Put,
}

/// One pattern of the table: a literal head, what varies, and a literal tail.
#[derive(Debug)]
pub(super) struct Route {
    verb: Verb,
    head: &'static str,
    varies: Varies,
    tail: &'static str,
    operation: Operation,
}

/// What stands between the head and the tail of a pattern.
#[derive(Debug, Clone, Copy)]
enum Varies {
    /// Nothing.
    Nothing,
    /// `{name:.*}`: anything but a newline, slashes and emptiness included.
    Rest,
    /// `{id:.+}`: as `Rest`, but not empty.
    NotEmpty,
    /// `{id}`: one segment.
    Segment,
    /// `{name}`, a literal, `{checkpoint}`.
    Two(&'static str),
}

/// What a path was found to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'p> {
    pub(super) operation: Operation,
    pub(super) route: Option<&'static Route>,
    /// The first thing that varies.
    pub(super) resource: Option<&'p str>,
    /// The second one.
    pub(super) checkpoint: Option<&'p str>,
}

/// Finds the operation of a canonical, decoded path without its version.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    let unknown = Found { operation: Operation::Unknown, route: None, resource: None, checkpoint: None };
    let noun = path.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let Some(verb) = Verb::of(method) else {
        return match noun {
            "libpod" => Found { operation: Operation::Libpod, ..unknown },
            _ => unknown,
        };
    };
    let routes = if verb == Options { OPTIONS } else { routes_of(noun) };
    let found = routes.iter().find_map(|route| route.matches(verb, path));
    match found {
        Some(found) => found,
        None if noun == "libpod" => Found { operation: Operation::Libpod, ..unknown },
        None => unknown,
    }
}

impl Verb {
    fn of(method: &Method) -> Option<Self> {
        match method.as_str() {
            "GET" => Some(Get),
            "HEAD" => Some(Head),
            "POST" => Some(Post),
            "PUT" => Some(Put),
            "DELETE" => Some(Delete),
            "OPTIONS" => Some(Options),
            _ => None,
        }
    }
}

impl Route {
    fn matches<'p>(&'static self, verb: Verb, path: &'p str) -> Option<Found<'p>> {
        if self.verb != verb {
            return None;
        }
        let varying = path.strip_prefix(self.head)?.strip_suffix(self.tail)?;
        let (resource, checkpoint) = match self.varies {
            Varies::Nothing => varying.is_empty().then_some((None, None))?,
            Varies::Rest => (!varying.contains('\n')).then_some((Some(varying), None))?,
            Varies::NotEmpty => (!varying.is_empty() && !varying.contains('\n')).then_some((Some(varying), None))?,
            Varies::Segment => is_segment(varying).then_some((Some(varying), None))?,
            Varies::Two(between) => {
                let (first, second) = varying.split_once(between)?;
                (is_segment(first) && is_segment(second)).then_some((Some(first), Some(second)))?
            }
        };
        Some(Found { operation: self.operation, route: Some(self), resource, checkpoint })
    }

    /// Gives the pattern's literals and what varies, in the order in which they make the path.
    pub(super) fn spell<'a>(&'a self, resource: &'a str, checkpoint: &'a str) -> [&'a str; 5] {
        match self.varies {
            Varies::Nothing => [self.head, self.tail, "", "", ""],
            Varies::Rest | Varies::NotEmpty | Varies::Segment => [self.head, resource, self.tail, "", ""],
            Varies::Two(between) => [self.head, resource, between, checkpoint, self.tail],
        }
    }
}

fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

const fn exact(verb: Verb, path: &'static str, operation: Operation) -> Route {
    Route { verb, head: path, varies: Varies::Nothing, tail: "", operation }
}

const fn rest(verb: Verb, head: &'static str, tail: &'static str, operation: Operation) -> Route {
    Route { verb, head, varies: Varies::Rest, tail, operation }
}

const fn segment(verb: Verb, head: &'static str, tail: &'static str, operation: Operation) -> Route {
    Route { verb, head, varies: Varies::Segment, tail, operation }
}

/// The routes whose paths begin with a noun.
fn routes_of(noun: &str) -> &'static [Route] {
    match noun {
        "_ping" | "version" | "info" | "events" | "auth" | "system" => SYSTEM,
        "containers" => CONTAINERS,
        "exec" => EXEC,
        "commit" | "images" | "distribution" => IMAGES,
        "build" | "session" | "grpc" | "moby.buildkit.v1.Control" => BUILD,
        "volumes" => VOLUMES,
        "networks" => NETWORKS,
        "swarm" => SWARM,
        "services" => SERVICES,
        "nodes" => NODES,
        "tasks" => TASKS,
        "secrets" => SECRETS,
        "configs" => CONFIGS,
        "plugins" => PLUGINS,
        "debug" => DEBUG,
        _ => &[],
    }
}

const OPTIONS: &[Route] = &[rest(Options, "/", "", Op::SystemOptions)];

const SYSTEM: &[Route] = &[
    exact(Get, "/_ping", Op::SystemPing),
    exact(Head, "/_ping", Op::SystemPing),
    exact(Get, "/events", Op::SystemEvents),
    exact(Get, "/info", Op::SystemInfo),
    exact(Get, "/version", Op::SystemVersion),
    exact(Get, "/system/df", Op::SystemDataUsage),
    exact(Post, "/auth", Op::SystemAuth),
];

const CONTAINERS: &[Route] = &[
    // Before the others, as in the engine: `DELETE /containers/{name:.*}` would take the last one.
    rest(Get, "/containers/", "/checkpoints", Op::CheckpointList),
    rest(Post, "/containers/", "/checkpoints", Op::CheckpointCreate),
    Route {
        verb: Delete,
        head: "/containers/",
        varies: Varies::Two("/checkpoints/"),
        tail: "",
        operation: Op::CheckpointDelete,
    },
    rest(Head, "/containers/", "/archive", Op::ContainerArchiveInfo),
    exact(Get, "/containers/json", Op::ContainerList),
    rest(Get, "/containers/", "/export", Op::ContainerExport),
    rest(Get, "/containers/", "/changes", Op::ContainerChanges),
    rest(Get, "/containers/", "/json", Op::ContainerInspect),
    rest(Get, "/containers/", "/top", Op::ContainerTop),
    rest(Get, "/containers/", "/logs", Op::ContainerLogs),
    rest(Get, "/containers/", "/stats", Op::ContainerStats),
    rest(Get, "/containers/", "/attach/ws", Op::ContainerAttachWebsocket),
    rest(Get, "/containers/", "/archive", Op::ContainerArchive),
    exact(Post, "/containers/create", Op::ContainerCreate),
    rest(Post, "/containers/", "/kill", Op::ContainerKill),
    rest(Post, "/containers/", "/pause", Op::ContainerPause),
    rest(Post, "/containers/", "/unpause", Op::ContainerUnpause),
    rest(Post, "/containers/", "/restart", Op::ContainerRestart),
    rest(Post, "/containers/", "/start", Op::ContainerStart),
    rest(Post, "/containers/", "/stop", Op::ContainerStop),
    rest(Post, "/containers/", "/wait", Op::ContainerWait),
    rest(Post, "/containers/", "/resize", Op::ContainerResize),
    rest(Post, "/containers/", "/attach", Op::ContainerAttach),
    rest(Post, "/containers/", "/copy", Op::ContainerCopy),
    rest(Post, "/containers/", "/exec", Op::ContainerExec),
    rest(Post, "/containers/", "/rename", Op::ContainerRename),
    rest(Post, "/containers/", "/update", Op::ContainerUpdate),
    exact(Post, "/containers/prune", Op::ContainerPrune),
    rest(Put, "/containers/", "/archive", Op::PutContainerArchive),
    rest(Delete, "/containers/", "", Op::ContainerDelete),
];

const EXEC: &[Route] = &[
    rest(Get, "/exec/", "/json", Op::ExecInspect),
    rest(Post, "/exec/", "/start", Op::ExecStart),
    rest(Post, "/exec/", "/resize", Op::ExecResize),
];

const IMAGES: &[Route] = &[
    exact(Post, "/commit", Op::ImageCommit),
    exact(Get, "/images/json", Op::ImageList),
    exact(Get, "/images/search", Op::ImageSearch),
    exact(Get, "/images/get", Op::ImageGetAll),
    rest(Get, "/images/", "/get", Op::ImageGet),
    rest(Get, "/images/", "/history", Op::ImageHistory),
    rest(Get, "/images/", "/json", Op::ImageInspect),
    rest(Get, "/images/", "/attestations", Op::ImageAttestations),
    exact(Post, "/images/load", Op::ImageLoad),
    exact(Post, "/images/create", Op::ImageCreate),
    rest(Post, "/images/", "/push", Op::ImagePush),
    rest(Post, "/images/", "/tag", Op::ImageTag),
    exact(Post, "/images/prune", Op::ImagePrune),
    rest(Delete, "/images/", "", Op::ImageDelete),
    rest(Get, "/distribution/", "/json", Op::DistributionInspect),
];

const BUILD: &[Route] = &[
    exact(Post, "/build", Op::ImageBuild),
    exact(Post, "/build/prune", Op::BuildPrune),
    exact(Post, "/build/cancel", Op::BuildCancel),
    exact(Post, "/session", Op::Session),
    exact(Post, "/grpc", Op::Grpc),
    // Not a route: engine 29 takes it before its router, over HTTP/2 only.
    segment(Post, "/moby.buildkit.v1.Control/", "", Op::Grpc),
];

const VOLUMES: &[Route] = &[
    exact(Get, "/volumes", Op::VolumeList),
    rest(Get, "/volumes/", "", Op::VolumeInspect),
    exact(Post, "/volumes/create", Op::VolumeCreate),
    exact(Post, "/volumes/prune", Op::VolumePrune),
    rest(Put, "/volumes/", "", Op::VolumeUpdate),
    rest(Delete, "/volumes/", "", Op::VolumeDelete),
];

const NETWORKS: &[Route] = &[
    exact(Get, "/networks", Op::NetworkList),
    exact(Get, "/networks/", Op::NetworkList),
    Route { verb: Get, head: "/networks/", varies: Varies::NotEmpty, tail: "", operation: Op::NetworkInspect },
    exact(Post, "/networks/create", Op::NetworkCreate),
    rest(Post, "/networks/", "/connect", Op::NetworkConnect),
    rest(Post, "/networks/", "/disconnect", Op::NetworkDisconnect),
    exact(Post, "/networks/prune", Op::NetworkPrune),
    rest(Delete, "/networks/", "", Op::NetworkDelete),
];

const SWARM: &[Route] = &[
    exact(Post, "/swarm/init", Op::SwarmInit),
    exact(Post, "/swarm/join", Op::SwarmJoin),
    exact(Post, "/swarm/leave", Op::SwarmLeave),
    exact(Get, "/swarm", Op::SwarmInspect),
    exact(Get, "/swarm/unlockkey", Op::SwarmUnlockkey),
    exact(Post, "/swarm/update", Op::SwarmUpdate),
    exact(Post, "/swarm/unlock", Op::SwarmUnlock),
];

const SERVICES: &[Route] = &[
    exact(Get, "/services", Op::ServiceList),
    segment(Get, "/services/", "", Op::ServiceInspect),
    exact(Post, "/services/create", Op::ServiceCreate),
    segment(Post, "/services/", "/update", Op::ServiceUpdate),
    segment(Delete, "/services/", "", Op::ServiceDelete),
    segment(Get, "/services/", "/logs", Op::ServiceLogs),
];

const NODES: &[Route] = &[
    exact(Get, "/nodes", Op::NodeList),
    segment(Get, "/nodes/", "", Op::NodeInspect),
    segment(Delete, "/nodes/", "", Op::NodeDelete),
    segment(Post, "/nodes/", "/update", Op::NodeUpdate),
];

const TASKS: &[Route] = &[
    exact(Get, "/tasks", Op::TaskList),
    segment(Get, "/tasks/", "", Op::TaskInspect),
    segment(Get, "/tasks/", "/logs", Op::TaskLogs),
];

const SECRETS: &[Route] = &[
    exact(Get, "/secrets", Op::SecretList),
    exact(Post, "/secrets/create", Op::SecretCreate),
    segment(Delete, "/secrets/", "", Op::SecretDelete),
    segment(Get, "/secrets/", "", Op::SecretInspect),
    segment(Post, "/secrets/", "/update", Op::SecretUpdate),
];

const CONFIGS: &[Route] = &[
    exact(Get, "/configs", Op::ConfigList),
    exact(Post, "/configs/create", Op::ConfigCreate),
    segment(Delete, "/configs/", "", Op::ConfigDelete),
    segment(Get, "/configs/", "", Op::ConfigInspect),
    segment(Post, "/configs/", "/update", Op::ConfigUpdate),
];

const PLUGINS: &[Route] = &[
    exact(Get, "/plugins", Op::PluginList),
    rest(Get, "/plugins/", "/json", Op::PluginInspect),
    exact(Get, "/plugins/privileges", Op::GetPluginPrivileges),
    rest(Delete, "/plugins/", "", Op::PluginDelete),
    rest(Post, "/plugins/", "/enable", Op::PluginEnable),
    rest(Post, "/plugins/", "/disable", Op::PluginDisable),
    exact(Post, "/plugins/pull", Op::PluginPull),
    rest(Post, "/plugins/", "/push", Op::PluginPush),
    rest(Post, "/plugins/", "/upgrade", Op::PluginUpgrade),
    rest(Post, "/plugins/", "/set", Op::PluginSet),
    exact(Post, "/plugins/create", Op::PluginCreate),
];

const DEBUG: &[Route] = &[
    exact(Get, "/debug/vars", Op::DebugVars),
    exact(Get, "/debug/pprof/", Op::DebugPprofIndex),
    segment(Get, "/debug/pprof/", "", Op::DebugPprof),
];
