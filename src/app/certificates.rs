//! Certificates, keys and lists of what was revoked, read again while doors are open and the engine is in use.

use super::reload::Part;
use crate::config::Config;
use crate::{engine, listen};

/// The certificates of the doors that are open and of the engine that is in use.
pub(super) struct Certificates(Config);

/// What has certificates in an old and in a new configuration.
struct Pair<'a> {
    name: String,
    tls: Tls<'a>,
}

enum Tls<'a> {
    Door(&'a listen::Tls, &'a listen::Tls),
    Engine(&'a engine::Tls, &'a engine::Tls),
}

impl Certificates {
    pub(super) fn of(config: &Config) -> Self {
        Self(config.clone())
    }
}

impl Part for Certificates {
    fn build(&self, config: &Config) -> Result<Box<dyn FnOnce() + Send>, String> {
        let (old, new) = (self.0.clone(), config.clone());
        Ok(Box::new(move || pairs(&old, &new).for_each(|pair| pair.tls.put_in_force())))
    }
}

/// Names of the certificates that are others than they were.
pub(super) fn changed<'a>(old: &'a Config, new: &'a Config) -> impl Iterator<Item = String> + use<'a> {
    pairs(old, new).filter(|pair| !pair.tls.is_same()).map(|pair| pair.name)
}

/// A door or an engine that is not the same in both waits for a restart, and its certificates with it.
fn pairs<'a>(old: &'a Config, new: &'a Config) -> impl Iterator<Item = Pair<'a>> {
    let doors = old.doors.iter().filter_map(|door| {
        let same = new.doors.iter().find(|other| *other == door)?;
        let tls = Tls::Door(door.address.tls()?, same.address.tls()?);
        Some(Pair { name: format!("listen.{}.tls", door.name), tls })
    });
    let engines = old.engine.tls().zip(new.engine.tls()).filter(|(old, new)| old == new);
    doors.chain(engines.map(|(old, new)| Pair { name: "engine.tls".to_owned(), tls: Tls::Engine(old, new) }))
}

impl Tls<'_> {
    fn is_same(&self) -> bool {
        match self {
            Self::Door(old, new) => old.holds_the_same(new),
            Self::Engine(old, new) => old.holds_the_same(new),
        }
    }

    fn put_in_force(&self) {
        match self {
            Self::Door(old, new) => old.renew(new),
            Self::Engine(old, new) => old.renew(new),
        }
    }
}
