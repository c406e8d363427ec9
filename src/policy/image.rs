//! Image references and the patterns that list them.

use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use oci_spec::distribution::Reference;

/// An entry of an allow-list.
#[derive(Debug, Clone)]
pub(super) enum ImagePattern {
    /// `sha256:<64 hex>`: an image id, exactly.
    Id(String),
    /// Repository, tag and digest, each a glob; an absent one matches anything.
    Name { repository: GlobMatcher, tag: Option<GlobMatcher>, digest: Option<String> },
}

/// An image as a request names it.
#[derive(Debug)]
pub(super) enum Image {
    /// By id or a prefix of one, which says nothing of where it came from.
    Id(String),
    /// By name.
    Name(Reference),
}

impl Image {
    /// Reads a reference as the engine does: `busybox` is `docker.io/library/busybox:latest`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        // The engine takes any prefix of an id; a short name of hex digits only may be either.
        let hexadecimal = !hex.is_empty() && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hexadecimal && (text.starts_with("sha256:") || hex.len() >= 4) {
            return Some(Self::Id(text.to_owned()));
        }
        Reference::from_str(text).ok().map(Self::Name)
    }

    pub(super) fn is_latest(&self) -> bool {
        matches!(self, Self::Name(name) if name.digest().is_none() && name.tag().is_none_or(|tag| tag == "latest"))
    }

    pub(super) fn is_pinned(&self) -> bool {
        match self {
            Self::Id(id) => id.len() == "sha256:".len() + 64,
            Self::Name(name) => name.digest().is_some(),
        }
    }
}

impl ImagePattern {
    /// Reads an entry of `images`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with("sha256:") {
            return Some(Self::Id(text.to_owned()));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _no_tag => (name, None),
        };
        let first = repository.split('/').next().unwrap_or_default();
        let has_registry = repository.contains('/') && (first.contains(['.', ':', '*']) || first == "localhost");
        let repository = match repository.contains('/') {
            _ if has_registry => repository.to_owned(),
            true => format!("docker.io/{repository}"),
            false if repository.contains("**") => repository.to_owned(),
            false => format!("docker.io/library/{repository}"),
        };
        let tag = match tag {
            Some(tag) => Some(glob(tag)?),
            None => None,
        };
        Some(Self::Name { repository: glob(&repository)?, tag, digest })
    }

    pub(super) fn lists(&self, image: &Image) -> bool {
        match (self, image) {
            (Self::Id(listed), Image::Id(id)) => listed == id,
            (Self::Name { repository, tag, digest }, Image::Name(name)) => {
                let registry = name.registry();
                let path = format!("{registry}/{}", name.repository());
                let tag_fits = tag.as_ref().is_none_or(|tag| name.tag().is_some_and(|written| tag.is_match(written)));
                let digest_fits = digest.as_deref().is_none_or(|digest| name.digest() == Some(digest));
                repository.is_match(&path) && tag_fits && digest_fits
            }
            (Self::Id(_), Image::Name(_)) | (Self::Name { .. }, Image::Id(_)) => false,
        }
    }
}

/// A glob where `*` stays within a component and `**` crosses them.
pub(super) fn glob(text: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(text).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}
