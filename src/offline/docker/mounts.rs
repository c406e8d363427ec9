//! `--volume`, `--mount` and `--device`.

use serde_json::{Value, json};

use super::{Building, set};

/// `source:target[:mode]`, or a path alone for an anonymous volume.
pub(super) fn volume(building: &mut Building<'_>, value: &str) {
    let Some((source, rest)) = value.split_once(':') else {
        let mut volumes = building.body.get("Volumes").cloned().unwrap_or_else(|| json!({}));
        set(&mut volumes, value, json!({}));
        return building.body("Volumes", volumes);
    };
    // The CLI puts where it stands before a relative path.
    let is_relative = source.starts_with('.');
    let source = if is_relative { format!("{}/{source}", building.directory) } else { source.to_owned() };
    building.add("Binds", json!(format!("{source}:{rest}")));
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
pub(super) fn mount(value: &str) -> Result<Value, String> {
    let mut mount = json!({ "Type": "volume" });
    for field in fields(value)? {
        let (key, said) = field.split_once('=').map_or((field.as_str(), None), |(key, said)| (key, Some(said)));
        one(&mut mount, &key.to_ascii_lowercase(), said)?;
    }
    Ok(mount)
}

fn one(mount: &mut Value, key: &str, said: Option<&str>) -> Result<(), String> {
    let value = said.unwrap_or("true");
    let nested = |mount: &mut Value, outer: &str, inner: &str, value: Value| {
        let mut options = mount.get(outer).cloned().unwrap_or_else(|| json!({}));
        set(&mut options, inner, value);
        set(mount, outer, options);
    };
    match key {
        "type" => set(mount, "Type", json!(value.to_lowercase())),
        "source" | "src" => set(mount, "Source", json!(value)),
        "target" | "dst" | "destination" => set(mount, "Target", json!(value)),
        "readonly" | "ro" => set(mount, "ReadOnly", json!(matches!(value, "true" | "1"))),
        "consistency" => set(mount, "Consistency", json!(value.to_lowercase())),
        "bind-propagation" => nested(mount, "BindOptions", "Propagation", json!(value.to_lowercase())),
        "bind-nonrecursive" | "bind-recursive" | "bind-create-src" | "volume-nocopy" | "volume-label"
        | "tmpfs-size" | "tmpfs-mode" => {}
        "volume-driver" => driver(mount, |driver| set(driver, "Name", json!(value))),
        "volume-opt" => {
            let (name, option) = value.split_once('=').unwrap_or((value, ""));
            driver(mount, |driver| {
                let mut options = driver.get("Options").cloned().unwrap_or_else(|| json!({}));
                set(&mut options, name, json!(option));
                set(driver, "Options", options);
            });
        }
        "volume-subpath" => nested(mount, "VolumeOptions", "Subpath", json!(value)),
        "image-subpath" => nested(mount, "ImageOptions", "Subpath", json!(value)),
        unknown => return Err(format!("'{unknown}' is not understood")),
    }
    Ok(())
}

fn driver(mount: &mut Value, change: impl FnOnce(&mut Value)) {
    let mut options = mount.get("VolumeOptions").cloned().unwrap_or_else(|| json!({}));
    let mut driver = options.get("DriverConfig").cloned().unwrap_or_else(|| json!({}));
    change(&mut driver);
    set(&mut options, "DriverConfig", driver);
    set(mount, "VolumeOptions", options);
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
