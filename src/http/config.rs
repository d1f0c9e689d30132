//! What anybody may know: the public part of `config_global`, and what this server is.

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

/// What the operator has told about this server for the pages; the same for the life of the process.
#[derive(Debug, Clone, Default)]
pub struct PageFacts {
    /// By the service's name: scheme, host and port.
    pub service_urls: BTreeMap<String, String>,
    pub terms_url: Option<String>,
    pub support_url: Option<String>,
}

/// Public prices and limits, and what this server is.
#[derive(Serialize, ToSchema)]
#[schema(as = FrontendConfig)]
pub(super) struct FrontendConfig {
    /// Every key that begins with `f`, with its value as text. Load the page again when `fver` changes.
    values: BTreeMap<String, String>,
    /// The chain is simulated: money is play money, and the dashboard offers a demo wallet.
    is_simulated_chain: bool,
    /// Where requests are sent, by service; a service whose address is not configured is missing.
    service_urls: BTreeMap<String, String>,
    /// The operator's terms of service; absent: the dashboard has a text of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_url: Option<String>,
    /// Where to write for help: `https://` or `mailto:`; absent if the operator has not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    support_url: Option<String>,
}

/// Gives the public prices and limits, and what this server is. The `ETag` changes when something of it does.
#[utoipa::path(
    get, path = "/api/config/frontend", tag = "config",
    params(("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = FrontendConfig), (status = 304, description = "As known"))
)]
pub(super) async fn frontend(State(state): State<HttpState>, headers: HeaderMap) -> Response {
    let config = state.app.config_global.load();
    let PageFacts { service_urls, terms_url, support_url } = &*state.facts;
    let values = config.public().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let answer = FrontendConfig {
        values,
        is_simulated_chain: state.app.chain.is_simulated(),
        service_urls: service_urls.clone(),
        terms_url: terms_url.clone(),
        support_url: support_url.clone(),
    };
    let digest = Sha256::new().chain_update(serde_json::to_vec(&answer).unwrap_or_default());
    let hex = data_encoding::HEXLOWER.encode(&digest.finalize());
    let etag = format!("\"{}\"", hex.get(..16).unwrap_or(&hex));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let caching = [(ETAG, etag), (CACHE_CONTROL, "no-cache".to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, Json(answer)).into_response()
}
