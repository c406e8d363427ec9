//! Doing what was planned, one action after the other; the first that fails ends it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Action;

/// An action that failed. What went before it is done, and is not done again by the next run.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A file cannot be written or removed.
    #[error("cannot {doing} {path}: {error}")]
    File {
        /// `write` or `remove`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// systemd could not do it.
    #[error("systemctl {0} failed: {1}")]
    Systemctl(String, String),
}

/// Does what was planned, to the running system or to one that lies in a folder.
///
/// # Errors
/// The first action that fails.
pub fn apply(actions: &[Action], root: Option<&Path>) -> Result<(), ApplyError> {
    let at = |path: &Path| root.unwrap_or(Path::new("/")).join(path.strip_prefix("/").unwrap_or(path));
    for action in actions {
        match action {
            Action::Write { path, text } => write(&at(path), text).map_err(|error| ApplyError::File {
                doing: "write",
                path: path.clone(),
                error,
            })?,
            Action::Remove(path) => {
                remove(&at(path)).map_err(|error| ApplyError::File { doing: "remove", path: path.clone(), error })?;
            }
            Action::RemoveFolder(path) => {
                // Fails if it holds anything, which is as it should be.
                let _left = fs::remove_dir(at(path));
            }
            Action::Systemctl(arguments) => systemctl(arguments, root)?,
        }
    }
    Ok(())
}

/// Under another name first: systemd and the gate see either nothing or all of it, whenever they look.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let new = path.with_extension("tidewaiter-new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o644).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A system in a folder has no systemd to be told; what is left to do there are the links that enable units.
fn systemctl(arguments: &[&str], root: Option<&Path>) -> Result<(), ApplyError> {
    let mut command = Command::new("systemctl");
    match root {
        Some(root) if matches!(arguments.first(), Some(&("enable" | "disable"))) => {
            command.arg("--root").arg(root);
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let failed = |why: String| ApplyError::Systemctl(arguments.join(" "), why);
    let output = command.args(arguments).output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
