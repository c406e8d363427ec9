//! What runs in the engine: containers that reach an engine's socket, and those that the policy would not start today.

use http::{HeaderMap, Method, Uri, Version};
use serde::Deserialize;

use super::Finding;
use crate::config::{Config, Host, Loaded};
use crate::engine::{Dialer, Inspect};
use crate::facts::LookUp;
use crate::install::PUBLIC;
use crate::listen;
use crate::peer::{Peer, UnixPeer};
use crate::policy::{self, Facts, Reaction, Verdict};
use crate::request::{self, Call, Head};
use crate::store::Store;

/// Containers that are looked at; what is beyond them is told.
const MOST: usize = 500;

/// An element of `GET /containers/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// Looks at every running container.
pub(super) async fn examine(loaded: &Loaded, host: &Host, findings: &mut Vec<Finding>) {
    let config = &loaded.config;
    let inspect = Inspect::new(Dialer::new(config.engine.clone()));
    let listed = match inspect.get::<Vec<Listed>>("/containers/json").await {
        Ok(listed) => listed.unwrap_or_default(),
        Err(error) => {
            let what = format!("what runs in the engine is not known: {error}");
            findings.push(Finding::warn("containers", what, "start the engine, and run this as root"));
            return;
        }
    };
    let facts = match look_up(config) {
        Ok(facts) => facts,
        Err(why) => {
            let what = format!("containers are not judged: {why}");
            findings.push(Finding::warn("containers", what, "start the gate once, and run this as root"));
            return;
        }
    };
    let protected = protected(config);
    let total = listed.len();
    let before = findings.len();
    for container in listed.into_iter().take(MOST) {
        let name = container.names.first().map_or(container.id.as_str(), |name| name.trim_start_matches('/'));
        match judge(&facts, config, &container.id, host, &protected).await {
            Ok((verdict, principal)) => findings.extend(tell(name, &verdict, &principal, config)),
            Err(why) => {
                let what = format!("container {name} cannot be judged: {why}");
                findings.push(Finding::warn("container", what, "run this again"));
            }
        }
    }
    if total > MOST {
        let what = format!("{} running containers were not looked at", total - MOST);
        findings.push(Finding::warn("containers", what, "stop some and run this again"));
    }
    if findings.len() == before {
        findings.push(Finding::ok("containers", format!("{total} run, all as the policy would start them today")));
    }
}

/// Look-ups as the gate of this configuration makes them.
///
/// # Errors
/// If there is no index of who made what, or it cannot be opened. None is made: who only looks changes nothing.
pub fn look_up(config: &Config) -> Result<LookUp, String> {
    if !config.state.is_dir() {
        return Err(format!("no index of who made what in {}", config.state.display()));
    }
    let store = Store::open(&config.state).map_err(|error| error.to_string())?;
    Ok(LookUp::new(Inspect::new(Dialer::new(config.engine.clone())), store, config.engine.is_here()))
}

/// Judges a start of what is there, for whoever made it; for whoever no principal claims, if that is not known.
async fn judge(
    facts: &LookUp,
    config: &Config,
    id: &str,
    host: &Host,
    protected: &[String],
) -> Result<(Verdict, String), String> {
    let uri = format!("/containers/{id}/start").parse::<Uri>().map_err(|error| error.to_string())?;
    let (method, headers) = (Method::POST, HeaderMap::new());
    let asked = request::read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
    let call = Call::unread(&asked);
    let known = facts.learn(&call, true).await;
    if let Some(why) = known.unreachable.as_ref().or_else(|| known.missing.first()) {
        return Err(why.clone());
    }
    let maker = known.maker.as_ref().map(|maker| maker.principal.clone());
    let facts = Facts { now: host.now, protected, known: &known };
    let peer = Peer::Unix(Box::<UnixPeer>::default());
    let verdict = policy::judge_as(&config.policy, maker.as_deref(), &peer, &call, &facts);
    Ok((verdict, maker.unwrap_or_else(|| "nobody known".to_owned())))
}

/// A container that mounts the gate's own socket is a client like others; any other socket of an engine is a way around.
fn tell(name: &str, verdict: &Verdict, maker: &str, config: &Config) -> Vec<Finding> {
    let mut told = Vec::new();
    for finding in verdict.findings.iter().filter(|finding| finding.check.id() == "mount.engine-socket") {
        told.push(if doors(config).any(|door| finding.detail.contains(door.as_str())) {
            let what =
                format!("container {name} has the gate's socket ({}): the policy judges what it asks", finding.detail);
            Finding::ok("container.socket", what)
        } else {
            let what = format!("container {name} has {} ({}), past the gate", finding.detail, finding.field);
            Finding::bad(
                "container.socket",
                what,
                format!("docker rm --force {name}, and mount the gate's socket instead"),
            )
        });
    }
    let mut refused: Vec<&str> = verdict
        .findings
        .iter()
        .filter(|finding| finding.reaction >= Reaction::Approve)
        .map(|finding| finding.check.id())
        .filter(|id| *id != "mount.engine-socket")
        .collect();
    refused.dedup();
    if !refused.is_empty() {
        let what = format!(
            "container {name}, made by {maker}, would not be started today (profile {}): {}",
            verdict.profile,
            refused.join(", ")
        );
        let todo = "replace it, or write an [[exception]] with a reason and a date";
        told.push(Finding::warn("container.policy", what, todo));
    }
    told
}

/// Where the gate's own sockets are, by both names of `/run`.
fn doors(config: &Config) -> impl Iterator<Item = String> {
    let paths = config.doors.iter().filter_map(|door| match &door.address {
        listen::Address::Unix { path, .. } => Some(path.display().to_string()),
        listen::Address::Inherited(_) => Some(PUBLIC.to_owned()),
        listen::Address::Tcp(_) | listen::Address::Tls { .. } => None,
    });
    paths.flat_map(|path| {
        let other = path.strip_prefix("/run/").map(|rest| format!("/var/run/{rest}"));
        std::iter::once(path).chain(other)
    })
}

/// Paths that no container may see: they lead to the engine or to the gate's own records, keys and doors.
pub fn protected(config: &Config) -> Vec<String> {
    let own = [&config.audit.journal, &config.audit.keys, &config.state].map(AsRef::as_ref);
    let paths = own.into_iter().chain(config.engine.path());
    paths.map(|path| path.display().to_string()).chain(doors(config)).collect()
}
