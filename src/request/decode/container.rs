//! `POST /containers/create`, and the body that `start` had before API 1.24.

use super::host::Reader;
use super::json::{Kind, Value};
use super::read::{keys, names, options, some_text, without_guards, words};
use super::schema::{CONTAINER_CREATE, ENDPOINT, FLAT, NETWORKING};
use super::walk::{fields, numbered};
use crate::request::{ContainerCreate, Endpoint, HostConfig, Text};

/// A create as read.
#[derive(Debug)]
pub(super) struct Create<'a> {
    pub(super) create: ContainerCreate<'a>,
    /// Fields of `HostConfig` that are set beside it.
    pub(super) flat: Vec<&'static str>,
}

/// Reads the body of a create. Engines up to 26.1 embed a whole `HostConfig` at the top level and use it where there is no
/// `HostConfig` proper, or a null one; engines from 27 on ignore it. It is read wherever some engine reads it, and protects
/// from nothing.
pub(super) fn create<'a>(object: Value<'_, 'a>) -> Create<'a> {
    let Merged { mut create, flat, has_host_config } = merged(object);
    if !has_host_config {
        let host = &mut create.host;
        host.security_opt = without_guards(std::mem::take(&mut host.security_opt));
        host.cap_drop.clear();
        host.readonly_rootfs = false;
        (host.memory, host.nano_cpus, host.cpu_quota, host.pids_limit) = (0, 0, 0, 0);
    }
    Create { create, flat }
}

/// Reads the body of a legacy start, which is decoded into the same struct: a bare `HostConfig` is the flat form. Engines
/// that read it at all read the flat form too.
pub(super) fn start<'a>(object: Value<'_, 'a>) -> HostConfig<'a> {
    merged(object).create.host
}

/// A create with both of its `HostConfig`s in one.
#[derive(Debug)]
struct Merged<'a> {
    create: ContainerCreate<'a>,
    flat: Vec<&'static str>,
    has_host_config: bool,
}

fn merged<'a>(object: Value<'_, 'a>) -> Merged<'a> {
    let mut create = ContainerCreate::default();
    let mut host = Reader::default();
    let mut has_host_config = false;
    let mut flat = Vec::new();
    for (at, name, value) in numbered(object, CONTAINER_CREATE) {
        match name {
            "Image" => some_text(value, &mut create.image),
            "User" => some_text(value, &mut create.user),
            "WorkingDir" => some_text(value, &mut create.working_dir),
            "Entrypoint" => words(value, &mut create.entrypoint),
            "Cmd" => words(value, &mut create.cmd),
            "Env" => names(value, &mut create.env),
            "Labels" => options(value, &mut create.labels),
            "Volumes" => keys(value, &mut create.volumes),
            "ExposedPorts" => keys(value, &mut create.exposed_ports),
            "HostConfig" => {
                // A pointer, which a null resets.
                has_host_config = value.kind() != Kind::Null;
                if has_host_config { host.object(value) } else { host = host.anew() }
            }
            "NetworkingConfig" => networking(value, &mut create.endpoints),
            name if at >= FLAT => flat.push((name, value)),
            _harmless => {}
        }
    }
    if has_host_config {
        beside(&flat, &mut host.host);
    } else {
        flat.iter().for_each(|(name, value)| host.field(name, *value));
    }
    create.host = host.host;
    let flat: Vec<_> = flat.into_iter().filter(|(_, value)| !value.is_zero()).map(|(name, _)| name).collect();
    create.flat = !flat.is_empty();
    Merged { create, flat, has_host_config }
}

/// Beside a `HostConfig` those engines take a few fields, and only where it leaves them unset. One of them is a road to the
/// host; the others (`Memory`, `MemorySwap`, `CpuShares`, `CpusetCpus`) are limits, which newer engines do not set.
fn beside<'a>(flat: &[(&'static str, Value<'_, 'a>)], host: &mut HostConfig<'a>) {
    let mut outer = None;
    for (_, value) in flat.iter().filter(|(name, _)| *name == "VolumeDriver") {
        some_text(*value, &mut outer);
    }
    host.volume_driver = host.volume_driver.take().or(outer);
}

fn networking<'a>(object: Value<'_, 'a>, endpoints: &mut Vec<Endpoint<'a>>) {
    for (_, map) in fields(object, NETWORKING) {
        for (network, object) in map.members() {
            let mut endpoint = Endpoint { network, driver_options: Vec::new() };
            driver_options(object, &mut endpoint.driver_options);
            endpoints.push(endpoint);
        }
    }
}

/// `DriverOpts` of an endpoint.
pub(super) fn driver_options<'a>(object: Value<'_, 'a>, into: &mut Vec<(Text<'a>, Text<'a>)>) {
    for (name, value) in fields(object, ENDPOINT) {
        if name == "DriverOpts" {
            options(value, into);
        }
    }
}
