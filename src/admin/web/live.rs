//! Server-sent events: that there is something new. What it is, the page asks for as it did the first time.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::sleep;

use super::frame::Refused;
use super::{Lasting, Web};
use crate::runtime::Watch;

/// Least time between two events: a page is drawn anew for each.
const PAUSE: Duration = Duration::from_millis(500);
/// Silence after which a line shows that the connection lives.
const SILENCE: Duration = Duration::from_secs(20);

/// The body of an answer that never ends by itself.
#[derive(Debug)]
struct Events(mpsc::Receiver<Bytes>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

/// Tells one page of every change, until it or the gate goes.
pub(super) async fn live(
    State(web): State<Arc<Web>>,
    Extension(lasting): Extension<Lasting>,
) -> Result<Response, Refused> {
    let place = Arc::clone(&web.live).try_acquire_owned().map_err(|_full| Refused::Full)?;
    lasting.0.store(true, Ordering::Relaxed);
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(tell(sender, web.feed.changes(), web.drain.clone(), place));
    let mut response = Response::new(Body::new(Events(receiver)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

async fn tell(
    page: mpsc::Sender<Bytes>,
    mut changes: watch::Receiver<u64>,
    drain: Watch,
    _place: OwnedSemaphorePermit,
) {
    let mut drained = std::pin::pin!(drain.signaled());
    let mut event = Bytes::from_static(b"retry: 2000\n\n");
    loop {
        if page.send(event).await.is_err() {
            return;
        }
        event = tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                sleep(PAUSE).await;
                Bytes::from(format!("event: change\ndata: {}\n\n", *changes.borrow_and_update()))
            }
            () = sleep(SILENCE) => Bytes::from_static(b": here\n\n"),
            () = page.closed() => return,
            () = &mut drained => return,
        };
    }
}
