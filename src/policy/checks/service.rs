//! Services of a swarm: their tasks are containers, and meet the checks that a container meets.

use super::operation::opens;
use super::{Found, container, guards, mounts, network};
use crate::policy::Check;
use crate::request::{Class, ContainerSpec, Endpoint, Mount, PortBinding, Privileges, ServiceSpec, Text};

/// Networks that every swarm has; a name comes before the start of an id.
const OWN_NETWORKS: [&str; 4] = ["bridge", "host", "ingress", "none"];

/// Everything about a service's spec.
pub(super) fn spec(found: &mut Found<'_>, spec: &ServiceSpec<'_>) {
    if let Some(container) = &spec.container {
        container_spec(found, container, "TaskTemplate.ContainerSpec");
    }
    if let Some(remote) = &spec.plugin {
        found.add(Check::PluginInstall, "TaskTemplate.PluginSpec", remote);
    }
    match spec.runtime.as_deref().unwrap_or_default() {
        "" | "container" => {}
        "plugin" => found.add(Check::PluginInstall, "TaskTemplate.Runtime", "plugin"),
        other => found.add(Check::RuntimeOther, "TaskTemplate.Runtime", other),
    }
    let limits = &spec.limits;
    let unlimited = limits.memory <= 0 || limits.nano_cpus <= 0 || limits.pids <= 0;
    let detail = "set MemoryBytes (--limit-memory), NanoCPUs (--limit-cpu) and Pids (--limit-pids)";
    found.add_if(unlimited, Check::ResourcesUnlimited, "TaskTemplate.Resources.Limits", detail);
    let condition = spec.restart_condition.as_deref().unwrap_or("any");
    let outlives = !matches!(condition, "none" | "on-failure");
    found.add_if(outlives, Check::RestartAlways, "TaskTemplate.RestartPolicy.Condition", condition);
    container::log_driver(found, spec.log_driver.as_ref(), "TaskTemplate.LogDriver.Name");
    networks(found, spec);
    for (index, port) in spec.ports.iter().enumerate() {
        // In either mode it is open on every address of the host.
        let host_port = if port.published == 0 { Text::default() } else { port.published.to_string().into() };
        let container_port = format!("{}/{}", port.target, port.protocol).into();
        let binding = PortBinding { container_port, host_ip: Text::default(), host_port };
        network::publish(found, &binding, &format!("EndpointSpec.Ports[{index}]"));
    }
}

fn container_spec(found: &mut Found<'_>, spec: &ContainerSpec<'_>, at: &str) {
    let held = found.facts.known.image.as_ref();
    container::image(found, spec.image.as_deref().unwrap_or_default(), held, &format!("{at}.Image"));
    for (index, mount) in spec.mounts.iter().enumerate() {
        let field = format!("{at}.Mounts[{index}]");
        templates(found, mount, &field);
        mounts::one(found, mount, &field);
    }
    let (added, dropped) = (format!("{at}.CapabilityAdd"), format!("{at}.CapabilityDrop"));
    guards::capabilities(found, (&spec.capability_add, &added), (&spec.capability_drop, &dropped));
    guards::sysctls(found, &spec.sysctls, &format!("{at}.Sysctls"));
    privileges(found, &spec.privileges, &format!("{at}.Privileges"));
    container::user(found, spec.user.as_deref(), &format!("{at}.User"));
    container::groups(found, &spec.groups, &format!("{at}.Groups"));
    container::working_dir(found, spec.dir.as_deref(), &format!("{at}.Dir"));
    found.add_if(!spec.read_only, Check::RootfsWritable, &format!("{at}.ReadOnly"), "false");
    // Whoever mounts one reads it.
    for (field, names) in [("Secrets", &spec.secrets), ("Configs", &spec.configs)] {
        for (index, name) in names.iter().enumerate() {
            opens(found, Class::Secrets, name, &format!("{at}.{field}[{index}]"));
        }
    }
}

/// The node fills in templates after the judgement, with labels and names of the client's choice: by them
/// `/srv/data/{{index .Service.Labels "x"}}` becomes any path, and `{{.Service.Name}}` any volume that exists.
fn templates(found: &mut Found<'_>, mount: &Mount<'_>, field: &str) {
    let is_template = |text: &str| text.contains("{{");
    if is_template(&mount.source) {
        let check = if mount.kind == "volume" { Check::MountVolumeDriver } else { Check::MountHostPath };
        let detail = format!("{}: is filled in after this; write it out", mount.source);
        found.add(check, format!("{field}.Source"), &detail);
    }
    if mount.driver_options.iter().any(|(_, value)| is_template(value)) {
        let detail = "a template, which is filled in after this; write it out";
        found.add(Check::MountVolumeDriver, format!("{field}.VolumeOptions.DriverConfig.Options"), detail);
    }
}

fn privileges(found: &mut Found<'_>, privileges: &Privileges<'_>, at: &str) {
    for (mode, check, field) in [
        (&privileges.seccomp, Check::SecuritySeccomp, "Seccomp.Mode"),
        (&privileges.apparmor, Check::SecurityApparmor, "AppArmor.Mode"),
    ] {
        let mode = mode.as_deref().unwrap_or_default();
        found.add_if(!matches!(mode, "" | "default"), check, &format!("{at}.{field}"), mode);
    }
    found.add_if(privileges.selinux, Check::SecuritySelinux, &format!("{at}.SELinuxContext"), "a label of its own");
    if !privileges.no_new_privileges {
        guards::may_gain_privileges(found, &format!("{at}.NoNewPrivileges"));
    }
}

fn networks(found: &mut Found<'_>, spec: &ServiceSpec<'_>) {
    for (index, network) in spec.task_networks.iter().enumerate() {
        attach(found, network, &format!("TaskTemplate.Networks[{index}]"));
    }
    for (index, network) in spec.networks.iter().enumerate() {
        attach(found, network, &format!("Networks[{index}]"));
    }
    if spec.task_networks.is_empty() && spec.networks.is_empty() {
        network::join(found, "bridge", "TaskTemplate.Networks");
    }
}

fn attach(found: &mut Found<'_>, network: &Endpoint<'_>, field: &str) {
    let (written, at) = (network.network.as_ref(), format!("{field}.Target"));
    let name = found.facts.known.network_name(written);
    let target = name.unwrap_or(written);
    if target != "none" {
        network::join(found, target, &at);
    }
    if name.is_none() && may_be_id(target) {
        let detail =
            format!("{target}: may be the start of the host's id; write a whole id, or a name with a '-', '_' or '.'");
        found.add(Check::NetworkHost, at, &detail);
    }
    network::driver_options(found, &network.driver_options, field);
}

/// Whether the engine may find a network by this as the start of an id: the host's has one in a swarm too.
fn may_be_id(target: &str) -> bool {
    !OWN_NETWORKS.contains(&target) && target.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
}
