//! What a list of the policy lets pass, and what it only seems to.

use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};

use super::roads::{host, of_body, under};
use super::{caller, denying, mistakes, policy};
use crate::policy::{Facts, Known, Policy, RealPath, Verdict, judge};
use crate::request::{Body, Call, ContainerCreate, Head, HostConfig, read};

fn bind_under(entries: &str, bind: &str) -> Vec<&'static str> {
    under(&format!("binds = [{entries}]"), "", &host(&format!(r#"{{"Binds":["{bind}"]}}"#)))
}

fn entry(path: &str, access: &str) -> String {
    format!(r#"{{ path = "{path}", access = "{access}" }}"#)
}

#[test]
fn a_broad_entry_of_binds_lists_no_sensitive_path() {
    for (pattern, path) in [
        ("/**", "/etc"),
        ("/**", "/etc/shadow"),
        ("/**", "/"),
        ("/", "/"),
        ("/*", "/etc"),
        ("/etc/**", "/etc"),
        ("/etc/**", "/etc/shadow"),
        ("/etc/*", "/etc/shadow"),
        ("/e*/shadow", "/etc/shadow"),
        ("/{etc,srv}/**", "/etc/shadow"),
        ("/[e]tc", "/etc"),
        ("/home/*/src/**", "/home/bob/src"),
        ("/var/lib/**", "/var/lib/docker/volumes"),
        ("/var/lib/**", "/var/lib"),
        ("/var", "/var"),
    ] {
        let denied = bind_under(&entry(pattern, "rw"), &format!("{path}:/x"));
        assert!(denied.contains(&"mount.sensitive"), "{pattern} {path}: {denied:?}");
    }
}

#[test]
fn a_path_that_is_spelt_out_is_listed() {
    for (pattern, path) in [
        ("/etc", "/etc"),
        ("/etc/localtime", "/etc/localtime"),
        ("/etc/ssl/**", "/etc/ssl"),
        ("/etc/ssl/**", "/etc/ssl/certs/ca.pem"),
        ("/home/{user}/**", "/home/ann/src"),
        ("/var/lib/app-*", "/var/lib/app-1"),
        ("/var/lib/kubelet", "/var/lib/kubelet"),
        ("/srv/**", "/srv/data"),
        ("/**", "/srv/data"),
    ] {
        assert_eq!(bind_under(&entry(pattern, "rw"), &format!("{path}:/x")), [""; 0], "{pattern} {path}");
    }
}

#[test]
fn what_may_be_read_by_name_may_not_be_written_by_a_wildcard() {
    let entries = format!("{}, {}", entry("/etc/hosts", "ro"), entry("/**", "rw"));
    assert_eq!(bind_under(&entries, "/etc/hosts:/x:ro"), [""; 0]);
    assert_eq!(bind_under(&entries, "/etc/hosts:/x"), ["mount.sensitive"]);
    assert_eq!(bind_under(&entry("/etc/hosts", "ro"), "/etc/hosts:/x"), ["mount.writable"]);
}

#[test]
fn a_home_among_the_systems_files_is_no_home() {
    let text = "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\n\
                binds = [{ path = \"{home}/**\", access = \"rw\" }]\n";
    let policy = policy(text);
    for (home, fits) in
        [("/usr/sbin", false), ("/bin", false), ("/dev", false), ("/run/x", false), ("/var/lib/ci", true)]
    {
        let mut peer = crate::peer::UnixPeer { user: Some("daemon".into()), ..Default::default() };
        peer.home = Some(home.into());
        let create = ContainerCreate {
            image: Some("busybox:1.0".into()),
            host: HostConfig { binds: vec![format!("{home}/x:/x").into()], ..HostConfig::default() },
            ..ContainerCreate::default()
        };
        let body = Body::ContainerCreate(Box::new(create));
        let denied = denying(&of_body(&policy, &crate::peer::Peer::Unix(Box::new(peer)), body));
        assert_eq!(!denied.contains(&"mount.host-path"), fits, "{home}: {denied:?}");
    }
}

/// The verdict on a create, with what was looked up.
fn knowing(policy: &Policy, body: &str, known: &Known) -> Verdict {
    let (method, uri) = (Method::POST, Uri::from_static("/v1.41/containers/create"));
    let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("docker"))]);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    let asked = read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
    let facts = Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known };
    judge(policy, &caller(1000), &Call::decode(&asked, body.as_bytes()), &facts)
}

/// What binding a path is denied for, by an own profile with an entry, where the path is a link.
fn linked(entry: &str, bind: &str, path: &str, real: &str) -> Vec<&'static str> {
    let policy = policy(&format!(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nbinds = [{entry}]\n"
    ));
    let body = host(&format!(r#"{{"Binds":["{bind}"]}}"#));
    let paths = vec![RealPath { path: path.into(), real: real.into() }];
    denying(&knowing(&policy, &body, &Known { paths, ..Known::default() }))
}

#[test]
fn the_time_zone_may_be_read_through_its_link() {
    let zone = |bind: &str, real: &str| linked(&entry("/etc/localtime", "ro"), bind, "/etc/localtime", real);
    assert_eq!(zone("/etc/localtime:/etc/localtime:ro", "/usr/share/zoneinfo/Etc/UTC"), [""; 0]);
    assert!(zone("/etc/localtime:/etc/localtime", "/usr/share/zoneinfo/Etc/UTC").contains(&"mount.symlink"));
    assert!(zone("/etc/localtime:/etc/localtime:ro", "/etc/shadow").contains(&"mount.symlink"));
    assert!(zone("/etc/localtime:/etc/localtime:ro", "/usr/share/zoneinfo-evil").contains(&"mount.symlink"));
}

#[test]
fn a_broad_entry_lists_no_sensitive_path_behind_a_link() {
    let denied = linked(&entry("/**", "rw"), "/srv/x:/x", "/srv/x", "/etc");
    assert_eq!(denied, ["mount.sensitive"]);
    assert_eq!(linked(&entry("/**", "rw"), "/srv/x:/x", "/srv/x", "/srv/y"), [""; 0]);
}

#[test]
fn an_entry_that_covers_sensitive_paths_is_warned_of() {
    let warned = |pattern: &str, reactions: &str| {
        let text = format!(
            "version = 1\n[fallback]\nprofile = \"own\"\n[profile.own]\nbinds = [{}]\n[profile.own.reactions]\n{reactions}\n",
            entry(pattern, "ro")
        );
        mistakes(&text)
    };
    for pattern in ["/**", "/", "/*", "/etc/**", "/home/*/src/**", "/var/lib/**", "/{etc,srv}/**", "/s*/**"] {
        let said = warned(pattern, "");
        assert!(said.iter().any(|said| said.contains("mount.sensitive")), "{pattern}: {said:?}");
        let said = warned(pattern, "\"mount.sensitive\" = \"warn\"");
        assert!(said.iter().any(|said| said.contains("opens /")), "{pattern}: {said:?}");
    }
    for pattern in ["/srv/**", "/etc/localtime", "/etc", "{home}/**", "/home/{user}/src", "/var/lib/app-*"] {
        assert_eq!(warned(pattern, "\"user.root\" = \"deny\""), [""; 0], "{pattern}");
    }
    for pattern in ["{home}/**", "/home/{user}/src"] {
        let said = warned(pattern, "");
        assert!(said.iter().any(|said| said.contains("descriptor of /")), "{pattern}: {said:?}");
    }
}
