//! What findings are called in MITRE ATT&CK, as of one version of it. Tactics move between versions (v19 retired "Defense
//! Evasion"), so that they stand here and nowhere else. Pure.

use serde_json::{Value, json};

/// The version that the names and tactics below are of. Of T1610 and T1612, only tactics that outlived v19 are named.
const VERSION: &str = "18.1";

/// The analytic that `launch.an0693` is, and the strategy it belongs to.
const ANALYTIC: (&str, &str) = ("AN0693", "DET0249");

/// Technique, name, tactics.
const TECHNIQUES: [(&str, &str, &[&str]); 8] = [
    ("T1204.003", "User Execution: Malicious Image", &["Execution"]),
    ("T1525", "Implant Internal Image", &["Persistence"]),
    ("T1543.005", "Create or Modify System Process: Container Service", &["Persistence", "Privilege Escalation"]),
    ("T1552.007", "Unsecured Credentials: Container API", &["Credential Access"]),
    ("T1609", "Container Administration Command", &["Execution"]),
    ("T1610", "Deploy Container", &["Execution"]),
    ("T1611", "Escape to Host", &["Privilege Escalation"]),
    ("T1496.001", "Resource Hijacking: Compute Hijacking", &["Impact"]),
];

/// The member `analytic` of a finding.
pub(super) fn analytic() -> Value {
    let (uid, strategy) = ANALYTIC;
    json!({"uid": uid, "strategy": strategy})
}

/// The member `attack` of a finding: those of the techniques that the table knows, each once.
pub(super) fn attack<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Value {
    let named = TECHNIQUES.iter().filter(|(id, ..)| ids.clone().any(|wanted| wanted == *id));
    let techniques: Vec<Value> =
        named.map(|(id, name, tactics)| json!({"id": id, "name": name, "tactics": tactics})).collect();
    json!({"version": VERSION, "techniques": techniques})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Check;

    #[test]
    fn every_technique_that_a_launch_can_be_scored_by_is_in_the_table() {
        // T1612 is of builds, which launch nothing.
        let launching = Check::ALL.iter().flat_map(|check| check.attack()).filter(|id| **id != "T1612");
        for id in launching {
            assert!(TECHNIQUES.iter().any(|(known, ..)| known == id), "{id}");
        }
    }
}
