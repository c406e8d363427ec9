//! Where paths on this host really lead.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::policy::RealPath;

/// Follows every symbolic link of each path, as far as it exists.
///
/// One that cannot be followed is left out: a folder that the gate may not search, a ring of links, a link to nothing.
///
/// The engine's own mount follows them again when the container starts: what changes between is not seen here.
pub(super) fn real_paths(paths: Vec<String>) -> Vec<RealPath> {
    let real = |path: String| {
        let real = follow(Path::new(&path))?.to_str()?.to_owned();
        Some(RealPath { path, real })
    };
    paths.into_iter().filter_map(real).collect()
}

/// The real path of the longest part that exists, and what is left of it behind that: the engine creates a missing folder
/// wherever the links before it lead.
fn follow(path: &Path) -> Option<PathBuf> {
    let mut missing = Vec::new();
    let mut part = path;
    loop {
        match part.canonicalize() {
            Ok(real) => return Some(missing.iter().rev().fold(real, |real, name| real.join(name))),
            // A link to nothing is there, and leads to whatever is made behind it.
            Err(error) if error.kind() == ErrorKind::NotFound && part.symlink_metadata().is_err() => {
                missing.push(part.file_name()?);
                part = part.parent()?;
            }
            Err(_unknown) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_as_far_as_there_is_something() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        std::os::unix::fs::symlink("link", root.join("twice")).unwrap();
        for (below, real) in [
            ("link", PathBuf::from("/etc")),
            ("twice/hostname", PathBuf::from("/etc/hostname")),
            ("link/not-there/x", PathBuf::from("/etc/not-there/x")),
            ("plain/not-there", root.join("plain/not-there")),
        ] {
            assert_eq!(follow(&root.join(below)), Some(real), "{below}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_followed_to_its_end_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let link = |from: &str, to: &str| std::os::unix::fs::symlink(to, root.join(from)).unwrap();
        link("loop", "loop");
        // The engine makes what is missing behind a link, or somebody else does before it mounts it.
        link("dangling", "/etc/not-there");
        std::fs::write(root.join("file"), "").unwrap();
        for below in ["loop", "loop/x", "dangling", "dangling/x", "file/x"] {
            assert_eq!(follow(&root.join(below)), None, "{below}");
        }
        let name = "x".repeat(300);
        assert_eq!(follow(&root.join(name)), None, "a name that no file system has");
    }
}
