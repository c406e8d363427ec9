//! What of the sensor is on, what is off and why: told once, in one line.

use std::fmt;

/// A part of the sensor that can be on while others are off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Containers and the programs they run. Without it nothing is on.
    Programs,
    /// TCP.
    Tcp,
    /// UDP, other datagrams, and raw sockets.
    Datagrams,
    /// Names that are asked for.
    Names,
}

/// Why a part is off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Off {
    /// The configuration says so.
    #[error("by configuration")]
    Configured,
    /// It was left out when the program was built.
    #[error("this program was built without it: build with clang and libbpf-dev installed, and the feature 'sensor'")]
    NotBuilt,
    /// The kernel does not describe itself.
    #[error("no BTF, it takes Linux 5.8 or later with CONFIG_DEBUG_INFO_BTF: {0}")]
    NoBtf(String),
    /// The process may not.
    #[error("it takes {0}: add what is missing to the gate's capabilities")]
    Capability(&'static str),
    /// There is no cgroup2, which datagrams and names are seen at.
    #[error("no cgroup2 is mounted (/sys/fs/cgroup/unified): boot with it")]
    NoCgroup2,
    /// The kernel refused.
    #[error("the kernel refused: {0}")]
    Refused(String),
    /// It was loaded, and then did not tell of a program that the sensor itself had run.
    #[error("self-test: {0}")]
    SelfTest(String),
}

/// What is on and what is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    off: Vec<(Part, Off)>,
}

const PARTS: [Part; 4] = [Part::Programs, Part::Tcp, Part::Datagrams, Part::Names];

impl Status {
    /// All parts are off, for one reason.
    pub(super) fn off(why: Off) -> Self {
        Self { off: PARTS.map(|part| (part, why.clone())).into() }
    }

    /// The parts that are named are off, the others on.
    #[cfg_attr(not(sensor_object), expect(dead_code, reason = "without a sensor nothing is ever on"))]
    pub(super) fn but(off: Vec<(Part, Off)>) -> Self {
        Self { off }
    }

    /// Whether anything is on.
    pub fn is_on(&self) -> bool {
        self.has(Part::Programs)
    }

    /// Whether all of it is on.
    pub fn is_whole(&self) -> bool {
        self.off.is_empty()
    }

    /// Whether a part is on.
    pub fn has(&self, part: Part) -> bool {
        !self.off.iter().any(|(off, _)| *off == part)
    }

    /// Whether it is off because nobody wants it.
    pub fn is_unwanted(&self) -> bool {
        self.off.iter().all(|(_, why)| *why == Off::Configured) && !self.is_on()
    }

    fn of(&self, part: Part) -> Option<&Off> {
        self.off.iter().find(|(off, _)| *off == part).map(|(_, why)| why)
    }
}

/// One line: `on: programs, TCP; off: datagrams, DNS names (it takes CAP_NET_ADMIN: …)`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<String> = PARTS.iter().filter(|part| self.has(**part)).map(Part::to_string).collect();
        if on.is_empty() {
            return match self.of(Part::Programs) {
                Some(why) => write!(f, "off: {why}"),
                None => f.write_str("off"),
            };
        }
        write!(f, "on: {}", on.join(", "))?;
        let mut told: Vec<&Off> = Vec::new();
        for why in PARTS.iter().filter_map(|part| self.of(*part)) {
            if told.contains(&why) {
                continue;
            }
            told.push(why);
            let parts: Vec<String> =
                self.off.iter().filter(|(_, other)| other == why).map(|(part, _)| part.to_string()).collect();
            write!(f, "; off: {} ({why})", parts.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Programs => "programs",
            Self::Tcp => "TCP",
            Self::Datagrams => "UDP and raw sockets",
            Self::Names => "DNS names",
        })
    }
}
