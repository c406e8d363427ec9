//! The policy file as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_spanned::Spanned;
use toml::value::Datetime;

use super::Mode;
use super::profile::{ImageProof, Join};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Principal {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) admin: bool,
    pub(super) profile: Spanned<String>,
    #[serde(rename = "match")]
    pub(super) matchers: Spanned<Vec<Matcher>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Matcher {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) user: Option<Spanned<String>>,
    pub(super) group: Option<Spanned<String>>,
    pub(super) in_container: Option<Spanned<String>>,
    pub(super) cert_cn: Option<Spanned<String>>,
    pub(super) cert_ou: Option<Spanned<String>>,
    pub(super) cert_san: Option<Spanned<String>>,
    pub(super) cert_sha256: Option<Spanned<String>>,
    pub(super) cert_issuer: Option<Spanned<String>>,
}

impl Matcher {
    /// What is said of a process, in texts.
    pub(super) const fn of_process(&self) -> [&Option<Spanned<String>>; 3] {
        [&self.user, &self.group, &self.in_container]
    }

    /// What is said of a certificate.
    pub(super) const fn of_certificate(&self) -> [&Option<Spanned<String>>; 5] {
        [&self.cert_cn, &self.cert_ou, &self.cert_san, &self.cert_sha256, &self.cert_issuer]
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Fallback {
    pub(super) profile: Spanned<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) extends: Option<Spanned<String>>,
    pub(super) mode: Option<Mode>,
    pub(super) images: Option<Vec<Spanned<String>>>,
    pub(super) image_proof: Option<ImageProof>,
    pub(super) capabilities: Option<Vec<Spanned<String>>>,
    pub(super) binds: Option<Vec<Bind>>,
    pub(super) devices: Option<Vec<Spanned<String>>>,
    pub(super) networks: Option<Vec<Spanned<String>>>,
    pub(super) publish: Option<Vec<Spanned<String>>>,
    pub(super) runtimes: Option<Vec<Spanned<String>>>,
    pub(super) api: Option<Vec<Spanned<String>>>,
    pub(super) min_api: Option<Spanned<String>>,
    pub(super) join: Option<Join>,
    pub(super) own_only: Option<bool>,
    #[serde(default)]
    pub(super) reactions: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Bind {
    pub(super) path: Spanned<String>,
    pub(super) access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    Ro,
    Rw,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Exception {
    pub(super) checks: Spanned<Vec<Spanned<String>>>,
    pub(super) principals: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) images: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) reason: Spanned<String>,
    pub(super) expires: Option<Spanned<Datetime>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: Spanned<String>,
    pub(super) when: Spanned<String>,
    pub(super) message: Spanned<String>,
    pub(super) reaction: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) profiles: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct An0693 {
    pub(super) time_window: Option<Spanned<String>>,
    pub(super) risk_threshold: Option<Spanned<i64>>,
    pub(super) privileged_flags: Option<Vec<Spanned<String>>>,
}
