//! What a check means, why it is dangerous, and how to allow it narrowly: for `tidewaiter help CHECK`, and conf/checks.md.

use super::Check;

/// What is to be said of a check.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    /// What it means that it fires.
    pub means: &'static str,
    /// Why that is dangerous.
    pub danger: &'static str,
    /// How to let it pass without letting more pass.
    pub narrowly: &'static str,
}

const fn say(means: &'static str, danger: &'static str, narrowly: &'static str) -> Help {
    Help { means, danger, narrowly }
}

/// What is to be said of a check.
#[expect(clippy::too_many_lines, reason = "a table: one entry a check, and the compiler misses none")]
pub const fn help(check: Check) -> Help {
    match check {
        Check::RequestAmbiguous => say(
            "A key comes twice, a value has two forms, or a header contradicts another: engines and proxies read it differently.",
            "What was judged may not be what the engine does; that is how proxies are walked around.",
            "Not at all: have the client send each thing once, as the detail says. A client that cannot is to be mended.",
        ),
        Check::RequestMalformed => say(
            "The request or its body cannot be read as the engine would read it.",
            "Nobody knows what it would do; some engines read what others refuse.",
            "Not at all: have the client send what the API asks for.",
        ),
        Check::RequestTooLarge => say(
            "A body, or a part of it, is larger than the gate reads.",
            "What is not read is not judged.",
            "Raise `limits.body` in tidewaiter.toml to what honest clients send.",
        ),
        Check::RequestPath => say(
            "The path has escapes, dots, doubled slashes or odd digits where one plain form would do.",
            "Engines route some of these to endpoints that a plain reading does not show.",
            "Not at all: have the client write the path plainly.",
        ),
        Check::RequestFormBody => say(
            "A form is sent as the body.",
            "The engine lets a form's values override the query, so that what was judged is not what is done.",
            "Not at all: put the values into the query.",
        ),
        Check::RequestOldApi => say(
            "The client speaks an API version older than `min-api`.",
            "Old versions have other defaults: a start could bring a HostConfig, namespaces were shared more.",
            "Use a newer client, or say its version: `min-api = \"1.22\"` in the profile of that caller alone.",
        ),
        Check::RequestHttp2 => say(
            "The connection speaks HTTP/2.",
            "Engines serve every route and BuildKit's gRPC over it, none of which is read here.",
            "Not at all: have the client speak HTTP/1.1.",
        ),
        Check::RequestUnknownField => say(
            "A body has a field that no known engine has, or one that the engine ignores there.",
            "A newer engine may do something with it that nobody judged. It is passed on as it came.",
            "It passes with a warning; set \"request.unknown-field\" = \"allow\" once you know the field, or \"deny\" to be strict.",
        ),
        Check::FactsMissing => say(
            "What the call names could not be looked up in the engine or on the host.",
            "A container, volume or link that is not known may be anything.",
            "Mend the look-up: the detail says what failed. An exception would let pass what nobody has seen.",
        ),
        Check::ApiNotAllowed => say(
            "The endpoint's class is not in the profile's `api`.",
            "Each class is a power of its own; several are as good as root on the host.",
            "Add the class that the detail names to `api` in this caller's profile, no other.",
        ),
        Check::ApiUnknown => say(
            "The engine's API has no such endpoint that is known here.",
            "A new endpoint may do anything.",
            "Wait for a version that knows it. An exception for this check opens every unknown endpoint.",
        ),
        Check::ImageNotAllowed => say(
            "The image is on no list of the profile.",
            "An image is foreign code that runs with what the container may do.",
            "Add it to `images`, best by digest: `docker.io/library/alpine@sha256:…`.",
        ),
        Check::ImageLatest => say(
            "The tag is `latest`, said or implied.",
            "It moves: what ran yesterday is not what runs today, and nobody can tell which it was.",
            "Name a version; else \"image.latest\" = \"warn\" in the profile.",
        ),
        Check::ImageNotPinned => say(
            "The image is named by a tag, not by a digest.",
            "Whoever controls the registry or the tag decides what runs.",
            "Write `name@sha256:…` in the client; else \"image.not-pinned\" = \"warn\".",
        ),
        Check::ImageUnproven => say(
            "The name is listed, but the engine holds no digest that says the image came from there.",
            "`docker tag`, `load` and `build` give any image any name.",
            "Pull it from the listed registry, or list its id: `sha256:…`. For images built on this host: `image-proof = \"name\"`.",
        ),
        Check::ImageChanged => say(
            "The container's image is not the one that was judged when it was made.",
            "The name was moved between the judgement and the create.",
            "Make the container again; do not allow it.",
        ),
        Check::Privileged => say(
            "The container gets every capability, every device and no confinement.",
            "It is root on the host: it can mount disks, load modules, write to kernel files.",
            "Say what it really needs (`--cap-add`, `--device`) and list that. Else an [[exception]] for its image, dated, or \"privileged\" = \"approve\".",
        ),
        Check::CapabilityAdded => say(
            "A capability beyond Docker's default set that is not in `capabilities`.",
            "Many of them (SYS_ADMIN, SYS_PTRACE, SYS_MODULE, DAC_READ_SEARCH, NET_ADMIN) lead to the host.",
            "Add that one to `capabilities` of this caller's profile.",
        ),
        Check::CapabilityKept => say(
            "The container does not drop `ALL`, so that it keeps Docker's defaults.",
            "The defaults hold NET_RAW, MKNOD and others that few programs need.",
            "`--cap-drop ALL --cap-add` what it needs; else \"capability.kept\" = \"allow\".",
        ),
        Check::PidHost => say(
            "The container sees the host's processes.",
            "It reads their environment and files through /proc, and with ptrace takes them over.",
            "Rarely needed outside monitoring: an [[exception]] for that image.",
        ),
        Check::NetworkHost => say(
            "The container uses the host's network.",
            "It reaches services on localhost and abstract sockets, and listens on any port.",
            "Publish the ports it needs instead; else an [[exception]] for that image.",
        ),
        Check::IpcHost => say(
            "The container shares the host's shared memory and semaphores.",
            "It reads and changes memory that host processes share.",
            "An [[exception]] for that image, or `--ipc container:NAME` with a container of one's own.",
        ),
        Check::UtsHost => say(
            "The container shares the host's name.",
            "With SYS_ADMIN it renames the host.",
            "Set `--hostname` instead; else an [[exception]] for that image.",
        ),
        Check::UserHost => say(
            "The container leaves user namespaces off where the engine has them on.",
            "Root in it is root on the host again.",
            "An [[exception]] for that image.",
        ),
        Check::CgroupHost => say(
            "The container sees the host's cgroups.",
            "With write access to them it escapes by release agents, and it learns what else runs.",
            "Leave `--cgroupns` out; else an [[exception]] for that image.",
        ),
        Check::PidContainer => say(
            "The container joins another's processes.",
            "It reads their environment and memory.",
            "`join = \"own\"` lets it join containers that the caller made itself and that pass the same checks.",
        ),
        Check::NetworkContainer => say(
            "The container joins another's network, or links to it.",
            "It reaches what only that one should; a link also copies its environment, passwords included.",
            "`join = \"own\"` lets it join the caller's own; networks do what links did.",
        ),
        Check::IpcContainer => say(
            "The container joins another's shared memory.",
            "It reads and changes what the other has there.",
            "`join = \"own\"` lets it join the caller's own.",
        ),
        Check::MountHostPath => say(
            "A path of the host that is not in `binds`.",
            "A path of the host is the host: what is written there stays, what is read there leaks.",
            "Add the one path to `binds`, with `access = \"ro\"` if reading is enough; better a named volume.",
        ),
        Check::MountSensitive => say(
            "A path that leads to root (/etc, /proc, /root, /var, …), which no entry of `binds` names.",
            "Password files, units, cron tables and sockets are there.",
            "List the path itself, as deep as possible and `ro`: `/etc/ssl/certs`. `/**` and `/etc/**` do not count.",
        ),
        Check::MountEngineSocket => say(
            "The socket of a container engine, its state, or the gate's own files.",
            "Whoever has the engine's socket is root on the host, past this gate.",
            "Give the container this gate's door in place of it: bind the gate's socket in a profile of its own (`in-container`).",
        ),
        Check::MountWritable => say(
            "A path is bound to be written where `binds` lets it only be read.",
            "Files left on the host run there later, set-uid ones at once.",
            "Bind it `:ro`, or list it with `access = \"rw\"`.",
        ),
        Check::MountPropagation => say(
            "Mounts made inside appear on the host (`shared`).",
            "A container that may mount can put its own files over the host's.",
            "Use `rslave`: the container sees the host's mounts, not the other way round.",
        ),
        Check::MountSymlink => say(
            "A bound path leads by a symbolic link to one that is not in `binds`.",
            "Whoever can write the link chooses what is bound.",
            "List where it leads, and see that nobody can change the link.",
        ),
        Check::MountVolumeDriver => say(
            "A volume whose driver or options reach beyond its own folder.",
            "The local driver mounts anything as root: disks, /etc, network shares.",
            "Make the volume by hand, once, as an admin; let callers use it by an [[exception]] for their image.",
        ),
        Check::MountVolumesFrom => say(
            "The container takes another's volumes, binds of the host included.",
            "It gets what only that one was let have.",
            "`join = \"own\"` lets it take those of the caller's own containers that pass themselves.",
        ),
        Check::DeviceHost => say(
            "A device of the host that is not in `devices`.",
            "Disks, memory and input devices give the host away.",
            "Add the device to `devices`: `/dev/ttyUSB0`.",
        ),
        Check::DeviceCgroupRule => say(
            "A rule that opens devices by number.",
            "With MKNOD, which is a default capability, the container makes the node of any disk.",
            "Use `--device` with `devices`; else an [[exception]] for that image.",
        ),
        Check::DeviceRequest => say(
            "Devices by a driver's request (GPUs, CDI).",
            "CDI files add mounts, devices and hooks that run on the host.",
            "An [[exception]] for that image, or \"device.request\" = \"warn\" where CDI files are trusted.",
        ),
        Check::SecuritySeccomp => say(
            "The filter of system calls is off or replaced.",
            "Kernel bugs that the filter hides are in reach.",
            "Ship a profile with the engine's daemon.json; else an [[exception]] for that image.",
        ),
        Check::SecurityApparmor => say(
            "AppArmor is off or has another profile.",
            "Writes to /proc and /sys, and mounts, are no longer stopped.",
            "An [[exception]] for that image.",
        ),
        Check::SecuritySelinux => say(
            "The SELinux label is off or another.",
            "The container reads and writes what the label kept from it.",
            "Use `:z` on volumes; else an [[exception]] for that image.",
        ),
        Check::SecurityMaskedPaths => say(
            "Kernel files that the engine hides or protects are opened.",
            "/proc/sysrq-trigger, /proc/kcore and the like stop or read the host.",
            "An [[exception]] for that image.",
        ),
        Check::SecurityNewPrivileges => say(
            "Set-uid files in the container may raise privileges.",
            "A user in the container becomes root in it.",
            "`--security-opt no-new-privileges`; else \"security.new-privileges\" = \"allow\".",
        ),
        Check::SysctlSet => say(
            "A kernel setting that is not on Kubernetes' list of safe ones.",
            "Some are the whole host's, some weaken its network.",
            "An [[exception]] for that image, or set it on the host.",
        ),
        Check::RuntimeOther => say(
            "A runtime that is not in `runtimes`, or annotations that tell it to run something else.",
            "A runtime is a program that the engine starts as root.",
            "Add its name to `runtimes`.",
        ),
        Check::CgroupParent => say(
            "The container chooses its own cgroup.",
            "It escapes the limits that are set for others of its kind.",
            "Leave it out; else \"cgroup.parent\" = \"warn\" for that caller.",
        ),
        Check::GroupAdded => say(
            "The process gets further groups.",
            "A group's number means the host's group on bound files: `docker` and `disk` are as good as root.",
            "\"group.added\" = \"warn\" for a caller without binds.",
        ),
        Check::LogDriver => say(
            "A log driver that sends to others, or is a plugin.",
            "The engine connects out, with what the container writes.",
            "\"log.driver\" = \"warn\" for callers that must; or set it in daemon.json.",
        ),
        Check::NetworkPublish => say(
            "A port of the host that is not in `publish`.",
            "A published port is open to the network, past the host's firewall rules.",
            "Add address and port to `publish`: `127.0.0.1:8080`.",
        ),
        Check::NetworkNotAllowed => say(
            "A network that is not in `networks`, or a new one that is more than a bridge, or has addresses that are not private.",
            "The container reaches what is on that network; macvlan and ipvlan sit on the host's own, and a subnet of others' addresses takes the host's route to them.",
            "Add its name to `networks`.",
        ),
        Check::ResourcesUnlimited => say(
            "No limit of memory, CPU or processes, or others are killed first.",
            "One container can stop the host.",
            "`--memory`, `--cpus` and `--pids-limit`; else \"resources.unlimited\" = \"allow\".",
        ),
        Check::UserRoot => say(
            "The process runs as root, or as whoever the image says.",
            "Root in a container is one mistake away from root on the host, and writes bound folders as root.",
            "`--user 1000`; else \"user.root\" = \"allow\".",
        ),
        Check::RootfsWritable => say(
            "The root file system can be written.",
            "What breaks in can stay until the container ends.",
            "`--read-only` with `--tmpfs` for what is written.",
        ),
        Check::RestartAlways => say(
            "The container comes back after a reboot.",
            "So does what broke into it.",
            "Start it by a unit of the host; else \"restart.always\" = \"allow\".",
        ),
        Check::ProcessWorkingDir => say(
            "The working directory is under /proc.",
            "With an old runc it leads to the host's root (CVE-2024-21626).",
            "Not at all: no honest program needs it.",
        ),
        Check::ProcessListing => say(
            "`docker top` with words for `ps` that rename columns, begin with another than the pid, or are not usual ones.",
            "`ps` runs on the host as root: by some words the engine shows command lines and environments of the host's processes.",
            "Write `docker top NAME`, `-ef`, `aux`, or `-o pid,` and then the columns; else \"process.listing\" = \"warn\".",
        ),
        Check::ExecPrivileged => say(
            "An exec with all capabilities.",
            "It is a privileged container that nobody judged at create.",
            "Give the container what it needs at create; else an [[exception]] for its image.",
        ),
        Check::ExecUser => say(
            "An exec as root.",
            "Root in a container that runs as another user.",
            "`docker exec --user`; else \"exec.user\" = \"allow\".",
        ),
        Check::ContainerForeign => say(
            "The container was made by another principal.",
            "One caller reads or changes what another runs.",
            "\"container.foreign\" = \"allow\" for a caller that manages others'.",
        ),
        Check::ContainerUnseen => say(
            "The container was not made through this gate.",
            "Nobody judged it when it was made; what it may do is judged when it is used.",
            "Make it again through the gate; else \"container.unseen\" = \"warn\".",
        ),
        Check::ContainerFiles => say(
            "Files are copied in or out, or the whole container is exported.",
            "It follows the container's binds into the host, and unpacks archives as root.",
            "\"container.files\" = \"allow\" for callers that copy; take `files` out of `api` for all others.",
        ),
        Check::BuildNetwork => say(
            "A build with a network of its own choice.",
            "A step of the build reaches the host's network or another container's.",
            "Leave `--network` out; else \"build.network\" = \"warn\".",
        ),
        Check::BuildRemote => say(
            "The engine itself fetches the context of a build, or what is imported.",
            "It reaches addresses that the caller cannot.",
            "Fetch it in the client and send it.",
        ),
        Check::BuildSession => say(
            "BuildKit's session: gRPC that cannot be judged.",
            "It may ask for the host's network and devices.",
            "`DOCKER_BUILDKIT=0`; else \"build.session\" = \"warn\" in the profile of whoever builds.",
        ),
        Check::VolumeHostPath => say(
            "A new volume that is a path of the host.",
            "Whoever mounts it has that path, by a name that says nothing of it.",
            "Use `binds`; else make the volume by hand, as an admin.",
        ),
        Check::PluginInstall => say(
            "A plugin is installed, set or enabled.",
            "A plugin runs as root with its own mounts, devices and capabilities.",
            "Install it as an admin; do not allow it to callers.",
        ),
        Check::SwarmChange => say(
            "The swarm, its nodes or its tokens.",
            "A manager elsewhere places tasks on this host, past this gate.",
            "As an admin only: \"swarm.change\" = \"approve\".",
        ),
        Check::ImageLoad => say(
            "An image is made of foreign bytes: load, import, commit.",
            "It may take a listed name, and nobody can say where it is from.",
            "\"image.load\" = \"warn\", with `image-proof = \"digest\"` for whoever runs images.",
        ),
        Check::ImageTag => say(
            "An image gets a name that is or may be a listed one.",
            "It runs wherever that name is allowed.",
            "Name what you build outside the lists of others; else \"image.tag\" = \"warn\" with `image-proof = \"digest\"`.",
        ),
        Check::PrincipalUnknown => say(
            "No principal claims the caller.",
            "It is told for the record; the fallback's profile applies.",
            "Write a [[principal]] that claims it.",
        ),
        Check::PrincipalNonAdmin => say(
            "The caller is no admin.",
            "It is told for the record, and counts where launches are scored.",
            "`admin = true` for those who are.",
        ),
        Check::PrincipalRemote => say(
            "The caller came through a TCP door.",
            "It is told for the record: another host, or a forwarder.",
            "\"principal.remote\" = \"allow\" where all callers are remote.",
        ),
        Check::LaunchAn0693 => say(
            "A risky launch by somebody who is no admin, with what it did first (from the watch).",
            "It is MITRE ATT&CK's analytic AN0693: how containers are deployed by intruders.",
            "Read the launch; what is usual belongs in `images` and in principals with `admin = true`.",
        ),
        Check::LaunchBypass => say(
            "A container started that never passed this gate (from the watch).",
            "Somebody has another way to the engine.",
            "Find it: `tidewaiter doctor`.",
        ),
        Check::ExecOutOfBand => say(
            "A process entered a container that no exec through the gate explains (from the watch).",
            "Somebody on the host, or the engine by another way, went in.",
            "Find out who: the finding names the process.",
        ),
        Check::SensorGap => say(
            "Events of the kernel were lost (from the watch).",
            "What happened then was not seen.",
            "Give the sensor more room, or ask why there were so many.",
        ),
    }
}
