//! The smaller bodies: exec, update, volumes, networks.

use super::container::driver_options;
use super::host::restart_policy;
use super::json::{Kind, Value};
use super::read::{flag, options, some_number, some_text, words};
use super::schema::{self, Shape};
use super::walk::fields;
use crate::request::{ContainerUpdate, ExecCreate, ExecStart, NetworkConnect, NetworkCreate, VolumeCreate};

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
    for (name, value) in fields(object, schema::HOST_CONFIG) {
        match name {
            "RestartPolicy" => restart_policy(value, update.restart_policy.get_or_insert_default()),
            // 0 keeps the limit that is there.
            "Memory" if !value.is_zero() => some_number(value, &mut update.memory),
            "PidsLimit" => some_number(value, &mut update.pids_limit),
            _harmless => {}
        }
    }
    update
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
            "IPAM" => fields(value, &[("Driver", Shape::Any)])
                .for_each(|(_, value)| some_text(value, &mut network.ipam_driver)),
            "ConfigFrom" => fields(value, &[("Network", Shape::Any)])
                .for_each(|(_, value)| some_text(value, &mut network.config_from)),
            _harmless => {}
        }
    }
    network
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
