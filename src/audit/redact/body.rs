//! Judged JSON bodies: the fields whose values are clear are listed; every other value is tagged.

use super::{Argv, Redactor, is_name};
use crate::audit::json::{Array, Object, display, string};
use crate::request::decode::{Kind, Value};

/// Longest clear text in a body.
const TEXT: usize = 4096;
/// Longest key.
const KEY: usize = 256;
/// Longest number; no field of the API needs more.
const NUMBER: usize = 40;
/// Deepest object that is gone into; the API's own are at most 7 deep.
const DEPTH: usize = 16;
/// Elements of one list or members of one object.
const ELEMENTS: usize = 4096;

/// How a value is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// An object whose keys are fields.
    Fields,
    /// An object whose keys are data (networks, ports, paths) and whose values are objects of fields.
    Named,
    /// A text, number or list of them that is clear but for credentials in URLs.
    Clear,
    /// `Mode`: of a file or a guard a scalar, of a service an object.
    Mode,
    /// `NAME=value`, value tagged.
    Pairs,
    /// An object whose keys stay, or a list, of which each value is tagged.
    Options,
    /// Options of a driver: those that decide which part of the host a volume or a log reaches are clear.
    Driver,
    /// An object whose keys stay and whose texts are clear but for credentials in URLs.
    Settings,
    /// A command line.
    Argv,
    /// Tagged, whatever it is.
    Secret,
}

/// A body being written for the record.
#[derive(Debug)]
pub(in crate::audit) struct Redacted<'r> {
    redactor: &'r Redactor,
    tagged: bool,
}

impl<'r> Redacted<'r> {
    pub(in crate::audit) const fn new(redactor: &'r Redactor) -> Self {
        Self { redactor, tagged: false }
    }

    /// Writes the document, and tells whether anything in it was tagged or left out.
    pub(in crate::audit) fn write(mut self, out: &mut Vec<u8>, root: Value<'_, '_>) -> bool {
        self.value(out, root, Rule::Fields, 0);
        self.tagged
    }

    fn value(&mut self, out: &mut Vec<u8>, value: Value<'_, '_>, rule: Rule, depth: usize) {
        let rule = match (rule, value.kind()) {
            _ if depth > DEPTH => Rule::Secret,
            (Rule::Mode, Kind::Object) => Rule::Fields,
            (Rule::Mode, _) => Rule::Clear,
            (rule, _) => rule,
        };
        match (value.kind(), rule) {
            // There is no secret in these.
            (Kind::Null | Kind::Bool, _) => out.extend_from_slice(value.raw()),
            (Kind::String, _) => self.text(out, value, rule),
            (_, Rule::Secret) => self.tag(out, value.raw()),
            (Kind::Number, Rule::Clear) if value.raw().len() <= NUMBER => out.extend_from_slice(value.raw()),
            (Kind::Array, _) => self.array(out, value, rule, depth),
            (Kind::Object, Rule::Fields | Rule::Named | Rule::Options | Rule::Driver | Rule::Settings) => {
                self.object(out, value, rule, depth);
            }
            // Not of the type that the field has: not what we know to be clear.
            (Kind::Object | Kind::Number, _) => self.tag(out, value.raw()),
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, value: Value<'_, '_>, rule: Rule, depth: usize) {
        let mut object = Object::begin(out);
        let mut members = value.members();
        for (key, value) in members.by_ref().take(ELEMENTS) {
            if let (Rule::Driver, Some(text)) = (rule, value.text()) {
                let clean = self.redactor.driver_option(&key, &text);
                self.tagged |= clean != text;
                string(object.foreign_key(&key, KEY), &clean, TEXT);
                continue;
            }
            let rule = match rule {
                Rule::Named => Rule::Fields,
                Rule::Options | Rule::Driver => Rule::Secret,
                Rule::Settings => Rule::Clear,
                Rule::Fields | Rule::Clear | Rule::Mode | Rule::Pairs | Rule::Argv | Rule::Secret => rule_of(&key),
            };
            self.value(object.foreign_key(&key, KEY), value, rule, depth + 1);
        }
        let omitted = members.count();
        if omitted > 0 {
            self.tagged = true;
            object.display("…", omitted);
        }
        object.end();
    }

    fn array(&mut self, out: &mut Vec<u8>, value: Value<'_, '_>, rule: Rule, depth: usize) {
        let mut array = Array::begin(out);
        let mut argv = Argv::new(self.redactor);
        let mut elements = value.elements();
        for element in elements.by_ref().take(ELEMENTS) {
            match (rule, element.text()) {
                (Rule::Argv, Some(text)) => {
                    let clean = argv.arg(&text);
                    self.tagged |= clean != text;
                    array.text(&clean, TEXT);
                }
                _ => self.value(array.element(), element, rule, depth + 1),
            }
        }
        let omitted = elements.count();
        if omitted > 0 {
            self.tagged = true;
            array.text(&format!("…+{omitted}"), KEY);
        }
        array.end();
    }

    fn text(&mut self, out: &mut Vec<u8>, value: Value<'_, '_>, rule: Rule) {
        let Some(text) = value.text() else {
            return self.tag(out, value.raw());
        };
        let clean = match rule {
            Rule::Clear => self.redactor.scrub(&text),
            Rule::Pairs => self.redactor.pair(&text).into(),
            Rule::Argv => Argv::new(self.redactor).arg(&text),
            Rule::Fields | Rule::Named | Rule::Mode | Rule::Options | Rule::Driver | Rule::Settings | Rule::Secret => {
                return self.tag(out, text.as_bytes());
            }
        };
        self.tagged |= clean != text || clean.len() > TEXT;
        string(out, &clean, TEXT);
    }

    fn tag(&mut self, out: &mut Vec<u8>, value: &[u8]) {
        self.tagged = true;
        display(out, format_args!("\"{}\"", self.redactor.tag(value)));
    }
}

/// The table of fields. Keys match without regard to case, as the engine matches them; one in another spelling of
/// Unicode's is unknown here, and tagged.
fn rule_of(key: &str) -> Rule {
    if !is_name(key) {
        return Rule::Secret;
    }
    let key = key.to_ascii_lowercase();
    match key.as_str() {
        key if FIELDS.binary_search(&key).is_ok() => Rule::Fields,
        "mode" => Rule::Mode,
        "endpointsconfig" | "exposedports" | "volumes" | "portbindings" => Rule::Named,
        "env" => Rule::Pairs,
        "cmd" | "entrypoint" | "shell" | "command" | "args" => Rule::Argv,
        // `Config` is `LogConfig.Config`; `Options` is a driver's.
        "config" | "options" | "driveropts" => Rule::Driver,
        "sysctls" | "tmpfs" | "auxiliaryaddresses" => Rule::Settings,
        // `Test` is a command that runs with the secrets at hand.
        "labels" | "annotations" | "storageopt" | "test" | "onbuild" => Rule::Options,
        key if CLEAR.binary_search(&key).is_ok() => Rule::Clear,
        _ => Rule::Secret,
    }
}

/// Objects of the API, in lower case. Sorted.
const FIELDS: &[&str] = &[
    "apparmor",
    "bindoptions",
    "blkiodevicereadbps",
    "blkiodevicereadiops",
    "blkiodevicewritebps",
    "blkiodevicewriteiops",
    "blkioweightdevice",
    "clusteroptions",
    "configfrom",
    "configs",
    "containerspec",
    "credentialspec",
    "devicerequests",
    "devices",
    "discreteresourcespec",
    "dnsconfig",
    "driverconfig",
    "endpointconfig",
    "endpointspec",
    "file",
    "genericresources",
    "global",
    "globaljob",
    "healthcheck",
    "hostconfig",
    "imageoptions",
    "ipam",
    "ipamconfig",
    "limits",
    "logconfig",
    "logdriver",
    "mounts",
    "namedresourcespec",
    "networkattachmentspec",
    "networkingconfig",
    "networks",
    "placement",
    "platforms",
    "pluginspec",
    "ports",
    "preferences",
    "privileges",
    "replicated",
    "replicatedjob",
    "reservations",
    "resources",
    "restartpolicy",
    "rollbackconfig",
    "seccomp",
    "secrets",
    "selinuxcontext",
    "spread",
    "tasktemplate",
    "tmpfsoptions",
    "ulimits",
    "updateconfig",
    "volumeoptions",
];

/// Scalars and lists of scalars that hold no secret, in lower case. Sorted.
const CLEAR: &[&str] = &[
    "aliases",
    "architecture",
    "argsescaped",
    "attachable",
    "attachstderr",
    "attachstdin",
    "attachstdout",
    "autoremove",
    "binds",
    "blkioweight",
    "capabilities",
    "capabilityadd",
    "capabilitydrop",
    "capadd",
    "capdrop",
    "cgroup",
    "cgroupnsmode",
    "cgroupparent",
    "cgrouppermissions",
    "checkduplicate",
    "checkpointdir",
    "checkpointid",
    "condition",
    "configid",
    "configname",
    "configonly",
    "consolesize",
    "constraints",
    "containerid",
    "containeridfile",
    "count",
    "cpucount",
    "cpupercent",
    "cpuperiod",
    "cpuquota",
    "cpurealtimeperiod",
    "cpurealtimeruntime",
    "cpuset",
    "cpusetcpus",
    "cpusetmems",
    "cpushares",
    "createmountpoint",
    "delay",
    "detach",
    "detachkeys",
    "devicecgrouprules",
    "deviceids",
    "dir",
    "disable",
    "disabled",
    "diskquota",
    "dns",
    "dnsnames",
    "dnsoptions",
    "dnssearch",
    "domainname",
    "driver",
    "enableipv4",
    "enableipv6",
    "endpointid",
    "exit",
    "extrahosts",
    "failureaction",
    "force",
    "forceupdate",
    "gateway",
    "gid",
    "globalipv6address",
    "globalipv6prefixlen",
    "groupadd",
    "groups",
    "gwpriority",
    "hard",
    "hostip",
    "hostname",
    "hostport",
    "hosts",
    "id",
    "image",
    "ingress",
    "init",
    "internal",
    "interval",
    "iomaximumbandwidth",
    "iomaximumiops",
    "ipaddress",
    "ipcmode",
    "ipprefixlen",
    "iprange",
    "ipv4address",
    "ipv6address",
    "ipv6gateway",
    "isolation",
    "kernelmemory",
    "kernelmemorytcp",
    "kind",
    "level",
    "linklocalips",
    "links",
    "macaddress",
    "maskedpaths",
    "maxattempts",
    "maxconcurrent",
    "maxfailureratio",
    "maximumretrycount",
    "maxreplicas",
    "memory",
    "memorybytes",
    "memoryreservation",
    "memoryswap",
    "memoryswappiness",
    "monitor",
    "name",
    "nameservers",
    "nanocpus",
    "network",
    "networkdisabled",
    "networkid",
    "networkmode",
    "nocopy",
    "nonewprivileges",
    "nonrecursive",
    "oomkilldisable",
    "oomscoreadj",
    "openstdin",
    "order",
    "os",
    "parallelism",
    "path",
    "pathincontainer",
    "pathonhost",
    "pidmode",
    "pids",
    "pidslimit",
    "portspecs",
    "privileged",
    "propagation",
    "protocol",
    "publishallports",
    "publishedport",
    "publishmode",
    "rate",
    "readonly",
    "readonlyforcerecursive",
    "readonlynonrecursive",
    "readonlypaths",
    "readonlyrootfs",
    "remote",
    "replicas",
    "retries",
    "role",
    "runtime",
    "scope",
    "search",
    "secretid",
    "secretname",
    "securityopt",
    "shmsize",
    "sizebytes",
    "soft",
    "source",
    "spreaddescriptor",
    "startinterval",
    "startperiod",
    "stdinonce",
    "stopgraceperiod",
    "stopsignal",
    "stoptimeout",
    "subnet",
    "subpath",
    "swapbytes",
    "target",
    "targetport",
    "timeout",
    "totalcompletions",
    "tty",
    "type",
    "uid",
    "user",
    "usernsmode",
    "utsmode",
    "volumedriver",
    "volumesfrom",
    "weight",
    "window",
    "workingdir",
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_lists_are_sorted() {
        assert!(super::CLEAR.is_sorted() && super::FIELDS.is_sorted());
    }
}
