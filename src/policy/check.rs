//! The stable vocabulary: every check, its risk, the ATT&CK techniques it speaks of, and what the built-in profiles make of it.

use super::Reaction;
use crate::request::Irregular;

use Reaction::{Allow, Deny, Warn};

/// One row a check: variant, id, risk, ATT&CK ids, reaction in `baseline`, reaction in `restricted`.
macro_rules! checks {
    ($($variant:ident $id:literal $risk:literal [$($attack:literal)*] $baseline:ident $restricted:ident;)*) => {
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

            /// Risk weight, 0–5.
            pub const fn risk(self) -> u8 {
                match self { $(Self::$variant => $risk,)* }
            }

            /// ATT&CK technique ids.
            pub const fn attack(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($attack),*],)* }
            }

            /// What it leads to in the built-in profiles `baseline` and `restricted`.
            pub(super) const fn builtin(self) -> (Reaction, Reaction) {
                match self { $(Self::$variant => ($baseline, $restricted),)* }
            }
        }
    };
}

checks! {
    RequestAmbiguous "request.ambiguous" 3 ["T1610"] Deny Deny;
    RequestMalformed "request.malformed" 1 [] Deny Deny;
    RequestTooLarge "request.too-large" 2 [] Deny Deny;
    RequestPath "request.path" 2 [] Deny Deny;
    RequestFormBody "request.form-body" 3 [] Deny Deny;
    RequestOldApi "request.old-api" 1 [] Deny Deny;
    RequestHttp2 "request.http2" 3 [] Deny Deny;
    RequestUnknownField "request.unknown-field" 1 [] Warn Warn;
    FactsMissing "facts.missing" 2 [] Deny Deny;
    ApiNotAllowed "api.not-allowed" 2 [] Deny Deny;
    ApiUnknown "api.unknown" 2 [] Deny Deny;
    ImageNotAllowed "image.not-allowed" 1 ["T1610" "T1204.003"] Warn Deny;
    ImageLatest "image.latest" 1 ["T1610"] Warn Deny;
    ImageNotPinned "image.not-pinned" 1 ["T1610"] Allow Deny;
    ImageUnproven "image.unproven" 2 ["T1610" "T1525"] Allow Deny;
    ImageChanged "image.changed" 3 ["T1525"] Warn Deny;
    Privileged "privileged" 3 ["T1610" "T1611"] Deny Deny;
    CapabilityAdded "capability.added" 2 ["T1611"] Deny Deny;
    CapabilityKept "capability.kept" 1 ["T1611"] Allow Deny;
    PidHost "namespace.pid.host" 3 ["T1611"] Deny Deny;
    NetworkHost "namespace.network.host" 2 ["T1611"] Deny Deny;
    IpcHost "namespace.ipc.host" 2 ["T1611"] Deny Deny;
    UtsHost "namespace.uts.host" 1 ["T1611"] Deny Deny;
    UserHost "namespace.user.host" 2 ["T1611"] Deny Deny;
    CgroupHost "namespace.cgroup.host" 2 ["T1611"] Deny Deny;
    PidContainer "namespace.pid.container" 1 ["T1609"] Deny Deny;
    NetworkContainer "namespace.network.container" 1 ["T1609"] Deny Deny;
    IpcContainer "namespace.ipc.container" 1 ["T1609"] Deny Deny;
    MountHostPath "mount.host-path" 2 ["T1611"] Deny Deny;
    MountSensitive "mount.sensitive" 3 ["T1611"] Deny Deny;
    MountEngineSocket "mount.engine-socket" 3 ["T1611" "T1610"] Deny Deny;
    MountWritable "mount.writable" 1 ["T1611"] Deny Deny;
    MountPropagation "mount.propagation" 2 ["T1611"] Deny Deny;
    MountSymlink "mount.symlink" 2 ["T1611"] Deny Deny;
    MountVolumeDriver "mount.volume-driver" 3 ["T1611"] Deny Deny;
    MountVolumesFrom "mount.volumes-from" 2 ["T1611"] Deny Deny;
    DeviceHost "device.host" 3 ["T1611"] Deny Deny;
    DeviceCgroupRule "device.cgroup-rule" 3 ["T1611"] Deny Deny;
    DeviceRequest "device.request" 2 ["T1611"] Deny Deny;
    SecuritySeccomp "security.seccomp" 2 ["T1611"] Deny Deny;
    SecurityApparmor "security.apparmor" 2 ["T1611"] Deny Deny;
    SecuritySelinux "security.selinux" 2 ["T1611"] Deny Deny;
    SecurityMaskedPaths "security.masked-paths" 2 ["T1611"] Deny Deny;
    SecurityNewPrivileges "security.new-privileges" 1 ["T1611"] Deny Deny;
    SysctlSet "sysctl.set" 1 ["T1611"] Deny Deny;
    RuntimeOther "runtime.other" 2 ["T1611"] Deny Deny;
    CgroupParent "cgroup.parent" 1 ["T1611"] Deny Deny;
    GroupAdded "group.added" 1 [] Warn Deny;
    LogDriver "log.driver" 1 [] Warn Deny;
    NetworkPublish "network.publish" 1 [] Allow Deny;
    NetworkNotAllowed "network.not-allowed" 1 [] Deny Deny;
    ResourcesUnlimited "resources.unlimited" 1 ["T1496.001"] Allow Deny;
    UserRoot "user.root" 1 [] Allow Deny;
    RootfsWritable "rootfs.writable" 0 [] Allow Allow;
    RestartAlways "restart.always" 1 ["T1543.005"] Allow Warn;
    ProcessWorkingDir "process.working-dir" 3 ["T1611"] Deny Deny;
    ExecPrivileged "exec.privileged" 3 ["T1609" "T1611"] Deny Deny;
    ExecUser "exec.user" 1 ["T1609"] Allow Deny;
    ContainerForeign "container.foreign" 1 ["T1609"] Allow Deny;
    ContainerUnseen "container.unseen" 1 ["T1610"] Warn Deny;
    ContainerFiles "container.files" 2 ["T1552.007"] Warn Warn;
    BuildNetwork "build.network" 2 ["T1612"] Deny Deny;
    BuildRemote "build.remote" 2 ["T1612"] Deny Deny;
    BuildSession "build.session" 2 ["T1612"] Deny Deny;
    VolumeHostPath "volume.host-path" 3 ["T1611"] Deny Deny;
    PluginInstall "plugin.install" 3 ["T1610" "T1611"] Deny Deny;
    SwarmChange "swarm.change" 3 ["T1610"] Deny Deny;
    ImageLoad "image.load" 1 ["T1525"] Warn Deny;
    ImageTag "image.tag" 1 ["T1525"] Warn Deny;
    PrincipalUnknown "principal.unknown" 0 [] Warn Warn;
    PrincipalNonAdmin "principal.non-admin" 1 ["T1610"] Allow Allow;
    PrincipalRemote "principal.remote" 0 [] Warn Warn;
    LaunchAn0693 "launch.an0693" 3 ["T1610"] Warn Warn;
    LaunchBypass "launch.bypass" 3 ["T1610"] Warn Warn;
    ExecOutOfBand "exec.out-of-band" 3 ["T1609"] Warn Warn;
    SensorGap "sensor.gap" 1 [] Warn Warn;
}

impl Check {
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
