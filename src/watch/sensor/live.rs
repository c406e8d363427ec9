//! The sensor in the kernel of this machine, with cgroups made by hand: no engine makes them on demand in the shapes of hosts
//! that this one is not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver};
use tokio::time::Instant;

use super::cgroups::Hierarchy;
use super::{Counts, Handle, Meter, Setting, Status, begin_in};
use crate::watch::kernel::{Event, Notice, What};

const DEADLINE: Duration = Duration::from_secs(5);

/// A cgroup with the name of a container. It goes with the value.
struct Cgroup {
    path: PathBuf,
    id: String,
}

impl Cgroup {
    fn new(below: &Path, number: u32) -> Self {
        let id = format!("{:032x}{:032x}", std::process::id(), number);
        let path = below.join(&id);
        fs::create_dir(&path).unwrap();
        Self { path, id }
    }

    /// Runs a script in it, that enters by itself.
    fn run(&self, script: &str) {
        let enter = format!("echo $$ >'{}/cgroup.procs'; {script}", self.path.display());
        assert!(Command::new("sh").args(["-ec", &enter]).status().unwrap().success(), "{script}");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Who was in it may not be wholly gone yet.
        let deadline = Instant::now() + DEADLINE;
        while let Err(error) = fs::remove_dir(&self.path) {
            if Instant::now() > deadline {
                println!("{}: {error}", self.path.display());
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Every hierarchy that this machine has: cgroup2, and where v1 is beside it one of v1, as if there were no cgroup2.
fn hierarchies() -> Vec<Hierarchy> {
    let found = Hierarchy::find().unwrap();
    if fs::metadata("/sys/kernel/btf/vmlinux").is_err() || !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: no BTF here, or not root");
        return Vec::new();
    }
    let writable = |hierarchy: &Hierarchy| !nix::sys::statvfs::statvfs(&hierarchy.mount).is_ok_and(read_only);
    [Some(found), Hierarchy::v1()].into_iter().flatten().filter(writable).collect()
}

fn read_only(of: nix::sys::statvfs::Statvfs) -> bool {
    of.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY)
}

fn begin(hierarchy: &Hierarchy) -> (Handle, Receiver<Notice>, Status) {
    begin_with(hierarchy, Setting::default())
}

fn begin_with(hierarchy: &Hierarchy, setting: Setting) -> (Handle, Receiver<Notice>, Status) {
    let setting = Setting { probe: vec!["true".to_owned()], ..setting };
    let (notices, receiver) = mpsc::channel(setting.queue);
    let counts = Arc::new(Counts::default());
    let (status, stop, thread) = begin_in(hierarchy.clone(), setting, notices, Arc::clone(&counts)).unwrap();
    let meter = Meter { status: Arc::new(status.clone()), counts };
    (Handle { thread: Some((stop, thread)), meter }, receiver, status)
}

/// What a container did, up to its end.
fn until_gone(notices: &mut Receiver<Notice>, id: &str) -> Vec<What> {
    let mut told = Vec::new();
    while told.last() != Some(&What::Gone) {
        match notices.blocking_recv() {
            Some(Notice::Event(Event { container, what, .. })) if container == id => told.push(what),
            Some(Notice::Event(_) | Notice::Gap { .. }) => {}
            None => panic!("the sensor ended: {told:#?}"),
        }
    }
    told
}

#[test]
fn programs_are_told_on_every_kind_of_host_and_those_in_the_hosts_mounts_are_not() {
    for hierarchy in hierarchies() {
        let (_handle, mut notices, status) = begin(&hierarchy);
        println!("{hierarchy:?}: {status}");
        let cgroup = Cgroup::new(&hierarchy.mount, 1);
        let id = cgroup.id.clone();
        cgroup.run("/bin/true hidden; unshare -m /bin/true told");
        drop(cgroup);
        let told = until_gone(&mut notices, &id);
        assert_eq!(told.first(), Some(&What::Appeared), "{status}: {told:#?}");
        // It entered by itself, from the host.
        assert!(matches!(told.get(1), Some(What::Entered { comm, .. }) if comm == "sh"), "{status}: {told:#?}");
        let commands: Vec<_> = told
            .iter()
            .filter_map(|what| if let What::Exec(process) = what { Some(&process.argv) } else { None })
            .collect();
        assert_eq!(commands, [&["/bin/true", "told"]], "{status}: {told:#?}");
    }
}

/// systemd or an engine inside a container: their cgroups are the container's, and to move between them is no entry.
#[test]
fn cgroups_in_a_containers_cgroup_are_its_own() {
    for hierarchy in hierarchies() {
        let before = Cgroup::new(&hierarchy.mount, 2);
        let (_handle, mut notices, status) = begin(&hierarchy);
        let nested = Cgroup::new(&before.path, 3);
        assert_ne!(fs::metadata(&nested.path).unwrap().ino(), fs::metadata(&before.path).unwrap().ino());
        let moves = format!("echo 0 >'{}/cgroup.procs'; /bin/true told", nested.path.display());
        before.run(&format!("unshare -m sh -ec \"{moves}\""));
        let (id, inner) = (before.id.clone(), nested.id.clone());
        drop((nested, before));
        let told = until_gone(&mut notices, &id);
        assert_eq!(told.first(), Some(&What::Found), "{status}: {told:#?}");
        assert_eq!(told.iter().filter(|what| matches!(what, What::Entered { .. })).count(), 1, "{status}: {told:#?}");
        let last = told.iter().rev().find(|what| matches!(what, What::Exec(_)));
        assert!(matches!(last, Some(What::Exec(process)) if process.argv == ["/bin/true", "told"]), "{told:#?}");
        assert!(!told.contains(&What::Appeared), "{inner}");
    }
}

/// Whoever breaks out (nsenter from a privileged container) runs the host's programs in the host's mounts, as the runtime does.
#[test]
fn a_program_in_the_hosts_mounts_is_told_if_it_was_run_from_inside() {
    for hierarchy in hierarchies() {
        let (_handle, mut notices, status) = begin(&hierarchy);
        let cgroup = Cgroup::new(&hierarchy.mount, 4);
        let id = cgroup.id.clone();
        cgroup.run("unshare -m nsenter --mount=/proc/$$/ns/mnt /bin/true escaped");
        drop(cgroup);
        let told = until_gone(&mut notices, &id);
        let last = told.iter().rev().find(|what| matches!(what, What::Exec(_)));
        let escaped = matches!(last, Some(What::Exec(process)) if process.argv == ["/bin/true", "escaped"]);
        assert!(escaped, "{status}: {told:#?}");
    }
}

/// Nobody takes notices before the sensor is known to be on.
#[test]
fn more_containers_than_the_queue_has_room_for_do_not_fail_the_self_test() {
    for hierarchy in hierarchies() {
        let cgroups = [5, 6, 7].map(|number| Cgroup::new(&hierarchy.mount, number));
        let (_handle, mut notices, _) = begin_with(&hierarchy, Setting { queue: 1, ..Setting::default() });
        let ids = cgroups.each_ref().map(|cgroup| &cgroup.id);
        let mut found = 0;
        while found < ids.len() {
            match notices.blocking_recv() {
                Some(Notice::Event(event)) if ids.contains(&&event.container) => found += 1,
                other => assert!(other.is_some(), "{found} found"),
            }
        }
    }
}

/// Each look at a full queue must not add to what waits in memory.
#[test]
fn losses_while_nobody_takes_the_notices_are_one_gap() {
    for hierarchy in hierarchies() {
        let setting = Setting { queue: 1, ring: 4096, budget: 1 << 40, ..Setting::default() };
        let (handle, mut notices, _) = begin_with(&hierarchy, setting);
        let cgroup = Cgroup::new(&hierarchy.mount, 8);
        cgroup.run("unshare -m sh -c 'n=0; while [ $n -lt 300 ]; do /bin/true; n=$((n+1)); done'");
        let id = cgroup.id.clone();
        drop(cgroup);
        let (mut gaps, mut lost, mut ends) = (0, 0, 0);
        // The end may be among what is lost, and is told all the same.
        while lost == 0 || lost < handle.meter().stats().lost || ends == 0 {
            match notices.blocking_recv() {
                Some(Notice::Gap { lost: more, .. }) => (gaps, lost) = (gaps + 1, lost + more),
                Some(Notice::Event(event)) => ends += u32::from(event.container == id && event.what == What::Gone),
                None => panic!("the sensor ended"),
            }
        }
        assert_eq!(ends, 1);
        // What others do on this host meanwhile is lost too, in gaps of its own.
        assert!(lost >= 30 * gaps, "{lost} lost in {gaps} gaps");
    }
}

/// It would be forgotten, and nothing it does told any more.
#[test]
fn a_container_made_while_losses_are_looked_into_is_not_taken_for_gone() {
    let Some(hierarchy) = hierarchies().into_iter().next() else { return };
    let setting = Setting { ring: 4096, queue: 1 << 16, budget: 1 << 40, ..Setting::default() };
    let (handle, mut notices, _) = begin_with(&hierarchy, setting);
    let storm = Cgroup::new(&hierarchy.mount, 9);
    let mut made = Vec::new();
    let run = || storm.run("unshare -m sh -c 'n=0; while [ $n -lt 2000 ]; do /bin/true; n=$((n+1)); done'");
    std::thread::scope(|scope| {
        let running = scope.spawn(run);
        while !running.is_finished() {
            // One for each program of the storm: they are made all the time, a thousand or two.
            match notices.blocking_recv() {
                Some(Notice::Event(Event { what: What::Exec(_), .. })) if made.len() < 3000 => {
                    made.push(Cgroup::new(&hierarchy.mount, 1000 + u32::try_from(made.len()).unwrap()));
                }
                Some(Notice::Event(Event { what: What::Gone, container, .. })) => {
                    assert!(!made.iter().any(|cgroup| cgroup.id == container), "{container} of {}", made.len());
                }
                other => assert!(other.is_some(), "the sensor ended"),
            }
        }
    });
    assert!(handle.meter().stats().lost > 0);
}
