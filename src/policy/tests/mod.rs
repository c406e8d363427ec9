//! The reference policy against requests that must and must not pass, and policy files with mistakes.

mod approve;
mod certificates;
mod checks;
mod endpoints;
mod guards;
mod images;
mod known;
mod lists;
mod mistakes;
mod readings;
mod roads;
mod rules;
mod service;
mod summary;

use http::{HeaderMap, Method, Uri, Version};
use jiff::Timestamp;

use super::{Action, Check, Facts, Known, Mode, Policy, Verdict, judge};
use crate::diagnostic::{Severity, Source};
use crate::peer::{Group, Peer, UnixPeer};
use crate::request::{BodyPlan, Call, Head, read};

const REFERENCE: &str = r#"
version = 1
mode = "enforce"
[fallback]
profile = "reference"
[profile.reference]
extends = "baseline"
images = ["busybox:1.0"]
capabilities = ["NET_BIND_SERVICE"]
binds = [{ path = "/srv/data/**", access = "rw" }]
api = ["read", "containers", "exec", "images.pull", "networks", "volumes", "build"]
[profile.reference.reactions]
"image.not-allowed" = "deny"
"#;

fn policy(text: &str) -> Policy {
    let source = Source { path: "policy.toml".into(), text: text.into() };
    Policy::parse(&source).unwrap_or_else(|found| panic!("{found:#?}")).0
}

fn mistakes(text: &str) -> Vec<String> {
    let source = Source { path: "policy.toml".into(), text: text.into() };
    let found = Policy::parse(&source).map_or_else(|found| found, |(_, warnings)| warnings);
    let shown = |severity| if severity == Severity::Error { "error" } else { "warning" };
    found.iter().map(|found| format!("{}: {}", shown(found.severity), found.message)).collect()
}

fn caller(uid: u32) -> Peer {
    let group = Group { gid: 998, name: Some("runners".into()) };
    let user = Some("ann".into());
    Peer::Unix(Box::new(UnixPeer { uid: Some(uid), user, groups: vec![group], ..UnixPeer::default() }))
}

fn judged(policy: &Policy, uid: u32, method: &str, target: &str, body: &str) -> Verdict {
    judged_with(policy, uid, (method, target), body, Known::NOTHING)
}

fn judged_with(policy: &Policy, uid: u32, (method, target): (&str, &str), body: &str, known: &Known) -> Verdict {
    let (method, uri): (Method, Uri) = (method.parse().unwrap(), target.parse().unwrap());
    let mut headers = HeaderMap::new();
    if !body.is_empty() {
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("content-length", body.len().into());
    }
    headers.insert("host", "docker".parse().unwrap());
    let asked = read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
    let call = match asked.body {
        BodyPlan::Judge => Call::decode(&asked, body.as_bytes()),
        BodyPlan::Stream => Call::unread(&asked),
    };
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    judge(policy, &caller(uid), &call, &Facts { now, protected: &["/run/own/docker.sock".into()], known })
}

fn denying(verdict: &Verdict) -> Vec<&'static str> {
    let deny = |finding: &&super::Finding| finding.reaction == super::Reaction::Deny;
    verdict.findings.iter().filter(deny).filter_map(|finding| finding.check.builtin()).map(Check::id).collect()
}

fn create(host: &str) -> Vec<&'static str> {
    let body = format!(r#"{{"Image":"busybox:1.0","HostConfig":{host}}}"#);
    denying(&judged(&policy(REFERENCE), 1000, "POST", "/v1.41/containers/create", &body))
}

#[test]
fn what_leads_to_the_host_is_denied_by_name() {
    for (host, check) in [
        (r#"{"Privileged":true}"#, "privileged"),
        (r#"{"CapAdd":["sys_admin"]}"#, "capability.added"),
        (r#"{"CapAdd":["\u017fys_admin"]}"#, "capability.added"),
        (r#"{"CapAdd":"ALL"}"#, "capability.added"),
        (r#"{"PidMode":"host"}"#, "namespace.pid.host"),
        (r#"{"PidMode":"container:x"}"#, "namespace.pid.container"),
        (r#"{"NetworkMode":"host"}"#, "namespace.network.host"),
        (r#"{"UTSMode":"host"}"#, "namespace.uts.host"),
        (r#"{"CgroupnsMode":"host"}"#, "namespace.cgroup.host"),
        (r#"{"UsernsMode":"host"}"#, "namespace.user.host"),
        (r#"{"IpcMode":"host"}"#, "namespace.ipc.host"),
        (r#"{"Binds":["/etc:/h"]}"#, "mount.sensitive"),
        (r#"{"Binds":["/:/h"]}"#, "mount.sensitive"),
        (r#"{"Binds":["/srv/data/../../etc:/h"]}"#, "mount.sensitive"),
        (r#"{"Binds":["/var/run/docker.sock:/s"]}"#, "mount.engine-socket"),
        (r#"{"Binds":["/run:/s"]}"#, "mount.engine-socket"),
        (r#"{"Binds":["/run/own:/s"]}"#, "mount.engine-socket"),
        (r#"{"Binds":["/srv/other:/h"]}"#, "mount.host-path"),
        (r#"{"Binds":["/srv/data:/h:rshared"]}"#, "mount.propagation"),
        (r#"{"Binds":["/etc/localtime:/etc/localtime"]}"#, "mount.host-path"),
        (r#"{"Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}]}"#, "mount.sensitive"),
        (r#"{"Mounts":[{"Type":"bind","Target":"/h,source=/etc"}]}"#, "request.ambiguous"),
        (
            r#"{"Mounts":[{"Type":"volume","Target":"/h","VolumeOptions":{"DriverConfig":{"Options":{"type":"ext4","device":"/dev/vda"}}}}]}"#,
            "mount.volume-driver",
        ),
        (r#"{"VolumesFrom":["other"]}"#, "mount.volumes-from"),
        (r#"{"VolumeDriver":"evil"}"#, "mount.volume-driver"),
        (r#"{"Devices":[{"PathOnHost":"/dev/sda"}]}"#, "device.host"),
        (r#"{"DeviceCgroupRules":["a *:* rwm"]}"#, "device.cgroup-rule"),
        (r#"{"DeviceRequests":[{"Driver":"cdi"}]}"#, "device.request"),
        (r#"{"SecurityOpt":["seccomp=unconfined"]}"#, "security.seccomp"),
        (r#"{"SecurityOpt":["seccomp:unconfined"]}"#, "security.seccomp"),
        (r#"{"SecurityOpt":["apparmor=unconfined"]}"#, "security.apparmor"),
        (r#"{"SecurityOpt":["disable"]}"#, "security.selinux"),
        (r#"{"SecurityOpt":["no-new-privileges=false"]}"#, "security.new-privileges"),
        (r#"{"MaskedPaths":[]}"#, "security.masked-paths"),
        (r#"{"Sysctls":{"net.ipv4.ip_forward":"1"}}"#, "sysctl.set"),
        (r#"{"Runtime":"io.containerd.evil.v1"}"#, "runtime.other"),
        (r#"{"CgroupParent":"/../x"}"#, "cgroup.parent"),
    ] {
        assert!(create(host).contains(&check), "{host}: {:?}", create(host));
    }
}

#[test]
fn ordinary_containers_pass() {
    for host in [
        "{}",
        r#"{"Binds":["/srv/data:/d","/srv/data/x:/x:ro","named:/v"],"CapAdd":["CAP_NET_BIND_SERVICE"],"CapDrop":["ALL"]}"#,
        r#"{"NetworkMode":"bridge","RestartPolicy":{"Name":"always"},"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}}"#,
        r#"{"SecurityOpt":["no-new-privileges"],"Tmpfs":{"/t":""},"LogConfig":{"Type":"json-file"},"Runtime":"runc"}"#,
        r#"{"Mounts":[{"Type":"volume","Source":"v","Target":"/v"},{"Type":"tmpfs","Target":"/t"}]}"#,
    ] {
        assert_eq!(create(host), [""; 0], "{host}");
    }
}

#[test]
fn other_roads_are_judged_too() {
    let policy = policy(REFERENCE);
    for (method, target, body, check) in [
        ("POST", "/v1.41/containers/create", r#"{"Image":"other"}"#, "image.not-allowed"),
        (
            "POST",
            "/v1.41/containers/create",
            r#"{"Image":"busybox:1.0","WorkingDir":"/proc/self/fd/8"}"#,
            "process.working-dir",
        ),
        ("POST", "/v1.41/containers/create", "{}", "image.not-allowed"),
        ("POST", "/v1.41/containers/x/exec", r#"{"Privileged":true,"Cmd":["sh"]}"#, "exec.privileged"),
        (
            "POST",
            "/v1.41/volumes/create",
            r#"{"DriverOpts":{"type":"none","o":"bind","device":"/etc"}}"#,
            "volume.host-path",
        ),
        ("POST", "/v1.41/networks/create", r#"{"Name":"n","Driver":"macvlan"}"#, "network.not-allowed"),
        ("POST", "/v1.41/build?networkmode=host", "", "build.network"),
        ("POST", "/v1.41/build?remote=http://u:p@x/y", "", "build.remote"),
        ("POST", "/v1.41/build?version=2", "", "build.session"),
        ("POST", "/v1.41/services/create", "{}", "api.not-allowed"),
        ("POST", "/v1.41/plugins/pull", "[]", "api.not-allowed"),
        ("POST", "/grpc", "", "api.not-allowed"),
        ("GET", "/v1.41/nowhere", "", "api.unknown"),
        ("GET", "/v1.19/info", "", "request.old-api"),
        ("POST", "/v1.18/containers/x/start", r#"{"Privileged":true}"#, "privileged"),
    ] {
        let verdict = judged(&policy, 1000, method, target, body);
        assert!(denying(&verdict).contains(&check), "{target} {body}: {:?}", verdict.findings);
        assert!(verdict.permit().is_none(), "{target}");
    }
    for target in ["/_ping", "/v1.41/info", "/v1.41/containers/json", "/events"] {
        let verdict = judged(&policy, 1000, "GET", target, "");
        assert_eq!((verdict.action, verdict.findings.len()), (Action::Allow, 0), "{target}");
    }
}

#[test]
fn a_refusal_names_whom_why_and_where() {
    let body = r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true,"Binds":["/etc:/h"]}}"#;
    let verdict = judged(&policy(REFERENCE), 1000, "POST", "/v1.41/containers/create", body);
    let words = "denied for fallback (profile reference): privileged (HostConfig.Privileged); mount.host-path: /etc \
                 (HostConfig.Binds[0]); mount.sensitive: /etc (HostConfig.Binds[0])";
    assert_eq!(verdict.summary(), words);
    assert_eq!(verdict.status(), 403);
    let malformed = judged(&policy(REFERENCE), 1000, "POST", "/v1.41/containers/create", "{");
    assert_eq!(malformed.status(), 400);
}

const TWO: &str = r#"
version = 1
mode = "monitor"
[[principal]]
name = "ops"
admin = true
profile = "privileged"
match = [{ user = "root" }, { uid = 7, group = "run*" }]
[[principal]]
name = "ci"
profile = "ci"
match = [{ group = "runners" }]
[fallback]
profile = "restricted"
[profile.ci]
extends = "strict"
mode = "enforce"
[profile.strict]
extends = "restricted"
images = ["registry.example.com/ci/**", "alpine"]
[profile.strict.reactions]
"*" = "deny"
"privileged" = "deny"
"namespace.*.host" = "warn"
[[exception]]
checks = ["privileged"]
principals = ["ci"]
images = ["registry.example.com/ci/dind"]
reason = "docker in docker"
expires = 2026-11-24
"#;

#[test]
fn principals_profiles_and_exceptions_apply() {
    let policy = policy(TWO);
    let body = |image: &str| format!(r#"{{"Image":"{image}","HostConfig":{{"Privileged":true,"PidMode":"host"}}}}"#);
    let target = "/v1.41/containers/create";
    let ops = judged(&policy, 7, "POST", target, &body("x"));
    assert_eq!((ops.action, ops.principal.as_str(), ops.admin), (Action::Allow, "ops", true));
    let ci = judged(&policy, 1000, "POST", target, &body("registry.example.com/ci/deep/er:1"));
    assert_eq!((ci.action, ci.principal.as_str()), (Action::Deny, "ci"));
    let ids = denying(&ci);
    assert!(ids.contains(&"privileged") && !ids.contains(&"namespace.pid.host") && !ids.contains(&"image.not-allowed"));
    let excepted = judged(&policy, 1000, "POST", target, &body("registry.example.com/ci/dind:1"));
    assert!(!denying(&excepted).contains(&"privileged"), "valid to the end of its day");
    assert!(excepted.findings.iter().any(|finding| finding.exception.as_deref() == Some("docker in docker")));
    let monitored = judged(&policy.with_mode(Mode::Monitor), 1000, "POST", target, &body("x"));
    assert_eq!(monitored.action, Action::Observe);
    assert!(!monitored.permit().is_some_and(|permit| permit.rewrite()));
}

#[test]
fn a_laxer_builtin_profile_never_denies_what_a_stricter_one_lets_pass() {
    for check in Check::ALL {
        let (baseline, restricted) = check.builtin();
        assert!(baseline <= restricted, "{}", check.id());
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = r#"
version = 2
mood = "enforce"
[[principal]]
name = "ci"
profile = "cii"
match = [{}, { cert-sha256 = "x" }, { uid = 0, cert-cn = "x" }]
[profile.ci]
extends = "baseline"
imagse = []
[profile.two]
image-proof = "digest"
own-only = true
api = ["everything"]
publish = ["nowhere"]
min-api = "one"
binds = [{ path = "relative", access = "rw" }]
[profile.two.reactions]
"privilegd" = "deny"
"privileged" = "approved"
[profile.three]
extends = "three"
[[exception]]
checks = ["privileged"]
principals = ["cj"]
reason = " "
[[rule]]
id = "x"
"#;
    let found = mistakes(text);
    for expected in [
        "unknown version",
        "unknown key 'mood'",
        "unknown field `imagse`",
        "there is no profile 'cii'",
        "says nothing",
        "'x' is no SHA-256",
        "nobody has both a process and a certificate",
        "own-only",
        "'everything' is no class",
        "'nowhere' is no",
        "no API version",
        "'relative' is no absolute",
        "'privilegd' names no check",
        "'approved' is no reaction",
        "extends itself",
        "no principal 'cj'",
        "needs a reason",
        "missing field `when`",
        "set-uid",
    ] {
        assert!(found.iter().any(|message| message.contains(expected)), "{expected} in {found:#?}");
    }
}

#[test]
fn the_starter_policy_is_read() {
    assert_eq!(mistakes(include_str!("../../../conf/policy.toml")), [""; 0]);
}
