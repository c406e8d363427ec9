//! `tidewaiter check --compat tecnativa`: the switches of Tecnativa's docker-socket-proxy as a policy.
//!
//! Its switches open parts of the API by path and method, ours by class of endpoint. The classes that cover what was open are
//! opened, and a site rule refuses what the switches did not open of them; what is left is judged besides.

use std::collections::BTreeMap;

/// Switches that open something, and the class that covers it.
const SWITCHES: [(&str, &str); 23] = [
    ("AUTH", "system"),
    ("BUILD", "build"),
    ("COMMIT", "images.mint"),
    ("CONFIGS", "secrets"),
    ("CONTAINERS", "containers"),
    ("DISTRIBUTION", "images.pull"),
    ("EVENTS", "read"),
    ("EXEC", "exec"),
    ("GRPC", "build.session"),
    ("IMAGES", "images"),
    ("INFO", "read"),
    ("NETWORKS", "networks"),
    ("NODES", "swarm"),
    ("PING", "read"),
    ("PLUGINS", "plugins"),
    ("SECRETS", "secrets"),
    ("SERVICES", "swarm"),
    ("SESSION", "build.session"),
    ("SWARM", "swarm"),
    ("SYSTEM", "system"),
    ("TASKS", "swarm"),
    ("VERSION", "read"),
    ("VOLUMES", "volumes"),
];

/// Switches of single actions on containers, which need no POST: the class that covers it, and how its paths end.
const ACTIONS: [(&str, &str, &[&str]); 11] = [
    ("ALLOW_ARCHIVE", "files", &["/archive"]),
    ("ALLOW_ATTACH", "containers", &["/attach", "/attach/ws"]),
    ("ALLOW_EXEC", "exec", &["/exec"]),
    ("ALLOW_EXPORT", "files", &["/export"]),
    ("ALLOW_KILL", "containers", &["/kill"]),
    ("ALLOW_LOGS", "read", &["/logs"]),
    ("ALLOW_PAUSE", "containers", &["/pause"]),
    ("ALLOW_RESTARTS", "containers", &["/stop", "/restart", "/kill"]),
    ("ALLOW_START", "containers", &["/start"]),
    ("ALLOW_STOP", "containers", &["/stop"]),
    ("ALLOW_UNPAUSE", "containers", &["/unpause"]),
];

/// Switches that are on unless they are turned off.
const DEFAULTS: [&str; 3] = ["EVENTS", "PING", "VERSION"];

/// Switches of methods, and those that say nothing about what is allowed.
const OTHERS: [&str; 6] = ["POST", "DELETE", "PUT", "PATCH", "SOCKET_PATH", "LOG_LEVEL"];

/// Makes a policy of switches written `NAME=VALUE`.
///
/// # Errors
/// What is no such switch, or has another value than 0 and 1.
pub(super) fn tecnativa(said: &[String]) -> Result<String, String> {
    let mut switches = BTreeMap::new();
    for word in said {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not NAME=VALUE"))?;
        let names = SWITCHES.iter().map(|(known, _)| known).chain(ACTIONS.iter().map(|(known, ..)| known));
        let known = names.chain(&OTHERS).any(|known| *known == name);
        match value {
            _ if !known => return Err(format!("docker-socket-proxy has no switch '{name}'")),
            "0" | "1" => _ = switches.insert(name, value == "1"),
            _ if matches!(name, "SOCKET_PATH" | "LOG_LEVEL") => {}
            _ => return Err(format!("{name} is 0 or 1, not '{value}'")),
        }
    }
    let on = |name: &str| switches.get(name).copied().unwrap_or(DEFAULTS.contains(&name));
    let paths: Vec<(&str, &str)> = SWITCHES.into_iter().filter(|(name, _)| on(name)).collect();
    let actions: Vec<_> = ACTIONS.into_iter().filter(|(name, ..)| on(name)).collect();
    let writes = ["POST", "DELETE", "PUT", "PATCH"].into_iter().any(on);
    let mut classes = vec!["read"];
    // Their secrets, tokens, archives and gRPC are no plain reading.
    let reads = |class: &str| !matches!(class, "secrets" | "swarm" | "plugins" | "build.session" | "system");
    classes.extend(paths.iter().map(|(_, class)| *class).filter(|class| writes || !reads(class)));
    if on("CONTAINERS") {
        classes.extend(["files", "exec"].into_iter().filter(|class| writes || *class == "files"));
    }
    classes.extend(actions.iter().map(|(_, class, _)| *class));
    classes.sort_unstable();
    classes.dedup();
    let list = classes.iter().map(|class| format!("\"{class}\"")).collect::<Vec<_>>().join(", ");
    let open = open(&paths, &actions, &on);
    Ok(format!(
        "# The switches of a docker-socket-proxy as a policy. What they opened is judged by `baseline` besides.\n\
         version = 1\nmode = \"enforce\"\n\n[fallback]\nprofile = \"proxied\"\n\n[profile.proxied]\nextends = \"baseline\"\n\
         api = [ {list} ]\n\n# Of those classes, what the switches opened.\n[[rule]]\nid = \"site.socket-proxy\"\n\
         when = \"!({open})\"\nmessage = \"the switches of the docker-socket-proxy did not open this\"\nreaction = \"deny\"\n"
    ))
}

/// The expression for what is open: single actions, and paths with the methods that go with them.
fn open(paths: &[(&str, &str)], actions: &[(&str, &str, &[&str])], on: &impl Fn(&str) -> bool) -> String {
    let mut open: Vec<String> = Vec::new();
    for end in actions.iter().flat_map(|(.., ends)| *ends) {
        open.push(format!("path.startsWith('/containers/') && path.endsWith('{end}')"));
    }
    if actions.iter().any(|(name, ..)| *name == "ALLOW_EXEC") {
        open.push("path.startsWith('/exec/')".to_owned());
    }
    let prefix = |name: &str| {
        format!("path.startsWith('/{}')", if name == "PING" { "_ping".into() } else { name.to_lowercase() })
    };
    let prefixes = paths.iter().map(|(name, _)| prefix(name)).collect::<Vec<_>>().join(" || ");
    let methods = ["DELETE", "PUT", "PATCH"].into_iter().filter(|name| on(name));
    let methods: Vec<String> =
        ["GET", "HEAD"].into_iter().chain(methods).map(|method| format!("method == '{method}'")).collect();
    match (prefixes.is_empty(), on("POST")) {
        (true, _) => {}
        // It opens every method.
        (false, true) => open.push(prefixes),
        (false, false) => open.push(format!("({}) && ({prefixes})", methods.join(" || "))),
    }
    if open.is_empty() { "false".to_owned() } else { open.join(" || ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::policy::Policy;

    use http::{HeaderMap, Method, Uri, Version};

    use crate::peer::{Peer, UnixPeer};
    use crate::policy::{self, Action, Facts, Known};
    use crate::request::{self, Call, Head};

    fn policy(said: &[&str]) -> Policy {
        let said: Vec<String> = said.iter().map(ToString::to_string).collect();
        let text = tecnativa(&said).unwrap();
        let source = Source { path: "policy.toml".into(), text: text.clone() };
        let (policy, warnings) = Policy::parse(&source).unwrap();
        assert!(warnings.is_empty(), "{text}: {warnings:?}");
        policy
    }

    /// Whether a request without a body passes.
    fn passes(policy: &Policy, method: &str, target: &str) -> bool {
        let (method, uri): (Method, Uri) = (method.parse().unwrap(), target.parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert("host", "docker".parse().unwrap());
        let asked = request::read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
        let facts = Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known: Known::NOTHING };
        let peer = Peer::Unix(Box::new(UnixPeer { uid: Some(1), ..UnixPeer::default() }));
        policy::judge(policy, &peer, &Call::unread(&asked), &facts).action == Action::Allow
    }

    /// Requests, and the switch that opens the path of each.
    const REQUESTS: [(&str, &str, &str); 28] = [
        ("GET", "/v1.41/containers/json", "CONTAINERS"),
        ("GET", "/v1.41/containers/a/json", "CONTAINERS"),
        ("POST", "/v1.41/containers/a/stop", "CONTAINERS"),
        ("DELETE", "/v1.41/containers/a", "CONTAINERS"),
        ("POST", "/v1.41/containers/prune", "CONTAINERS"),
        ("GET", "/v1.41/images/json", "IMAGES"),
        ("POST", "/v1.41/images/create?fromImage=a", "IMAGES"),
        ("DELETE", "/v1.41/images/a", "IMAGES"),
        ("GET", "/v1.41/distribution/a/json", "DISTRIBUTION"),
        ("GET", "/v1.41/networks", "NETWORKS"),
        ("DELETE", "/v1.41/networks/a", "NETWORKS"),
        ("GET", "/v1.41/volumes", "VOLUMES"),
        ("DELETE", "/v1.41/volumes/a", "VOLUMES"),
        ("GET", "/v1.41/configs", "CONFIGS"),
        ("GET", "/v1.41/secrets", "SECRETS"),
        ("DELETE", "/v1.41/secrets/a", "SECRETS"),
        ("GET", "/v1.41/nodes", "NODES"),
        ("GET", "/v1.41/services", "SERVICES"),
        ("GET", "/v1.41/tasks", "TASKS"),
        ("GET", "/v1.41/swarm", "SWARM"),
        ("GET", "/v1.41/plugins", "PLUGINS"),
        ("GET", "/v1.41/system/df", "SYSTEM"),
        ("POST", "/v1.41/auth", "AUTH"),
        ("GET", "/v1.41/info", "INFO"),
        ("GET", "/v1.41/events", "EVENTS"),
        ("GET", "/v1.41/version", "VERSION"),
        ("GET", "/_ping", "PING"),
        ("POST", "/v1.41/images/load", "IMAGES"),
    ];

    #[test]
    fn nothing_passes_that_the_switches_did_not_open() {
        for (switch, _) in SWITCHES {
            for method in [None, Some("POST"), Some("DELETE")] {
                let said: Vec<String> =
                    [Some(switch), method].into_iter().flatten().map(|name| format!("{name}=1")).collect();
                let policy = policy(&said.iter().map(String::as_str).collect::<Vec<_>>());
                for (verb, target, opened_by) in REQUESTS {
                    let is_path_open = switch == opened_by || DEFAULTS.contains(&opened_by);
                    let is_open = is_path_open && (verb == "GET" || method == Some("POST") || method == Some(verb));
                    assert!(!passes(&policy, verb, target) || is_open, "{said:?}: {verb} {target}");
                }
            }
        }
    }

    #[test]
    fn what_the_switches_opened_to_look_at_still_passes() {
        for (switch, target) in [
            ("CONTAINERS", "/v1.41/containers/json"),
            ("CONTAINERS", "/v1.41/containers/a/logs?stdout=1"),
            ("IMAGES", "/v1.41/images/json"),
            ("NETWORKS", "/v1.41/networks"),
            ("VOLUMES", "/v1.41/volumes"),
            ("INFO", "/v1.41/info"),
            ("VERSION", "/v1.41/version"),
        ] {
            assert!(passes(&policy(&[&format!("{switch}=1")]), "GET", target), "{switch}");
        }
        let writes = policy(&["CONTAINERS=1", "IMAGES=1", "POST=1"]);
        assert!(passes(&writes, "POST", "/v1.41/containers/prune"));
        assert!(!passes(&policy(&["EVENTS=0"]), "GET", "/v1.41/events"));
        // Single actions need no POST, and open nothing beside them.
        let stops = policy(&["ALLOW_STOP=1"]);
        assert!(!passes(&stops, "POST", "/v1.41/containers/prune") && !passes(&stops, "GET", "/v1.41/containers/json"));
    }

    #[test]
    fn what_is_no_switch_is_refused() {
        for said in ["CONTAINER=1", "POST", "POST=yes", "POST=2"] {
            tecnativa(&[said.to_owned()]).unwrap_err();
        }
    }
}
