//! Ids that mean somebody.
//!
//! In a user namespace that maps only some ids, the kernel shows every other one as the overflow id, usually 65534. That
//! number may then be anybody, the host's root included, and is not passed on as if it were one user.

use super::process::text;

/// The overflow id where the kernel does not say otherwise (`DEFAULT_OVERFLOWUID`).
const NOBODY: u32 = 65_534;

/// Tells ids from the overflow id.
#[derive(Debug)]
pub(super) struct Ids {
    /// The uid that may be anybody; `None` if every uid is mapped.
    anybody: Option<u32>,
    /// The same for gids.
    any_group: Option<u32>,
}

impl Ids {
    /// Asks the kernel for the namespace of this process, which does not change while it runs.
    pub(super) fn of_this_process() -> Self {
        Self {
            anybody: overflow("/proc/self/uid_map", "/proc/sys/kernel/overflowuid"),
            any_group: overflow("/proc/self/gid_map", "/proc/sys/kernel/overflowgid"),
        }
    }

    pub(super) fn uid(&self, uid: u32) -> Option<u32> {
        (Some(uid) != self.anybody).then_some(uid)
    }

    pub(super) fn gid(&self, gid: u32) -> Option<u32> {
        (Some(gid) != self.any_group).then_some(gid)
    }
}

fn overflow(map: &str, id: &str) -> Option<u32> {
    // A map that cannot be read is taken for one that leaves ids out.
    if text(map).is_some_and(|map| is_whole(&map)) {
        return None;
    }
    Some(text(id).and_then(|id| id.trim().parse().ok()).unwrap_or(NOBODY))
}

/// Whether a map (`inside outside count` on each line) has every id; -1 is none.
fn is_whole(map: &str) -> bool {
    let counts = map.lines().filter_map(|line| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok());
    counts.fold(0, u64::saturating_add) >= u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_told_apart() {
        for (map, whole) in [
            ("         0          0 4294967295\n", true),
            ("0 0 1000\n1000 2000 4294966295\n", true),
            ("0 1000 1\n1 100000 65536\n", false),
            ("0 0 65536\n", false),
            ("nonsense", false),
            ("", false),
        ] {
            assert_eq!(is_whole(map), whole, "{map:?}");
        }
    }

    #[test]
    fn the_overflow_id_is_nobody_only_where_ids_are_left_out() {
        let partial = Ids { anybody: Some(NOBODY), any_group: Some(NOBODY) };
        assert_eq!((partial.uid(NOBODY), partial.gid(NOBODY)), (None, None));
        assert_eq!((partial.uid(0), partial.gid(1000)), (Some(0), Some(1000)));
        let whole = Ids { anybody: None, any_group: None };
        assert_eq!((whole.uid(NOBODY), whole.gid(NOBODY)), (Some(NOBODY), Some(NOBODY)));
    }
}
