//! TLS to an engine on another host: it must show a certificate of its CA and of its name, and is shown ours.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::runtime::Stream;
use crate::runtime::tls::{ALPN, VERSIONS, provider};

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

/// An engine behind TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    target: Target,
    key_file: PathBuf,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// An engine that must show a certificate of `roots`, and is shown ours, whose key is in `key_file`.
    ///
    /// # Errors
    /// If rustls does not have what is asked for.
    pub fn new(target: Target, roots: RootCertStore, key: Arc<CertifiedKey>, key_file: PathBuf) -> Result<Self, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // Engine 29 would choose HTTP/2.
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Resumed, an engine's certificate is not looked at again.
        config.resumption = Resumption::disabled();
        Ok(Self { target, key_file, config: Arc::new(config) })
    }

    /// The file of our own key.
    pub fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// Host and port.
    pub(super) fn target(&self) -> (&str, u16) {
        (&self.target.host, self.target.port)
    }

    pub(super) async fn secure(&self, stream: TcpStream) -> io::Result<Stream> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.target.server_name.clone(), stream).await?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target && self.key_file == other.key_file
    }
}

impl Eq for Tls {}
