//! A launch as an operator reads it: who asked for what, what it did first, what of the host it can reach, and what to do. It is
//! put together from the records of the journal alone. Pure.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

/// Most launches that are kept while a journal is read; of more, the newest stay.
const LAUNCHES: usize = 10_000;

/// Collects launches from the records of a journal.
#[derive(Debug, Default)]
pub struct Dossiers {
    all: Vec<Dossier>,
    /// Where each stands, by the launch's id.
    places: HashMap<String, usize>,
    /// Launches that were let go of.
    gone: usize,
}

/// One launch, as its records have it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Dossier {
    /// Its id.
    pub launch: String,
    /// `open` (made), `armed` (running in its window) or `closed`.
    pub state: String,
    /// When it was first told of.
    pub time: String,
    /// Everything its last record says.
    pub record: Value,
    /// The last record of each finding on it.
    pub findings: Vec<Value>,
    /// The record of the call that made the container: its peer, its image, its runtime settings.
    pub create: Option<Value>,
}

/// One launch on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its id.
    pub launch: String,
    /// `open`, `armed` or `closed`.
    pub state: String,
    /// When it started; else when it was first told of.
    pub time: String,
    /// Full id of the container.
    pub container: String,
    /// Its name.
    pub name: String,
    /// Who made it; `None` if it passed no gate.
    pub principal: Option<String>,
    /// The image that was asked for.
    pub image: String,
    /// What it scores, if it is a finding.
    pub score: Option<u64>,
    /// The worst of its findings.
    pub severity: Option<String>,
    /// Its first process.
    pub process: Option<String>,
    /// Its first network action.
    pub network: Option<String>,
}

impl Dossiers {
    /// Takes a record, whatever it is of. Records come in their order.
    pub fn put(&mut self, record: &Value) {
        match text(record, "/kind") {
            Some("launch") => self.put_launch(record),
            Some("finding") => self.put_finding(record),
            _other => {}
        }
    }

    fn put_launch(&mut self, record: &Value) {
        let Some(id) = text(record, "/launch") else { return };
        let state = text(record, "/event").unwrap_or_default().to_owned();
        if let Some(dossier) = self.places.get(id).and_then(|at| self.all.get_mut(at.saturating_sub(self.gone))) {
            (dossier.state, dossier.record) = (state, record.clone());
            return;
        }
        if self.all.len() >= LAUNCHES {
            let oldest = self.all.remove(0);
            self.places.remove(&oldest.launch);
            self.gone += 1;
        }
        self.places.insert(id.to_owned(), self.gone + self.all.len());
        let time = text(record, "/time").unwrap_or_default().to_owned();
        let (launch, record) = (id.to_owned(), record.clone());
        self.all.push(Dossier { launch, state, time, record, ..Dossier::default() });
    }

    /// Findings follow the launch that they are on.
    fn put_finding(&mut self, record: &Value) {
        let container = text(record, "/container/id");
        let on = self
            .all
            .iter_mut()
            .rev()
            .find(|dossier| container.is_some() && text(&dossier.record, "/container/id") == container);
        let Some(dossier) = on else { return };
        match dossier.findings.iter_mut().find(|known| known.get("finding") == record.get("finding")) {
            Some(known) => *known = record.clone(),
            None => dossier.findings.push(record.clone()),
        }
    }

    /// The launches, oldest first.
    pub fn all(&self) -> &[Dossier] {
        &self.all
    }

    /// The launches of a launch's id, or of a container's id, name, or the beginning of either id.
    pub fn find(&self, wanted: &str) -> Vec<&Dossier> {
        let is = |dossier: &&Dossier| {
            let container = text(&dossier.record, "/container/id").unwrap_or_default();
            let name = text(&dossier.record, "/container/name").unwrap_or_default();
            dossier.launch.starts_with(wanted) || container.starts_with(wanted) || name == wanted
        };
        self.all.iter().filter(|_| !wanted.is_empty()).filter(is).collect()
    }
}

impl Dossier {
    /// Id of the record of the call that made the container.
    pub fn created_by(&self) -> Option<&str> {
        let timeline = self.timeline();
        timeline.iter().find(|entry| text(entry, "/what") == Some("create")).and_then(|entry| text(entry, "/record"))
    }

    /// What happened, in order.
    pub fn timeline(&self) -> &[Value] {
        self.record.get("timeline").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// What the kernel only counted, in words, if it did.
    pub fn untold(&self) -> Option<String> {
        let count = |pointer: &str| self.record.pointer(pointer).and_then(Value::as_u64);
        let (execs, network) = (count("/untold/execs")?, count("/untold/network")?);
        Some(format!("{execs} more programs, {network} more network actions, only counted"))
    }

    /// The launch on one line.
    pub fn row(&self) -> Row {
        let owned = |pointer: &str| text(&self.record, pointer).map(str::to_owned);
        let score = self.findings.iter().filter_map(|finding| finding.get("score").and_then(Value::as_u64)).max();
        Row {
            launch: self.launch.clone(),
            state: self.state.clone(),
            time: owned("/started").unwrap_or_else(|| self.time.clone()),
            container: owned("/container/id").unwrap_or_default(),
            name: owned("/container/name").unwrap_or_default(),
            principal: owned("/principal/name"),
            image: owned("/image/reference").unwrap_or_default(),
            score,
            severity: self.severity().map(str::to_owned),
            process: self.first(&["process"]).map(described),
            network: self.first(&["connect", "send", "listen", "inbound"]).map(described),
        }
    }

    /// The worst of its findings.
    fn severity(&self) -> Option<&str> {
        let rank = |name: &str| ["low", "medium", "high", "critical"].iter().position(|known| *known == name);
        self.findings.iter().filter_map(|finding| text(finding, "/severity")).max_by_key(|name| rank(name))
    }

    /// The first entry of the timeline that is one of these.
    pub fn first(&self, whats: &[&str]) -> Option<&Value> {
        self.timeline().iter().find(|entry| text(entry, "/what").is_some_and(|what| whats.contains(&what)))
    }

    /// Checks that fired, over all findings.
    fn checks(&self) -> impl Iterator<Item = &str> {
        let create = self.create.iter().filter_map(|create| create.pointer("/verdict/findings"));
        let findings = self.findings.iter().filter_map(|finding| finding.get("reasons"));
        create.chain(findings).filter_map(Value::as_array).flatten().filter_map(|reason| text(reason, "/check"))
    }

    /// What of the host it can reach, in words.
    pub fn host_scope(&self) -> Vec<&'static str> {
        let reaches: Vec<&str> = SCOPE
            .iter()
            .filter(|(prefix, _)| self.checks().any(|check| check.starts_with(prefix)))
            .map(|(_, words)| *words)
            .collect();
        match (reaches.is_empty(), &self.create) {
            (false, _) => reaches,
            (true, Some(_)) => vec!["nothing beyond an ordinary container's reach was asked for"],
            (true, None) => vec!["unknown: no record of its create is kept; see what docker inspect says"],
        }
    }

    /// What an operator does next, in order.
    pub fn what_to_do(&self) -> Vec<String> {
        let container: String = text(&self.record, "/container/id").unwrap_or_default().chars().take(12).collect();
        let on = |check: &str| self.findings.iter().any(|finding| text(finding, "/check") == Some(check));
        let mut steps = Vec::new();
        if self.findings.is_empty() {
            return vec!["nothing: no finding is open on it".to_owned()];
        }
        steps.push(format!("ask whoever launched it; if nobody did, freeze it first: docker pause {container}"));
        if on("launch.bypass") {
            steps.push("find the way around the gate: tidewaiter doctor".to_owned());
        }
        if on("exec.out-of-band") {
            steps.push(
                "look for who is on the host or at the engine's own socket: tidewaiter doctor, last, ps".to_owned(),
            );
        }
        steps.push(format!("keep what it changed: docker diff {container}, docker export {container}"));
        if self.checks().any(|check| SCOPE.iter().any(|(prefix, _)| check.starts_with(prefix))) {
            steps.push(
                "treat the host as reachable from it: look at its keys, cron and units since the start".to_owned(),
            );
        }
        steps.push(
            "if it is known to be good, say so with a dated [[exception]]; else refuse it in the profile".to_owned(),
        );
        steps
    }
}

/// Beginnings of checks, and what they open of the host.
const SCOPE: [(&str, &str); 11] = [
    ("privileged", "everything: all devices and capabilities of the host"),
    ("mount.engine-socket", "everything: it can ask the engine for any container"),
    ("mount.", "files of the host"),
    ("volume.host-path", "files of the host, through a volume"),
    ("device.", "devices of the host"),
    ("capability.added", "the kernel, by added capabilities"),
    ("namespace.pid.host", "processes of the host, and what they hold in memory"),
    ("namespace.network.host", "the host's network and what listens on its loopback"),
    ("namespace.", "namespaces it shares"),
    ("security.", "the kernel, by a guard that is weakened"),
    ("sysctl.set", "settings of the host's kernel"),
];

/// An entry of a timeline in words.
pub fn described(entry: &Value) -> String {
    let at = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut words: Vec<String> = Vec::new();
    match at("what") {
        Some("process" | "exec") => {
            let argv = entry.get("argv").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let argv: Vec<&str> = argv.iter().filter_map(Value::as_str).collect();
            words.extend(if argv.is_empty() { at("path").map(str::to_owned) } else { Some(argv.join(" ")) });
            words.extend(entry.get("uid").map(|uid| format!("(uid {uid})")));
            if entry.get("out_of_band") == Some(&Value::Bool(true)) {
                words.push("out of band".to_owned());
            }
        }
        Some("connect" | "send") => {
            words.extend([at("protocol"), at("remote")].into_iter().flatten().map(str::to_owned));
        }
        Some("listen" | "inbound") => {
            words.extend([at("protocol"), at("local")].into_iter().flatten().map(str::to_owned));
            words.extend(at("remote").map(|remote| format!("from {remote}")));
        }
        Some("die") => words.extend(entry.get("code").map(|code| format!("exit code {code}"))),
        Some(_) | None => words.extend(at("name").map(str::to_owned)),
    }
    words.extend(at("principal").map(|principal| format!("by {principal}")));
    words.extend(at("record").map(|record| format!("(record {record})")));
    words.join(" ")
}

fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn launch(id: &str, event: &str, timeline: Value) -> Value {
        json!({
            "kind": "launch", "event": event, "launch": id, "time": "2026-11-24T02:31:07Z",
            "container": {"id": "abc", "name": "web"}, "principal": {"name": "ci"}, "image": {"reference": "alpine"},
            "timeline": timeline,
        })
    }

    #[test]
    fn a_launch_is_put_together_from_its_records() {
        let mut dossiers = Dossiers::default();
        let create = json!({"what": "create", "record": "r1", "principal": "ci"});
        let process = json!({"what": "process", "argv": ["sh", "-c", "id"], "uid": 0, "first": true});
        let connect = json!({"what": "connect", "protocol": "tcp", "remote": "198.51.100.7:443"});
        let reasons = json!([{"check": "privileged"}]);
        let finding = json!({
            "kind": "finding", "event": "open", "finding": "f", "check": "launch.an0693", "score": 5, "severity": "high",
            "container": {"id": "abc"}, "reasons": reasons,
        });
        dossiers.put(&launch("l1", "open", json!([create])));
        dossiers.put(&finding);
        dossiers.put(&launch("l1", "closed", json!([create, process, connect])));
        dossiers.put(&launch("l2", "open", json!([])));
        let [first, second] = dossiers.all() else { panic!("{dossiers:?}") };
        let row = first.row();
        assert_eq!((row.state.as_str(), row.score, row.severity.as_deref()), ("closed", Some(5), Some("high")));
        assert_eq!(row.process.as_deref(), Some("sh -c id (uid 0)"));
        assert_eq!(row.network.as_deref(), Some("tcp 198.51.100.7:443"));
        assert_eq!(first.created_by(), Some("r1"));
        assert!(first.host_scope().iter().all(|scope| scope.starts_with("everything")), "{:?}", first.host_scope());
        assert!(first.what_to_do().len() > 2 && second.what_to_do().len() == 1);
        assert_eq!(dossiers.find("web").len(), 2);
        assert_eq!(dossiers.find("l2").len(), 1);
        assert_eq!(dossiers.find("").len() + dossiers.find("none").len(), 0);
    }

    #[test]
    fn of_many_launches_the_newest_stay() {
        let mut dossiers = Dossiers::default();
        for number in 0..LAUNCHES + 3 {
            dossiers.put(&launch(&format!("l{number}"), "open", json!([])));
        }
        let last = format!("l{}", LAUNCHES + 2);
        dossiers.put(&launch(&last, "closed", json!([])));
        assert_eq!((dossiers.all().len(), dossiers.all()[0].launch.as_str()), (LAUNCHES, "l3"));
        assert_eq!(dossiers.all().last().map(|last| last.state.as_str()), Some("closed"));
    }
}
