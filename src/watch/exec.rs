//! Execs: a process that was put into a container, and the call that explains it. Pure.

use jiff::{SignedDuration, Timestamp};

use super::container::{Container, later};
use super::fact::{Fact, Happened, Ran};
use super::launch::Launch;

/// How long after it was asked for an exec's process may come; the engine may be busy.
const WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// How much earlier than the record of its call: clocks are read at different ends.
const BEFORE: SignedDuration = SignedDuration::from_secs(1);
/// From being put into the container to becoming a program.
const BECOMES: SignedDuration = SignedDuration::from_secs(5);
/// How long a process that nothing explains waits for a record that is still to come, or for the container's start.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(3);

/// An exec as it was asked for.
#[derive(Debug, Clone, Copy)]
struct Exec<'c> {
    from: Timestamp,
    to: Timestamp,
    /// Record of the call, if it came through the gate.
    record: Option<&'c str>,
    id: &'c str,
}

/// A process that was put into the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'c> {
    pub(super) fact: &'c Fact,
    /// What it became.
    pub(super) ran: &'c Ran,
    /// `None` if no exec explains it.
    pub(super) explained: Option<Explained<'c>>,
}

/// Which exec explains a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explained<'c> {
    /// One that was asked for through the gate, by the id of its record.
    Call(&'c str),
    /// The container's own health check; or one that only the engine knows of, until it is known what that check runs.
    Engine,
    /// One that somebody asked the engine for behind the gate.
    Behind,
}

/// The processes that were put into a container, each with the exec that explains it. One exec explains one process; of
/// several, the earliest.
pub(super) fn entries<'c>(container: &'c Container, launches: &[Launch<'c>]) -> Vec<Entry<'c>> {
    let mut execs = execs(container);
    let mut all = Vec::new();
    for fact in container.facts() {
        let Some(ran) = fact.what.ran() else { continue };
        let is_first = ran.is_init || launches.iter().any(|launch| launch.is_first(fact));
        if is_first || !was_put(container, fact, ran.pid) {
            continue;
        }
        let fits = |exec: &Exec<'_>| later(fact.at, BEFORE) >= exec.from && fact.at <= later(exec.to, WITHIN);
        let exec = execs.iter().position(fits).map(|at| execs.remove(at));
        let explained = exec.map(|exec| match exec.record {
            Some(record) => Explained::Call(record),
            None if is_behind(container, exec.id) => Explained::Behind,
            None => Explained::Engine,
        });
        all.push(Entry { fact, ran, explained });
    }
    all
}

/// Execs that the engine began and no call through the gate asked for, and that are not the container's own health check: when,
/// and their command.
pub(super) fn behind(container: &Container) -> Vec<(Timestamp, &str)> {
    let asked = |id: &str| container.has(|what| what.exec_asked().is_some_and(|(_, exec)| exec == id));
    let began = container.facts().filter_map(|fact| {
        let exec = fact.what.exec_started().filter(|exec| !asked(exec))?;
        Some((fact.at, command(container, exec)))
    });
    began.filter(|(_, command)| container.health.as_deref().is_none_or(|health| health != *command)).collect()
}

/// What an exec runs, as the engine told it; empty if it did not.
fn command<'c>(container: &'c Container, id: &str) -> &'c str {
    let of = container.facts().find_map(|fact| {
        if let Happened::ExecCreated { exec, command } = &fact.what {
            (exec == id).then_some(command.as_str())
        } else {
            None
        }
    });
    of.unwrap_or_default()
}

/// Whether an exec that no call through the gate asked for is known not to be the container's health check.
fn is_behind(container: &Container, id: &str) -> bool {
    container.health.as_deref().is_some_and(|health| health != command(container, id))
}

/// Whether a process that became a program had been put into the container from outside, rather than been born there.
fn was_put(container: &Container, ran: &Fact, pid: u32) -> bool {
    container.facts().any(|fact| {
        matches!(fact.what, Happened::Entered { pid: entered } if entered == pid)
            && fact.at <= ran.at
            && ran.at <= later(fact.at, BECOMES)
    }) && first_of_pid(container, ran, pid)
}

/// Whether it is the first program of that process since it was put there: what it becomes later is its own doing.
fn first_of_pid(container: &Container, ran: &Fact, pid: u32) -> bool {
    let entered = container
        .facts()
        .rfind(|fact| matches!(fact.what, Happened::Entered { pid: entered } if entered == pid) && fact.at <= ran.at);
    let Some(entered) = entered else { return false };
    !container.facts().any(|fact| {
        matches!(&fact.what, Happened::Ran(other) if other.pid == pid) && fact.at >= entered.at && fact < ran
    })
}

fn execs(container: &Container) -> Vec<Exec<'_>> {
    let mut known: Vec<(&str, Exec<'_>)> = Vec::new();
    for fact in container.facts() {
        let asked = fact.what.exec_asked().map(|(asked, exec)| (exec, Some(asked.record.as_str())));
        let Some((id, record)) = asked.or_else(|| fact.what.exec_started().map(|exec| (exec, None))) else { continue };
        match known.iter_mut().find(|(known, _)| *known == id) {
            Some((_, exec)) => *exec = Exec { to: fact.at, record: exec.record.or(record), ..*exec },
            None => known.push((id, Exec { from: fact.at, to: fact.at, record, id })),
        }
    }
    known.into_iter().map(|(_, exec)| exec).collect()
}
