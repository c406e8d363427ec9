//! `tidewaiter check --compat tecnativa`: the switches of Tecnativa's docker-socket-proxy as a policy.
//!
//! Its switches open parts of the API by path, ours by class of endpoint, and what is open is judged besides. Where the two do not
//! meet the policy says so in a comment, and never opens more to change than the switches did, but for what is said there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Switches that open something, and the class that covers it.
const SWITCHES: [(&str, &str); 22] = [
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
    ("VOLUMES", "volumes"),
];

/// What there is without POST: single actions on containers.
const ACTIONS: [&str; 11] = [
    "ALLOW_ARCHIVE",
    "ALLOW_ATTACH",
    "ALLOW_EXEC",
    "ALLOW_EXPORT",
    "ALLOW_KILL",
    "ALLOW_LOGS",
    "ALLOW_PAUSE",
    "ALLOW_RESTARTS",
    "ALLOW_START",
    "ALLOW_STOP",
    "ALLOW_UNPAUSE",
];

/// Switches that say nothing about what is allowed, and those that a gate always has.
const OTHERS: [&str; 7] = ["VERSION", "POST", "DELETE", "PUT", "PATCH", "SOCKET_PATH", "LOG_LEVEL"];

/// Makes a policy of switches written `NAME=VALUE`.
///
/// # Errors
/// What is no such switch, or has another value than 0 and 1.
pub(super) fn tecnativa(said: &[String]) -> Result<String, String> {
    let mut switches = BTreeMap::new();
    for word in said {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not NAME=VALUE"))?;
        let known =
            SWITCHES.iter().any(|(known, _)| *known == name) || ACTIONS.contains(&name) || OTHERS.contains(&name);
        match value {
            _ if !known => return Err(format!("docker-socket-proxy has no switch '{name}'")),
            "0" | "1" => _ = switches.insert(name, value == "1"),
            _ if matches!(name, "SOCKET_PATH" | "LOG_LEVEL") => {}
            _ => return Err(format!("{name} is 0 or 1, not '{value}'")),
        }
    }
    let on = |name: &str| switches.get(name).copied().unwrap_or(false);
    let writes = ["POST", "DELETE", "PUT", "PATCH"].into_iter().any(on);
    let mut classes = vec!["read"];
    let mut notes =
        vec!["\"read\" is one class here: it shows containers, images, networks and volumes alike".to_owned()];
    for (name, class) in SWITCHES.into_iter().filter(|(name, _)| on(name)) {
        // Their secrets, tokens and gRPC are no plain reading.
        let reads_nothing = matches!(class, "secrets" | "swarm" | "plugins" | "build.session");
        if class != "read" && (writes || reads_nothing) {
            classes.push(class);
        }
        if !writes && reads_nothing {
            notes.push(format!(
                "{name}=1 without POST only read; \"{class}\" also changes: take it out if nobody needs it"
            ));
        }
    }
    for name in ACTIONS.into_iter().filter(|name| on(name) && *name != "ALLOW_LOGS") {
        let class = match name {
            "ALLOW_EXEC" => "exec",
            "ALLOW_ARCHIVE" | "ALLOW_EXPORT" => "files",
            _container => "containers",
        };
        if !classes.contains(&class) {
            classes.push(class);
            notes.push(format!(
                "{name}=1 opened one action; \"{class}\" opens its neighbours too, each of which is judged"
            ));
        }
    }
    classes.sort_unstable();
    classes.dedup();
    let mut text = String::from(
        "# The switches of a docker-socket-proxy as a policy. What is open is judged by `baseline` besides.\n",
    );
    notes.dedup();
    for note in notes {
        // Writing to a string cannot fail.
        _ = writeln!(text, "# {note}.");
    }
    let list = classes.iter().map(|class| format!("\"{class}\"")).collect::<Vec<_>>().join(", ");
    _ = write!(
        text,
        "version = 1\nmode = \"enforce\"\n\n[fallback]\nprofile = \"proxied\"\n\n[profile.proxied]\nextends = \"baseline\"\napi = [ {list} ]\n"
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::policy::Policy;

    fn api(said: &[&str]) -> String {
        let said: Vec<String> = said.iter().map(ToString::to_string).collect();
        let text = tecnativa(&said).unwrap();
        let source = Source { path: "policy.toml".into(), text: text.clone() };
        let (_policy, warnings) = Policy::parse(&source).unwrap();
        assert!(warnings.is_empty(), "{text}");
        text.lines().find_map(|line| line.strip_prefix("api = ")).unwrap().to_owned()
    }

    #[test]
    fn switches_become_classes_and_the_policy_can_be_used() {
        assert_eq!(api(&[]), "[ \"read\" ]");
        assert_eq!(api(&["CONTAINERS=1", "POST=0"]), "[ \"read\" ]", "nothing but reading");
        assert_eq!(api(&["CONTAINERS=1", "IMAGES=1", "POST=1"]), "[ \"containers\", \"images\", \"read\" ]");
        assert_eq!(api(&["CONTAINERS=1", "ALLOW_START=1", "ALLOW_STOP=1"]), "[ \"containers\", \"read\" ]");
        assert_eq!(api(&["SECRETS=1", "SOCKET_PATH=/x"]), "[ \"read\", \"secrets\" ]");
        for (name, class) in SWITCHES {
            let api = api(&["POST=1", &format!("{name}=1")]);
            assert!(api.contains(&format!("\"{class}\"")), "{name}: {api}");
        }
    }

    #[test]
    fn what_is_no_switch_is_refused() {
        for said in ["CONTAINER=1", "POST", "POST=yes", "POST=2"] {
            tecnativa(&[said.to_owned()]).unwrap_err();
        }
    }
}
