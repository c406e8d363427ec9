//! What it costs to read a create body. Goals: 4 µs at 4 KiB and 40 µs at 64 KiB for the JSON alone.

#![expect(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidewaiter::request::decode::{Document, Limits};
use tidewaiter::request::{Asked, Call, Irregular, Irregularity, Operation};

const BODY: &str = r#"{
"Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": true, "AttachStderr": true,
"Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": ENV, "Cmd": ["sleep", "60"], "Image": "busybox:1.0",
"Volumes": {}, "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": {"a": "b"},
"HostConfig": {
"Binds": ["/srv/data:/data"], "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}},
"NetworkMode": "default", "PortBindings": {}, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
"AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null, "ConsoleSize": [0, 0], "CapAdd": null,
"CapDrop": null, "CgroupnsMode": "", "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null,
"GroupAdd": null, "IpcMode": "", "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "",
"Privileged": false, "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "",
"UsernsMode": "", "ShmSize": 0, "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
"CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "Devices": [], "MemorySwappiness": -1,
"OomKillDisable": false, "PidsLimit": 0, "Ulimits": null, "MaskedPaths": null, "ReadonlyPaths": null
},
"NetworkingConfig": {"EndpointsConfig": {"default": {"DriverOpts": null, "GwPriority": 0}}}
}"#;

/// A create as the Docker CLI writes it, filled with environment up to `size` bytes.
fn create_body(size: usize) -> Vec<u8> {
    let mut env = Vec::new();
    let mut left = size.saturating_sub(BODY.len());
    while let Some(rest) = left.checked_sub(60) {
        left = rest;
        env.push(format!("SERVICE_SETTING_{:05}=a value of a usual length, about {rest:05}", env.len()));
    }
    BODY.replace("ENV", &serde_json::to_string(&env).unwrap()).into_bytes()
}

fn decode(c: &mut Criterion) {
    let mut asked =
        Asked::unreadable(Irregularity { kind: Irregular::Path, field: String::new(), detail: String::new() });
    asked.operation = Operation::ContainerCreate;
    for (name, size) in [("4KiB", 4 << 10), ("64KiB", 64 << 10)] {
        let body = create_body(size);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("json", |b| b.iter(|| Document::read(black_box(&body), Limits::default())));
        group.bench_function("call", |b| b.iter(|| Call::decode(&asked, black_box(&body)).irregularities.len()));
        let call = Call::decode(&asked, &body);
        assert!(call.irregularities.is_empty());
        group.bench_function("write", |b| b.iter(|| black_box(&call).canonical_body()));
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
