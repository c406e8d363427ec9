//! The least a hyper proxy can do: one connection in, one out, requests and answers as they come; no policy, no record.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder as Client, SendRequest};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;

/// The sender of the engine connection that belongs to one client connection.
type Sender = Arc<Mutex<Option<SendRequest<Incoming>>>>;

pub(crate) async fn serve(socket: &Path, engine: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    loop {
        let (stream, _unnamed) = listener.accept().await.unwrap();
        let (engine, sender) = (engine.to_owned(), Sender::default());
        let service = service_fn(move |request| forward(request, engine.clone(), Arc::clone(&sender)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn forward(request: Request<Incoming>, engine: PathBuf, sender: Sender) -> hyper::Result<Response<Incoming>> {
    let mut sender = sender.lock().await;
    if sender.is_none() {
        let stream = UnixStream::connect(engine).await.unwrap();
        let (new, connection) = Client::new().handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        *sender = Some(new);
    }
    let sender = sender.as_mut().unwrap();
    sender.ready().await?;
    sender.send_request(request).await
}
