//! TLS as both ends of the gate have it: what is spoken, and what the files that an operator names must hold.
//!
//! Every mistake comes as a [`Diagnostic`] without a place; whoever knows where the file is named adds that.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::diagnostic::{Diagnostic, Severity, Source};

/// Versions that are spoken; rustls has no older ones.
pub const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// The only protocol inside: HTTP/2 cannot be judged.
pub const ALPN: &[u8] = b"http/1.1";

/// How long before its end a certificate or list is warned of.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Shown by a server.
    Server,
    /// Shown by a client.
    Client,
}

/// Certificates that others are held against.
#[derive(Debug)]
pub struct Authorities {
    /// As rustls takes them.
    pub roots: RootCertStore,
    /// The name of each, in DER, and in words.
    names: Vec<(Vec<u8>, String)>,
}

/// The cryptography both ends use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Tells apart what was read from one set of files and another.
pub type Digest = [u8; 32];

/// The digest of certificates, of authorities and of lists. A key is in it by its certificate.
pub fn digest(key: &CertifiedKey, roots: &RootCertStore, crls: &[CertificateRevocationListDer<'_>]) -> Digest {
    let certificates = key.cert.iter().map(AsRef::as_ref);
    let authorities =
        roots.roots.iter().flat_map(|root| [root.subject.as_ref(), root.subject_public_key_info.as_ref()]);
    let lists = crls.iter().map(AsRef::as_ref);
    let parts: [Vec<&[u8]>; 3] = [certificates.collect(), authorities.collect(), lists.collect()];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        for bytes in part {
            hash.update(bytes.len().to_le_bytes());
            hash.update(bytes);
        }
    }
    hash.finalize().into()
}

/// Reads a certificate and those that lead to its authority, the certificate first.
pub fn chain(
    file: &Source,
    purpose: Purpose,
    now: Timestamp,
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<CertificateDer<'static>> = sections(file, "CERTIFICATE", found)?;
    let leaf = look(file, chain.first()?, found)?;
    let before = found.len();
    in_time(file, &leaf, now, found);
    leaf_form(file, &leaf, purpose, found);
    let is_good = found.iter().skip(before).all(|found| found.severity == Severity::Warning);
    is_good.then_some(chain)
}

/// Reads a private key.
pub fn key(file: &Source, found: &mut Vec<Diagnostic>) -> Option<PrivateKeyDer<'static>> {
    let path = file.path.display();
    match PrivateKeyDer::from_pem_slice(file.text.as_bytes()) {
        Ok(key) => return Some(key),
        Err(PemError::NoItemsFound) if file.text.contains("ENCRYPTED") => {
            let help = format!("take its passphrase off: openssl pkey -in {path} -out FILE");
            found.push(error(format!("the key in {path} is encrypted"), help));
        }
        Err(PemError::NoItemsFound) => {
            found.push(error(format!("{path} holds no PRIVATE KEY"), "name the PEM file of the key"));
        }
        Err(why) => found.push(error(format!("{path} is no PEM file: {why}"), "make it again, or copy it again")),
    }
    None
}

/// Puts a certificate and its key together.
pub fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    file: &Source,
    found: &mut Vec<Diagnostic>,
) -> Option<Arc<CertifiedKey>> {
    let pair = CertifiedKey::from_der(chain, key, &provider());
    let mismatch = rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch);
    pair.map(Arc::new)
        .map_err(|why| {
            let path = file.path.display();
            let help = "name the key that the certificate was made for";
            found.push(match why == mismatch {
                true => error(format!("{path} is not the key of the certificate"), help),
                false => error(format!("the key in {path} cannot be used with its certificate: {why}"), help),
            });
        })
        .ok()
}

/// Reads the authorities that others' certificates must come from.
pub fn authorities(file: &Source, now: Timestamp, found: &mut Vec<Diagnostic>) -> Option<Authorities> {
    let path = file.path.display();
    let all: Vec<CertificateDer<'static>> = sections(file, "CERTIFICATE", found)?;
    let mut authorities = Authorities { roots: RootCertStore::empty(), names: Vec::new() };
    for der in all {
        let Some(certificate) = look(file, &der, found) else { continue };
        let name = certificate.subject().to_string();
        // rustls does not look at an anchor's dates, Go does: one that is over is none.
        if end(&certificate.validity().not_after) <= now {
            found.push(warning(
                format!("the CA '{name}' in {path} has expired, and is left out"),
                "remove it, or put its successor there",
            ));
            continue;
        }
        if certificate.version().0 >= 2 && !certificate.is_ca() {
            found.push(warning(
                format!("'{name}' in {path} is not a CA: no other certificate can come from it"),
                "name the certificate of the CA",
            ));
        }
        let subject = certificate.subject().as_raw().to_vec();
        match authorities.roots.add(der) {
            Ok(()) => authorities.names.push((subject, name)),
            Err(why) => {
                let message = format!("the CA '{name}' in {path} cannot be used: {why}");
                found.push(error(message, "make it again with a current tool"));
            }
        }
    }
    if authorities.names.is_empty() {
        found.push(error(format!("{path} holds no CA that can be used"), "name the PEM file of the CA's certificate"));
        return None;
    }
    Some(authorities)
}

/// Reads lists of revoked certificates. With any list every CA of a chain needs one.
pub fn revoked(
    file: &Source,
    authorities: Option<&Authorities>,
    now: Timestamp,
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<CertificateRevocationListDer<'static>>> {
    let path = file.path.display();
    let lists: Vec<CertificateRevocationListDer<'static>> = sections(file, "X509 CRL", found)?;
    let before = found.len();
    let mut issuers = Vec::new();
    for list in &lists {
        let Ok((_rest, list)) = CertificateRevocationList::from_der(list) else {
            found.push(error(format!("a CRL in {path} cannot be read"), "publish it again"));
            continue;
        };
        issuers.push(list.issuer().as_raw().to_vec());
        let publish = "publish a new one (openssl ca -gencrl), and let that be done regularly";
        match list.next_update().map(|next| end(&next)) {
            Some(next) if next <= now => {
                let message = format!("the CRL of '{}' in {path} has expired on {}", list.issuer(), day(next));
                found.push(error(format!("{message}; every client would be refused"), publish));
            }
            Some(next) if next <= now.saturating_add(SOON).unwrap_or(now) => {
                let message = format!("the CRL of '{}' in {path} expires on {}", list.issuer(), day(next));
                found.push(warning(format!("{message}; every client is refused after that"), publish));
            }
            Some(_) => {}
            None => {
                let message = format!("the CRL of '{}' in {path} does not say until when it holds", list.issuer());
                found.push(error(message, publish));
            }
        }
    }
    for (_, name) in authorities.into_iter().flat_map(|all| &all.names).filter(|(der, _)| !issuers.contains(der)) {
        found.push(warning(
            format!("{path} holds no CRL of the CA '{name}': clients with a certificate of it are refused"),
            "add its CRL to the file; an empty one will do",
        ));
    }
    let is_good = found.iter().skip(before).all(|found| found.severity == Severity::Warning);
    is_good.then_some(lists)
}

// === one certificate ===

fn sections<T: PemObject>(file: &Source, word: &str, found: &mut Vec<Diagnostic>) -> Option<Vec<T>> {
    let path = file.path.display();
    match T::pem_slice_iter(file.text.as_bytes()).collect::<Result<Vec<T>, PemError>>() {
        Ok(all) if !all.is_empty() => return Some(all),
        Ok(_) => found.push(error(format!("{path} holds no {word}"), format!("name a PEM file with BEGIN {word}"))),
        Err(why) => found.push(error(format!("{path} is no PEM file: {why}"), "make it again, or copy it again")),
    }
    None
}

fn look<'a>(file: &Source, der: &'a [u8], found: &mut Vec<Diagnostic>) -> Option<X509Certificate<'a>> {
    match X509Certificate::from_der(der) {
        Ok((_rest, certificate)) => Some(certificate),
        Err(why) => {
            let message = format!("a certificate in {} cannot be read: {why}", file.path.display());
            found.push(error(message, "make it again with a current tool"));
            None
        }
    }
}

fn in_time(file: &Source, certificate: &X509Certificate<'_>, now: Timestamp, found: &mut Vec<Diagnostic>) {
    let path = file.path.display();
    let (from, to) = (end(&certificate.validity().not_before), end(&certificate.validity().not_after));
    if to <= now {
        found.push(error(format!("the certificate in {path} has expired on {}", day(to)), "put a new one there"));
    } else if from > now {
        let message = format!("the certificate in {path} is not valid before {}", day(from));
        found.push(error(message, "set this host's clock, or wait"));
    } else if to <= now.saturating_add(SOON).unwrap_or(now) {
        found.push(warning(format!("the certificate in {path} expires on {}", day(to)), "put a new one there"));
    }
}

/// What the other end makes of a certificate's form; Go's TLS takes some of what rustls does not.
fn leaf_form(file: &Source, leaf: &X509Certificate<'_>, purpose: Purpose, found: &mut Vec<Diagnostic>) {
    let path = file.path.display();
    if leaf.version().0 < 2 {
        let message = format!("the certificate in {path} is of the old form X.509 v1, which is refused");
        let help = "make a v3 certificate: openssl x509 -req … -extfile with subjectAltName and extendedKeyUsage";
        found.push(error(message, help));
        return;
    }
    let usage = leaf.extended_key_usage().ok().flatten().map(|usage| usage.value);
    let (word, is_fit) = match purpose {
        Purpose::Server => ("serverAuth", usage.is_none_or(|usage| usage.any || usage.server_auth)),
        Purpose::Client => ("clientAuth", usage.is_none_or(|usage| usage.any || usage.client_auth)),
    };
    if !is_fit || (usage.is_none() && purpose == Purpose::Client) {
        let message = format!("the certificate in {path} does not say that it is for {word}; others may refuse it");
        found.push(warning(message, format!("make it with extendedKeyUsage = {word}")));
    }
    if leaf.is_ca() {
        let message =
            format!("the certificate in {path} is a CA's; Go takes it for a leaf, rustls and others refuse it");
        found.push(warning(message, "let the CA sign a certificate of its own for this"));
    }
    if purpose == Purpose::Server && !leaf.subject_alternative_name().is_ok_and(|names| names.is_some()) {
        let message = format!("the certificate in {path} has no subjectAltName; docker and others refuse it");
        found.push(warning(message, "make it with subjectAltName = DNS:…, IP:…"));
    }
}

fn end(time: &x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX)
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn error(message: String, help: impl Into<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Error, span: None, message, help: Some(help.into()) }
}

fn warning(message: String, help: impl Into<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..error(message, help) }
}
