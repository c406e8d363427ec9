//! TLS to a server of syslog (RFC 5425): it must show a certificate of its CA and of its name.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::runtime::Stream;
use crate::runtime::tls::{VERSIONS, provider};

/// A server behind TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The name its certificate must hold.
    server_name: ServerName<'static>,
    files: Files,
    config: Arc<ClientConfig>,
}

/// The files of a server behind TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// CAs that the server's certificate must come from.
    pub ca: PathBuf,
    /// Our own certificate and its key, if the server asks for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// A server that must show a certificate of `roots`, and is shown ours if there is one.
    ///
    /// # Errors
    /// If rustls does not have what is asked for.
    pub fn new(
        (host, port): (String, u16),
        server_name: ServerName<'static>,
        files: Files,
        roots: RootCertStore,
        key: Option<Arc<CertifiedKey>>,
    ) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)?
            .with_root_certificates(roots);
        let mut config = match key {
            Some(key) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
            None => config.with_no_client_auth(),
        };
        // Resumed, a server's certificate is not looked at again.
        config.resumption = Resumption::disabled();
        Ok(Self { host, port, server_name, files, config: Arc::new(config) })
    }

    /// The files it was made from.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    pub(super) async fn secure(&self, stream: TcpStream) -> io::Result<Stream> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.server_name.clone(), stream).await?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

/// Two are equal if they are made from the same files for the same server.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let parts = |tls: &Self| (tls.host.clone(), tls.port, tls.server_name.clone(), tls.files.clone());
        parts(self) == parts(other)
    }
}

impl Eq for Tls {}
