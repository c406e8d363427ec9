//! The raw requests of `tests/data/cases.json`: what must be there first, how one is sent, what came of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::raw::{Answer, Wire, ask};

const LINK: &str = "/srv/data/link";

/// A row.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) title: String,
    /// The verdict wanted, and those that are right too.
    pub(crate) expect: String,
    pub(crate) accept: Vec<String>,
    /// The engine that the row is about, if it is not Docker's.
    engine: Option<String>,
    setup: Option<Setup>,
    /// As Latin-1. `{id}` and `{id-8}` stand for the set-up container's id and its beginning, `{5 MiB}` for that much text.
    bytes: String,
}

/// What must be there before the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Setup {
    /// A container that any policy lets pass, not started.
    Created,
    /// The same, running.
    Running,
    /// A container named `h2-created` with the host's processes and its `/etc`, made behind the gate and not started.
    Evil,
    /// The same, running.
    EvilRunning,
    /// A volume named `h2-prevol` that is the host's `/etc`.
    Volume,
    /// A symlink from `/srv/data/link` to `/etc`.
    Link,
}

impl Case {
    /// All rows, Podman's own included.
    pub(crate) fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("../../data/cases.json")).unwrap()
    }

    /// The rows about Docker's engines.
    pub(crate) fn of_docker() -> Vec<Self> {
        Self::all().into_iter().filter(|case| case.engine.is_none()).collect()
    }

    /// Whether another request hides behind the first one.
    pub(crate) fn hides_another(&self) -> bool {
        self.bytes.matches(" HTTP/1.1\r\n").count() > 1
    }

    /// The bytes to send, if nothing must be there first.
    pub(crate) fn without_engine(&self) -> Option<Vec<u8>> {
        self.setup.is_none().then(|| self.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let text = self.bytes.replace("{5 MiB}", &"a".repeat(5 << 20));
        text.chars().map(|letter| u8::try_from(letter).unwrap()).collect()
    }

    /// Makes what must be there, at the engine itself, and returns the bytes to send. Containers that any policy lets pass
    /// are made at `decent`.
    pub(crate) fn prepare(&self, engine: &Path, decent: &Path) -> Vec<u8> {
        let is_decent = matches!(self.setup, Some(Setup::Created | Setup::Running));
        let at = if is_decent { decent } else { engine };
        let id = self.setup.and_then(|setup| setup.make(at)).unwrap_or_default();
        let text = self.bytes.replace("{id-8}", id.get(..8).unwrap_or_default()).replace("{id}", &id);
        let text = text.replace("{5 MiB}", &"a".repeat(5 << 20));
        text.chars().map(|letter| u8::try_from(letter).unwrap()).collect()
    }
}

impl Setup {
    /// Returns the id of the container made.
    fn make(self, engine: &Path) -> Option<String> {
        let decent = json!({
            "Image": "busybox:1.0", "Cmd": ["sleep", "3600"], "Hostname": "same", "HostConfig": {"NetworkMode": "none"}
        });
        let mut evil = decent.clone();
        evil["HostConfig"]["PidMode"] = json!("host");
        evil["HostConfig"]["Binds"] = json!(["/etc:/h:ro"]);
        let container = match self {
            Self::Created | Self::Running => decent,
            Self::Evil | Self::EvilRunning => evil,
            Self::Volume => {
                let options = json!({"type": "none", "o": "bind", "device": "/etc"});
                post(engine, "/volumes/create", &json!({"Name": "h2-prevol", "DriverOpts": options}));
                return None;
            }
            Self::Link => return None, // `HostPaths` is there all the time.
        };
        let made = post(engine, "/containers/create?name=h2-created", &container);
        let id = made["Id"].as_str().unwrap().to_owned();
        if matches!(self, Self::Running | Self::EvilRunning) {
            post(engine, &format!("/containers/{id}/start"), &Value::Null);
        }
        Some(id)
    }
}

/// Sends a request and reads every answer on its connection.
///
/// The client stops sending (FIN) when the first answer is there, and not before: the engine gives up some calls when it
/// sees a FIN, sooner or later. `unended` is for a request that never ends otherwise.
pub(crate) fn exchange(socket: &Path, bytes: &[u8], unended: bool) -> Vec<Answer> {
    let mut wire = Wire::open(socket);
    wire.send(bytes);
    if unended {
        wire.finish();
    }
    let Some(mut first) = wire.head() else { return Vec::new() };
    if first.is_framed() {
        wire.body(&mut first);
    } else if first.status() == 101 {
        first.body = wire.take(1); // the other side speaks first, or a FIN would silence it
    }
    wire.finish();
    if !first.is_framed() {
        first.body.extend(wire.rest());
    }
    std::iter::once(first).chain(std::iter::from_fn(|| wire.answer())).collect()
}

/// What an engine did, in the words of its own events: `container create`, `image tag`.
pub(crate) fn effects(engine: &Path, since: Timestamp) -> Vec<String> {
    let at = |time: Timestamp| format!("{}.{:09}", time.as_second(), time.subsec_nanosecond());
    let answer = get(engine, &format!("/events?since={}&until={}", at(since), at(Timestamp::now())));
    let lines = serde_json::Deserializer::from_slice(&answer.body).into_iter::<Value>();
    lines
        .map(Result::unwrap)
        // A swarm tells of its nodes and networks in its own time.
        .filter(|event| event["scope"] != "swarm")
        .map(|event| {
            // `exec_create: sh -c …`
            let action = event["Action"].as_str().unwrap().split(':').next().unwrap();
            format!("{} {action}", event["Type"].as_str().unwrap())
        })
        .collect()
}

/// What an engine holds, a line each: containers with their state and execs, volumes with their options, tags, networks.
///
/// For Podman, whose events tell less than they should and late.
pub(crate) fn held(engine: &Path) -> BTreeSet<String> {
    let list = |target: &str| -> Value { serde_json::from_slice(&get(engine, target).body).unwrap() };
    let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut held = BTreeSet::new();
    for one in all(&list("/containers/json?all=1")) {
        let whole = list(&format!("/containers/{}/json", one["Id"].as_str().unwrap()));
        held.insert(format!("container {} {} {}", whole["Name"], whole["State"]["Status"], whole["ExecIDs"]));
    }
    let volumes = all(&list("/volumes")["Volumes"]);
    held.extend(volumes.iter().map(|one| format!("volume {} {}", one["Name"], one["Options"])));
    for image in all(&list("/images/json")) {
        held.extend(all(&image["RepoTags"]).iter().map(|tag| format!("image {tag} {}", image["Id"])));
    }
    held.extend(all(&list("/networks")).iter().map(|one| format!("network {}", one["Name"])));
    held
}

/// What an engine calls itself: `Docker 20.10.24`, `Podman 4.3.1`.
pub(crate) fn engine_name(engine: &Path) -> String {
    let version: Value = serde_json::from_slice(&get(engine, "/version").body).unwrap();
    let kind = if version["Components"][0]["Name"] == "Podman Engine" { "Podman" } else { "Docker" };
    format!("{kind} {}", version["Version"].as_str().unwrap())
}

/// Takes an engine of one's own back to how it was.
pub(crate) fn clean(engine: &Path) {
    let list = |target: &str| -> Value { serde_json::from_slice(&get(engine, target).body).unwrap() };
    let names = |list: &Value, key: &str| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|one| one[key].as_str().unwrap().to_owned()).collect()
    };
    if list("/info")["Swarm"]["LocalNodeState"] == "active" {
        post(engine, "/swarm/leave?force=1", &Value::Null);
    }
    for id in names(&list("/containers/json?all=1"), "Id") {
        // Podman asks politely first, and waits ten seconds for what does not listen.
        ask(engine, &format!("POST /v1.41/containers/{id}/kill HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"));
        delete(engine, &format!("/containers/{id}?force=1&v=1"));
    }
    for name in names(&list("/volumes")["Volumes"], "Name") {
        delete(engine, &format!("/volumes/{name}?force=1"));
    }
    post(engine, "/networks/prune", &Value::Null);
    for image in list("/images/json").as_array().into_iter().flatten() {
        for tag in image["RepoTags"].as_array().into_iter().flatten() {
            let tag = tag.as_str().unwrap();
            let short = tag.trim_start_matches("docker.io/library/");
            if !matches!(short, "busybox:1.0" | "busybox:latest") {
                delete(engine, &format!("/images/{tag}?force=1"));
            }
        }
    }
}

fn get(engine: &Path, target: &str) -> Answer {
    send(engine, "GET", target, &Value::Null)
}

fn delete(engine: &Path, target: &str) {
    send(engine, "DELETE", target, &Value::Null);
}

fn post(engine: &Path, target: &str, body: &Value) -> Value {
    serde_json::from_slice(&send(engine, "POST", target, body).body).unwrap_or_default()
}

fn send(engine: &Path, method: &str, target: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!("{method} /v1.41{target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n");
    let answer = ask(engine, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).unwrap();
    assert!(answer.status() < 400, "{method} {target}: {} {}", answer.line, answer.text());
    answer
}

/// `/srv/data` and a symlink in it, which the rows name: made if missing, and what was made goes with the last holder.
#[derive(Debug)]
pub(crate) struct HostPaths(());

/// How many hold the paths, and which of them were made.
static HELD: Mutex<(u32, Vec<&str>)> = Mutex::new((0, Vec::new()));

/// Keeps the tests of other processes away from the paths, which are the same for all of them.
static ALONE: Mutex<Option<File>> = Mutex::new(None);

fn alone() -> MutexGuard<'static, Option<File>> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HostPaths {
    pub(crate) fn hold() -> Self {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 == 0 {
            let file = File::create(std::env::temp_dir().join("tidewaiter-host-paths")).unwrap();
            file.lock().unwrap();
            *alone() = Some(file);
            let made = [("/srv/data", fs::create_dir("/srv/data")), (LINK, symlink("/etc", LINK))];
            held.1 = made.into_iter().filter_map(|(path, made)| made.ok().map(|()| path)).collect();
        }
        held.0 += 1;
        Self(())
    }
}

impl Drop for HostPaths {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 -= 1;
        if held.0 == 0 {
            while let Some(path) = held.1.pop() {
                // An engine makes the folders that a bind lacks.
                let removed = if path == LINK { fs::remove_file(path) } else { fs::remove_dir_all(path) };
                removed.unwrap();
            }
            *alone() = None;
        }
    }
}
