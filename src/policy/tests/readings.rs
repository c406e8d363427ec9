//! Bodies with several readings: the worst of them is judged.

use super::{REFERENCE, denying, judged, policy};

const CREATE: &str = "/v1.41/containers/create";

#[test]
fn an_option_said_twice_does_not_make_a_volume_harmless() {
    for (options, leads_to_etc) in [
        (r#"{"type":"tmpfs","type":"nfs","o":"addr=x","device":":/"}"#, false),
        (r#"{"type":"tmpfs","o":"size=1","o":"bind","device":"/etc"}"#, true),
        (r#"{"device":"/srv/data","type":"none","o":"bind","device":"/etc"}"#, true),
    ] {
        let body = format!(r#"{{"DriverOpts":{options}}}"#);
        let denied = denying(&judged(&policy(REFERENCE), 1000, "POST", "/volumes/create", &body));
        assert!(denied.contains(&"mount.volume-driver"), "{options}");
        assert_eq!(denied.contains(&"mount.sensitive"), leads_to_etc, "{options}");
    }
}

#[test]
fn a_flat_network_is_the_default_one_to_newer_engines() {
    let text = "version = 1\nmode = \"enforce\"\n[fallback]\nprofile = \"own\"\n[profile.own]\nextends = \"baseline\"\n\
                networks = [\"ci-*\"]\n[profile.own.reactions]\n\"network.not-allowed\" = \"deny\"\n";
    let denies = |body| denying(&judged(&policy(text), 1000, "POST", CREATE, body)).contains(&"network.not-allowed");
    for body in [
        r#"{"Image":"busybox:1.0","NetworkMode":"none"}"#,
        r#"{"Image":"busybox:1.0","NetworkMode":"ci-1"}"#,
        r#"{"Image":"busybox:1.0","NetworkMode":"ci-1","HostConfig":null}"#,
        r#"{"Image":"busybox:1.0","NetworkMode":"other"}"#,
    ] {
        assert!(denies(body), "{body}");
    }
    assert!(!denies(r#"{"Image":"busybox:1.0","HostConfig":{"NetworkMode":"ci-1"}}"#));
}
