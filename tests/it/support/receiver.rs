//! Who records are delivered to: rsyslog and systemd's journal, each started by the test, with a folder of its own.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::eventually;
use super::pki::Ca;

/// How messages reach rsyslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Unix,
    Tcp,
    Tls,
}

/// A receiver that can be stopped and started again.
pub(crate) struct Receiver {
    dir: TempDir,
    ca: Ca,
    sort: Sort,
    port: u16,
    child: Option<Child>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Rsyslog(Way),
    Journald,
}

impl Receiver {
    /// An rsyslog that writes every message's text to a file.
    pub(crate) fn rsyslog(way: Way) -> Self {
        Self::new(Sort::Rsyslog(way))
    }

    /// A journal of its own, in a mount namespace where its folder is `/run`.
    pub(crate) fn journald() -> Self {
        Self::new(Sort::Journald)
    }

    fn new(sort: Sort) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::Builder::new().prefix("receiver-").tempdir().unwrap();
        let ca = Ca::new("logs CA");
        ca.client("gate", |_params| {});
        let mut receiver = Self { dir, ca, sort, port, child: None };
        receiver.start();
        receiver
    }

    /// The `[sink.NAME]` that leads here.
    pub(crate) fn sink(&self, more: &str) -> String {
        let file = |name: &str| self.ca.path(name).display().to_string();
        let address = match self.sort {
            Sort::Rsyslog(Way::Unix) => format!("type = 'syslog'\naddress = 'unix://{}'", self.socket().display()),
            Sort::Rsyslog(Way::Tcp) => format!("type = 'syslog'\naddress = 'tcp://127.0.0.1:{}'", self.port),
            Sort::Rsyslog(Way::Tls) => format!(
                "type = 'syslog'\naddress = 'tcp://127.0.0.1:{}'\ntls = {{ ca = '{}', cert = '{}', key = '{}' }}",
                self.port,
                file("ca.pem"),
                file("gate/cert.pem"),
                file("gate/key.pem")
            ),
            Sort::Journald => format!("type = 'journald'\naddress = 'unix://{}'", self.socket().display()),
        };
        format!("[sink.logs]\n{address}\n{more}\n")
    }

    fn socket(&self) -> PathBuf {
        match self.sort {
            Sort::Rsyslog(_) => self.dir.path().join("log.sock"),
            Sort::Journald => self.dir.path().join("systemd/journal/socket"),
        }
    }

    /// Starts it and waits until it takes messages.
    pub(crate) fn start(&mut self) {
        let dir = self.dir.path().display().to_string();
        let log = File::options().create(true).append(true).open(self.dir.path().join("said")).unwrap();
        let mut command = match self.sort {
            Sort::Rsyslog(way) => {
                std::fs::write(self.dir.path().join("rsyslog.conf"), self.configuration(way)).unwrap();
                let mut command = Command::new("/usr/sbin/rsyslogd");
                command.args(["-n", "-f", &format!("{dir}/rsyslog.conf"), "-i", &format!("{dir}/pid")]);
                command
            }
            Sort::Journald => {
                let script = "mount --bind \"$1\" /run && mkdir -p /run/systemd/journal /run/log && exec /lib/systemd/systemd-journald";
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", script, "sh", &dir]);
                command
            }
        };
        std::fs::remove_file(self.socket()).ok();
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap());
        eventually("the receiver takes messages", || match self.sort {
            Sort::Rsyslog(Way::Tcp | Way::Tls) => {
                std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok().then_some(())
            }
            Sort::Rsyslog(Way::Unix) | Sort::Journald => {
                let is_socket = self.socket().symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket());
                (is_socket && std::os::unix::net::UnixDatagram::unbound().unwrap().connect(self.socket()).is_ok())
                    .then_some(())
            }
        });
    }

    fn configuration(&self, way: Way) -> String {
        let dir = self.dir.path().display();
        let file = |name: &str| self.ca.path(name).display().to_string();
        let input = match way {
            // With its special parser it would take RFC 5424 for a message without a head.
            Way::Unix => format!(
                "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                 input(type=\"imuxsock\" Socket=\"{dir}/log.sock\" UseSpecialParser=\"off\" ParseHostname=\"on\")"
            ),
            Way::Tcp => {
                format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{}\" address=\"127.0.0.1\")", self.port)
            }
            Way::Tls => format!(
                "module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"x509/certvalid\")\n\
                 input(type=\"imtcp\" port=\"{}\" address=\"127.0.0.1\")",
                self.port
            ),
        };
        format!(
            "global(workDirectory=\"{dir}\" maxMessageSize=\"1m\" DefaultNetstreamDriverCAFile=\"{}\" \
             DefaultNetstreamDriverCertFile=\"{}\" DefaultNetstreamDriverKeyFile=\"{}\")\n{input}\n\
             template(name=\"t\" type=\"string\" string=\"%hostname%|%app-name%|%msgid%|%syslogfacility%|%msg%\\n\")\n\
             action(type=\"omfile\" file=\"{dir}/out\" template=\"t\")\n",
            file("ca.pem"),
            file("server-cert.pem"),
            file("server-key.pem")
        )
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    /// Kills it.
    pub(crate) fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
    }

    /// Lets it do nothing, or go on.
    pub(crate) fn hang(&self, is_still: bool) {
        let signal = if is_still { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(Pid::from_raw(self.child.as_ref().unwrap().id().try_into().unwrap()), signal).unwrap();
    }

    fn signal(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        eventually("the receiver ends", || child.try_wait().unwrap());
    }

    /// What has arrived, in order, each as `host|program|kind|facility|text` says it from rsyslog, and its text alone.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let bytes = std::fs::read(self.dir.path().join("out")).unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text = String::from_utf8(bytes[..whole].to_vec()).unwrap();
        text.lines()
            // What rsyslog says of itself has no JSON.
            .filter_map(|line| line.split_once("|{"))
            .map(|(head, text)| (head.to_owned(), format!("{{{}", text.trim_end())))
            .collect()
    }

    /// The entries of the journal that match, in order.
    pub(crate) fn entries(&self, matching: &str) -> Vec<Value> {
        let mut command = Command::new("journalctl");
        let folder = self.dir.path().join("log/journal");
        let said = command.arg("-D").arg(folder).args(["--all", "-o", "json", matching]).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The records that have arrived in the journal's own format, in order.
    pub(crate) fn records(&self) -> Vec<Value> {
        match self.sort {
            Sort::Rsyslog(_) => self.lines().iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect(),
            Sort::Journald => {
                let of = |entry: &Value| serde_json::from_str(entry["TIDEWAITER_RECORD"].as_str()?).ok();
                self.entries("SYSLOG_IDENTIFIER=tidewaiter").iter().filter_map(of).collect()
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            let log = std::fs::read(self.dir.path().join("said")).unwrap_or_default();
            println!("--- what the receiver said ---\n{}", String::from_utf8_lossy(&log));
        }
    }
}
