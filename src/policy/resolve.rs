//! From what is written to what applies: names that lead somewhere, patterns that compile, lists that are inherited.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_spanned::Spanned;

use super::image::{ImagePattern, glob};
use super::load::{Exception, File, error, nearest, warning};
use super::mount::clean;
use super::principal::{CertificateMatcher, Matcher, Principal};
use super::profile::{Bind, Profile, Publish};
use super::{Check, CheckId, Reaction, raw};
use crate::diagnostic::Diagnostic;
use crate::request::{ApiVersion, Class};

/// Collects mistakes on the way.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) found: Vec<Diagnostic>,
    /// The built-in ones, then those resolved so far.
    pub(super) profiles: BTreeMap<String, Profile>,
    /// Ids of the site's rules.
    pub(super) rules: Vec<Arc<str>>,
}

/// What a text should have been.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    /// Everything that it may be, if that is a list.
    known: &'static [&'static str],
    /// One of those, if it is not.
    example: &'static str,
}

const IMAGE: Kind = Kind::like("image pattern", "\"registry.example.com/ci/**\" or \"docker.io/library/alpine\"");
const PUBLISH: Kind = Kind::like("address and ports", "\"127.0.0.1:8000-8999\" or \"127.0.0.1:*\"");
const FINGERPRINT: Kind = Kind::like(
    "SHA-256 of a certificate in hexadecimal",
    "what this prints: openssl x509 -in FILE -noout -fingerprint -sha256",
);
const CAPABILITY: Kind = Kind::of("capability", &CAPABILITIES);
const CLASS: Kind = Kind::of("class of endpoints", Class::ALL_SELECTORS);

impl Kind {
    const fn like(name: &'static str, example: &'static str) -> Self {
        Self { name, known: &[], example }
    }

    const fn of(name: &'static str, known: &'static [&'static str]) -> Self {
        Self { name, known, example: "" }
    }
}

impl Resolver {
    /// Resolves every profile, each after the one it extends.
    pub(super) fn profiles(&mut self, file: &File) -> BTreeMap<String, Profile> {
        for (name, _) in &file.profiles {
            self.name(name);
            if self.profiles.contains_key(name.get_ref()) {
                self.fail(
                    name,
                    &format!("'{}' is built in and cannot be changed", name.get_ref()),
                    "choose another name",
                );
            }
        }
        let mut open: Vec<_> = file.profiles.iter().collect();
        loop {
            let before = open.len();
            open.retain(|(name, profile)| {
                let base = profile.extends.as_ref().map_or("baseline", |extends| extends.get_ref());
                let Some(base) = self.profiles.get(base).cloned() else { return true };
                let resolved = self.profile(name, base, profile);
                self.profiles.entry(resolved.name.clone()).or_insert(resolved);
                false
            });
            if open.is_empty() || open.len() == before {
                break;
            }
        }
        for (_, profile) in open {
            if let Some(extends) = &profile.extends {
                let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
                let help = nearest(extends.get_ref(), &known).unwrap_or_default();
                self.fail(extends, &format!("'{}' is no profile, or extends itself", extends.get_ref()), &help);
            }
        }
        self.profiles.clone()
    }

    fn profile(&mut self, name: &Spanned<String>, base: Profile, raw: &raw::Profile) -> Profile {
        let extends = Some(base.name.clone());
        let mut profile = Profile { name: name.get_ref().clone(), extends, mode: raw.mode.or(base.mode), ..base };
        profile.said.extend(places(raw, name));
        self.list(raw.images.as_deref(), &mut profile.images, ImagePattern::parse, IMAGE);
        self.list(raw.capabilities.as_deref(), &mut profile.capabilities, capability, CAPABILITY);
        self.list(
            raw.devices.as_deref(),
            &mut profile.devices,
            glob,
            Kind::like("glob of a device", "\"/dev/ttyUSB*\""),
        );
        self.list(raw.publish.as_deref(), &mut profile.publish, Publish::parse, PUBLISH);
        let runtime = Kind::like("runtime", "\"runc\"");
        self.list(raw.runtimes.as_deref(), &mut profile.runtimes, |text| Some(text.to_owned()), runtime);
        self.list(raw.api.as_deref(), &mut profile.api, class, CLASS);
        if let Some(networks) = &raw.networks {
            let mut globs = Vec::new();
            self.list(Some(networks), &mut globs, glob, Kind::like("glob of a network", "\"ci-*\""));
            profile.networks = Some(globs);
        }
        if let Some(binds) = &raw.binds {
            profile.binds = binds.iter().map(|bind| self.bind(bind)).collect();
        }
        if let Some(version) = &raw.min_api {
            profile.min_api = api_version(version.get_ref());
            if profile.min_api.is_none() {
                self.fail(version, "this is no API version", "write \"1.24\"");
            }
        }
        if let Some(proof) = raw.image_proof {
            profile.image_proof = proof;
            // What is asked for is meant: an image without proof is as good as not listed, unless a reaction says otherwise.
            profile.reactions.insert(Check::ImageUnproven.into(), profile.reaction(Check::ImageNotAllowed));
            profile.decided.insert(Check::ImageUnproven.into(), name.span());
        }
        profile.join = raw.join.unwrap_or(profile.join);
        if let Some(own_only) = raw.own_only {
            profile.own_only = own_only;
            if own_only {
                profile.reactions.extend([
                    (Check::ContainerForeign.into(), Reaction::Deny),
                    (Check::ContainerUnseen.into(), Reaction::Deny),
                ]);
                let decided =
                    [Check::ContainerForeign, Check::ContainerUnseen].map(|check| (check.into(), name.span()));
                profile.decided.extend(decided);
            }
        }
        self.reactions(raw, &mut profile);
        profile
    }

    fn list<T>(
        &mut self,
        written: Option<&[Spanned<String>]>,
        into: &mut Vec<T>,
        read: impl Fn(&str) -> Option<T>,
        kind: Kind,
    ) {
        let Some(written) = written else { return };
        into.clear();
        for text in written {
            match read(text.get_ref()) {
                Some(value) => into.push(value),
                None => self.is_none(text, kind),
            }
        }
    }

    fn bind(&mut self, bind: &raw::Bind) -> Bind {
        let path = bind.path.get_ref();
        let rooted = path.starts_with('/') || path.starts_with("{home}");
        // Requests are compared clean: what is not clean itself fits none of them.
        let cleaned = clean(path.strip_prefix("{home}").unwrap_or(path));
        let is_clean = path == "{home}" || path.strip_prefix("{home}").unwrap_or(path) == cleaned;
        if !rooted || glob(path).is_none() {
            self.fail(&bind.path, &format!("'{path}' is no absolute path"), "write /srv/data/** or {home}/src");
        } else if !is_clean {
            self.fail(&bind.path, &format!("'{path}' fits no path as it is written"), &format!("write {cleaned}"));
        }
        Bind::new(path, bind.access == raw::Access::Rw)
    }

    fn reactions(&mut self, raw: &raw::Profile, profile: &mut Profile) {
        // The more of an id a pattern spells out the later, and of two alike the stricter, so that it wins whatever the order.
        let mut reactions: Vec<_> = raw.reactions.iter().collect();
        reactions
            .sort_by_key(|(check, reaction)| (precision(check.get_ref()), Reaction::from_word(reaction.get_ref())));
        for (pattern, written) in reactions {
            let reaction = Reaction::from_word(written.get_ref());
            if reaction.is_none() {
                let help = "write deny, approve, warn or allow";
                self.fail(written, &format!("'{}' is no reaction", written.get_ref()), help);
            }
            for check in self.checks(pattern) {
                profile.decided.insert(check.clone(), pattern.span());
                profile.reactions.insert(check, reaction.unwrap_or(Reaction::Deny));
            }
        }
    }

    pub(super) fn checks(&mut self, pattern: &Spanned<String>) -> Vec<CheckId> {
        let matcher = globset::Glob::new(pattern.get_ref()).ok().map(|glob| glob.compile_matcher());
        let fits = |check: &CheckId| matcher.as_ref().is_some_and(|matcher| matcher.is_match(check.id()));
        let site = self.rules.iter().map(|id| CheckId::Site(Arc::clone(id)));
        let all: Vec<CheckId> = Check::ALL.iter().map(|check| (*check).into()).chain(site).collect();
        let checks: Vec<CheckId> = all.iter().filter(|check| fits(check)).cloned().collect();
        if checks.is_empty() {
            let ids: Vec<&str> = all.iter().map(CheckId::id).collect();
            let help = nearest(pattern.get_ref(), &ids).unwrap_or_default();
            self.fail(pattern, &format!("'{}' names no check", pattern.get_ref()), &help);
        }
        checks
    }

    /// Resolves the principals, in order.
    pub(super) fn principals(&mut self, file: &File) -> Vec<Principal> {
        let mut all: Vec<Principal> = Vec::new();
        for raw in &file.principals {
            self.name(&raw.name);
            if raw.name.get_ref() == "fallback" || all.iter().any(|known| &known.name == raw.name.get_ref()) {
                self.fail(&raw.name, &format!("'{}' is taken", raw.name.get_ref()), "choose another name");
            }
            self.known_profile(&raw.profile);
            if raw.matchers.get_ref().is_empty() {
                self.found.push(warning(raw.matchers.span(), "this principal claims nobody"));
            }
            let matchers = raw.matchers.get_ref().iter().map(|matcher| self.matcher(matcher, &raw.matchers)).collect();
            let (name, profile) = (raw.name.get_ref().clone(), raw.profile.get_ref().clone());
            all.push(Principal { name, admin: raw.admin, profile, matchers });
        }
        all
    }

    fn matcher(&mut self, raw: &raw::Matcher, list: &Spanned<Vec<raw::Matcher>>) -> Matcher {
        let text = |word: &str, text: &Option<Spanned<String>>| Some(format!("{word} {}", text.as_ref()?.get_ref()));
        let said = [
            raw.uid.map(|uid| format!("uid {uid}")),
            raw.gid.map(|gid| format!("gid {gid}")),
            text("user", &raw.user),
            text("group", &raw.group),
            text("in-container", &raw.in_container),
            text("cert-cn", &raw.cert_cn),
            text("cert-ou", &raw.cert_ou),
            text("cert-san", &raw.cert_san),
            text("cert-sha256", &raw.cert_sha256),
            text("cert-issuer", &raw.cert_issuer),
        ];
        let matcher = Matcher {
            said: said.into_iter().flatten().collect::<Vec<_>>().join(" and "),
            uid: raw.uid,
            gid: raw.gid,
            user: self.pattern(raw.user.as_ref(), glob, Kind::like("glob of a user", "\"ci-*\"")),
            group: self.pattern(raw.group.as_ref(), glob, Kind::like("glob of a group", "\"ci-*\"")),
            in_container: self.pattern(raw.in_container.as_ref(), ImagePattern::parse, IMAGE),
            certificate: self.certificate(raw),
        };
        if matcher.said.is_empty() {
            // It would claim everybody.
            self.found.push(error(list.span(), "a matcher that says nothing", Some("write { uid = 998 }")));
        }
        matcher
    }

    fn certificate(&mut self, raw: &raw::Matcher) -> Option<CertificateMatcher> {
        let first = raw.of_certificate().into_iter().flatten().next()?;
        if raw.uid.is_some() || raw.gid.is_some() || raw.of_process().into_iter().any(Option::is_some) {
            self.fail(
                first,
                "nobody has both a process and a certificate here",
                "write two matchers: callers of unix:// doors have processes, those of TLS doors have certificates",
            );
        }
        Some(CertificateMatcher {
            cn: self.pattern(raw.cert_cn.as_ref(), glob, Kind::like("glob of a common name", "\"runner-*\"")),
            ou: self.pattern(raw.cert_ou.as_ref(), glob, Kind::like("glob of an organizational unit", "\"ci-*\"")),
            san: self.pattern(raw.cert_san.as_ref(), glob, Kind::like("glob of a name", "\"runner-*.ci.example\"")),
            sha256: self.pattern(raw.cert_sha256.as_ref(), fingerprint, FINGERPRINT),
            issuer: self.pattern(
                raw.cert_issuer.as_ref(),
                distinguished,
                Kind::like("glob of an issuer", "\"CN=ci*\""),
            ),
        })
    }

    fn pattern<T>(
        &mut self,
        text: Option<&Spanned<String>>,
        read: impl Fn(&str) -> Option<T>,
        kind: Kind,
    ) -> Option<T> {
        let text = text?;
        let value = read(text.get_ref());
        if value.is_none() {
            self.is_none(text, kind);
        }
        value
    }

    /// The profile of whoever no principal claims.
    pub(super) fn fallback(&mut self, file: &File) -> String {
        let Some(fallback) = &file.fallback else { return "baseline".to_owned() };
        self.known_profile(&fallback.profile);
        fallback.profile.get_ref().clone()
    }

    pub(super) fn known_profile(&mut self, name: &Spanned<String>) {
        if !self.profiles.contains_key(name.get_ref()) {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let help = nearest(name.get_ref(), &known).unwrap_or_default();
            self.fail(name, &format!("there is no profile '{}'", name.get_ref()), &help);
        }
    }

    /// Resolves the exceptions.
    pub(super) fn exceptions(&mut self, file: &File) -> Vec<Exception> {
        let names: Vec<String> = file.principals.iter().map(|principal| principal.name.get_ref().clone()).collect();
        file.exceptions.iter().map(|raw| self.exception(raw, &names)).collect()
    }

    fn exception(&mut self, raw: &raw::Exception, names: &[String]) -> Exception {
        if raw.reason.get_ref().trim().is_empty() {
            self.fail(&raw.reason, "an exception needs a reason", "say who decided it, and why");
        }
        let principals = self.some(raw.principals.as_ref());
        for principal in principals {
            if principal.get_ref() != "fallback" && !names.contains(principal.get_ref()) {
                let known: Vec<&str> = names.iter().map(String::as_str).chain(["fallback"]).collect();
                let help = nearest(principal.get_ref(), &known).unwrap_or_default();
                self.fail(principal, &format!("there is no principal '{}'", principal.get_ref()), &help);
            }
        }
        let mut images = Vec::new();
        let written = self.some(raw.images.as_ref());
        self.list(Some(written), &mut images, ImagePattern::parse, IMAGE);
        let checks = self.some(Some(&raw.checks));
        let expires = raw.expires.as_ref().and_then(|expires| {
            let end = end_of_day(expires.get_ref());
            if end.is_none() {
                self.fail(expires, "this is no plain date", "write expires = 2027-01-31");
            }
            end
        });
        Exception {
            checks: checks.iter().flat_map(|pattern| self.checks(pattern)).collect(),
            principals: principals.iter().map(|name| name.get_ref().clone()).collect(),
            images,
            reason: raw.reason.get_ref().clone(),
            span: raw.expires.as_ref().map_or_else(|| raw.reason.span(), Spanned::span),
            expires,
        }
    }

    /// A list of what an exception is for: one that is left out is for all, and one that is empty must not be.
    fn some<'a>(&mut self, list: Option<&'a Spanned<Vec<Spanned<String>>>>) -> &'a [Spanned<String>] {
        let Some(list) = list else { return &[] };
        if list.get_ref().is_empty() {
            self.fail(
                list,
                "an empty list would be for everything or for nothing",
                "leave it out, or say what is meant",
            );
        }
        list.get_ref()
    }

    /// A name that stands in records and refusals.
    fn name(&mut self, name: &Spanned<String>) {
        let text = name.get_ref();
        if text.is_empty() || text.chars().any(char::is_control) {
            self.fail(name, "a name is one line of text", "write name = \"ci\"");
        }
    }

    fn is_none(&mut self, text: &Spanned<String>, kind: Kind) {
        let written = text.get_ref();
        let help = match kind.known {
            [] => Some(format!("write {}", kind.example)),
            known => nearest(written.strip_prefix("CAP_").unwrap_or(written), known),
        };
        self.fail(text, &format!("'{written}' is no {}", kind.name), &help.unwrap_or_default());
    }

    pub(super) fn fail<T>(&mut self, at: &Spanned<T>, message: &str, help: &str) {
        self.found.push(error(at.span(), message, Some(help).filter(|help| !help.is_empty())));
    }
}

/// Where a profile says its keys: at their first entry, and what has none at the profile's name.
fn places(raw: &raw::Profile, name: &Spanned<String>) -> Vec<(&'static str, Range<usize>)> {
    let list = |list: &Option<Vec<Spanned<String>>>| {
        list.as_ref().map(|list| list.first().map_or_else(|| name.span(), Spanned::span))
    };
    let binds = raw.binds.as_ref().map(|binds| binds.first().map_or_else(|| name.span(), |bind| bind.path.span()));
    let said = [
        ("images", list(&raw.images)),
        ("capabilities", list(&raw.capabilities)),
        ("binds", binds),
        ("devices", list(&raw.devices)),
        ("networks", list(&raw.networks)),
        ("publish", list(&raw.publish)),
        ("runtimes", list(&raw.runtimes)),
        ("api", list(&raw.api)),
        ("min-api", raw.min_api.as_ref().map(Spanned::span)),
        ("image-proof", raw.image_proof.map(|_| name.span())),
        ("join", raw.join.map(|_| name.span())),
        ("own-only", raw.own_only.map(|_| name.span())),
    ];
    said.into_iter().filter_map(|(key, place)| Some((key, place?))).collect()
}

/// Whether a pattern of checks names one, else how many letters of an id it spells out.
fn precision(pattern: &str) -> (bool, usize) {
    let is_one = !pattern.contains(['*', '?', '[', '{']);
    (is_one, pattern.chars().filter(char::is_ascii_alphabetic).count())
}

/// Every capability of the kernel's.
const CAPABILITIES: [&str; 42] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

fn capability(text: &str) -> Option<String> {
    let name = text.strip_prefix("CAP_").unwrap_or(text);
    CAPABILITIES.contains(&name).then(|| name.to_owned())
}

fn class(text: &str) -> Option<String> {
    Class::ALL_SELECTORS.contains(&text).then(|| text.to_owned())
}

fn api_version(text: &str) -> Option<ApiVersion> {
    let (major, minor) = text.split_once('.')?;
    Some(ApiVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// As `openssl x509 -fingerprint -sha256` prints it, or plain.
fn fingerprint(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|letter| *letter != ':').map(|letter| letter.to_ascii_lowercase()).collect();
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hex)
}

/// A glob of a distinguished name as records have it: the backslash in it is the name's own.
fn distinguished(text: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(text).backslash_escape(false).build().ok().map(|glob| glob.compile_matcher())
}

/// A date holds to its end, in UTC. A time of day would be taken for more than it says.
fn end_of_day(written: &toml::value::Datetime) -> Option<Timestamp> {
    let date = written.date.filter(|_| written.time.is_none())?;
    let day = Date::new(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
    let next = day.ok()?.tomorrow().ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(next.at(0, 0, 0, 0)).ok()
}
