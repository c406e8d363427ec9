//! What is asked: a raw target and a body become a [`Call`] or a list of reasons why they cannot be read in exactly one way.
//!
//! Pure: bytes in, values out. The reading is the engine's own (Go's `net/http`, `gorilla/mux`, `encoding/json`), because a
//! gate that reads a request differently from the engine is a way around the gate.

mod asked;
mod body;
mod build;
mod call;
mod class;
pub mod decode;
mod escape;
mod framing;
mod narrow;
mod operation;
mod path;
mod query;
mod table;
mod target;

pub use asked::{ApiVersion, Asked, BodyPlan, Head, Irregular, Irregularity, read};
pub use body::{
    Body, Build, CheckpointCreate, ContainerCreate, ContainerSpec, ContainerUpdate, Device, Endpoint, ExecCreate,
    ExecStart, HostConfig, LogConfig, Mount, NetworkConnect, NetworkCreate, NetworkDisconnect, PortBinding, Privileges,
    RestartPolicy, ServiceLimits, ServicePort, ServiceSpec, Text, VolumeCreate,
};
pub use call::Call;
pub use class::Class;
pub use operation::Operation;
pub use query::Query;
pub use target::{Target, inspect_path, stored_container, volume_path};

#[cfg(test)]
mod tests;
