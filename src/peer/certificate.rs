//! Whom a client certificate names. Whether it may be believed has been decided by TLS before.
//!
//! A certificate whose names have two readings is nobody's: what is not plain is refused as a whole.

use std::net::IpAddr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATIONAL_UNIT, Oid};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

/// Longest SPIFFE ID, in bytes, as its standard has it.
const MAX_SPIFFE: usize = 2048;

/// Most names that are read from one certificate: an honest one has a handful.
const MAX_NAMES: usize = 256;

/// A client certificate, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Distinguished name of the subject, as RFC 4514 writes it (`CN=ann,OU=ops,O=corp`).
    pub subject: String,
    /// Common names of the subject.
    pub common_names: Vec<String>,
    /// Organizational units of the subject.
    pub units: Vec<String>,
    /// Subject alternative names: DNS names, addresses, mail addresses and URIs.
    pub sans: Vec<String>,
    /// The SPIFFE ID among them.
    pub spiffe: Option<String>,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Serial number, in lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the whole certificate, in lower-case hexadecimal.
    pub sha256: String,
    /// The end of its time.
    pub not_after: Timestamp,
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// Not X.509, or an extension twice.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// More names than anybody has.
    #[error("the certificate has more than {MAX_NAMES} names")]
    TooMany,
    /// A name that could be taken for one of another kind.
    #[error("the certificate's {kind} {name:?} is none")]
    Name {
        /// What it claims to be.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A SPIFFE ID beside another URI: the standard lets neither count.
    #[error("the certificate has {0} URIs, one of them a SPIFFE ID: it must be the only one")]
    SpiffeNotAlone(usize),
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// If it has no plain reading.
    pub fn parse(der: &[u8]) -> Result<Self, BadCertificate> {
        let unreadable = |why: &dyn std::fmt::Display| BadCertificate::Unreadable(why.to_string());
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        if !rest.is_empty() {
            return Err(unreadable(&"bytes behind its end"));
        }
        let names = certificate.subject_alternative_name().map_err(|error| unreadable(&error))?;
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        if names.len().max(certificate.subject().iter_attributes().count()) > MAX_NAMES {
            return Err(BadCertificate::TooMany);
        }
        let uris = names.iter().filter(|name| matches!(name, GeneralName::URI(_))).count();
        let sans = names.iter().map(san).collect::<Result<Vec<String>, BadCertificate>>()?;
        let spiffe = sans.iter().find(|san| san.starts_with("spiffe:")).cloned();
        if spiffe.is_some() && uris > 1 {
            return Err(BadCertificate::SpiffeNotAlone(uris));
        }
        Ok(Self {
            subject: distinguished(certificate.subject()),
            common_names: texts(certificate.subject(), &OID_X509_COMMON_NAME),
            units: texts(certificate.subject(), &OID_X509_ORGANIZATIONAL_UNIT),
            sans,
            spiffe,
            issuer: distinguished(certificate.issuer()),
            serial: hex(certificate.raw_serial()),
            sha256: hex(&Sha256::digest(der)),
            not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX),
        })
    }
}

/// What a certificate says of itself that nobody has verified: its subject where it can be read, and its SHA-256.
pub fn label(der: &[u8]) -> (Option<String>, String) {
    let read = X509Certificate::from_der(der).ok();
    (read.map(|(_rest, certificate)| distinguished(certificate.subject())), hex(&Sha256::digest(der)))
}

// === subject alternative names ===

/// A name as it is written in records and compared with. Kinds do not overlap: a DNS name has no `:`, `/` or `@`, a mail
/// address has an `@` and neither of the others, a URI begins with its scheme.
fn san(name: &GeneralName<'_>) -> Result<String, BadCertificate> {
    let bad = |kind, name: &str| Err(BadCertificate::Name { kind, name: name.to_owned() });
    match name {
        GeneralName::DNSName(text) if is_dns(text) => Ok((*text).to_owned()),
        GeneralName::DNSName(text) => bad("DNS name", text),
        GeneralName::RFC822Name(text) if is_mail(text) => Ok((*text).to_owned()),
        GeneralName::RFC822Name(text) => bad("mail address", text),
        GeneralName::URI(text) if is_uri(text) => Ok((*text).to_owned()),
        GeneralName::URI(text) => bad("URI", text),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.map(|address| address.to_string()).or_else(|_| bad("IP address", &hex(bytes)))
        }
        // Nothing is compared with these; that they are there is told.
        GeneralName::OtherName(kind, _) => Ok(format!("other-name:{kind}")),
        GeneralName::RegisteredID(id) => Ok(format!("registered-id:{id}")),
        GeneralName::DirectoryName(name) => Ok(format!("directory-name:{}", distinguished(name))),
        GeneralName::X400Address(_) => Ok("x400-address:".to_owned()),
        GeneralName::EDIPartyName(_) => Ok("edi-party-name:".to_owned()),
        GeneralName::Invalid(_, bytes) => bad("name", &hex(bytes)),
    }
}

fn is_dns(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte))
}

fn is_mail(text: &str) -> bool {
    text.contains('@') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b":/".contains(&byte))
}

/// A URI in characters that RFC 3986 has, and a whole SPIFFE ID if its scheme says that it is one. A scheme of ours for kinds that
/// are only told would be taken for one of those.
fn is_uri(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    let told = ["other-name", "registered-id", "directory-name", "x400-address", "edi-party-name"];
    plain
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && !told.contains(&scheme.to_ascii_lowercase().as_str())
        && (!scheme.eq_ignore_ascii_case("spiffe") || is_spiffe(text))
}

/// `spiffe://trust-domain/path`, exactly as its standard has it: a pattern must not be met by `..` or an empty part.
fn is_spiffe(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("spiffe://").filter(|_| text.len() <= MAX_SPIFFE) else { return false };
    let mut parts = rest.split('/');
    let domain = parts.next().unwrap_or_default();
    let in_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !domain.is_empty()
        && domain.bytes().all(in_domain)
        && parts.all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(in_path))
}

// === distinguished names ===

/// Every value of one attribute that is a text.
fn texts(name: &X509Name<'_>, attribute: &Oid<'static>) -> Vec<String> {
    let of_kind = name.iter_attributes().filter(|found| found.attr_type() == attribute);
    of_kind.filter_map(|found| text(found.attr_value())).collect()
}

/// As RFC 4514 has it: the last part first, special characters escaped, what is no text as `#` and its bytes.
fn distinguished(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let attributes: Vec<String> = part
                .iter()
                .map(|found| {
                    let value = text(found.attr_value()).map(|text| escaped(&text));
                    let value = value.unwrap_or_else(|| format!("#{}", hex(found.attr_value().data)));
                    format!("{}={value}", key(&found.attr_type().to_id_string()))
                })
                .collect();
            attributes.join("+")
        })
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

/// The short names of RFC 4514, and the number of any other attribute.
fn key(id: &str) -> &str {
    match id {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        other => other,
    }
}

/// A text in one of the encodings that leave no doubt.
fn text(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => str::from_utf8(value.data).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            str::from_utf8(value.data).ok().filter(|text| text.is_ascii()).map(str::to_owned)
        }
        Tag::BmpString => {
            let (pairs, rest) = value.data.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let is_edge = (at == 0 && matches!(letter, ' ' | '#')) || (at + 1 == text.len() && letter == ' ');
        if is_edge || matches!(letter, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
            out.push(letter);
        } else if letter.is_control() {
            letter.to_string().bytes().for_each(|byte| out.push_str(&format!("\\{byte:02x}")));
        } else {
            out.push(letter);
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, string::Ia5String};

    use super::*;

    fn made(params: CertificateParams) -> Result<Certificate, BadCertificate> {
        let key = KeyPair::generate().unwrap();
        Certificate::parse(params.self_signed(&key).unwrap().der())
    }

    fn with_uris(uris: &[&str]) -> Result<Certificate, BadCertificate> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        made(params)
    }

    #[test]
    fn every_name_is_read() {
        let mut params = CertificateParams::new(["host.example".to_owned(), "192.0.2.7".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::Rfc822Name("ann@corp.example".try_into().unwrap()));
        params.subject_alt_names.push(SanType::URI("spiffe://corp.example/ops/ann".try_into().unwrap()));
        params.distinguished_name.push(DnType::OrganizationName, "Corp, Inc.");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "ops");
        params.distinguished_name.push(DnType::CommonName, "ann");
        params.serial_number = Some(vec![0x0a, 0xff].into());
        let certificate = made(params).unwrap();
        assert_eq!(
            certificate.sans,
            ["host.example", "192.0.2.7", "ann@corp.example", "spiffe://corp.example/ops/ann"]
        );
        assert_eq!(certificate.spiffe.as_deref(), Some("spiffe://corp.example/ops/ann"));
        assert_eq!(certificate.subject, "OU=ops,O=Corp\\, Inc.,CN=ann");
        assert_eq!(certificate.common_names, ["ann"]);
        assert_eq!(
            (certificate.units.as_slice(), certificate.serial.as_str()),
            (["ops".to_owned()].as_slice(), "0aff")
        );
        assert_eq!(certificate.sha256.len(), 64);
    }

    #[test]
    fn a_spiffe_id_is_whole_and_the_only_uri() {
        assert!(with_uris(&["https://corp.example/a", "urn:b"]).is_ok());
        for (uris, expected) in [
            (&["spiffe://a/x", "spiffe://b/x"][..], BadCertificate::SpiffeNotAlone(2)),
            (&["https://corp.example/", "spiffe://a/x"][..], BadCertificate::SpiffeNotAlone(2)),
        ] {
            assert_eq!(with_uris(uris).unwrap_err(), expected);
        }
        for odd in
            ["spiffe://a/x/../admin", "spiffe://a//x", "SPIFFE://a/x", "spiffe://A/x", "spiffe:a/x", "spiffe://a/%2e"]
        {
            assert!(matches!(with_uris(&[odd]), Err(BadCertificate::Name { kind: "URI", .. })), "{odd}");
        }
    }

    #[test]
    fn a_name_of_one_kind_is_not_taken_for_another() {
        let text = |text: &str| Ia5String::try_from(text).unwrap();
        for odd in [
            SanType::DnsName(text("spiffe://corp.example/ops/ann")),
            SanType::DnsName(text("ann@corp.example")),
            SanType::Rfc822Name(text("spiffe://ann@corp.example/")),
            SanType::URI(text("host.example")),
            SanType::URI(text("directory-name:CN=root")),
            SanType::DnsName(text("")),
        ] {
            let mut params = CertificateParams::default();
            params.subject_alt_names.push(odd.clone());
            assert!(matches!(made(params), Err(BadCertificate::Name { .. })), "{odd:?}");
        }
    }

    #[test]
    fn a_distinguished_name_cannot_be_forged_by_its_values() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "x,O=Corp\n ");
        assert_eq!(made(params).unwrap().subject, "CN=x\\,O=Corp\\0a\\ ");
    }
}
