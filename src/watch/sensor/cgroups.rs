//! Where containers are in the tree of cgroups.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::record;

/// Deepest cgroup that is looked into: the engine's is three or four deep, one in it may hold an engine of its own.
const MAX_DEPTH: usize = 16;

/// Most of a file of `/proc` that is read. A line of a mount has some 200 bytes, an engine a mount for each container.
const MAX_TEXT: u64 = 16 << 20;

/// The hierarchy that containers are followed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) mount: PathBuf,
    /// Its number; 0 is cgroup2.
    pub(super) number: u32,
    /// Of v1: the place of one of its controllers in the kernel's table.
    pub(super) controller: Option<u32>,
}

/// A cgroup of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its own id.
    pub(super) cgroup: u64,
    /// Id of the outermost cgroup that is the container's.
    pub(super) owner: u64,
    /// The container's id.
    pub(super) id: String,
}

impl Hierarchy {
    /// Finds it: cgroup2 if it is mounted, alone or beside v1, else a v1 hierarchy that every container has.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or no cgroups are mounted.
    pub(super) fn find() -> io::Result<Self> {
        let mounts = text("/proc/self/mountinfo")?;
        if let Some(mount) = mount_of(&mounts, "cgroup2", None) {
            return Ok(Self { mount, number: 0, controller: None });
        }
        v1(&mounts, &text("/proc/cgroups")?)
            .ok_or_else(|| io::Error::other("no cgroups are mounted here (/proc/self/mountinfo)"))
    }

    /// One of v1, where cgroup2 may be beside it.
    #[cfg(test)]
    pub(super) fn v1() -> Option<Self> {
        v1(&text("/proc/self/mountinfo").ok()?, &text("/proc/cgroups").ok()?)
    }

    /// Whether it is cgroup2.
    pub(super) fn is_unified(&self) -> bool {
        self.controller.is_none()
    }

    /// The containers there are, nested cgroups included. One that goes meanwhile is left out.
    pub(super) fn walk(&self) -> Vec<Member> {
        let mut found = Vec::new();
        walk(&self.mount, None, MAX_DEPTH, &mut found);
        found
    }
}

fn text(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn walk(folder: &Path, owner: Option<(u64, &str)>, depth: usize, found: &mut Vec<Member>) {
    let (Some(deeper), Ok(entries)) = (depth.checked_sub(1), fs::read_dir(folder)) else { return };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        // The number of the folder is the id of the cgroup.
        let Ok(cgroup) = entry.metadata().map(|metadata| metadata.ino()) else { continue };
        let own = entry.file_name().to_str().and_then(container);
        let (owner, id) = match (owner, own) {
            (Some((owner, id)), _) => (owner, id.to_owned()),
            (None, Some(id)) => (cgroup, id),
            (None, None) => {
                walk(&entry.path(), None, deeper, found);
                continue;
            }
        };
        found.push(Member { cgroup, owner, id: id.clone() });
        walk(&entry.path(), Some((owner, &id)), deeper, found);
    }
}

/// The id of a container in the name of its cgroup: `ID`, `docker-ID.scope`, `libpod-ID.scope`.
///
/// conmon's own cgroup, which is named after the container it minds, is none of it. `read_id` in `sensor.bpf.c` does the same.
fn container(name: &str) -> Option<String> {
    if name.starts_with("libpod-conmon-") || name.starts_with("crio-conmon-") {
        return None;
    }
    let id = match name.strip_suffix(".scope") {
        Some(scope) => scope.rsplit_once('-')?.1,
        None => name,
    };
    record::container(id.as_bytes())
}

/// Where a file system of cgroups is mounted, from the text of `/proc/self/mountinfo` (proc(5)).
fn mount_of(mounts: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let options = (after.next() == Some(kind)).then(|| after.nth(1))??;
        let holds = controller.is_none_or(|wanted| options.split(',').any(|option| option == wanted));
        let mount = before.split(' ').nth(4)?;
        holds.then(|| PathBuf::from(mount.replace("\\040", " ")))
    })
}

/// A hierarchy of v1, from the text of `/proc/cgroups`: its lines are in the order of the kernel's table.
fn v1(mounts: &str, controllers: &str) -> Option<Hierarchy> {
    let lines = controllers.lines().filter(|line| !line.starts_with('#'));
    lines.enumerate().find_map(|(place, line)| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next().filter(|name| ["memory", "pids", "devices", "cpu"].contains(name))?;
        let number = fields.next()?.parse().ok().filter(|number| *number != 0)?;
        let mount = mount_of(mounts, "cgroup", Some(name))?;
        Some(Hierarchy { mount, number, controller: Some(u32::try_from(place).ok()?) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_container_is_known_by_the_name_of_its_cgroup() {
        for (begin, end, is) in [
            ("", "", true),
            ("docker-", ".scope", true),
            ("libpod-", ".scope", true),
            ("cri-containerd-", ".scope", true),
            ("libpod-conmon-", ".scope", false),
            ("crio-conmon-", ".scope", false),
            ("docker-", "", false),
            ("", ".scope", false),
            ("docker-0", ".scope", false),
            ("0", "", false),
        ] {
            let name = format!("{begin}{ID}{end}");
            assert_eq!(container(&name).is_some_and(|id| id == ID), is, "{name}");
        }
        assert_eq!(container("docker"), None);
        assert_eq!(container("buildkit"), None);
    }

    /// Docker in Docker, and systemd in a container: what is inside is the outermost one's.
    #[test]
    fn what_is_in_a_containers_cgroup_is_its_own() {
        let root = tempfile::tempdir().unwrap();
        let inner = ID.replace('0', "f");
        let shapes = [format!("docker/{ID}/docker/{inner}"), format!("system.slice/docker-{inner}.scope/init.scope")];
        for shape in &shapes {
            fs::create_dir_all(root.path().join(shape)).unwrap();
        }
        let hierarchy = Hierarchy { mount: root.path().to_owned(), number: 0, controller: None };
        let mut ids: Vec<_> =
            hierarchy.walk().into_iter().map(|found| (found.id, found.owner == found.cgroup)).collect();
        ids.sort();
        let wanted = [(ID, false), (ID, false), (ID, true), (&inner, false), (&inner, true)];
        assert_eq!(ids, wanted.map(|(id, own)| (id.to_owned(), own)));
    }

    #[test]
    fn the_hierarchy_is_found_on_every_kind_of_host() {
        let unified = "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let memory = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        let hybrid = format!("{memory}\n41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw");
        let mount = |text: &str| mount_of(text, "cgroup2", None);
        assert_eq!(mount(unified), Some("/sys/fs/cgroup".into()));
        assert_eq!(mount(&hybrid), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount(memory), None);
        let controllers = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t4\t1\nmemory\t5\t4\t1\n";
        let found = Hierarchy { mount: "/sys/fs/cgroup/memory".into(), number: 5, controller: Some(1) };
        assert_eq!(v1(memory, controllers), Some(found));
        assert_eq!(v1(unified, controllers), None);
    }
}
