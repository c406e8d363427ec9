//! What is odd about a body: of which kind, and where.

use super::{create_of, host_of, odd_of};
use crate::request::Irregular::{Ambiguous, Malformed, UnknownField};
use crate::request::{Irregular, Operation};

fn create_odd(body: &str) -> Vec<(Irregular, String)> {
    odd_of(Operation::ContainerCreate, body.as_bytes())
}

#[test]
fn what_does_not_fit_is_named() {
    for (host, kind, field) in [
        (r#"{"Privileged":"true"}"#, Malformed, "HostConfig.Privileged"),
        (r#"{"Privileged":1}"#, Malformed, "HostConfig.Privileged"),
        (r#"{"privileged":[]}"#, Malformed, "HostConfig.Privileged"),
        (r#"{"Memory":8388608.0}"#, Malformed, "HostConfig.Memory"),
        (r#"{"Memory":99999999999999999999}"#, Malformed, "HostConfig.Memory"),
        (r#"{"Memory":"1"}"#, Malformed, "HostConfig.Memory"),
        (r#"{"BlkioWeight":-1}"#, Malformed, "HostConfig.BlkioWeight"),
        (r#"{"Binds":"/:/host"}"#, Malformed, "HostConfig.Binds"),
        (r#"{"Binds":["a:/a",1]}"#, Malformed, "HostConfig.Binds[1]"),
        (r#"{"Binds":{"0":"/:/host"}}"#, Malformed, "HostConfig.Binds"),
        (r#"{"CapAdd":1}"#, Malformed, "HostConfig.CapAdd"),
        (r#"{"Mounts":[{"BindOptions":[]}]}"#, Malformed, "HostConfig.Mounts[0].BindOptions"),
        (r#"{"LogConfig":{"Config":{"a":1}}}"#, Malformed, "HostConfig.LogConfig.Config.a"),
        ("[]", Malformed, "HostConfig"),
        (r#"{"Binds":["/srv/data\u0000/../../etc:/x"]}"#, Ambiguous, "HostConfig.Binds[0]"),
        (r#"{"Binds":["/srv/data\n:/x"]}"#, Ambiguous, "HostConfig.Binds[0]"),
        (r#"{"Mounts":[{"Source":"/a\u007f"}]}"#, Ambiguous, "HostConfig.Mounts[0].Source"),
        (r#"{"Sysctls":{"a\n":"1"}}"#, Ambiguous, "HostConfig.Sysctls.a\\u{a}"),
        (r#"{"SecurityOpt":["seccomp=\u0000"]}"#, Ambiguous, "HostConfig.SecurityOpt[0]"),
        (r#"{"SecurityOpt":[null]}"#, Ambiguous, "HostConfig.SecurityOpt[0]"),
        (r#"{"Mounts":[null]}"#, Ambiguous, "HostConfig.Mounts[0]"),
        ("{\"CapAdd\":[\"\u{17f}ys_admin\"]}", Ambiguous, "HostConfig.CapAdd[0]"),
        ("{\"CapAdd\":\"SYS_ADM\u{131}N\"}", Ambiguous, "HostConfig.CapAdd"),
        ("{\"Capabilities\":[\"\u{17f}ys_admin\"]}", Ambiguous, "HostConfig.Capabilities[0]"),
        (r#"{"Binds":[],"binds":[]}"#, Ambiguous, "HostConfig.Binds"),
        (r#"{"Sysctls":{"a":"1","b":"2","a":"3"}}"#, Ambiguous, "HostConfig.Sysctls.a"),
        (r#"{"Mounts":[{"Type":"bind","type":"tmpfs"}]}"#, Ambiguous, "HostConfig.Mounts[0].Type"),
        (r#"{"FutureOption":true}"#, UnknownField, "HostConfig.FutureOption"),
        (r#"{"Resources":{"Memory":1}}"#, UnknownField, "HostConfig.Resources"),
        (r#"{"Mounts":[{"BindOptions":{"Fresh":1}}]}"#, UnknownField, "HostConfig.Mounts[0].BindOptions.Fresh"),
    ] {
        assert_eq!(host_of(host, |_| ()).1, [(kind, field.to_owned())], "{host}");
    }
}

#[test]
fn what_has_one_reading_is_not_odd() {
    for host in [
        r#"{"Tmpfs":{"A":"","a":""},"Sysctls":{"K":"1","k":"2"}}"#,
        r#"{"SecurityOpt":["seccomp={\n\t\"defaultAction\": \"SCMP_ACT_ALLOW\"}"]}"#,
        "{\"Binds\":[\"/srv/däta:/d\"]}",
        r#"{"BlkioDeviceReadBps":[{"Path":"/dev/vda","Rate":18446744073709551615}],"Ulimits":[{"Name":"n","Soft":-1}]}"#,
        r#"{"Init":null,"MemorySwappiness":-1,"ConsoleSize":[0,0],"Isolation":"","ContainerIDFile":"","StorageOpt":{}}"#,
    ] {
        assert_eq!(host_of(host, |_| ()).1, [], "{host}");
    }
    let benign = create_of(
        r#""Env":["A=1\n2"],"Healthcheck":{"Test":["NONE"],"StartInterval":5},"Entrypoint":"sh","Shell":null"#,
    );
    assert_eq!(create_odd(&benign), []);
}

#[test]
fn the_body_as_a_whole() {
    let deep = |depth| create_of(&format!(r#""X":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    for (body, kind) in [
        ("{}}anything".to_owned(), Ambiguous),
        (create_of("") + r#"]{"HostConfig":{"Privileged":true}}"#, Ambiguous),
        ("{}{}".to_owned(), Ambiguous),
        (create_of(r#""HostConfig":{"Binds":["/\ud800:/h"]}"#), Ambiguous),
        (format!("\u{feff}{}", create_of("")), Malformed),
        (create_of("").replace("\"Cmd\"", "/*x*/\"Cmd\""), Malformed),
        (create_of(r#""HostConfig":{"Privileged":true},"#), Malformed),
        (deep(10_001), Malformed),
        (deep(9_990), Malformed),
    ] {
        assert_eq!(create_odd(&body), [(kind, "body".to_owned())], "{body:.80}");
    }
    let broken = [&b"{\"HostConfig\":{\"Binds\":[\"/et"[..], b"\xff", b"c:/h\"]}}"].concat();
    assert_eq!(odd_of(Operation::ContainerCreate, &broken), [(Ambiguous, "body".to_owned())]);
    assert_eq!(create_odd(&deep(100)), [(UnknownField, "X".to_owned())]);
    assert_eq!(create_odd(&(" ".repeat(5 << 20) + &create_of("") + "\n")), []);
}

#[test]
fn a_field_that_a_client_names_at_length_is_cut() {
    let odd = create_odd(&create_of(&format!(r#""{}":1"#, "é".repeat(1000))));
    assert_eq!(odd, [(UnknownField, "é".repeat(64) + "…")]);
}

#[test]
fn a_flood_of_unknown_fields_hides_nothing() {
    let flood: String = (0..1000).map(|at| format!(r#""x{at}":1,"#)).collect();
    let odd = create_odd(&create_of(&format!(r#"{flood}"HostConfig":{{"Privileged":1}}"#)));
    assert_eq!(odd.len(), 18);
    assert_eq!(odd.last(), Some(&(Malformed, "HostConfig.Privileged".to_owned())));
}
