//! `tidewaiter approve` and `tidewaiter reject`: an admin's word, given to the running gate, which records it.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{BAD_CONFIG, NO, check, print};
use crate::admin::{By, Client, ClientError, MAX_VALID, Shown, VALID};
use crate::config::{self, Host};
use crate::sink::shown;

/// Arguments of `tidewaiter approve`.
#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The id that the caller was told
    #[arg(required_unless_present = "list")]
    id: Option<String>,
    /// How long the caller may take to try again: 90s, 15m, 1h [default: 15m]
    #[arg(long = "for", value_name = "DURATION", value_parser = valid)]
    valid: Option<Duration>,
    /// List what may be decided on
    #[arg(long, conflicts_with_all = ["id", "valid"])]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gate: Gate,
}

/// Arguments of `tidewaiter reject`.
#[derive(Debug, clap::Args)]
pub(super) struct Reject {
    /// The id that the caller was told
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gate: Gate,
}

/// Which gate.
#[derive(Debug, clap::Args)]
struct Gate {
    /// Configuration file of the gate [default: /etc/tidewaiter/tidewaiter.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn approve(args: Approve) -> ExitCode {
    let Approve { id, valid, json, gate, list: _ } = args;
    match id {
        Some(id) => decide(gate, json, async |client| client.approve(&id, valid.unwrap_or(VALID)).await),
        None => ask(gate, async |client| {
            let approvals = client.list().await?;
            match json {
                true => print::out(serde_json::json!(approvals)),
                false => approvals.iter().for_each(|approval| print::out(described(approval))),
            }
            Ok(())
        }),
    }
}

pub(super) fn reject(args: Reject) -> ExitCode {
    let Reject { id, json, gate } = args;
    decide(gate, json, async |client| client.reject(&id).await)
}

fn decide(gate: Gate, json: bool, decide: impl AsyncFnOnce(Client) -> Result<Shown, ClientError>) -> ExitCode {
    ask(gate, async |client| {
        let approval = decide(client).await?;
        match json {
            true => print::out(serde_json::json!(approval)),
            false => print::out(described(&approval)),
        }
        Ok(())
    })
}

fn ask(gate: Gate, ask: impl AsyncFnOnce(Client) -> Result<(), ClientError>) -> ExitCode {
    let socket = match config::admin_doors(gate.config, &Host::current()) {
        Ok(doors) => doors.socket,
        Err(reports) => {
            print::reports(&reports);
            print::error(check::count(&reports));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    match block_on(ask(Client::new(socket))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print::error(why);
            ExitCode::from(NO)
        }
    }
}

pub(super) fn block_on<T>(asked: impl Future<Output = Result<T, ClientError>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(asked).map_err(|error| error.to_string())
}

/// One approval on one line. The caller chose some of its words, and must not draw on the admin's terminal.
fn described(approval: &Shown) -> String {
    let Shown { id, state, principal, uid, user, summary, record, until, by, .. } = approval;
    let who = match (user, uid) {
        (Some(user), Some(uid)) => format!("{user}, uid {uid}"),
        (None, Some(uid)) => format!("uid {uid}"),
        (_, None) => "unknown".to_owned(),
    };
    let by = match by {
        Some(By { user: Some(user), .. }) => format!(" by {user}"),
        Some(By { uid, user: None }) => format!(" by uid {uid}"),
        None => String::new(),
    };
    let until = until.parse::<Timestamp>().map_or_else(
        |_other| until.clone(),
        |until| until.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%F %T %Z").to_string(),
    );
    shown(&format!("{id}  {state}{by} until {until}  {principal} ({who})  {summary}  (record {record})"))
}

fn valid(text: &str) -> Result<Duration, String> {
    let wanted = || format!("write a duration from 1s to {}h: 90s, 15m, 1h", MAX_VALID.as_secs() / 3600);
    let valid: SignedDuration = text.parse().map_err(|_not_one| wanted())?;
    let valid = Duration::try_from(valid).map_err(|_negative| wanted())?;
    (Duration::from_secs(1)..=MAX_VALID).contains(&valid).then_some(valid).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_bounded() {
        for (text, seconds) in [("1s", Some(1)), ("15m", Some(900)), ("1h", Some(3600)), ("24h", Some(86_400))] {
            assert_eq!(valid(text).ok().map(|valid| valid.as_secs()), seconds, "{text}");
        }
        for wrong in ["", "0s", "-1m", "25h", "soon", "500ms"] {
            assert!(valid(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_caller_cannot_reach_the_admins_terminal() {
        let shown = Shown {
            id: "7f3k000000".into(),
            state: "pending".into(),
            principal: "ci".into(),
            uid: Some(998),
            user: Some("run\u{1b}[2Jner".into()),
            summary: "ContainerCreate x\u{202e}: privileged\nok".into(),
            record: "r".into(),
            asked: String::new(),
            until: "never".into(),
            by: Some(By { uid: 0, user: None }),
        };
        let line = described(&shown);
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line}");
        assert!(line.starts_with("7f3k000000  pending by uid 0 until never  ci (run"), "{line}");
    }
}
