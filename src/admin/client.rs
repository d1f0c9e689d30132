//! The command line's end of the socket.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{Refused, SOCKET};

/// The running process did not do it.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("cannot reach the running suiftly at {}: run this as its user", path.display())]
    Connect { path: PathBuf, source: io::Error },
    #[error("the running suiftly did not answer")]
    Http(#[from] hyper::Error),
    #[error("the running suiftly answered what this version does not understand: use the version that runs")]
    Answer(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(String),
}

/// A connection to the process that holds a data directory.
pub struct AdminClient {
    stream: UnixStream,
}

impl AdminClient {
    /// `None` if no process holds the directory.
    ///
    /// # Errors
    /// [`AdminError::Connect`] if one may, and cannot be reached.
    pub async fn connect(data_dir: &Path) -> Result<Option<Self>, AdminError> {
        let path = data_dir.join(SOCKET);
        match UnixStream::connect(&path).await {
            Ok(stream) => Ok(Some(Self { stream })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(source) => Err(AdminError::Connect { path, source }),
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn ask<T: DeserializeOwned>(self, route: &str, body: &impl Serialize) -> Result<T, AdminError> {
        let (mut sender, connection) = handshake(TokioIo::new(self.stream)).await?;
        let connection = tokio::spawn(connection);
        let body = Full::new(Bytes::from(serde_json::to_vec(body)?));
        let request = Request::post(route).header(HOST, "suiftly").header(CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| AdminError::Refused(error.to_string()))?;
        let response = sender.send_request(request).await?;
        let is_done = response.status().is_success();
        let bytes = response.into_body().collect().await?.to_bytes();
        connection.abort();
        if is_done {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        let refused: Result<Refused, _> = serde_json::from_slice(&bytes);
        Err(AdminError::Refused(refused.map_or_else(|_| String::from_utf8_lossy(&bytes).into_owned(), |no| no.error)))
    }
}
