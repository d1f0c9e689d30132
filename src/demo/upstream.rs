//! The backend behind the demonstration's HAProxy: plausible answers after a few milliseconds, now and then an error.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::DemoError;

/// Share of answers that are an error, half of them "not found".
const ERROR_SHARE: f64 = 0.01;

/// A running backend. It ends when this is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    /// [`DemoError::Port`] if there is none.
    pub async fn start() -> Result<Self, DemoError> {
        let failed = |source| DemoError::Port { purpose: "the backend", source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let server = tokio::spawn(async move {
            // Serving ends only with the task.
            let _ = axum::serve(listener, Router::new().fallback(answer)).await;
        });
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The body is taken in whole, so that the connection can be used again.
async fn answer(uri: Uri, _body: Bytes) -> Response {
    tokio::time::sleep(latency()).await;
    let draw = fastrand::f64();
    let (status, body) = if draw < ERROR_SHARE / 2.0 {
        (StatusCode::NOT_FOUND, r#"{"error":"not found"}"#.to_owned())
    } else if draw < ERROR_SHARE {
        (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"internal error"}"#.to_owned())
    } else {
        (StatusCode::OK, body(uri.path()))
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Mostly a few milliseconds, with a tail as real services have.
fn latency() -> Duration {
    let micros = if fastrand::f64() < 0.02 { fastrand::u64(15_000..60_000) } else { fastrand::u64(800..7_000) };
    Duration::from_micros(micros)
}

fn body(path: &str) -> String {
    if path.starts_with("/v1/fetch_key") {
        format!(r#"{{"decryption_keys":[{{"id":"{}","encrypted_key":"{}"}}]}}"#, hex(32), hex(96))
    } else if path.starts_with("/v1/service") {
        format!(r#"{{"service_id":"0x{}","pop":"{}"}}"#, hex(32), hex(48))
    } else if path.starts_with("/sui.rpc") {
        let version = fastrand::u32(1..1_000_000);
        format!(r#"{{"object":{{"object_id":"0x{}","version":"{version}","digest":"{}"}}}}"#, hex(32), hex(32))
    } else {
        format!(r#"{{"data":{{"checkpoint":{{"sequenceNumber":{},"digest":"{}"}}}}}}"#, fastrand::u32(..), hex(32))
    }
}

fn hex(bytes: usize) -> String {
    let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect();
    data_encoding::HEXLOWER.encode(&random)
}
