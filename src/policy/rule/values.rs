//! What a call hands to a rule: built when a rule first asks for it, and only those fields that some rule names.
//!
//! Written so that a rule cannot be talked around by another spelling: capabilities are upper-case and without `CAP_`, paths
//! on the host are clean. Everything is bounded ([`MAX_ELEMENTS`], [`MAX_BYTES`]): what is larger is not cut, but fails each
//! rule that asks for the variable it is in.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::container;
use super::cost::{MAX_BYTES, MAX_ELEMENTS};
use super::shape::VARIABLES;
use crate::peer::Peer;
use crate::policy::image::Image;
use crate::policy::{Known, checks};
use crate::request::{Body, Call, Operation, Text, stored_container};

/// What a rule is asked about.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Scene<'a> {
    pub(in crate::policy) call: &'a Call<'a>,
    pub(in crate::policy) peer: &'a Peer,
    pub(in crate::policy) known: &'a Known,
    pub(in crate::policy) principal: &'a str,
    pub(in crate::policy) admin: bool,
    pub(in crate::policy) profile: &'a str,
}

/// A value, or why there is none.
pub(super) type Built<'a> = Result<Box<dyn Val + 'a>, String>;

/// The variables of one call.
#[derive(Debug)]
pub(super) struct Values<'a> {
    scene: Scene<'a>,
    /// Names of fields that rules use.
    used: &'a BTreeSet<String>,
    built: [OnceLock<Built<'a>>; VARIABLES.len()],
}

impl<'a> Values<'a> {
    pub(super) const fn new(scene: Scene<'a>, used: &'a BTreeSet<String>) -> Self {
        Self { scene, used, built: [const { OnceLock::new() }; VARIABLES.len()] }
    }

    /// Why a variable has no value, if it was asked for and has none.
    pub(super) fn flaw(&self, variable: &str) -> Option<&str> {
        let at = VARIABLES.iter().position(|(name, _)| *name == variable)?;
        self.built.get(at)?.get()?.as_ref().err().map(String::as_str)
    }

    fn build(&self, variable: &str) -> Built<'a> {
        let Scene { call, .. } = self.scene;
        let asked = call.asked;
        let mut room = Room::default();
        match variable {
            "operation" => text(&asked.operation.name().into(), &mut room),
            "method" => text(&asked.method.as_str().into(), &mut room),
            "path" => text(&asked.canonical_path().into(), &mut room),
            "api_version" => {
                text(&asked.api_version.map(|version| version.to_string()).unwrap_or_default().into(), &mut room)
            }
            "class" => text(&asked.class().name().into(), &mut room),
            "query" => {
                let firsts = asked.query.firsts();
                map(firsts.iter().map(|(key, value)| (Text::Borrowed(*key), Text::Borrowed(*value))), &mut room)
            }
            "principal" => self.principal(),
            "peer" => self.peer(),
            "create" | "exec" | "update" | "service" => self.body(variable),
            "container" => self.container(),
            "image" => self.image(),
            unknown => Err(format!("there is no variable '{unknown}'")),
        }
    }

    /// The body, if it is the one that this variable is for.
    fn body(&self, variable: &str) -> Built<'a> {
        let call = self.scene.call;
        let of: &[Operation] = match (variable, &call.body) {
            ("create", Body::ContainerCreate(create)) => return container::container(create, self.used),
            ("exec", Body::ExecCreate(exec)) => return container::exec(exec, self.used),
            ("update", Body::ContainerUpdate(update)) => return container::update(update, self.used),
            ("service", Body::ServiceSpec(service)) => return container::service(service, self.used),
            ("create", _other) => &[Operation::ContainerCreate],
            ("exec", _other) => &[Operation::ContainerExec],
            ("update", _other) => &[Operation::ContainerUpdate],
            (_service, _other) => &[Operation::ServiceCreate, Operation::ServiceUpdate],
        };
        // What could not be read is no reason to let a call pass.
        if of.contains(&call.asked.operation) {
            Err("the body cannot be read".to_owned())
        } else {
            Ok(Box::new(CelNull))
        }
    }

    /// The container that the call acts on, as the engine has it.
    fn container(&self) -> Built<'a> {
        let Scene { call, known, .. } = self.scene;
        let Some(stored) = &known.container else {
            let is_asked = known.unreachable.is_none() && known.missing.is_empty();
            let is_none = is_asked || call.target().is_none();
            return if is_none { Ok(Box::new(CelNull)) } else { Err("the engine could not be asked".to_owned()) };
        };
        let read = stored_container(&stored.body).ok_or("the engine's view of it cannot be read")?;
        container::container(&read, self.used)
    }

    fn principal(&self) -> Built<'a> {
        let Scene { principal, admin, profile, .. } = self.scene;
        let mut record = Record::new(self.used);
        record.field("name", |room| text(&principal.into(), room));
        record.field("admin", |_room| flag(admin));
        record.field("profile", |room| text(&profile.into(), room));
        record.finish()
    }

    fn peer(&self) -> Built<'a> {
        let (kind, unix, certificate) = match self.scene.peer {
            Peer::Unix(peer) => ("unix", Some(peer), None),
            Peer::Tcp(_) => ("tcp", None, None),
            Peer::Tls(peer) => ("tls", None, Some(&peer.certificate)),
        };
        let id = |id: Option<u32>| id.map_or_else(|| Ok(Box::new(CelNull) as Box<dyn Val>), |id| number(id.into()));
        let words = |text: Option<&'a str>| Text::Borrowed(text.unwrap_or_default());
        let mut record = Record::new(self.used);
        record.field("kind", |room| text(&kind.into(), room));
        record.field("uid", |_room| id(unix.and_then(|peer| peer.uid)));
        record.field("gid", |_room| id(unix.and_then(|peer| peer.gid)));
        record.field("user", |room| text(&words(unix.and_then(|peer| peer.user.as_deref())), room));
        record.field("groups", |room| {
            let groups = unix.map(|peer| peer.groups.as_slice()).unwrap_or_default();
            texts(groups.iter().filter_map(|group| group.name.as_deref()).map(Text::Borrowed), room)
        });
        record.field("exe", |room| {
            let exe = unix.and_then(|peer| peer.exe.as_deref());
            text(&exe.map(std::path::Path::to_string_lossy).unwrap_or_default(), room)
        });
        record.field("container_image", |room| {
            let within = unix.and_then(|peer| peer.container.as_ref());
            text(&words(within.and_then(|container| container.image.as_deref())), room)
        });
        record.field("cert_subject", |room| text(&words(certificate.map(|shown| shown.subject.as_str())), room));
        record.field("cert_sans", |room| {
            let sans = certificate.map(|shown| shown.sans.as_slice()).unwrap_or_default();
            texts(sans.iter().map(|san| Text::Borrowed(san.as_str())), room)
        });
        record.finish()
    }

    /// The image that a create, a service, a pull or a push names, or that the container was made from.
    fn image(&self) -> Built<'a> {
        let Scene { call, known, .. } = self.scene;
        let asked = call.asked;
        let pulled = asked.query.first("fromImage").filter(|name| !name.is_empty());
        let pulled = pulled.filter(|_| asked.operation == Operation::ImageCreate);
        let pushed = asked.resource.as_deref().filter(|_| asked.operation == Operation::ImagePush);
        let in_registry = pulled.or(pushed);
        let (name, held) = match (&call.body, in_registry, &known.container) {
            (Body::ContainerCreate(_) | Body::ServiceSpec(_), _, _) => {
                (call.body.image().unwrap_or_default(), known.image.as_ref())
            }
            (_, Some(name), _) => (name, None),
            (_, None, Some(stored)) => (stored.reference.as_str(), Some(&stored.image)),
            (_, None, None) => return Ok(Box::new(CelNull)),
        };
        // A name that cannot be read is handed over as it is written: it must not look like no image at all.
        let image = match in_registry {
            Some(_) => checks::images_of(call, known).into_iter().next(),
            None => Image::parse(name).map(|image| image.known_as(name, held)),
        };
        let mut record = Record::new(self.used);
        record.field("reference", |room| {
            text(&image.and_then(|image| image.whole()).unwrap_or_else(|| name.to_owned()).into(), room)
        });
        record.field("id", |room| text(&held.map(|held| Text::Borrowed(held.id.as_str())).unwrap_or_default(), room));
        record.field("repo_digests", |room| {
            let digests = held.map(|held| held.repo_digests.as_slice()).unwrap_or_default();
            texts(digests.iter().map(|digest| Text::Borrowed(digest.as_str())), room)
        });
        record.finish()
    }
}

impl VariableResolver for Values<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let at = VARIABLES.iter().position(|(name, _)| *name == variable)?;
        let built = self.built.get(at)?.get_or_init(|| self.build(variable));
        built.as_ref().ok().map(|value| CowVal::Borrowed(value.as_ref()))
    }
}

// === values ===

/// The fields of a record, those that rules use.
#[derive(Debug)]
pub(super) struct Record<'u, 'a> {
    used: &'u BTreeSet<String>,
    fields: HashMap<CelMapKey<'a>, Box<dyn Val + 'a>>,
    flaw: Option<String>,
}

/// How much text still fits into one field.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_BYTES)
    }
}

impl<'u, 'a> Record<'u, 'a> {
    pub(super) fn new(used: &'u BTreeSet<String>) -> Self {
        Self { used, fields: HashMap::new(), flaw: None }
    }

    /// Adds a field that has room of its own.
    pub(super) fn field(&mut self, name: &'static str, build: impl FnOnce(&mut Room) -> Built<'a>) {
        self.within(name, &mut Room::default(), build);
    }

    /// Adds a field of a record that stands in a list, and shares its room.
    pub(super) fn within(&mut self, name: &'static str, room: &mut Room, build: impl FnOnce(&mut Room) -> Built<'a>) {
        if !self.used.contains(name) {
            return;
        }
        match build(room) {
            Ok(value) => drop(self.fields.insert(CelMapKey::String(name.into()), value)),
            Err(flaw) => self.flaw = Some(format!("{name}: {flaw}")),
        }
    }

    pub(super) fn finish(self) -> Built<'a> {
        match self.flaw {
            Some(flaw) => Err(flaw),
            None => Ok(Box::new(CelMap::from(self.fields))),
        }
    }
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| format!("too large, more than {MAX_BYTES} bytes"))?;
        Ok(())
    }
}

pub(super) fn flag<'a>(value: bool) -> Built<'a> {
    Ok(Box::new(CelBool::from(value)))
}

pub(super) fn number<'a>(value: i64) -> Built<'a> {
    Ok(Box::new(CelInt::from(value)))
}

pub(super) fn text<'a>(value: &Text<'a>, room: &mut Room) -> Built<'a> {
    room.take(value.len())?;
    Ok(Box::new(CelString::from(value.clone())))
}

pub(super) fn list<'a, T>(
    values: impl Iterator<Item = T>,
    room: &mut Room,
    build: impl Fn(T, &mut Room) -> Built<'a>,
) -> Built<'a> {
    let mut all = Vec::new();
    for value in values {
        if all.len() == MAX_ELEMENTS {
            return Err(too_many());
        }
        all.push(build(value, room)?);
    }
    Ok(Box::new(CelList::from(all)))
}

pub(super) fn texts<'a>(values: impl Iterator<Item = Text<'a>>, room: &mut Room) -> Built<'a> {
    list(values, room, |value, room| text(&value, room))
}

/// Of equal keys the last one stays, as in the engine.
pub(super) fn map<'a>(pairs: impl Iterator<Item = (Text<'a>, Text<'a>)>, room: &mut Room) -> Built<'a> {
    let mut all: HashMap<CelMapKey<'a>, Box<dyn Val + 'a>> = HashMap::new();
    for (key, value) in pairs {
        if all.len() == MAX_ELEMENTS {
            return Err(too_many());
        }
        room.take(key.len())?;
        let value = text(&value, room)?;
        all.insert(CelMapKey::String(key.into()), value);
    }
    Ok(Box::new(CelMap::from(all)))
}

fn too_many() -> String {
    format!("too large, more than {MAX_ELEMENTS} elements")
}

#[cfg(test)]
mod tests {
    use cel::Value;
    use cel::objects::Key;
    use http::{HeaderMap, Method, Version};

    use super::super::shape::Shape;
    use super::*;
    use crate::peer::{CallerContainer, Group, UnixPeer};
    use crate::policy::{HeldImage, Stored};
    use crate::request::{Head, read};

    const BODY: &str = r#"{"Image":"a","HostConfig":{"Mounts":[{"Type":"bind","Source":"/a"}],"Devices":[{}],
        "PortBindings":{"80/tcp":[{"HostPort":"1"}]},"Binds":["/a:/b"],"CapAdd":["x"],"Tmpfs":{"/t":""},
        "LogConfig":{"Type":"local"}}}"#;

    fn names(shape: Shape, into: &mut BTreeSet<String>) {
        match shape {
            Shape::Bool | Shape::Int | Shape::Text => {}
            Shape::List(of) | Shape::Map(of) => names(*of, into),
            Shape::Record(fields) => fields.iter().for_each(|(name, shape)| {
                into.insert((*name).to_owned());
                names(*shape, into);
            }),
        }
    }

    fn fits(value: &Value, shape: Shape, at: &str) {
        match (value, shape) {
            (Value::Bool(_), Shape::Bool) | (Value::Int(_), Shape::Int) | (Value::String(_), Shape::Text) => {}
            (Value::List(all), Shape::List(of)) => all.iter().for_each(|one| fits(one, *of, at)),
            (Value::Map(all), Shape::Map(of)) => all.map.values().for_each(|one| fits(one, *of, at)),
            (Value::Map(all), Shape::Record(fields)) => {
                assert_eq!(all.map.len(), fields.len(), "{at}");
                for (name, shape) in fields {
                    let one = all.map.get(&Key::from(*name)).unwrap_or_else(|| panic!("no {at}.{name}"));
                    fits(one, *shape, &format!("{at}.{name}"));
                }
            }
            (value, shape) => panic!("{at} is {value:?}, not {shape:?}"),
        }
    }

    #[test]
    fn every_value_has_the_shape_that_rules_are_checked_against() {
        let mut used = BTreeSet::new();
        names(Shape::Record(VARIABLES), &mut used);
        let image = HeldImage { id: "sha256:1".into(), repo_digests: vec!["a@b".into()] };
        let stored = Stored { body: BODY.into(), reference: "a".into(), image, ..Stored::default() };
        let known = Known { container: Some(stored), ..Known::default() };
        let peer = Peer::Unix(Box::new(UnixPeer {
            uid: Some(1),
            gid: Some(1),
            groups: vec![Group { gid: 1, name: Some("g".into()) }],
            container: Some(CallerContainer { id: "i".into(), image: None }),
            unplaced: false,
            ..UnixPeer::default()
        }));
        let mut built = 0;
        for (target, body) in [
            ("/v1.41/containers/create?name=a", BODY),
            ("/v1.41/containers/x/exec", r#"{"Cmd":["a"]}"#),
            ("/v1.41/containers/x/update", "{}"),
            ("/v1.41/services/create", r#"{"TaskTemplate":{"ContainerSpec":{"Image":"a","Mounts":[{}]}}}"#),
        ] {
            let uri = target.parse().unwrap();
            let headers = HeaderMap::new();
            let head = Head { method: &Method::POST, uri: &uri, version: Version::HTTP_11, headers: &headers };
            let asked = read(&head);
            let call = Call::decode(&asked, body.as_bytes());
            let scene = Scene { call: &call, peer: &peer, known: &known, principal: "p", admin: true, profile: "q" };
            let values = Values::new(scene, &used);
            for (name, shape) in VARIABLES {
                let value: Value = values.build(name).unwrap().as_ref().try_into().unwrap();
                if value != Value::Null {
                    built += 1;
                    fits(&value, *shape, name);
                }
            }
        }
        assert_eq!(built, 4 * (VARIABLES.len() - 4) + 4, "create, exec, update and service are one call's each");
    }
}
