//! `--volume`, `--mount` and `--device`.

use serde_json::{Value, json};

use super::{Building, inner, set, set_in};

/// `source:target[:mode]`, or a path alone for an anonymous volume.
pub(super) fn volume(building: &mut Building<'_>, value: &str) {
    let Some((source, rest)) = value.split_once(':') else {
        return set_in(&mut building.body, "Volumes", value, json!({}));
    };
    let source = absolute(source, building.directory);
    building.add("Binds", json!(format!("{source}:{rest}")));
}

/// The CLI puts where it stands before a relative path.
fn absolute(source: &str, directory: &str) -> String {
    if source.starts_with('.') { format!("{directory}/{source}") } else { source.to_owned() }
}

/// `source[:target][:permissions]`, or the name of a CDI device.
pub(super) fn device(building: &mut Building<'_>, value: &str) {
    if !value.starts_with('/') && value.contains('=') {
        return building.add("DeviceRequests", json!({ "Driver": "cdi", "DeviceIDs": [value] }));
    }
    let mut parts = value.split(':');
    let source = parts.next().unwrap_or_default();
    let target = parts.next().unwrap_or(source);
    let permissions = parts.next().unwrap_or("rwm");
    let device = json!({ "PathOnHost": source, "PathInContainer": target, "CgroupPermissions": permissions });
    building.add("Devices", device);
}

/// `type=bind,source=…,target=…`, in comma-separated values.
pub(super) fn mount(value: &str, directory: &str) -> Result<Value, String> {
    let mut mount = json!({ "Type": "volume" });
    for field in fields(value)? {
        let (key, said) = field.split_once('=').map_or((field.as_str(), None), |(key, said)| (key, Some(said)));
        one(&mut mount, &key.to_ascii_lowercase(), said)?;
    }
    if mount.get("Type") == Some(&json!("bind"))
        && let Some(source) = mount.get("Source").and_then(Value::as_str)
    {
        let source = absolute(source, directory);
        set(&mut mount, "Source", json!(source));
    }
    Ok(mount)
}

fn one(mount: &mut Value, key: &str, said: Option<&str>) -> Result<(), String> {
    let value = said.unwrap_or("true");
    match key {
        "type" => set(mount, "Type", json!(value.to_lowercase())),
        "source" | "src" => set(mount, "Source", json!(value)),
        "target" | "dst" | "destination" => set(mount, "Target", json!(value)),
        "readonly" | "ro" => set(mount, "ReadOnly", json!(matches!(value, "true" | "1"))),
        "consistency" => set(mount, "Consistency", json!(value.to_lowercase())),
        "bind-propagation" => set_in(mount, "BindOptions", "Propagation", json!(value.to_lowercase())),
        "bind-nonrecursive" | "bind-recursive" | "bind-create-src" | "volume-nocopy" | "volume-label"
        | "tmpfs-size" | "tmpfs-mode" => {}
        "volume-driver" | "volume-opt" => {
            let driver = inner(mount, "VolumeOptions").and_then(|options| inner(options, "DriverConfig"));
            match driver {
                Some(driver) if key == "volume-driver" => set(driver, "Name", json!(value)),
                Some(driver) => {
                    let (name, option) = value.split_once('=').unwrap_or((value, ""));
                    set_in(driver, "Options", name, json!(option));
                }
                None => {}
            }
        }
        "volume-subpath" => set_in(mount, "VolumeOptions", "Subpath", json!(value)),
        "image-subpath" => set_in(mount, "ImageOptions", "Subpath", json!(value)),
        unknown => return Err(format!("'{unknown}' is not understood")),
    }
    Ok(())
}

/// Comma-separated values, of which one in quotes may hold commas.
fn fields(value: &str) -> Result<Vec<String>, String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for letter in value.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    if quoted {
        return Err("a quote is open".to_owned());
    }
    fields.push(field);
    Ok(fields)
}
