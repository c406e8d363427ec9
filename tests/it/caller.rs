//! Who a caller in a container is taken for.

use std::process::{Child, Command, Stdio};

use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::eventually;
use super::support::gate::{Gate, Options, WITH_ADMIN};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[[principal]]
name = "root-of-the-host"
profile = "privileged"
match = [{ uid = 0 }]
[[principal]]
name = "runner"
profile = "privileged"
match = [{ in-container = "registry.example.com/runner:*" }]
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

#[test]
fn a_container_that_was_given_no_door_is_nobodys_whatever_its_image_is_called() {
    let engine = Engine::shared();
    let direct = Docker::at(engine.socket());
    let gate = Gate::start(engine.socket(), Options { policy: Some(POLICY), ..Options::default() });
    let image = format!("registry.example.com/runner:{}", unique("x"));
    direct.ok(&["tag", "busybox:1.0", &image]);

    let connect = "
import socket
gate = socket.socket(socket.AF_UNIX)
gate.connect('/gate')
";
    let given = format!("{PYTHON} -v {}:/gate", gate.socket().display());
    run(&direct, &given, &image, &format!("{connect}{PING}"));
    let folder = format!("{PYTHON} -v {}:/gates", gate.dir().display());
    run(&direct, &folder, &image, &format!("{}{PING}", connect.replace("/gate'", "/gates/docker.sock'")));

    // Somebody on the host passes the door's descriptor into a container of his own, by a folder that both see.
    let shared = tempfile::tempdir().unwrap();
    let mut helper = helper(&gate, shared.path());
    eventually("the helper listens", || shared.path().join("s").exists().then_some(()));
    let receive = "
import socket
helper = socket.socket(socket.AF_UNIX)
helper.connect('/shared/s')
_, [door], _, _ = socket.recv_fds(helper, 1, 1)
gate = socket.socket(socket.AF_UNIX)
gate.connect(f'/proc/self/fd/{door}')
";
    let options = format!("{PYTHON} -v {}:/shared", shared.path().display());
    run(&direct, &options, &image, &format!("{receive}{PING}"));
    assert!(helper.wait().unwrap().success());
    direct.ok(&["rmi", &image]);

    let callers = eventually("three records", || Some(callers(&gate)).filter(|callers| callers.len() == 3));
    assert_eq!(callers, ["runner", "runner", "fallback"]);
}

#[test]
fn an_admin_is_in_no_container() {
    let engine = Engine::shared();
    let gate = Gate::start(engine.socket(), Options { config: Some(WITH_ADMIN), ..Options::default() });
    // In a container of its own, root may write to a socket of mode 0600.
    let ask = "
import socket
gate = socket.socket(socket.AF_UNIX)
gate.connect('/admin')
try:
    gate.sendall(b'GET /health HTTP/1.1\\r\\nHost: tidewaiter\\r\\n\\r\\n')
    said = gate.recv(4096)
except (BrokenPipeError, ConnectionResetError): said = b''
assert not said, said
";
    let admin = gate.dir().join("admin.sock");
    run(&Docker::at(engine.socket()), &format!("{PYTHON} -v {}:/admin", admin.display()), "busybox:1.0", ask);
    assert!(gate.log().contains("no admin is in a container"), "{}", gate.log());
}

/// Gives whoever comes to `shared/s` a descriptor of the gate's socket.
fn helper(gate: &Gate, shared: &std::path::Path) -> Child {
    let program = "
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + '/s')
listener.listen()
caller, _ = listener.accept()
socket.send_fds(caller, [b'x'], [os.open(sys.argv[2], os.O_PATH)])
";
    let mut command = Command::new("python3");
    command.args(["-c", program]).arg(shared).arg(gate.socket());
    command.stdin(Stdio::null()).spawn().unwrap()
}
