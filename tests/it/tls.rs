//! TLS doors and engines behind TLS: who gets in, who does not, and what is told of both.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType, date_time_ymd};
use rustls::HandshakeKind;
use serde_json::Value;

use super::support::docker::{Docker, Said, unique};
use super::support::engine::Engine;
use super::support::gate::{Gate, Options};
use super::support::pki::{Ca, Client, Connection, fingerprint};
use super::support::{DEADLINE, eventually};

const POLICY: &str = r#"
version = 1
mode = "enforce"
[[principal]]
name = "ops"
admin = true
profile = "privileged"
match = [{ cert-san = "spiffe://corp.example/ops/*" }]
[[principal]]
name = "ci"
profile = "baseline"
match = [{ cert-cn = "runner-*.ci.example", cert-issuer = "CN=corp*" }]
[[principal]]
name = "trainee"
profile = "asked"
match = [{ cert-cn = "trainee-*" }]
[fallback]
profile = "restricted"
[profile.asked]
extends = "baseline"
reactions = { "namespace.ipc.host" = "approve" }
"#;

/// A gate with a TLS door beside its Unix one.
struct Remote {
    gate: Gate,
    port: u16,
}

impl Remote {
    fn new(engine: &Path, ca: &Ca) -> Self {
        let port = free_port();
        let config = format!(
            "[engine]\naddress = 'unix://{{engine}}'\n[listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n\
             [listen.remote]\naddress = 'tcp://127.0.0.1:{port}'\n{}\n\
             [admin]\naddress = 'unix://{{dir}}/admin.sock'\n[audit]\njournal = '{{dir}}/journal.jsonl'\n[state]\ndirectory = '{{dir}}/own'\n",
            ca.door()
        );
        let options = Options { config: Some(&config), policy: Some(POLICY), ..Options::default() };
        Self { gate: Gate::start(engine, options), port }
    }

    /// Has the gate read its files again, and returns the record of that.
    ///
    /// # Panics
    /// If they cannot be used.
    fn reload(&self) -> Value {
        serde_json::from_slice(&self.own(&["reload", "--json"])).unwrap()
    }

    /// What `tidewaiter ARGS` prints, with the gate's configuration.
    fn own(&self, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewaiter"));
        let said = command.args(args).arg("--config").arg(self.gate.dir().join("tidewaiter.toml")).output().unwrap();
        assert!(said.status.success(), "{said:#?}");
        said.stdout
    }

    /// Runs a script with the docker CLI set up for the TLS door.
    fn docker(&self, certificates: &Path, script: &str) -> Said {
        docker(self.port, certificates, script)
    }

    /// What was recorded of a client that was not let in.
    fn refusal(&self, of: impl Fn(&Value) -> bool) -> Value {
        eventually("the record of a refused client", || {
            self.gate.records().into_iter().find(|record| record["event"] == "handshake" && of(record))
        })
    }
}

fn docker(port: u16, certificates: &Path, script: &str) -> Said {
    let variables = [
        ("DOCKER_HOST", format!("tcp://127.0.0.1:{port}")),
        ("DOCKER_TLS_VERIFY", "1".to_owned()),
        ("DOCKER_CERT_PATH", certificates.display().to_string()),
    ];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Docker::at(Path::new("/nowhere")).script(script, &variables)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn uris(params: &mut CertificateParams, uris: &[&str]) {
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
}

#[track_caller]
fn ok(said: &Said) -> &str {
    assert!(said.status.success(), "{said:#?}");
    said.stdout.trim_end()
}

/// Runs, enters, copies, watches and half-closes; `$name` is a container of the script's own.
const EVERYTHING: &str = r#"
docker version >/dev/null
docker run -d --name "$name" --label "tls=$name" busybox:1.0 sleep 600 >/dev/null
docker exec "$name" echo executed
echo through | docker exec -i "$name" cat
echo half | docker run -i --rm busybox:1.0 sh -c 'cat; echo closed'
head -c 3000000 /dev/zero | docker run -i --rm busybox:1.0 wc -c
docker cp "$name":/bin/busybox - | tar -xO | wc -c | grep -qx '[1-9][0-9]*'
docker logs "$name"
seen=$(mktemp)
docker events --filter "label=tls=$name" --format '{{.Action}}' >"$seen" &
until grep -qx kill "$seen"; do docker kill -s WINCH "$name" >/dev/null; done
kill -KILL $!
rm "$seen"
docker rm -f "$name" >/dev/null
"#;

/// What [`EVERYTHING`] prints.
const PRINTED: &str = "executed\nthrough\nhalf\nclosed\n3000000";

#[test]
fn a_known_certificate_works_as_docker_does_and_is_named_in_every_record() {
    let ca = Ca::new("corp CA");
    let ops = ca.client("ann", |params| uris(params, &["spiffe://corp.example/ops/ann"]));
    let runner = ca.client("runner-7.ci.example", |_params| {});
    let remote = Remote::new(Engine::shared().socket(), &ca);
    let script = format!("name={}\n{EVERYTHING}", unique("tls"));
    assert_eq!(ok(&remote.docker(&ops, &script)), PRINTED);
    let privileged = "docker create --privileged busybox:1.0 true";
    ok(&remote.docker(&ops, &format!("docker rm $({privileged})")));
    let refused = remote.docker(&runner, privileged);
    assert!(refused.stderr.contains("denied for ci (profile baseline)"), "{refused:#?}");

    let of =
        |operation: &str, principal: &str| {
            eventually(operation, || {
                remote.gate.records().into_iter().find(|record| {
                    record["request"]["operation"] == operation && record["principal"]["name"] == principal
                })
            })
        };
    for operation in ["ContainerCreate", "ContainerStart", "ExecStart", "ContainerAttach", "SystemEvents"] {
        let record = of(operation, "ops");
        let peer = &record["peer"];
        assert_eq!(record["door"], "remote");
        assert_eq!(
            (&peer["kind"], &peer["subject"], &peer["issuer"]),
            (&"tls".into(), &"CN=ann".into(), &"CN=corp CA".into())
        );
        assert_eq!(peer["spiffe"], "spiffe://corp.example/ops/ann");
        assert_eq!(peer["sans"][0], "spiffe://corp.example/ops/ann");
        assert_eq!(peer["sha256"], fingerprint(&ops.join("cert.pem")));
        assert!(peer["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{peer}");
        let remote = |finding: &Value| finding["check"] == "principal.remote" && finding["reaction"] != "deny";
        assert!(record["verdict"]["findings"].as_array().unwrap().iter().any(remote), "{record}");
    }
    // Killed, the client said no farewell. As with a FIN on a Unix door, the engine decides what that means.
    assert_eq!(of("SystemEvents", "ops")["outcome"]["ended"], "complete");
    assert_eq!(of("ContainerCreate", "ci")["peer"]["serial"], hex("runner-7.ci.example"));
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn who_is_not_known_is_refused_and_told_of() {
    let (ca, other, namesake) = (Ca::new("corp CA"), Ca::new("other CA"), Ca::new("corp CA"));
    ca.revoke(&["revoked"]);
    let past = |params: &mut CertificateParams| params.not_after = date_time_ymd(2021, 1, 1);
    let for_servers =
        |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let two =
        |params: &mut CertificateParams| uris(params, &["spiffe://corp.example/a", "spiffe://corp.example/ops/b"]);
    let forged = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName("spiffe://corp.example/ops/x".try_into().unwrap())];
    };
    let as_ca = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let table = [
        (ca.client("expired", past), "has expired"),
        (ca.client("revoked", |_params| {}), "is revoked"),
        (ca.client("server", for_servers), "is not for clients"),
        (ca.client("two", two), "it must be the only one"),
        (ca.client("forged", forged), "DNS name"),
        (ca.client("ca", as_ca), "shows the certificate of a CA"),
        (other.client("stranger", |_params| {}), "none of the CAs in client-ca"),
        (namesake.client("impostor", |_params| {}), "not signed by the CA that it names"),
    ];
    let known = ca.client("known", |_params| {});
    let remote = Remote::new(Engine::shared().socket(), &ca);
    for (dir, why) in &table {
        std::fs::copy(ca.path("ca.pem"), dir.join("ca.pem")).unwrap();
        let answer = Client::new(dir, true, &["http/1.1"]).ping(remote.port);
        assert!(answer.is_err(), "{why}: {answer:?}");
        let shown = fingerprint(&dir.join("cert.pem"));
        let record = remote.refusal(|record| record["certificate"] == shown.as_str());
        assert!(record["error"].as_str().unwrap().contains(why), "{why}: {record}");
        let name = dir.file_name().unwrap().to_str().unwrap();
        let subject = format!("CN={name}");
        assert_eq!((&record["door"], &record["subject"]), (&"remote".into(), &subject.into()), "{record}");
    }
    let told = |why: &'static str| remote.refusal(|record| record["error"].as_str().unwrap().contains(why));
    Client::new(&known, false, &["http/1.1"]).ping(remote.port).unwrap_err();
    told("no client certificate");
    Client::new(&known, true, &["h2"]).ping(remote.port).unwrap_err();
    told("speaks no HTTP/1.1");
    send(remote.port, b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    told("this is not TLS");
    send(remote.port, &hello_of_tls_1_1());
    told("neither TLS 1.2 nor 1.3");
    let calls: Vec<Value> = remote.gate.records().into_iter().filter(|record| record["kind"] == "call").collect();
    assert_eq!(calls, [] as [Value; 0], "nobody got in");

    let (_kind, answer) = Client::new(&known, true, &["h2", "http/1.1"]).ping(remote.port).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

/// Sends bytes and reads until the door closes.
fn send(port: u16, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2]; // the version
    hello.extend([7; 32]); // a random number
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]); // no session, one suite, no compression
    let mut message = vec![1, 0, 0, u8::try_from(hello.len()).unwrap()];
    message.extend(hello);
    let mut record = vec![22, 3, 1, 0, u8::try_from(message.len()).unwrap()];
    record.extend(message);
    record
}

/// Asks on a connection that stays open, and reads until the answer shows a text.
fn ask(connection: &mut Connection, target: &str, until: &str) {
    write!(connection, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(until.as_bytes()) {
        connection.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
}

/// Whether the gate closes a connection without another word.
fn is_closed(connection: &mut Connection) -> bool {
    let mut rest = Vec::new();
    // Cut, it ends without TLS's own word for it.
    let _end = connection.read_to_end(&mut rest);
    rest.is_empty()
}

#[test]
fn a_certificate_that_is_revoked_ends_what_it_had_opened() {
    let ca = Ca::new("corp CA");
    let client = |name| Client::new(&ca.client(name, |_params| {}), true, &["http/1.1"]);
    let (leaver, stayer) = (client("leaver"), client("stayer"));
    let remote = Remote::new(Engine::shared().socket(), &ca);
    let mut kept = leaver.connect(remote.port).unwrap();
    ask(&mut kept, "/_ping", "\r\n\r\nOK");
    let mut stream = leaver.connect(remote.port).unwrap();
    // Of nothing that there is: what other tests do must not be told on it.
    ask(&mut stream, "/v1.41/events?filters=%7B%22container%22%3A%5B%22nobody%22%5D%7D", "\r\n\r\n");
    let mut others = stayer.connect(remote.port).unwrap();
    ask(&mut others, "/_ping", "\r\n\r\nOK");

    let same = remote.reload();
    assert_eq!(same["changed"], serde_json::json!([]), "{same}");
    ask(&mut kept, "/_ping", "\r\n\r\nOK");

    ca.revoke(&["leaver"]);
    remote.reload();
    // The gate may have seen the file by itself before it was told.
    let is_it =
        |record: &Value| record["event"] == "reload" && record["changed"] == serde_json::json!(["listen.remote.tls"]);
    assert!(remote.gate.records().iter().any(is_it));
    assert!(is_closed(&mut stream) && is_closed(&mut kept));
    let outcome = eventually("the end of the stream", || {
        let is_it = |record: &Value| record["request"]["operation"] == "SystemEvents" && record["stage"] == "outcome";
        remote.gate.records().into_iter().find(is_it)
    });
    assert_eq!(outcome["outcome"]["ended"], "revoked", "{outcome:#}");
    assert_eq!(outcome["outcome"]["revoked"], "the client's certificate is revoked", "{outcome:#}");
    leaver.ping(remote.port).unwrap_err();
    remote.refusal(|record| record["error"].as_str().unwrap().contains("is revoked"));

    ask(&mut others, "/_ping", "\r\n\r\nOK");
    stayer.ping(remote.port).unwrap();
}

#[test]
fn a_renewed_certificate_is_shown_to_whoever_comes_next() {
    let ca = Ca::new("corp CA");
    let client = Client::new(&ca.client("ann", |_params| {}), true, &["http/1.1"]);
    let remote = Remote::new(Engine::shared().socket(), &ca);
    let shown = |connection: &Connection| connection.conn.peer_certificates().unwrap()[0].clone().into_owned();
    let mut before = client.connect(remote.port).unwrap();
    ca.renew_server();
    // Nobody told the gate: it has looked at the files.
    eventually("a reload by a changed file", || {
        let is_it = |record: &Value| record["event"] == "reload" && record["trigger"] == "file";
        remote.gate.records().into_iter().find(is_it)
    });
    let after = client.connect(remote.port).unwrap();
    assert_ne!(shown(&before), shown(&after));
    ask(&mut before, "/_ping", "\r\n\r\nOK");
}

#[test]
fn what_was_approved_for_one_certificate_runs_and_not_for_another() {
    let ca = Ca::new("corp CA");
    let (one, other) = (ca.client("trainee-1", |_params| {}), ca.client("trainee-2", |_params| {}));
    let engine = Engine::shared();
    let remote = Remote::new(engine.socket(), &ca);
    let name = unique("trainee");
    let run = format!("docker run --name {name} --ipc host busybox:1.0 echo ran");
    let asked = remote.docker(&one, &run);
    let (_, rest) = asked.stderr.split_once("`tidewaiter approve ").unwrap_or_else(|| panic!("{asked:#?}"));
    remote.own(&["approve", rest.split('`').next().unwrap()]);
    assert_eq!(ok(&remote.docker(&one, &run)), "ran");
    assert_eq!(ok(&remote.docker(&one, &format!("docker start -a {name}"))), "ran", "as often as it likes");
    let refused = remote.docker(&other, &format!("docker start {name}"));
    assert!(refused.stderr.contains("needs approval for trainee (profile asked): namespace.ipc.host"), "{refused:#?}");
    Docker::at(engine.socket()).ok(&["rm", &name]);
}

#[test]
fn no_session_is_resumed() {
    let ca = Ca::new("corp CA");
    let dir = ca.client("ann", |_params| {});
    let remote = Remote::new(Engine::shared().socket(), &ca);
    let client = Client::new(&dir, true, &["http/1.1"]);
    for _ in 0..3 {
        let (kind, answer) = client.ping(remote.port).unwrap();
        assert!(answer.contains("200 OK"), "{answer}");
        assert_ne!(kind, HandshakeKind::Resumed);
    }
}

#[test]
fn an_engine_behind_tls_is_as_good_as_one_beside_the_gate() {
    let (ca, other) = (Ca::new("corp CA"), Ca::new("corp CA"));
    let own = ca.client("gate", |_params| {});
    let port = free_port();
    let file = |name: &str| ca.path(name).display().to_string();
    let engine = Engine::own_with(&format!(
        "--tlsverify --tlscacert {} --tlscert {} --tlskey {} --host tcp://127.0.0.1:{port}",
        file("ca.pem"),
        file("server-cert.pem"),
        file("server-key.pem")
    ));
    let gate = |ca: &Path, more: &str| {
        let own = own.display();
        let config = format!(
            "[engine]\naddress = 'tcp://127.0.0.1:{port}'\n\
             tls = {{ ca = '{}', cert = '{own}/cert.pem', key = '{own}/key.pem'{more} }}\n\
             [listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n\
             [audit]\njournal = '{{dir}}/journal.jsonl'\n[state]\ndirectory = '{{dir}}/own'\n",
            ca.display()
        );
        Gate::start(engine.socket(), Options { config: Some(&config), mode: Some("enforce"), ..Options::default() })
    };

    let through = gate(&ca.path("ca.pem"), "");
    let docker = Docker::at(&through.socket());
    assert_eq!(ok(&docker.script(&format!("name={}\n{EVERYTHING}", unique("tls")), &[])), PRINTED);
    // Look-ups go the same way.
    let id = Docker::at(engine.socket()).ok(&["create", "--pid", "host", "busybox:1.0", "true"]);
    let refused = docker.run(&["start", &id]);
    assert!(refused.stderr.contains("namespace.pid.host"), "{refused:#?}");

    for (ca, more) in [(other.path("ca.pem"), ""), (ca.path("ca.pem"), ", server-name = 'engine.example.com'")] {
        let through = gate(&ca, more);
        let refused = Docker::at(&through.socket()).run(&["version"]);
        assert!(refused.stderr.contains("cannot"), "{refused:#?}");
    }
}

#[test]
fn an_engine_on_loopback_may_do_without_tls() {
    let port = free_port();
    let config = format!(
        "[engine]\naddress = 'unix://{{engine}}'\n[listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n\
         [listen.loopback]\naddress = 'tcp://127.0.0.1:{port}'\n\
         [audit]\njournal = '{{dir}}/journal.jsonl'\n[state]\ndirectory = '{{dir}}/own'\n"
    );
    let first = Gate::start(
        Engine::shared().socket(),
        Options { config: Some(&config), mode: Some("monitor"), ..Options::default() },
    );
    let config = format!(
        "[engine]\naddress = 'tcp://127.0.0.1:{port}'\n[listen.local]\naddress = 'unix://{{dir}}/docker.sock'\n\
         [audit]\njournal = '{{dir}}/journal.jsonl'\n[state]\ndirectory = '{{dir}}/own'\n"
    );
    let second =
        Gate::start(&first.socket(), Options { config: Some(&config), mode: Some("enforce"), ..Options::default() });
    let docker = Docker::at(&second.socket());
    assert_eq!(ok(&docker.script(&format!("name={}\n{EVERYTHING}", unique("tcp")), &[])), PRINTED);
}
