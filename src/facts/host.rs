//! Where paths on this host really lead.

use std::path::{Path, PathBuf};

use crate::policy::RealPath;

/// Follows every symbolic link of each path, as far as it exists.
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
            Err(_missing) => {
                missing.push(part.file_name()?);
                part = part.parent()?;
            }
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
}
