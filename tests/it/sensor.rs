//! The kernel sensor, in the kernel of this machine, beside a real engine.
//!
//! Other tests run containers meanwhile, and other engines may: each test looks at its own.

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use tidewaiter::sys::{Capability, keep_capabilities};
use tidewaiter::watch::sensor::{self, Handle, Part, Setting};
use tidewaiter::watch::{Action, Event, Notice, Process, Protocol, What};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::Instant;

use super::support::DEADLINE;
use super::support::docker::{Docker, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};

const IMAGE: &str = "busybox:1.0";

/// A sensor, and what it told so far.
struct Watching {
    notices: Receiver<Notice>,
    handle: Handle,
    events: Vec<Event>,
    gaps: u64,
}

impl Watching {
    /// `None`, loudly, where a sensor cannot be: no BTF, or not the rights.
    fn start() -> Option<Self> {
        Self::with(setting())
    }

    fn with(setting: Setting) -> Option<Self> {
        let (status, notices, handle) = sensor::start(setting);
        let lacks_rights = !status.is_on() && status.to_string().contains("CAP_");
        if !std::fs::exists("/sys/kernel/btf/vmlinux").unwrap() || lacks_rights {
            println!("SKIPPED: no kernel sensor here: {status}");
            return None;
        }
        assert_eq!(status.to_string(), "on: programs, TCP, UDP and raw sockets, DNS names");
        Some(Self { notices, handle, events: Vec::new(), gaps: 0 })
    }

    /// Takes what is there.
    fn take(&mut self) {
        loop {
            match self.notices.try_recv() {
                Ok(Notice::Event(event)) => self.events.push(event),
                Ok(Notice::Gap { lost, from, to }) => {
                    assert!(from <= to, "{from} {to}");
                    self.gaps += lost;
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => panic!("the sensor ended"),
            }
        }
    }

    /// What a container did so far.
    fn of(&self, container: &str) -> Vec<&What> {
        self.events.iter().filter(|event| event.container == container).map(|event| &event.what).collect()
    }

    /// Waits for something that a container does.
    fn wait(&mut self, container: &str, what: &str, mut is: impl FnMut(&What) -> bool) -> What {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.take();
            if let Some(found) = self.of(container).into_iter().find(|what| is(what)) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "not seen: {what}; but {:#?}", self.of(container));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of a container, which is the last that is told of it.
    fn until_gone(&mut self, container: &str) {
        self.wait(container, "its end", |what| *what == What::Gone);
    }

    fn network(&mut self, container: &str, wanted: Action, with: Protocol) -> What {
        self.wait(
            container,
            &format!("{wanted:?} {with:?}"),
            |what| matches!(what, What::Network { action, protocol, .. } if (*action, *protocol) == (wanted, with)),
        )
    }

    fn execs(&self, container: &str) -> Vec<Process> {
        let execs = self.of(container).into_iter();
        execs.filter_map(|what| if let What::Exec(process) = what { Some(process.clone()) } else { None }).collect()
    }

    fn commands(&self, container: &str) -> Vec<String> {
        self.execs(container).into_iter().map(|process| process.argv.join(" ")).collect()
    }
}

fn setting() -> Setting {
    Setting { probe: vec!["/bin/true".to_owned()], ..Setting::default() }
}

fn docker() -> Docker {
    Docker::at(Engine::shared().socket())
}

/// Makes a container and returns its id.
fn create(docker: &Docker, options: &[&str], command: &[&str]) -> String {
    let name = unique("sensor");
    docker.ok(&[&["create", "--name", &name], options, &[IMAGE], command].concat())
}

/// Makes a container, starts it and returns its id.
fn run(docker: &Docker, options: &[&str], command: &[&str]) -> String {
    let id = create(docker, options, command);
    docker.ok(&["start", &id]);
    id
}

fn remove(docker: &Docker, ids: &[&str]) {
    docker.ok(&[&["rm", "-f"], ids].concat());
}

#[test]
fn the_first_programs_of_a_container_are_told_in_order() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let id = create(&docker, &["--user", "1000"], &["sh", "-c", "/bin/ls /; /bin/true a b"]);
    docker.ok(&["start", "-a", &id]);
    watching.until_gone(&id);
    let told = watching.of(&id);
    assert_eq!(told.first(), Some(&&What::Appeared), "{told:#?}");
    assert!(matches!(told.get(1), Some(What::Entered { comm, .. }) if comm.starts_with("runc")), "{told:#?}");
    assert_eq!(watching.commands(&id), ["sh -c /bin/ls /; /bin/true a b", "/bin/ls /", "/bin/true a b"]);
    let execs = watching.execs(&id);
    assert_eq!((execs[0].path.as_str(), execs[0].inner_pid, execs[0].uid), ("/bin/sh", 1, 1000));
    assert_eq!(execs[1].parent, execs[0].pid);
    for process in &execs {
        assert!(!process.truncated);
        assert!(told.contains(&&What::Exited { pid: process.pid }), "{told:#?}");
    }
    // The stamps are times of the wall clock, in order.
    let times: Vec<_> = watching.events.iter().filter(|event| event.container == id).collect();
    assert!(times.is_sorted_by_key(|event| event.boot_ns));
    let age = jiff::Timestamp::now().duration_since(times[0].time);
    assert!(age.as_secs() >= 0 && age < jiff::SignedDuration::from_secs(120), "{age}");
    remove(&docker, &[&id]);
}

#[test]
fn an_exec_is_told_as_an_entry_and_the_program_it_runs() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let id = run(&docker, &[], &["sleep", "1000"]);
    docker.ok(&["exec", &id, "/bin/echo", "hello"]);
    let exec = watching.wait(&id, "echo", |what| matches!(what, What::Exec(process) if process.argv[0] == "/bin/echo"));
    let What::Exec(process) = exec else { panic!("{exec:?}") };
    let entered = |what: &&What| matches!(what, What::Entered { pid, .. } if *pid == process.pid);
    assert!(watching.of(&id).iter().any(entered), "{:#?}", watching.of(&id));
    assert_ne!(process.inner_pid, 1);
    remove(&docker, &[&id]);
}

#[test]
fn a_container_that_was_there_before_is_found_and_then_seen() {
    let docker = docker();
    let id = run(&docker, &[], &["sleep", "1000"]);
    let Some(mut watching) = Watching::start() else { return };
    watching.wait(&id, "that it is there", |what| *what == What::Found);
    docker.ok(&["exec", &id, "/bin/echo", "hello"]);
    watching.wait(&id, "echo", |what| matches!(what, What::Exec(process) if process.argv == ["/bin/echo", "hello"]));
    remove(&docker, &[&id]);
    watching.until_gone(&id);
    assert!(!watching.of(&id).contains(&&What::Appeared));
}

#[test]
fn whoever_enters_past_the_engine_is_seen_too() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let id = run(&docker, &[], &["sleep", "1000"]);
    let root = Engine::shared().socket().with_file_name("run").join("runtime-runc/moby");
    let status = Command::new("runc").arg("--root").arg(root).args(["exec", &id, "/bin/id", "-u"]).status().unwrap();
    assert!(status.success());
    watching.wait(&id, "id", |what| matches!(what, What::Exec(process) if process.argv == ["/bin/id", "-u"]));
    let entries = watching.of(&id).into_iter().filter(|what| matches!(what, What::Entered { .. })).count();
    assert!(entries >= 2, "{:#?}", watching.of(&id));
    remove(&docker, &[&id]);
}

#[test]
fn no_short_container_is_missed() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let ids: Vec<String> = (0..10).map(|_| create(&docker, &["--network", "none"], &["/bin/true"])).collect();
    docker.ok(&[&["start"], &*ids.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    for id in &ids {
        watching.until_gone(id);
        assert_eq!(watching.commands(id), ["/bin/true"], "{:#?}", watching.of(id));
    }
    remove(&docker, &ids.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_runtime_is_not_taken_for_the_container() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    // In the host's process namespace no program of the container is number 1.
    let host = create(&docker, &["--pid", "host"], &["/bin/echo", "host"]);
    docker.ok(&["start", "-a", &host]);
    watching.until_gone(&host);
    assert_eq!(watching.commands(&host), ["/bin/echo host"]);
    let process = &watching.execs(&host)[0];
    assert_eq!(process.inner_pid, process.pid);
    // The first program is the engine's, the one that was asked for comes after it.
    let init = create(&docker, &["--init"], &["/bin/echo", "init"]);
    docker.ok(&["start", "-a", &init]);
    watching.until_gone(&init);
    assert_eq!(watching.commands(&init), ["/sbin/docker-init -- /bin/echo init", "/bin/echo init"]);
    remove(&docker, &[&host, &init]);
}

#[test]
fn a_program_has_the_rights_of_its_file_if_that_is_setuid() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let act = "echo other:x:1000:1000::/: >>/etc/passwd; cp /bin/busybox /tmp/true; chmod 4755 /tmp/true; \
               exec start-stop-daemon -S -c other -x /tmp/true";
    let id = create(&docker, &[], &["sh", "-c", act]);
    docker.ok(&["start", "-a", &id]);
    watching.until_gone(&id);
    let last = watching.execs(&id).pop().unwrap();
    assert_eq!((last.path.as_str(), last.uid), ("/tmp/true", 0));
    remove(&docker, &[&id]);
}

#[test]
fn tcp_is_told_for_whose_socket_it_is() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let server = run(&docker, &[], &["httpd", "-f", "-p", "80"]);
    let address = docker.ok(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &server]);
    let What::Network { local, by, .. } = watching.network(&server, Action::Listen, Protocol::Tcp) else { panic!() };
    assert_eq!((local.unwrap().port(), by.unwrap().1.as_str()), (80, "httpd"));

    let ask = format!("wget -q -O /dev/null http://{address}/; nc -w 5 {address} 81; true");
    let client = create(&docker, &[], &["sh", "-c", &ask]);
    docker.ok(&["start", "-a", &client]);
    watching.until_gone(&client);
    let remote: std::net::IpAddr = address.parse().unwrap();
    for (action, port) in
        [(Action::Connect, 80), (Action::Established, 80), (Action::Connect, 81), (Action::Refused, 81)]
    {
        let is = |what: &&&What| {
            matches!(what, What::Network { action: did, remote: to, .. }
                if *did == action && *to == Some((remote, port).into()))
        };
        assert_eq!(watching.of(&client).iter().filter(is).count(), 1, "{action:?} {port}: {:#?}", watching.of(&client));
    }
    let What::Network { local, remote, by, .. } = watching.network(&server, Action::Accept, Protocol::Tcp) else {
        panic!()
    };
    assert_eq!((local.unwrap().port(), by), (80, None));
    assert_ne!(remote.unwrap().ip(), local.unwrap().ip());
    remove(&docker, &[&server, &client]);
}

#[test]
fn a_container_in_the_hosts_network_is_still_the_one_that_connects() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let id = create(&docker, &["--network", "host"], &["nc", "-w", "5", "127.0.0.1", &port.to_string()]);
    docker.ok(&["start", &id]);
    listener.accept().unwrap();
    let What::Network { remote, .. } = watching.network(&id, Action::Established, Protocol::Tcp) else { panic!() };
    assert_eq!(remote, Some(([127, 0, 0, 1], port).into()));
    watching.until_gone(&id);
    remove(&docker, &[&id]);
}

#[test]
fn datagrams_raw_sockets_and_names_are_told() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let network = unique("sensor-net");
    docker.ok(&["network", "create", &network]);
    let act = "traceroute -n -m 1 -q 1 -w 1 127.0.0.1; ping -c 1 127.0.0.1; \
               nslookup First.Example.test; nslookup second.example.test 127.0.0.1; true";
    let id = create(&docker, &["--network", &network], &["sh", "-c", act]);
    docker.ok(&["start", "-a", &id]);
    watching.until_gone(&id);
    let What::Network { remote, by, .. } = watching.network(&id, Action::Connect, Protocol::Udp) else { panic!() };
    assert_eq!((remote, by.unwrap().1.as_str()), (Some(([127, 0, 0, 1], 33434).into()), "traceroute"));
    watching.network(&id, Action::Send, Protocol::Udp);
    watching.network(&id, Action::Open, Protocol::Other(1));
    for (name, server) in [("first.example.test", [127, 0, 0, 11]), ("second.example.test", [127, 0, 0, 1])] {
        let wanted = What::Dns { name: name.to_owned(), server: Some((server, 53).into()) };
        let times = watching.of(&id).into_iter().filter(|what| **what == wanted).count();
        assert_eq!(times, 1, "{name}: {:#?}", watching.of(&id));
    }
    remove(&docker, &[&id]);
    docker.ok(&["network", "rm", &network]);
}

#[test]
fn a_storm_in_one_container_hides_nothing_of_the_others() {
    let (Some(mut watching), docker) = (Watching::start(), docker()) else { return };
    let storm = run(&docker, &[], &["sh", "-c", "n=0; while [ $n -lt 40000 ]; do /bin/true; n=$((n+1)); done"]);
    watching.wait(&storm, "the storm", |what| matches!(what, What::Untold { .. }));
    for round in 0..8 {
        let id = create(&docker, &[], &["/bin/echo", &round.to_string()]);
        docker.ok(&["start", "-a", &id]);
        watching.until_gone(&id);
        assert_eq!(watching.commands(&id), [format!("/bin/echo {round}")]);
        remove(&docker, &[&id]);
    }
    // Nor a program that is sent into the storm itself.
    docker.ok(&["exec", &storm, "/bin/echo", "in the storm"]);
    watching.wait(&storm, "echo", |what| matches!(what, What::Exec(process) if process.argv[0] == "/bin/echo"));
    docker.ok(&["wait", &storm]);
    remove(&docker, &[&storm]);
    watching.until_gone(&storm);
    let untold = watching.of(&storm).into_iter();
    let untold = untold.map(|what| if let What::Untold { execs, .. } = what { *execs } else { 0 });
    let (told, untold) = (watching.execs(&storm).len() as u64, untold.sum::<u64>());
    println!("{told} told one by one, {untold} counted");
    assert_eq!(told + untold, 1 + 40_000 + 1);
    assert_eq!(watching.gaps, 0);
}

#[test]
fn what_does_not_fit_is_counted_to_the_last_event() {
    let many = Setting { budget: 1 << 40, queue: 1 << 20, ..setting() };
    let whole = Setting { ring: 64 << 20, ..many.clone() };
    let tiny = Setting { ring: 4096, ..many };
    let (Some(mut whole), Some(mut tiny)) = (Watching::with(whole), Watching::with(tiny)) else { return };
    let docker = docker();
    let id = create(&docker, &[], &["sh", "-c", "n=0; while [ $n -lt 2000 ]; do /bin/true; n=$((n+1)); done"]);
    docker.ok(&["start", "-a", &id]);
    whole.until_gone(&id);
    let deadline = Instant::now() + DEADLINE;
    let total = whole.of(&id).len() as u64;
    assert!(total > 4000, "{total}");
    assert_eq!(whole.gaps, 0);
    while tiny.of(&id).len() as u64 + tiny.gaps < total {
        assert!(Instant::now() < deadline, "{} + {} of {total}", tiny.of(&id).len(), tiny.gaps);
        std::thread::sleep(Duration::from_millis(10));
        tiny.take();
    }
    // What other containers did at the same time may be among what is lost.
    whole.take();
    tiny.take();
    let others = (whole.events.len() - whole.of(&id).len()) as u64;
    let sum = tiny.of(&id).len() as u64 + tiny.gaps;
    println!("{total} events: {} told, {} lost; {others} of others", tiny.of(&id).len(), tiny.gaps);
    assert!(tiny.gaps > 0);
    assert_eq!(tiny.handle.meter().stats().lost, tiny.gaps);
    assert!((total..=total + others).contains(&sum), "{sum} of {total}, {others} of others");
    remove(&docker, &[&id]);
}

#[test]
fn whoever_does_not_take_the_notices_delays_nobody() {
    let Some(mut watching) = Watching::with(Setting { budget: 1 << 40, ring: 8192, queue: 4, ..setting() }) else {
        return;
    };
    let docker = docker();
    let id = create(&docker, &[], &["sh", "-c", "n=0; while [ $n -lt 500 ]; do /bin/true; n=$((n+1)); done"]);
    docker.ok(&["start", "-a", &id]);
    let end = Instant::now() + DEADLINE;
    while watching.gaps == 0 {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(10));
        watching.take();
    }
    remove(&docker, &[&id]);
}

/// The programs at the root of cgroup2 are asked before each packet of the host.
#[test]
fn everything_still_passes_while_the_sensor_looks() {
    let (Some(watching), docker) = (Watching::start(), docker()) else { return };
    for address in [Ipv4Addr::LOCALHOST.into(), std::net::IpAddr::from(Ipv6Addr::LOCALHOST)] {
        if address.is_ipv6() && UdpSocket::bind((address, 0)).is_err() {
            continue; // no IPv6 on this machine
        }
        let [one, other] = [(); 2].map(|()| UdpSocket::bind((address, 0)).unwrap());
        let mut bytes = [0; 8];
        one.send_to(b"sent", other.local_addr().unwrap()).unwrap();
        assert_eq!(other.recv(&mut bytes).unwrap(), 4);
        other.connect(one.local_addr().unwrap()).unwrap();
        other.send(b"back").unwrap();
        assert_eq!(one.recv(&mut bytes).unwrap(), 4);
        let listener = TcpListener::bind((address, 0)).unwrap();
        let mut stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        drop(listener.accept().unwrap());
        assert_eq!(stream.read(&mut bytes).unwrap(), 0);
    }
    let said = docker.ok(&["run", "--rm", IMAGE, "sh", "-c", "ping -c 1 127.0.0.1 >/dev/null && echo passed"]);
    assert_eq!(said, "passed");
    watching.handle.stop();
}

#[test]
fn a_sensor_that_nobody_wants_is_off() {
    let (status, mut notices, handle) = sensor::start(Setting { want: sensor::Want::Off, ..setting() });
    assert_eq!(
        (status.to_string().as_str(), status.is_on(), status.has(Part::Tcp)),
        ("off: by configuration", false, false)
    );
    assert_eq!(notices.try_recv(), Err(TryRecvError::Disconnected));
    handle.stop();
}

#[test]
fn a_sensor_whose_own_child_is_not_seen_does_not_claim_to_be_on() {
    let (status, _, _) = sensor::start(Setting { probe: vec!["/no/such/program".to_owned()], ..setting() });
    assert!(status.to_string().starts_with("off: "), "{status}");
}

/// A thread's capabilities are its own, and those that it starts have no more.
#[test]
fn without_a_capability_what_takes_it_is_off_and_the_rest_is_on() {
    use Capability::{Bpf, NetAdmin, Perfmon, SysAdmin};

    if Watching::start().is_none() {
        return;
    }
    let less = "on: programs, TCP; off: UDP and raw sockets, DNS names (it takes CAP_NET_ADMIN: add what is missing to the \
                gate's capabilities)";
    let none = "off: it takes CAP_BPF and CAP_PERFMON: add what is missing to the gate's capabilities";
    let all = "on: programs, TCP, UDP and raw sockets, DNS names";
    let table: &[(&[Capability], &str)] = &[
        (&[Bpf, Perfmon, NetAdmin], all),
        (&[SysAdmin], all),
        (&[Bpf, Perfmon], less),
        (&[Bpf, NetAdmin], none),
        (&[], none),
    ];
    for (held, line) in table {
        let status = std::thread::scope(|scope| {
            let start = || {
                keep_capabilities(held.iter().copied().collect()).unwrap();
                sensor::start(setting()).0.to_string()
            };
            scope.spawn(start).join().unwrap()
        });
        assert_eq!(status, *line, "{held:?}");
    }
}

#[test]
fn a_gate_says_what_of_the_sensor_is_on() {
    let config = |sensor| {
        format!(
            "[engine]\naddress = 'unix://{{engine}}'\n[listen.a]\naddress = 'unix://{{dir}}/docker.sock'\n[watch]\nsensor = '{sensor}'\n"
        )
    };
    let log = |sensor| {
        let text = config(sensor);
        let engine = Engine::shared();
        let mut gate = Gate::start(engine.socket(), Options { config: Some(&text), ..Options::default() });
        assert!(gate.terminate().success());
        gate.log()
    };
    let off = log("off");
    assert!(off.contains("off: by configuration"), "{off}");
    if Watching::start().is_some() {
        let log = log("kernel");
        assert!(log.contains("on: programs, TCP, UDP and raw sockets, DNS names"), "{log}");
    }
}

#[test]
fn a_gate_that_must_have_a_sensor_does_not_start_without() {
    let engine = Engine::shared();
    let dir = tempfile::tempdir().unwrap();
    let door = dir.path().join("docker.sock");
    let config = format!(
        "[engine]\naddress = 'unix://{}'\n[listen.a]\naddress = 'unix://{}'\n[watch]\nsensor = 'kernel'\n[state]\ndirectory = '{}'\n",
        engine.socket().display(),
        door.display(),
        dir.path().display()
    );
    let file = dir.path().join("tidewaiter.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--bounding-set=-bpf,-sys_admin",
        "--inh-caps=-all",
        "--",
        env!("CARGO_BIN_EXE_tidewaiter"),
        "run",
        "--config",
    ]);
    let output = command.arg(&file).env("XDG_STATE_HOME", dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("the kernel sensor is off: it takes CAP_BPF and CAP_PERFMON"), "{said}");
    assert!(!dir.path().join("journal.jsonl").exists());
}
