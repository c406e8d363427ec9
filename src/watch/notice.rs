//! What the kernel tells, and what the engine says of a container, as facts.

use jiff::Timestamp;
use serde::Deserialize;

use super::container::Container;
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
    #[serde(rename = "State", default)]
    state: InspectedState,
}

/// A container in the engine's list of those that run.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "Id")]
    pub(super) id: String,
}

#[derive(Debug, Default, Deserialize)]
struct InspectedState {
    #[serde(rename = "Running", default)]
    is_running: bool,
    #[serde(rename = "StartedAt", default)]
    started: String,
    #[serde(rename = "FinishedAt", default)]
    finished: String,
    #[serde(rename = "ExitCode", default)]
    code: i64,
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

/// What the engine's events did not tell of a container: a death, or a start since there is a watch.
pub(super) fn missed(
    known: Option<&Container>,
    inspected: Option<&Inspected>,
    epoch: Timestamp,
    now: Timestamp,
) -> Vec<Fact> {
    let since = known.and_then(Container::runs_since);
    let Some(Inspected { state, .. }) = inspected else {
        // It is gone.
        return since.map(|_| Fact { at: now, what: Happened::Died { code: None } }).into_iter().collect();
    };
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let done = known.and_then(|known| known.done).unwrap_or(epoch);
    // The engine's own clock at the start and at its event differ a little.
    let started = time(&state.started).filter(|at| *at > done.max(epoch));
    match (state.is_running, since) {
        (false, Some(since)) => {
            let at = time(&state.finished).filter(|at| *at > since).unwrap_or(now);
            vec![Fact { at, what: Happened::Died { code: Some(state.code) } }]
        }
        (true, None) => started.map(|at| Fact { at, what: Happened::Started }).into_iter().collect(),
        // The engine was killed before it could tell of the start that the gate had seen asked for.
        (false, None) => match started.filter(|_| known.is_some_and(Container::awaits_start)) {
            Some(at) => {
                let end = time(&state.finished).filter(|end| *end >= at).unwrap_or(now);
                vec![
                    Fact { at, what: Happened::Started },
                    Fact { at: end, what: Happened::Died { code: Some(state.code) } },
                ]
            }
            None => Vec::new(),
        },
        (true, Some(_)) => Vec::new(),
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
        What::Untold { execs, network } => Some(Happened::Untold { execs, network }),
        What::Appeared | What::Found | What::Exited { .. } | What::Gone => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_death_and_a_start_that_no_event_told_are_found() {
        let (epoch, started) = (at("2026-11-24T02:00:00Z"), at("2026-11-24T02:01:00Z"));
        let (finished, now) = (at("2026-11-24T02:02:00Z"), at("2026-11-24T02:03:00Z"));
        let mut runs = Container::new("c");
        runs.put(Fact { at: started, what: Happened::Started });
        let state = |is_running: bool, started: Timestamp, finished: Timestamp| -> Inspected {
            let (started, finished) = (started.to_string(), finished.to_string());
            let state = json!({"Running": is_running, "StartedAt": started, "FinishedAt": finished, "ExitCode": 255});
            serde_json::from_value(json!({"State": state})).unwrap()
        };
        let found = |known: Option<&Container>, inspected: Option<Inspected>| {
            let missed = missed(known, inspected.as_ref(), epoch, now);
            missed.into_iter().map(|fact| (fact.at, fact.what)).collect::<Vec<_>>()
        };
        let died = |at: Timestamp, code: Option<i64>| vec![(at, Happened::Died { code })];
        assert_eq!(found(Some(&runs), Some(state(false, started, finished))), died(finished, Some(255)));
        assert_eq!(
            found(Some(&runs), Some(state(false, started, epoch))),
            died(now, Some(255)),
            "an older end is not its"
        );
        assert_eq!(found(Some(&runs), None), died(now, None));
        assert_eq!(found(Some(&runs), Some(state(true, started, epoch))), []);
        assert_eq!(found(None, Some(state(true, started, epoch))), [(started, Happened::Started)]);
        assert_eq!(found(None, Some(state(true, epoch, epoch))), [], "it ran before there was a watch");
        let mut asked = Container::new("c");
        assert_eq!(found(Some(&asked), Some(state(false, started, finished))), [], "nobody asked for a start");
        let call = json!({
            "kind": "call", "stage": "intent", "id": "r", "time": "2026-11-24T02:00:59Z", "principal": {"name": "ann"},
            "request": {"operation": "ContainerStart"}, "container": {"id": "c".repeat(64)},
        });
        let Some(crate::watch::call::Told::Asked { fact, .. }) = crate::watch::call::read(&call) else { panic!() };
        asked.put(fact);
        let both = vec![(started, Happened::Started), (finished, Happened::Died { code: Some(255) })];
        assert_eq!(found(Some(&asked), Some(state(false, started, finished))), both, "both events were lost");
        let mut over = Container::new("c");
        over.close(finished);
        assert_eq!(found(Some(&over), Some(state(true, started, epoch))), [], "that launch is over");
    }
}
