//! The lines of a profile that let pass what a finding is about, the narrowest first.

use std::net::{IpAddr, Ipv4Addr};

use crate::policy::{Check, Finding, HeldImage, Known, clean_path, image_name};
use crate::request::Call;

/// From this risk on a check is lowered for one image only, where there is one.
const RISKY: u8 = 2;

/// One line of a profile, or an exception from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// A class of endpoints.
    Api(String),
    /// An entry of `images`.
    Image(String),
    /// `image-proof = "name"`
    ImageByName,
    /// An entry of `capabilities`.
    Capability(String),
    /// A path that may be bound to be read.
    Read(String),
    /// A path that may be bound to be written.
    Write(String),
    /// An entry of `devices`.
    Device(String),
    /// An entry of `networks`.
    Network(String),
    /// An entry of `publish`.
    Publish(IpAddr, u16, u16),
    /// An entry of `runtimes`.
    Runtime(String),
    /// `join = "own"`
    JoinOwn,
    /// `min-api`
    MinApi(u32, u32),
    /// An exception for one image.
    Exception(Check, String),
    /// A reaction.
    Reaction(Check),
}

impl Line {
    /// The check that it lowers for every image.
    pub(super) const fn reaction(&self) -> Option<Check> {
        if let Self::Reaction(check) = self { Some(*check) } else { None }
    }

    /// The line that lists every tag of the repository of which it lists one.
    pub(super) fn repository(&self) -> Option<Self> {
        let Self::Image(name) = self else { return None };
        if name.contains('@') || name.starts_with("sha256:") {
            return None;
        }
        let (repository, tag) = name.rsplit_once(':')?;
        (!tag.contains('/')).then(|| Self::Image(repository.to_owned()))
    }
}

/// What could be written for a finding. Nothing for what cannot be judged: nobody knows what he would let pass.
pub(super) fn lines(finding: &Finding, call: &Call<'_>, known: &Known) -> Vec<Line> {
    let Some(check) = finding.check.builtin() else { return Vec::new() };
    let unknowable = check.id().starts_with("request.") && check != Check::RequestOldApi;
    if unknowable || matches!(check, Check::FactsMissing | Check::ApiUnknown) {
        return Vec::new();
    }
    let mut lines = of_lists(check, finding, known);
    let image = image_of(call, known).filter(|_| check.risk() >= RISKY);
    lines.extend(image.map(|image| Line::Exception(check, image)));
    lines.push(Line::Reaction(check));
    lines
}

/// Lines of the lists that a check goes by.
#[expect(clippy::wildcard_enum_match_arm, reason = "a new check is lowered by its reaction until it is given a line")]
fn of_lists(check: Check, finding: &Finding, known: &Known) -> Vec<Line> {
    let detail = finding.detail.as_str();
    // The path a link leads to is what is to be listed.
    let path = clean_path(detail.split_once(" leads to ").map_or(detail, |(_link, real)| real));
    let one = |line: Option<Line>| line.into_iter().collect();
    match check {
        Check::ApiNotAllowed => one(detail.split_once(" (").map(|(class, _)| Line::Api(class.to_owned()))),
        Check::ImageNotAllowed => images(detail, known),
        Check::ImageUnproven => vec![Line::ImageByName],
        Check::CapabilityAdded => one(capability(detail).map(Line::Capability)),
        Check::MountHostPath | Check::MountSymlink if detail.starts_with('/') => {
            vec![Line::Read(literal(&path))]
        }
        Check::MountSensitive => vec![Line::Read(literal(&path)), Line::Write(literal(&path))],
        Check::MountWritable => vec![Line::Write(literal(&path))],
        Check::DeviceHost => vec![Line::Device(literal(&path))],
        Check::NetworkNotAllowed if is_name_of_network(&finding.field) => vec![Line::Network(literal(detail))],
        Check::NetworkPublish => one(publish(detail)),
        Check::RuntimeOther if finding.field.ends_with(".Runtime") => vec![Line::Runtime(detail.to_owned())],
        Check::PidContainer | Check::NetworkContainer | Check::IpcContainer | Check::MountVolumesFrom => {
            vec![Line::JoinOwn]
        }
        Check::RequestOldApi => one(version(detail)),
        _by_reaction_only => Vec::new(),
    }
}

/// An image by its name in full, else all of its repository: a pull or push of all tags names no tag.
fn images(detail: &str, known: &Known) -> Vec<Line> {
    let held = known.image.as_ref();
    let Some(name) = image_name(detail.trim_end_matches(" (all tags)"), held) else {
        // The start of an id: the finding says so behind the text.
        let id = detail.split(':').next().filter(|text| !text.is_empty()).and_then(|text| image_name(text, held));
        return id.filter(|id| id.starts_with("sha256:")).map(Line::Image).into_iter().collect();
    };
    let one = Line::Image(name);
    let all = one.repository();
    [one].into_iter().chain(all).collect()
}

/// A pattern that fits one text only. A backslash is nothing to `globset::escape`, and escapes what follows it.
pub(super) fn literal(text: &str) -> String {
    globset::escape(text).replace('\\', "\\\\")
}

fn image_of(call: &Call<'_>, known: &Known) -> Option<String> {
    let named = |text: &str, held: Option<&HeldImage>| image_name(text, held);
    match (call.body.image(), &known.container) {
        (Some(text), _) => named(text, known.image.as_ref()),
        (None, Some(stored)) if call.asked.operation.uses_container() => named(&stored.reference, Some(&stored.image)),
        (None, _) => None,
    }
}

fn capability(detail: &str) -> Option<String> {
    let upper = detail.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_name.then(|| name.to_owned())
}

/// Whether a field names a network; others of the same check name a driver or an option.
fn is_name_of_network(field: &str) -> bool {
    field == "path" || ["NetworkMode", "EndpointsConfig", "Networks["].iter().any(|part| field.contains(part))
}

/// `address:port`, `:8000-8010`, `:` for any port of the engine's choice.
fn publish(detail: &str) -> Option<Line> {
    let (address, ports) = detail.rsplit_once(':')?;
    let address = match address.trim_matches(['[', ']']) {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        text => text.parse().ok()?,
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let port = |text: &str| if text.is_empty() { Some(0) } else { text.parse().ok() };
    Some(Line::Publish(address, port(first)?, port(last)?))
}

fn version(detail: &str) -> Option<Line> {
    let (major, minor) = detail.split(' ').next()?.split_once('.')?;
    Some(Line::MinApi(major.parse().ok()?, minor.parse().ok()?))
}
