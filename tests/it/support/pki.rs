//! A certification authority of a test's own, and TLS by hand.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use tempfile::TempDir;

use super::DEADLINE;

/// A CA with a folder in dockerd's layout: `ca.pem`, `server-cert.pem`, `server-key.pem`, and folders of clients.
pub(crate) struct Ca {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A TLS connection by hand.
pub(crate) type Connection = StreamOwned<ClientConnection, TcpStream>;

/// What a TLS client by hand offers.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
}

impl Ca {
    /// A CA and a certificate of it for a server at 127.0.0.1.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        let made = Self { dir: tempfile::tempdir().unwrap(), issuer: Issuer::new(params, key) };
        std::fs::write(made.path("ca.pem"), ca.pem()).unwrap();
        made.renew_server();
        made.revoke(&[]);
        made
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The `tls` of a door with these files.
    pub(crate) fn door(&self) -> String {
        let file = |name: &str| self.path(name).display().to_string();
        format!(
            "tls = {{ cert = '{}', key = '{}', client-ca = '{}', crl = '{}' }}",
            file("server-cert.pem"),
            file("server-key.pem"),
            file("ca.pem"),
            file("crl.pem")
        )
    }

    /// Another certificate for the server.
    pub(crate) fn renew_server(&self) {
        let mut server = named("server");
        server.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(server, "server-cert.pem", "server-key.pem");
    }

    /// A client's folder, as `DOCKER_CERT_PATH` wants it.
    pub(crate) fn client(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> PathBuf {
        let mut params = named(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(serial(name));
        change(&mut params);
        std::fs::create_dir(self.path(name)).unwrap();
        self.issue(params, &format!("{name}/cert.pem"), &format!("{name}/key.pem"));
        std::fs::copy(self.path("ca.pem"), self.path(name).join("ca.pem")).unwrap();
        self.path(name)
    }

    /// Publishes a list of revoked clients.
    pub(crate) fn revoke(&self, clients: &[&str]) {
        let revoked = |name: &&str| RevokedCertParams {
            serial_number: serial(name),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: clients.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        std::fs::write(self.path("crl.pem"), list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
    }

    fn issue(&self, params: CertificateParams, cert: &str, key: &str) {
        let pair = KeyPair::generate().unwrap();
        std::fs::write(self.path(cert), params.signed_by(&pair, &self.issuer).unwrap().pem()).unwrap();
        write_secret(&self.path(key), &pair.serialize_pem());
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn serial(name: &str) -> SerialNumber {
    SerialNumber::from_slice(name.as_bytes())
}

fn write_secret(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0);
}

/// The SHA-256 of the first certificate in a file, as records have it.
pub(crate) fn fingerprint(file: &Path) -> String {
    let der = CertificateDer::from_pem_file(file).unwrap();
    let mut out = String::new();
    for byte in <sha2::Sha256 as sha2::Digest>::digest(&der) {
        write!(out, "{byte:02x}").unwrap();
    }
    out
}

impl Client {
    /// A client that trusts the CA in a folder and shows the certificate there, if one is asked for.
    pub(crate) fn new(dir: &Path, shows: bool, alpn: &[&str]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = if shows {
            let cert = CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config) }
    }

    /// A connection of its own.
    pub(crate) fn connect(&self, port: u16) -> std::io::Result<Connection> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut session = ClientConnection::new(Arc::clone(&self.config), "127.0.0.1".try_into().unwrap()).unwrap();
        session.complete_io(&mut stream)?;
        Ok(StreamOwned::new(session, stream))
    }

    /// Asks for `/_ping` on a connection of its own, and says how the handshake went and what came back.
    pub(crate) fn ping(&self, port: u16) -> std::io::Result<(HandshakeKind, String)> {
        let mut tls = self.connect(port)?;
        tls.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        tls.read_to_string(&mut answer)?;
        Ok((tls.conn.handshake_kind().unwrap(), answer))
    }
}
