//! Vaults of a primary on another host: asked for over HTTPS, and put into this host's folder, where the agent finds them.
//!
//! One request a vault is always waiting at the primary, which answers when there is a newer one. A download that breaks goes
//! on where it was. Only what the primary has signed comes into the folder; whether it may be taken is the agent's to decide.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{ETAG, IF_NONE_MATCH, IF_RANGE, RANGE};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::primary::{AskError, Primary};
use super::status::SharedStatus;
use crate::core::backoff::Backoff;
use crate::core::vault::{Header, MAX_FILE_BYTES, Purpose, VaultCode, VaultOpener};
use crate::seal::{KEPT_FILES, SealError, VaultFolder};
use crate::telemetry::chain;

/// Between two parts of a body.
const PART_WITHIN: Duration = Duration::from_secs(20);
/// Between two requests that brought nothing.
const SHORTEST_WAIT: Duration = Duration::from_secs(2);
/// Between two requests that failed.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(15) };

/// Why a vault was not received.
#[derive(Debug, thiserror::Error)]
enum VaultError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("the primary answered {0}")]
    Status(StatusCode),
    #[error("the primary's answer has no version, or is longer than a vault")]
    Answer,
    #[error("the primary was asked for the vault {asked} and sent {sent}")]
    Another { asked: VaultCode, sent: VaultCode },
    #[error("the primary sent a vault that it has not signed")]
    Signature(#[from] crate::core::vault::BadFile),
    #[error("a vault cannot be kept")]
    Keep(#[from] SealError),
    #[error("a task has panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

/// What was received of a version so far.
#[derive(Debug, Default)]
struct Partial {
    tag: String,
    bytes: Vec<u8>,
}

/// Receives the vaults of one code, until `stop`.
struct Follower {
    primary: Primary,
    code: VaultCode,
    folder: VaultFolder,
    opener: VaultOpener,
    status: Arc<SharedStatus>,
    /// The tag of the version that is in the folder.
    known: Option<String>,
    partial: Partial,
}

/// Receives all vaults of gateways into a folder, until `stop`.
pub async fn follow(
    primary: Primary,
    folder: VaultFolder,
    opener: VaultOpener,
    status: Arc<SharedStatus>,
    stop: CancellationToken,
) {
    let codes = VaultCode::ALL.into_iter().filter(|code| code.purpose() == Purpose::Api);
    let followers: Vec<_> = codes
        .map(|code| {
            let follower = Follower {
                primary: primary.clone(),
                code,
                folder: folder.clone(),
                opener: opener.clone(),
                status: status.clone(),
                known: None,
                partial: Partial::default(),
            };
            tokio::spawn(stop.clone().run_until_cancelled_owned(follower.run()))
        })
        .collect();
    for follower in followers {
        let _ = follower.await;
    }
}

impl Follower {
    async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let begun = Instant::now();
            match self.ask().await {
                Ok(is_news) => {
                    failures = 0;
                    self.status.source_is(self.code, None);
                    // A primary that does not wait is not asked all the time.
                    if !is_news {
                        sleep(SHORTEST_WAIT.saturating_sub(begun.elapsed())).await;
                    }
                }
                Err(error) => {
                    let problem = chain(&error);
                    if failures == 0 {
                        warn!(code = %self.code, problem, "the primary gives no vaults");
                    }
                    self.status.source_is(self.code, Some(problem));
                    failures = failures.saturating_add(1);
                    sleep(BACKOFF.after(failures)).await;
                }
            }
        }
    }

    /// One request: a newer version, or the rest of one, or nothing new. Tells whether a version was received.
    async fn ask(&mut self) -> Result<bool, VaultError> {
        let mut headers = Vec::new();
        headers.extend(self.known.as_ref().map(|tag| (IF_NONE_MATCH, tag.clone())));
        if !self.partial.bytes.is_empty() {
            headers.push((RANGE, format!("bytes={}-", self.partial.bytes.len())));
            headers.push((IF_RANGE, self.partial.tag.clone()));
        }
        let mut response = self.primary.get(&format!("/gateway/v1/vaults/{}", self.code), &headers).await?;
        match response.status() {
            StatusCode::OK => self.partial.bytes.clear(),
            StatusCode::PARTIAL_CONTENT => {}
            // The primary has waited for it.
            StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND => return Ok(false),
            status => return Err(VaultError::Status(status)),
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let tag = header(ETAG.as_str()).ok_or(VaultError::Answer)?;
        self.partial.tag.clone_from(&tag);
        while let Some(frame) = timeout(PART_WITHIN, response.body_mut().frame()).await.map_err(|_| AskError::Slow)? {
            if let Ok(bytes) = frame.map_err(AskError::from)?.into_data() {
                let length = u64::try_from(self.partial.bytes.len() + bytes.len()).unwrap_or(u64::MAX);
                if length > MAX_FILE_BYTES {
                    self.partial = Partial::default();
                    return Err(VaultError::Answer);
                }
                self.partial.bytes.extend_from_slice(&bytes);
            }
        }
        let bytes = std::mem::take(&mut self.partial.bytes);
        self.keep(bytes).await?;
        self.known = Some(tag);
        Ok(true)
    }

    /// Puts a version into the folder, if it is one.
    async fn keep(&self, bytes: Vec<u8>) -> Result<(), VaultError> {
        let (folder, opener, code) = (self.folder.clone(), self.opener.clone(), self.code);
        let keeping = move || -> Result<(), VaultError> {
            // Which one it is, only what is signed says.
            let (Header { code: sent, sequence, .. }, _) = opener.verify(&bytes)?;
            if sent != code {
                return Err(VaultError::Another { asked: code, sent });
            }
            let is_there = folder.list()?.iter().any(|file| (file.code, file.sequence) == (code, sequence));
            if is_there && folder.read(code, sequence)? == bytes {
                return Ok(());
            }
            // Another one of the same sequence: of a primary that was restored.
            if is_there {
                let _ = std::fs::remove_file(folder.path_of(code, sequence));
            }
            folder.write(code, sequence, &bytes)?;
            folder.keep_newest(code, KEPT_FILES)?;
            Ok(())
        };
        tokio::task::spawn_blocking(keeping).await?
    }
}
