//! What is known of a container, one timed fact at a time. Three tell: the gate's calls, the engine's events, the kernel. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that happened. Facts are ordered by their time, whoever told them and in whatever order they came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Fact {
    /// When it happened, by the clock of the host.
    #[serde(with = "stamp")]
    pub(super) at: Timestamp,
    /// What happened.
    pub(super) what: Happened,
}

/// What happened. Texts of the container's own choice have been redacted before they come here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Happened {
    /// A call through the gate asks for a start or an exec.
    Asked(Asked),
    /// The engine made it.
    Created {
        /// Its image, as it was asked for.
        image: String,
        /// Its name.
        name: String,
    },
    /// The engine started it.
    Started,
    /// Its first process ended.
    Died {
        /// The exit code, where the engine says one.
        code: Option<i64>,
    },
    /// The kernel killed a process of it for want of memory.
    OutOfMemory,
    /// The engine removed it.
    Destroyed,
    /// It got another name.
    Renamed {
        /// The new one.
        name: String,
    },
    /// It was connected to a network.
    Connected {
        /// The network's name.
        network: String,
    },
    /// The engine took an exec.
    ExecCreated {
        /// Its id.
        exec: String,
        /// Its command, on one line.
        command: String,
    },
    /// The engine began an exec.
    ExecStarted {
        /// Its id.
        exec: String,
    },
    /// A process was put into it from outside.
    Entered {
        /// Process id in the host's terms.
        pid: u32,
    },
    /// A process became a program.
    Ran(Ran),
    /// A network action.
    Network(Network),
    /// Actions beyond what the kernel tells one by one of a container: only counted.
    Untold {
        /// Programs.
        execs: u64,
        /// Network actions.
        network: u64,
    },
    /// A name was asked for.
    Dns {
        /// The name.
        name: String,
    },
}

/// A call that asks for a start or an exec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Id of the exec; `None` if a start is asked for.
    pub(super) exec: Option<String>,
    /// Id of the call's record.
    pub(super) record: String,
    /// Who asks.
    pub(super) by: Who,
    /// What the call's verdict found.
    pub(super) reasons: Vec<Reason>,
}

/// A principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Who {
    /// Its name.
    pub(super) name: String,
    /// Whether it is a known admin.
    pub(super) admin: bool,
}

/// One thing that the gate's verdict found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Reason {
    /// Id of the check.
    pub(super) check: String,
    /// The field that made it fire.
    pub(super) field: String,
    /// The value, or the words for it.
    pub(super) detail: String,
    /// Its risk.
    pub(super) risk: u32,
}

/// A program that began to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Ran {
    /// Process id in the host's terms.
    pub(super) pid: u32,
    /// User id in the host's terms.
    pub(super) uid: u32,
    /// Whether it is the first process of the container's own process namespace.
    pub(super) is_init: bool,
    /// Path of the program.
    pub(super) path: String,
    /// Its arguments.
    pub(super) argv: Vec<String>,
}

/// A network action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Network {
    /// What was done.
    pub(super) did: Did,
    /// By which protocol: `tcp`, `udp`, or its number.
    pub(super) protocol: String,
    /// The container's own end.
    pub(super) local: Option<String>,
    /// The other end.
    pub(super) remote: Option<String>,
    /// Name of the process.
    pub(super) process: Option<String>,
}

/// What was done on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Did {
    /// A connection outward.
    Connect,
    /// A datagram outward.
    Send,
    /// It waits for connections.
    Listen,
    /// A connection from outside.
    Inbound,
}

/// How a container came through the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// When it was asked for.
    #[serde(with = "stamp")]
    pub(super) at: Timestamp,
    /// Id of the record of its create.
    pub(super) record: String,
    /// Who asked.
    pub(super) by: Who,
    /// The name that was asked for.
    pub(super) name: Option<String>,
    /// The image reference that was asked for.
    pub(super) image: String,
    /// The image's id.
    pub(super) image_id: Option<String>,
    /// Whether no check of the image's name fired.
    pub(super) allowed: bool,
    /// What the create's verdict found.
    pub(super) reasons: Vec<Reason>,
    /// Whether the record was read; else only the index of who made what knows of it.
    pub(super) is_whole: bool,
}

/// Classes of facts. Each has a limit of its own, so that one cannot push another out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Engine,
    Asked,
    Exec,
    Process,
    Outward,
    Inward,
    Names,
    Untold,
}

impl Class {
    /// Most facts of one class that a container keeps: the earliest.
    pub(super) const fn limit(self) -> usize {
        match self {
            // A health check every second, for five minutes.
            Self::Exec => 1024,
            // The sensor counts once a second.
            Self::Untold => 512,
            Self::Asked | Self::Process => 256,
            Self::Engine => 64,
            Self::Outward | Self::Inward | Self::Names => 32,
        }
    }
}

impl Fact {
    pub(super) const fn class(&self) -> Class {
        match &self.what {
            Happened::Asked(_) => Class::Asked,
            Happened::ExecCreated { .. } | Happened::ExecStarted { .. } => Class::Exec,
            Happened::Entered { .. } | Happened::Ran(_) => Class::Process,
            Happened::Network(Network { did: Did::Connect | Did::Send, .. }) => Class::Outward,
            Happened::Network(Network { did: Did::Listen | Did::Inbound, .. }) => Class::Inward,
            Happened::Dns { .. } => Class::Names,
            Happened::Untold { .. } => Class::Untold,
            Happened::Created { .. }
            | Happened::Started
            | Happened::Died { .. }
            | Happened::OutOfMemory
            | Happened::Destroyed
            | Happened::Renamed { .. }
            | Happened::Connected { .. } => Class::Engine,
        }
    }

    /// Whether it is an action of what runs in the container.
    pub(super) const fn is_act(&self) -> bool {
        matches!(self.class(), Class::Process | Class::Outward | Class::Inward | Class::Names)
    }
}

impl Happened {
    /// The call, if a start is asked for.
    pub(super) fn start_asked(&self) -> Option<&Asked> {
        if let Self::Asked(asked) = self { Some(asked).filter(|asked| asked.exec.is_none()) } else { None }
    }

    /// Programs and network actions that were only counted.
    pub(super) const fn untold(&self) -> Option<(u64, u64)> {
        if let Self::Untold { execs, network } = self { Some((*execs, *network)) } else { None }
    }

    /// The call and the exec's id, if an exec is asked for.
    pub(super) fn exec_asked(&self) -> Option<(&Asked, &str)> {
        if let Self::Asked(asked) = self { asked.exec.as_deref().map(|exec| (asked, exec)) } else { None }
    }

    /// Id of an exec that the engine began.
    pub(super) fn exec_started(&self) -> Option<&str> {
        if let Self::ExecStarted { exec } = self { Some(exec) } else { None }
    }

    /// The program that began to run.
    pub(super) const fn ran(&self) -> Option<&Ran> {
        if let Self::Ran(ran) = self { Some(ran) } else { None }
    }

    /// The new name.
    pub(super) fn renamed(&self) -> Option<&str> {
        if let Self::Renamed { name } = self { Some(name) } else { None }
    }
}

/// Times as text, to the nanosecond.
pub(super) mod stamp {
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::watch) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub(in crate::watch) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Times that may be absent.
pub(super) mod maybe_stamp {
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::watch) fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(at),
            None => to.serialize_none(),
        }
    }

    pub(in crate::watch) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}
