use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::{any, prop, proptest};

use super::address::{self, Place};
use super::trusted::Untrusted;
use super::{value, *};
use crate::audit::{Level, OnFailure, SyncPolicy};
use crate::diagnostic::{Severity, Source};
use crate::policy::Mode;

const BASE: &str = "/etc/tidewaiter";

fn mistakes(text: &str) -> Vec<(Severity, usize, String)> {
    let source = Source { path: "t.toml".into(), text: text.to_owned() };
    let (_, found) = sections::read(&source, Path::new(BASE), &place().1);
    let one = |found: crate::diagnostic::Diagnostic| {
        let line = source.place(found.span.unwrap().start).0;
        (found.severity, line, format!("{} | {}", found.message, found.help.unwrap_or_default()))
    };
    found.into_iter().map(one).collect()
}

/// A file with one mistake, its line, and a part of what is said of it.
const MISTAKES: &[(&str, usize, &str)] = &[
    ("polcy = 'x'", 1, "did you mean 'policy'?"),
    ("frobnicate = 1", 1, "known here: policy, engine"),
    ("policy = 7", 1, "'policy' must be a string, not integer"),
    ("policy = ''", 1, "the path is empty"),
    ("engine = 'x'", 1, "'engine' must be a table"),
    ("[engine]", 1, "[engine] has no address"),
    ("[engine]\naddress = 'tcp://h:2376'", 2, "add [engine.tls]"),
    ("[engine]\naddress = 'https://h:2376'", 2, "write \"tcp://h:2376\""),
    ("[engine]\naddress = 'tcp://h'\n[engine.tls]", 2, "not a host and a port"),
    ("[engine]\naddress = 'tcp://a b:1'\n[engine.tls]", 2, "neither a host's name nor an IP address"),
    ("[engine]\naddress = 'unix:///a'\ntls = {}", 2, "a unix:// engine has no TLS"),
    ("[engine]\naddress = 'npipe://x'", 2, "is not an address known here"),
    ("[engine]\naddress = '/run/d.sock'", 2, "write \"unix:///run/d.sock\""),
    ("listen = {}", 1, "[listen] is empty"),
    ("[listen]\nlocal = 'unix:///a'", 2, "'local' in [listen] is not a table"),
    ("[listen.a]\nmode = '0660'", 1, "[listen.a] has no address"),
    ("[listen.a]\naddress = 'unix:///a'\nmodes = '0660'", 3, "did you mean 'mode'?"),
    ("[listen.a]\naddress = 'unix://'", 2, "names no socket"),
    ("[listen.a]\naddress = 'fd://'", 2, "not the name of a socket that systemd hands over"),
    ("[listen.a]\naddress = 'fd://a:b'", 2, "not the name of a socket that systemd hands over"),
    ("[listen.a]\naddress = 'fd://docker'\ntls = { }", 2, "an fd:// door has no TLS"),
    ("[listen.a]\naddress = 'fd://docker'\nmode = '0660'", 3, "the mode of an fd:// door is said where it is made"),
    ("[listen.a]\naddress = 'tcp://0.0.0.0:2375'", 2, "write \"tcp://127.0.0.1:2375\""),
    ("[listen.a]\naddress = 'tcp://[::]:2375'", 2, "open to the network"),
    ("[listen.a]\naddress = 'tcp://localhost:2375'", 2, "not an IP address and a port"),
    ("[listen.a]\naddress = 'tcp://127.0.0.1:1'\ngroup = 0", 3, "a tcp:// door has no group"),
    ("[listen.a]\naddress = 'unix:///a'\ntls = { }", 2, "a unix:// door has no TLS"),
    ("[listen.a]\naddress = 'tcp://h:1'\ntls = { }", 2, "not an IP address and a port"),
    ("[listen.a]\naddress = 'unix:///a'\nmode = 0o660", 3, "write mode = \"0660\""),
    ("[listen.a]\naddress = 'unix:///a'\nmode = '0999'", 3, "not a mode"),
    ("[listen.a]\naddress = 'unix:///a'\nmode = '4755'", 3, "not a mode"),
    ("[listen.a]\naddress = 'unix:///a'\nowner = 'no-such-user-here'", 3, "no user 'no-such-user-here'"),
    ("[listen.a]\naddress = 'unix:///a'\ngroup = 'no-such-group-here'", 3, "no group 'no-such-group-here'"),
    ("[listen.a]\naddress = 'unix:///a'\ngroup = -1", 3, "out of range"),
    ("[listen.a]\naddress = 'unix:///a'\n[listen.b]\naddress = 'unix:///a'", 4, "have the same address"),
    ("[audit]\nsync = 'effect'", 2, "did you mean 'effects'?"),
    ("[audit]\non-failure = 'ignore'", 2, "write one of: refuse, forward"),
    ("[audit]\nlevel = 'request'", 2, "must be a table"),
    ("[audit]\nlevel = { effects = 'all' }", 2, "write one of: metadata, request, none"),
    ("[audit]\nrotate = { size = '10' }", 2, "'10' is not a size"),
    ("[audit]\nrotate = { keep = 0 }", 2, "from 1 to 100000"),
    ("[state]\ndir = 'x'", 2, "known here: directory"),
    ("[limits]\nbody = '4MB'", 2, "write \"4MiB\""),
    ("[limits]\nbody = 4", 2, "must be a string, not integer"),
    ("[limits]\nheaders = '2MiB'", 2, "from 4KiB to 1024KiB"),
    ("[limits]\nconnections = 0", 2, "out of range"),
    ("[limits]\nconnections = 99999999999999999999", 2, "out of range"),
    ("[limits]\ndrain = '0s'", 2, "at least \"1ms\""),
    ("[limits]\ndrain = '10 s'", 2, "'10 s' is not a duration"),
    ("[watch]\nsensor = 'kernle'", 2, "did you mean 'kernel'?"),
    ("[watch]\nsensors = 'off'", 2, "did you mean 'sensor'?"),
    ("[sink.siem]", 1, "[sink.siem] has no type"),
    ("[sink.siem]\ntype = 'sylog'", 2, "did you mean 'syslog'?"),
    ("[sink.'a/b']\ntype = 'syslog'", 1, "cannot be the name of a sink"),
    ("[sink.syslog]\naddress = 'udp://192.0.2.1:514'", 2, "over UDP loses messages"),
    ("[sink.syslog]\naddress = '/dev/log'", 2, "write \"unix:///dev/log\""),
    ("[sink.syslog]\naddress = 'tcp://192.0.2.1'", 2, "is not a host and a port"),
    ("[sink.syslog]\naddress = 'unix:///dev/log'\ntls = { ca = 'x' }", 2, "has no TLS"),
    ("[sink.syslog]\nformat = 'syslog'", 2, "write one of: native, ocsf, ecs"),
    ("[sink.syslog]\nformat = 'ocsf'\nocsf-version = '2'", 3, "write one of: 1.5.0"),
    ("[sink.syslog]\nformat = 'ecs'\nocsf-version = '1.5.0'", 3, "is for format = \"ocsf\""),
    ("[sink.syslog]\nkinds = ['call', 'findings']", 2, "did you mean 'finding'?"),
    ("[sink.syslog]\nkinds = 'call'", 2, "must be a list"),
    ("[sink.syslog]\nmin-severity = 'warning'", 2, "write one of: informational"),
    ("[sink.journald]\naddress = 'tcp://127.0.0.1:1'", 2, "is not an address known here"),
    ("[sink.journald]\ntls = {}", 2, "has no TLS"),
    ("[admin]\naddress = 'tcp://192.0.2.7:9323'", 2, "the console is on loopback only"),
    ("[admin]\naddress = ['unix:///a', 'unix:///b']", 2, "[admin] has one socket and one port at the most"),
    ("[admin]\naddress = ['unix:///a', 1]", 2, "'address' in [admin] must be a list of strings, not integer"),
    ("policy = 'a'\npolicy = 'b'", 2, "duplicate key"),
    ("policy = ", 1, ""),
];

#[test]
fn each_mistake_is_named_where_it_is() {
    for (text, line, wanted) in MISTAKES {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (Severity::Error, *line), "{text}: {found:?}");
        assert!(found[0].2.contains(wanted), "{text}: {found:?}");
    }
}

#[test]
fn odd_things_are_warned_of() {
    let table = [
        ("[listen.a]\naddress = 'unix:///a'\nmode = '0666'", "everybody on this host"),
        ("[sink.syslog]\naddress = 'tcp://siem.example.com:601'", "in clear text"),
        ("[audit]\nlevel = { effects = 'none' }", "leave no record"),
    ];
    for (text, wanted) in table {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].0, Severity::Warning, "{text}");
        assert!(found[0].2.contains(wanted), "{text}: {found:?}");
    }
}

#[test]
fn sizes_durations_and_modes() {
    let mib = 1 << 20;
    let sizes = [("1B", Some(1)), ("64KiB", Some(65_536)), ("4MiB", Some(4 * mib)), ("2GiB", Some(2048 * mib))];
    let wrong = ["", "4", "MiB", "4 MiB", "-1MiB", "+1MiB", "1.5MiB", "4mib", "4MB", "99999999999GiB"];
    for (text, wanted) in sizes.into_iter().chain(wrong.map(|text| (text, None))) {
        assert_eq!(value::size(text).ok(), wanted, "{text}");
    }
    let durations = [("250ms", Some(250)), ("30s", Some(30_000)), ("5m", Some(300_000)), ("1h", Some(3_600_000))];
    let wrong = ["", "30", "s", "30 s", "-1s", "1.5s", "0s", "1d", "99999999999h", "18446744073709551615h"];
    for (text, wanted) in durations.into_iter().chain(wrong.map(|text| (text, None))) {
        assert_eq!(value::duration(text).ok().map(|duration| duration.as_millis()), wanted, "{text}");
    }
    let modes = [("0660", Some(0o660)), ("660", Some(0o660)), ("0777", Some(0o777))];
    let wrong = ["", "0", "0o660", "1777", "4755", "0668", "+660", "00660"];
    for (text, wanted) in modes.into_iter().chain(wrong.map(|text| (text, None))) {
        assert_eq!(value::mode(text).ok(), wanted, "{text}");
    }
}

#[test]
fn paths_start_from_the_file() {
    let text = "policy = 'policy.toml'\n[engine]\naddress = 'unix://engine.sock'\n[state]\ndirectory = '/s'";
    let (draft, found) =
        sections::read(&Source { path: "t.toml".into(), text: text.to_owned() }, Path::new(BASE), &place().1);
    assert_eq!(found, []);
    assert_eq!(draft.policy.unwrap().value, Path::new("/etc/tidewaiter/policy.toml"));
    assert_eq!(draft.engine.unwrap(), engine::Address::Unix("/etc/tidewaiter/engine.sock".into()));
    assert_eq!(draft.state.unwrap(), Path::new("/s"));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let _drafts = sections::read(&Source { path: "t.toml".into(), text }, Path::new(BASE), &place().1);
    }

    #[test]
    fn a_tcp_door_is_on_loopback(ip in any::<std::net::IpAddr>(), port in any::<u16>()) {
        let address = SocketAddr::new(ip, port);
        let read = address::door(&format!("tcp://{address}"), Path::new("/"), false);
        assert_eq!(read.is_ok(), ip.is_loopback());
    }

    #[test]
    fn a_unix_door_has_an_absolute_path(path in prop::string::string_regex("[a-z./]{1,20}").unwrap()) {
        let Ok(Place::Unix(path)) = address::door(&format!("unix://{path}"), Path::new("/base"), false) else { panic!() };
        assert!(path.is_absolute());
    }
}

// === files ===

/// A directory of our own, and a host whose files are all in it.
fn place() -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    let host = Host {
        now: jiff::Timestamp::UNIX_EPOCH,
        uid: nix::unistd::geteuid().as_raw(),
        runtime: Some(directory.path().join("run")),
        state: Some(directory.path().join("state")),
        state_is_said: false,
        directory: directory.path().to_owned(),
        default_file: directory.path().join("default.toml"),
    };
    (directory, host)
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn without_a_file_everything_has_a_default() {
    let (directory, host) = place();
    let as_user = Host { uid: 1000, ..host.clone() };
    let loaded = load(&Flags::default(), &as_user).unwrap();
    let config = loaded.config;
    assert!(loaded.reports.is_empty());
    assert_eq!(config.doors.len(), 1);
    let socket = directory.path().join("run/tidewaiter/docker.sock");
    assert_eq!(config.doors[0].address, listen::Address::Unix { path: socket, mode: 0o660, owner: None, group: None });
    assert_eq!(config.engine, engine::Address::Unix("/var/run/docker.sock".into()));
    assert_eq!(config.policy.mode(), Mode::Monitor);
    assert_eq!(config.audit.journal, directory.path().join("state/tidewaiter/journal.jsonl"));
    assert_eq!(config.audit.on_failure, OnFailure::Forward);
    assert_eq!(config.audit.sync, SyncPolicy::Effects);
    assert_eq!(config.audit.levels.effects, Level::Request);
    assert_eq!(config.audit.capacity, 4096 * 2 + 1024);
    assert_eq!(config.limits, Limits::default());

    let config = load(&Flags::default(), &Host { uid: 0, ..host }).unwrap().config;
    assert_eq!(config.doors[0].address.to_string(), "unix:///run/tidewaiter/docker.sock");
    assert_eq!(config.audit.journal, Path::new("/var/log/tidewaiter/journal.jsonl"));
    assert_eq!(config.state, Path::new("/var/lib/tidewaiter"));
}

#[test]
fn records_are_kept_where_one_profile_enforces() {
    let (directory, host) = place();
    let policy = directory.path().join("policy.toml");
    let text = |mode: &str| {
        format!("version = 1\nmode = 'monitor'\n[fallback]\nprofile = 'own'\n[profile.own]\nmode = '{mode}'\n")
    };
    for (mode, expected) in [("enforce", OnFailure::Refuse), ("monitor", OnFailure::Forward)] {
        write(&policy, &text(mode), 0o644);
        let flags = Flags { policy: Some(policy.clone()), ..Flags::default() };
        assert_eq!(load(&flags, &host).unwrap().config.audit.on_failure, expected, "{mode}");
    }
}

#[test]
fn the_admin_socket_is_opened_where_it_is_named_or_needed() {
    let (directory, host) = place();
    let as_user = Host { uid: 1000, ..host.clone() };
    let admin = |config: &Config| config.admin.as_ref().map(|path| path.display().to_string());
    assert_eq!(admin(&load(&Flags::default(), &as_user).unwrap().config), None);
    let asks = "version = 1\n[fallback]\nprofile = 'a'\n[profile.a.reactions]\n'privileged' = 'approve'";
    write(&directory.path().join("p.toml"), asks, 0o644);
    let flags = Flags { policy: Some("p.toml".into()), ..Flags::default() };
    let as_root = Host { uid: 0, ..host.clone() };
    let of_user = directory.path().join("run/tidewaiter/admin.sock");
    let admin_socket = |host: &Host| admin_doors(None, host).map(|doors| doors.socket);
    assert_eq!(admin_socket(&as_user).unwrap(), of_user);
    assert_eq!(admin_socket(&as_root).unwrap(), Path::new("/run/tidewaiter/admin.sock"));
    if host.uid == 0 {
        assert_eq!(admin(&load(&flags, &as_root).unwrap().config).unwrap(), "/run/tidewaiter/admin.sock");
    }
    let nowhere = Host { uid: 1000, runtime: None, ..host.clone() };
    assert_eq!(admin_socket(&nowhere).unwrap_err().len(), 1);
    write(&host.default_file, "[admin]\naddress = 'unix:///a/b.sock'", 0o644);
    assert_eq!(admin(&load(&Flags::default(), &host).unwrap().config).unwrap(), "/a/b.sock");
    assert_eq!(admin_socket(&host).unwrap(), Path::new("/a/b.sock"));
    // A console needs the socket too: there the link to it is asked for.
    write(&host.default_file, "[admin]\naddress = 'tcp://127.0.0.1:9323'", 0o644);
    let doors = admin_doors(None, &as_user).unwrap();
    let console = SocketAddr::from(([127, 0, 0, 1], 9323));
    assert_eq!(doors, AdminDoors { socket: of_user.clone(), console: Some(console) });
    if host.uid == 1000 || host.uid == 0 {
        let config = load(&Flags::default(), &host).unwrap().config;
        assert_eq!((config.admin.is_some(), config.console), (true, Some(console)));
    }
    write(&host.default_file, "[admin]\naddress = ['tcp://[::1]:1', 'unix:///a/b.sock']", 0o644);
    let doors = admin_doors(None, &host).unwrap();
    assert_eq!((doors.socket, doors.console.unwrap().to_string()), ("/a/b.sock".into(), "[::1]:1".to_owned()));
}

#[test]
fn a_user_without_directories_must_name_them() {
    let (_directory, host) = place();
    let host = Host { uid: 1000, runtime: None, state: None, ..host };
    let reports = load(&Flags::default(), &host).unwrap_err();
    assert_eq!(reports.len(), 2, "{reports:?}");
}

#[test]
fn flags_replace_what_the_file_says() {
    let (directory, host) = place();
    write(&host.default_file, "[engine]\naddress = 'unix:///e'\n[listen.a]\naddress = 'unix:///a'", 0o644);
    let flags = Flags {
        listen: vec!["unix://b.sock".into(), "tcp://127.0.0.1:0".into()],
        engine: Some("unix:///f".into()),
        mode: Some(Mode::Enforce),
        ..Flags::default()
    };
    let config = load(&flags, &host).unwrap().config;
    assert_eq!(config.doors[0].address.to_string(), format!("unix://{}/b.sock", directory.path().display()));
    assert_eq!((config.doors[0].name.as_str(), config.doors[1].name.as_str()), ("local", "local-2"));
    assert_eq!(config.engine, engine::Address::Unix("/f".into()));
    assert_eq!(config.policy.mode(), Mode::Enforce);
    assert_eq!(config.audit.on_failure, OnFailure::Refuse);
}

#[test]
fn bad_flags_are_reported_together() {
    let (_directory, host) = place();
    let flags = Flags {
        listen: vec!["tcp://0.0.0.0:1".into(), "ssh://x".into()],
        engine: Some("tcp://x".into()),
        policy: Some("absent.toml".into()),
        config: Some("absent-too.toml".into()),
        ..Flags::default()
    };
    assert_eq!(load(&flags, &host).unwrap_err().len(), 5);
}

#[test]
fn a_door_is_not_the_engine() {
    let (_directory, host) = place();
    for door in ["unix:///run/docker.sock", "unix:///var/run/docker.sock"] {
        let flags = Flags { listen: vec![door.into()], ..Flags::default() };
        let reports = load(&flags, &host).unwrap_err();
        assert!(reports[0].diagnostics[0].message.contains("the engine's own address"), "{reports:?}");
    }
}

#[test]
fn a_policy_that_others_could_write_is_refused_where_it_is_named() {
    let (directory, host) = place();
    write(&host.default_file, "policy = 'p.toml'\nfoo = 1", 0o644);
    write(&directory.path().join("p.toml"), "", 0o666);
    let reports = load(&Flags::default(), &host).unwrap_err();
    let found = &reports[0].diagnostics;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|found| found.message.contains("run: chmod go-w") && found.span == Some(9..17)));
}

#[test]
fn the_shipped_configuration_says_the_defaults() {
    let (_directory, host) = place();
    let host = Host { uid: 0, ..host };
    let text = include_str!("../../conf/tidewaiter.toml");
    let (draft, found) = sections::read(&Source { path: "t.toml".into(), text: text.into() }, Path::new(BASE), &host);
    assert_eq!(found, []);
    let (default, built_in) = (sections::Draft::default(), load(&Flags::default(), &host).unwrap().config);
    assert_eq!(draft.limits, default.limits);
    assert_eq!(draft.levels, default.levels);
    assert_eq!(draft.rotate, default.rotate);
    assert_eq!(draft.sync, default.sync);
    assert_eq!(draft.doors, Some(built_in.doors));
    assert_eq!(draft.engine, Some(built_in.engine));
    assert_eq!(draft.journal, Some(built_in.audit.journal));
    assert_eq!(draft.state, Some(built_in.state));
}

// === trusted files ===

#[test]
fn a_file_of_our_own_is_read() {
    let (directory, host) = place();
    let path = directory.path().join("f");
    write(&path, "x", 0o600);
    assert_eq!(trusted::read(&path, host.uid).unwrap().text, "x");
    // As in /tmp: others may add files, but cannot exchange ours.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(trusted::read(&path, host.uid).unwrap().text, "x");
}

#[test]
fn files_that_others_could_write_are_refused() {
    let (directory, host) = place();
    let path = directory.path().join("f");
    for mode in [0o620, 0o602, 0o666] {
        write(&path, "x", mode);
        assert!(matches!(trusted::read(&path, host.uid), Err(Untrusted::Writable { .. })), "{mode:o}");
    }
    write(&path, "x", 0o600);
    for mode in [0o770, 0o707, 0o777] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let found = trusted::read(&path, host.uid);
        assert!(matches!(&found, Err(Untrusted::Writable { path, .. }) if path == directory.path()), "{mode:o}");
    }
}

#[test]
fn what_is_not_a_plain_small_text_is_refused() {
    let (directory, host) = place();
    let at = |name: &str| directory.path().join(name);
    write(&at("file"), "x", 0o600);
    symlink(at("file"), at("link")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("binary"), [0xff]).unwrap();
    write(&at("large"), &"#".repeat((1 << 20) + 1), 0o600);
    write(&at("largest"), &"#".repeat(1 << 20), 0o600);
    fs::set_permissions(at("binary"), fs::Permissions::from_mode(0o600)).unwrap();

    let read = |name: &str| trusted::read(&at(name), host.uid);
    assert!(matches!(read("link"), Err(Untrusted::Link(_))));
    assert!(matches!(read("pipe"), Err(Untrusted::NotAFile(_))));
    assert!(matches!(read("directory"), Err(Untrusted::NotAFile(_))));
    assert!(matches!(read("binary"), Err(Untrusted::NotText(_))));
    assert!(matches!(read("large"), Err(Untrusted::TooLarge(_))));
    assert!(read("largest").is_ok());
    assert!(read("absent").unwrap_err().is_absent());
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (directory, host) = place();
    let path = directory.path().join("f");
    write(&path, "x", 0o600);
    if host.uid == 0 {
        // Only root can give a file away. The directory stays root's: the file itself must be looked at.
        std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
        assert!(matches!(trusted::read(&path, 0), Err(Untrusted::Owner { owner: 4242, .. })));
        assert!(trusted::read(&path, 4242).is_ok());
    } else {
        assert!(matches!(trusted::read(&path, host.uid + 1), Err(Untrusted::Owner { .. })));
    }
}
