//! A profile: what a principal may have, and what each check that fires leads to.

use std::collections::HashMap;
use std::ops::Range;

use globset::GlobMatcher;

use super::image::ImagePattern;
use super::mount::{Paths, clean, is_system};
use super::{Check, CheckId, Mode, Reaction};
use crate::request::{ApiVersion, Class};

/// A resolved profile: built in, or a file's with everything inherited.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    /// `None`: built in.
    pub(super) extends: Option<String>,
    pub(super) mode: Option<Mode>,
    pub(super) reactions: HashMap<CheckId, Reaction>,
    pub(super) images: Vec<ImagePattern>,
    pub(super) image_proof: ImageProof,
    pub(super) capabilities: Vec<String>,
    pub(super) binds: Vec<Bind>,
    pub(super) devices: Vec<GlobMatcher>,
    /// `None`: any network.
    pub(super) networks: Option<Vec<GlobMatcher>>,
    pub(super) publish: Vec<Publish>,
    pub(super) runtimes: Vec<String>,
    pub(super) api: Vec<String>,
    pub(super) min_api: Option<ApiVersion>,
    /// Whose namespaces and volumes may be joined.
    pub(super) join: Join,
    /// Whether the principal acts only on containers it made, and sees no others.
    pub(super) own_only: bool,
    /// The built-in profile that it extends, or is.
    pub(super) root: String,
    /// Where the file decides what a check leads to.
    pub(super) decided: HashMap<CheckId, Range<usize>>,
    /// Where the file says a key.
    pub(super) said: HashMap<&'static str, Range<usize>>,
}

/// Whose namespaces and volumes may be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Join {
    /// Nobody's.
    None,
    /// Those of containers that the principal made itself, and that pass the same checks.
    Own,
    /// Anybody's.
    Any,
}

/// What it takes for an image to be on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ImageProof {
    /// Its name.
    Name,
    /// A repository digest in the engine, from where it is listed.
    Digest,
}

/// Host paths that may be bound.
#[derive(Debug, Clone)]
pub(super) struct Bind {
    /// As written, for `{home}` and `{user}` of the caller.
    pub(super) path: String,
    pub(super) writable: bool,
    /// Compiled; `None` where the caller must be known first.
    pub(super) fixed: Option<Paths>,
}

/// A host address and ports that may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) address: std::net::IpAddr,
    pub(super) first: u16,
    pub(super) last: u16,
}

/// What `baseline` opens and `restricted` does not: a build runs any image that its Dockerfile names, as root, with no limit.
const BUILDS: [&str; 2] = ["build", "build.session"];

/// Everything but root-equivalent classes, checkpoints (written and removed as root in any folder of the host) and what is
/// unknown. BuildKit's sessions are stopped by their own check, so that one line lets them through.
const BASELINE_API: [&str; 11] = [
    "read",
    "containers",
    "exec",
    "files",
    "images",
    "images.mint",
    "build",
    "build.session",
    "volumes",
    "networks",
    "system",
];

impl Profile {
    /// A built-in profile, by name.
    pub(super) fn builtin(name: &str) -> Option<Self> {
        let reaction: fn(Check) -> Reaction = match name {
            "privileged" => |_check| Reaction::Allow,
            "baseline" => |check| check.builtin().0,
            "restricted" => |check| check.builtin().1,
            _unknown => return None,
        };
        let open = name == "privileged";
        let classes = match name {
            "privileged" => Class::ALL_SELECTORS.to_vec(),
            "baseline" => BASELINE_API.to_vec(),
            _restricted => BASELINE_API.into_iter().filter(|class| !BUILDS.contains(class)).collect(),
        };
        let localtime = ["/etc/localtime", "/etc/timezone"];
        Some(Self {
            name: name.to_owned(),
            extends: None,
            mode: None,
            reactions: Check::ALL.iter().map(|&check| (check.into(), reaction(check))).collect(),
            images: Vec::new(),
            image_proof: if name == "restricted" { ImageProof::Digest } else { ImageProof::Name },
            capabilities: Vec::new(),
            binds: localtime.map(|path| Bind::new(path, false)).to_vec(),
            devices: Vec::new(),
            networks: None,
            publish: Vec::new(),
            runtimes: vec!["runc".to_owned(), "io.containerd.runc.v2".to_owned()],
            api: classes.into_iter().map(ToOwned::to_owned).collect(),
            min_api: (!open).then_some(ApiVersion { major: 1, minor: 24 }),
            join: if open { Join::Any } else { Join::Own },
            own_only: false,
            root: name.to_owned(),
            decided: HashMap::new(),
            said: HashMap::new(),
        })
    }

    /// A profile that lets nothing through.
    pub(super) fn nothing() -> Self {
        Self {
            name: "nothing".to_owned(),
            extends: None,
            mode: None,
            reactions: HashMap::new(),
            images: Vec::new(),
            image_proof: ImageProof::Digest,
            capabilities: Vec::new(),
            binds: Vec::new(),
            devices: Vec::new(),
            networks: Some(Vec::new()),
            publish: Vec::new(),
            runtimes: Vec::new(),
            api: Vec::new(),
            min_api: None,
            join: Join::None,
            own_only: false,
            root: "nothing".to_owned(),
            decided: HashMap::new(),
            said: HashMap::new(),
        }
    }

    /// Whether `api` names a class of endpoints.
    pub(super) fn opens(&self, class: Class) -> bool {
        self.api.iter().any(|selector| class.is_covered_by(selector))
    }

    pub(super) fn reaction(&self, check: Check) -> Reaction {
        // A check that is in no table is refused.
        self.reactions.get(&check.into()).copied().unwrap_or(Reaction::Deny)
    }
}

impl Bind {
    pub(super) fn new(path: &str, writable: bool) -> Self {
        let names_caller = path.contains("{home}") || path.contains("{user}");
        Self { path: path.to_owned(), writable, fixed: (!names_caller).then(|| Paths::new(path)) }
    }

    /// The paths for one caller, where the path names one; `None` if what it names is not known.
    pub(super) fn of_caller(&self, user: Option<&str>, home: Option<&str>) -> Option<Paths> {
        let mut path = self.path.clone();
        // A home of `/` or `/usr/sbin`, as system users have it, would open the host; a relative one leads nowhere.
        let home = home.filter(|home| home.starts_with('/')).map(clean).filter(|home| !is_system(home));
        let user = user.filter(|user| !matches!(*user, "" | "." | "..") && !user.contains('/'));
        for (name, value) in [("{home}", home.as_deref()), ("{user}", user)] {
            match value {
                Some(value) => path = path.replace(name, &globset::escape(value)),
                None if path.contains(name) => return None,
                None => {}
            }
        }
        Some(Paths::new(&path))
    }
}

impl Publish {
    /// Reads `127.0.0.1:*`, `0.0.0.0:8000-8999`, `[::1]:80`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, ports) = text.rsplit_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        let (first, last) = match ports.split_once('-') {
            _ if ports == "*" => (0, u16::MAX),
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None => (ports.parse().ok()?, ports.parse().ok()?),
        };
        (first <= last).then_some(Self { address, first, last })
    }
}
