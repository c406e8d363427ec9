//! TLS in front of a door: only who shows a certificate of the client CA gets in, and every handshake is a full one.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig};
use rustls::{RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::runtime::Live;
use crate::runtime::tls::{ALPN, Digest, VERSIONS, digest, provider};

/// From a connection to the end of its handshake: three round trips and a signature, even on a bad line.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a refused client is listened to, so that it reads the alert: closed with bytes unread, a socket takes back what it
/// has sent.
const LINGER: Duration = Duration::from_secs(1);

/// Whether a verified certificate names somebody; the text says why not.
pub type Names = fn(&[u8]) -> Result<(), String>;

/// The files of a TLS door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate shown to clients, and those that lead to its CA.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// CAs that clients' certificates must come from.
    pub client_ca: PathBuf,
    /// Revoked certificates of those CAs.
    pub crl: Option<PathBuf>,
}

/// What a TLS door shows and asks for. Clones are one: renewing any of them renews the door.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Files,
    terms: Arc<Live<Terms>>,
}

/// What the files held.
#[derive(Debug, Clone)]
struct Terms {
    key: Arc<CertifiedKey>,
    clients: Arc<dyn ClientCertVerifier>,
    digest: Digest,
}

/// The certificates that a connection was let in by.
#[derive(Debug)]
pub struct Shown {
    chain: Vec<CertificateDer<'static>>,
    door: Arc<Live<Terms>>,
    /// What it was let in by last.
    terms: Arc<Terms>,
}

/// A handshake came to nothing.
#[derive(Debug)]
pub struct HandshakeError {
    /// Why, and what may be done about it.
    pub why: String,
    /// The certificate that was shown, in DER. Nobody has proved to hold its key.
    pub shown: Option<CertificateDer<'static>>,
}

/// A connection's certificate was refused.
#[derive(Debug)]
struct Refused {
    certificate: CertificateDer<'static>,
    /// Why, where rustls does not know.
    why: Option<String>,
}

/// Asks rustls, then whom the certificate names; one for each connection, to remember what it refused.
#[derive(Debug)]
struct Verifier {
    clients: Arc<dyn ClientCertVerifier>,
    names: Names,
    refused: OnceLock<Refused>,
}

impl Tls {
    /// What a door shows, and which clients it takes. With `crls` every certificate of a chain must be found in force, and the
    /// lists themselves.
    ///
    /// # Errors
    /// If a list or the CAs cannot be used.
    pub fn new(
        files: Files,
        key: Arc<CertifiedKey>,
        roots: RootCertStore,
        crls: Vec<CertificateRevocationListDer<'static>>,
    ) -> Result<Self, VerifierBuilderError> {
        let digest = digest(&key, &roots, &crls);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .with_crls(crls)
            .enforce_revocation_expiration()
            .build()?;
        Ok(Self { files, terms: Arc::new(Live::new(Terms { key, clients, digest })) })
    }

    /// The files it was made from.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Whether another one read the same from the files.
    pub fn holds_the_same(&self, other: &Self) -> bool {
        self.terms.current().digest == other.terms.current().digest
    }

    /// Takes over what another one read from the files, for every handshake that begins after this. Open connections are told
    /// if they would not be let in any more, by [`Shown::refused`].
    pub fn renew(&self, from: &Self) {
        self.terms.replace((*from.terms.current()).clone());
    }

    /// Makes a connection TLS.
    ///
    /// # Errors
    /// If it is none, or its client may not come in; the client has been told then.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        names: Names,
    ) -> Result<(TlsStream<TcpStream>, Shown), HandshakeError> {
        let terms = self.terms.current();
        let Terms { key, clients, .. } = (*terms).clone();
        let verifier = Arc::new(Verifier { clients, names, refused: OnceLock::new() });
        let deadline = Instant::now() + DEADLINE;
        let result = match config(key, Arc::clone(&verifier)) {
            Err(error) => Err(why(&io::Error::other(error))),
            Ok(config) => {
                let accept = TlsAcceptor::from(Arc::new(config)).accept(stream).into_fallible();
                match timeout_at(deadline, accept).await {
                    Ok(Ok(stream)) => {
                        let chain = stream.get_ref().1.peer_certificates();
                        let chain = chain.unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
                        return Ok((stream, Shown { chain, door: Arc::clone(&self.terms), terms }));
                    }
                    Ok(Err((error, stream))) => {
                        linger(stream).await;
                        Err(why(&error))
                    }
                    Err(_late) => Err(format!("no handshake within {} s", DEADLINE.as_secs())),
                }
            }
        };
        let why = result.unwrap_or_else(|why| why);
        let refused = Arc::into_inner(verifier).and_then(|verifier| verifier.refused.into_inner());
        let (shown, told) = refused.map(|refused| (refused.certificate, refused.why)).unzip();
        Err(HandshakeError { why: told.flatten().unwrap_or(why), shown })
    }
}

impl Shown {
    /// Waits until the door takes the certificates no longer, and says why. It is asked whenever the door is renewed.
    pub async fn refused(mut self) -> String {
        let Some((client, above)) = self.chain.split_first() else { return pending().await };
        loop {
            self.terms = self.door.newer(&self.terms).await;
            if let Err(error) = self.terms.clients.verify_client_cert(client, above, UnixTime::now()) {
                return why(&io::Error::other(error));
            }
        }
    }
}

/// Two are equal if they are made from the same files: what is in those may change.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for Tls {}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.clients.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.clients.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let refuse = |why| {
            // A second certificate on one connection does not happen; the first would stay.
            self.refused.get_or_init(|| Refused { certificate: end_entity.clone().into_owned(), why });
        };
        let verified =
            self.clients.verify_client_cert(end_entity, intermediates, now).inspect_err(|_error| refuse(None))?;
        (self.names)(end_entity).map_err(|why| {
            refuse(Some(why));
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
        })?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.clients.supported_verify_schemes()
    }
}

fn config(key: Arc<CertifiedKey>, verifier: Arc<Verifier>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session is not held against the CRL again: a revoked certificate would go on working.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

async fn linger(mut stream: TcpStream) {
    let mut scratch = [0; 4096];
    let drained = timeout(LINGER, async {
        stream.shutdown().await?;
        while stream.read(&mut scratch).await? > 0 {}
        Ok::<(), io::Error>(())
    });
    match drained.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a refused TLS client is gone"),
        Err(_late) => tracing::debug!("a refused TLS client went on sending and was cut off"),
    }
}

/// What went wrong, in words for whoever has to mend it.
#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add to its list; its own words will do")]
fn why(error: &io::Error) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        let is_gone = error.kind() == io::ErrorKind::UnexpectedEof;
        return if is_gone { "the client went away during the handshake".to_owned() } else { error.to_string() };
    };
    match tls {
        Error::NoCertificatesPresented => "no client certificate".to_owned(),
        Error::InvalidCertificate(certificate) => why_certificate(certificate),
        Error::NoApplicationProtocol => "the client speaks no HTTP/1.1 (by ALPN); HTTP/2 cannot be judged".to_owned(),
        // Older versions do not have the extension that is missed first.
        Error::PeerIncompatible(
            PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "the client speaks neither TLS 1.2 nor 1.3".to_owned(),
        Error::InvalidMessage(_) => {
            "this is not TLS; use a client that is set up for TLS (docker --tlsverify)".to_owned()
        }
        Error::AlertReceived(alert) => format!("the client refused the door's certificate: {alert:?}"),
        other => other.to_string(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls may add to its list; its own words will do")]
fn why_certificate(error: &CertificateError) -> String {
    let said = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the client's certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the client's certificate is not valid yet"
        }
        CertificateError::Revoked => "the client's certificate is revoked",
        CertificateError::UnknownIssuer => "the client's certificate comes from none of the CAs in client-ca",
        CertificateError::BadSignature => "the client's certificate is not signed by the CA that it names",
        CertificateError::UnknownRevocationStatus => {
            "crl holds no list of the CA that the client's certificate, or one above it, comes from"
        }
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            "the CRL has expired; publish a new one"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the client's certificate is not for clients; make it with extendedKeyUsage = clientAuth"
        }
        CertificateError::Other(other) => match other.to_string().as_str() {
            "CaUsedAsEndEntity" => "the client shows the certificate of a CA; let that CA sign one for the client",
            "UnsupportedCertVersion" => "the client's certificate is of the old form X.509 v1; make a v3 certificate",
            _ => return format!("the client's certificate cannot be used: {other}"),
        },
        other => return format!("the client's certificate cannot be used: {other}"),
    };
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
        KeyUsagePurpose, SerialNumber, date_time_ymd,
    };
    use rustls::ClientConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;

    use super::*;

    /// A CA, and one certificate that serves both ends.
    struct Place {
        issuer: Issuer<'static, KeyPair>,
        ca: CertificateDer<'static>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    }

    impl Place {
        fn new() -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let key = KeyPair::generate().unwrap();
            let ca = params.self_signed(&key).unwrap().der().clone();
            let issuer = Issuer::new(params, key);
            let key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            Self { issuer, ca, chain: vec![leaf.der().clone()], key }
        }

        fn roots(&self) -> RootCertStore {
            let mut roots = RootCertStore::empty();
            roots.add(self.ca.clone()).unwrap();
            roots
        }

        fn tls(&self, crl_until: Option<i32>) -> Tls {
            let list = crl_until.map(|year| CertificateRevocationListParams {
                this_update: date_time_ymd(2020, 1, 1),
                next_update: date_time_ymd(year, 1, 1),
                crl_number: SerialNumber::from_slice(&[1]),
                issuing_distribution_point: None,
                revoked_certs: vec![],
                key_identifier_method: KeyIdMethod::Sha256,
            });
            let lists = list.iter().map(|list| list.signed_by(&self.issuer).unwrap().der().clone()).collect();
            let key = CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &provider()).unwrap();
            let files = ["cert", "key", "ca"].map(PathBuf::from);
            let [cert, key_file, client_ca] = files;
            Tls::new(Files { cert, key: key_file, client_ca, crl: None }, Arc::new(key), self.roots(), lists).unwrap()
        }

        /// How a handshake ends at the door.
        async fn handshake(&self, tls: &Tls) -> Result<(), String> {
            let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS).unwrap();
            let config = config.with_root_certificates(self.roots());
            let config = config.with_client_auth_cert(self.chain.clone(), self.key.clone_key()).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (ours, _address) = listener.accept().await.unwrap();
            let client = async {
                let stream =
                    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), theirs).await;
                drop(stream);
            };
            let (door, ()) = tokio::join!(tls.handshake(ours, |_der| Ok(())), client);
            door.map(drop).map_err(|error| error.why)
        }
    }

    #[tokio::test]
    async fn a_list_that_expires_while_the_door_is_open_lets_nobody_in_until_it_is_renewed() {
        let place = Place::new();
        let door = place.tls(Some(2021));
        assert_eq!(place.handshake(&door).await, Err("the CRL has expired; publish a new one".to_owned()));
        door.clone().renew(&place.tls(Some(2100)));
        assert_eq!(place.handshake(&door).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stays_silent_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (ours, _address) = listener.accept().await.unwrap();
        let error = Place::new().tls(None).handshake(ours, |_der| Ok(())).await.unwrap_err();
        assert_eq!(error.why, "no handshake within 10 s");
    }
}
