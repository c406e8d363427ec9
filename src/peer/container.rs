//! The container a process runs in, from its cgroups.

/// Hex digits of a full container id.
const ID_DIGITS: usize = 64;

/// Finds the container in the text of `/proc/PID/cgroup`: the outermost component with a full id.
///
/// Shapes: `/docker/<id>`, `<parent>/<id>`, `…/docker-<id>.scope`, `libpod-<id>.scope`; with nested cgroups below. A build
/// step (`/docker/buildkit/<short id>`) is no container, nor is podman's monitor (`libpod-conmon-<id>.scope`).
///
/// Below a service nothing is believed: systemd hands the cgroups below `user@1000.service`, and below any service with
/// `Delegate=`, to a user, who could name one after a container and pass for it.
pub(super) fn of_cgroup(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        // hierarchy-ID:controllers:path
        let path = line.splitn(3, ':').nth(2)?;
        path.split('/').take_while(|component| !component.ends_with(".service")).find_map(of_component)
    })
}

fn of_component(component: &str) -> Option<String> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    if name.starts_with("libpod-conmon-") {
        return None;
    }
    let id = name.rsplit_once('-').map_or(name, |(_runtime, id)| id);
    let is_id = id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::of_cgroup;

    const ID: &str = "630706c733e1108194ed6ed4ae7a6011131bfb0c7bad0e77a29f1d5b8b6f2d11";
    const INNER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn containers_are_found_in_every_shape_of_cgroup() {
        for (text, found) in [
            (format!("0::/docker/{ID}\n"), true),
            (format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/system.slice/docker.service\n"), true),
            (format!("0::/system.slice/docker-{ID}.scope\n"), true),
            (format!("0::/my/parent/{ID}/init.scope\n"), true),
            (format!("0::/docker/{ID}/docker/{INNER}\n"), true),
            (format!("0::/machine.slice/libpod-{ID}.scope/container\n"), true),
            (format!("0::/../{ID}\n"), true),
            (format!("0::/machine.slice/libpod-conmon-{ID}.scope\n"), false),
            ("0::/docker/buildkit/xi2pn3kx8mtnl\n".to_owned(), false),
            ("0::/user.slice/user-1000.slice/session-2.scope\n".to_owned(), false),
            (format!("0::/user.slice/user-1000.slice/user@1000.service/docker-{ID}.scope\n"), false),
            (format!("0::/system.slice/runner.service/{ID}\n"), false),
            (format!("0::/docker/{ID}/system.slice/runner.service/{INNER}\n"), true),
            (format!("0::/docker/{}\n", ID.to_uppercase()), false),
            (format!("0::/docker/{ID}0\n"), false),
            ("nonsense".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(of_cgroup(&text).as_deref(), found.then_some(ID), "{text}");
        }
    }
}
