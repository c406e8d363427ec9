//! How the command line speaks to a running gate.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::wire::{Failure, LINK, Link, List, Shown};
use crate::store::parse_id;

/// How long the gate may take; it answers at once unless its disk hangs.
const DEADLINE: Duration = Duration::from_secs(15);

/// Largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The gate did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No gate, or none that lets this user in.
    #[error("cannot reach the gate at {}: {error}; it must be running, and its own user or root may ask it", .socket.display())]
    Unreachable {
        /// The admin socket.
        socket: PathBuf,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// What was typed is no id.
    #[error("'{0}' is no id of an approval: it has ten letters and digits")]
    NoId(String),
    /// The gate says no.
    #[error("{0}")]
    Refused(String),
    /// The answer broke off or is none of a gate's.
    #[error("the gate's answer cannot be read: {0}")]
    Answer(String),
}

/// A gate, by its admin socket.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The gate at a socket.
    pub const fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// All approvals that may be decided on, oldest first.
    ///
    /// # Errors
    /// If the gate does not say.
    pub async fn list(&self) -> Result<Vec<Shown>, ClientError> {
        self.ask::<List>(Method::GET, "/approvals").await.map(|list| list.approvals)
    }

    /// Approves a call for some time.
    ///
    /// # Errors
    /// If the gate refuses, or does not say.
    pub async fn approve(&self, id: &str, valid: Duration) -> Result<Shown, ClientError> {
        let id = parse_id(id).ok_or_else(|| ClientError::NoId(id.to_owned()))?;
        self.ask(Method::POST, &format!("/approvals/{id}/approve?for={}", valid.as_secs())).await
    }

    /// Rejects a call.
    ///
    /// # Errors
    /// As [`Client::approve`].
    pub async fn reject(&self, id: &str) -> Result<Shown, ClientError> {
        let id = parse_id(id).ok_or_else(|| ClientError::NoId(id.to_owned()))?;
        self.ask(Method::POST, &format!("/approvals/{id}/reject")).await
    }

    /// A token that opens a session of the console once, for whoever asks.
    ///
    /// # Errors
    /// If the gate refuses, or does not say.
    pub async fn console_token(&self) -> Result<String, ClientError> {
        self.ask::<Link>(Method::POST, LINK).await.map(|link| link.token)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, target: &str) -> Result<T, ClientError> {
        let unreachable = |error| ClientError::Unreachable { socket: self.socket.clone(), error };
        let stream = UnixStream::connect(&self.socket).await.map_err(unreachable)?;
        let late = |_late| ClientError::Answer(format!("none within {} s", DEADLINE.as_secs()));
        let (status, body) = timeout(DEADLINE, exchange(stream, method, target)).await.map_err(late)??;
        let broken = |error: serde_json::Error| ClientError::Answer(error.to_string());
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(broken);
        }
        let Failure { message } = serde_json::from_slice(&body).map_err(broken)?;
        Err(ClientError::Refused(message))
    }
}

async fn exchange(stream: UnixStream, method: Method, target: &str) -> Result<(StatusCode, Bytes), ClientError> {
    let broken = |error: &dyn std::fmt::Display| ClientError::Answer(error.to_string());
    let request = Request::builder().method(method).uri(target).header(HOST, "tidewaiter");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| broken(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| broken(&error))?;
        Ok((status, body.to_bytes()))
    };
    // What ends the connection early ends the answer too, and is told there.
    let (answer, _ended) = tokio::join!(answer, connection);
    answer
}
