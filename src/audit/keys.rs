//! The host's keys: one for redaction tags, one for checkpoints; made at the first start.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;

use super::chain::hex;
use super::redact::Redactor;

/// File of the key for redaction tags, 32 bytes.
const REDACTION: &str = "redaction.key";
/// File of the key for checkpoints, an ed25519 seed of 32 bytes.
const CHECKPOINT: &str = "checkpoint.key";
/// Beside it, in hex: what another host verifies the journal with.
pub(super) const PUBLIC: &str = "checkpoint.pub";
/// Bytes of either key.
const KEY: usize = 32;

/// The file in a keys directory that the journal is verified with.
pub fn public_key_file(directory: &Path) -> PathBuf {
    directory.join(PUBLIC)
}

/// The keys of this host.
pub(super) struct Keys {
    pub(super) redactor: Redactor,
    pub(super) checkpoint: SigningKey,
}

impl Keys {
    /// Reads the keys, and makes those that are missing. Neither the directory nor a key may belong to or be open to
    /// anyone else.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        if !directory.try_exists()? {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        refuse_foreign(directory, &directory.symlink_metadata()?, 0o077)?;
        let redactor = Redactor::new(&read_or_make(&directory.join(REDACTION))?);
        let checkpoint = SigningKey::from_bytes(&read_or_make(&directory.join(CHECKPOINT))?);
        publish(directory, &checkpoint)?;
        Ok(Self { redactor, checkpoint })
    }
}

/// Reads a key of 32 bytes from the keys directory, and makes it if it is missing.
///
/// # Errors
/// If it cannot be read or written, or others could.
pub fn host_key(directory: &Path, name: &str) -> io::Result<[u8; KEY]> {
    read_or_make(&directory.join(name))
}

fn read_or_make(path: &Path) -> io::Result<[u8; KEY]> {
    match OpenOptions::new().read(true).custom_flags(libc_nofollow()).open(path) {
        Ok(mut file) => {
            refuse_foreign(path, &file.metadata()?, 0o077)?;
            let mut key = [0; KEY];
            file.read_exact(&mut key).map_err(|e| named(path, &format!("is not a key of {KEY} bytes: {e}")))?;
            Ok(key)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => make(path),
        Err(e) => Err(named(path, &e.to_string())),
    }
}

/// Writes beside and renames: a crash must not leave half a key, which would stop every later start.
fn make(path: &Path) -> io::Result<[u8; KEY]> {
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    write_whole(path, &key, 0o600)?;
    Ok(key)
}

fn publish(directory: &Path, key: &SigningKey) -> io::Result<()> {
    let path = directory.join(PUBLIC);
    let text = format!("{}\n", hex(key.verifying_key().as_bytes()));
    let same = File::open(&path).and_then(|mut file| {
        let mut old = [0; 2 * KEY + 1];
        file.read_exact(&mut old)?;
        Ok(old == text.as_bytes())
    });
    if same.unwrap_or(false) {
        return Ok(());
    }
    write_whole(&path, text.as_bytes(), 0o644)
}

fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(libc_nofollow())
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_parent(path)
}

/// Makes a new name in a directory survive a power loss.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Refuses what another user could have written (or, with `0o077`, read).
pub(super) fn refuse_foreign(path: &Path, meta: &std::fs::Metadata, forbidden: u32) -> io::Result<()> {
    let us = nix::unistd::geteuid().as_raw();
    if meta.uid() != us && meta.uid() != 0 {
        return Err(named(path, &format!("belongs to uid {}, not to us ({us}) or root", meta.uid())));
    }
    if meta.mode() & forbidden != 0 {
        let mode = meta.mode() & 0o7777;
        return Err(named(path, &format!("has mode {mode:04o}; chmod {:04o}", mode & !forbidden)));
    }
    Ok(())
}

pub(super) const fn libc_nofollow() -> i32 {
    nix::fcntl::OFlag::O_NOFOLLOW.bits()
}

fn named(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("{} {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_kept_to_ourselves() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        let first = Keys::open(&keys).unwrap();
        let again = Keys::open(&keys).unwrap();
        assert_eq!(first.checkpoint.to_bytes(), again.checkpoint.to_bytes());
        assert_eq!(first.redactor.tag(b"x").to_string(), again.redactor.tag(b"x").to_string());
        assert_eq!(keys.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(keys.join(CHECKPOINT).metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        drop(Keys::open(&keys).unwrap());
        std::fs::set_permissions(keys.join(REDACTION), PermissionsExt::from_mode(0o640)).unwrap();
        assert!(Keys::open(&keys).err().unwrap().to_string().contains("chmod 0600"));
    }

    #[test]
    fn half_a_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        drop(Keys::open(&keys).unwrap());
        std::fs::write(keys.join(CHECKPOINT), b"short").unwrap();
        assert!(Keys::open(&keys).is_err());
    }
}
