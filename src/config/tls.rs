//! The files that `tls` names: read by the rules for secrets, and held against each other before anything is opened.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;

use super::Host;
use super::sections::path;
use super::table::{At, Problems, Table};
use super::trusted;
use super::value::Bad;
use crate::diagnostic::{Diagnostic, Source};
use crate::runtime::tls::{self, Purpose};
use crate::{engine, listen, sink};

const DOOR: &[&str] = &["cert", "key", "client-ca", "crl"];
const ENGINE: &[&str] = &["ca", "cert", "key", "server-name"];
const SINK: &[&str] = ENGINE;

/// Reads files, and puts what is wrong with each where it is named.
struct Reader<'a> {
    problems: &'a Problems,
    base: &'a Path,
    host: &'a Host,
}

/// A file, and where it is named.
type Named = At<Source>;

/// Reads the `tls` of a door. `None` with an error said if it cannot be used.
pub(super) fn door(table: &Table<'_>, problems: &Problems, base: &Path, host: &Host) -> Option<listen::Tls> {
    let span = table.span("tls")?;
    let table = table.table("tls", DOOR)?;
    let reader = Reader { problems, base, host };
    let cert = reader.file(&table, "cert", "server-cert.pem", trusted::read);
    let key = reader.file(&table, "key", "server-key.pem", trusted::read_secret);
    let ca = reader.file(&table, "client-ca", "ca.pem", trusted::read);
    let crl = reader.file(&table, "crl", "crl.pem", trusted::read);
    let needed = [("cert", "server-cert.pem"), ("key", "server-key.pem"), ("client-ca", "ca.pem")];
    missing(&table, problems, &span, "a TLS door", &needed);
    let has_crl = table.span("crl").is_some();

    let pair = reader.pair(cert.as_ref(), key.as_ref(), Purpose::Server);
    let authorities = ca.as_ref().and_then(|ca| reader.of(ca, |file, found| tls::authorities(file, host.now, found)));
    let revoked = crl
        .as_ref()
        .and_then(|crl| reader.of(crl, |file, found| tls::revoked(file, authorities.as_ref(), host.now, found)));
    let files = listen::Files {
        cert: cert?.value.path,
        key: key?.value.path,
        client_ca: ca?.value.path,
        crl: crl.map(|crl| crl.value.path),
    };
    let revoked = if has_crl { revoked? } else { Vec::new() };
    listen::Tls::new(files, pair?, authorities?.roots, revoked)
        .map_err(|why| problems.error(span, Bad::new(format!("these files cannot be used: {why}"), "mend them")))
        .ok()
}

/// Reads `[engine.tls]` for an engine at a host and port.
pub(super) fn engine(
    table: &Table<'_>,
    problems: &Problems,
    base: &Path,
    host: &Host,
    (name, port): (String, u16),
) -> Option<engine::Tls> {
    let span = table.span("tls")?;
    let table = table.table("tls", ENGINE)?;
    let reader = Reader { problems, base, host };
    let ca = reader.file(&table, "ca", "ca.pem", trusted::read);
    let cert = reader.file(&table, "cert", "cert.pem", trusted::read);
    let key = reader.file(&table, "key", "key.pem", trusted::read_secret);
    let needed = [("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem")];
    missing(&table, problems, &span, "an engine behind TLS", &needed);
    let said = table.read("server-name", "docker.example.com", server_name);

    let pair = reader.pair(cert.as_ref(), key.as_ref(), Purpose::Client);
    let authorities = ca.as_ref().and_then(|ca| reader.of(ca, |file, found| tls::authorities(file, host.now, found)));
    let server_name = match said {
        Some(said) => said.value,
        None if table.span("server-name").is_some() => return None,
        None => server_name(&name).ok()?,
    };
    let target = engine::Target { host: name, port, server_name };
    let files = engine::Files { ca: ca?.value.path, cert: cert?.value.path, key: key?.value.path };
    engine::Tls::new(target, files, authorities?.roots, pair?)
        .map_err(|why| problems.error(span, Bad::new(format!("these files cannot be used: {why}"), "mend them")))
        .ok()
}

/// Reads the `tls` of a sink at a host and port. Our own certificate is for servers that ask for one.
pub(super) fn sink(
    table: &Table<'_>,
    problems: &Problems,
    base: &Path,
    host: &Host,
    (name, port): (String, u16),
) -> Option<sink::Tls> {
    let span = table.span("tls")?;
    let table = table.table("tls", SINK)?;
    let reader = Reader { problems, base, host };
    let ca = reader.file(&table, "ca", "ca.pem", trusted::read);
    let cert = reader.file(&table, "cert", "cert.pem", trusted::read);
    let key = reader.file(&table, "key", "key.pem", trusted::read_secret);
    let is_known = table.span("cert").or(table.span("key")).is_some();
    let needed: &[(&str, &str)] =
        if is_known { &[("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem")] } else { &[("ca", "ca.pem")] };
    missing(&table, problems, &span, "a sink behind TLS", needed);
    let said = table.read("server-name", "siem.example.com", server_name);

    let pair = if is_known { Some(reader.pair(cert.as_ref(), key.as_ref(), Purpose::Client)?) } else { None };
    let authorities = ca.as_ref().and_then(|ca| reader.of(ca, |file, found| tls::authorities(file, host.now, found)));
    let server_name = match said {
        Some(said) => said.value,
        None if table.span("server-name").is_some() => return None,
        None => server_name(&name).ok()?,
    };
    let files =
        sink::Files { ca: ca?.value.path, own: cert.zip(key).map(|(cert, key)| (cert.value.path, key.value.path)) };
    sink::Tls::new((name, port), server_name, files, authorities?.roots, pair)
        .map_err(|why| problems.error(span, Bad::new(format!("these files cannot be used: {why}"), "mend them")))
        .ok()
}

/// Reads the name a server must prove to have.
pub(super) fn server_name(text: &str) -> Result<ServerName<'static>, Bad> {
    ServerName::try_from(text.to_owned()).map_err(|_invalid| {
        Bad::new(format!("'{text}' is neither a host's name nor an IP address"), "write \"docker.example.com\"")
    })
}

fn missing(table: &Table<'_>, problems: &Problems, span: &Range<usize>, what: &str, needed: &[(&str, &str)]) {
    for (key, example) in needed.iter().filter(|(key, _)| table.span(key).is_none()) {
        let help = format!("write {key} = \"{example}\"");
        problems.error(span.clone(), Bad::new(format!("{what} needs '{key}'"), help));
    }
}

impl Reader<'_> {
    fn file(
        &self,
        table: &Table<'_>,
        key: &str,
        example: &str,
        read: fn(&Path, u32) -> Result<Source, trusted::Untrusted>,
    ) -> Option<Named> {
        let At { value, span } = table.read(key, example, |text| path(text, self.base))?;
        match read(&value, self.host.uid) {
            Ok(value) => Some(At { value, span }),
            Err(why) => {
                self.problems.error(span, Bad { message: why.to_string(), help: None });
                None
            }
        }
    }

    fn of<T>(&self, file: &Named, read: impl FnOnce(&Source, &mut Vec<Diagnostic>) -> Option<T>) -> Option<T> {
        let mut found = Vec::new();
        let value = read(&file.value, &mut found);
        self.problems.found(&file.span, found);
        value
    }

    fn pair(&self, cert: Option<&Named>, key: Option<&Named>, purpose: Purpose) -> Option<Arc<CertifiedKey>> {
        let chain = cert.and_then(|cert| self.of(cert, |file, found| tls::chain(file, purpose, self.host.now, found)));
        let key = key.and_then(|named| Some((named, self.of(named, tls::key)?)));
        let (chain, (named, key)) = chain.zip(key)?;
        self.of(named, |file, found| tls::pair(chain, key, file, found))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
        ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
        date_time_ymd,
    };
    use tempfile::TempDir;

    use super::*;
    use crate::config::sections;
    use crate::diagnostic::Severity;

    /// A folder in dockerd's layout, at a time when all in it is valid.
    struct Folder {
        dir: TempDir,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Folder {
        fn new() -> Self {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "corp CA");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let key = KeyPair::generate().unwrap();
            let ca = params.self_signed(&key).unwrap().pem();
            let folder = Self { dir: TempDir::new().unwrap(), issuer: Issuer::new(params, key) };
            folder.write("ca.pem", &ca, 0o644);
            folder.leaf("server", |_params| {});
            folder.crl(2100);
            folder
        }

        fn write(&self, name: &str, text: &str, mode: u32) {
            let path = self.dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }

        fn leaf(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            change(&mut params);
            let key = KeyPair::generate().unwrap();
            self.write(&format!("{name}-cert.pem"), &params.signed_by(&key, &self.issuer).unwrap().pem(), 0o644);
            self.write(&format!("{name}-key.pem"), &key.serialize_pem(), 0o600);
        }

        fn crl(&self, until: i32) {
            let list = CertificateRevocationListParams {
                this_update: date_time_ymd(2020, 1, 1),
                next_update: date_time_ymd(until, 1, 1),
                crl_number: SerialNumber::from_slice(&[1]),
                issuing_distribution_point: None,
                revoked_certs: vec![],
                key_identifier_method: KeyIdMethod::Sha256,
            };
            self.write("crl.pem", &list.signed_by(&self.issuer).unwrap().pem().unwrap(), 0o644);
        }

        /// What is said of a file with a TLS door and an engine behind TLS.
        fn said(&self, door: &str, engine: &str) -> Vec<(Severity, String)> {
            let text = format!(
                "[engine]\naddress = 'tcp://engine.example:2376'\ntls = {{ {engine} }}\n\
                 [listen.remote]\naddress = 'tcp://0.0.0.0:2376'\ntls = {{ {door} }}\n"
            );
            let host = Host { now: "2027-01-01T00:00:00Z".parse().unwrap(), ..Host::current() };
            let source = Source { path: "t.toml".into(), text };
            let (draft, found) = sections::read(&source, self.dir.path(), &host);
            let is_good = found.iter().all(|found| found.severity == Severity::Warning);
            assert_eq!(draft.doors.is_some_and(|doors| !doors.is_empty()) && draft.engine.is_some(), is_good);
            assert!(found.iter().all(|found| found.span.is_some()), "each where it is named");
            found.into_iter().map(|found| (found.severity, found.message)).collect()
        }
    }

    const DOOR: &str = "cert = 'server-cert.pem', key = 'server-key.pem', client-ca = 'ca.pem', crl = 'crl.pem'";
    const ENGINE: &str = "ca = 'ca.pem', cert = 'server-cert.pem', key = 'server-key.pem'";

    /// `openssl x509 -req` without extensions.
    const OF_THE_OLD_FORM: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGDCBvwIUDGNwSdx2OVF+k6H6xyZ8dR92AmowCgYIKoZIzj0EAwIwDjEMMAoG
A1UEAwwDb2xkMCAXDTI2MTEyNDA5MzM1NFoYDzIxMjYxMDMxMDkzMzU0WjAOMQww
CgYDVQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARnR1v1+pDgFRIa
IVbEwbp85LYqaVdBggvU4iZcLInP1Vn5TJS1x7RVbX8XzbCgbOHm8SreeVXZA9qL
PPta6pxGMAoGCCqGSM49BAMCA0gAMEUCIHJxZtE+8Rd9OsXMEWps8MUDonUrgdw5
kTb3WM3Q5mTMAiEA+bppz7VNwrHvfFDZFARQowuOWGHHoRGbQ0ERgVBd++k=
-----END CERTIFICATE-----
";

    /// What every engine elsewhere is told of.
    const ELSEWHERE: &str = "links of paths on the engine's host cannot be followed from here";

    #[test]
    fn a_folder_as_dockerd_has_it_is_taken_as_it_is() {
        assert_eq!(Folder::new().said(DOOR, ENGINE), [(Severity::Warning, ELSEWHERE.to_owned())]);
    }

    #[track_caller]
    fn one(said: Vec<(Severity, String)>, severity: Severity, wanted: &str) {
        let fits = |said: &(Severity, String)| said.0 == severity && said.1.contains(wanted);
        let other: Vec<_> = said.iter().filter(|said| !fits(said) && said.1 != ELSEWHERE).collect();
        assert!(said.iter().any(fits) && other.is_empty(), "{wanted}: {said:#?}");
    }

    /// What is said of a sink behind TLS.
    fn said_of_sink(folder: &Folder, tls: &str) -> Vec<(Severity, String)> {
        let text = format!("[sink.siem]\ntype = 'syslog'\naddress = 'tcp://siem.example:6514'\ntls = {{ {tls} }}\n");
        let host = Host { now: "2027-01-01T00:00:00Z".parse().unwrap(), ..Host::current() };
        let (draft, found) = sections::read(&Source { path: "t.toml".into(), text }, folder.dir.path(), &host);
        let is_good = found.iter().all(|found| found.severity == Severity::Warning);
        assert_eq!(draft.sinks.len() == 1, is_good, "{found:?}");
        found.into_iter().map(|found| (found.severity, found.message)).collect()
    }

    #[test]
    fn a_sink_needs_a_ca_and_a_certificate_of_ours_only_whole() {
        let folder = Folder::new();
        folder.leaf("other", |_params| {});
        for good in ["ca = 'ca.pem'", ENGINE, "ca = 'ca.pem', server-name = '192.0.2.7'"] {
            assert_eq!(said_of_sink(&folder, good), [], "{good}");
        }
        let table = [
            ("", "needs 'ca'"),
            ("ca = 'ca.pem', cert = 'server-cert.pem'", "needs 'key'"),
            ("ca = 'ca.pem', cert = 'server-cert.pem', key = 'other-key.pem'", "is not the key"),
            ("ca = 'ca.pem', server-name = 'a b'", "neither a host's name"),
        ];
        for (tls, wanted) in table {
            one(said_of_sink(&folder, tls), Severity::Error, wanted);
        }
    }

    #[test]
    fn each_file_that_cannot_serve_is_named_with_what_is_wrong() {
        let folder = Folder::new();
        let old = |params: &mut CertificateParams| params.not_after = date_time_ymd(2026, 5, 1);
        let new = |params: &mut CertificateParams| params.not_before = date_time_ymd(2028, 7, 1);
        folder.leaf("other", |_params| {});
        folder.leaf("old", old);
        folder.leaf("new", new);
        folder.write("open-key.pem", "", 0o640);
        folder.write("empty.pem", "", 0o600);
        folder.write(
            "locked.pem",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            0o600,
        );
        folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
        folder.write("v1.pem", OF_THE_OLD_FORM, 0o644);
        folder.write("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n", 0o644);
        std::os::unix::fs::symlink("ca.pem", folder.dir.path().join("link.pem")).unwrap();
        for (written, instead, wanted) in [
            ("server-key", "other-key", "is not the key of the certificate"),
            ("server-key", "open-key", "is secret and can be read by others"),
            ("server-key", "absent", "cannot read"),
            ("server-key", "empty", "holds no PRIVATE KEY"),
            ("server-key", "locked", "is encrypted"),
            ("server-cert", "empty", "holds no CERTIFICATE"),
            ("server-cert", "broken", "cannot be read"),
            ("server-cert", "torn", "is no PEM file"),
            ("server-cert", "v1", "is of the old form X.509 v1"),
            ("server-cert", "old-cert", "has expired on 2026-05-01"),
            ("server-cert", "new-cert", "is not valid before 2028-07-01"),
            ("ca.pem", "link.pem", "is a symbolic link"),
            ("ca.pem", "empty.pem", "holds no CERTIFICATE"),
            ("crl.pem", "ca.pem", "holds no X509 CRL"),
        ] {
            one(folder.said(&DOOR.replace(written, instead), ENGINE), Severity::Error, wanted);
        }
        one(folder.said(&DOOR.replace("cert = 'server-cert.pem', ", ""), ENGINE), Severity::Error, "needs 'cert'");
        one(folder.said(DOOR, &ENGINE.replace("ca = 'ca.pem', ", "")), Severity::Error, "needs 'ca'");
        one(folder.said(DOOR, &ENGINE.replace("server-key", "other-key")), Severity::Error, "is not the key");
        one(folder.said(DOOR, &format!("{ENGINE}, server-name = 'a b'")), Severity::Error, "neither a host's name");
        folder.crl(2025);
        one(folder.said(DOOR, ENGINE), Severity::Error, "has expired on 2025-01-01; every client would be refused");
    }

    #[test]
    fn what_others_may_refuse_is_warned_of() {
        let folder = Folder::new();
        folder.leaf("nameless", |params| params.subject_alt_names.clear());
        folder.leaf("client", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
        folder.leaf("plain", |params| params.extended_key_usages.clear());
        folder.leaf("soon", |params| params.not_after = date_time_ymd(2027, 1, 10));
        folder.leaf("ca", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        folder.leaf("odd", |params| {
            params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]));
        });
        for (name, wanted) in [
            ("nameless", "has no subjectAltName"),
            ("client", "does not say that it is for serverAuth"),
            ("soon", "expires on 2027-01-10"),
            ("ca", "is a CA's"),
        ] {
            one(folder.said(&DOOR.replace("server-", &format!("{name}-")), ENGINE), Severity::Warning, wanted);
        }
        let plain = ENGINE.replace("server-", "plain-");
        one(folder.said(DOOR, &plain), Severity::Warning, "does not say that it is for clientAuth");
        assert_eq!(folder.said(&DOOR.replace("server-", "odd-"), ENGINE).len(), 1);

        let text = |folder: &Folder, name: &str| std::fs::read(folder.dir.path().join(name)).unwrap();
        let both = [text(&folder, "ca.pem"), text(&Folder::new(), "server-cert.pem")].concat();
        folder.write("both.pem", str::from_utf8(&both).unwrap(), 0o644);
        let said = folder.said(&DOOR.replace("ca.pem", "both.pem"), ENGINE);
        assert!(said.iter().any(|(_, message)| message.contains("is not a CA")), "{said:?}");
        assert!(said.iter().any(|(_, message)| message.contains("holds no CRL of the CA")), "{said:?}");
    }
}
