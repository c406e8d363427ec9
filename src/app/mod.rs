//! The composition root: opens the journal, binds every door, owns every task, maps signals.

mod certificates;
mod desk;
mod reload;
mod sensor;

pub use reload::Setup;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Service, ServiceBuilder, ServiceExt};

use self::certificates::Certificates;
use self::desk::Behind;
use self::reload::{Part, Reloader};
use crate::admin::Beside;
use crate::audit::{Audit, Follower, LifecycleEvent, OpenError};
use crate::config::Config;
use crate::engine::{self, Dialer, Inspect};
use crate::facts::LookUp;
use crate::listen::{self, AcceptTrouble, Accepted, BindError, Door, Refusal, Refusals, Refused};
use crate::peer::{self, Certificate, Lookup, Peer};
use crate::policy::An0693;
use crate::proxy::{self, Client, Gate};
use crate::runtime::{self, Full, Hangup, Live, Shares, Termination, Watch};
use crate::sink::{Sinks, Target};
use crate::store::{Approved, Launch, Store, StoreError};
use crate::watch;

/// How long the journal may take to close, once the streams are drained.
const CLOSING: Duration = Duration::from_secs(10);

/// How long sinks may take for the last records, once the journal is closed.
const DELIVERING: Duration = Duration::from_secs(5);

/// The program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No journal: nothing is let through unrecorded.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// No index of who made what.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be read for it.
    #[error("cannot read the journal for who made what: {0}")]
    Records(std::io::Error),
    /// No sinks.
    #[error("cannot begin to deliver records to sinks: {0}")]
    Sinks(std::io::Error),
    /// The watch cannot begin.
    #[error(transparent)]
    Watch(#[from] watch::WatchError),
    /// A door cannot be opened.
    #[error(transparent)]
    Door(#[from] BindError),
    /// Nobody would serve admins.
    #[error("cannot serve admins: {0}")]
    Desk(std::io::Error),
    /// The console could not tell who is before it.
    #[error("cannot use the console's key: {0}")]
    Key(std::io::Error),
    /// It would call itself for ever.
    #[error(
        "the door '{door}' is the engine's own socket, {path}; let the engine listen elsewhere (tidewaiter install)"
    )]
    Loop {
        /// The door.
        door: String,
        /// The socket.
        path: String,
    },
    /// The configuration wants the kernel sensor, and there is none.
    #[error("the kernel sensor is {0}; write [watch] sensor = \"auto\" to do without")]
    Sensor(String),
    /// Signals cannot be heard, so that nobody could end it in good order.
    #[error("cannot listen to signals: {0}")]
    Signals(#[from] std::io::Error),
}

/// Runs the gate until SIGTERM or SIGINT, then drains. SIGHUP and changed files make it read them again.
///
/// # Errors
/// If the journal or a door cannot be opened, or a sensor that must be there is not. Nothing is served then.
pub async fn run(setup: Setup) -> Result<(), RunError> {
    let (mut termination, hangup) = (Termination::new()?, Hangup::new()?);
    let config = setup.config().clone();
    if let Err(error) = runtime::raise_limit() {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    // Doors first: a second gate on the same socket must fail before it touches the journal.
    let doors = config.doors.iter().map(Door::bind).collect::<Result<Vec<_>, _>>()?;
    let admin_doors = desk::doors(&config)?;
    no_loop(&config.engine, &doors)?;
    let sensor = sensor::start(config.sensor).await?;
    let (audit, opened) = Audit::open(config.audit.clone())?;
    audit.lifecycle(sensor.record).await;
    tracing::info!(healed = opened.healed, crashed = opened.crashed, "journal open");
    let store = open_store(&config)?;

    let dialer = Dialer::new(config.engine.clone());
    let an0693 = Arc::new(Live::new(config.policy.an0693().clone()));
    // Before the doors open: no call may be earlier than the watch.
    let launches = open_watch(&config, &audit, &store, &an0693, sensor.notices).await?;
    let gate = Arc::new(Gate {
        rules: Live::new(reload::rules(&config)),
        audit: audit.clone(),
        facts: LookUp::new(Inspect::new(dialer.clone()), store.clone(), config.engine.is_here()),
        dialer,
        store,
        protected: protected(&config, &doors),
        doors: named(doors.iter().filter_map(Door::path)),
        calls: GlobalConcurrencyLimitLayer::new(config.limits.calls),
    });
    let lookup = Arc::new(Lookup::new());
    let sinks = Sinks::start(&config.sinks, &config.audit.journal, &config.state, &audit).map_err(RunError::Sinks)?;
    let (trigger, drain) = runtime::channel();
    let mut open = JoinSet::new();
    open.spawn(launches.run(drain.clone()));
    for door in doors {
        tracing::info!(door = door.name(), engine = %config.engine, mode = ?config.policy.mode(), "open");
        let (gate, lookup, drain) = (Arc::clone(&gate), Arc::clone(&lookup), drain.clone());
        let address = config.doors.iter().find(|settings| settings.name == door.name());
        let address = address.map(|settings| settings.address.to_string()).unwrap_or_default();
        audit.lifecycle(LifecycleEvent::Listen { door: door.name().to_owned(), address }).await;
        open.spawn(tell_trouble(audit.clone(), door.name().to_owned(), door.trouble()));
        open.spawn(keep(door, gate, lookup, drain, config.limits.connections));
    }

    let beside = Beside { sensor: sensor.handle.meter(), sinks: sinks.progress() };
    let (store, first) = (&gate.store, opened.first);
    let behind = Behind { config: &config, store, audit: &audit, lookup: &lookup, first, beside };
    behind.serve(admin_doors, &mut open, &drain).await?;

    let parts = parts(&config, &audit, &gate, an0693);
    let mut reloader = Reloader::new(setup, audit.clone(), parts);
    let limit = until_told(&mut termination, &audit, &mut reloader, hangup).await;
    drop(reloader);
    tracing::info!(seconds = limit.as_secs(), "draining");
    audit.lifecycle(LifecycleEvent::Drain { reason: "signal".into(), open: audit.stats().open }).await;
    trigger.drain();
    drained(open, limit, &mut termination).await;
    drop(gate);
    audit.close().await;
    sinks.end(DELIVERING).await;
    Ok(())
}

/// What a reload puts in force.
fn parts(config: &Config, audit: &Audit, gate: &Arc<Gate>, an0693: Arc<Live<An0693>>) -> Vec<Box<dyn Part>> {
    let certificates = Certificates::of(config);
    vec![Box::new(audit.clone()), Box::new(Arc::clone(gate)), Box::new(an0693), Box::new(certificates)]
}

/// Waits for what is open, to a deadline or until it is asked for again, and cuts the rest.
async fn drained(mut open: JoinSet<()>, limit: Duration, termination: &mut Termination) {
    tokio::select! {
        () = async { while open.join_next().await.is_some() {} } => {}
        () = sleep(limit) => tracing::warn!("streams are still open at the deadline and are cut"),
        () = termination.requested() => tracing::warn!("asked again; open streams are cut"),
    }
    open.shutdown().await;
}

/// Is open until it is told to end, reloads meanwhile, and shows the service manager that it lives. Returns how long streams
/// may take to end.
async fn until_told(termination: &mut Termination, audit: &Audit, reloader: &mut Reloader, hangup: Hangup) -> Duration {
    runtime::notify::ready(&format!("open: {}", reloader.config().engine));
    tokio::select! {
        () = termination.requested() => {}
        () = runtime::notify::keep_alive(async |within| audit.answers(within).await) => {}
        never = reloader.run(hangup) => match never {},
    }
    let drain = reloader.config().limits.drain;
    runtime::notify::stopping(drain + CLOSING + DELIVERING);
    drain
}

/// A socket that was handed over shows its path only now. `/var/run` leads to `/run` nearly everywhere.
fn no_loop(engine: &engine::Address, doors: &[Door]) -> Result<(), RunError> {
    let engine::Address::Unix(engine) = engine else { return Ok(()) };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match doors.iter().find(|door| door.path().is_some_and(|path| real(path) == real(engine))) {
        Some(door) => Err(RunError::Loop { door: door.name().to_owned(), path: engine.display().to_string() }),
        None => Ok(()),
    }
}

async fn open_watch(
    config: &Config,
    audit: &Audit,
    store: &Store,
    an0693: &Arc<Live<An0693>>,
    kernel: Option<mpsc::Receiver<watch::Notice>>,
) -> Result<watch::Watch, watch::WatchError> {
    let parts = watch::Parts {
        audit: audit.clone(),
        store: store.clone(),
        inspect: Inspect::new(Dialer::new(config.engine.clone())),
        an0693: Arc::clone(an0693),
        kernel,
    };
    watch::Watch::open(parts, &config.audit.journal).await
}

/// Opens the index of who made what. One that is new learns it from the journal.
fn open_store(config: &Config) -> Result<Store, RunError> {
    let store = Store::open(&config.state)?;
    if store.is_new() {
        let launches = rebuild_store(&store, &config.audit.journal)?;
        tracing::info!(launches, "who made what, as the journal has it");
    }
    Ok(store)
}

/// Fills the index of who made what anew from a journal, and returns how many launches that are.
///
/// # Errors
/// If the journal or the index cannot be read or written; the index is then as before.
pub fn rebuild_store(store: &Store, journal: &Path) -> Result<u64, RunError> {
    let mut follower = Follower::open_from_start(journal).map_err(RunError::Records)?;
    let (mut launches, mut approved) = (Vec::new(), Vec::new());
    while let Some(line) = follower.try_next().map_err(RunError::Records)? {
        let Some(record) = line.record() else { continue };
        launches.extend(Launch::from_record(&record));
        approved.extend(Approved::from_record(&record));
    }
    Ok(store.rebuild(launches.into_iter(), approved.into_iter())?)
}

/// Keeps one door: accepts and serves until told to drain, then waits for what is open. Dropped, it cuts its connections.
async fn keep(door: Door, gate: Arc<Gate>, lookup: Arc<Lookup>, drain: Watch, connections: usize) {
    let name: Arc<str> = Arc::from(door.name());
    let (refusals, refused) = listen::refusals();
    let told = tell_refused(gate.audit.clone(), name.to_string(), refused);
    // Connections may idle for hours: whoever held all of them would lock everybody else out.
    let shares = Shares::new(connections.div_ceil(2));
    let mut serve = {
        let drain = drain.clone();
        ServiceBuilder::new().concurrency_limit(connections).service_fn(move |accepted| {
            let (gate, lookup, door) = (Arc::clone(&gate), Arc::clone(&lookup), Arc::clone(&name));
            serve(gate, lookup, door, accepted, (refusals.clone(), Arc::clone(&shares)), drain.clone())
        })
    };
    let mut open = JoinSet::new();
    open.spawn(async {
        told.await;
        Ok(())
    });
    let mut drained = std::pin::pin!(drain.signaled());
    loop {
        // The place is taken before the connection is: what cannot be served yet waits in the kernel's backlog.
        let next = async {
            let serve = serve.ready().await?;
            Ok::<_, std::convert::Infallible>(serve.call(door.accept().await))
        };
        tokio::select! {
            () = &mut drained => break,
            Ok(connection) = next => { open.spawn(connection); }
            Some(ended) = open.join_next() => report(ended),
        }
    }
    drop((door, serve));
    while let Some(ended) = open.join_next().await {
        report(ended);
    }
}

/// Records when a door cannot take connections, and when it can again, until the door is closed.
async fn tell_trouble(audit: Audit, door: String, mut trouble: Receiver<AcceptTrouble>) {
    while trouble.changed().await.is_ok() {
        let AcceptTrouble { error, count, .. } = trouble.borrow_and_update().clone();
        audit.lifecycle(LifecycleEvent::Accept { door: door.clone(), error, count }).await;
    }
}

/// Records whom a TLS door did not let in, until the door is closed and the last one told.
async fn tell_refused(audit: Audit, door: String, mut refused: Refused) {
    while let Some(Refusal { remote, error, more }) = refused.next().await {
        let address = remote.map(|remote| remote.to_string()).unwrap_or_default();
        let (subject, certificate) = error.shown.map(|der| peer::label(&der)).unzip();
        let event = LifecycleEvent::Handshake {
            door: door.clone(),
            address,
            error: error.why,
            subject: subject.flatten(),
            certificate,
            more,
        };
        audit.lifecycle(event).await;
    }
}

async fn serve(
    gate: Arc<Gate>,
    lookup: Arc<Lookup>,
    door: Arc<str>,
    accepted: Accepted,
    (refusals, shares): (Refusals, Arc<Shares>),
    drain: Watch,
) -> Result<(), std::convert::Infallible> {
    let remote = accepted.remote;
    let names = |der: &[u8]| Certificate::parse(der).map(drop).map_err(|error| error.to_string());
    let (stream, shown) = match accepted.secure(names).await {
        Ok(secure) => secure,
        Err(error) => {
            refusals.put(remote, error);
            return Ok(());
        }
    };
    let mut peer = lookup.identify(&stream, remote).await;
    let _share = match shares.take(holder(&peer)) {
        Ok(share) => share,
        Err(full) => {
            tell_full(&gate.audit, &door, &peer, full).await;
            return Ok(());
        }
    };
    learn_image(&gate, &mut peer).await;
    proxy::serve(gate, Client { door, peer }, (stream, shown), drain).await;
    Ok(())
}

/// Says that a caller's connections are cut, once until he has let go of all.
async fn tell_full(audit: &Audit, door: &str, peer: &Peer, full: Full) {
    if full.first {
        let error = format!("{} holds half of the door's connections: more of its are cut", peer.caller());
        tracing::warn!(door, error, "a caller holds too much");
        audit.lifecycle(LifecycleEvent::Accept { door: door.to_owned(), error: Some(error), count: 1 }).await;
    }
}

/// By whom connections are counted: ids of a container, or of nobody knows where, are not the host's.
fn holder(peer: &Peer) -> String {
    let (container, unplaced) = match peer {
        Peer::Unix(peer) => (peer.container.as_ref().map_or("", |container| &container.id), peer.unplaced),
        Peer::Tcp(_) | Peer::Tls(_) => ("", false),
    };
    format!("{} {container} {unplaced}", peer.caller())
}

/// Asks the engine for the image of the container the caller runs in, whether the policy speaks of such or not: the next one
/// may, and the connection is still the same.
async fn learn_image(gate: &Gate, peer: &mut Peer) {
    let Peer::Unix(peer) = peer else { return };
    let Some(container) = &mut peer.container else { return };
    match gate.facts.image_of_caller(&container.id, &gate.doors).await {
        Ok(image) => container.image = image,
        Err(error) => {
            tracing::warn!(%error, container = container.id, "cannot learn the image of the caller's container");
        }
    }
}

fn report(ended: Result<Result<(), std::convert::Infallible>, tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

/// Paths that no container may see: they lead to the engine or to the gate's own records and keys.
fn protected(config: &Config, doors: &[Door]) -> Vec<String> {
    let engine = match &config.engine {
        engine::Address::Unix(path) => Some(path.as_path()),
        engine::Address::Tcp(_) => None,
        engine::Address::Tls(tls) => Some(tls.files().key.as_path()),
    };
    let own = [&config.audit.journal, &config.audit.keys, &config.state].map(PathBuf::as_path);
    let mut paths: Vec<&Path> = own.into_iter().chain(engine).chain(config.admin.as_deref()).collect();
    paths.extend(doors.iter().filter_map(Door::path));
    paths.extend(config.doors.iter().filter_map(|door| Some(door.address.tls()?.files().key.as_path())));
    paths.extend(config.sinks.iter().filter_map(|sink| match &sink.target {
        Target::Tls(tls) => tls.files().own.as_ref().map(|(_cert, key)| key.as_path()),
        Target::Journald(_) | Target::Unix(_) | Target::Tcp(..) => None,
    }));
    named(paths.into_iter())
}

/// Paths by the names they have here, and by where those lead: a bind may name either.
fn named<'p>(paths: impl Iterator<Item = &'p Path>) -> Vec<String> {
    let both = paths.flat_map(|path| path.canonicalize().ok().into_iter().chain([path.to_path_buf()]));
    let mut named: Vec<String> = both.map(|path| path.display().to_string()).collect();
    named.sort_unstable();
    named.dedup();
    named
}
