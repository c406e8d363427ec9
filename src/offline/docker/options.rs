//! Every option of `docker run` and `docker create`, and what it says in the body.

use serde_json::{Value, json};

use super::{Building, inner, mounts, ports, push, set_in};

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value, or `=true` and `=false`: nothing that is judged.
    UnjudgedSwitch,
    /// A value that is nothing to judge: the CLI's own business, or a limit of speed.
    Unjudged,
    /// A boolean of `HostConfig`.
    Switch(&'static str),
    /// A text of the body.
    Text(&'static str),
    /// A text of `HostConfig`.
    HostText(&'static str),
    /// One more element of a list of texts in `HostConfig`.
    HostList(&'static str),
    /// A number of `HostConfig`.
    HostNumber(&'static str),
    /// A size of `HostConfig`, in bytes.
    HostBytes(&'static str),
    /// `NAME=VALUE` in a map of `HostConfig`.
    HostPair(&'static str),
    /// What needs more than its value copied.
    Own,
}

impl Kind {
    pub(super) const fn takes_value(self) -> bool {
        !matches!(self, Self::UnjudgedSwitch | Self::Switch(_))
    }
}

/// The long name of a letter.
pub(super) const fn long(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' => "attach",
        'c' => "cpu-shares",
        'd' => "detach",
        'e' => "env",
        'h' => "hostname",
        'i' => "interactive",
        'l' => "label",
        'm' => "memory",
        'P' => "publish-all",
        'p' => "publish",
        'q' => "quiet",
        't' => "tty",
        'u' => "user",
        'v' => "volume",
        'w' => "workdir",
        _unknown => return None,
    })
}

/// What an option means, by its long name. `None`: it is not understood.
#[expect(clippy::too_many_lines, reason = "a table: one line for each option that says something")]
pub(super) fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "detach"
        | "disable-content-trust"
        | "init"
        | "interactive"
        | "no-healthcheck"
        | "quiet"
        | "rm"
        | "sig-proxy"
        | "tty" => Kind::UnjudgedSwitch,
        "add-host"
        | "attach"
        | "blkio-weight"
        | "blkio-weight-device"
        | "cidfile"
        | "cpu-count"
        | "cpu-percent"
        | "cpu-period"
        | "cpu-rt-period"
        | "cpu-rt-runtime"
        | "cpu-shares"
        | "cpuset-cpus"
        | "cpuset-mems"
        | "detach-keys"
        | "device-read-bps"
        | "device-read-iops"
        | "device-write-bps"
        | "device-write-iops"
        | "dns"
        | "dns-opt"
        | "dns-option"
        | "dns-search"
        | "domainname"
        | "env-file"
        | "expose"
        | "health-cmd"
        | "health-interval"
        | "health-retries"
        | "health-start-interval"
        | "health-start-period"
        | "health-timeout"
        | "io-maxbandwidth"
        | "io-maxiops"
        | "ip"
        | "ip6"
        | "isolation"
        | "kernel-memory"
        | "label-file"
        | "link-local-ip"
        | "mac-address"
        | "memory-swappiness"
        | "net-alias"
        | "network-alias"
        | "pull"
        | "stop-signal"
        | "stop-timeout"
        | "ulimit" => Kind::Unjudged,
        "oom-kill-disable" => Kind::Switch("OomKillDisable"),
        "privileged" => Kind::Switch("Privileged"),
        "publish-all" => Kind::Switch("PublishAllPorts"),
        "read-only" => Kind::Switch("ReadonlyRootfs"),
        "hostname" => Kind::Text("Hostname"),
        "user" => Kind::Text("User"),
        "workdir" => Kind::Text("WorkingDir"),
        "cgroup-parent" => Kind::HostText("CgroupParent"),
        "cgroupns" => Kind::HostText("CgroupnsMode"),
        "ipc" => Kind::HostText("IpcMode"),
        "pid" => Kind::HostText("PidMode"),
        "runtime" => Kind::HostText("Runtime"),
        "userns" => Kind::HostText("UsernsMode"),
        "uts" => Kind::HostText("UTSMode"),
        "volume-driver" => Kind::HostText("VolumeDriver"),
        "cap-add" => Kind::HostList("CapAdd"),
        "cap-drop" => Kind::HostList("CapDrop"),
        "device-cgroup-rule" => Kind::HostList("DeviceCgroupRules"),
        "group-add" => Kind::HostList("GroupAdd"),
        "link" => Kind::HostList("Links"),
        "volumes-from" => Kind::HostList("VolumesFrom"),
        "cpu-quota" => Kind::HostNumber("CpuQuota"),
        "oom-score-adj" => Kind::HostNumber("OomScoreAdj"),
        "pids-limit" => Kind::HostNumber("PidsLimit"),
        "memory" => Kind::HostBytes("Memory"),
        "memory-reservation" => Kind::HostBytes("MemoryReservation"),
        "memory-swap" => Kind::HostBytes("MemorySwap"),
        "shm-size" => Kind::HostBytes("ShmSize"),
        "annotation" => Kind::HostPair("Annotations"),
        "storage-opt" => Kind::HostPair("StorageOpt"),
        "sysctl" => Kind::HostPair("Sysctls"),
        "cpus" | "device" | "entrypoint" | "env" | "gpus" | "label" | "log-driver" | "log-opt" | "mount" | "name"
        | "net" | "network" | "platform" | "publish" | "restart" | "security-opt" | "tmpfs" | "volume" => Kind::Own,
        _unknown => return None,
    })
}

impl Building<'_> {
    pub(super) fn set(&mut self, name: &str, kind: Kind, value: &str) -> Result<(), String> {
        match kind {
            Kind::UnjudgedSwitch => boolean(value).map(drop)?,
            Kind::Unjudged => {}
            Kind::Switch(key) => self.host(key, json!(boolean(value)?)),
            Kind::Text(key) => self.body(key, json!(value)),
            Kind::HostText(key) => self.host(key, json!(value)),
            Kind::HostList(key) => self.add(key, json!(value)),
            Kind::HostNumber(key) => {
                let number: i64 = value.parse().map_err(|_no| "is no whole number")?;
                self.host(key, json!(number));
            }
            Kind::HostBytes(key) => self.host(key, json!(bytes(value)?)),
            Kind::HostPair(key) => self.pair(key, value),
            Kind::Own => self.own(name, value)?,
        }
        Ok(())
    }

    fn pair(&mut self, key: &str, value: &str) {
        put(&mut self.host, key, value);
    }

    fn own(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "cpus" => {
                let cpus: f64 = value.parse().map_err(|_no| "is no number")?;
                // The CLI takes whole billionths; what is judged is whether there is a limit.
                self.host("NanoCpus", json!(if cpus > 0.0 { 1_000_000_000_i64 } else { 0 }));
            }
            "device" => mounts::device(self, value),
            "entrypoint" => self.body("Entrypoint", json!([value])),
            "env" => push(&mut self.body, "Env", json!(value)),
            "gpus" => self.add("DeviceRequests", json!({ "Count": -1, "Capabilities": [["gpu"]] })),
            "label" => put(&mut self.body, "Labels", value),
            "log-driver" => set_in(&mut self.host, "LogConfig", "Type", json!(value)),
            "log-opt" => {
                if let Some(log) = inner(&mut self.host, "LogConfig") {
                    put(log, "Config", value);
                }
            }
            "mount" => {
                let mount = mounts::mount(value, self.directory)?;
                self.add("Mounts", mount);
            }
            "name" | "platform" => self.query.push((name.to_owned(), value.to_owned())),
            "net" | "network" => {
                let long = value.split(',').find_map(|part| part.strip_prefix("name="));
                self.networks.push(long.unwrap_or(value).to_owned());
            }
            "publish" => ports::publish(&mut self.body, &mut self.host, value)?,
            "restart" => {
                let (name, most) = value.split_once(':').unwrap_or((value, "0"));
                let most: i64 = most.parse().map_err(|_no| "has no whole number of tries")?;
                self.host("RestartPolicy", json!({ "Name": name, "MaximumRetryCount": most }));
            }
            "security-opt" => self.security(value),
            "tmpfs" => {
                let (path, options) = value.split_once(':').unwrap_or((value, ""));
                set_in(&mut self.host, "Tmpfs", path, json!(options));
            }
            "volume" => mounts::volume(self, value),
            _unknown => return Err("is not understood".to_owned()),
        }
        Ok(())
    }

    /// The CLI turns one option into two fields, and sends the text of a profile in place of its file.
    fn security(&mut self, value: &str) {
        let words = ["unconfined", "builtin", ""];
        match value.split_once(['=', ':']) {
            Some(("systempaths", "unconfined")) => {
                self.host("MaskedPaths", json!([]));
                self.host("ReadonlyPaths", json!([]));
            }
            Some(("seccomp", file)) if !words.contains(&file) => self.add("SecurityOpt", json!("seccomp={}")),
            _as_it_is => self.add("SecurityOpt", json!(value)),
        }
    }
}

fn put(object: &mut Value, key: &str, pair: &str) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    set_in(object, key, name, json!(value));
}

/// Go's `ParseBool`.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _other => Err("is neither true nor false".to_owned()),
    }
}

/// `64m`, `1.5GiB`, `-1`: bytes, in steps of 1024.
fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || "is no size".to_owned();
    if text == "-1" {
        return Ok(-1);
    }
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
    let unit = text.get(digits.len()..).unwrap_or_default().trim().to_ascii_lowercase();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _unknown => return Err(wrong()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let whole: i64 = whole.parse().map_err(|_no| wrong())?;
    let _fraction: u32 = part.parse().map_err(|_no| wrong())?;
    // A part of a unit changes no judgement but where there is nothing before it.
    let least = i64::from(whole == 0 && part.bytes().any(|digit| digit != b'0'));
    whole.checked_mul(1 << shift).map(|bytes| bytes.max(least)).ok_or_else(wrong)
}
