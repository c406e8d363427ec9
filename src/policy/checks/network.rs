//! Networks a container joins and ports it opens on the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Found;
use crate::policy::Check;
use crate::policy::mount::linked;
use crate::request::{Endpoint, HostConfig, PortBinding};

pub(super) fn check(found: &mut Found<'_>, host: &HostConfig<'_>, at: &str) {
    let mode = host.network_mode.as_deref().unwrap_or_default();
    // None at all is always open; the others are what the namespace checks judge.
    let judged_elsewhere = matches!(mode, "none" | "host") || mode.starts_with("container:");
    if !judged_elsewhere {
        // Where no network is named it is the bridge.
        let network = if matches!(mode, "" | "default") { "bridge" } else { mode };
        join(found, network, &format!("{at}.NetworkMode"));
    }
    for (index, link) in host.links.iter().enumerate() {
        // The engine writes the other's environment into this one, with the passwords in it.
        found.add_if(!found.joins(linked(link)), Check::NetworkContainer, &format!("{at}.Links[{index}]"), link);
    }
    for binding in &host.port_bindings {
        publish(found, binding, &format!("{at}.PortBindings.{}", binding.container_port));
    }
    found.add_if(host.publish_all_ports, Check::NetworkPublish, &format!("{at}.PublishAllPorts"), "all exposed ports");
}

pub(super) fn endpoints(found: &mut Found<'_>, endpoints: &[Endpoint<'_>]) {
    for endpoint in endpoints {
        let field = format!("NetworkingConfig.EndpointsConfig.{}", endpoint.network);
        if !matches!(endpoint.network.as_ref(), "default" | "none") {
            join(found, &endpoint.network, &field);
        }
        driver_options(found, &endpoint.driver_options, &field);
    }
}

pub(super) fn driver_options<K: AsRef<str>, V>(found: &mut Found<'_>, options: &[(K, V)], field: &str) {
    for (name, _value) in options {
        if name.as_ref().contains("sysctl") {
            found.add(Check::SysctlSet, format!("{field}.DriverOpts"), name.as_ref());
        }
    }
}

/// Whether a network may have such a name. Engines take more; what is left out here is what some read as more than a name.
pub(super) fn is_name(text: &str) -> bool {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_inside = |byte: u8| is_of_word(byte) || matches!(byte, b'-' | b'.' | b' ');
    text.bytes().next().is_some_and(is_of_word) && !text.ends_with(' ') && text.bytes().all(is_inside)
}

/// Address spaces that are nobody's on the Internet, with the bits that all of a space have alike. The last is for examples.
const PRIVATE: [(IpAddr, u8); 5] = [
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0)), 32),
];

/// Whether a subnet lies in private address space. With any other the host's own route to it leads to a bridge: whoever has a
/// container there answers in the place of a registry, a name server or whatever else has the address.
pub(super) fn is_private(subnet: &str) -> bool {
    let Some((address, bits)) = subnet.split_once('/') else { return false };
    let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>()) else { return false };
    PRIVATE.iter().any(|(space, shared)| match (space, address) {
        (IpAddr::V4(space), IpAddr::V4(address)) => {
            bits >= *shared && (space.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(*shared)
        }
        (IpAddr::V6(space), IpAddr::V6(address)) => {
            bits >= *shared && (space.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(*shared)
        }
        _other => false,
    })
}

/// Judges a network by name.
pub(super) fn join(found: &mut Found<'_>, network: &str, field: &str) {
    if network == "host" {
        found.add(Check::NetworkHost, field, network);
    }
    let listed = found.profile.networks.as_ref().is_none_or(|listed| listed.iter().any(|glob| glob.is_match(network)));
    found.add_if(!listed, Check::NetworkNotAllowed, field, network);
}

pub(super) fn publish(found: &mut Found<'_>, binding: &PortBinding<'_>, field: &str) {
    let address: Option<IpAddr> = match binding.host_ip.as_ref() {
        "" => Some(Ipv4Addr::UNSPECIFIED.into()),
        text => text.trim_matches(['[', ']']).parse().ok(),
    };
    let (first, last) = binding.host_port.split_once('-').unwrap_or((&binding.host_port, &binding.host_port));
    let port = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u16>().ok() };
    let listed = match (address, port(first), port(last)) {
        (Some(address), Some(first), Some(last)) if first <= last => found
            .profile
            .publish
            .iter()
            .any(|listed| listed.address == address && listed.first <= first && last <= listed.last),
        _unreadable => false,
    };
    let detail = format!("{}:{}", binding.host_ip, binding.host_port);
    found.add_if(!listed, Check::NetworkPublish, field, &detail);
}
