//! The stable vocabulary: every check, its risk, the ATT&CK techniques it speaks of, and what the built-in profiles make of it.

use std::sync::Arc;

use super::Reaction;
use crate::request::Irregular;

use Reaction::{Allow, Deny, Warn};

/// One row a check: variant, id, title, risk, ATT&CK ids, reaction in `baseline`, reaction in `restricted`.
macro_rules! checks {
    ($(
        $variant:ident $id:literal $title:literal $risk:literal [$($attack:literal)*] $baseline:ident $restricted:ident;
    )*) => {
        /// A check. Ids are a public contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = concat!("`", $id, "`")] $variant,)*
        }

        impl Check {
            /// Every check.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable id: `mount.host-path`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// What it found, in a few words: `privileged container`.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Risk weight, 0–5.
            pub const fn risk(self) -> u8 {
                match self { $(Self::$variant => $risk,)* }
            }

            /// ATT&CK technique ids.
            pub const fn attack(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($attack),*],)* }
            }

            /// What it leads to in the built-in profiles `baseline` and `restricted`.
            pub const fn builtin(self) -> (Reaction, Reaction) {
                match self { $(Self::$variant => ($baseline, $restricted),)* }
            }
        }
    };
}

checks! {
    RequestAmbiguous "request.ambiguous" "can be read in more than one way" 3 ["T1610"] Deny Deny;
    RequestMalformed "request.malformed" "cannot be read" 1 [] Deny Deny;
    RequestTooLarge "request.too-large" "larger than a limit" 2 [] Deny Deny;
    RequestPath "request.path" "path is not in its one canonical form" 2 [] Deny Deny;
    RequestFormBody "request.form-body" "form body that overrides the query" 3 [] Deny Deny;
    RequestOldApi "request.old-api" "API version older than min-api" 1 [] Deny Deny;
    RequestHttp2 "request.http2" "HTTP/2, which is not read" 3 [] Deny Deny;
    RequestUnknownField "request.unknown-field" "field that is not known" 1 [] Warn Warn;
    FactsMissing "facts.missing" "what the engine holds could not be looked up" 2 [] Deny Deny;
    ApiNotAllowed "api.not-allowed" "class of endpoints that is not in api" 2 [] Deny Deny;
    ApiUnknown "api.unknown" "endpoint that is not known" 2 [] Deny Deny;
    ImageNotAllowed "image.not-allowed" "image that is not in images" 1 ["T1610" "T1204.003"] Warn Deny;
    ImageLatest "image.latest" "tag latest, said or implied" 1 ["T1610"] Warn Deny;
    ImageNotPinned "image.not-pinned" "image without a digest" 1 ["T1610"] Allow Deny;
    ImageUnproven "image.unproven" "listed name that no listed registry gave the image" 2 ["T1610" "T1525"] Allow Deny;
    ImageChanged "image.changed" "image is not the one that was judged" 3 ["T1525"] Warn Deny;
    Privileged "privileged" "privileged container" 3 ["T1610" "T1611"] Deny Deny;
    CapabilityAdded "capability.added" "capability that is not in capabilities" 2 ["T1611"] Deny Deny;
    CapabilityKept "capability.kept" "default capabilities are kept" 1 ["T1611"] Allow Deny;
    PidHost "namespace.pid.host" "shares the host's processes" 3 ["T1611"] Deny Deny;
    NetworkHost "namespace.network.host" "shares the host's network" 2 ["T1611"] Deny Deny;
    IpcHost "namespace.ipc.host" "shares the host's memory segments" 2 ["T1611"] Deny Deny;
    UtsHost "namespace.uts.host" "shares the host's name" 1 ["T1611"] Deny Deny;
    UserHost "namespace.user.host" "shares the host's users" 2 ["T1611"] Deny Deny;
    CgroupHost "namespace.cgroup.host" "shares the host's cgroups" 2 ["T1611"] Deny Deny;
    PidContainer "namespace.pid.container" "joins another container's processes" 1 ["T1609"] Deny Deny;
    NetworkContainer "namespace.network.container" "joins another container's network" 1 ["T1609"] Deny Deny;
    IpcContainer "namespace.ipc.container" "joins another container's memory segments" 1 ["T1609"] Deny Deny;
    MountHostPath "mount.host-path" "path of the host that is not in binds" 2 ["T1611"] Deny Deny;
    MountSensitive "mount.sensitive" "sensitive path of the host that no entry names" 3 ["T1611"] Deny Deny;
    MountEngineSocket "mount.engine-socket" "an engine's socket or the gate's files" 3 ["T1611" "T1610"] Deny Deny;
    MountWritable "mount.writable" "writable, where binds lets it only be read" 1 ["T1611"] Deny Deny;
    MountPropagation "mount.propagation" "mounts inside appear on the host" 2 ["T1611"] Deny Deny;
    MountSymlink "mount.symlink" "link that leads to a path that is not in binds" 2 ["T1611"] Deny Deny;
    MountVolumeDriver "mount.volume-driver" "volume whose driver or options reach the host" 3 ["T1611"] Deny Deny;
    MountVolumesFrom "mount.volumes-from" "takes another container's volumes" 2 ["T1611"] Deny Deny;
    DeviceHost "device.host" "device of the host that is not in devices" 3 ["T1611"] Deny Deny;
    DeviceCgroupRule "device.cgroup-rule" "rule that opens devices" 3 ["T1611"] Deny Deny;
    DeviceRequest "device.request" "device by a driver's request" 2 ["T1611"] Deny Deny;
    SecuritySeccomp "security.seccomp" "seccomp is off or replaced" 2 ["T1611"] Deny Deny;
    SecurityApparmor "security.apparmor" "AppArmor is off or replaced" 2 ["T1611"] Deny Deny;
    SecuritySelinux "security.selinux" "SELinux label is off or replaced" 2 ["T1611"] Deny Deny;
    SecurityMaskedPaths "security.masked-paths" "kernel files are unmasked" 2 ["T1611"] Deny Deny;
    SecurityNewPrivileges "security.new-privileges" "privileges may be gained by set-uid files" 1 ["T1611"] Deny Deny;
    SysctlSet "sysctl.set" "kernel setting that is not known as safe" 1 ["T1611"] Deny Deny;
    RuntimeOther "runtime.other" "runtime that is not in runtimes" 2 ["T1611"] Deny Deny;
    CgroupParent "cgroup.parent" "cgroup of its own choice" 1 ["T1611"] Deny Deny;
    GroupAdded "group.added" "further groups" 1 [] Warn Deny;
    LogDriver "log.driver" "log driver that talks to others" 1 [] Warn Deny;
    NetworkPublish "network.publish" "port of the host that is not in publish" 1 [] Allow Deny;
    NetworkNotAllowed "network.not-allowed" "network that is not in networks, or is more than a bridge" 1 [] Deny Deny;
    ResourcesUnlimited "resources.unlimited" "no limit of memory, CPU or processes" 1 ["T1496.001"] Allow Deny;
    UserRoot "user.root" "runs as root or as whoever the image says" 1 [] Allow Deny;
    RootfsWritable "rootfs.writable" "root file system can be written" 0 [] Allow Allow;
    RestartAlways "restart.always" "comes back after a reboot" 1 ["T1543.005"] Allow Warn;
    ProcessWorkingDir "process.working-dir" "working directory under /proc" 3 ["T1611"] Deny Deny;
    ProcessListing "process.listing" "list of processes that may show the host's" 2 ["T1552.007"] Deny Deny;
    ExecPrivileged "exec.privileged" "privileged exec" 3 ["T1609" "T1611"] Deny Deny;
    ExecUser "exec.user" "exec as root" 1 ["T1609"] Allow Deny;
    ContainerForeign "container.foreign" "container of another principal" 1 ["T1609"] Allow Deny;
    ContainerUnseen "container.unseen" "container that was not made through this gate" 1 ["T1610"] Warn Deny;
    ContainerFiles "container.files" "files are copied in or out" 2 ["T1552.007"] Warn Warn;
    BuildNetwork "build.network" "build with a network of its own choice" 2 ["T1612"] Deny Deny;
    BuildRemote "build.remote" "build context or import that the engine fetches" 2 ["T1612"] Deny Deny;
    BuildSession "build.session" "BuildKit session, which cannot be judged" 2 ["T1612"] Deny Deny;
    VolumeHostPath "volume.host-path" "volume that is a path of the host" 3 ["T1611"] Deny Deny;
    PluginInstall "plugin.install" "plugin is installed or changed" 3 ["T1610" "T1611"] Deny Deny;
    SwarmChange "swarm.change" "swarm, its nodes or tokens" 3 ["T1610"] Deny Deny;
    ImageLoad "image.load" "image from foreign bytes" 1 ["T1525"] Warn Deny;
    ImageTag "image.tag" "image gets a name that may be a listed one" 1 ["T1525"] Warn Deny;
    PrincipalUnknown "principal.unknown" "caller whom no principal claims" 0 [] Warn Warn;
    PrincipalNonAdmin "principal.non-admin" "caller who is no admin" 1 ["T1610"] Allow Allow;
    PrincipalRemote "principal.remote" "caller through a TCP door" 0 [] Warn Warn;
    LaunchAn0693 "launch.an0693" "risky launch by a non-admin (from the watch)" 3 ["T1610"] Warn Warn;
    LaunchBypass "launch.bypass" "container that passed no gate (from the watch)" 3 ["T1610"] Warn Warn;
    ExecOutOfBand "exec.out-of-band" "process that no exec explains (from the watch)" 3 ["T1609"] Warn Warn;
    SensorGap "sensor.gap" "events of the kernel were lost (from the watch)" 1 [] Warn Warn;
}

impl Check {
    /// The check with a stable id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|check| check.id() == id).copied()
    }

    /// Whether it says that the request cannot be read in exactly one way.
    pub(super) fn is_of_request(self) -> bool {
        self.id().starts_with("request.")
    }

    pub(super) const fn of_irregular(kind: Irregular) -> Self {
        match kind {
            Irregular::Ambiguous => Self::RequestAmbiguous,
            Irregular::Malformed => Self::RequestMalformed,
            Irregular::TooLarge => Self::RequestTooLarge,
            Irregular::Path => Self::RequestPath,
            Irregular::FormBody => Self::RequestFormBody,
            Irregular::Http2 => Self::RequestHttp2,
            Irregular::UnknownField => Self::RequestUnknownField,
        }
    }
}

/// What a finding is of: a check of ours, or a rule of the site's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckId {
    /// A check of ours.
    Builtin(Check),
    /// A `[[rule]]` of the policy file, by its id: `site.memory-limit`.
    Site(Arc<str>),
}

/// Risk weight of a site's rule: what it means is not known.
const SITE_RISK: u8 = 1;

impl CheckId {
    /// The stable id: `mount.host-path`, `site.memory-limit`.
    pub fn id(&self) -> &str {
        match self {
            Self::Builtin(check) => check.id(),
            Self::Site(id) => id,
        }
    }

    /// Risk weight, 0–5.
    pub const fn risk(&self) -> u8 {
        match self {
            Self::Builtin(check) => check.risk(),
            Self::Site(_) => SITE_RISK,
        }
    }

    /// ATT&CK technique ids; none for a site's rule.
    pub const fn attack(&self) -> &'static [&'static str] {
        match self {
            Self::Builtin(check) => check.attack(),
            Self::Site(_) => &[],
        }
    }

    /// The check of ours, if it is one.
    pub const fn builtin(&self) -> Option<Check> {
        match self {
            Self::Builtin(check) => Some(*check),
            Self::Site(_) => None,
        }
    }

    /// Whether it says that the request cannot be read in exactly one way.
    pub(super) fn is_of_request(&self) -> bool {
        self.builtin().is_some_and(Check::is_of_request)
    }
}

impl From<Check> for CheckId {
    fn from(check: Check) -> Self {
        Self::Builtin(check)
    }
}

impl PartialEq<Check> for CheckId {
    fn eq(&self, check: &Check) -> bool {
        self.builtin() == Some(*check)
    }
}
