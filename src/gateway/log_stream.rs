//! The log's way to the primary: pieces of a stream, each answered with how much of it is durable there
//! (`core::gateway_stream` says what a stream is).

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderName, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;
use tokio::time::timeout;

use super::primary::{AskError, Connection, Header, Primary};
use crate::core::log_shipment::Told;

/// Of an answer, at most.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// For an answer's body.
const BODY_WITHIN: Duration = Duration::from_secs(20);
/// A primary that asks for a longer pause is asked again all the same.
const LONGEST_RETRY_S: u64 = 60;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const NEWEST_STREAM: &str = "newest-stream";

/// Why it is not known how much of a stream is durable.
#[derive(Debug, thiserror::Error)]
pub enum LogStreamError {
    /// The connection or the token.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It takes nothing at present.
    #[error("the primary answered {status}: {detail}")]
    Refused { status: u16, detail: String, retry_after: Option<Duration> },
    #[error(
        "the primary knows this token as that of gateway {theirs}, so no line of gateway {ours} would count: compare number in \
         gateway.toml with the primary's [gateways]"
    )]
    OtherGateway { ours: u8, theirs: u8 },
    #[error("the primary's answer does not say how much it has")]
    Answer,
}

impl LogStreamError {
    /// How long the primary asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self { *retry_after } else { None }
    }
}

/// Sends the log of one gateway.
pub struct LogStream {
    primary: Primary,
    gateway: u8,
    connection: Option<Connection>,
}

#[derive(Deserialize)]
struct Length {
    gateway: u8,
}

#[derive(Default, Deserialize)]
struct ProblemDocument {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

impl LogStream {
    pub fn new(primary: Primary, gateway: u8) -> Self {
        Self { primary, gateway, connection: None }
    }

    /// How much of a stream is durable at the primary, which takes this host for the same gateway as it takes itself for.
    ///
    /// # Errors
    /// [`LogStreamError`].
    pub async fn length(&mut self, stream: u64) -> Result<Told, LogStreamError> {
        let (told, body) = self.ask(Method::GET, stream, &[], Bytes::new()).await?;
        if let Told::Length(_) = told {
            let Length { gateway } = serde_json::from_slice(&body).map_err(|_| LogStreamError::Answer)?;
            if gateway != self.gateway {
                return Err(LogStreamError::OtherGateway { ours: self.gateway, theirs: gateway });
            }
        }
        Ok(told)
    }

    /// Sends a piece that is packed with zstd and begins at `offset`, and tells how much of the stream is durable then.
    ///
    /// # Errors
    /// [`LogStreamError`]; then it is not known how much of the piece is durable.
    pub async fn append(&mut self, stream: u64, offset: u64, packed: Vec<u8>) -> Result<Told, LogStreamError> {
        let headers = [(UPLOAD_OFFSET, offset.to_string()), (CONTENT_ENCODING, "zstd".to_owned())];
        Ok(self.ask(Method::PATCH, stream, &headers, packed.into()).await?.0)
    }

    async fn ask(
        &mut self,
        method: Method,
        stream: u64,
        headers: &[Header],
        body: Bytes,
    ) -> Result<(Told, Bytes), LogStreamError> {
        let mut connection = match self.connection.take().filter(Connection::is_fresh) {
            Some(connection) => connection,
            None => self.primary.connect().await?,
        };
        let path = format!("/gateway/v1/streams/{stream}");
        let response = connection.ask(method, &path, headers, body).await?;
        let answer = read(response).await?;
        self.connection = Some(connection);
        Ok((answer.told()?, answer.body))
    }
}

struct Answer {
    status: StatusCode,
    length: Option<u64>,
    newest: Option<u64>,
    retry_after: Option<Duration>,
    body: Bytes,
}

async fn read(response: Response<Incoming>) -> Result<Answer, LogStreamError> {
    let number = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let (status, length, newest) = (response.status(), number(UPLOAD_OFFSET.as_str()), number(NEWEST_STREAM));
    let retry_after = number(RETRY_AFTER.as_str()).map(|seconds| Duration::from_secs(seconds.min(LONGEST_RETRY_S)));
    let reading = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
    let body = timeout(BODY_WITHIN, reading).await.map_err(|_| AskError::Slow)?;
    let body = body.map_err(|_| LogStreamError::Answer)?.to_bytes();
    Ok(Answer { status, length, newest, retry_after, body })
}

impl Answer {
    fn told(&self) -> Result<Told, LogStreamError> {
        match (self.status, self.length, self.newest) {
            (StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::CONFLICT, Some(length), _) => {
                Ok(Told::Length(length))
            }
            (StatusCode::CONFLICT, None, Some(newest)) => Ok(Told::Superseded { newest }),
            (StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::CONFLICT, None, None) => Err(LogStreamError::Answer),
            (status, _, _) => {
                let ProblemDocument { title, detail } = serde_json::from_slice(&self.body).unwrap_or_default();
                let reason = status.canonical_reason().unwrap_or("for reasons of its own").to_owned();
                let detail = [detail, title, reason].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
                Err(LogStreamError::Refused { status: status.as_u16(), detail, retry_after: self.retry_after })
            }
        }
    }
}
