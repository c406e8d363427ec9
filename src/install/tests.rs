//! Plans for hosts as they are found: what is done, what is left alone, what is refused.

use std::path::PathBuf;

use super::plan::{CONFIG, DROP_IN, DROP_IN_TEXT, File, Found, Live, MARK, POLICY, UNITS};
use super::*;

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.to_owned() }
}

/// A host with Docker as Debian installs it, which runs.
fn docker() -> Found {
    Found {
        docker_socket: vec![file("/lib/systemd/system/docker.socket", "[Socket]\nListenStream=/run/docker.sock\n")],
        docker_service: vec![file(
            "/lib/systemd/system/docker.service",
            "[Service]\nExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS\n",
        )],
        executable: "/usr/local/bin/tidewaiter".into(),
        live: Some(Live { systemd: true, root: true, ..Live::default() }),
        ..Found::default()
    }
}

/// What a host is after its plan was done.
fn done(found: &Found, actions: &[Action]) -> Found {
    let mut after = found.clone();
    for action in actions {
        let Action::Write { path, text } = action else { continue };
        let written = File { path: path.clone(), text: text.clone() };
        match path.to_str().unwrap() {
            CONFIG => after.config = Some(text.clone()),
            POLICY => after.policy = Some(text.clone()),
            DROP_IN => after.docker_socket.push(written),
            _unit => after.units.push(written),
        }
    }
    after.enabled = true;
    let live = after.live.as_mut().unwrap();
    (live.moved, live.active) = (true, true);
    after
}

/// The paths and commands of a plan, in order.
fn steps(actions: &[Action]) -> Vec<String> {
    let step = |action: &Action| match action {
        Action::Write { path, .. } => format!("write {}", path.display()),
        Action::Remove(path) => format!("remove {}", path.display()),
        Action::RemoveFolder(path) => format!("rmdir {}", path.display()),
        Action::Systemctl(arguments) => arguments.join(" "),
    };
    actions.iter().map(step).collect()
}

#[test]
fn an_installation_is_undone_exactly_and_done_only_once() {
    let before = docker();
    let actions = install(&before, false).unwrap();
    assert_eq!(
        steps(&actions),
        [
            "write /etc/systemd/system/tidewaiter.socket",
            "write /etc/systemd/system/tidewaiter.service",
            "write /etc/tidewaiter/tidewaiter.toml",
            "write /etc/tidewaiter/policy.toml",
            "write /etc/systemd/system/docker.socket.d/tidewaiter.conf",
            "daemon-reload",
            "enable tidewaiter.socket tidewaiter.service",
            "reset-failed docker.socket docker.service",
            "restart docker.socket",
            "restart tidewaiter.socket tidewaiter.service",
        ]
    );
    let after = done(&before, &actions);
    assert_eq!(install(&after, false), Ok(Vec::new()));
    let written = actions.iter().filter_map(|action| match action {
        Action::Write { path, .. } => Some(path.clone()),
        Action::Remove(_) | Action::RemoveFolder(_) | Action::Systemctl(_) => None,
    });
    let mut written: Vec<PathBuf> = written.collect();
    let back = uninstall(&after, false).unwrap();
    let removed = back.iter().filter_map(|action| match action {
        Action::Remove(path) => Some(path.clone()),
        Action::Write { .. } | Action::RemoveFolder(_) | Action::Systemctl(_) => None,
    });
    let mut removed: Vec<PathBuf> = removed.collect();
    assert_eq!(removed.pop(), Some(MOVED.into()), "systemd leaves it behind");
    written.sort();
    removed.sort();
    assert_eq!(removed, written);
    assert_eq!(uninstall(&before, false), Ok(Vec::new()));
}

#[test]
fn what_a_package_brought_is_left_to_it() {
    let unit = |name: &str| file(&format!("/lib/systemd/system/{name}"), "[Unit]\n");
    let before = Found {
        units: vec![unit("tidewaiter.socket"), unit("tidewaiter.service")],
        config: Some("# the package's".to_owned()),
        policy: Some("version = 1".to_owned()),
        executable_problem: Some("it is in somebody's home".to_owned()),
        ..docker()
    };
    let actions = install(&before, false).unwrap();
    assert_eq!(steps(&actions).iter().filter(|step| step.starts_with("write")).count(), 1, "{:?}", steps(&actions));
    let back = uninstall(&done(&before, &actions), false).unwrap();
    let removed: Vec<String> = steps(&back).into_iter().filter(|step| step.starts_with("remove")).collect();
    assert_eq!(removed, [format!("remove {DROP_IN}"), format!("remove {MOVED}")]);
}

#[test]
fn a_file_that_was_changed_is_not_removed() {
    let before = docker();
    let mut after = done(&before, &install(&before, false).unwrap());
    after.policy = Some("version = 1\nmode = \"enforce\"\n".to_owned());
    let back = steps(&uninstall(&after, false).unwrap());
    assert!(back.contains(&format!("remove {CONFIG}")) && !back.contains(&format!("remove {POLICY}")), "{back:?}");
}

#[test]
fn units_of_an_earlier_version_are_written_anew_and_an_administrators_are_not() {
    let after = done(&docker(), &install(&docker(), false).unwrap());
    let with = |text: &str| {
        let mut found = after.clone();
        found.units.retain(|unit| !unit.path.ends_with("tidewaiter.service"));
        found.units.push(file(&format!("{UNITS}/tidewaiter.service"), text));
        steps(&install(&found, false).unwrap())
    };
    assert_eq!(with(&format!("{MARK}[Service]\n")), ["write /etc/systemd/system/tidewaiter.service", "daemon-reload"]);
    assert!(with("[Service]\n").is_empty());
}

#[test]
fn the_service_starts_the_program_that_installed_it() {
    let actions = install(&docker(), false).unwrap();
    let text = actions.iter().find_map(|action| match action {
        Action::Write { path, text } if path.ends_with("tidewaiter.service") => Some(text),
        Action::Write { .. } | Action::Remove(_) | Action::RemoveFolder(_) | Action::Systemctl(_) => None,
    });
    assert!(text.unwrap().contains("\nExecStart=/usr/local/bin/tidewaiter run\n"));
}

#[test]
fn an_installation_that_broke_off_is_finished() {
    let mut half = docker();
    half.docker_socket.push(file(DROP_IN, DROP_IN_TEXT));
    let plan = steps(&install(&half, false).unwrap());
    assert!(!plan.contains(&format!("write {DROP_IN}")) && plan.contains(&"restart docker.socket".to_owned()));
    let mut stopped = done(&docker(), &install(&docker(), false).unwrap());
    stopped.live.as_mut().unwrap().active = false;
    assert_eq!(steps(&install(&stopped, false).unwrap()), ["restart tidewaiter.socket tidewaiter.service"]);
}

#[test]
fn containers_are_stopped_only_if_that_is_said() {
    let with = |running, live_restore| {
        let mut found = docker();
        found.live.as_mut().unwrap().engine = Some(EngineState { id: "x".to_owned(), running, live_restore });
        found
    };
    let why = install(&with(3, false), false).unwrap_err().remove(0);
    assert!(why.why.contains("running containers (3)") && why.help.contains("live-restore"), "{why:?}");
    for (found, stop) in [(with(3, false), true), (with(3, true), false), (with(0, false), false)] {
        assert!(install(&found, stop).is_ok());
    }
    let after = done(&with(3, false), &install(&with(3, false), true).unwrap());
    assert!(uninstall(&after, false).is_err(), "the way back restarts the engine too");
}

#[test]
fn what_is_in_the_way_is_told_all_at_once_with_what_to_do() {
    type Change = fn(&mut Found);
    let cases: [(Change, &str); 12] = [
        (|found| found.live.as_mut().unwrap().systemd = false, "systemd is not the init"),
        (|found| found.live.as_mut().unwrap().root = false, "only root may"),
        (|found| found.docker_socket.clear(), "there is no docker.socket"),
        (|found| found.masked = true, "docker.socket is masked"),
        (|found| found.docker_service.clear(), "no -H fd://"),
        (
            |found| {
                found.docker_service.push(file("x", "[Service]\nExecStart=\nExecStart=dockerd -H unix:///d.sock\n"));
            },
            "dockerd also listens on unix:///d.sock",
        ),
        (
            |found| found.docker_defaults = Some("# -H tcp://1:1\nDOCKER_OPTS=\"-H tcp://0.0.0.0:2375\"\n".to_owned()),
            "dockerd also listens on tcp://0.0.0.0:2375",
        ),
        (|found| found.daemon_json = Some("{\"hosts\": []}".to_owned()), "has \"hosts\""),
        (|found| found.daemon_json = Some("{".to_owned()), "cannot be read"),
        (
            |found| found.docker_socket.push(file("/etc/x.conf", "[Socket]\nListenStream=/run/other.sock\n")),
            "/etc/x.conf gives docker.socket another place",
        ),
        (|found| found.docker_socket.push(file(DROP_IN, "[Socket]\n")), "is not as this version writes it"),
        (|found| found.executable_problem = Some("it can be replaced".to_owned()), "it can be replaced"),
    ];
    let mut all = docker();
    for (change, expected) in cases {
        let mut found = docker();
        change(&mut found);
        let refusals = install(&found, false).unwrap_err();
        assert!(refusals.iter().any(|refusal| refusal.why.contains(expected)), "{expected}: {refusals:?}");
        assert!(refusals.iter().all(|refusal| !refusal.help.is_empty()));
        if !matches!(expected, "there is no docker.socket" | "docker.socket is masked" | "no -H fd://") {
            change(&mut all);
        }
    }
    assert!(install(&all, false).unwrap_err().len() >= 7, "{:?}", install(&all, false));
}
