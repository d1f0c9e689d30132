//! `GET /api/health` on the agent's own listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::status::{HaproxyState, SharedStatus};

/// The listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for the gateway's health: choose another one with gateway.health_listen")]
pub struct HealthError {
    pub address: SocketAddr,
    pub source: io::Error,
}

/// Takes the address; what connects waits until [`serve`].
///
/// # Errors
/// [`HealthError`].
pub async fn listen(address: SocketAddr) -> Result<TcpListener, HealthError> {
    TcpListener::bind(address).await.map_err(|source| HealthError { address, source })
}

/// Answers until `stop`.
///
/// # Errors
/// Those of the listener.
pub async fn serve(listener: TcpListener, status: Arc<SharedStatus>, stop: CancellationToken) -> io::Result<()> {
    let router = Router::new().route("/api/health", get(health)).with_state(status);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// 200 while HAProxy obeys the newest vaults, otherwise 503; with the whole status either way.
async fn health(State(status): State<Arc<SharedStatus>>) -> Response {
    let status = status.read();
    let code = match status.haproxy.state {
        HaproxyState::InForce => StatusCode::OK,
        HaproxyState::Unknown | HaproxyState::Behind | HaproxyState::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(status)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Load balancers and scripts look at nothing else.
    #[tokio::test]
    async fn the_code_says_whether_haproxy_obeys() {
        for (state, code) in [
            (HaproxyState::InForce, StatusCode::OK),
            (HaproxyState::Unknown, StatusCode::SERVICE_UNAVAILABLE),
            (HaproxyState::Behind, StatusCode::SERVICE_UNAVAILABLE),
            (HaproxyState::Unreachable, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let status = Arc::new(SharedStatus::new(1));
            status.change(|status| status.haproxy.state = state);
            assert_eq!(health(State(status)).await.status(), code, "{state:?}");
        }
    }
}
