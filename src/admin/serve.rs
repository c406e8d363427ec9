//! The admin doors themselves: a socket, and a port on loopback if there is to be one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::web::{Lasting, Sessions, Visitor, Web, router};
use super::{Admin, Beside, Feed};
use crate::audit::Audit;
use crate::listen::{Accepted, Address, BindError, Door, Settings};
use crate::peer::{Lookup, Peer};
use crate::runtime::Watch;

/// Only its owner, the user that the gate runs as, and root.
const MODE: u32 = 0o600;

/// Connections at once, per door. A page takes three, and one for as long as it is looked at.
const CONNECTIONS: usize = 32;

/// How long one connection may take: it carries one request.
const DEADLINE: Duration = Duration::from_secs(10);

/// Largest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// What is served to admins, at whichever door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    router: Router,
    lookup: Arc<Lookup>,
}

/// Opens the admin socket.
///
/// # Errors
/// If somebody listens there, or the kernel refuses.
pub fn bind(path: &Path) -> Result<Door, BindError> {
    let address = Address::Unix { path: path.to_owned(), mode: MODE, owner: None, group: None };
    Door::bind(&Settings { name: "admin".to_owned(), address })
}

/// Opens the port of the console.
///
/// # Errors
/// If somebody listens there, or the kernel refuses.
pub fn bind_console(address: SocketAddr) -> Result<Door, BindError> {
    Door::bind(&Settings { name: "console".to_owned(), address: Address::Tcp(address) })
}

impl Desk {
    /// What admins may see and do; `key` seals their sessions.
    pub fn new(
        admin: Admin,
        audit: Audit,
        feed: Feed,
        beside: Beside,
        key: [u8; 32],
        lookup: Arc<Lookup>,
        drain: Watch,
    ) -> Self {
        let sessions = Sessions::new(key, Timestamp::now());
        Self { router: router(Arc::new(Web::new(admin, audit, feed, beside, sessions, drain))), lookup }
    }

    /// Serves admins at a door until told to drain.
    pub async fn serve(self, door: Door, drain: Watch) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = JoinSet::new();
        let mut drained = pin!(drain.signaled());
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, door.accept().await)
            };
            tokio::select! {
                () = &mut drained => break,
                (place, accepted) = next => {
                    let desk = self.clone();
                    open.spawn(async move {
                        let _place = place;
                        desk.converse(accepted).await;
                    });
                }
                Some(_ended) = open.join_next() => {}
            }
        }
        drop(door);
        while open.join_next().await.is_some() {}
    }

    async fn converse(self, accepted: Accepted) {
        let visitor = match self.lookup.identify(&accepted.stream, accepted.remote).await {
            Peer::Unix(peer) if peer.is_on_host() => Visitor::Socket(Arc::new(*peer)),
            // Root of a container may write to every socket of the host that somebody passes to it by descriptor.
            Peer::Unix(peer) => {
                let container = peer.container.map(|container| container.id);
                return tracing::warn!(pid = peer.pid, container, "no admin is in a container, or may be: cut");
            }
            Peer::Tcp(_) => Visitor::Loopback,
            Peer::Tls(_) => return,
        };
        let lasting = Lasting::default();
        let answer = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(visitor.clone());
            request.extensions_mut().insert(lasting.clone());
            let router = self.router.clone();
            async move {
                match router.oneshot(request.map(Body::new)).await {
                    Ok(response) => Ok::<_, Infallible>(response),
                }
            }
        });
        let mut server = http1::Builder::new();
        server.keep_alive(false).header_read_timeout(None).max_buf_size(MAX_HEAD);
        let mut connection = pin!(server.serve_connection(TokioIo::new(accepted.stream), answer));
        let ended = match timeout(DEADLINE, &mut connection).await {
            Ok(ended) => ended,
            Err(_late) if lasting.0.load(Ordering::Relaxed) => connection.await,
            Err(_late) => return tracing::warn!("a connection to an admin door took too long and is cut"),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to an admin door broke off");
        }
    }
}
