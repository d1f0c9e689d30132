//! The public part of `config_global`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::HttpState;

/// Public prices and limits.
#[derive(Serialize, ToSchema)]
#[schema(as = FrontendConfig)]
pub(super) struct FrontendConfig {
    /// Every key that begins with `f`, with its value as text. Load the page again when `fver` changes.
    values: BTreeMap<String, String>,
}

/// Gives the public prices and limits. The `ETag` changes when one of them does.
#[utoipa::path(
    get, path = "/api/config/frontend", tag = "config",
    params(("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = FrontendConfig), (status = 304, description = "As known"))
)]
pub(super) async fn frontend(State(state): State<HttpState>, headers: HeaderMap) -> Response {
    let config = state.app.config_global.load();
    let values = config.public();
    let digest = values.iter().fold(Sha256::new(), |digest, (key, value)| {
        digest.chain_update(key).chain_update([0]).chain_update(value).chain_update([0])
    });
    let hex = data_encoding::HEXLOWER.encode(&digest.finalize());
    let etag = format!("\"{}\"", hex.get(..16).unwrap_or(&hex));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let caching = [(ETAG, etag), (CACHE_CONTROL, "no-cache".to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let values = values.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    (caching, Json(FrontendConfig { values })).into_response()
}
