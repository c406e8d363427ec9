//! What was looked up, against requests that tell less than the truth.

use super::{caller, policy};
use crate::policy::{
    EngineFacts, Facts, HeldImage, HeldVolume, Joined, Known, Maker, Reaction, RealPath, Stored, StoredExec,
    StoredMount, judge,
};
use crate::request::{BodyPlan, Call, Head, read};

const SITE: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "site"
[profile.site]
extends = "baseline"
images = ["busybox:1.0", "registry.example.com/**", "sha256:1111111111111111111111111111111111111111111111111111111111111111"]
image-proof = "digest"
binds = [{ path = "/srv/data/**", access = "ro" }]
own-only = true
[profile.site.reactions]
"image.not-allowed" = "deny"
"image.unproven" = "deny"
"image.changed" = "deny"
"#;

fn refused_for(request: &str, body: &str, known: &Known) -> Vec<String> {
    refused_by(SITE, request, body, known)
}

fn refused_by(text: &str, request: &str, body: &str, known: &Known) -> Vec<String> {
    let (method, target) = request.split_once(' ').unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("host", "d".parse().unwrap());
    if !body.is_empty() {
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("content-length", body.len().into());
    }
    let (method, uri) = (method.parse().unwrap(), target.parse().unwrap());
    let asked = read(&Head { method: &method, uri: &uri, version: http::Version::HTTP_11, headers: &headers });
    let call = match asked.body {
        BodyPlan::Judge => Call::decode(&asked, body.as_bytes()),
        BodyPlan::Stream => Call::unread(&asked),
    };
    let facts = Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known };
    let verdict = judge(&policy(text), &caller(1000), &call, &facts);
    let denied = verdict.findings.iter().filter(|finding| finding.reaction == Reaction::Deny);
    denied.map(|finding| format!("{} {}", finding.check.id(), finding.field)).collect()
}

fn held(id: char, digests: &[&str]) -> HeldImage {
    let repo_digests = digests.iter().map(|from| format!("{from}@sha256:{}", "d".repeat(64))).collect();
    HeldImage { id: format!("sha256:{}", id.to_string().repeat(64)), repo_digests }
}

fn own() -> Option<Maker> {
    Some(Maker { principal: "fallback".into(), image_id: None })
}

/// A container of the caller's own, of an image that is proven.
fn stored(host: &str) -> Stored {
    let body = format!(r#"{{"Image":"busybox:1.0","HostConfig":{host}}}"#).into_bytes();
    Stored { id: "c".repeat(64), name: "web".into(), body, image: held('2', &["busybox"]), ..Stored::default() }
}

fn on(stored: Stored, maker: Option<Maker>) -> Known {
    Known { container: Some(stored), maker, ..Known::default() }
}

const CREATE: &str = "POST /v1.41/containers/create";
const START: &str = "POST /v1.41/containers/web/start";

#[test]
fn a_listed_name_needs_a_digest_from_where_it_is_listed() {
    let create = |image: &str, held: Option<HeldImage>, containerd_store: bool| {
        let engine = EngineFacts { containerd_store, ..EngineFacts::default() };
        let known = Known { image: held, engine, ..Known::default() };
        refused_for(CREATE, &format!(r#"{{"Image":"{image}"}}"#), &known)
    };
    let digest = format!("registry.example.com/a/b@sha256:{}", "d".repeat(64));
    let listed_id = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    let other_id = format!("sha256:{}", "2".repeat(64));
    for (image, held_as, containerd, expected) in [
        ("busybox:1.0", Some(held('2', &["busybox"])), false, ""),
        ("busybox:1.0", Some(held('2', &["docker.io/library/busybox"])), false, ""),
        // Not there yet: the engine will say so, and the client pulls it.
        ("busybox:1.0", None, false, ""),
        ("busybox:1.0", Some(held('2', &[])), false, "image.unproven Image"),
        ("busybox:1.0", Some(held('2', &["evil.example.com/busybox"])), false, "image.unproven Image"),
        ("busybox:1.0", Some(held('2', &["busybox"])), true, "image.unproven Image"),
        ("registry.example.com/a/b:3", Some(held('2', &["registry.example.com/a/b"])), false, ""),
        (&digest, Some(held('2', &[])), true, ""),
        // Whatever it is called: the id is listed.
        ("mine", Some(held('1', &[])), false, ""),
        (listed_id, Some(held('1', &[])), false, ""),
        ("111111", Some(held('1', &[])), false, ""),
        ("111111", None, false, "image.not-allowed Image"),
        ("222222", Some(held('2', &["busybox"])), false, "image.not-allowed Image"),
        // By id, what a listed registry gave; a list with a tag says nothing of it, nor does a digest that may be anybody's.
        (&other_id, Some(held('2', &["registry.example.com/a/b"])), false, ""),
        (&other_id, Some(held('2', &["registry.example.com/a/b"])), true, "image.not-allowed Image"),
        (&other_id, Some(held('2', &["evil.example.com/a/b"])), false, "image.not-allowed Image"),
        (&other_id, Some(held('2', &["busybox"])), false, "image.not-allowed Image"),
        (&other_id, Some(held('2', &[])), false, "image.not-allowed Image"),
    ] {
        let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(create(image, held_as, containerd), expected, "{image}");
    }
}

#[test]
fn podman_is_refused_what_only_it_reads() {
    let on_podman = || Known { engine: EngineFacts { podman: true, ..EngineFacts::default() }, ..Known::default() };
    for (request, body, expected) in [
        ("POST /images/busybox:1.0/push?destination=docker-archive:/etc/x", "", "request.ambiguous query.destination"),
        ("POST /build?addcaps=%5B%22SYS_ADMIN%22%5D", "", "request.ambiguous query.addcaps"),
        ("POST /build?isolation=chroot", "", "runtime.other query.isolation"),
        (
            CREATE,
            r#"{"Image":"busybox:1.0","HostConfig":{"ContainerIDFile":"/opt/x"}}"#,
            "mount.host-path HostConfig.ContainerIDFile",
        ),
        (CREATE, r#"{"Image":"busybox:1.0","HostConfig":{"Runtime":"oci"}}"#, ""),
    ] {
        let refused = |known: &Known| refused_for(request, body, known).contains(&expected.to_owned());
        assert_eq!(refused(&on_podman()), !expected.is_empty(), "{request} {body}");
        assert!(!refused(&Known::default()), "on Docker: {request} {body}");
    }
    let secret = refused_for("POST /secrets/create", r#"{"Name":"s"}"#, &on_podman());
    assert!(secret.contains(&"request.ambiguous path".to_owned()), "{secret:?}");
}

/// Podman shows a container with the host's IPC namespace like any other.
#[test]
fn on_podman_only_what_was_judged_when_it_was_made_starts() {
    let start = |maker| {
        let mut known =
            on(stored(r#"{"Runtime":"oci","Binds":["/srv/data:/d:ro,rprivate,nosuid,nodev,rbind"]}"#), maker);
        known.engine.podman = true;
        known.container.as_mut().unwrap().image = held('1', &[]);
        refused_for(START, "", &known)
    };
    assert_eq!(start(own()), [""; 0]);
    let unseen = start(None);
    assert!(unseen.contains(&"facts.missing container".to_owned()), "{unseen:?}");
}

#[test]
fn a_container_is_judged_as_the_engine_has_it() {
    assert_eq!(refused_for(START, "", &on(stored("{}"), own())), [""; 0]);
    for (host, expected) in [
        (r#"{"Privileged":true}"#, "privileged container.HostConfig.Privileged"),
        (r#"{"PidMode":"host"}"#, "namespace.pid.host container.HostConfig.PidMode"),
        (r#"{"Binds":["/srv/data:/d"]}"#, "mount.writable container.HostConfig.Binds[0]"),
        (r#"{"MaskedPaths":[]}"#, "security.masked-paths container.HostConfig.MaskedPaths"),
        (r#"{"CgroupnsMode":"host"}"#, "namespace.cgroup.host container.HostConfig.CgroupnsMode"),
        (r#"{"NetworkMode":"container:x"}"#, "namespace.network.container container.HostConfig.NetworkMode"),
    ] {
        for request in
            [START, "POST /containers/web/restart", "POST /containers/web/attach", "GET /containers/web/archive"]
        {
            assert_eq!(refused_for(request, "", &on(stored(host), own())), [expected], "{request}");
        }
        assert_eq!(refused_for("POST /containers/web/stop", "", &on(stored(host), own())), [""; 0], "{host}");
    }
    let unreadable = Stored { body: b"{".to_vec(), ..stored("{}") };
    assert_eq!(refused_for(START, "", &on(unreadable, own())), ["facts.missing container.Config"]);
}

#[test]
fn what_the_engine_fills_in_is_no_finding() {
    let filled = r#"{"CgroupnsMode":"host","IpcMode":"private","Runtime":"runc","NetworkMode":"default",
        "MaskedPaths":["/proc/asound","/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list",
            "/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware","/sys/devices/virtual/powercap"],
        "ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}"#;
    let engine = EngineFacts { cgroup_v1: true, ..EngineFacts::default() };
    let known = Known { engine, ..on(stored(filled), own()) };
    assert_eq!(refused_for(START, "", &known), [""; 0]);
}

#[test]
fn old_volumes_and_links_are_seen_through() {
    let options = [("type", "none"), ("o", "bind"), ("device", "/etc")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let volume = || HeldVolume { name: "v".into(), driver: "local".into(), options: options.to_vec() };
    let paths = vec![RealPath { path: "/srv/data/link".into(), real: "/run/docker.sock".into() }];
    let known = Known { volumes: vec![volume()], paths, ..Known::default() };
    let create = |host: &str| refused_for(CREATE, &format!(r#"{{"Image":"busybox:1.0","HostConfig":{host}}}"#), &known);
    let at = |checks: &[&str], field: &str| -> Vec<String> {
        checks.iter().map(|check| format!("{check} {field}")).collect()
    };
    let behind = ["mount.volume-driver", "mount.host-path", "mount.sensitive"];
    assert_eq!(create(r#"{"Binds":["v:/h"]}"#), at(&behind, "HostConfig.Binds[0]"));
    assert_eq!(
        create(r#"{"Mounts":[{"Type":"volume","Source":"v","Target":"/h"}]}"#),
        at(&behind, "HostConfig.Mounts[0]")
    );
    assert_eq!(create(r#"{"Binds":["other:/h"]}"#), [""; 0]);
    let link = ["mount.engine-socket", "mount.symlink", "mount.sensitive"];
    assert_eq!(create(r#"{"Binds":["/srv/data/./link:/h:ro"]}"#), at(&link, "HostConfig.Binds[0]"));
    // Inherited by VolumesFrom, the volume is in no list of the container's own.
    let mounts = vec![StoredMount { kind: "volume".into(), name: "v".into(), ..StoredMount::default() }];
    let heir = Known { volumes: vec![volume()], ..on(Stored { mounts, ..stored("{}") }, own()) };
    assert_eq!(refused_for(START, "", &heir), at(&behind, "container.Mounts[0].Source"));
}

#[test]
fn the_label_that_the_engine_disables_itself_is_no_finding() {
    for (host, expected) in [
        (r#"{"Privileged":true,"SecurityOpt":["label=disable"]}"#, "privileged container.HostConfig.Privileged"),
        (r#"{"PidMode":"host","SecurityOpt":["label=disable"]}"#, "namespace.pid.host container.HostConfig.PidMode"),
        (r#"{"IpcMode":"host","SecurityOpt":["label=disable"]}"#, "namespace.ipc.host container.HostConfig.IpcMode"),
        (r#"{"SecurityOpt":["label=disable"]}"#, "security.selinux container.HostConfig.SecurityOpt[0]"),
    ] {
        assert_eq!(refused_for(START, "", &on(stored(host), own())), [expected], "{host}");
    }
    let both = r#"{"Privileged":true,"SecurityOpt":["label=disable","seccomp=unconfined"]}"#;
    assert_eq!(refused_for(START, "", &on(stored(both), own())).len(), 3);
}

#[test]
fn whose_a_container_is_decides_for_those_who_have_only_their_own() {
    let other = Some(Maker { principal: "ann".into(), image_id: None });
    for request in [START, "GET /containers/web/json", "DELETE /containers/web", "POST /containers/web/kill"] {
        assert_eq!(refused_for(request, "", &on(stored("{}"), own())), [""; 0], "{request}");
        assert_eq!(refused_for(request, "", &on(stored("{}"), other.clone())), ["container.foreign path"], "{request}");
        assert_eq!(refused_for(request, "", &on(stored("{}"), None)), ["container.unseen path"], "{request}");
    }
    assert_eq!(refused_for("GET /system/df", "", Known::NOTHING), ["container.foreign path"]);
    let moved = Some(Maker { principal: "fallback".into(), image_id: Some("sha256:33".into()) });
    assert_eq!(refused_for(START, "", &on(stored("{}"), moved)), ["image.changed container.Image"]);
}

#[test]
fn only_ones_own_containers_that_pass_themselves_may_be_joined() {
    let create = r#"{"Image":"busybox:1.0","HostConfig":{"NetworkMode":"container:web","VolumesFrom":["web:ro"]}}"#;
    let both = ["namespace.network.container HostConfig.NetworkMode", "mount.volumes-from HostConfig.VolumesFrom[0]"];
    let joined = |host: &str, maker: Option<Maker>| {
        let joined = vec![Joined { name: "web".into(), stored: stored(host), maker }];
        refused_for(CREATE, create, &Known { joined, ..Known::default() })
    };
    assert_eq!(joined("{}", own()), [""; 0]);
    assert_eq!(joined("{}", None), both);
    assert_eq!(joined(r#"{"Privileged":true}"#, own()), both);
    assert_eq!(refused_for(CREATE, create, Known::NOTHING), both);
}

#[test]
fn a_container_renamed_to_what_it_joins_is_no_endless_judgement() {
    let itself = || Stored { name: "n".into(), ..stored(r#"{"PidMode":"container:n"}"#) };
    let joined = vec![Joined { name: "n".into(), stored: itself(), maker: own() }];
    let known = Known { joined, ..on(itself(), own()) };
    assert_eq!(refused_for(START, "", &known), ["namespace.pid.container container.HostConfig.PidMode"]);
}

#[test]
fn one_that_joins_another_passes_if_both_do() {
    let create = r#"{"Image":"busybox:1.0","HostConfig":{"NetworkMode":"container:pause","VolumesFrom":["app"]}}"#;
    let joined = |pause: &str| {
        let joins = |name: &str, host: &str| Joined { name: name.into(), stored: stored(host), maker: own() };
        let joined = vec![joins("app", r#"{"NetworkMode":"container:pause"}"#), joins("pause", pause)];
        refused_for(CREATE, create, &Known { joined, ..Known::default() })
    };
    assert_eq!(joined("{}"), [""; 0]);
    let both = ["namespace.network.container HostConfig.NetworkMode", "mount.volumes-from HostConfig.VolumesFrom[0]"];
    assert_eq!(joined(r#"{"Privileged":true}"#), both);
}

#[test]
fn a_link_hands_out_the_environment_of_a_container_and_is_one_that_joins() {
    let joined = |maker: Option<Maker>| vec![Joined { name: "web".into(), stored: stored("{}"), maker }];
    let other = || Some(Maker { principal: "ann".into(), image_id: None });
    for (links, field) in [
        (r#"["web:db"]"#, "HostConfig.Links[0]"),
        (r#"["web"]"#, "HostConfig.Links[0]"),
        // As the engine has it.
        (r#"["/web:/mine/db"]"#, "HostConfig.Links[0]"),
    ] {
        let create = format!(r#"{{"Image":"busybox:1.0","HostConfig":{{"Links":{links}}}}}"#);
        let by = |maker| refused_for(CREATE, &create, &Known { joined: joined(maker), ..Known::default() });
        assert_eq!(by(own()), [""; 0], "{links}");
        assert_eq!(by(other()), [format!("namespace.network.container {field}")], "{links}");
        assert_eq!(by(None), [format!("namespace.network.container {field}")], "{links}");
    }
}

#[test]
fn what_cannot_be_narrowed_is_refused_to_those_who_have_only_their_own() {
    let odd = SITE.replace("[profile.site.reactions]", "[profile.site.reactions]\n\"request.*\" = \"warn\"");
    for (request, expected) in [
        ("GET /containers/json?all=1&all=1", "container.foreign path"),
        ("GET /events?since=0&since=1", "container.foreign path"),
        ("POST /containers/prune?x=1;y", "container.foreign path"),
        ("POST /containers/web/kill?signal=1&signal=2", "container.foreign path"),
        ("GET /images/json?all=1&all=1", ""),
    ] {
        let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        let known = on(stored("{}"), own());
        let known = if request.contains("web") { &known } else { Known::NOTHING };
        assert_eq!(refused_by(&odd, request, "", known), expected, "{request}");
    }
}

#[test]
fn an_exec_is_judged_by_what_it_was_made_with() {
    let exec = Some(StoredExec { privileged: true, user: "root".into() });
    let known = Known { exec, ..on(stored("{}"), own()) };
    assert_eq!(refused_for("POST /exec/ab/start", "{}", &known), ["exec.privileged exec.Privileged"]);
}

#[test]
fn what_cannot_be_looked_up_is_refused() {
    let known = Known { missing: vec!["volume v: the engine is late".into()], ..Known::default() };
    assert_eq!(refused_for(START, "", &known), ["facts.missing engine"]);
}
