//! The gate's own questions to the engine, over connections of its own; no client's bytes ever go this way.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;

use super::{ConnectError, Dialer};
use crate::runtime::Stream;

/// How long the engine may take to answer a look-up.
const DEADLINE: Duration = Duration::from_secs(5);

/// Largest answer that is read: an inspect document with a thousand labels and variables is some 200 KiB.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// A look-up failed.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The engine could not be asked.
    #[error("cannot ask the Docker Engine: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("the Docker Engine did not answer within {}s", DEADLINE.as_secs())]
    Late,
    /// It answered something else.
    #[error("the Docker Engine answered a look-up with {0}")]
    Status(StatusCode),
    /// The answer broke off, is too large, or is not what an engine says.
    #[error("the Docker Engine's answer cannot be read: {0}")]
    Answer(String),
}

/// Asks the engine about what it holds.
#[derive(Debug, Clone)]
pub struct Inspect {
    client: Client<Connector, Empty<Bytes>>,
}

type Connector = BoxCloneSyncService<Uri, TokioIo<Stream>, ConnectError>;

impl Inspect {
    /// A client for one engine.
    pub fn new(dialer: Dialer) -> Self {
        // There is one engine, whatever the URI says.
        let connect = tower::service_fn(move |_uri| {
            let dialer = dialer.clone();
            async move { dialer.connect().await.map(TokioIo::new) }
        });
        let connector = BoxCloneSyncService::new(connect);
        let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(true).build(connector);
        Self { client }
    }

    /// Asks for one JSON document, `None` if the engine has no such thing. `path` is written as it must stand in a target; it
    /// has no version, so that the engine answers in its newest form.
    ///
    /// # Errors
    /// If the engine cannot be asked, or its answer cannot be read.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, InspectError> {
        let body = match timeout(DEADLINE, self.fetch(path)).await.map_err(|_late| InspectError::Late)? {
            Err(InspectError::Status(StatusCode::NOT_FOUND)) => return Ok(None),
            body => body?,
        };
        serde_json::from_slice(&body).map(Some).map_err(|error| InspectError::Answer(error.to_string()))
    }

    async fn fetch(&self, path: &str) -> Result<Bytes, InspectError> {
        let whole = Limited::new(self.open(path).await?, MAX_ANSWER).collect().await;
        whole.map(http_body_util::Collected::to_bytes).map_err(|error| InspectError::Answer(error.to_string()))
    }

    pub(super) async fn open(&self, path: &str) -> Result<Incoming, InspectError> {
        let request = Request::get(format!("http://docker{path}")).body(Empty::new());
        let request = request.map_err(|error| InspectError::Answer(error.to_string()))?;
        let answer = self.client.request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(InspectError::Status(answer.status()));
        }
        Ok(answer.into_body())
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
