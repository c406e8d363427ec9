//! Compiles the kernel's part of the sensor, where that is asked for and clang is there. Without, the program has no sensor
//! and says so when it starts.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: [&str; 4] = ["src/bpf/sensor.bpf.c", "src/bpf/kernel.h", "src/bpf/maps.h", "src/bpf/records.h"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(sensor_object)");
    println!("cargo::rerun-if-env-changed=CLANG");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    if env::var_os("CARGO_FEATURE_SENSOR").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("sensor.bpf.o");
    match compile(&out) {
        Ok(()) => println!("cargo::rustc-cfg=sensor_object"),
        Err(why) => println!(
            "cargo::warning=built without the kernel sensor: {why}; it needs clang 14 or later and the headers of libbpf \
             (apt-get install clang libbpf-dev)"
        ),
    }
}

fn compile(out: &Path) -> Result<(), String> {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let endian = env::var("CARGO_CFG_TARGET_ENDIAN").unwrap_or_default();
    let target = if endian == "big" { "bpfeb" } else { "bpfel" };
    let output = Command::new(&clang)
        .args(["-target", target, "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        // The oldest instructions that do: a kernel of 5.8 knows no more.
        .arg("-mcpu=v2")
        // Debian keeps <asm/types.h> apart by architecture, where clang does not look for this target.
        .arg(format!("-idirafter/usr/include/{arch}-linux-gnu"))
        .args(["-c", "src/bpf/sensor.bpf.c", "-o"])
        .arg(out)
        .output()
        .map_err(|error| format!("cannot run '{clang}': {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| line.contains("error")).unwrap_or("it failed");
    Err(format!("'{clang}' says: {first}"))
}
