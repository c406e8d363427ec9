//! What the kernel tells, and what the engine says of a container, as facts.

use serde::Deserialize;

use super::fact::{Did, Fact, Happened, Network, Ran};
use super::join::{Gap, Join};
use super::{Action, Event, Notice, Process, Protocol, What};
use crate::audit::Audit;

/// A container as the engine describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Inspected {
    #[serde(rename = "Created", default)]
    pub(super) created: String,
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config", default)]
    config: InspectedConfig,
}

#[derive(Debug, Default, Deserialize)]
struct InspectedConfig {
    #[serde(rename = "Image", default)]
    image: String,
    #[serde(rename = "Healthcheck", default)]
    health: Option<Healthcheck>,
    #[serde(rename = "Shell", default)]
    shell: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Healthcheck {
    #[serde(rename = "Test", default)]
    test: Option<Vec<String>>,
}

impl Inspected {
    pub(super) fn image(&self) -> String {
        self.config.image.clone()
    }

    pub(super) fn name(&self) -> String {
        self.name.trim_start_matches('/').to_owned()
    }

    /// The command of its health check as the engine's events write it; empty if it has none.
    pub(super) fn health(&self) -> String {
        let test = self.config.health.as_ref().and_then(|health| health.test.as_deref()).unwrap_or_default();
        match test.split_first() {
            Some((first, words)) if first == "CMD" => words.join(" "),
            Some((first, words)) if first == "CMD-SHELL" => {
                let shell = self.config.shell.clone().filter(|shell| !shell.is_empty());
                let shell = shell.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
                [&shell, words].concat().join(" ")
            }
            Some(_) | None => String::new(),
        }
    }
}

/// Takes what the kernel tells. Command lines lose their secrets here, before anything keeps them.
pub(super) fn take(join: &mut Join, notice: Notice, audit: &Audit) {
    match notice {
        Notice::Gap { from, to, lost } => join.put_gap(Gap { from, to, lost }),
        Notice::Event(Event { container, time, what, .. }) => {
            if let Some(what) = happened(what, audit) {
                join.put(&container, Fact { at: time, what });
            }
        }
    }
}

fn happened(what: What, audit: &Audit) -> Option<Happened> {
    match what {
        What::Entered { pid, .. } => Some(Happened::Entered { pid }),
        What::Exec(Process { pid, inner_pid, uid, path, argv, .. }) => {
            Some(Happened::Ran(Ran { pid, uid, is_init: inner_pid == 1, path, argv: audit.command(&argv) }))
        }
        What::Network { action, protocol, local, remote, by } => {
            let did = match action {
                Action::Connect | Action::Open => Did::Connect,
                Action::Send => Did::Send,
                Action::Listen => Did::Listen,
                Action::Accept => Did::Inbound,
                // What comes of a connect says nothing new, and a bind no more than what follows it.
                Action::Established | Action::Refused | Action::Bind => return None,
            };
            let protocol = match protocol {
                Protocol::Tcp => "tcp".to_owned(),
                Protocol::Udp => "udp".to_owned(),
                Protocol::Other(number) => number.to_string(),
            };
            let text = |address: Option<std::net::SocketAddr>| address.map(|address| address.to_string());
            let (local, remote) = (text(local), text(remote));
            Some(Happened::Network(Network { did, protocol, local, remote, process: by.map(|(_, name)| name) }))
        }
        What::Dns { name, .. } => Some(Happened::Dns { name }),
        What::Appeared | What::Found | What::Exited { .. } | What::Uncounted { .. } | What::Gone => None,
    }
}
