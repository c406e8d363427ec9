//! A registry of images, for what has to come from one.

use std::path::Path;

use super::eventually;

/// Debian's `docker-registry`, on loopback.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Host and port.
    pub(crate) address: String,
    child: std::process::Child,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// Starts an empty one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
            folder.path().display()
        );
        let file: &Path = &folder.path().join("config.yml");
        std::fs::write(file, config).unwrap();
        let quiet = std::process::Stdio::null;
        let mut command = std::process::Command::new("docker-registry");
        let child = command.arg("serve").arg(file).stdout(quiet()).stderr(quiet()).spawn().unwrap();
        eventually("the registry answers", || std::net::TcpStream::connect(&address).ok());
        Self { address, child, _folder: folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
