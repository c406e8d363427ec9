//! The kernel's side: loading it, attaching it, and what both sides remember of containers (`src/bpf/maps.h`).

use std::error::Error;
use std::fs::File;

use aya::maps::{Array, HashMap, MapData, MapError, RingBuf};
use aya::programs::{CgroupAttachMode, CgroupSkbAttachType, Program, ProgramError, RawTracePoint};
use aya::{Btf, Ebpf, EbpfLoader};

use super::cgroups::{Hierarchy, Member};
use super::record;
use super::status::{Off, Part};
use crate::sys::{Capabilities, Capability};

/// The compiled `src/bpf/sensor.bpf.c`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));

/// Programs and the tracepoints they are for.
const PROGRAMS: &[(&str, &str)] = &[
    ("on_mkdir", "cgroup_mkdir"),
    ("on_rmdir", "cgroup_rmdir"),
    ("on_attach", "cgroup_attach_task"),
    ("on_fork", "sched_process_fork"),
    ("on_exec", "sched_process_exec"),
    ("on_exit", "sched_process_exit"),
];
const TCP: &[(&str, &str)] = &[("on_tcp", "inet_sock_set_state")];
const DATAGRAMS: &[&str] = &["on_connect4", "on_connect6", "on_send4", "on_send6", "on_bind4", "on_bind6", "on_socket"];
const NAMES: &[&str] = &["on_packet"];

/// Most of what the kernel or the loader says of a failure.
const MAX_SAID: usize = 200;

/// `BPF_NOEXIST`.
const ONLY_NEW: u64 = 1;

/// Size of `struct container`: id, mount namespace, three numbers of what was told, two of what was not.
const CONTAINER: usize = 64 + 6 * 8;

/// The loaded programs and their maps. Dropped, it detaches everything.
pub(super) struct Kernel {
    maps: Maps,
    /// Holds the links.
    _programs: Ebpf,
}

struct Maps {
    ring: RingBuf<MapData>,
    owners: HashMap<MapData, u64, u64>,
    containers: HashMap<MapData, u64, [u8; CONTAINER]>,
    counters: Array<MapData, u64>,
    prober: Array<MapData, u64>,
}

/// How it is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) hierarchy: &'a Hierarchy,
    /// Number of the host's mount namespace, if it is known.
    pub(super) host_mounts: Option<u64>,
    /// Bytes of the ring; the kernel wants a power of two, and a page at least.
    pub(super) ring: u32,
    pub(super) budget: u64,
    pub(super) held: Capabilities,
}

/// A container, as the kernel's side knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    /// Execs that were counted only.
    pub(super) execs: u64,
    /// Network actions that were counted only.
    pub(super) network: u64,
}

/// What came of making a cgroup known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// A container that was not known.
    Container,
    /// It was known, or is within a container that is.
    Nothing,
    /// There is no room.
    Full,
}

impl Kernel {
    /// Loads and attaches what can be, with the parts that cannot.
    ///
    /// # Errors
    /// Why nothing is on.
    pub(super) fn load(load: Load<'_>) -> Result<(Self, Vec<(Part, Off)>), Off> {
        // The loader goes on without it, attaches, and nothing is ever told.
        let btf = Btf::from_sys_fs().map_err(|error| Off::NoBtf(error.to_string()))?;
        let controller = load.hierarchy.controller.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1);
        let host_mounts = load.host_mounts.unwrap_or_default();
        let mut programs = EbpfLoader::new()
            .btf(Some(&btf))
            .map_max_entries("events", load.ring)
            .override_global("hierarchy", &load.hierarchy.number, true)
            .override_global("subsystem", &controller, true)
            .override_global("host_mounts", &host_mounts, true)
            .override_global("budget", &load.budget, true)
            .load(OBJECT)
            .map_err(|error| refused(&error))?;
        let maps = Maps::of(&mut programs).map_err(|error| refused(&error))?;
        attach_points(&mut programs, PROGRAMS)?;
        let mut off = Vec::new();
        let mut part = |part, result: Result<(), Off>| off.extend(result.err().map(|why| (part, why)));
        part(Part::Tcp, attach_points(&mut programs, TCP));
        part(Part::Datagrams, attach_to_root(&mut programs, DATAGRAMS, load));
        part(Part::Names, attach_to_root(&mut programs, NAMES, load));
        Ok((Self { maps, _programs: programs }, off))
    }

    /// Takes the next record from the ring; `Some(None)` if it cannot be read.
    pub(super) fn next(&mut self) -> Option<Option<record::Record>> {
        self.maps.ring.next().map(|bytes| record::decode(&bytes))
    }

    /// Events that are gone because the ring was full, and containers that there was no room for.
    pub(super) fn lost(&self) -> u64 {
        self.counter(0).saturating_add(self.counter(2))
    }

    /// Actions that were counted only.
    pub(super) fn untold(&self) -> u64 {
        self.counter(1)
    }

    fn counter(&self, which: u32) -> u64 {
        self.maps.counters.get(&which, 0).unwrap_or_default()
    }

    /// What is known of a container.
    pub(super) fn container(&self, owner: u64) -> Option<Container> {
        let bytes = self.maps.containers.get(&owner, 0).ok()?;
        let number = |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        let id = record::container(bytes.get(..64)?)?;
        Some(Container { id, execs: number(96)?, network: number(104)? })
    }

    /// Every container that is known.
    pub(super) fn containers(&self) -> Vec<u64> {
        self.maps.containers.keys().filter_map(Result::ok).collect()
    }

    /// Makes a cgroup known that was there before.
    pub(super) fn add(&mut self, member: &Member) -> Added {
        let mut container = [0; CONTAINER];
        for (to, from) in container.iter_mut().zip(member.id.bytes()) {
            *to = from;
        }
        let own = member.owner == member.cgroup;
        let maps = &mut self.maps;
        let new = (!own || maps.containers.insert(member.owner, container, ONLY_NEW).is_ok())
            && maps.owners.insert(member.cgroup, member.owner, ONLY_NEW).is_ok();
        if !new && maps.owners.get(&member.cgroup, 0).is_err() {
            return Added::Full;
        }
        if new && own { Added::Container } else { Added::Nothing }
    }

    /// Forgets a container.
    pub(super) fn forget(&mut self, owner: u64) {
        // What is not there need not go.
        self.maps.owners.remove(&owner).ok();
        self.maps.containers.remove(&owner).ok();
    }

    /// From now on tells the children of this process, or no more of any.
    pub(super) fn probe(&mut self, parent: Option<u32>) -> Result<(), Off> {
        self.maps.prober.set(0, u64::from(parent.unwrap_or_default()), 0).map_err(|error| refused(&error))
    }
}

impl Maps {
    fn of(programs: &mut Ebpf) -> Result<Self, MapError> {
        let mut map = |name: &str| programs.take_map(name).ok_or(MapError::InvalidName { name: name.to_owned() });
        Ok(Self {
            ring: map("events")?.try_into()?,
            owners: map("owners")?.try_into()?,
            containers: map("containers")?.try_into()?,
            counters: map("counters")?.try_into()?,
            prober: map("prober")?.try_into()?,
        })
    }
}

fn attach_points(programs: &mut Ebpf, points: &[(&str, &str)]) -> Result<(), Off> {
    points
        .iter()
        .try_for_each(|(name, point)| {
            let program: &mut RawTracePoint = find(programs, name).and_then(|program| program.try_into())?;
            program.load()?;
            program.attach(point).map(drop)
        })
        .map_err(|error: ProgramError| refused(&error))
}

/// The root of cgroup2 has every process and every socket below it. What is attached there is asked before each packet and
/// must say yes: it always does.
fn attach_to_root(programs: &mut Ebpf, names: &[&str], load: Load<'_>) -> Result<(), Off> {
    if !load.hierarchy.is_unified() {
        return Err(Off::NoCgroup2);
    }
    if !load.held.has(Capability::NetAdmin) && !load.held.has(Capability::SysAdmin) {
        return Err(Off::Capability("CAP_NET_ADMIN"));
    }
    let root = File::open(&load.hierarchy.mount)
        .map_err(|error| Off::Refused(format!("{}: {error}", load.hierarchy.mount.display())))?;
    // Others may attach there too: links are always several, whatever the mode is called.
    let mode = CgroupAttachMode::Single;
    names.iter().try_for_each(|name| attach_one(find(programs, name)?, &root, mode)).map_err(|error| refused(&error))
}

fn attach_one(program: &mut Program, root: &File, mode: CgroupAttachMode) -> Result<(), ProgramError> {
    if let Program::CgroupSockAddr(program) = program {
        program.load()?;
        program.attach(root, mode).map(drop)
    } else if let Program::CgroupSock(program) = program {
        program.load()?;
        program.attach(root, mode).map(drop)
    } else if let Program::CgroupSkb(program) = program {
        program.load()?;
        program.attach(root, CgroupSkbAttachType::Egress, mode).map(drop)
    } else {
        Err(ProgramError::UnexpectedProgramType)
    }
}

fn find<'a>(programs: &'a mut Ebpf, name: &str) -> Result<&'a mut Program, ProgramError> {
    programs.program_mut(name).ok_or(ProgramError::NotLoaded)
}

/// The error and what it came of, without the pages that the verifier writes.
fn refused(error: &dyn Error) -> Off {
    let mut told = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        told.push(ends(&error.to_string()));
        next = error.source();
    }
    Off::Refused(told.join(": ").replace('\n', " "))
}

/// Both ends of what was said: what the kernel answered, and the line that the verifier stopped at.
fn ends(said: &str) -> String {
    let all = said.chars().count();
    if all <= 2 * MAX_SAID {
        return said.to_owned();
    }
    let (begin, end) = (said.chars().take(MAX_SAID), said.chars().skip(all - MAX_SAID));
    begin.chain(" … ".chars()).chain(end).collect()
}
