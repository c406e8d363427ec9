//! `--publish`.

use serde_json::{Value, json};

use super::{inner, push, set_in};

/// `[address:][host port][:container port][/protocol]`, ranges, and `published=…,target=…`.
pub(super) fn publish(body: &mut Value, host: &mut Value, value: &str) -> Result<(), String> {
    if value.contains('=') {
        return long(body, host, value);
    }
    let (ports, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
    let (rest, container) = ports.rsplit_once(':').map_or(("", ports), |(rest, container)| (rest, container));
    let (address, published) = rest.rsplit_once(':').unwrap_or(("", rest));
    let address = address.trim_matches(['[', ']']);
    let inside = range(container)?;
    let outside = if published.is_empty() { None } else { Some(range(published)?) };
    for (index, port) in (inside.0..=inside.1).enumerate() {
        let host_port = match outside {
            None => String::new(),
            // One port of the container may take any of a range.
            Some((first, last)) if inside.0 == inside.1 && first != last => format!("{first}-{last}"),
            Some((first, last)) if last - first == inside.1 - inside.0 => (usize::from(first) + index).to_string(),
            Some(_) => return Err("its ranges differ in length".to_owned()),
        };
        bind(body, host, &format!("{port}/{protocol}"), address, &host_port);
    }
    Ok(())
}

fn long(body: &mut Value, host: &mut Value, value: &str) -> Result<(), String> {
    let (mut target, mut published, mut protocol) = ("", "", "tcp");
    for field in value.split(',') {
        match field.split_once('=') {
            Some(("target", value)) => target = value,
            Some(("published", value)) => published = value,
            Some(("protocol", value)) => protocol = value,
            Some(("mode", _)) => {}
            _unknown => return Err(format!("'{field}' is not understood")),
        }
    }
    let (first, last) = range(target)?;
    if first != last {
        return Err("a range is not understood here".to_owned());
    }
    bind(body, host, &format!("{first}/{protocol}"), "", published);
    Ok(())
}

fn bind(body: &mut Value, host: &mut Value, port: &str, address: &str, host_port: &str) {
    if let Some(all) = inner(host, "PortBindings") {
        push(all, port, json!({ "HostIp": address, "HostPort": host_port }));
    }
    set_in(body, "ExposedPorts", port, json!({}));
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let wrong = |_no| format!("'{text}' is no port");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().map_err(wrong)?, last.parse().map_err(wrong)?);
    if first <= last { Ok((first, last)) } else { Err(format!("'{text}' runs backwards")) }
}
