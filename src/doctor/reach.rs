//! Who can connect to a Unix socket: whoever may write to it and search every folder above it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Owner, group and permission bits of a socket or of a folder above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    uid: u32,
    gid: u32,
    mode: u32,
}

/// Who besides root can connect. Access lists (ACLs) are not looked at: by them more can.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Everybody.
    pub(super) all: bool,
    /// Members of this group.
    pub(super) group: Option<u32>,
    /// This user.
    pub(super) user: Option<u32>,
}

impl Reach {
    /// Looks at a socket and at every folder above it, as they are by their real names.
    ///
    /// # Errors
    /// If one of them is not there or may not be looked at.
    pub(super) fn of(socket: &Path) -> io::Result<Self> {
        let real = socket.canonicalize()?;
        let steps = real.ancestors().map(|path| {
            let found = path.metadata()?;
            Ok(Step { uid: found.uid(), gid: found.gid(), mode: found.mode() })
        });
        let mut steps = steps.collect::<io::Result<Vec<_>>>()?.into_iter();
        let Some(socket) = steps.next() else { return Ok(Self::default()) };
        let folders: Vec<Step> = steps.collect();
        Ok(judge(socket, &folders))
    }

    /// Whether nobody but root can.
    pub(super) const fn is_roots_alone(&self) -> bool {
        !self.all && self.group.is_none() && self.user.is_none()
    }
}

/// The owner is judged by the owner's bits alone, a member by the group's, whatever others may.
fn judge(socket: Step, folders: &[Step]) -> Reach {
    let enters = |who: &dyn Fn(&Step) -> u32| folders.iter().all(|folder| folder.mode & (0o001 << who(folder)) != 0);
    let all = socket.mode & 0o002 != 0 && enters(&|_| 0);
    // By the bits of the group where a folder is the same group's, else by those of others.
    let members = socket.mode & 0o020 != 0 && enters(&|folder| if folder.gid == socket.gid { 3 } else { 0 });
    let owner = socket.mode & 0o200 != 0 && enters(&|folder| if folder.uid == socket.uid { 6 } else { 0 });
    // Whoever owns a folder above may put another socket there, but not reach this one; that is no way to the engine.
    Reach {
        all,
        group: Some(socket.gid).filter(|gid| members && *gid != 0),
        user: Some(socket.uid).filter(|uid| owner && *uid != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(uid: u32, gid: u32, mode: u32) -> Step {
        Step { uid, gid, mode }
    }

    const ROOT: Step = step(0, 0, 0o755);

    #[test]
    fn who_can_connect_takes_the_socket_and_every_folder_above() {
        let docker = step(0, 105, 0o660);
        let all = Reach { all: true, ..Reach::default() };
        let group = Reach { group: Some(105), ..Reach::default() };
        let user = Reach { user: Some(1000), ..Reach::default() };
        for (socket, folders, expected) in [
            (docker, vec![ROOT, ROOT], group.clone()),
            (docker, vec![step(0, 0, 0o700), ROOT], Reach::default()),
            (docker, vec![step(0, 105, 0o710), ROOT], group),
            (docker, vec![step(0, 106, 0o710), ROOT], Reach::default()),
            (step(0, 0, 0o660), vec![ROOT, ROOT], Reach::default()),
            (step(0, 0, 0o666), vec![ROOT, ROOT], all.clone()),
            (step(0, 0, 0o666), vec![step(0, 0, 0o700), ROOT], Reach::default()),
            (step(0, 0, 0o666), vec![step(0, 0, 0o711), ROOT], all),
            (step(1000, 0, 0o600), vec![step(1000, 1000, 0o700), ROOT], user),
            (step(1000, 0, 0o600), vec![step(0, 0, 0o700), ROOT], Reach::default()),
        ] {
            assert_eq!(judge(socket, &folders), expected, "{socket:?} {folders:?}");
        }
    }

    #[test]
    fn a_socket_is_looked_at_where_it_really_is() {
        let dir = tempfile::TempDir::new().unwrap();
        let real = dir.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let socket = real.join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        assert_eq!(Reach::of(&dir.path().join("link/s")).unwrap(), Reach::of(&socket).unwrap());
        assert!(Reach::of(&dir.path().join("none")).is_err());
    }
}
