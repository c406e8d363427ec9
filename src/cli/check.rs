//! `tidewaiter check`: validates both files and says what would run.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{BAD_CONFIG, Shared, USAGE, compat, print};
use crate::config::{self, Host, Loaded, Report};
use crate::diagnostic::Severity;
use crate::policy::{Mode, Summary, Who};

/// Arguments of `tidewaiter check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    shared: Shared,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Print another proxy's switches (NAME=VALUE …) as a policy instead.
    #[arg(long, value_name = "PROXY", conflicts_with = "json")]
    compat: Option<Compat>,
    /// The switches: CONTAINERS=1 POST=0 …
    #[arg(value_name = "NAME=VALUE", requires = "compat")]
    switches: Vec<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Compat {
    /// Tecnativa's docker-socket-proxy.
    Tecnativa,
}

pub(super) fn run(check: Check) -> ExitCode {
    if let Some(Compat::Tecnativa) = check.compat {
        return match compat::tecnativa(&check.switches) {
            Ok(policy) => {
                print::out(policy.trim_end());
                ExitCode::SUCCESS
            }
            Err(why) => {
                print::error(why);
                ExitCode::from(USAGE)
            }
        };
    }
    let host = Host::current();
    let result = config::load(&check.shared.into(), &host);
    let reports = match &result {
        Ok(loaded) => &loaded.reports,
        Err(reports) => reports,
    };
    if check.json {
        print::out(json!({
            "ok": result.is_ok(),
            "diagnostics": diagnostics(reports),
            "would_run": result.as_ref().ok().map(|loaded| would_run(loaded, &host)),
        }));
    } else {
        print::reports(reports);
        match &result {
            Ok(loaded) => {
                print::out(summary(loaded));
                in_force(&loaded.config.policy.summary(host.now)).iter().for_each(print::out);
            }
            Err(reports) => print::error(count(reports)),
        }
    }
    match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(BAD_CONFIG),
    }
}

fn summary(loaded: &Loaded) -> String {
    let config = &loaded.config;
    let doors: Vec<String> = config.doors.iter().map(|door| format!("{} ({})", door.address, door.name)).collect();
    format!(
        "ok: {} → {}, {} mode, policy {}, journal {}",
        doors.join(", "),
        config.engine,
        mode(config.policy.mode()),
        policy(loaded),
        config.audit.journal.display(),
    )
}

/// What the policy comes to, line by line.
fn in_force(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    if !summary.refuses {
        lines.push("nothing is refused: every call is forwarded, and what would be refused is recorded".to_owned());
    }
    let applies = |who: &Who| {
        let admin = if who.admin { ", admin" } else { "" };
        format!("{}: profile {}, {} mode{admin}", who.name, who.profile, mode(who.mode))
    };
    let principal = |who: &Who| format!("  {}; {}", applies(who), who.matches.join(", or "));
    if !summary.principals.is_empty() {
        lines.push("principals, the first that claims a caller:".to_owned());
        lines.extend(summary.principals.iter().map(principal));
    }
    lines.push(applies(&summary.fallback));
    if !summary.profiles.is_empty() {
        let profiles: Vec<String> =
            summary.profiles.iter().map(|which| format!("{} extends {}", which.name, which.extends)).collect();
        lines.push(format!("profiles: {}", profiles.join(", ")));
    }
    if summary.exceptions > 0 {
        lines.push(format!("exceptions: {}, of which {} expired", summary.exceptions, summary.expired.len()));
        lines
            .extend(summary.expired.iter().map(|expired| format!("  expired on {}: {:?}", expired.on, expired.reason)));
    }
    lines
}

/// How many mistakes there are, in words.
pub(super) fn count(reports: &[Report]) -> String {
    let of = |severity| {
        reports.iter().flat_map(|report| &report.diagnostics).filter(|found| found.severity == severity).count()
    };
    let plural = |count| if count == 1 { "" } else { "s" };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    match warnings {
        0 => format!("{errors} error{}", plural(errors)),
        _ => format!("{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings)),
    }
}

fn policy(loaded: &Loaded) -> String {
    match &loaded.policy {
        Some(path) => path.display().to_string(),
        None => "baseline (built in)".to_owned(),
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Monitor => "monitor",
    }
}

fn would_run(loaded: &Loaded, host: &Host) -> Value {
    let config = &loaded.config;
    json!({
        "doors": config.doors.iter().map(|door| json!({"name": door.name, "address": door.address.to_string()}))
            .collect::<Vec<_>>(),
        "engine": config.engine.to_string(),
        "mode": mode(config.policy.mode()),
        "policy": {
            "file": loaded.policy,
            "sha256": config.policy.sha256().as_ref(),
            "summary": config.policy.summary(host.now),
        },
        "admin": config.admin,
        "console": config.console,
        "journal": config.audit.journal,
        "state": config.state,
    })
}

fn diagnostics(reports: &[Report]) -> Vec<Value> {
    let one = |report: &Report| {
        let place = |offset| report.source.place(offset);
        report
            .diagnostics
            .iter()
            .map(|found| {
                let start = found.span.as_ref().map(|span| place(span.start));
                json!({
                    "severity": found.severity.word(),
                    "file": report.source.path.to_string_lossy(),
                    "line": start.map(|(line, _)| line),
                    "column": start.map(|(_, column)| column),
                    "message": found.message,
                    "help": found.help,
                })
            })
            .collect::<Vec<_>>()
    };
    reports.iter().flat_map(one).collect()
}
