//! Notices that files have changed, by looking every two seconds.
//!
//! inotify would tell at once, but not of everything: not of what another host writes to a shared file system, not of a
//! directory that is exchanged whole, and nothing any more once its queue or its watches have run out. A look costs some
//! microseconds and misses none of that; who wants the change at once sends SIGHUP.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// How long files must rest before a change is told: an editor and a configuration management write in several steps.
const REST: Duration = Duration::from_millis(250);

/// How often files are waited for to come to rest. What is written for ever is read as it is; the reader validates it.
const RESTS: u32 = 20;

/// Files that are looked at again and again.
#[derive(Debug)]
pub struct Files {
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// What tells one state of a file from another. Whatever is done to a file changes the kernel's own time of the change
/// (`ctime`), which nobody can set; another file by the same name is another inode, however old it says it is. Only what is
/// written twice in place within one tick of that clock, some milliseconds, looks the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    changed: (i64, i64),
    size: u64,
}

impl Files {
    /// Looks at files as they are now. One that is not there is noticed when it comes.
    ///
    /// Look before you read them: then what changes in between is told, once too often rather than never.
    pub fn look(paths: Vec<PathBuf>) -> Self {
        Self { seen: look(paths) }
    }

    /// Waits until one of them is another than it was, and none changes any more. Dropping the future loses nothing.
    pub async fn changed(&mut self) {
        loop {
            sleep(LOOK).await;
            let mut now = self.now().await;
            if now == self.seen {
                continue;
            }
            for _ in 0..RESTS {
                sleep(REST).await;
                let before = std::mem::replace(&mut now, self.now().await);
                if now == before {
                    break;
                }
            }
            self.seen = now;
            return;
        }
    }

    async fn now(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        let paths = self.seen.iter().map(|(path, _)| path.clone()).collect();
        // Beside the task: a file system may hang. A look that fails with its thread has seen nothing new.
        spawn_blocking(move || look(paths)).await.unwrap_or_else(|_failed| self.seen.clone())
    }
}

fn look(paths: Vec<PathBuf>) -> Vec<(PathBuf, Option<Stamp>)> {
    paths.into_iter().map(|path| (Stamp::of(&path), path)).map(|(stamp, path)| (path, stamp)).collect()
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::symlink_metadata(path).ok()?;
        Some(Self {
            inode: (found.dev(), found.ino()),
            changed: (found.ctime(), found.ctime_nsec()),
            size: found.size(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes, Permissions, rename, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;
    use std::time::SystemTime;

    use tokio::time::timeout;

    use super::*;

    /// A file in a folder of its own, seen as it is.
    fn seen() -> (tempfile::TempDir, PathBuf, Files) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        write(&path, "one").unwrap();
        tick(&path);
        let files = Files::look(vec![path.clone()]);
        (dir, path, files)
    }

    /// Waits for the next tick of the clock that files get their times from.
    fn tick(path: &Path) {
        let before = Stamp::of(path);
        while set_permissions(path, Permissions::from_mode(0o600)).is_ok() && Stamp::of(path) == before {}
    }

    fn at(path: &Path, time: SystemTime) {
        File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    /// The clock runs by itself as soon as there is nothing else to do.
    async fn is_told(files: &mut Files) -> bool {
        timeout(LOOK * 10, files.changed()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_is_done_to_a_file_is_told_once() {
        let (dir, path, mut files) = seen();
        assert!(!is_told(&mut files).await, "nothing was done");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let other = dir.path().join("policy.toml.new");
        let steps: [(&str, &dyn Fn()); 6] = [
            ("written in place", &|| write(&path, "two").unwrap()),
            ("written in place, its time set back", &|| {
                write(&path, "six").unwrap();
                at(&path, long_ago);
            }),
            ("replaced by a file of the same size and time", &|| {
                write(&other, "ten").unwrap();
                at(&other, long_ago);
                rename(&other, &path).unwrap();
            }),
            ("opened to others", &|| set_permissions(&path, Permissions::from_mode(0o666)).unwrap()),
            ("removed", &|| std::fs::remove_file(&path).unwrap()),
            ("made again", &|| write(&path, "ten").unwrap()),
        ];
        for (what, step) in steps {
            step();
            assert!(is_told(&mut files).await, "{what}");
            assert!(!is_told(&mut files).await, "{what}: told twice");
        }
    }
}
