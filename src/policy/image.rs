//! Image references and the patterns that list them.

use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use oci_spec::distribution::Reference;

use super::facts::HeldImage;

/// Hex digits of a whole image id, and of a SHA-256 digest.
const ID_DIGITS: usize = 64;

/// An entry of an allow-list.
#[derive(Debug, Clone)]
pub(super) enum ImagePattern {
    /// `sha256:<64 hex>`: an image id, exactly.
    Id(String),
    /// A glob of repositories; a glob of tags or a digest where only that one is meant.
    Name { repository: GlobMatcher, tag: Option<GlobMatcher>, digest: Option<String> },
}

/// An image as a request names it.
#[derive(Debug)]
pub(super) enum Image {
    /// By its whole id: `sha256:<64 hex>`.
    Id(String),
    /// By what may be the start of an id: what the engine holds decides, and no list can say.
    IdPrefix,
    /// By name.
    Name(Reference),
    /// Every tag of a repository: a pull or a push that names none.
    Repository(Reference),
}

impl Image {
    /// Reads a reference as the engine does: `busybox` is `docker.io/library/busybox:latest`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        // The engine takes any prefix of an id, down to one digit, where no image has that name.
        if !hex.is_empty() && is_hex(hex) {
            return Some(if hex.len() == ID_DIGITS { Self::Id(format!("sha256:{hex}")) } else { Self::IdPrefix });
        }
        Some(Self::Name(reference(text)?))
    }

    /// Reads what a pull or a push names: never an id. A tag beside the name replaces the name's own, and may be a digest.
    pub(super) fn in_registry(name: &str, tag: &str) -> Option<Self> {
        // Older clients end a name with a colon for all tags.
        let name = name.strip_suffix(':').unwrap_or(name);
        let (tagged, digest) = name.split_once('@').map_or((name, None), |(tagged, digest)| (tagged, Some(digest)));
        let split = tagged.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let repository = split.map_or(tagged, |(repository, _)| repository);
        if tag.is_empty() {
            let reference = reference(name)?;
            let names_all = split.is_none() && digest.is_none();
            return Some(if names_all { Self::Repository(reference) } else { Self::Name(reference) });
        }
        let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        let whole =
            if tag.contains(':') { format!("{repository}@{tag}") } else { format!("{repository}:{tag}{digest}") };
        Some(Self::Name(reference(&whole)?))
    }

    /// Reads the name that an image is to get: without a tag it is `latest`.
    pub(super) fn to_be(name: &str, tag: &str) -> Option<Self> {
        let image = Self::in_registry(name, tag)?;
        Some(if let Self::Repository(name) = image { Self::Name(name) } else { image })
    }

    /// The same image, knowing what the engine holds under that text: the start of an id is that id if the engine says so.
    pub(super) fn known_as(self, text: &str, held: Option<&HeldImage>) -> Self {
        match (self, held) {
            (Self::IdPrefix, Some(held)) if is_start_of(text, &held.id) => Self::Id(held.id.clone()),
            (image, _) => image,
        }
    }

    /// In full: `docker.io/library/busybox:latest`, `sha256:…`, for every tag `docker.io/library/busybox`; `None` for the start
    /// of an id.
    pub(super) fn whole(&self) -> Option<String> {
        match self {
            Self::Id(id) => Some(id.clone()),
            Self::IdPrefix => None,
            Self::Name(name) => Some(name.whole()),
            Self::Repository(name) => Some(format!("{}/{}", name.registry(), name.repository())),
        }
    }

    pub(super) fn is_latest(&self) -> bool {
        match self {
            Self::Name(name) => name.digest().is_none() && name.tag().is_none_or(|tag| tag == "latest"),
            Self::Repository(_) => true,
            Self::Id(_) | Self::IdPrefix => false,
        }
    }

    pub(super) fn is_pinned(&self) -> bool {
        match self {
            Self::Id(_) => true,
            Self::IdPrefix | Self::Repository(_) => false,
            Self::Name(name) => name.digest().is_some(),
        }
    }
}

/// The name or id in full that an image has by the text of a request, knowing what the engine holds under it:
/// `docker.io/library/busybox:1.0`, `sha256:…`. `None` if it may be the start of an id, or is no name.
pub fn image_name(text: &str, held: Option<&HeldImage>) -> Option<String> {
    Image::parse(text)?.known_as(text, held).whole()
}

fn reference(text: &str) -> Option<Reference> {
    let reference = Reference::from_str(text).ok()?;
    // Docker takes an upper-case first component for a registry, oci-spec for a part of Docker Hub's name.
    let is_dockers = text.is_ascii() && !reference.repository().bytes().any(|byte| byte.is_ascii_uppercase());
    is_dockers.then_some(reference)
}

impl ImagePattern {
    /// Reads an entry of `images`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        if let Some(hex) = text.strip_prefix("sha256:") {
            return is_digest(hex).then(|| Self::Id(text.to_owned()));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                (name, Some(digest.strip_prefix("sha256:").filter(|hex| is_digest(hex)).map(|_| digest)?))
            }
            None => (text, None),
        };
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _no_tag => (name, None),
        };
        let repository =
            repository.strip_prefix("index.").filter(|rest| rest.starts_with("docker.io/")).unwrap_or(repository);
        let first = repository.split('/').next().unwrap_or_default();
        let has_registry = repository.contains('/') && (first.contains(['.', ':', '*']) || first == "localhost");
        let repository = match repository.contains('/') {
            _ if has_registry => repository.to_owned(),
            true => format!("docker.io/{repository}"),
            false if repository.contains("**") => repository.to_owned(),
            false => format!("docker.io/library/{repository}"),
        };
        // By a digest the engine ignores the tag; `*` says as much as no tag.
        let tag = match tag.filter(|tag| *tag != "*" && digest.is_none()) {
            Some(tag) => Some(glob(tag)?),
            None => None,
        };
        Some(Self::Name { repository: glob(&repository)?, tag, digest: digest.map(ToOwned::to_owned) })
    }

    /// Whether a repository digest (`repository@sha256:…`) says that an image came from here.
    pub(super) fn is_source(&self, repo_digest: &str) -> bool {
        match (self, Reference::from_str(repo_digest)) {
            (Self::Name { repository, digest, .. }, Ok(from)) => {
                let path = format!("{}/{}", from.registry(), from.repository());
                let is_digest = digest.as_deref().is_none_or(|digest| from.digest() == Some(digest));
                is_digest && repository.is_match(&path)
            }
            (Self::Id(_) | Self::Name { .. }, _) => false,
        }
    }

    /// Whether no tag is asked for, so that a digest, which tells nothing of tags, can prove an image to be meant.
    pub(super) const fn is_any_tag(&self) -> bool {
        matches!(self, Self::Name { tag: None, .. })
    }

    pub(super) fn lists(&self, image: &Image) -> bool {
        match (self, image) {
            (Self::Id(listed), Image::Id(id)) => listed == id,
            (Self::Name { repository, tag, digest }, Image::Name(name)) => {
                let fits = match (digest.as_deref(), tag) {
                    (Some(digest), _) => name.digest() == Some(digest),
                    // `name:tag@digest` is whatever the digest is, and the tag proves nothing.
                    (None, Some(tag)) => {
                        name.digest().is_none() && name.tag().is_some_and(|written| tag.is_match(written))
                    }
                    (None, None) => true,
                };
                fits && repository.is_match(path(name))
            }
            (Self::Name { repository, tag: None, digest: None }, Image::Repository(name)) => {
                repository.is_match(path(name))
            }
            (
                Self::Id(_) | Self::Name { .. },
                Image::Id(_) | Image::IdPrefix | Image::Name(_) | Image::Repository(_),
            ) => false,
        }
    }
}

fn is_start_of(text: &str, id: &str) -> bool {
    let hex = |text: &str| text.strip_prefix("sha256:").unwrap_or(text).to_owned();
    hex(id).starts_with(&hex(text))
}

fn path(name: &Reference) -> String {
    format!("{}/{}", name.registry(), name.repository())
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digest(hex: &str) -> bool {
    hex.len() == ID_DIGITS && is_hex(hex)
}

/// A glob where `*` stays within a component and `**` crosses them.
pub(super) fn glob(text: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(text).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}
