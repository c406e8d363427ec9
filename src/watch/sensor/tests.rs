//! What bytes of the kernel come to, and what is said of the whole.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::question;
use super::record::{Body, Record, container, decode};
use super::status::{Off, Part, Status};
use crate::watch::kernel::{Action, Process, Protocol, What};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Bytes as the kernel's side writes them.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn head(kind: u32, pid: u32) -> Self {
        Self::default().u64(7).u64(9).u32(kind).u32(pid)
    }

    fn u64(self, number: u64) -> Self {
        self.raw(&number.to_ne_bytes())
    }

    fn u32(self, number: u32) -> Self {
        self.raw(&number.to_ne_bytes())
    }

    fn u16(self, number: u16) -> Self {
        self.raw(&number.to_ne_bytes())
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// With what may be left of an older record behind it.
    fn padded(mut self, bytes: &[u8], room: usize) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len() + room - bytes.len(), 0);
        self
    }

    fn ends(self, local: &[u8], remote: &[u8], ports: (u16, u16), family: u16, protocol: u16) -> Self {
        let ends = self.padded(local, 16).padded(remote, 16);
        ends.u16(ports.0).u16(ports.1).u16(family).u16(protocol)
    }

    fn exec(path: &[u8], args: &[u8], cut: u32) -> Self {
        let (path_length, args_length) = (u32::try_from(path.len()).unwrap(), u32::try_from(args.len()).unwrap());
        let numbers = Self::head(3, 40).u32(30).u32(1).u32(1000).u32(path_length).u32(args_length).u32(cut);
        numbers.padded(path, 256).padded(args, 1024)
    }
}

fn process(path: &str, argv: &[&str], truncated: bool) -> What {
    let argv = argv.iter().map(|argument| (*argument).to_owned()).collect();
    What::Exec(Process { pid: 40, parent: 30, inner_pid: 1, uid: 1000, path: path.to_owned(), argv, truncated })
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn each_record_is_read() {
    let by = Some((40, "nc".to_owned()));
    let network = |action, protocol, local, remote, by| What::Network { action, protocol, local, remote, by };
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2];
    let question = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x03wWw\x07example\0\0\x01\0\x01";
    let asked = |to: &[u8], port| {
        let length = u32::try_from(question.len()).unwrap();
        Bytes::head(6, 0).ends(&[], to, (0, port), 2, 17).u32(length).u32(0).padded(question, 272)
    };
    let table: Vec<(Bytes, What)> = vec![
        (Bytes::head(2, 40).padded(b"runc:[2:INIT]", 16), What::Entered { pid: 40, comm: "runc:[2:INIT]".to_owned() }),
        (Bytes::exec(b"/bin/sh\0", b"sh\0-c\0\0", 0), process("/bin/sh", &["sh", "-c", ""], false)),
        (Bytes::exec(b"/bin/sh\0", b"sh\0-c\0tru", 1), process("/bin/sh", &["sh", "-c", "tru"], true)),
        // What could not be read is not passed off as nothing.
        (Bytes::exec(b"/bin/sh\0", b"", 0), process("/bin/sh", &[], true)),
        (Bytes::exec(b"/\xff\0", b"a\xff\0", 0), process("/\u{fffd}", &["a\u{fffd}"], false)),
        (Bytes::head(4, 40), What::Exited { pid: 40 }),
        (
            Bytes::head(5, 40).ends(&[0; 4], &[10, 0, 0, 1], (0, 443), 2, 6).u32(1).u32(0).padded(b"nc", 16),
            network(Action::Connect, Protocol::Tcp, None, address("10.0.0.1:443"), by.clone()),
        ),
        (
            Bytes::head(5, 0).ends(&mapped, &mapped, (80, 5), 10, 6).u32(5).u32(0).padded(b"", 16),
            network(Action::Accept, Protocol::Tcp, address("10.0.0.2:80"), address("10.0.0.2:5"), None),
        ),
        (
            Bytes::head(5, 40).ends(&[0; 16], &[0; 16], (53, 0), 10, 17).u32(7).u32(0).padded(b"nc", 16),
            network(Action::Bind, Protocol::Udp, address("[::]:53"), None, by.clone()),
        ),
        (
            Bytes::head(5, 40).ends(&[], &[], (0, 0), 2, 1).u32(8).u32(0).padded(b"nc", 16),
            network(Action::Open, Protocol::Other(1), None, None, by),
        ),
        (asked(&[8, 8, 8, 8], 53), What::Dns { name: "www.example".to_owned(), server: address("8.8.8.8:53") }),
        // The engine's resolver, behind the rule that leads to it.
        (
            asked(&[127, 0, 0, 11], 39001),
            What::Dns { name: "www.example".to_owned(), server: address("127.0.0.11:53") },
        ),
        (Bytes::head(7, 0), What::Gone),
    ];
    for (bytes, what) in table {
        assert_eq!(decode(&bytes.0), Some(Record { boot_ns: 7, owner: 9, body: Body::What(what.clone()) }), "{what:?}");
    }
    let appeared = Bytes::head(1, 0).raw(ID.as_bytes());
    assert_eq!(decode(&appeared.0).unwrap().body, Body::Appeared(ID.to_owned()));
    assert_eq!(decode(&Bytes::head(8, 40).0).unwrap().body, Body::Probe);
}

#[test]
fn what_is_no_record_is_none() {
    let mut table = vec![
        Bytes::head(0, 0),
        Bytes::head(9, 0),
        Bytes::head(1, 0).raw(ID.to_uppercase().as_bytes()),
        Bytes::head(5, 0).ends(&[], &[], (0, 0), 2, 6).u32(9).u32(0).padded(b"", 16),
    ];
    // Lengths that lead out of the record.
    for at in [36, 40] {
        let mut bytes = Bytes::exec(b"/bin/sh\0", b"sh\0", 0);
        bytes.0[at..at + 4].copy_from_slice(&5000_u32.to_ne_bytes());
        table.push(bytes);
    }
    for bytes in table {
        assert_eq!(decode(&bytes.0), None, "{:?}", bytes.0);
    }
}

#[test]
fn names_of_questions_are_read() {
    let head = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0";
    let table: &[(&[u8], Option<&str>)] = &[
        (b"\x01a\x02Bc\0\0\x01\0\x01", Some("a.bc")),
        (b"\x03a.b\x01\\\x02 \n\0\0\x01\0\x01", Some("a\\.b.\\\\.\\032\\010")),
        (b"\0\0\x01\0\x01", None),
        (b"\x05abc", None),
        (b"\x01a", None),
        (b"\xc0\x0c\0\x01\0\x01", None),
    ];
    for (rest, name) in table {
        assert_eq!(question::name(&[head, *rest].concat()).as_deref(), *name, "{rest:?}");
    }
    for head in [b"\0\x01\x81\0\0\x01\0\0\0\0\0\0", b"\0\x01\x01\0\0\0\0\0\0\0\0\0", b"\0\x01\x28\0\0\x01\0\0\0\0\0\0"]
    {
        assert_eq!(question::name(&[&head[..], b"\x01a\0\0\x01\0\x01"].concat()), None, "{head:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(kind in 0_u32..10, mut bytes in prop::collection::vec(any::<u8>(), 0..1600)) {
        if let Some(place) = bytes.get_mut(16..20) {
            place.copy_from_slice(&kind.to_ne_bytes());
        }
        drop(decode(&bytes));
        drop(question::name(&bytes));
    }

    /// Whatever a container runs is told as it is, up to what the record has room for.
    #[test]
    fn arguments_come_out_as_they_went_in(argv in prop::collection::vec("[^\0]{0,20}", 1..10)) {
        let args: String = argv.iter().flat_map(|argument| [argument.as_str(), "\0"]).collect();
        let decoded = decode(&Bytes::exec(b"/x\0", args.as_bytes(), 0).0).unwrap();
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        prop_assert_eq!(decoded.body, Body::What(process("/x", &argv, false)));
    }
}

#[test]
fn an_id_is_64_digits() {
    assert_eq!(container(ID.as_bytes()).as_deref(), Some(ID));
    for other in [ID.trim_start_matches('0'), &ID.to_uppercase(), &format!("{ID}0"), ""] {
        assert_eq!(container(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn the_status_is_one_line_that_says_what_would_help() {
    let no = || Off::Capability("CAP_NET_ADMIN");
    let table = [
        (Status::but(vec![]), "on: programs, TCP, UDP and raw sockets, DNS names"),
        (
            Status::but(vec![(Part::Datagrams, no()), (Part::Names, no())]),
            "on: programs, TCP; off: UDP and raw sockets, DNS names (it takes CAP_NET_ADMIN: add what is missing to the gate's \
             capabilities)",
        ),
        (
            Status::but(vec![(Part::Tcp, Off::Refused("no".to_owned())), (Part::Names, Off::NoCgroup2)]),
            "on: programs, UDP and raw sockets; off: TCP (the kernel refused: no); off: DNS names (no cgroup2 is mounted \
             (/sys/fs/cgroup/unified): boot with it)",
        ),
        (Status::off(Off::Configured), "off: by configuration"),
    ];
    for (status, line) in table {
        assert_eq!(status.to_string(), line);
        assert_eq!(status.is_on(), line.starts_with("on"));
    }
}
