//! `tidewaiter explain`: what a policy makes of a call, and why.

use std::path::PathBuf;
use std::process::ExitCode;

use nix::unistd::{Uid, User};
use serde_json::json;

use super::{BAD_CONFIG, NO, USAGE, check, given, print};
use crate::config::{self, Config, Flags, Host};
use crate::doctor;
use crate::facts;
use crate::offline::{self, Asked, Asking, Explained, Input};
use crate::peer::{Group, Peer, UnixPeer};
use crate::policy::Mode;

const EXAMPLES: &str = "\
Examples:
  tidewaiter explain -- docker run --privileged -v /srv/data:/d alpine
  tidewaiter explain create.json --as uid=998,group=docker --policy policy.toml
  docker inspect web | tidewaiter explain - --as user=ci
  tidewaiter explain --profile baseline

A caller is said by uid, gid, user, group, home, in-container (an image), or cert-cn, cert-ou, cert-san, cert-issuer,
cert-sha256; nothing is looked up for it. Exit 1 if the call would be refused.";

/// Arguments of `tidewaiter explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    /// A create's body, what docker inspect shows, or a whole HTTP request; - for standard input.
    #[arg(value_name = "FILE", required_unless_present_any = ["line", "profile"])]
    file: Option<PathBuf>,
    /// The caller [default: you].
    #[arg(long = "as", value_name = "KEY=VALUE,…")]
    caller: Vec<String>,
    /// Policy file [default: that of the configuration, else the built-in baseline].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Configuration file [default: /etc/tidewaiter/tidewaiter.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the engine what it holds (images, volumes, containers) and the host where links lead [default address: that of the
    /// configuration].
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    engine: Option<String>,
    /// Print every check with what it leads to in this profile.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["file", "line"])]
    profile: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// A docker run or docker create, behind --.
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "file")]
    line: Vec<String>,
}

/// Why there is nothing to explain, and with which exit code.
struct Failed(u8);

impl Failed {
    fn usage(why: impl std::fmt::Display) -> Self {
        print::error(why);
        Self(USAGE)
    }
}

pub(super) fn run(explain: Explain) -> ExitCode {
    match obey(explain) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NO),
        Err(Failed(code)) => ExitCode::from(code),
    }
}

/// Tells whether everything would pass.
fn obey(explain: Explain) -> Result<bool, Failed> {
    let host = Host::current();
    let (asked, config) = policy(&explain, &host)?;
    if let Some(profile) = &explain.profile {
        return profile_of(&asked, profile, explain.json);
    }
    let peer = caller(&explain.caller)?;
    let mut askings = askings(&explain, &host)?;
    let asks_engine = explain.engine.is_some();
    if let Some(config) = config.filter(|_| asks_engine) {
        look_up(&config, &mut askings)?;
    }
    let answers: Vec<Explained> = askings.iter_mut().map(|asking| asked.explain(asking, &peer)).collect();
    if explain.json {
        print::out(json!({ "answers": answers, "engine_asked": asks_engine }));
    } else {
        answers.iter().for_each(tell);
        if !asks_engine {
            print::out("The engine was not asked: what it holds and where links lead is not in this (--engine asks).");
        }
    }
    Ok(answers.iter().all(|answer| answer.verdict == "allow"))
}

/// The policy to ask: a file that is named, or what a gate would run by.
fn policy(explain: &Explain, host: &Host) -> Result<(Asked, Option<Config>), Failed> {
    if let (Some(path), None, None) = (&explain.policy, &explain.config, &explain.engine) {
        let (policy, source) = given::policy(path).ok_or(Failed(BAD_CONFIG))?;
        return Ok((Asked { policy, source: Some(source), protected: Vec::new(), now: host.now }, None));
    }
    let engine = explain.engine.clone().filter(|address| !address.is_empty());
    let flags = Flags { config: explain.config.clone(), policy: explain.policy.clone(), engine, ..Flags::default() };
    let loaded = config::load(&flags, host).map_err(|reports| {
        print::reports(&reports);
        print::error(check::count(&reports));
        Failed(BAD_CONFIG)
    })?;
    let protected = doctor::protected(&loaded.config);
    let source = loaded.policy.as_deref().and_then(given::policy).map(|(_policy, source)| source);
    let policy = loaded.config.policy.clone();
    Ok((Asked { policy, source, protected, now: host.now }, Some(loaded.config)))
}

fn caller(said: &[String]) -> Result<Peer, Failed> {
    if said.is_empty() {
        return Ok(Peer::Unix(Box::new(myself())));
    }
    let mut pairs = Vec::new();
    for text in said {
        pairs.extend(offline::pairs(text).map_err(Failed::usage)?);
    }
    offline::identity(pairs).map_err(Failed::usage)
}

/// Whoever runs this, as a gate would see it.
fn myself() -> UnixPeer {
    let uid = Uid::effective();
    let user = User::from_uid(uid).ok().flatten();
    let groups = nix::unistd::getgroups().unwrap_or_default();
    let name = |gid| nix::unistd::Group::from_gid(gid).ok().flatten().map(|group| group.name);
    UnixPeer {
        uid: Some(uid.as_raw()),
        gid: Some(nix::unistd::Gid::effective().as_raw()),
        user: user.as_ref().map(|user| user.name.clone()),
        home: user.map(|user| user.dir),
        groups: groups.into_iter().map(|gid| Group { gid: gid.as_raw(), name: name(gid) }).collect(),
        ..UnixPeer::default()
    }
}

fn askings(explain: &Explain, host: &Host) -> Result<Vec<Asking>, Failed> {
    let Some(file) = &explain.file else {
        let directory = host.directory.to_string_lossy();
        return Ok(vec![Asking::of_command(&explain.line, &directory).map_err(Failed::usage)?]);
    };
    let bytes = given::read(file).map_err(|error| Failed::usage(format!("{}: {error}", file.display())))?;
    match Input::read(&bytes).map_err(|why| Failed::usage(format!("{}: {why}", file.display())))? {
        Input::Http(askings) => Ok(askings),
        Input::Create(asking) => Ok(vec![*asking]),
        Input::Inspect(texts) => texts.iter().map(|text| of_inspect(text).map_err(Failed::usage)).collect(),
    }
}

fn of_inspect(text: &str) -> Result<Asking, String> {
    let stored = facts::stored(text).map_err(|error| format!("this is no container: {error}"))?;
    Asking::of_container(stored)
}

/// Looks up what the calls name, as a gate would.
fn look_up(config: &Config, askings: &mut [Asking]) -> Result<(), Failed> {
    let failed = |why: &dyn std::fmt::Display| {
        print::error(why);
        Failed(NO)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    runtime.block_on(async {
        let facts = doctor::look_up(config).map_err(|why| failed(&format!("{why}: start the gate once")))?;
        for asking in askings {
            let known = Box::pin(facts.learn(&asking.call(), false)).await;
            if let Some(why) = &known.unreachable {
                return Err(failed(&format!("the engine cannot be asked: {why}")));
            }
            asking.know(known);
        }
        Ok(())
    })
}

fn profile_of(asked: &Asked, name: &str, json: bool) -> Result<bool, Failed> {
    let Some(reactions) = asked.policy.reactions(name) else {
        return Err(Failed::usage(format!("there is no profile '{name}'")));
    };
    if json {
        let all: serde_json::Map<_, _> =
            reactions.iter().map(|(check, reaction)| (check.id().to_owned(), json!(reaction))).collect();
        print::out(json!({ "profile": name, "reactions": all }));
    } else {
        for (check, reaction) in &reactions {
            let title = check.builtin().map_or("a rule of this site", |check| check.title());
            print::out(format!("{:<8} {:<28} {title}", reaction.word(), check.id()));
        }
    }
    Ok(true)
}

fn tell(answer: &Explained) {
    let Explained { operation, verdict, principal, profile, .. } = answer;
    print::out(format!("{verdict}: {operation} by {principal} (profile {profile})"));
    if answer.mode == Mode::Monitor && *verdict != "allow" {
        print::out("  the policy is in monitor mode: it would be forwarded, and recorded as this");
    }
    for found in &answer.findings {
        let detail =
            if matches!(found.detail.as_str(), "" | "true") { String::new() } else { format!(": {}", found.detail) };
        print::out(format!("  {:<8} {}{} ({})", found.reaction.word(), found.check, detail, found.field));
        print::out(format!("           {}; decided by {}", found.title, found.decided_by));
        if let Some(against) = found.held_against.as_ref().filter(|_| found.reaction.refuses()) {
            print::out(format!("           held against {against}"));
        }
        if let Some(reason) = &found.exception {
            print::out(format!("           lowered by an exception: {reason}"));
        }
        for line in &found.to_pass {
            print::out(format!("           to let it pass: {line}"));
        }
    }
}
