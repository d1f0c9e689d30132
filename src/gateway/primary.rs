//! The primary on another host, over HTTPS: asked for vaults ([`super::remote`]) and given the log ([`super::log_stream`]).
//! The primary asks agents for their status by the same client.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, DATE, HOST, HeaderName};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tracing::debug;
use zeroize::Zeroizing;

use super::status::AgentStatus;
use crate::core::calendar::UtcMillis;
use crate::telemetry::chain;

/// To be connected, TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// To the begin of an answer: the primary waits for 30 s, for news or for what is sent.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);
/// Of an agent's status, at most.
const MAX_STATUS_BYTES: usize = 256 * 1024;
/// A connection that was not used for so long is closed by many servers, so it is not used again.
const IDLE: Duration = Duration::from_secs(4);

/// Where vaults come from and the log goes.
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
pub enum AskError {
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

    /// Asks on a connection of its own.
    pub(super) async fn get(&self, path: &str, headers: &[Header]) -> Result<Response<Incoming>, AskError> {
        self.connect().await?.ask(Method::GET, path, headers, Bytes::new()).await
    }

    pub(super) async fn connect(&self) -> Result<Connection, AskError> {
        let connecting = async {
            let stream = TcpStream::connect(&self.authority).await.map_err(AskError::Connect)?;
            // A piece's last bytes need not wait for the answer to the ones before.
            let _ = stream.set_nodelay(true);
            match &self.tls {
                None => handshake(stream).await,
                Some((connector, name)) => {
                    handshake(connector.connect(name.clone(), stream).await.map_err(AskError::Connect)?).await
                }
            }
        };
        let sender = timeout(CONNECT_WITHIN, connecting).await.map_err(|_| AskError::Slow)??;
        Ok(Connection { primary: self.clone(), sender, used: Instant::now() })
    }
}

/// A header of a request.
pub(super) type Header = (HeaderName, String);

/// A connection to the primary, for one request after the other.
pub(super) struct Connection {
    primary: Primary,
    sender: SendRequest<Full<Bytes>>,
    used: Instant,
}

impl Connection {
    /// Whether another request is worth a try.
    pub(super) fn is_fresh(&self) -> bool {
        !self.sender.is_closed() && self.used.elapsed() < IDLE
    }

    /// One request. The answer's body has to be read before the next.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[Header],
        body: Bytes,
    ) -> Result<Response<Incoming>, AskError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.primary.authority);
        request = request.header(AUTHORIZATION, format!("Bearer {}", *self.primary.token));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body))?;
        let answering = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let response = timeout(ANSWER_WITHIN, answering).await.map_err(|_| AskError::Slow)??;
        self.used = Instant::now();
        if response.status() == StatusCode::UNAUTHORIZED { Err(AskError::Token) } else { Ok(response) }
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

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, AskError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "the connection to the primary ended early");
        }
    });
    Ok(sender)
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
