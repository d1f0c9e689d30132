//! The public part of `config_global`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::HttpState;

#[derive(Serialize)]
struct FrontendConfig<'a> {
    values: BTreeMap<&'a str, &'a str>,
}

/// Every `f*` key with its value, and an `ETag` that changes when one of them does.
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
    (caching, Json(FrontendConfig { values })).into_response()
}
