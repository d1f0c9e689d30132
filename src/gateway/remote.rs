//! Vaults of a primary on another host: asked for over HTTPS, and put into this host's folder, where the agent finds them.
//!
//! One request a vault is always waiting at the primary, which answers when there is a newer one. A download that breaks goes
//! on where it was. Only what the primary has signed comes into the folder; whether it may be taken is the agent's to decide.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, DATE, ETAG, HOST, IF_NONE_MATCH, IF_RANGE, RANGE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::status::{AgentStatus, SharedStatus};
use crate::core::calendar::UtcMillis;
use crate::core::vault::{Header, MAX_FILE_BYTES, Purpose, VaultCode, VaultOpener};
use crate::seal::{KEPT_FILES, SealError, VaultFolder};
use crate::telemetry::chain;

/// To be connected, TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// To the begin of an answer: the primary waits for 30 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);
/// Between two parts of a body.
const PART_WITHIN: Duration = Duration::from_secs(20);
/// Between two requests that brought nothing.
const SHORTEST_WAIT: Duration = Duration::from_secs(2);
/// Of an agent's status, at most.
const MAX_STATUS_BYTES: usize = 256 * 1024;
/// After a failure, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Where vaults come from.
#[derive(Clone)]
pub struct Primary {
    /// Host and port, as in an address.
    authority: String,
    token: Zeroizing<String>,
    /// Without it the connection is not encrypted.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// The primary cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    #[error("cannot read the certificates {path}")]
    Certificates { path: String, source: rustls::pki_types::pem::Error },
    #[error("{0} is no host that a certificate can be for")]
    Host(String, #[source] InvalidDnsNameError),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// One request that came to nothing.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the primary cannot be reached")]
    Connect(#[source] io::Error),
    #[error("the primary did not answer in time")]
    Slow,
    #[error("the connection to the primary broke")]
    Broken(#[from] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[from] hyper::http::Error),
    #[error("the primary does not know this gateway's token: compare its [gateways] with the secrets here")]
    Token,
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

impl Primary {
    /// An address such as `https://api.example.com`, as host and whether it is `https`; the certificates that are trusted,
    /// or those of public authorities.
    ///
    /// # Errors
    /// [`PrimaryError`].
    pub fn new(
        authority: &str,
        is_secure: bool,
        token: Zeroizing<String>,
        ca_file: Option<&Path>,
    ) -> Result<Self, PrimaryError> {
        let tls = if is_secure { Some((connector(ca_file)?, server_name(authority)?)) } else { None };
        let port = if is_secure { 443 } else { 80 };
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        Ok(Self { authority, token, tls })
    }

    async fn get(
        &self,
        path: &str,
        headers: &[(hyper::header::HeaderName, String)],
    ) -> Result<Response<Incoming>, AskError> {
        let connecting = timeout(CONNECT_WITHIN, TcpStream::connect(&self.authority)).await;
        let stream = connecting.map_err(|_| AskError::Slow)?.map_err(AskError::Connect)?;
        let mut request = Request::get(path).header(HOST, &self.authority);
        request = request.header(AUTHORIZATION, format!("Bearer {}", *self.token));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let answering = async {
            match &self.tls {
                None => exchange(TokioIo::new(stream), request).await,
                Some((connector, name)) => {
                    let stream = connector.connect(name.clone(), stream).await.map_err(AskError::Connect)?;
                    exchange(TokioIo::new(stream), request).await
                }
            }
        };
        timeout(ANSWER_WITHIN, answering).await.map_err(|_| AskError::Slow)?
    }
}

impl Primary {
    /// What the agent of another host says about itself.
    ///
    /// # Errors
    /// A sentence, if it cannot be had.
    pub async fn status(&self) -> Result<AgentStatus, String> {
        let response = self.get("/api/health", &[]).await.map_err(|error| chain(&error))?;
        // 503 tells that HAProxy is not up to date, with the same body.
        if !matches!(response.status(), StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE) {
            return Err(format!("it answered {}", response.status()));
        }
        let date = response.headers().get(DATE).and_then(|date| UtcMillis::from_http_date(date.to_str().ok()?));
        let body = Limited::new(response.into_body(), MAX_STATUS_BYTES).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        let status: AgentStatus = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        Ok(AgentStatus { answered_at: date, ..status })
    }
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, AskError>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "the connection to the primary ended early");
        }
    });
    Ok(sender.send_request(request).await?)
}

fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, PrimaryError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let failed = |source| PrimaryError::Certificates { path: path.display().to_string(), source };
            for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
                roots.add(certificate.map_err(failed)?)?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

fn server_name(authority: &str) -> Result<ServerName<'static>, PrimaryError> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host.clone()).map_err(|error| PrimaryError::Host(host, error))
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
                    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures.min(10)).unwrap_or(u32::MAX));
                    sleep(doubled.min(LONGEST_PAUSE)).await;
                }
            }
        }
    }

    /// One request: a newer version, or the rest of one, or nothing new. Tells whether a version was received.
    async fn ask(&mut self) -> Result<bool, AskError> {
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
            StatusCode::UNAUTHORIZED => return Err(AskError::Token),
            status => return Err(AskError::Status(status)),
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let tag = header(ETAG.as_str()).ok_or(AskError::Answer)?;
        self.partial.tag.clone_from(&tag);
        while let Some(frame) = timeout(PART_WITHIN, response.body_mut().frame()).await.map_err(|_| AskError::Slow)? {
            if let Ok(bytes) = frame?.into_data() {
                let length = u64::try_from(self.partial.bytes.len() + bytes.len()).unwrap_or(u64::MAX);
                if length > MAX_FILE_BYTES {
                    self.partial = Partial::default();
                    return Err(AskError::Answer);
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
    async fn keep(&self, bytes: Vec<u8>) -> Result<(), AskError> {
        let (folder, opener, code) = (self.folder.clone(), self.opener.clone(), self.code);
        let keeping = move || -> Result<(), AskError> {
            // Which one it is, only what is signed says.
            let (Header { code: sent, sequence, .. }, _) = opener.verify(&bytes)?;
            if sent != code {
                return Err(AskError::Another { asked: code, sent });
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
