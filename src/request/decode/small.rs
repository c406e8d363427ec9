//! The smaller bodies: exec, update, volumes, networks.

use super::container::driver_options;
use super::host::restart_policy;
use super::json::{Kind, Value};
use super::read::{flag, options, some_text, words};
use super::schema;
use super::walk::fields;
use crate::request::{
    CheckpointCreate, ContainerUpdate, ExecCreate, ExecStart, NetworkConnect, NetworkCreate, NetworkDisconnect, Text,
    VolumeCreate,
};

pub(super) fn exec_create<'a>(object: Value<'_, 'a>) -> ExecCreate<'a> {
    let mut exec = ExecCreate::default();
    for (name, value) in fields(object, schema::EXEC_CREATE) {
        match name {
            "Privileged" => flag(value, &mut exec.privileged),
            "User" => some_text(value, &mut exec.user),
            "WorkingDir" => some_text(value, &mut exec.working_dir),
            "Cmd" => words(value, &mut exec.cmd),
            _harmless => {}
        }
    }
    exec
}

pub(super) fn exec_start(object: Value<'_, '_>) -> ExecStart {
    let mut start = ExecStart::default();
    for (name, value) in fields(object, schema::EXEC_START) {
        match name {
            "Detach" => flag(value, &mut start.detach),
            "Tty" => flag(value, &mut start.tty),
            _harmless => {}
        }
    }
    start
}

pub(super) fn container_update<'a>(object: Value<'_, 'a>) -> ContainerUpdate<'a> {
    let mut update = ContainerUpdate::default();
    for (name, value) in fields(object, schema::CONTAINER_UPDATE) {
        match name {
            "RestartPolicy" => restart_policy(value, &mut update.restart_policy),
            // 0 keeps the limit that is there.
            "Memory" if value.kind() != Kind::Null => update.memory = value.integer().filter(|limit| *limit != 0),
            // A pointer in Go, which null resets.
            "PidsLimit" => update.pids_limit = value.integer(),
            "CpuQuota" if value.kind() != Kind::Null => update.cpu_quota = value.integer().filter(|quota| *quota != 0),
            _harmless => {}
        }
    }
    update
}

/// What would be a road to the host, stands in the engine's struct and is not looked at by an update. Clients send all of
/// that struct, so that only what says something counts.
pub(super) fn ignored_by_update(object: Value<'_, '_>) -> impl Iterator<Item = &'static str> {
    let ignored = ["CgroupParent", "DeviceCgroupRules", "DeviceRequests", "Devices"];
    let is_empty = |value: Value<'_, '_>| value.kind() == Kind::Array && value.elements().next().is_none();
    let says = move |value: Value<'_, '_>| !value.is_zero() && !is_empty(value);
    let named =
        fields(object, schema::CONTAINER_UPDATE).filter(move |(name, value)| ignored.contains(name) && says(*value));
    named.map(|(name, _)| name)
}

pub(super) fn checkpoint_create<'a>(object: Value<'_, 'a>) -> CheckpointCreate<'a> {
    let mut checkpoint = CheckpointCreate::default();
    for (name, value) in fields(object, schema::CHECKPOINT_CREATE) {
        if name == "CheckpointDir" {
            some_text(value, &mut checkpoint.dir);
        }
    }
    checkpoint
}

pub(super) fn volume_create<'a>(object: Value<'_, 'a>) -> VolumeCreate<'a> {
    let mut volume = VolumeCreate::default();
    for (name, value) in fields(object, schema::VOLUME_CREATE) {
        match name {
            "Name" => some_text(value, &mut volume.name),
            "Driver" => some_text(value, &mut volume.driver),
            "DriverOpts" => options(value, &mut volume.driver_options),
            "ClusterVolumeSpec" => volume.cluster |= value.kind() != Kind::Null,
            _harmless => {}
        }
    }
    volume
}

pub(super) fn network_create<'a>(object: Value<'_, 'a>) -> NetworkCreate<'a> {
    let mut network = NetworkCreate::default();
    for (name, value) in fields(object, schema::NETWORK_CREATE) {
        match name {
            "Name" => some_text(value, &mut network.name),
            "Driver" => some_text(value, &mut network.driver),
            "Scope" => some_text(value, &mut network.scope),
            "Options" => options(value, &mut network.options),
            // Pointers in Go, which null resets.
            "IPAM" if value.kind() == Kind::Null => network.ipam_driver = None,
            "ConfigFrom" if value.kind() == Kind::Null => network.config_from = None,
            "IPAM" => {
                for (name, value) in fields(value, schema::IPAM) {
                    match name {
                        "Driver" => some_text(value, &mut network.ipam_driver),
                        // Of what comes twice all stay judged.
                        "Config" => network.subnets.extend(value.elements().flat_map(subnets)),
                        _harmless => {}
                    }
                }
            }
            "ConfigFrom" => {
                fields(value, schema::CONFIG_FROM).for_each(|(_, value)| some_text(value, &mut network.config_from));
            }
            _harmless => {}
        }
    }
    network
}

fn subnets<'a>(object: Value<'_, 'a>) -> Vec<Text<'a>> {
    let named = fields(object, schema::SUBNET).filter(|(name, _)| *name == "Subnet");
    named.filter_map(|(_, value)| value.text()).filter(|subnet| !subnet.is_empty()).collect()
}

pub(super) fn network_connect<'a>(object: Value<'_, 'a>) -> NetworkConnect<'a> {
    let mut connect = NetworkConnect::default();
    for (name, value) in fields(object, schema::NETWORK_CONNECT) {
        match name {
            "Container" => some_text(value, &mut connect.container),
            _endpoint => driver_options(value, &mut connect.driver_options),
        }
    }
    connect
}

pub(super) fn network_disconnect<'a>(object: Value<'_, 'a>) -> NetworkDisconnect<'a> {
    let mut disconnect = NetworkDisconnect::default();
    for (name, value) in fields(object, schema::NETWORK_DISCONNECT) {
        if name == "Container" {
            some_text(value, &mut disconnect.container);
        }
    }
    disconnect
}
