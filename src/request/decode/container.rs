//! `POST /containers/create`, and the body that `start` had before API 1.24.

use super::host::{field as host_field, host_config};
use super::json::{Kind, Value};
use super::read::{keys, options, some_text};
use super::schema::{CONTAINER_CREATE, ENDPOINT, Shape};
use super::walk::fields;
use crate::request::{ContainerCreate, Endpoint};

/// What engines up to 26.1 read from the top level even beside a `HostConfig`.
const ALWAYS_FLAT: [&str; 5] = ["Memory", "MemorySwap", "CpuShares", "CpusetCpus", "VolumeDriver"];

/// Reads the body of a create. Engines up to 26.1 embed a whole `HostConfig` at the top level and use it where there is no
/// `HostConfig` proper, or a null one; engines from 27 on ignore it. It is read wherever some engine reads it.
pub(super) fn create<'a>(object: Value<'_, 'a>) -> ContainerCreate<'a> {
    let mut create = ContainerCreate::default();
    let mut has_host_config = false;
    let mut flat = Vec::new();
    for (name, value) in fields(object, CONTAINER_CREATE) {
        match name {
            "Image" => some_text(value, &mut create.image),
            "User" => some_text(value, &mut create.user),
            "WorkingDir" => some_text(value, &mut create.working_dir),
            "Volumes" => keys(value, &mut create.volumes),
            "ExposedPorts" => keys(value, &mut create.exposed_ports),
            "HostConfig" => {
                has_host_config |= value.kind() != Kind::Null;
                host_config(value, &mut create.host);
            }
            "NetworkingConfig" => networking(value, &mut create.endpoints),
            other => flat.push((other, value)),
        }
    }
    for (name, value) in flat {
        if !has_host_config || ALWAYS_FLAT.contains(&name) {
            create.flat |= host_field(name, value, &mut create.host);
        }
    }
    create
}

fn networking<'a>(object: Value<'_, 'a>, endpoints: &mut Vec<Endpoint<'a>>) {
    for (_, map) in fields(object, &[("EndpointsConfig", Shape::Any)]) {
        for (network, object) in map.members() {
            let mut endpoint = Endpoint { network, driver_options: Vec::new() };
            driver_options(object, &mut endpoint.driver_options);
            endpoints.push(endpoint);
        }
    }
}

/// `DriverOpts` of an endpoint.
pub(super) fn driver_options<'a>(
    object: Value<'_, 'a>,
    into: &mut Vec<(crate::request::Text<'a>, crate::request::Text<'a>)>,
) {
    for (name, value) in fields(object, ENDPOINT) {
        if name == "DriverOpts" {
            options(value, into);
        }
    }
}
