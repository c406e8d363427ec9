//! The presets in `conf/presets`: every one can be used as it is, and warns of nothing that it does not say itself,
//! lets its product work and refuses the rest.

mod managers;
mod readers;
mod runners;
mod site;

use std::path::Path;

use assert_cmd::Command;

#[test]
fn every_preset_is_clean_or_says_why_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/presets");
    let mut presets: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    presets.sort();
    assert_eq!(presets.len(), 8, "{presets:?}");
    for preset in presets {
        // A copy of our own: the sources may lie where others can write.
        let dir = tempfile::TempDir::new().unwrap();
        let policy = dir.path().join("policy.toml");
        std::fs::write(&policy, std::fs::read(&preset).unwrap()).unwrap();
        let mut command = Command::cargo_bin("tidewaiter").unwrap();
        command.env("XDG_RUNTIME_DIR", dir.path()).env("XDG_STATE_HOME", dir.path());
        let output = command.args(["check", "--policy"]).arg(&policy).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", preset.display());
        let warnings = said.matches("warning: ").count();
        let known = match preset.file_name().and_then(|name| name.to_str()) {
            Some("developer-workstation.toml") => Some("set-uid file"),
            Some("ci-runner.toml") => Some("can still be run in builds"),
            Some(_) | None => None,
        };
        assert_eq!(warnings, usize::from(known.is_some()), "{}: {said}", preset.display());
        assert!(known.is_none_or(|known| said.contains(known)), "{said}");
    }
}
