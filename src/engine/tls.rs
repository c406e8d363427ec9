//! TLS to an engine on another host: it must show a certificate of its CA and of its name, and is shown ours.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::runtime::tls::{ALPN, Digest, VERSIONS, digest, provider};
use crate::runtime::{Live, Stream};

/// Where an engine is, and what it must prove to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The name its certificate must hold.
    pub server_name: ServerName<'static>,
}

/// An engine behind TLS. Clones are one: renewing any of them renews the engine.
#[derive(Debug, Clone)]
pub struct Tls {
    target: Target,
    files: Files,
    terms: Arc<Live<Terms>>,
}

/// The files of an engine behind TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// CAs that the engine's certificate must come from.
    pub ca: PathBuf,
    /// Our own certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What the files held.
#[derive(Debug, Clone)]
struct Terms {
    config: Arc<ClientConfig>,
    digest: Digest,
}

impl Tls {
    /// An engine that must show a certificate of `roots`, and is shown ours.
    ///
    /// # Errors
    /// If rustls does not have what is asked for.
    pub fn new(target: Target, files: Files, roots: RootCertStore, key: Arc<CertifiedKey>) -> Result<Self, Error> {
        let digest = digest(&key, &roots, &[]);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // Engine 29 would choose HTTP/2.
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Resumed, an engine's certificate is not looked at again.
        config.resumption = Resumption::disabled();
        Ok(Self { target, files, terms: Arc::new(Live::new(Terms { config: Arc::new(config), digest })) })
    }

    /// The files it was made from.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Whether another one read the same from the files.
    pub fn holds_the_same(&self, other: &Self) -> bool {
        self.terms.current().digest == other.terms.current().digest
    }

    /// Takes over what another one read from the files, for every connection that is opened after this.
    pub fn renew(&self, from: &Self) {
        self.terms.replace((*from.terms.current()).clone());
    }

    /// Host and port.
    pub(super) fn target(&self) -> (&str, u16) {
        (&self.target.host, self.target.port)
    }

    pub(super) async fn secure(&self, stream: TcpStream) -> io::Result<Stream> {
        let connector = TlsConnector::from(Arc::clone(&self.terms.current().config));
        let stream = connector.connect(self.target.server_name.clone(), stream).await?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

/// Two are equal if they are made from the same files for the same engine: what is in those may change.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target && self.files == other.files
    }
}

impl Eq for Tls {}
