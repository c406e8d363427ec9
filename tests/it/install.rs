//! `tidewaiter install` on a system in a folder: what it writes, and that nothing is left of it afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const SOCKET: &str = "[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nSocketGroup=docker\n";
const SERVICE: &str = "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n";

/// A system with Docker's units in a folder.
fn system() -> TempDir {
    let root = TempDir::new().unwrap();
    let units = root.path().join("lib/systemd/system");
    fs::create_dir_all(&units).unwrap();
    fs::create_dir_all(root.path().join("etc/systemd/system")).unwrap();
    fs::create_dir_all(root.path().join("etc/docker")).unwrap();
    fs::write(units.join("docker.socket"), SOCKET).unwrap();
    fs::write(units.join("docker.service"), SERVICE).unwrap();
    root
}

/// Runs it, and gives back its code and all it said.
fn tidewaiter(root: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::cargo_bin("tidewaiter").unwrap();
    let output = command.args(arguments).arg("--root").arg(root).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Every file and link of a folder, with contents and modes.
fn everything(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap();
            let mode = kind.permissions().mode();
            let name = path.strip_prefix(root).unwrap().display();
            if kind.is_dir() {
                found.push(format!("{name}/ {mode:o}"));
                folders.push(path);
            } else if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else {
                found.push(format!("{name} {mode:o} {}", String::from_utf8_lossy(&fs::read(&path).unwrap())));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_dry_run_changes_nothing_and_says_everything() {
    let root = system();
    let before = everything(root.path());
    let (code, said) = tidewaiter(root.path(), &["install", "--dry-run"]);
    assert_eq!(code, 0, "{said}");
    for line in [
        "would write /etc/systemd/system/docker.socket.d/tidewaiter.conf",
        "  | ListenStream=/run/docker-engine/docker.sock",
        "would run systemctl enable tidewaiter.socket tidewaiter.service",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(everything(root.path()), before);
}

#[test]
fn what_is_installed_in_a_folder_is_whole_and_goes_without_a_trace() {
    let root = system();
    let before = everything(root.path());
    let (code, said) = tidewaiter(root.path(), &["install"]);
    assert_eq!(code, 0, "{said}");
    let config = root.path().join("etc/tidewaiter/tidewaiter.toml");
    Command::cargo_bin("tidewaiter").unwrap().arg("check").arg("--config").arg(&config).assert().success();
    let (code, said) = tidewaiter(root.path(), &["install"]);
    assert_eq!((code, said.as_str()), (0, "nothing to do: the gate is in Docker's place\n"));
    let (code, said) = tidewaiter(root.path(), &["uninstall"]);
    assert_eq!(code, 0, "{said}");
    let left: Vec<_> = everything(root.path()).into_iter().filter(|found| !found.contains(".wants/")).collect();
    assert_eq!(left, before);
    let (code, said) = tidewaiter(root.path(), &["uninstall"]);
    assert_eq!((code, said.as_str()), (0, "nothing to do: Docker has its place\n"));
}

#[test]
fn what_contradicts_is_refused_before_anything_is_written() {
    let root = system();
    fs::write(root.path().join("etc/docker/daemon.json"), "{\"hosts\": [\"tcp://0.0.0.0:2375\"]}").unwrap();
    let before = everything(root.path());
    let (code, said) = tidewaiter(root.path(), &["install"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has \"hosts\"") && said.contains("to do: take \"hosts\" away"), "{said}");
    assert_eq!(everything(root.path()), before);
}

#[test]
fn a_configuration_without_the_inherited_door_is_refused() {
    let root = system();
    let folder = root.path().join("etc/tidewaiter");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("tidewaiter.toml"), "[engine]\naddress = 'unix:///run/docker-engine/docker.sock'\n").unwrap();
    let (code, said) = tidewaiter(root.path(), &["install"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has no door fd://docker"), "{said}");
}
