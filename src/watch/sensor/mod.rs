//! The kernel sensor: what containers do first, seen from below, where they can neither avoid it nor be slowed by it.
//!
//! Programs in the kernel (`src/bpf`, loaded by `programs`) write records into a ring. A thread of its own (`drain`) empties
//! it, reads them (`record`, `question`), and hands on notices. It only ever observes: what it cannot tell it counts, and
//! when it was blind it says so.
//!
//! It does not see: whoever enters a container's namespaces from the host without joining its cgroup (nsenter); packet sockets;
//! execs that fail; what happens inside one process; containers that are virtual machines (Kata, gVisor).

#[cfg(sensor_object)]
mod cgroups;
#[cfg(sensor_object)]
mod clock;
#[cfg(sensor_object)]
mod drain;
#[cfg(sensor_object)]
mod programs;
#[cfg(sensor_object)]
mod question;
#[cfg(sensor_object)]
mod record;
mod status;

#[cfg(test)]
#[cfg(sensor_object)]
mod live;
#[cfg(test)]
#[cfg(sensor_object)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc as thread;

use tokio::sync::mpsc::{self, Receiver};

use super::kernel::Notice;

pub use status::{Off, Part, Status};

/// Whether there is to be a kernel sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Want {
    /// If it can be.
    #[default]
    Auto,
    /// Without it the gate does not start.
    Kernel,
    /// No.
    Off,
}

/// How the sensor works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Whether there is to be one.
    pub want: Want,
    /// Bytes between the kernel and the sensor's thread: a power of two, and a page at least.
    pub ring: u32,
    /// Execs, network actions and names that are told of each container, one by one; the rest is counted.
    pub budget: u64,
    /// Notices that may wait to be taken.
    pub queue: usize,
    /// A command that does nothing, by which the sensor tries itself.
    pub probe: Vec<String>,
}

/// Keeps the sensor. Dropped, it ends it.
#[derive(Debug)]
pub struct Handle {
    thread: Option<(thread::SyncSender<()>, std::thread::JoinHandle<()>)>,
    meter: Meter,
}

/// Says how the sensor is, to whoever looks from outside. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Meter {
    /// What was on when it was started.
    status: Arc<Status>,
    counts: Arc<Counts>,
}

/// How much there was to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Notices that were handed on.
    pub notices: u64,
    /// Events that are gone; each is in a [`Notice::Gap`] too.
    pub lost: u64,
    /// Actions beyond the containers' budgets.
    pub untold: u64,
}

#[derive(Debug, Default)]
struct Counts {
    notices: AtomicU64,
    lost: AtomicU64,
    untold: AtomicU64,
    /// Its thread is at its end, whatever ended it.
    ended: AtomicBool,
}

impl Default for Setting {
    /// A megabyte holds some 800 execs, or 10,000 network actions, and is emptied two hundred times a second.
    fn default() -> Self {
        let probe = vec!["/proc/self/exe".to_owned(), "--version".to_owned()];
        Self { want: Want::Auto, ring: 1 << 20, budget: 64, queue: 4096, probe }
    }
}

/// Starts the sensor, and returns once it is known what of it is on: some tenths of a second. If it is off, the receiver is at
/// its end.
pub fn start(setting: Setting) -> (Status, Receiver<Notice>, Handle) {
    let (notices, receiver) = mpsc::channel(setting.queue);
    let counts = Arc::new(Counts::default());
    let (status, thread) = match begin(setting, notices, &counts) {
        Ok((status, stop, thread)) => (status, Some((stop, thread))),
        Err(why) => (Status::off(why), None),
    };
    let meter = Meter { status: Arc::new(status.clone()), counts };
    (status, receiver, Handle { thread, meter })
}

type Begun = (Status, thread::SyncSender<()>, std::thread::JoinHandle<()>);

#[cfg(sensor_object)]
fn begin(setting: Setting, notices: mpsc::Sender<Notice>, counts: &Arc<Counts>) -> Result<Begun, Off> {
    if setting.want == Want::Off {
        return Err(Off::Configured);
    }
    let hierarchy = cgroups::Hierarchy::find().map_err(|error| Off::Refused(error.to_string()))?;
    begin_in(hierarchy, setting, notices, Arc::clone(counts))
}

#[cfg(sensor_object)]
fn begin_in(
    hierarchy: cgroups::Hierarchy,
    setting: Setting,
    notices: mpsc::Sender<Notice>,
    counts: Arc<Counts>,
) -> Result<Begun, Off> {
    // Nothing is ever sent: it is the end of the sender that says stop.
    let (stop, stopped) = thread::sync_channel(0);
    let (tell, told) = thread::sync_channel(1);
    let work = move || {
        let _end = End(Arc::clone(&counts));
        match drain::Drain::begin(&setting, hierarchy, notices, counts) {
            // If nobody waits for the answer, nobody wants the sensor.
            Ok((drain, status)) => drop(tell.send(Ok(status)).map(|()| drain.run(&stopped))),
            Err(why) => drop(tell.send(Err(why))),
        }
    };
    let thread = std::thread::Builder::new().name("sensor".to_owned()).spawn(work);
    let thread = thread.map_err(|error| Off::Refused(format!("no thread: {error}")))?;
    let status = told.recv().map_err(|error| Off::Refused(format!("its thread ended: {error}")))??;
    Ok((status, stop, thread))
}

#[cfg(not(sensor_object))]
fn begin(setting: Setting, _notices: mpsc::Sender<Notice>, _counts: &Arc<Counts>) -> Result<Begun, Off> {
    Err(if setting.want == Want::Off { Off::Configured } else { Off::NotBuilt })
}

impl Handle {
    /// Ends the sensor and waits for it: nothing of it is in the kernel any more.
    pub fn stop(mut self) {
        self.end();
    }

    /// What others can look at.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    fn end(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the sensor's thread panicked");
            }
        }
    }
}

impl Meter {
    /// What was on when it was started.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Whether it is at work now.
    pub fn is_on(&self) -> bool {
        self.status.is_on() && !self.counts.ended.load(Ordering::Relaxed)
    }

    /// How much there was to tell so far.
    pub fn stats(&self) -> Stats {
        let Counts { notices, lost, untold, .. } = &*self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats { notices: read(notices), lost: read(lost), untold: read(untold) }
    }
}

/// Dropped with the sensor's thread, by a panic too.
#[cfg(sensor_object)]
struct End(Arc<Counts>);

#[cfg(sensor_object)]
impl Drop for End {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
