//! Looking at a host.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::plan::{CONFIG, File, Found, Live, OURS, POLICY, UNITS};
use super::{DOOR, MOVED, PUBLIC, engine_state};
use crate::config::{self, Flags, Host};
use crate::listen;

/// Where systemd reads units from, the first first.
const UNIT_FOLDERS: [&str; 5] =
    [UNITS, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Units and settings are a few KiB.
const MAX_FILE: u64 = 1 << 20;

/// Looks at the running system, or at one that lies in a folder.
///
/// # Errors
/// If something that is there cannot be read: nothing is planned on guesses.
pub async fn survey(root: Option<&Path>) -> io::Result<Found> {
    let host = Root(root.unwrap_or(Path::new("/")));
    let mut units = Vec::new();
    for name in OURS {
        units.extend(host.unit(name)?);
    }
    let wants = ["sockets.target.wants/tidewaiter.socket", "multi-user.target.wants/tidewaiter.service"];
    let config = host.read(CONFIG)?;
    let (executable, executable_problem) = match root {
        Some(_) => (PathBuf::from("/usr/bin/tidewaiter"), None),
        None => {
            let executable = std::env::current_exe()?;
            let problem = replaceable(&executable)?;
            (executable, problem)
        }
    };
    Ok(Found {
        docker_socket: host.with_drop_ins("docker.socket")?,
        docker_service: host.with_drop_ins("docker.service")?,
        masked: fs::read_link(host.at(&format!("{UNITS}/docker.socket"))).is_ok_and(|to| to == Path::new("/dev/null")),
        daemon_json: host.read("/etc/docker/daemon.json")?,
        docker_defaults: host.read("/etc/default/docker")?,
        units,
        enabled: wants.iter().all(|want| host.at(&format!("{UNITS}/{want}")).symlink_metadata().is_ok()),
        config_problem: config.as_ref().and_then(|_| misfit(&host.at(CONFIG))),
        config,
        policy: host.read(POLICY)?,
        executable,
        executable_problem,
        live: match root {
            Some(_) => None,
            None => Some(live().await),
        },
    })
}

struct Root<'a>(&'a Path);

impl Root<'_> {
    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> io::Result<Option<String>> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot read {path}: {error}"));
        let mut text = String::new();
        match fs::File::open(self.at(path)) {
            Ok(file) => file.take(MAX_FILE).read_to_string(&mut text).map(|_| Some(text)).map_err(named),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(error)),
        }
    }

    /// A unit's own file.
    fn unit(&self, name: &str) -> io::Result<Option<File>> {
        for folder in UNIT_FOLDERS {
            let path = format!("{folder}/{name}");
            if let Some(text) = self.read(&path)? {
                return Ok(Some(File { path: path.into(), text }));
            }
        }
        Ok(None)
    }

    /// A unit and its drop-ins in the order of their names; of two of one name that in the first folder counts.
    fn with_drop_ins(&self, name: &str) -> io::Result<Vec<File>> {
        let mut files: Vec<File> = self.unit(name)?.into_iter().collect();
        let mut drop_ins: Vec<(std::ffi::OsString, String)> = Vec::new();
        for folder in UNIT_FOLDERS.map(|folder| format!("{folder}/{name}.d")) {
            let entries = match fs::read_dir(self.at(&folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let name = entry?.file_name();
                let path = format!("{folder}/{}", name.to_string_lossy());
                if path.ends_with(".conf") && !drop_ins.iter().any(|(known, _)| *known == name) {
                    drop_ins.push((name, path));
                }
            }
        }
        drop_ins.sort();
        for (_, path) in drop_ins {
            files.extend(self.read(&path)?.map(|text| File { path: path.into(), text }));
        }
        Ok(files)
    }
}

/// Why a configuration does not fit an installation.
fn misfit(path: &Path) -> Option<String> {
    let flags = Flags { config: Some(path.to_owned()), ..Flags::default() };
    let Ok(loaded) = config::load(&flags, &Host::current()) else {
        return Some(format!("{} has mistakes", path.display()));
    };
    let engine = &loaded.config.engine;
    let inherited = listen::Address::Inherited(DOOR.to_owned());
    if engine.path() != Some(Path::new(MOVED)) {
        return Some(format!("{} looks for the engine at {engine}", path.display()));
    }
    let door = loaded.config.doors.iter().any(|door| door.address == inherited);
    (!door).then(|| format!("{} has no door fd://{DOOR}", path.display()))
}

/// Who else could put another program in the place of one that is to run as root.
fn replaceable(executable: &Path) -> io::Result<Option<String>> {
    for path in executable.ancestors() {
        let found = path.metadata()?;
        if found.uid() != 0 || found.mode() & 0o022 != 0 {
            let why = format!("{} can be replaced: {} is not root's alone", executable.display(), path.display());
            return Ok(Some(why));
        }
    }
    Ok(None)
}

async fn live() -> Live {
    let engine = if active(&["docker.service"]) {
        // Asked only if it runs: by its socket it would be started.
        let moved = engine_state(Path::new(MOVED)).await;
        if moved.is_ok() { moved.ok() } else { engine_state(Path::new(PUBLIC)).await.ok() }
    } else {
        None
    };
    Live {
        systemd: sd_notify::booted().unwrap_or(false),
        root: nix::unistd::geteuid().is_root(),
        moved: fs::symlink_metadata(MOVED).is_ok_and(|found| found.file_type().is_socket())
            && active(&["docker.socket"]),
        active: active(&OURS),
        engine,
    }
}

/// Whether all of some units are active; not if systemd cannot be asked.
fn active(units: &[&str]) -> bool {
    let one = |unit: &&str| {
        let asked = Command::new("systemctl").args(["is-active", "--quiet", unit]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    units.iter().all(one)
}
