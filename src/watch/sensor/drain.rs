//! The sensor's own thread: empties the ring every few milliseconds, and hands on what it finds.
//!
//! It never waits for whoever takes the notices. If they do not, the ring fills, the kernel counts what it loses, and that is
//! told as a gap.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::cgroups::Hierarchy;
use super::clock::{self, Clock};
use super::programs::{Added, Kernel, Load};
use super::record::{Body, Record};
use super::status::{Off, Status};
use super::{Counts, Setting};
use crate::sys::{self, Capabilities, Capability};
use crate::watch::kernel::{Event, Notice, What};

/// How often the ring is looked into. Being woken by each event costs several times the event.
const TICK: Duration = Duration::from_millis(5);

/// Most records of one turn: then it is looked whether to stop, and for losses.
const MAX_RECORDS: usize = 1024;

/// How often what is counted only is told, and the clock read anew.
const SECOND: Duration = Duration::from_secs(1);

/// How long a container is remembered after its cgroup is gone: its last packets may come later.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How long the sensor's own child may take to be seen.
const SELF_TEST: Duration = Duration::from_secs(2);

/// Everything the thread has.
pub(super) struct Drain {
    kernel: Kernel,
    hierarchy: Hierarchy,
    notices: Sender<Notice>,
    counts: Arc<Counts>,
    clock: Clock,
    /// Found, and not taken yet by whoever reads the notices.
    waiting: VecDeque<Notice>,
    containers: HashMap<u64, Known>,
    /// Losses that were told.
    lost: u64,
    /// Records that could not be read, and containers that there was no room for.
    unread: u64,
    /// Something was lost, and it is not known yet what.
    doubtful: bool,
    /// Containers that are known and were not there, when that was looked into.
    missing: HashSet<u64>,
    /// Until when nothing was lost.
    whole: Timestamp,
    /// What was counted only, when it was last told.
    untold: u64,
    /// Last time of what is done once in a while.
    checked: Instant,
    probed: bool,
}

struct Known {
    id: String,
    /// Execs and network actions that were told as not told one by one.
    execs: u64,
    network: u64,
    gone: Option<Instant>,
}

/// Nobody takes the notices any more.
struct Closed;

impl Drain {
    /// Takes what it takes from the host, gives up the thread's other capabilities, attaches, looks at what there is, and tries
    /// itself.
    pub(super) fn begin(
        setting: &Setting,
        hierarchy: Hierarchy,
        notices: Sender<Notice>,
        counts: Arc<Counts>,
    ) -> Result<(Self, Status), Off> {
        // First, since it takes a capability that the thread does not keep.
        let host_mounts = host_mounts();
        let held = give_up()?;
        let load = Load { hierarchy: &hierarchy, host_mounts, ring: setting.ring, budget: setting.budget, held };
        let (kernel, off) = Kernel::load(load)?;
        let mut drain = Self {
            kernel,
            hierarchy,
            notices,
            counts,
            clock: Clock::read(),
            waiting: VecDeque::new(),
            containers: HashMap::new(),
            lost: 0,
            unread: 0,
            doubtful: false,
            missing: HashSet::new(),
            whole: Timestamp::now(),
            untold: 0,
            checked: Instant::now(),
            probed: false,
        };
        drain.self_test(&setting.probe)?;
        drain.find();
        Ok((drain, Status::but(off)))
    }

    /// Works until it is told to stop, or nobody listens any more.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        loop {
            let Ok(busy) = self.turn() else { return };
            let wait = if busy { Duration::ZERO } else { TICK };
            match stop.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Attached first, walked then: what is made meanwhile is seen by one of both.
    fn find(&mut self) {
        for member in self.hierarchy.walk() {
            match self.kernel.add(&member) {
                Added::Container => {
                    self.containers.insert(member.owner, Known::new(member.id.clone()));
                    self.put(member.id, clock::since_boot(), What::Found);
                }
                Added::Nothing => {}
                // Of this one nothing will be told.
                Added::Full => self.unread = self.unread.saturating_add(1),
            }
        }
    }

    /// Runs a program that does nothing, and requires that it is seen: a kernel may take all programs and tell nothing.
    fn self_test(&mut self, probe: &[String]) -> Result<(), Off> {
        let (program, arguments) =
            probe.split_first().ok_or_else(|| Off::SelfTest("there is no program to try it with".to_owned()))?;
        self.kernel.probe(Some(std::process::id()))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().map_err(|error| Off::SelfTest(format!("cannot run {program}: {error}")))?;
        let deadline = Instant::now() + SELF_TEST;
        while !self.probed {
            if Instant::now() > deadline {
                let why = format!("{program} was run and not seen; is this the host's process namespace?");
                return Err(Off::SelfTest(why));
            }
            // Whether anybody takes the notices is another matter: here the ring is emptied whatever waits.
            while !self.probed
                && let Some(record) = self.kernel.next()
            {
                self.take_whole(record);
            }
            std::thread::sleep(TICK);
        }
        self.kernel.probe(None)
    }

    /// Looks once; says whether there is more.
    fn turn(&mut self) -> Result<bool, Closed> {
        let mut more = true;
        for _ in 0..MAX_RECORDS {
            // What is in the ring is safe there, and what it then loses is counted.
            if !self.hand_on()? {
                more = false;
                break;
            }
            let Some(record) = self.kernel.next() else {
                more = false;
                break;
            };
            self.take_whole(record);
        }
        // As long as something waits nothing is added to it: the counts go on in the kernel, and lose nothing by waiting.
        if self.hand_on()? {
            self.tell_losses();
            if self.checked.elapsed() >= SECOND {
                self.checked = Instant::now();
                self.once_in_a_while();
            }
            self.hand_on()?;
        }
        Ok(more)
    }

    fn once_in_a_while(&mut self) {
        self.clock = Clock::read();
        if std::mem::take(&mut self.doubtful) || !self.missing.is_empty() {
            self.reconcile();
        }
        self.tell_untold();
        self.forget();
    }

    /// Hands on what waits; says whether all of it went.
    fn hand_on(&mut self) -> Result<bool, Closed> {
        while let Some(notice) = self.waiting.pop_front() {
            match self.notices.try_send(notice) {
                Ok(()) => {
                    self.counts.notices.fetch_add(1, Ordering::Relaxed);
                }
                Err(TrySendError::Full(notice)) => {
                    self.waiting.push_front(notice);
                    return Ok(false);
                }
                Err(TrySendError::Closed(_)) => return Err(Closed),
            }
        }
        Ok(true)
    }

    fn take_whole(&mut self, record: Option<Record>) {
        match record {
            Some(record) => self.take(record),
            None => self.unread = self.unread.saturating_add(1),
        }
    }

    fn take(&mut self, record: Record) {
        let Record { boot_ns, owner, body } = record;
        let what = match body {
            Body::Probe => {
                self.probed = true;
                return;
            }
            Body::Appeared(id) => {
                self.containers.insert(owner, Known::new(id));
                What::Appeared
            }
            Body::What(what) => what,
        };
        let Some(id) = self.id(owner) else { return };
        if what == What::Gone {
            self.tell_untold_of(owner);
            let known = self.containers.get_mut(&owner);
            // Its own record may come after it was found missing.
            if known.is_some_and(|known| known.gone.replace(Instant::now()).is_some()) {
                return;
            }
        }
        self.put(id, boot_ns, what);
    }

    /// The id of a container. One whose first record was lost is known to the kernel still.
    fn id(&mut self, owner: u64) -> Option<String> {
        if let Some(known) = self.containers.get(&owner) {
            return Some(known.id.clone());
        }
        let id = self.kernel.container(owner)?.id;
        self.containers.insert(owner, Known::new(id.clone()));
        Some(id)
    }

    fn put(&mut self, container: String, boot_ns: u64, what: What) {
        let time = self.clock.wall(boot_ns);
        self.waiting.push_back(Notice::Event(Event { container, boot_ns, time, what }));
    }

    /// Tells how much was lost since the last look, if anything was.
    fn tell_losses(&mut self) {
        let now = Timestamp::now();
        let lost = self.kernel.lost().saturating_add(self.unread);
        if lost > self.lost {
            let more = lost - self.lost;
            self.waiting.push_back(Notice::Gap { from: self.whole, to: now, lost: more });
            self.lost = lost;
            self.counts.lost.store(lost, Ordering::Relaxed);
            self.doubtful = true;
        }
        self.whole = now;
    }

    /// The end of a container may be among what was lost.
    fn reconcile(&mut self) {
        // Listed first: what is made after that is not taken for gone.
        let listed = self.kernel.containers();
        let there: HashSet<u64> = self.hierarchy.walk().into_iter().map(|member| member.owner).collect();
        let told = |owner: &u64| self.containers.get(owner).is_some_and(|known| known.gone.is_some());
        let missing = listed.into_iter().filter(|owner| !there.contains(owner) && !told(owner)).collect();
        // Missing twice: the kernel tells of a cgroup a moment before it is in the tree.
        let before = std::mem::replace(&mut self.missing, missing);
        for owner in self.missing.intersection(&before).copied().collect::<Vec<_>>() {
            let (boot_ns, body) = (clock::since_boot(), Body::What(What::Gone));
            self.take(Record { boot_ns, owner, body });
        }
    }

    fn tell_untold(&mut self) {
        let untold = self.kernel.untold();
        if untold == self.untold {
            return;
        }
        self.untold = untold;
        self.counts.untold.store(untold, Ordering::Relaxed);
        for owner in self.containers.keys().copied().collect::<Vec<_>>() {
            self.tell_untold_of(owner);
        }
    }

    fn tell_untold_of(&mut self, owner: u64) {
        let (Some(now), Some(known)) = (self.kernel.container(owner), self.containers.get_mut(&owner)) else { return };
        let (execs, network) = (now.execs.saturating_sub(known.execs), now.network.saturating_sub(known.network));
        (known.execs, known.network) = (now.execs, now.network);
        if execs > 0 || network > 0 {
            self.put(now.id, clock::since_boot(), What::Untold { execs, network });
        }
    }

    fn forget(&mut self) {
        let old = |known: &Known| known.gone.is_some_and(|gone| gone.elapsed() > REMEMBERED);
        let gone = self.containers.iter().filter(|(_, known)| old(known)).map(|(owner, _)| *owner);
        for owner in gone.collect::<Vec<_>>() {
            self.kernel.forget(owner);
            self.containers.remove(&owner);
        }
    }
}

impl Known {
    fn new(id: String) -> Self {
        Self { id, execs: 0, network: 0, gone: None }
    }
}

/// Gives up what the sensor does not take; returns what the thread had before.
fn give_up() -> Result<Capabilities, Off> {
    let refused = |error: std::io::Error| Off::Refused(format!("capabilities: {error}"));
    let held = sys::capabilities().map_err(refused)?;
    let apart = held.has(Capability::Bpf) && held.has(Capability::Perfmon);
    if !apart && !held.has(Capability::SysAdmin) {
        return Err(Off::Capability("CAP_BPF and CAP_PERFMON"));
    }
    let mut kept = vec![Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];
    if !apart || !held.has(Capability::NetAdmin) {
        // It stands for any of the three.
        kept.push(Capability::SysAdmin);
    }
    sys::keep_capabilities(kept.into_iter().collect()).map_err(refused)?;
    Ok(held)
}

/// The host's mount namespace: that of the first process, which may be closed to us, and of the kernel's own.
fn host_mounts() -> Option<u64> {
    ["/proc/1/ns/mnt", "/proc/2/ns/mnt"].iter().find_map(|path| {
        let link = fs::read_link(path).ok()?;
        link.to_str()?.strip_prefix("mnt:[")?.strip_suffix(']')?.parse().ok()
    })
}
