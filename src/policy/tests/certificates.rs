//! Principals by the certificates that callers show.

use super::{mistakes, policy};
use crate::peer::{Certificate, Peer, TlsPeer, UnixPeer};

fn ann() -> Certificate {
    Certificate {
        subject: "CN=runner-7.ci.example,OU=ops,OU=night,O=Corp\\, Inc.".into(),
        common_names: vec!["runner-7.ci.example".into()],
        units: vec!["ops".into(), "night".into()],
        sans: vec!["host.example".into(), "spiffe://corp.example/ops/ann".into()],
        spiffe: Some("spiffe://corp.example/ops/ann".into()),
        issuer: "CN=Corp CA,O=Corp\\, Inc.".into(),
        serial: "0a".into(),
        sha256: "ab".repeat(32),
        not_after: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn text(matcher: &str) -> String {
    format!("version = 1\n[[principal]]\nname = 'a'\nprofile = 'baseline'\nmatch = [{matcher}]\n")
}

fn claims(matcher: &str, peer: &Peer) -> bool {
    policy(&text(matcher)).principals.iter().any(|principal| principal.claims(peer))
}

#[test]
fn a_certificate_is_claimed_by_all_that_is_said_of_it() {
    let fingerprint = "AB:".repeat(32);
    let fingerprint = format!("{{ cert-sha256 = '{}' }}", fingerprint.trim_end_matches(':'));
    let address = ([192, 0, 2, 7], 4000).into();
    let peer = Peer::Tls(Box::new(TlsPeer { address, certificate: ann() }));
    for (matcher, expected) in [
        ("{ cert-cn = 'runner-*.ci.example' }", true),
        ("{ cert-cn = 'runner-?.ci.example', cert-ou = 'night' }", true),
        ("{ cert-cn = 'runner-*.ci.example', cert-ou = 'dev' }", false),
        ("{ cert-cn = 'RUNNER-*' }", false),
        ("{ cert-cn = 'ops' }", false),
        ("{ cert-ou = 'ops' }", true),
        ("{ cert-san = 'spiffe://corp.example/ops/*' }", true),
        ("{ cert-san = 'spiffe://corp.example/*' }", false),
        ("{ cert-san = 'spiffe://corp.example/**' }", true),
        ("{ cert-san = 'runner-7.ci.example' }", false),
        (fingerprint.as_str(), true),
        ("{ cert-issuer = 'CN=Corp CA,O=Corp\\, Inc.' }", true),
        ("{ cert-issuer = 'CN=Corp CA,*' }", true),
        ("{ cert-issuer = 'CN=Corp' }", false),
        // Names of this host say nothing about somebody from elsewhere.
        ("{ user = '*' }, { group = '*' }, { uid = 0 }", false),
    ] {
        assert_eq!(claims(matcher, &peer), expected, "{matcher}");
    }
}

#[test]
fn a_peer_without_a_certificate_is_claimed_by_none_of_it() {
    let unix = Peer::Unix(Box::new(UnixPeer { uid: Some(0), user: Some("root".into()), ..UnixPeer::default() }));
    let everything = "{ cert-cn = '*' }, { cert-san = '**' }, { cert-ou = '*' }, { cert-issuer = '*' }";
    for peer in [unix, Peer::Tcp(([127, 0, 0, 1], 1).into())] {
        assert!(!claims(everything, &peer), "{peer:?}");
    }
}

#[test]
fn a_later_principal_with_the_same_certificates_is_told_of() {
    let again = "[[principal]]\nname = 'b'\nprofile = 'baseline'\nmatch = [{ cert-san = 'x', cert-ou = 'ops' }]\n";
    let warned = |matcher: &str| !mistakes(&format!("{}{again}", text(matcher))).is_empty();
    assert!(warned("{ cert-ou = 'ops' }"));
    assert!(!warned("{ cert-ou = 'dev' }"));
}
