//! What holds a container: privilege, capabilities, namespaces, devices, kernel guards.

use super::Found;
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
    capabilities(found, host, at);
    namespaces(found, host, at);
    devices(found, host, at);
    security_options(found, &host.security_opt, at);
    for (field, paths) in [("MaskedPaths", &host.masked_paths), ("ReadonlyPaths", &host.readonly_paths)] {
        if paths.is_some() {
            found.add(Check::SecurityMaskedPaths, format!("{at}.{field}"), "replaces the engine's own list");
        }
    }
    for (name, _value) in host.sysctls.iter().filter(|(name, _)| !SAFE_SYSCTLS.contains(&name.as_ref())) {
        found.add(Check::SysctlSet, format!("{at}.Sysctls.{name}"), name);
    }
}

fn capabilities(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    for (index, written) in host.cap_add.iter().enumerate() {
        if !found.profile.capabilities.iter().any(|listed| is_capability(written, listed)) {
            found.add(Check::CapabilityAdded, format!("{at}.CapAdd[{index}]"), written);
        }
    }
    let drops_all = host.cap_drop.iter().any(|dropped| is_capability(dropped, "ALL"));
    found.add_if(!drops_all, Check::CapabilityKept, &format!("{at}.CapDrop"), "drop ALL and add what is needed");
}

/// Compares as the engine does, but in ASCII only: what Unicode's upper-casing would make of a name is not listed.
fn is_capability(written: &str, listed: &str) -> bool {
    let bare = |name: &str| {
        let upper = name.to_ascii_uppercase();
        upper.strip_prefix("CAP_").map_or(upper.clone(), ToOwned::to_owned)
    };
    bare(written) == bare(listed)
}

fn namespaces(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    for (mode, field, own_host, other) in [
        (&host.pid_mode, "PidMode", Check::PidHost, Some(Check::PidContainer)),
        (&host.network_mode, "NetworkMode", Check::NetworkHost, Some(Check::NetworkContainer)),
        (&host.ipc_mode, "IpcMode", Check::IpcHost, Some(Check::IpcContainer)),
        (&host.uts_mode, "UTSMode", Check::UtsHost, None),
        (&host.userns_mode, "UsernsMode", Check::UserHost, None),
        (&host.cgroupns_mode, "CgroupnsMode", Check::CgroupHost, None),
    ] {
        let Some(mode) = mode else { continue };
        let field = format!("{at}.{field}");
        // Podman reads a path behind `ns:`.
        let is_host = mode.trim().eq_ignore_ascii_case("host") || mode.starts_with("ns:");
        found.add_if(is_host, own_host, &field, mode);
        if let (Some(check), Some(name)) = (other, mode.strip_prefix("container:"))
            && !found.joins(name)
        {
            found.add(check, field, mode);
        }
    }
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

/// The engine splits at the first `=` if there is one anywhere, else at the first `:`.
fn security_options(found: &mut Found<'_>, options: &[Text<'_>], at: &str) {
    let mut no_new_privileges = false;
    for (index, option) in options.iter().enumerate() {
        let field = format!("{at}.SecurityOpt[{index}]");
        let split = option.split_once('=').or_else(|| option.split_once(':'));
        let (key, value) = split.unwrap_or((option, ""));
        let check = match (key, value) {
            ("no-new-privileges", "" | "1" | "t" | "T" | "true" | "TRUE" | "True") => {
                no_new_privileges = true;
                continue;
            }
            ("seccomp", "" | "builtin") | ("apparmor", "docker-default" | "") => continue,
            ("seccomp", _profile) => Check::SecuritySeccomp,
            ("apparmor", _profile) => Check::SecurityApparmor,
            ("label" | "disable", _) => Check::SecuritySelinux,
            ("no-new-privileges", _off) => Check::SecurityNewPrivileges,
            // systempaths, unmask, writable-cgroups, and what nobody knows.
            _other => Check::SecurityMaskedPaths,
        };
        // A custom profile is a whole document; its name says enough.
        let detail = if value.starts_with('{') { "a profile of its own" } else { option };
        found.add(check, field, detail);
    }
    let off = !no_new_privileges && is_strict(found);
    found.add_if(off, Check::SecurityNewPrivileges, &format!("{at}.SecurityOpt"), "no-new-privileges is not set");
}

/// Absence of a guard is a finding only where the profile asks for it, or each ordinary container would have one.
fn is_strict(found: &Found<'_>) -> bool {
    found.profile.reaction(Check::CapabilityKept) == crate::policy::Reaction::Deny
}
