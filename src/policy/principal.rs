//! Principals: the first in the file's order whose matchers claim a peer is who that peer is.

use globset::GlobMatcher;

use super::image::{Image, ImagePattern};
use crate::peer::{Certificate, Peer, UnixPeer};

/// A named caller.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    pub(super) name: String,
    pub(super) admin: bool,
    pub(super) profile: String,
    /// Any of them claims.
    pub(super) matchers: Vec<Matcher>,
}

/// All that is said must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Matcher {
    /// In words.
    pub(super) said: String,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) user: Option<GlobMatcher>,
    pub(super) group: Option<GlobMatcher>,
    pub(super) in_container: Option<ImagePattern>,
    /// Of a client certificate; where it is said, nothing above is.
    pub(super) certificate: Option<CertificateMatcher>,
}

/// All that is said must hold for one verified client certificate; any of several names may be the one.
#[derive(Debug, Clone, Default)]
pub(super) struct CertificateMatcher {
    pub(super) cn: Option<GlobMatcher>,
    pub(super) ou: Option<GlobMatcher>,
    pub(super) san: Option<GlobMatcher>,
    /// Lower-case hexadecimal.
    pub(super) sha256: Option<String>,
    pub(super) issuer: Option<GlobMatcher>,
}

impl Principal {
    pub(super) fn claims(&self, peer: &Peer) -> bool {
        self.matchers.iter().any(|matcher| matcher.claims(peer))
    }
}

impl Matcher {
    /// Whether everything that is said holds. What is not known of a peer matches nothing.
    fn claims(&self, peer: &Peer) -> bool {
        match (peer, &self.certificate) {
            (Peer::Unix(peer), None) => self.claims_process(peer),
            (Peer::Tls(peer), Some(matcher)) => matcher.claims(&peer.certificate),
            (Peer::Unix(_), Some(_)) | (Peer::Tls(_), None) | (Peer::Tcp(_), _) => false,
        }
    }

    /// Root of a container is not root of the host, and its other ids are nobody's here: who runs in a container, or may, is
    /// claimed only where containers are spoken of. A process that connects and is gone at once, while another speaks through
    /// its descriptor, would else leave its container behind.
    fn claims_process(&self, peer: &UnixPeer) -> bool {
        if !peer.is_on_host() && self.in_container.is_none() {
            return false;
        }
        let image = || peer.container.as_ref()?.image.as_deref().and_then(Image::parse);
        self.uid.is_none_or(|uid| peer.uid == Some(uid))
            && self.gid.is_none_or(|gid| peer.gid == Some(gid) || peer.groups.iter().any(|group| group.gid == gid))
            && self.user.as_ref().is_none_or(|user| peer.user.as_ref().is_some_and(|name| user.is_match(name)))
            && self.group.as_ref().is_none_or(|wanted| {
                peer.groups.iter().filter_map(|group| group.name.as_ref()).any(|name| wanted.is_match(name))
            })
            && self.in_container.as_ref().is_none_or(|pattern| image().is_some_and(|image| pattern.lists(&image)))
    }
}

impl CertificateMatcher {
    fn claims(&self, certificate: &Certificate) -> bool {
        let any = |glob: &Option<GlobMatcher>, names: &[String]| {
            glob.as_ref().is_none_or(|glob| names.iter().any(|name| glob.is_match(name)))
        };
        any(&self.cn, &certificate.common_names)
            && any(&self.ou, &certificate.units)
            && any(&self.san, &certificate.sans)
            && self.sha256.as_ref().is_none_or(|sha256| *sha256 == certificate.sha256)
            && self.issuer.as_ref().is_none_or(|glob| glob.is_match(&certificate.issuer))
    }
}
