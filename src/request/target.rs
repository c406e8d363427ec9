//! What a call acts on: the container or exec that the engine has already.

use std::fmt::Write as _;

use super::escape::{Place, escape};
use super::narrow::with_field;
use super::{Asked, Body, Call, ContainerCreate, Operation, decode};

/// Something the engine has, by a name the client gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A container, by id, prefix of an id, name, or alias of a link.
    Container(&'a str),
    /// An exec, by its id.
    Exec(&'a str),
}

impl<'a> Call<'a> {
    /// The container or exec that the call acts on.
    pub fn target(&'a self) -> Option<Target<'a>> {
        let asked = self.asked;
        let operation = asked.operation;
        let resource = asked.resource.as_deref();
        let name = if operation == Operation::ImageCommit {
            asked.query.first("container")
        } else if let Body::NetworkConnect(connect) = &self.body {
            connect.container.as_deref()
        } else if let Body::NetworkDisconnect(disconnect) = &self.body {
            disconnect.container.as_deref()
        } else if matches!(operation, Operation::ExecStart | Operation::ExecResize | Operation::ExecInspect) {
            return resource.map(Target::Exec);
        } else {
            resource.filter(|_| operation.is_on_container())
        };
        name.filter(|name| !name.is_empty()).map(Target::Container)
    }
}

impl Asked {
    /// The same request on a container by its full id, in place of a name that may come to mean another.
    #[must_use]
    pub fn on_container(&self, id: &str) -> Self {
        let mut asked = self.clone();
        if asked.operation == Operation::ImageCommit {
            asked.query.replace("container", id);
        } else if asked.operation.is_on_container() {
            asked.resource = Some(id.to_owned());
        }
        asked
    }

    /// A canonical body that names the container by its full id, where it names one. `None` if it cannot be read.
    pub fn body_on_container(&self, body: Vec<u8>, id: &str) -> Option<Vec<u8>> {
        if self.operation.names_container() {
            with_field(&body, "Container", |_name| Some(id.into()))
        } else {
            Some(body)
        }
    }
}

impl Operation {
    /// Whether its body names the container it acts on.
    const fn names_container(self) -> bool {
        matches!(self, Self::NetworkConnect | Self::NetworkDisconnect)
    }
}

impl Target<'_> {
    /// The path of the engine's own view of it.
    pub fn inspect_path(&self) -> String {
        match self {
            Self::Container(name) => inspect_path("containers", name),
            Self::Exec(id) => inspect_path("exec", id),
        }
    }
}

/// The path of the engine's view of something that is named.
pub fn inspect_path(kind: &str, name: &str) -> String {
    let mut path = String::new();
    // Writing to a String does not fail.
    _ = write!(path, "/{kind}/");
    escape(&mut path, name, Place::Path);
    path.push_str("/json");
    path
}

/// The path of the engine's view of a volume.
pub fn volume_path(name: &str) -> String {
    let mut path = "/volumes/".to_owned();
    escape(&mut path, name, Place::Path);
    path
}

/// Reads a container as the engine has it: `Config`, `HostConfig` and networks in the shape of a create's body. `None` if it
/// is none.
pub fn stored_container(body: &[u8]) -> Option<ContainerCreate<'_>> {
    decode::stored(body)
}
