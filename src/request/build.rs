//! The options of `POST /build`, which stand in its query.

use super::{Build, Query};

/// Reads the options of a build; an option said with no value is as good as none to the engine.
pub(super) fn read(query: &Query) -> Build {
    let said = |key| query.first(key).filter(|value| !value.is_empty()).map(str::to_owned);
    let all = |key| query.all(key).map(str::to_owned).collect();
    Build {
        network_mode: said("networkmode"),
        remote: said("remote"),
        cgroup_parent: said("cgroupparent"),
        buildkit: query.first("version") == Some("2"),
        session: said("session").or_else(|| said("buildid")),
        tags: all("t"),
        outputs: said("outputs"),
        security_opt: said("securityopt"),
        ulimits: said("ulimits"),
        extra_hosts: all("extrahosts"),
    }
}
