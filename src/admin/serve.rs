//! The admin socket itself.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Admin;
use crate::listen::{Accepted, Address, BindError, Door, Settings};
use crate::peer::{Lookup, Peer};
use crate::runtime::Watch;

/// Only its owner, the user that the gate runs as, and root.
const MODE: u32 = 0o600;

/// Connections at once. An admin types slower than that.
const CONNECTIONS: usize = 16;

/// How long one connection may take: it carries one request without a body.
const DEADLINE: Duration = Duration::from_secs(10);

/// Largest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Opens the admin socket.
///
/// # Errors
/// If somebody listens there, or the kernel refuses.
pub fn bind(path: &Path) -> Result<Door, BindError> {
    let address = Address::Unix { path: path.to_owned(), mode: MODE, owner: None, group: None };
    Door::bind(&Settings { name: "admin".to_owned(), address })
}

/// Serves admins until told to drain.
pub async fn serve(door: Door, admin: Arc<Admin>, lookup: Arc<Lookup>, drain: Watch) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    let mut drained = std::pin::pin!(drain.signaled());
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, door.accept().await)
        };
        tokio::select! {
            () = &mut drained => break,
            (place, accepted) = next => {
                let (admin, lookup) = (Arc::clone(&admin), Arc::clone(&lookup));
                open.spawn(async move {
                    let _place = place;
                    if timeout(DEADLINE, converse(&admin, &lookup, accepted)).await.is_err() {
                        tracing::warn!("a connection to the admin socket took too long and is cut");
                    }
                });
            }
            Some(_ended) = open.join_next() => {}
        }
    }
    drop(door);
    while open.join_next().await.is_some() {}
}

async fn converse(admin: &Admin, lookup: &Lookup, accepted: Accepted) {
    let peer = match lookup.identify(&accepted.stream, accepted.remote).await {
        Peer::Unix(peer) => peer,
        Peer::Tcp(_) | Peer::Tls(_) => return,
    };
    let answer = service_fn(|request| {
        let (admin, peer) = (admin, peer.as_ref());
        async move { Ok::<_, Infallible>(admin.answer(&request, peer, Timestamp::now()).await) }
    });
    let mut server = http1::Builder::new();
    server.keep_alive(false).header_read_timeout(None).max_buf_size(MAX_HEAD);
    if let Err(error) = server.serve_connection(TokioIo::new(accepted.stream), answer).await {
        tracing::debug!(%error, "a connection to the admin socket broke off");
    }
}
