//! Who a caller in a container is taken for.

use super::support::docker::Docker;
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[[principal]]
name = "root-of-the-host"
profile = "privileged"
match = [{ uid = 0 }]
[fallback]
profile = "restricted"
"#;

/// This host's Python in a container.
const PYTHON: &str = "-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro";

/// Asks for `/_ping` on the socket `gate`.
const PING: &str = "
gate.sendall(b'GET /_ping HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n')
while gate.recv(4096): pass
";

/// The principals of the pings so far, in order.
fn callers(gate: &Gate) -> Vec<String> {
    let records = gate.records().into_iter().filter(|record| record["request"]["operation"] == "SystemPing");
    records.filter_map(|record| record["principal"]["name"].as_str().map(ToOwned::to_owned)).collect()
}

#[track_caller]
fn run(docker: &Docker, options: &str, image: &str, program: &str) {
    let line = format!("docker run --rm {options} {image} /usr/bin/python3 -c \"$PROGRAM\"");
    let said = docker.script(&line, &[("PROGRAM", program)]);
    assert!(said.status.success(), "{said:#?}");
}

#[test]
fn a_process_that_is_gone_does_not_leave_its_container_behind() {
    let engine = Engine::shared();
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let options = format!("{PYTHON} -v {}:/gate", gate.socket().display());
    // Who connects ends at once, and another speaks on the same descriptor.
    let connect = "
import os, socket
gate = socket.socket(socket.AF_UNIX)
child = os.fork()
if not child:
    gate.connect('/gate')
    os._exit(0)
os.waitpid(child, 0)
";
    run(&Docker::at(engine.socket()), &options, "busybox:1.0", &format!("{connect}{PING}"));
    let caller = eventually("a record", || callers(&gate).pop());
    assert_eq!(caller, "fallback", "root of a container was taken for root of the host");
}
