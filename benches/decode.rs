//! What it costs to read a create body. Goals: 4 µs at 4 KiB and 40 µs at 64 KiB for the JSON alone.

#![expect(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidewaiter::request::decode::{Document, Limits};

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
/// A create as the Docker CLI writes it, filled with environment up to about `size` bytes.
fn create_body(size: usize) -> Vec<u8> {
    let env: Vec<String> =
        (0..size / 64).map(|at| format!("SERVICE_SETTING_{at:04}=a value of a usual length, {at}")).collect();
    let env = serde_json::to_string(&env).unwrap();
    BODY.replace("ENV", &env).into_bytes()
}

fn json(c: &mut Criterion) {
    let mut group = c.benchmark_group("json");
    for (name, size) in [("4KiB", 2 << 10), ("64KiB", 62 << 10)] {
        let body = create_body(size);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |b| b.iter(|| Document::read(black_box(&body), Limits::default())));
    }
}

criterion_group!(benches, json);
criterion_main!(benches);
