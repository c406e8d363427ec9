//! What a sensor of the kernel tells. Pure: where it was seen is the sensor's matter.

use std::net::SocketAddr;

use jiff::Timestamp;

/// What a sensor hands on, in the order it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened in a container.
    Event(Event),
    /// The sensor was blind for a while.
    Gap {
        /// When the last complete look was.
        from: Timestamp,
        /// When the loss was noticed.
        to: Timestamp,
        /// Events that are gone.
        lost: u64,
    },
}

/// One thing that happened in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Full id of the container, the outermost one.
    pub container: String,
    /// Nanoseconds since boot, as the kernel stamped it.
    pub boot_ns: u64,
    /// The same moment on the wall clock.
    pub time: Timestamp,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The container's control group was made, before anything ran in it.
    Appeared,
    /// Its control group was there already when the sensor began to look.
    Found,
    /// A process was put into the container from outside: the first one, or an exec.
    Entered {
        /// Its process id, in the host's terms.
        pid: u32,
        /// Its name then: the runtime's own.
        comm: String,
    },
    /// A process became another program.
    Exec(Process),
    /// A process ended.
    Exited {
        /// Its process id, in the host's terms.
        pid: u32,
    },
    /// A network action.
    Network {
        /// What was done.
        action: Action,
        /// By which protocol.
        protocol: Protocol,
        /// The container's own end; `None` where the kernel did not know it yet.
        local: Option<SocketAddr>,
        /// The other end.
        remote: Option<SocketAddr>,
        /// Process id and name, where it is the one that acted.
        by: Option<(u32, String)>,
    },
    /// A name was asked for.
    Dns {
        /// The name, without its last dot.
        name: String,
        /// The server that was asked.
        server: Option<SocketAddr>,
    },
    /// Actions beyond the container's budget: counted, not told one by one.
    Untold {
        /// Execs.
        execs: u64,
        /// Network actions.
        network: u64,
    },
    /// The container's control group is gone.
    Gone,
}

/// A program that began to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id in the host's terms.
    pub pid: u32,
    /// Parent's process id in the host's terms.
    pub parent: u32,
    /// Process id in the innermost namespace: 1 is the container's own first process.
    pub inner_pid: u32,
    /// Whose rights it has, in the host's terms.
    pub uid: u32,
    /// Path of the program.
    pub path: String,
    /// Its arguments, as it got them: they may hold secrets.
    pub argv: Vec<String>,
    /// There were more arguments, or longer ones, than were kept.
    pub truncated: bool,
}

/// A network action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A connection was asked for.
    Connect,
    /// A connection that was asked for stands.
    Established,
    /// A connection that was asked for was refused or timed out.
    Refused,
    /// A socket waits for connections.
    Listen,
    /// A connection from outside was taken.
    Accept,
    /// A datagram was sent.
    Send,
    /// A socket took an address.
    Bind,
    /// A raw or packet socket was made.
    Open,
}

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Anything else, by the kernel's number.
    Other(u16),
}
