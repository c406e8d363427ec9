//! What holds a container: the words of its namespaces, its security options, its limits.

use super::roads::{host, under};
use super::{create, denying, judged, policy};

#[test]
fn a_word_that_no_engine_knows_is_no_namespace_of_its_own() {
    for (field, word, check) in [
        ("PidMode", "HOST", "namespace.pid.host"),
        ("PidMode", " host", "namespace.pid.host"),
        ("PidMode", "host:x", "namespace.pid.host"),
        ("PidMode", "ns:/proc/1/ns/pid", "namespace.pid.host"),
        ("PidMode", "shareable", "request.ambiguous"),
        ("PidMode", "pod", "request.ambiguous"),
        ("PidMode", "Container:x", "request.ambiguous"),
        ("IpcMode", "Host ", "namespace.ipc.host"),
        ("IpcMode", "default", "request.ambiguous"),
        ("UTSMode", "container:x", "request.ambiguous"),
        ("UTSMode", "ns:/proc/1/ns/uts", "namespace.uts.host"),
        ("UsernsMode", "keep-id", "request.ambiguous"),
        ("UsernsMode", "auto:size=1", "request.ambiguous"),
        ("UsernsMode", "ns:/proc/1/ns/user", "namespace.user.host"),
        ("CgroupnsMode", "none", "request.ambiguous"),
        ("NetworkMode", "ns:/proc/1/ns/net", "namespace.network.host"),
        ("NetworkMode", "NS:/proc/1/ns/net", "namespace.network.host"),
        ("NetworkMode", "HOST", "namespace.network.host"),
        ("NetworkMode", "slirp4netns:allow_host_loopback=true", "request.ambiguous"),
        ("NetworkMode", "pasta:-T,auto", "request.ambiguous"),
        ("NetworkMode", "bridge:ip=10.0.0.1", "request.ambiguous"),
        ("NetworkMode", "/proc/1/ns/net", "request.ambiguous"),
        ("NetworkMode", " ", "request.ambiguous"),
    ] {
        let denied = create(&format!(r#"{{"{field}":"{word}"}}"#));
        assert_eq!(denied, [check], "{field} {word}");
    }
}

#[test]
fn the_words_that_clients_send_pass() {
    for (field, words) in [
        ("PidMode", &["", "private"][..]),
        ("IpcMode", &["", "none", "private", "shareable"]),
        ("UTSMode", &["", "private"]),
        ("UsernsMode", &["", "private"]),
        ("CgroupnsMode", &["", "private"]),
        (
            "NetworkMode",
            &["", "default", "bridge", "none", "app_default", "hostnet", "my-host.net", "0abc", "my net", "ns"],
        ),
    ] {
        for word in words {
            assert_eq!(create(&format!(r#"{{"{field}":"{word}"}}"#)), [""; 0], "{field} {word}");
        }
    }
    for field in ["PidMode", "IpcMode", "NetworkMode"] {
        let body = host(&format!(r#"{{"{field}":"container:db"}}"#));
        assert_eq!(under("join = \"any\"", "", &body), [""; 0], "{field}");
        assert_eq!(under("join = \"none\"", "", &body).len(), 1, "{field}");
    }
}

#[test]
fn of_security_options_the_last_of_a_key_counts() {
    for (options, denied) in [
        (r#""seccomp=unconfined","seccomp=builtin""#, &[][..]),
        (r#""seccomp=builtin","seccomp=unconfined""#, &["security.seccomp"]),
        (r#""seccomp=builtin","seccomp:unconfined""#, &["security.seccomp"]),
        (r#""seccomp:unconfined","apparmor=docker-default""#, &["security.seccomp"]),
        (r#""apparmor=unconfined","apparmor=""#, &[]),
        (r#""apparmor=","apparmor=unconfined""#, &["security.apparmor"]),
        (r#""no-new-privileges=false","no-new-privileges""#, &[]),
        (r#""no-new-privileges","no-new-privileges:0""#, &["security.new-privileges"]),
        (r#""no-new-privileges=""#, &["security.new-privileges"]),
        (r#""label=disable","label=type:x""#, &["security.selinux", "security.selinux"]),
        (r#""disable","label=user:x""#, &["security.selinux", "security.selinux"]),
        (r#""writable-cgroups","writable-cgroups=false""#, &["security.masked-paths", "security.masked-paths"]),
        (r#""Seccomp=unconfined","seccomp=builtin""#, &["security.masked-paths"]),
    ] {
        assert_eq!(create(&format!(r#"{{"SecurityOpt":[{options}]}}"#)), denied, "{options}");
    }
}

#[test]
fn an_overruled_guard_counts_where_a_key_comes_twice() {
    // Go keeps the first element of the first list.
    let body = host(r#"{"SecurityOpt":["seccomp=unconfined","seccomp=builtin"],"SecurityOpt":[null]}"#);
    let denied = under("", "\"request.ambiguous\" = \"warn\"", &body);
    assert!(denied.contains(&"security.seccomp"), "{denied:?}");
}

#[test]
fn new_privileges_that_are_taken_back_are_not_kept() {
    let options = |options: &str| {
        let body = format!(r#"{{"Image":"busybox:1.0","HostConfig":{{"SecurityOpt":[{options}]}}}}"#);
        let policy = policy("version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"restricted\"\n");
        let denied = denying(&judged(&policy, 1000, "POST", "/v1.41/containers/create", &body));
        denied.iter().filter(|id| **id == "security.new-privileges").count()
    };
    assert_eq!(options(""), 1);
    assert_eq!(options(r#""no-new-privileges""#), 0);
    assert_eq!(options(r#""no-new-privileges","no-new-privileges=false""#), 1);
}

#[test]
fn a_range_of_ports_from_high_to_low_is_in_no_range() {
    let body = host(r#"{"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"9000-8000"}]}}"#);
    let denied = under("publish = [\"127.0.0.1:8000-8999\"]", "\"network.publish\" = \"deny\"", &body);
    assert_eq!(denied, ["network.publish"]);
}
