//! Ways around a list or a check, each of which once was one; and what must hold for every body.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest};

use super::{REFERENCE, caller, denying, judged, mistakes, policy};
use crate::policy::{Action, Facts, Known, Mode, Policy, Reaction, judge};
use crate::request::{
    Asked, Body, Call, ContainerCreate, Device, HostConfig, Irregular, Irregularity, LogConfig, Mount, PortBinding,
    RestartPolicy,
};

pub(super) const CREATE: &str = "/v1.41/containers/create";

/// What a profile of the given fields and reactions denies.
pub(super) fn under(fields: &str, reactions: &str, body: &str) -> Vec<&'static str> {
    let text = format!(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nextends = \"baseline\"\n{fields}\n\
         [profile.own.reactions]\n{reactions}\n"
    );
    denying(&judged(&policy(&text), 1000, "POST", CREATE, body))
}

pub(super) fn host(json: &str) -> String {
    format!(r#"{{"Image":"busybox:1.0","HostConfig":{json}}}"#)
}

fn lists(images: &str, image: &str) -> bool {
    let fields = format!("images = [{images}]");
    !under(&fields, "\"image.not-allowed\" = \"deny\"", &format!(r#"{{"Image":"{image}"}}"#))
        .contains(&"image.not-allowed")
}

#[test]
fn a_tag_on_the_list_does_not_let_another_digest_through() {
    let digest = format!("sha256:{}", "a".repeat(64));
    assert!(lists(r#""busybox:1.0""#, "busybox:1.0"));
    assert!(!lists(r#""busybox:1.0""#, &format!("busybox:1.0@{digest}")), "the engine takes the digest, not the tag");
    assert!(lists(r#""busybox""#, &format!("busybox@{digest}")), "no tag on the list: all of the repository");
    assert!(lists(r#""docker.io/library/busybox:*""#, &format!("busybox@{digest}")));
    assert!(lists(&format!("\"busybox@{digest}\""), &format!("busybox:1.0@{digest}")));
}

#[test]
fn the_start_of_an_id_is_on_no_list_of_names_however_short() {
    for image in ["d", "d7", "d71", "d718", "sha256:d718", "cafe"] {
        assert!(!lists(r#""docker.io/library/*""#, image), "{image}");
    }
    assert!(lists(r#""docker.io/library/*""#, "cafe:1"));
    let id = "b".repeat(64);
    assert!(lists(&format!("\"sha256:{id}\""), &id), "an id is one with and without its algorithm");
}

#[test]
fn an_upper_case_first_part_is_a_registry_and_not_docker_hubs() {
    assert!(!lists(r#""docker.io/**""#, "EVIL/busybox:1.0"));
    assert!(lists(r#""docker.io/**""#, "evil/busybox:1.0"));
    assert!(lists(r#""index.docker.io/library/*""#, "busybox:1.0"), "one registry under two names");
}

#[test]
fn the_image_of_an_image_mount_is_judged() {
    let body = host(r#"{"Mounts":[{"Type":"image","Source":"evil:1","Target":"/x"}]}"#);
    assert!(denying(&judged(&policy(REFERENCE), 1000, "POST", CREATE, &body)).contains(&"image.not-allowed"));
}

#[test]
fn an_empty_cgroup_parent_does_not_hide_the_cgroup() {
    let body = host(r#"{"CgroupParent":"","Cgroup":"container:other"}"#);
    assert!(denying(&judged(&policy(REFERENCE), 1000, "POST", CREATE, &body)).contains(&"cgroup.parent"));
}

#[test]
fn the_default_network_is_the_bridge() {
    for body in ["{}", r#"{"NetworkMode":""}"#, r#"{"NetworkMode":"default"}"#, r#"{"NetworkMode":"bridge"}"#] {
        assert_eq!(under("networks = [\"ci-*\"]", "", &host(body)), ["network.not-allowed"], "{body}");
        assert!(under("networks = [\"bridge\"]", "", &host(body)).is_empty(), "{body}");
    }
    assert!(under("networks = []", "", &host(r#"{"NetworkMode":"none"}"#)).is_empty());
}

#[test]
fn words_that_only_podman_reads_do_not_pass() {
    for body in [
        r#"{"Mounts":[{"Type":"bind","Source":"/srv/data","Target":"/d","BindOptions":{"Propagation":"rprivate,source=/etc"}}]}"#,
        r#"{"Mounts":[{"Type":"bind","Source":"/srv/data","Target":"/d","Consistency":"cached,source=/etc"}]}"#,
        r#"{"Binds":["/srv/data:/d:O,upperdir=/etc,workdir=/srv/w"]}"#,
        r#"{"LogConfig":{"Type":"json-file","Config":{"path":"/etc/cron.d/x"}}}"#,
        r#"{"LogConfig":{"Type":"","Config":{"Path":"/srv/../etc/x"}}}"#,
        r#"{"Binds":["/srv/data:/d:ro:x"]}"#,
        r#"{"Binds":["etc/cron.d:/d"]}"#,
    ] {
        let denied = denying(&judged(&policy(REFERENCE), 1000, "POST", CREATE, &host(body)));
        assert!(!denied.is_empty(), "{body}");
    }
    for body in [
        r#"{"Binds":["/srv/data:/d:ro,z,rprivate","/srv/data:/d:cached","v1:/v:nocopy","/srv/data:/d:","/etc"]}"#,
        r#"{"Mounts":[{"Type":"bind","Source":"/srv/data","Target":"/d","BindOptions":{"Propagation":"rslave"}}]}"#,
        r#"{"Mounts":[{"Type":"bind","Source":"/srv/data","Target":"/d","Consistency":"cached"}]}"#,
        r#"{"LogConfig":{"Type":"json-file","Config":{"max-size":"1m","path":"/srv/data/log"}}}"#,
    ] {
        assert!(denying(&judged(&policy(REFERENCE), 1000, "POST", CREATE, &host(body))).is_empty(), "{body}");
    }
}

#[test]
fn zero_is_root_however_it_is_written() {
    for user in ["", "0", "00", "+0", "-0", "0:1000", "root", "root:x", "-00:0"] {
        let body = format!(r#"{{"Image":"busybox:1.0","User":"{user}"}}"#);
        assert!(under("", "\"user.root\" = \"deny\"", &body).contains(&"user.root"), "{user}");
    }
    for user in ["1", "1000:0", "rooty", "+1", "10"] {
        let body = format!(r#"{{"Image":"busybox:1.0","User":"{user}"}}"#);
        assert!(!under("", "\"user.root\" = \"deny\"", &body).contains(&"user.root"), "{user}");
    }
}

#[test]
fn a_link_to_proc_is_a_working_directory_under_proc() {
    for path in ["/proc/self/fd/8", "/dev/fd/8", "/dev/../proc/self/fd/8", "proc/self/fd/8", "/dev/stdin"] {
        let body = format!(r#"{{"Image":"busybox:1.0","WorkingDir":"{path}"}}"#);
        assert!(under("", "", &body).contains(&"process.working-dir"), "{path}");
    }
    for path in ["/", "/srv", "/dev/shm", "/process"] {
        let body = format!(r#"{{"Image":"busybox:1.0","WorkingDir":"{path}"}}"#);
        assert!(under("", "", &body).is_empty(), "{path}");
    }
}

#[test]
fn a_home_is_filled_in_clean_and_never_the_root() {
    let fields = "binds = [{ path = \"{home}/**\", access = \"rw\" }, { path = \"/srv/{user}\", access = \"ro\" }]";
    let text = format!(
        "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\n{fields}\n\
         [profile.own.reactions]\n\"mount.engine-socket\" = \"warn\""
    );
    let policy = policy(&text);
    let binds = |home: &str, path: &str| {
        let mut peer = crate::peer::UnixPeer { user: Some("ann".into()), ..Default::default() };
        peer.home = Some(home.into());
        let create = ContainerCreate {
            image: Some("busybox:1.0".into()),
            host: HostConfig { binds: vec![format!("{path}:/x:ro").into()], ..HostConfig::default() },
            ..ContainerCreate::default()
        };
        denying(&of_body(&policy, &crate::peer::Peer::Unix(Box::new(peer)), Body::ContainerCreate(Box::new(create))))
    };
    assert!(binds("/home/ann", "/home/ann/src").is_empty());
    assert!(binds("/home/ann/", "/home/ann").is_empty());
    assert!(binds("/home/ann", "/srv/ann").is_empty());
    for (home, path) in
        [("/", "/"), ("//", "/"), ("/", "/srv/x"), ("relative", "/relative"), ("/home/ann", "/home/bob")]
    {
        assert!(binds(home, path).contains(&"mount.host-path"), "{home} {path}");
    }
}

#[test]
fn a_socket_is_known_by_its_name_too() {
    for path in ["/home/ann/.docker/run/docker.sock", "/run/user/1000/podman/podman.sock", "/run/cri-dockerd.sock"] {
        let denied =
            under("binds = [{ path = \"/**\", access = \"rw\" }]", "", &host(&format!(r#"{{"Binds":["{path}:/s"]}}"#)));
        assert!(denied.contains(&"mount.engine-socket"), "{path}");
    }
}

#[test]
fn options_of_a_volume_are_no_place_to_read_a_password() {
    let body = host(
        r#"{"Mounts":[{"Type":"volume","Target":"/h","VolumeOptions":{"DriverConfig":{"Options":{"type":"cifs","o":"username=u,password=hunter2"}}}}]}"#,
    );
    let verdict = judged(&policy(REFERENCE), 1000, "POST", CREATE, &body);
    assert!(denying(&verdict).contains(&"mount.volume-driver"));
    assert!(!format!("{:?}", verdict.findings).contains("hunter2"));
}

#[test]
fn annotations_that_a_runtime_obeys_are_another_runtime() {
    for annotation in [r#""run.oci.handler":"wasm""#, r#""org.systemd.property.SuccessAction":"'poweroff-force'""#] {
        let body = host(&format!(r#"{{"Annotations":{{{annotation}}}}}"#));
        assert!(denying(&judged(&policy(REFERENCE), 1000, "POST", CREATE, &body)).contains(&"runtime.other"));
    }
    assert!(under("", "", &host(r#"{"Annotations":{"org.example.team":"a"}}"#)).is_empty());
}

#[test]
fn a_network_made_of_other_parts_is_not_a_plain_bridge() {
    for body in [r#"{"Name":"n","IPAM":{"Driver":"evil"}}"#, r#"{"Name":"n","ConfigFrom":{"Network":"macvlan-conf"}}"#]
    {
        let verdict = judged(&policy(REFERENCE), 1000, "POST", "/v1.41/networks/create", body);
        assert!(denying(&verdict).contains(&"network.not-allowed"), "{body}");
    }
}

#[test]
fn baseline_warns_of_copied_files_and_refuses_checkpoints() {
    let policy = named("baseline");
    let copied = judged(&policy, 1000, "GET", "/v1.41/containers/c/archive?path=/etc", "");
    assert_eq!(copied.action, Action::Allow);
    assert!(copied.findings.iter().any(|finding| finding.check.id() == "container.files"));
    let target = "/v1.41/containers/c/checkpoints";
    let checkpoint = judged(&policy, 1000, "POST", target, r#"{"CheckpointID":"x","CheckpointDir":"/etc/cron.d"}"#);
    assert_eq!(checkpoint.action, Action::Deny, "CRIU writes there as root");
}

#[test]
fn a_refusal_is_short_and_cannot_drive_a_terminal() {
    let name = format!("\\u001b[2J{}", "x".repeat(100_000));
    let body = host(&format!(r#"{{"Sysctls":{{"{name}":"1"}},"CapAdd":["{name}"]}}"#));
    let words = judged(&policy(REFERENCE), 1000, "POST", CREATE, &body).summary();
    assert!(words.len() < 4096, "{}", words.len());
    assert!(!words.contains('\u{1b}'));
}

#[test]
fn a_hundred_thousand_binds_are_not_a_hundred_thousand_findings() {
    let binds = vec![r#""/etc:/x""#; 100_000].join(",");
    let verdict = judged(&policy(REFERENCE), 1000, "POST", CREATE, &host(&format!(r#"{{"Binds":[{binds}]}}"#)));
    assert_eq!(verdict.action, Action::Deny);
    assert!(verdict.findings.len() < 500, "{}", verdict.findings.len());
}

#[test]
fn a_list_that_nothing_enforces_is_warned_of() {
    let text = |fields: &str, reactions: &str| {
        format!(
            "version = 1\n[[principal]]\nname = \"a\"\nprofile = \"own\"\nmatch = [{{ uid = 1 }}]\n[profile.own]\n{fields}\n\
             [profile.own.reactions]\n{reactions}\n"
        )
    };
    let warned =
        |fields, reactions, words: &str| mistakes(&text(fields, reactions)).iter().any(|said| said.contains(words));
    assert!(warned("images = [\"busybox\"]", "", "image.not-allowed"));
    assert!(!warned("images = [\"busybox\"]", "\"image.not-allowed\" = \"deny\"", "image.not-allowed"));
    assert!(warned("publish = [\"127.0.0.1:*\"]", "", "network.publish"));
    assert!(!warned("publish = [\"127.0.0.1:*\"]", "\"network.publish\" = \"deny\"", "network.publish"));
}

#[test]
fn a_list_that_builds_lead_around_is_warned_of() {
    let warned = |api: &str, admin: bool| {
        let text = format!(
            "version = 1\n[[principal]]\nname = \"a\"\nadmin = {admin}\nprofile = \"own\"\nmatch = [{{ uid = 1 }}]\n[profile.own]\n\
             images = [\"busybox\"]\napi = [{api}]\n[profile.own.reactions]\n\"image.not-allowed\" = \"deny\"\n"
        );
        mistakes(&text).iter().any(|said| said.contains("can still be run in builds"))
    };
    assert!(warned("\"containers\", \"build\"", false) && warned("\"build.session\"", false));
    assert!(!warned("\"containers\"", false) && !warned("\"build\"", true));
}

#[test]
fn what_never_applies_is_warned_of() {
    let text = r#"
version = 1
[[principal]]
name = "all-of-ci"
profile = "used"
match = [{ group = "ci" }]
[[principal]]
name = "late"
profile = "baseline"
match = [{ group = "ci", uid = 7 }]
[profile.used]
extends = "base"
[profile.base]
[profile.idle]
"#;
    let said = mistakes(text);
    assert!(said.iter().any(|said| said.contains("'late'")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("'idle'")), "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn a_mistake_hides_neither_the_next_nor_the_profile_it_is_in() {
    let text = r#"
version = 1
[[principal]]
name = "ci"
profile = "ci"
admim = true
match = [{ uid = 1 }]
[profile.ci]
imagse = []
mode = "enforced"
capabilities = "ALL"
networks = ["ci-*"]
publsih = []
"#;
    let said = mistakes(text);
    for expected in ["admim", "imagse", "enforced", "publsih", "invalid type"] {
        assert!(said.iter().any(|said| said.contains(expected)), "{expected} in {said:#?}");
    }
    assert_eq!(said.len(), 5, "{said:#?}");
}

#[test]
fn entries_that_could_never_fit_are_mistakes() {
    for (fields, words) in [
        ("capabilities = [\"NET_BIND_SERVCE\"]", "NET_BIND_SERVCE"),
        ("binds = [{ path = \"/srv//data/**\", access = \"ro\" }]", "/srv//data/**"),
        ("binds = [{ path = \"/srv/data/\", access = \"ro\" }]", "/srv/data/"),
        ("images = [\"sha256:abc\"]", "sha256:abc"),
        ("images = [\"busybox@sha256:abc\"]", "busybox@sha256:abc"),
    ] {
        let text = format!("version = 1\n[fallback]\nprofile = \"own\"\n[profile.own]\n{fields}\n");
        assert!(mistakes(&text).iter().any(|said| said.starts_with("error") && said.contains(words)), "{fields}");
    }
}

pub(super) fn of_body(policy: &Policy, peer: &crate::peer::Peer, body: Body<'_>) -> crate::policy::Verdict {
    let (method, uri) = (http::Method::POST, http::Uri::from_static(CREATE));
    let mut headers = http::HeaderMap::new();
    headers.insert("host", http::HeaderValue::from_static("docker"));
    let head = crate::request::Head { method: &method, uri: &uri, version: http::Version::HTTP_11, headers: &headers };
    let mut asked: Asked = crate::request::read(&head);
    // Its head has no body; only the body is looked at here.
    asked.irregularities.clear();
    let call = Call { asked: &asked, body, irregularities: Vec::new(), document: None };
    judge(policy, peer, &call, &Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known: Known::NOTHING })
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("host".to_owned()),
        Just("container:x".to_owned()),
        Just("bridge".to_owned()),
        Just("/srv/data:/d:ro".to_owned()),
        Just("/etc:/d".to_owned()),
        Just("NET_ADMIN".to_owned()),
        Just("seccomp=unconfined".to_owned()),
        Just("busybox:1.0".to_owned()),
        "[a-zA-Z0-9/:=.,_-]{0,12}",
    ]
}

fn creates() -> impl Strategy<Value = ContainerCreate<'static>> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), -1_i64..2, -1_i64..2);
    let lists = prop::collection::vec(prop::collection::vec(words(), 0..3), 8);
    let singles = prop::collection::vec(prop::option::of(words()), 12);
    (flags, lists, singles).prop_map(
        |((privileged, publish_all_ports, readonly_rootfs, memory, pids_limit), lists, singles)| {
            let list = |index: usize| lists[index].iter().map(|word| word.clone().into()).collect::<Vec<_>>();
            let single = |index: usize| singles[index].clone().map(Into::into);
            let word = |index: usize| singles[index].clone().unwrap_or_default().into();
            ContainerCreate {
                image: single(0),
                user: single(1),
                working_dir: single(2),
                volumes: list(0),
                host: HostConfig {
                    privileged,
                    publish_all_ports,
                    readonly_rootfs,
                    memory,
                    pids_limit,
                    binds: list(1),
                    cap_add: list(2),
                    cap_drop: list(3),
                    security_opt: list(4),
                    volumes_from: list(5),
                    group_add: list(6),
                    masked_paths: lists[7].first().map(|_| Vec::new()),
                    network_mode: single(3),
                    pid_mode: single(4),
                    ipc_mode: single(5),
                    userns_mode: single(6),
                    runtime: single(7),
                    cgroup_parent: single(8),
                    devices: vec![Device { path_on_host: word(9), ..Device::default() }],
                    mounts: vec![Mount { kind: word(10), source: word(11), ..Mount::default() }],
                    log_config: Some(LogConfig { kind: word(9), options: Vec::new() }),
                    restart_policy: Some(RestartPolicy { name: word(10), maximum_retry_count: 0 }),
                    port_bindings: vec![PortBinding { host_ip: word(11), ..PortBinding::default() }],
                    ..HostConfig::default()
                },
                ..ContainerCreate::default()
            }
        },
    )
}

pub(super) fn named(profile: &str) -> Policy {
    policy(&format!("version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"{profile}\"\n"))
}

proptest! {
    #[test]
    fn a_stricter_profile_lets_nothing_through_that_a_laxer_one_stops(create in creates()) {
        let peer = caller(1000);
        let passes = |profile: &str| {
            let body = Body::ContainerCreate(Box::new(create.clone()));
            of_body(&named(profile), &peer, body).action == Action::Allow
        };
        let (restricted, baseline, privileged) = (passes("restricted"), passes("baseline"), passes("privileged"));
        prop_assert!(!restricted || baseline);
        prop_assert!(!baseline || privileged);
    }

    #[test]
    fn what_monitor_forwards_is_what_enforce_decides(create in creates()) {
        let peer = caller(1000);
        let body = || Body::ContainerCreate(Box::new(create.clone()));
        let enforced = of_body(&named("baseline"), &peer, body());
        let observed = of_body(&named("baseline").with_mode(Mode::Monitor), &peer, body());
        prop_assert!(observed.findings == enforced.findings);
        prop_assert!((enforced.action == Action::Deny) == (observed.action == Action::Observe));
        prop_assert!(observed.permit().is_some_and(|permit| !permit.rewrite()));
        let worst = enforced.findings.iter().map(|finding| finding.reaction).max();
        prop_assert!((worst == Some(Reaction::Deny)) == (enforced.action == Action::Deny));
    }

    #[test]
    fn one_more_finding_never_lets_more_through(create in creates(), odd in 0_usize..6) {
        let kinds = [
            Irregular::Ambiguous, Irregular::Malformed, Irregular::TooLarge, Irregular::Path, Irregular::FormBody,
            Irregular::UnknownField,
        ];
        let policy = named("baseline");
        let peer = caller(1000);
        let (method, uri) = (http::Method::POST, http::Uri::from_static(CREATE));
        let headers = http::HeaderMap::new();
        let head = crate::request::Head { method: &method, uri: &uri, version: http::Version::HTTP_11, headers: &headers };
        let mut asked = crate::request::read(&head);
        asked.irregularities.clear();
        let action = |irregularities| {
            let body = Body::ContainerCreate(Box::new(create.clone()));
            let call = Call { asked: &asked, body, irregularities, document: None };
            judge(&policy, &peer, &call, &Facts { now: jiff::Timestamp::UNIX_EPOCH, protected: &[], known: Known::NOTHING }).action
        };
        let more = vec![Irregularity { kind: kinds[odd], field: "body".into(), detail: "odd".into() }];
        prop_assert!(action(Vec::new()) == Action::Allow || action(more) == Action::Deny);
    }
}
