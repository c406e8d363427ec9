//! What happened in a launch, moment by moment.

use jiff::Timestamp;
use serde_json::Value;

use super::{Call, cut, text, time};

/// Most arguments of a process that are shown.
const ARGUMENTS: usize = 24;

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) enum What {
    Create,
    Start,
    Process,
    Exec,
    Network,
    Dns,
    End,
    #[default]
    Other,
}

/// One moment of a launch.
#[derive(Debug, Clone, Default)]
pub(in crate::admin) struct Entry {
    pub(in crate::admin) at: Timestamp,
    pub(in crate::admin) what: What,
    /// Its name in records: `connect`.
    pub(in crate::admin) name: String,
    /// A principal, or a process.
    pub(in crate::admin) who: String,
    pub(in crate::admin) detail: String,
    /// The first of its kind.
    pub(in crate::admin) is_first: bool,
    /// No call explains it.
    pub(in crate::admin) is_out_of_band: bool,
    /// The call's record.
    pub(in crate::admin) record: Option<String>,
}

impl What {
    fn of(name: &str) -> Self {
        match name {
            "create" => Self::Create,
            "start" => Self::Start,
            "process" => Self::Process,
            "exec" => Self::Exec,
            "connect" | "listen" | "inbound" | "send" => Self::Network,
            "dns" => Self::Dns,
            "die" | "oom" | "destroy" => Self::End,
            _ => Self::Other,
        }
    }

    /// A word that names the kind, and its marker's shape in the style sheet.
    pub(in crate::admin) const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Process => "process",
            Self::Exec => "exec",
            Self::Network => "network",
            Self::Dns => "dns",
            Self::End => "end",
            Self::Other => "other",
        }
    }
}

impl Entry {
    /// Reads one entry of a record's timeline.
    pub(super) fn of(entry: &Value) -> Option<Self> {
        let name = text(entry, "/what")?;
        let flag = |pointer: &str| entry.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        let what = What::of(&name);
        Some(Self {
            at: time(entry, "/at")?,
            what,
            who: who(entry),
            detail: detail(entry, what),
            is_first: flag("/first"),
            is_out_of_band: flag("/out_of_band"),
            record: text(entry, "/record"),
            name,
        })
    }

    /// Whether it is the same moment as another.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.at == other.at && self.detail == other.detail
    }

    /// What a call did.
    pub(super) fn by(call: &Call, name: &str, detail: String) -> Self {
        Self {
            at: call.time,
            what: What::of(name),
            name: name.to_owned(),
            who: call.principal.clone(),
            detail,
            is_first: false,
            is_out_of_band: false,
            record: Some(call.id.clone()),
        }
    }
}

/// Whoever did it: a principal through the gate, or else a process of the container.
fn who(entry: &Value) -> String {
    let principal = ["/principal/name", "/principal"].into_iter().find_map(|pointer| text(entry, pointer));
    let number = |pointer: &str| entry.pointer(pointer).and_then(Value::as_u64);
    principal.unwrap_or_else(|| match (number("/pid"), number("/uid")) {
        (Some(pid), Some(uid)) => format!("pid {pid}, uid {uid}"),
        (Some(pid), None) => format!("pid {pid}"),
        (None, Some(uid)) => format!("uid {uid}"),
        (None, None) => process(entry).unwrap_or_default(),
    })
}

/// The process of a connection: a pid, or an object that has one.
fn process(entry: &Value) -> Option<String> {
    let number = ["/process/pid", "/process"].into_iter().find_map(|at| entry.pointer(at).and_then(Value::as_u64));
    number.map(|pid| format!("pid {pid}")).or_else(|| text(entry, "/process/path")).or_else(|| text(entry, "/process"))
}

fn detail(entry: &Value, what: What) -> String {
    let at = |name: &str| text(entry, &format!("/{name}"));
    match what {
        What::Process | What::Exec => {
            let argv = entry.pointer("/argv").and_then(Value::as_array);
            let argv =
                argv.map(|all| all.iter().take(ARGUMENTS).filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
            match (argv.filter(|argv| !argv.is_empty()), at("path")) {
                (Some(argv), Some(path)) if argv.split(' ').next() != Some(&path) => cut(&format!("{argv}  ({path})")),
                (Some(argv), _) => cut(&argv),
                (None, path) => path.unwrap_or_default(),
            }
        }
        What::Network => {
            let direction = match (at("local"), at("remote")) {
                (Some(local), Some(remote)) => format!("{local} → {remote}"),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => String::new(),
            };
            [at("protocol"), Some(direction)].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        What::End => {
            let code = entry.pointer("/code").and_then(Value::as_i64);
            code.map(|code| format!("exit code {code}")).or_else(|| at("status")).unwrap_or_default()
        }
        What::Create | What::Start | What::Dns | What::Other => {
            ["name", "image", "detail", "status"].into_iter().find_map(at).unwrap_or_default()
        }
    }
}
