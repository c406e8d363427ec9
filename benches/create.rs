//! A create body of any size.

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
pub(crate) fn create_body(size: usize) -> Vec<u8> {
    let mut env = Vec::new();
    let mut left = size.saturating_sub(BODY.len());
    while let Some(rest) = left.checked_sub(60) {
        left = rest;
        env.push(format!("SERVICE_SETTING_{:05}=a value of a usual length, about {rest:05}", env.len()));
    }
    BODY.replace("ENV", &serde_json::to_string(&env).unwrap()).into_bytes()
}
