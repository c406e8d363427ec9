//! `tidewaiter install` and `tidewaiter uninstall`: Docker's place, taken and given back.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{NO, print};
use crate::install::{self, Action, EngineState, MOVED, PUBLIC, Refusal, engine_state};

/// How long the engine and the gate may take to come back. An engine with many containers takes its time.
const PATIENCE: Duration = Duration::from_secs(90);

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The engine may stop its containers when it restarts. Those with a restart policy come back.
    #[arg(long)]
    stop_containers: bool,
    /// A folder that holds the system to be changed, instead of the one that runs. Nothing is started there.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Which of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

pub(super) fn run(args: &Args, way: Way) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(format!("cannot start the runtime: {error}"));
            return ExitCode::from(NO);
        }
    };
    match runtime.block_on(change(args, way)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            if args.json {
                print::out(json!({ "ok": false, "why": why.lines, "refusals": why.refusals }));
            }
            why.lines.iter().for_each(print::error);
            ExitCode::from(NO)
        }
    }
}

/// Why it was not done.
#[derive(Debug, Default)]
struct Why {
    lines: Vec<String>,
    refusals: Vec<Refusal>,
}

impl<E: std::error::Error> From<E> for Why {
    fn from(error: E) -> Self {
        Self { lines: vec![error.to_string()], refusals: Vec::new() }
    }
}

async fn change(args: &Args, way: Way) -> Result<(), Why> {
    let found = install::survey(args.root.as_deref()).await?;
    let planned = match way {
        Way::In => install::install(&found, args.stop_containers),
        Way::Out => install::uninstall(&found, args.stop_containers),
    };
    let actions = match planned {
        Ok(actions) => actions,
        Err(refusals) => {
            let lines = refusals.iter().map(|refusal| format!("{}\n  to do: {}", refusal.why, refusal.help)).collect();
            return Err(Why { lines, refusals });
        }
    };
    if args.json {
        print::out(json!({ "ok": true, "dry_run": args.dry_run, "actions": actions }));
    } else {
        tell(&actions, args.dry_run, way);
    }
    if args.dry_run || actions.is_empty() {
        return Ok(());
    }
    install::apply(&actions, args.root.as_deref())?;
    if args.root.is_some() {
        return Ok(());
    }
    prove(way).await.map_err(|line| Why { lines: vec![line], ..Why::default() })
}

fn tell(actions: &[Action], dry: bool, way: Way) {
    if actions.is_empty() {
        print::out(match way {
            Way::In => "nothing to do: the gate is in Docker's place",
            Way::Out => "nothing to do: Docker has its place",
        });
    }
    let would = if dry { "would " } else { "" };
    for action in actions {
        match action {
            Action::Write { path, text } => {
                print::out(format!("{would}write {}", path.display()));
                if dry {
                    text.lines().for_each(|line| print::out(format!("  | {line}")));
                }
            }
            Action::Remove(path) => print::out(format!("{would}remove {}", path.display())),
            Action::RemoveFolder(path) => print::out(format!("{would}remove {} if it is empty", path.display())),
            Action::Systemctl(arguments) => print::out(format!("{would}run systemctl {}", arguments.join(" "))),
        }
    }
}

/// Shows that Docker's clients are answered, and by way of whom.
async fn prove(way: Way) -> Result<(), String> {
    let public = patiently(Path::new(PUBLIC)).await?;
    if way == Way::In {
        let behind = patiently(Path::new(MOVED)).await?;
        if public.id != behind.id {
            return Err(format!("{PUBLIC} answers for another engine than {MOVED}"));
        }
    }
    let command = Command::new("docker").args(["--host", &format!("unix://{PUBLIC}"), "version"]).output();
    match command {
        Ok(output) if !output.status.success() => {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("docker version does not work: {}", said.trim()));
        }
        // Not every host has the client.
        Ok(_) | Err(_) => {}
    }
    print::out(match way {
        Way::In => {
            "Docker's clients are answered through the gate. Containers that had /run/docker.sock mounted hold a dead \
             socket until they are restarted. Next: tidewaiter doctor; the policy is /etc/tidewaiter/policy.toml"
        }
        Way::Out => "Docker's clients are answered by the engine itself; journal and state are kept",
    });
    Ok(())
}

async fn patiently(socket: &Path) -> Result<EngineState, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match engine_state(socket).await {
            Ok(state) => return Ok(state),
            Err(error) if Instant::now() > deadline => {
                let logs = "see: journalctl -u docker -u tidewaiter; tidewaiter uninstall goes back";
                return Err(format!("nobody answers at {}: {error}; {logs}", socket.display()));
            }
            Err(_not_yet) => sleep(Duration::from_millis(250)).await,
        }
    }
}
