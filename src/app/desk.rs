//! The doors for admins, and the desk behind them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{RunError, tell_trouble};
use crate::admin::{self, Admin, Beside, Desk, Feed, PolicyNow};
use crate::audit::{self, Audit, LifecycleEvent};
use crate::config::Config;
use crate::listen::{BindError, Door};
use crate::peer::Lookup;
use crate::runtime::Watch;
use crate::store::Store;

/// Opens the doors for admins, each with where it is.
pub(super) fn doors(config: &Config) -> Result<Vec<(Door, String)>, BindError> {
    let socket = config.admin.as_deref().map(|path| Ok((admin::bind(path)?, format!("unix://{}", path.display()))));
    let console = config.console.map(|address| Ok((admin::bind_console(address)?, format!("tcp://{address}"))));
    socket.into_iter().chain(console).collect()
}

/// What admins see and do.
#[derive(Debug)]
pub(super) struct Behind<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) audit: &'a Audit,
    pub(super) lookup: &'a Arc<Lookup>,
    /// Number of the first record of this run.
    pub(super) first: u64,
    pub(super) beside: Beside,
}

impl Behind<'_> {
    /// Serves admins at their doors until told to drain. Without a door nothing reads the journal.
    pub(super) async fn serve(
        self,
        doors: Vec<(Door, String)>,
        open: &mut JoinSet<()>,
        drain: &Watch,
    ) -> Result<(), RunError> {
        if doors.is_empty() {
            return Ok(());
        }
        let Self { config, store, audit, lookup, first, beside } = self;
        let policy = &config.policy;
        let (generation, sha256) = (policy.generation(), policy.sha256().to_string());
        let feed = Feed::new(PolicyNow { generation, sha256, since: Timestamp::now() }, first);
        let admin = Admin::new(store.clone(), audit.clone());
        let key = audit::host_key(&config.audit.keys, admin::KEY).map_err(RunError::Key)?;
        let desk = Desk::new(admin, audit.clone(), feed.clone(), beside, key, Arc::clone(lookup), drain.clone());
        let mut at_work: Vec<Work> = vec![Box::pin(feed.follow(config.audit.journal.clone(), drain.clone()))];
        for (door, address) in doors {
            audit.lifecycle(LifecycleEvent::Listen { door: door.name().to_owned(), address }).await;
            open.spawn(tell_trouble(audit.clone(), door.name().to_owned(), door.trouble()));
            at_work.push(Box::pin(desk.clone().serve(door, drain.clone())));
        }
        let ended = apart(at_work).map_err(RunError::Desk)?;
        // Dropped by its thread, it says so too.
        open.spawn(async move { drop(ended.await) });
        Ok(())
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Does work on a thread of its own, until all of it has ended: reading the journal and drawing pages take no time from a call.
fn apart(work: Vec<Work>) -> io::Result<oneshot::Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (done, ended) = oneshot::channel();
    let all = move || {
        runtime.block_on(async { work.into_iter().collect::<JoinSet<()>>().join_all().await });
        // Nobody waits if it took too long.
        let _late = done.send(());
    };
    std::thread::Builder::new().name("admin".to_owned()).spawn(all)?;
    Ok(ended)
}
