//! What a record holds is enough to judge the call again, and it is judged the same.

use super::*;
use crate::audit::record::Common;
use crate::audit::redact::Redactor;
use crate::policy::{EngineFacts, Facts, HeldImage, HeldVolume, Joined, Maker, Policy, RealPath, Stored, judge};
use crate::request::{Body, BodyPlan};

const SECRET: &str = "s3cr3t";

/// Every field of a create that is judged, or whose type would be lost if its value were tagged as one text.
const EVERYTHING: &str = r#"{"Image":"busybox:1.0","User":"0","WorkingDir":"/proc/self/fd/8","Env":["A=s3cr3t"],"Labels":{"l":"s3cr3t"},
 "Cmd":["sh","-c","x"],"Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD","s3cr3t"],"Interval":5},
 "OnBuild":["RUN s3cr3t"],"StopTimeout":3,"HostConfig":{"Privileged":true,"Binds":["/etc:/h","vol:/v:ro"],"CapAdd":["SYS_ADMIN"],
 "CapDrop":["ALL"],"PidMode":"host","IpcMode":"container:web","UTSMode":"host","UsernsMode":"host","CgroupnsMode":"host",
 "NetworkMode":"own","CgroupParent":"/x","Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/dev/sda","CgroupPermissions":"rwm"}],
 "DeviceCgroupRules":["a *:* rwm"],"DeviceRequests":[{"Driver":"cdi","Count":-1,"Capabilities":[["gpu"]],"Options":{"a":"s3cr3t"}}],
 "SecurityOpt":["seccomp=unconfined","apparmor:unconfined","label=disable","no-new-privileges=false"],"MaskedPaths":[],
 "ReadonlyPaths":[],"Sysctls":{"kernel.core_pattern":"|/x"},"Tmpfs":{"/t":"size=1m"},"Runtime":"other","Annotations":{"run.oci.x":"s3cr3t"},
 "LogConfig":{"Type":"syslog","Config":{"syslog-address":"tcp://u:s3cr3t@h","path":"/etc/cron.d/x"}},"GroupAdd":["0"],"Links":["db:db"],
 "PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},"PublishAllPorts":true,"RestartPolicy":{"Name":"always","MaximumRetryCount":0},
 "VolumesFrom":["web:ro"],"VolumeDriver":"nfs","Memory":1,"NanoCpus":2,"PidsLimit":3,"OomScoreAdj":-5,"StorageOpt":{"size":"1"},
 "ConsoleSize":[1,2],"Ulimits":[{"Name":"n","Hard":1,"Soft":1}],"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1}],"Unknown":{"a":"s3cr3t"},
 "Mounts":[{"Type":"bind","Source":"/srv","Target":"/s","BindOptions":{"Propagation":"shared"}},{"Type":"volume","Source":"m","Target":"/m",
 "VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"cifs","device":"//h/s","o":"username=s3cr3t,password=s3cr3t,vers=3,ro"}}}},
 {"Type":"tmpfs","Target":"/u","TmpfsOptions":{"SizeBytes":1,"Mode":511}}]},
 "NetworkingConfig":{"EndpointsConfig":{"own":{"IPPrefixLen":0,"DriverOpts":{"x.sysctls":"s3cr3t"},"IPAMConfig":{"IPv4Address":"10.0.0.2"}}}}}"#;

/// A service with everything that the Docker CLI says of one, and more.
const SERVICE: &str = r#"{"Name":"s","Labels":{"l":"s3cr3t"},"Mode":{"Replicated":{"Replicas":2}},"UpdateConfig":{"Parallelism":1,"Order":"stop-first"},
 "RollbackConfig":{"Delay":1},"EndpointSpec":{"Mode":"vip","Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":8080,"PublishMode":"ingress"}]},
 "TaskTemplate":{"ContainerSpec":{"Image":"busybox:1.0","Env":["A=s3cr3t"],"Args":["--token","s3cr3t"],"User":"root","Groups":["0"],"Dir":"/proc/self/fd/3",
 "Privileges":{"CredentialSpec":{"Config":"s3cr3t"},"SELinuxContext":{"Disable":true},"Seccomp":{"Mode":"unconfined","Profile":"s3cr3t"},
 "AppArmor":{"Mode":"disabled"},"NoNewPrivileges":true},"Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}],"StopGracePeriod":5,
 "Healthcheck":{"Test":["CMD","s3cr3t"],"Interval":5},"Hosts":["1.2.3.4 h"],"DNSConfig":{"Nameservers":["1.1.1.1"],"Options":["ndots:2"]},
 "Secrets":[{"File":{"Name":"f","UID":"0","GID":"0","Mode":292},"SecretID":"i","SecretName":"n"}],
 "Configs":[{"File":{"Name":"f","UID":"0","GID":"0","Mode":292},"ConfigID":"i","ConfigName":"n"}],"Sysctls":{"kernel.x":"1"},
 "CapabilityAdd":["SYS_ADMIN"],"Ulimits":[{"Name":"n","Hard":1,"Soft":1}],"Isolation":"default"},
 "Resources":{"Limits":{"NanoCPUs":1,"MemoryBytes":2,"Pids":3},"Reservations":{"MemoryBytes":1}},"RestartPolicy":{"Condition":"any","MaxAttempts":0},
 "Placement":{"Constraints":["node.role==manager"],"Preferences":[{"Spread":{"SpreadDescriptor":"node.id"}}],"Platforms":[{"Architecture":"amd64","OS":"linux"}]},
 "Networks":[{"Target":"own","DriverOpts":{"x.sysctls":"s3cr3t"}}],"LogDriver":{"Name":"syslog","Options":{"a":"s3cr3t"}},"ForceUpdate":0}}"#;

fn known() -> Known {
    let stored = |id: &str, body: &str| Stored {
        id: id.repeat(64),
        name: "web".into(),
        reference: "busybox:1.0".into(),
        body: body.as_bytes().to_vec(),
        mounts: vec![crate::policy::StoredMount {
            kind: "volume".into(),
            name: "old".into(),
            source: "/var/lib/x".into(),
            writable: true,
        }],
        image: HeldImage { id: format!("sha256:{}", "c".repeat(64)), repo_digests: vec!["busybox@sha256:1".into()] },
    };
    let maker = || Some(Maker { principal: "other".into(), image_id: Some("sha256:d".into()) });
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = vec![option("type", "none"), option("o", "bind,password=s3cr3t"), option("device", "/etc")];
    Known {
        engine: EngineFacts { root_dir: Some("/var/lib/docker".into()), ..EngineFacts::default() },
        container: Some(stored("a", EVERYTHING)),
        maker: maker(),
        joined: vec![Joined { name: "web".into(), stored: stored("b", "{\"Image\":\"x\"}"), maker: maker() }],
        image: Some(HeldImage { id: "sha256:e".into(), repo_digests: Vec::new() }),
        volumes: vec![HeldVolume { name: "old".into(), driver: "local".into(), options }],
        paths: vec![RealPath { path: "/srv".into(), real: "/root/x".into() }],
        missing: vec!["who made it".into()],
        ..Known::default()
    }
}

fn judged(policy: &Policy, peer: &Peer, call: &Call<'_>, known: &Known, protected: &[String]) -> Vec<Finding> {
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    judge(policy, peer, call, &Facts { now, protected, known }).findings
}

/// The record's first line of a call, with what was found by the built-in policy.
fn line_of(method: &Method, target: &str, body: &str, known: &Known, protected: &[String]) -> String {
    let (uri, headers) = (target.parse().unwrap(), HeaderMap::new());
    let asked = crate::request::read(&Head { method, uri: &uri, version: Version::HTTP_11, headers: &headers });
    let is_read = asked.body == BodyPlan::Judge;
    let call = if is_read { Call::decode(&asked, body.as_bytes()) } else { Call::unread(&asked) };
    let peer = peer();
    let facts = Facts { now: Timestamp::UNIX_EPOCH, protected, known };
    let verdict = judge(&Policy::builtin(Mode::Monitor), &peer, &call, &facts);
    let mut facts = super::facts(&call, &peer, &verdict);
    (facts.known, facts.protected, facts.body) = (known, protected, is_read.then_some(body.as_bytes()));
    let line = Common::render(&facts, Level::Request, "h", &Redactor::new(&[5; 32])).intent();
    format!("{{{}}}", String::from_utf8(line).unwrap())
}

fn recorded(line: &str) -> Recorded {
    let read = Calls::default().read(line.as_bytes());
    let Entry::Call(recorded) = read else { panic!("{read:?}: {line}") };
    *recorded
}

const VOLUME: &str = r#"{"Name":"v","DriverOpts":{"type":"none","o":"bind","device":"/etc"}}"#;

/// Calls with bodies and without: method, target, body.
const CALLS: [(&str, &str, &str); 19] = [
    ("POST", "/v1.41/containers/create?name=web", EVERYTHING),
    ("POST", "/v1.41/containers/create", r#"{"Image":"busybox","Image":"x","HostConfig":{"Privileged":true}}"#),
    ("POST", "/v1.41/containers/create", "{"),
    ("POST", "/v1.41/containers/web/start", ""),
    ("POST", "/v1.41/containers/web/start", "{}"),
    ("POST", "/v1.41/containers/web/exec", r#"{"Privileged":true,"User":"root","Cmd":["id"],"Env":["A=s3cr3t"]}"#),
    ("POST", "/v1.41/volumes/create", VOLUME),
    ("POST", "/v1.41/services/create", SERVICE),
    ("POST", "/v1.41/services/s/update?version=1&rollback=previous", SERVICE),
    ("POST", "/v1.41/containers/web/update", r#"{"Memory":-1,"RestartPolicy":{"Name":"always"}}"#),
    (
        "POST",
        "/v1.41/networks/own/connect",
        r#"{"Container":"web","EndpointConfig":{"DriverOpts":{"x.sysctls":"s3cr3t"}}}"#,
    ),
    ("POST", "/v1.41/containers/web/checkpoints", r#"{"CheckpointID":"c","CheckpointDir":"/etc","Exit":true}"#),
    (
        "POST",
        "/v1.41/networks/create",
        r#"{"Name":"n","Driver":"macvlan","Options":{"parent":"s3cr3t"},"IPAM":{"Config":[]}}"#,
    ),
    ("POST", "/v1.41/build?t=a:b&networkmode=host&buildargs=%7B%22A%22:%22s3cr3t%22%7D&securityopt=x", ""),
    ("POST", "/v1.41/images/create?fromImage=busybox&tag=latest", ""),
    ("GET", "/v1.41/containers/web/archive?path=/etc", ""),
    ("GET", "/v1.41/containers/json", ""),
    ("POST", "/v1.41/cont%61iners//create", "{}"),
    ("DELETE", "/nothing/at/all", ""),
];

#[test]
fn a_recorded_call_is_judged_again_as_it_was() {
    let protected = ["/srv".to_owned()];
    for (method, target, body) in CALLS {
        let method: Method = method.parse().unwrap();
        let line = line_of(&method, target, body, &known(), &protected);
        assert!(!line.contains(SECRET), "{line}");
        let again = recorded(&line);
        let (uri, headers) = (target.parse().unwrap(), HeaderMap::new());
        let asked =
            crate::request::read(&Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers });
        let call =
            if asked.body == BodyPlan::Judge { Call::decode(&asked, body.as_bytes()) } else { Call::unread(&asked) };
        for text in
            ["version = 1\n[fallback]\nprofile = \"restricted\"\n", "version = 1\n[fallback]\nprofile = \"baseline\"\n"]
        {
            let source = crate::diagnostic::Source { path: "p".into(), text: text.into() };
            let (policy, _) = Policy::parse(&source).unwrap();
            let first = judged(&policy, &peer(), &call, &known(), &protected);
            let second = judged(&policy, &again.peer, &again.call(), &again.known, &again.protected);
            let brief = |findings: &[Finding]| {
                findings.iter().map(|f| (f.check.id().to_owned(), f.field.clone(), f.reaction)).collect::<Vec<_>>()
            };
            let (mut first, mut second) = (brief(&first), brief(&second));
            // The head's oddities stood first, and stand now with the body's.
            first.sort();
            second.sort();
            assert_eq!(first, second, "{target}: {line}");
        }
    }
}

#[test]
fn an_option_of_a_driver_tells_where_it_leads_and_no_secret() {
    let redactor = Redactor::new(&[5; 32]);
    for (name, value, wanted) in
        [("device", "/etc", "/etc"), ("type", "none", "none"), ("o", "bind,ro,uid=5", "bind,ro,uid=5"), ("o", "", "")]
    {
        assert_eq!(redactor.driver_option(name, value), wanted);
    }
    for (name, value) in
        [("o", "username=s3cr3t"), ("o", "a s3cr3t"), ("splunk-token", "s3cr3t"), ("device", "//u:s3cr3t@h/x")]
    {
        assert!(!redactor.driver_option(name, value).contains(SECRET), "{name}={value}");
    }
}

#[test]
fn what_a_record_does_not_hold_is_said_and_not_made_up() {
    let whole = line_of(&Method::POST, "/v1.41/containers/create", EVERYTHING, &known(), &[]);
    let without = |keys: &[&str]| {
        let mut value: serde_json::Value = serde_json::from_str(&whole).unwrap();
        keys.iter().for_each(|key| _ = value.as_object_mut().unwrap().remove(*key));
        value.to_string()
    };
    let why = |line: &str| {
        let read = Calls::default().read(line.as_bytes());
        let Entry::Unreplayable(told) = read else { panic!("{read:?}") };
        told.why
    };
    assert_eq!(why(&without(&["body", "known"])), "its body is not in it (audit.level is metadata)");
    assert!(why(&without(&["known"])).starts_with("what was looked up is not in it"));
    assert!(why(&whole.replace("\"gids\":[999]", "\"gids\":[]")).contains("groups"));
    let mut calls = Calls::default();
    assert!(matches!(calls.read(whole.as_bytes()), Entry::Call(_)), "an intent says all");
    let outcome = whole.replace("\"stage\":\"intent\"", "\"stage\":\"outcome\"");
    assert!(matches!(calls.read(outcome.as_bytes()), Entry::Other), "an outcome says no more of it");
}

#[test]
fn a_create_tells_what_it_made() {
    let asked = asked(Operation::ContainerCreate);
    let call = Call::decode(&asked, b"{}");
    let (peer, verdict) = (peer(), verdict(Action::Allow));
    assert!(matches!(call.body, Body::ContainerCreate(_)));
    let common = Common::render(&facts(&call, &peer, &verdict), Level::Request, "h", &Redactor::new(&[5; 32]));
    let id = "f".repeat(64);
    let line = common.outcome(Ended::Complete, &Outcome { made: Some(id.clone()), ..Outcome::default() });
    let whole = |line: Vec<u8>| format!("{{{}}}", String::from_utf8(line).unwrap());
    let mut calls = Calls::default();
    calls.read(whole(common.intent()).as_bytes());
    let read = calls.read(whole(line).as_bytes());
    let Entry::Made(_, made) = read else { panic!("{read:?}") };
    assert_eq!(made, id);
}

#[test]
fn every_kind_of_caller_comes_back() {
    let asked = asked(Operation::ContainerList);
    let (call, verdict) = (Call::unread(&asked), verdict(Action::Allow));
    let mut unix = UnixPeer {
        uid: Some(5),
        gid: Some(6),
        user: Some("ann".into()),
        home: Some("/home/ann".into()),
        groups: vec![Group { gid: 6, name: None }, Group { gid: 7, name: Some("docker".into()) }],
        ..UnixPeer::default()
    };
    let in_container = crate::peer::CallerContainer { id: "a".repeat(64), image: Some("busybox:1.0".into()) };
    let outside = Peer::Unix(Box::new(unix.clone()));
    let gone = Peer::Unix(Box::new(UnixPeer { unplaced: true, ..unix.clone() }));
    unix.container = Some(in_container);
    let certificate = crate::peer::Certificate {
        subject: "CN=ann,OU=ops".into(),
        common_names: vec!["ann".into()],
        units: vec!["ops".into()],
        sans: vec!["spiffe://x/y".into()],
        spiffe: Some("spiffe://x/y".into()),
        issuer: "CN=ca".into(),
        serial: "01".into(),
        sha256: "ab".into(),
        not_after: Timestamp::from_second(1_790_000_000).unwrap(),
    };
    let address = ([192, 0, 2, 7], 4000).into();
    let tls = Peer::Tls(Box::new(crate::peer::TlsPeer { address, certificate }));
    for peer in [outside, gone, Peer::Unix(Box::new(unix)), Peer::Unix(Box::default()), Peer::Tcp(address), tls] {
        let line = Common::render(&facts(&call, &peer, &verdict), Level::Request, "h", &Redactor::new(&[5; 32]));
        let line = format!("{{{}}}", String::from_utf8(line.intent()).unwrap());
        let line = line.replace("\"operation\":\"ContainerList\"", "\"operation\":\"ContainerCreate\"");
        assert_eq!(recorded(&line).peer, peer, "{line}");
    }
}
