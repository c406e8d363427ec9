//! Command lines and the bodies that the Docker CLI (28.2) makes of them, and lines that it or we do not take.

use proptest::prelude::*;

use super::*;

fn host(line: &str) -> Value {
    let line = format!("docker run {line} busybox:1.0");
    create(&words(&line).unwrap(), "/here").map(|create| create.body["HostConfig"].clone()).unwrap()
}

#[test]
fn options_say_what_the_cli_says() {
    for (line, key, wanted) in [
        ("--privileged", "Privileged", json!(true)),
        ("--privileged=false", "Privileged", json!(false)),
        ("-v /etc:/h:ro -v ./x:/x -v vol:/v", "Binds", json!(["/etc:/h:ro", "/here/./x:/x", "vol:/v"])),
        ("-v/etc:/h", "Binds", json!(["/etc:/h"])),
        ("--cap-add SYS_ADMIN --cap-add=NET_RAW", "CapAdd", json!(["SYS_ADMIN", "NET_RAW"])),
        ("--pid=host", "PidMode", json!("host")),
        ("--net host", "NetworkMode", json!("host")),
        ("--network name=own,alias=x", "NetworkMode", json!("own")),
        ("-itd --rm", "NetworkMode", json!("default")),
        ("-p 80", "PortBindings", json!({"80/tcp": [{"HostIp": "", "HostPort": ""}]})),
        ("-p 127.0.0.1:8080:80/udp", "PortBindings", json!({"80/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]})),
        ("-p [::1]:1:2", "PortBindings", json!({"2/tcp": [{"HostIp": "::1", "HostPort": "1"}]})),
        ("-p 8-9:80", "PortBindings", json!({"80/tcp": [{"HostIp": "", "HostPort": "8-9"}]})),
        ("-p published=8,target=80", "PortBindings", json!({"80/tcp": [{"HostIp": "", "HostPort": "8"}]})),
        (
            "-p 8-9:80-81",
            "PortBindings",
            json!({"80/tcp": [{"HostIp": "", "HostPort": "8"}], "81/tcp": [{"HostIp": "", "HostPort": "9"}]}),
        ),
        ("--security-opt systempaths=unconfined", "MaskedPaths", json!([])),
        ("--security-opt seccomp=/p.json", "SecurityOpt", json!(["seccomp={}"])),
        ("--security-opt seccomp=unconfined", "SecurityOpt", json!(["seccomp=unconfined"])),
        ("-m 64m", "Memory", json!(64 << 20)),
        ("-m 1GiB", "Memory", json!(1_i64 << 30)),
        ("--memory-swap -1", "MemorySwap", json!(-1)),
        ("--restart on-failure:3", "RestartPolicy", json!({"Name": "on-failure", "MaximumRetryCount": 3})),
        ("--sysctl a=b --sysctl c=d", "Sysctls", json!({"a": "b", "c": "d"})),
        ("--gpus all", "DeviceRequests", json!([{"Count": -1, "Capabilities": [["gpu"]]}])),
        ("--device v/c=d", "DeviceRequests", json!([{"Driver": "cdi", "DeviceIDs": ["v/c=d"]}])),
        (
            "--device /dev/sda:/dev/x:r",
            "Devices",
            json!([{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]),
        ),
        (
            "--mount type=bind,src=/etc,dst=/h,ro,bind-propagation=shared",
            "Mounts",
            json!([{"Type": "bind", "Source": "/etc", "Target": "/h", "ReadOnly": true, "BindOptions": {"Propagation": "shared"}}]),
        ),
        (
            "--mount 'dst=/v,volume-opt=type=none,\"volume-opt=o=bind,ro\",volume-opt=device=/etc'",
            "Mounts",
            json!([{"Type": "volume", "Target": "/v",
                "VolumeOptions": {"DriverConfig": {"Options": {"type": "none", "o": "bind,ro", "device": "/etc"}}}}]),
        ),
        (
            "--mount type=bind,src=./x,dst=/h",
            "Mounts",
            json!([{"Type": "bind", "Source": "/here/./x", "Target": "/h"}]),
        ),
        ("--log-driver syslog --log-opt a=b", "LogConfig", json!({"Type": "syslog", "Config": {"a": "b"}})),
        ("--tmpfs /t:size=1m", "Tmpfs", json!({"/t": "size=1m"})),
    ] {
        assert_eq!(host(line)[key], wanted, "{line}");
    }
}

#[test]
fn the_rest_of_the_line_is_the_container() {
    let line =
        words("docker -H unix:///x --debug container create --name web -u 5 -e A='b c' img sh -c 'a -v b'").unwrap();
    let create = create(&line, "/").unwrap();
    assert_eq!(create.query, [("name".to_owned(), "web".to_owned())]);
    assert_eq!(create.body["Image"], "img");
    assert_eq!(create.body["Cmd"], json!(["sh", "-c", "a -v b"]));
    assert_eq!((&create.body["User"], &create.body["Env"]), (&json!("5"), &json!(["A=b c"])));
    assert_eq!(host("-v /x")["Binds"], Value::Null, "an anonymous volume is no bind");
}

#[test]
fn what_is_not_understood_is_named() {
    for (line, named) in [
        ("docker run --not-an-option busybox", "--not-an-option"),
        ("docker run -Z busybox", "-Z"),
        ("docker run --use-api-socket busybox", "--use-api-socket"),
        ("docker run --mount type=bind,frob=1 busybox", "frob"),
        ("docker run -m 64x busybox", "-m 64x"),
        ("docker run -p 8-9:80-85 busybox", "-p"),
        ("docker run --privileged=maybe busybox", "--privileged"),
        ("docker run --cap-add", "--cap-add"),
        ("docker exec x y", "exec"),
        ("docker run --rm", "no image"),
        ("docker", "no command"),
    ] {
        let why = create(&words(line).unwrap(), "/").unwrap_err();
        assert!(why.contains(named), "{line}: {why}");
    }
    for line in ["docker run $IMAGE", "docker run \"x", "docker run `x`"] {
        words(line).unwrap_err();
    }
}

#[test]
fn a_line_with_all_ports_takes_no_time() {
    let host = host("-p 1-65535:1-65535 --sysctl a=b");
    assert_eq!(host["PortBindings"].as_object().map(serde_json::Map::len), Some(65535));
}

proptest! {
    #[test]
    fn any_words_and_any_bytes_are_read_or_refused(words in proptest::collection::vec("[-a-z=:,/0-9\"'.]{0,12}", 0..8), text in "\\PC{0,60}") {
        let line: Vec<String> = ["run".to_owned()].into_iter().chain(words).collect();
        _ = create(&line, "/");
        _ = super::words(&text);
        _ = super::super::Input::read(text.as_bytes());
    }
}
