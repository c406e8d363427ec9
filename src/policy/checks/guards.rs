//! What holds a container: privilege, capabilities, namespaces, devices, kernel guards.

use super::{Found, network};
use crate::policy::Check;
use crate::request::{HostConfig, Text};

/// Namespaced, and safe by Kubernetes' Pod Security Standards.
const SAFE_SYSCTLS: [&str; 9] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

pub(super) fn check(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    found.add_if(host.privileged, Check::Privileged, &format!("{at}.Privileged"), "true");
    let (added, dropped) = (format!("{at}.CapAdd"), format!("{at}.CapDrop"));
    capabilities(found, (&host.cap_add, &added), (&host.cap_drop, &dropped));
    namespaces(found, host, at);
    devices(found, host, at);
    security_options(found, &host.security_opt, at);
    for (field, paths) in [("MaskedPaths", &host.masked_paths), ("ReadonlyPaths", &host.readonly_paths)] {
        if paths.is_some() {
            found.add(Check::SecurityMaskedPaths, format!("{at}.{field}"), "replaces the engine's own list");
        }
    }
    sysctls(found, &host.sysctls, &format!("{at}.Sysctls"));
}

pub(super) fn sysctls(found: &mut Found<'_>, sysctls: &[(Text<'_>, Text<'_>)], field: &str) {
    for (name, _value) in sysctls.iter().filter(|(name, _)| !SAFE_SYSCTLS.contains(&name.as_ref())) {
        found.add(Check::SysctlSet, format!("{field}.{name}"), name);
    }
}

/// Judges added and dropped capabilities, each with the field that names them.
pub(super) fn capabilities(found: &mut Found<'_>, added: (&[Text<'_>], &str), dropped: (&[Text<'_>], &str)) {
    for (index, written) in added.0.iter().enumerate() {
        if !found.profile.capabilities.iter().any(|listed| is_capability(written, listed)) {
            found.add(Check::CapabilityAdded, format!("{}[{index}]", added.1), written);
        }
    }
    let drops_all = dropped.0.iter().any(|dropped| is_capability(dropped, "ALL"));
    found.add_if(!drops_all, Check::CapabilityKept, dropped.1, "drop ALL and add what is needed");
}

/// Compares as the engine does, but in ASCII only: what Unicode's upper-casing would make of a name is not listed.
fn is_capability(written: &str, listed: &str) -> bool {
    let bare = |name: &str| {
        let upper = name.to_ascii_uppercase();
        upper.strip_prefix("CAP_").map_or(upper.clone(), ToOwned::to_owned)
    };
    bare(written) == bare(listed)
}

/// Words that leave a namespace the container's own, on every engine.
const OWN: &[&str] = &["", "private"];

fn namespaces(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    let ipc: &[&str] = &["", "none", "private", "shareable"];
    for (mode, field, own, own_host, other) in [
        (&host.pid_mode, "PidMode", OWN, Check::PidHost, Some(Check::PidContainer)),
        (&host.ipc_mode, "IpcMode", ipc, Check::IpcHost, Some(Check::IpcContainer)),
        (&host.uts_mode, "UTSMode", OWN, Check::UtsHost, None),
        (&host.userns_mode, "UsernsMode", OWN, Check::UserHost, None),
        (&host.cgroupns_mode, "CgroupnsMode", OWN, Check::CgroupHost, None),
        (&host.network_mode, "NetworkMode", &[], Check::NetworkHost, Some(Check::NetworkContainer)),
    ] {
        let mode = mode.as_deref().unwrap_or_default();
        let field = format!("{at}.{field}");
        let is_network = other == Some(Check::NetworkContainer) && (mode.is_empty() || network::is_name(mode));
        if means_host(mode) {
            found.add(own_host, field, mode);
        } else if let (Some(check), Some(name)) = (other, mode.strip_prefix("container:")) {
            found.add_if(!found.joins(name), check, &field, mode);
        } else if !own.contains(&mode) && !is_network {
            // Docker's engines ignore some of these and fail at others; Podman knows words of its own.
            found.add(Check::RequestAmbiguous, field, &format!("{mode}: is no word that all engines read alike"));
        }
    }
}

/// Whether a word is the host's namespace to some engine, or nearly: Podman reads a path behind `ns:`.
fn means_host(mode: &str) -> bool {
    let word = mode.trim();
    let start = word.split(':').next().unwrap_or_default();
    start.eq_ignore_ascii_case("host") || (word.contains(':') && start.eq_ignore_ascii_case("ns"))
}

fn devices(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    for (index, device) in host.devices.iter().enumerate() {
        let path = crate::policy::mount::clean(&device.path_on_host);
        if !found.profile.devices.iter().any(|listed| listed.is_match(&path)) {
            found.add(Check::DeviceHost, format!("{at}.Devices[{index}]"), &device.path_on_host);
        }
    }
    for (index, rule) in host.device_cgroup_rules.iter().enumerate() {
        found.add(Check::DeviceCgroupRule, format!("{at}.DeviceCgroupRules[{index}]"), rule);
    }
    for (index, driver) in host.device_requests.iter().enumerate() {
        found.add(Check::DeviceRequest, format!("{at}.DeviceRequests[{index}]"), driver);
    }
}

/// Judges what the engine makes of the options: the last profile and the last `no-new-privileges` count, and every `label`.
fn security_options(found: &mut Found<'_>, options: &[Text<'_>], at: &str) {
    // Where a key came twice, its lists stand here one behind the other, and any of them may be the last.
    let is_ambiguous = found.findings.iter().any(|finding| finding.check == Check::RequestAmbiguous);
    let read: Vec<_> = options.iter().map(|option| security_option(option)).collect();
    let last = ["seccomp", "apparmor", "no-new-privileges"]
        .map(|of| (of, read.iter().rposition(|(key, _)| *key == of).unwrap_or_default()));
    for (index, (option, (key, check))) in options.iter().zip(&read).enumerate() {
        let is_overruled = last.iter().any(|(of, last)| of == key && index < *last);
        if let Some(check) = check.filter(|_| !is_overruled || is_ambiguous) {
            // A custom profile is a whole document; its name says enough.
            let detail = if option.contains('{') { "a profile of its own" } else { option };
            found.add(check, format!("{at}.SecurityOpt[{index}]"), detail);
        }
    }
    if !read.iter().any(|(key, _)| *key == "no-new-privileges") {
        may_gain_privileges(found, &format!("{at}.SecurityOpt"));
    }
}

/// The key of an option, and what it weakens. The engine splits at the first `=` if there is one anywhere, else at the first
/// `:`; two options are a bare word.
fn security_option(option: &str) -> (&str, Option<Check>) {
    let (key, value) = option.split_once('=').or_else(|| option.split_once(':')).unwrap_or((option, ""));
    let check = match (key, value) {
        ("no-new-privileges", "1" | "t" | "T" | "true" | "TRUE" | "True") => None,
        ("no-new-privileges", _) if option == key => None,
        ("seccomp", "" | "builtin") | ("apparmor", "docker-default" | "") => None,
        ("seccomp", _profile) => Some(Check::SecuritySeccomp),
        ("apparmor", _profile) => Some(Check::SecurityApparmor),
        ("label" | "disable", _) => Some(Check::SecuritySelinux),
        ("no-new-privileges", _off) => Some(Check::SecurityNewPrivileges),
        // systempaths, unmask, writable-cgroups, and what nobody knows.
        _other => Some(Check::SecurityMaskedPaths),
    };
    (key, check)
}

/// Absence of a guard is a finding only where the profile asks for it, or each ordinary container would have one.
pub(super) fn may_gain_privileges(found: &mut Found<'_>, field: &str) {
    let strict = found.profile.reaction(Check::CapabilityKept) >= crate::policy::Reaction::Approve;
    found.add_if(strict, Check::SecurityNewPrivileges, field, "no-new-privileges is not set");
}
