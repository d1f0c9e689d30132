//! The newest vault of a code, for remote gateways: waited for, and received in as many parts as the connection needs.
//!
//! `GET /gateway/v1/vaults/{code}` with `If-None-Match` answers as soon as there is another version than that, or 304 after
//! 30 s. The entity tag is the version's sequence and the begin of its hash. `Range: bytes=N-` with `If-Range` goes on where
//! a connection broke.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout_at};
use tracing::error;

use super::gateway_streams::GatewayNumber;
use super::{HttpState, Problem};
use crate::core::error_code::Code;
use crate::core::vault::sync::Applied;
use crate::core::vault::{Purpose, VaultCode};
use crate::telemetry::chain;

/// How long a gateway waits for news with one request.
const WAIT: Duration = Duration::from_secs(30);
/// The sequence of the version in the answer.
const VAULT_SEQUENCE: HeaderName = HeaderName::from_static("vault-sequence");

/// Answers with the newest version, once it is another than the one that the gateway has.
pub(super) async fn newest(
    _gateway: GatewayNumber,
    State(state): State<HttpState>,
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = code.parse::<VaultCode>().ok().filter(|code| code.purpose() == Purpose::Api);
    let code =
        code.ok_or_else(|| Problem::new(Code::NotFound, "a gateway's vaults are sma, sta, rma, rta, gma and gta"))?;
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let Some(version) = wait_for(&state, code, known).await else {
        return match known {
            Some(_) => Ok(StatusCode::NOT_MODIFIED.into_response()),
            None => Err(Problem::new(Code::NotFound, "there is no such vault yet: nobody has a key for it")),
        };
    };
    let folder = state.app.vaults.folder().clone();
    let reading = tokio::task::spawn_blocking(move || folder.read(code, version.sequence)).await;
    match reading {
        Ok(Ok(bytes)) => Ok(answer(&version, bytes, &headers)),
        // It may have become one of the old ones just now, and then the next request finds a newer one.
        Ok(Err(error)) => {
            error!(code = %code, sequence = version.sequence, error = %chain(&error), "a vault cannot be sent");
            Err(Problem::of(Code::NotReady))
        }
        Err(_) => Err(Problem::of(Code::Internal)),
    }
}

/// The newest version that is not the known one; `None` after a while without.
async fn wait_for(state: &HttpState, code: VaultCode, known: Option<&str>) -> Option<Applied> {
    let deadline = Instant::now() + WAIT;
    let mut newest = state.app.vaults.newest();
    let is_news = |versions: &std::collections::BTreeMap<VaultCode, Applied>| {
        versions.get(&code).is_some_and(|version| known != Some(tag(version).as_str()))
    };
    let waiting = timeout_at(deadline, newest.wait_for(is_news));
    let versions = state.stop.run_until_cancelled(waiting).await?.ok()?.ok()?;
    versions.get(&code).copied()
}

fn tag(version: &Applied) -> String {
    let hash: String = version.hash.to_string().chars().take(16).collect();
    format!("\"{}-{hash}\"", version.sequence)
}

fn answer(version: &Applied, bytes: Vec<u8>, headers: &HeaderMap) -> Response {
    let tag = tag(version);
    let total = bytes.len();
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let from = text(&RANGE).and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let from = from.filter(|from| *from < total && text(&IF_RANGE) == Some(tag.as_str()));
    let mut response = match from {
        None => Body::from(bytes).into_response(),
        Some(from) => {
            let rest = bytes.get(from..).unwrap_or_default().to_vec();
            let range = format!("bytes {from}-{}/{total}", total.saturating_sub(1));
            (StatusCode::PARTIAL_CONTENT, [(CONTENT_RANGE, range)], Body::from(rest)).into_response()
        }
    };
    let fixed = [(CONTENT_TYPE, "application/octet-stream"), (ACCEPT_RANGES, "bytes"), (CACHE_CONTROL, "no-store")];
    response.headers_mut().extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response.headers_mut().insert(VAULT_SEQUENCE, version.sequence.into());
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
