//! All routes on one screen.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use super::{HttpState, Problem, api, assets, demo, gate, gateway_streams, gateway_vaults, health};
use crate::core::error_code::Code;

/// From the end of a request's head to the beginning of its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The same for a piece of a remote gateway's log, which may arrive slowly and waits for the disk.
const PIECE_ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// No request of the API needs more yet.
const MAX_BODY_BYTES: usize = 64 * 1024;

const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// For a year, browsers come by TLS only. Said only where customers come by TLS.
const HSTS: &str = "max-age=31536000";

/// The public listener's routes. The demo's page and its data exist only where a demo is running, the dashboard elsewhere.
pub fn router(state: HttpState) -> Router {
    let (api, document) = api::routes().split_for_parts();
    let document = Arc::<str>::from(document.to_json().unwrap_or_default());
    let mut routes = api
        .route("/api/openapi.json", get(move || async move { json(&document) }))
        .route_layer(from_fn_with_state(state.clone(), gate::pass))
        .route("/health", get(health::live))
        .route("/ready", get(health::ready))
        .route("/api/docs", get(assets::docs))
        .route("/assets/{*path}", get(assets::file));
    if state.demo.is_some() {
        routes = routes
            .route("/api/demo/overview", get(demo::overview))
            .route("/api/demo/events", get(demo::events))
            .route("/", get(assets::demo_page))
            .fallback(not_found);
    } else {
        routes = routes.route("/", get(assets::page)).fallback(page_or_not_found);
    }
    // For gateways with their tokens: neither customers' limits nor the size of their requests concern them.
    let gateways = Router::new()
        .route("/gateway/v1/streams/{stream}", get(gateway_streams::length).patch(gateway_streams::append))
        .route("/gateway/v1/vaults/{code}", get(gateway_vaults::newest))
        .method_not_allowed_fallback(not_allowed)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, PIECE_ANSWER_WITHIN));
    let routes = routes.method_not_allowed_fallback(not_allowed);
    let routes = routes
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_WITHIN))
        .merge(gateways)
        .with_state(state.clone())
        .layer(map_response(as_problem))
        .layer(CatchPanicLayer::custom(|_| Problem::of(Code::Internal).into_response()))
        .layer(from_fn_with_state(state.clone(), gate::tag));
    let is_https = state.gate.public_origin.starts_with("https://");
    let routes = if is_https { routes.layer(header(STRICT_TRANSPORT_SECURITY, HSTS)) } else { routes };
    SECURITY_HEADERS.into_iter().fold(routes, |routes, (name, value)| routes.layer(header(name, value)))
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

fn json(document: &str) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], document.to_owned()).into_response()
}

async fn page_or_not_found(request: Request) -> Response {
    if assets::is_page(request.method(), request.uri().path(), request.headers()) {
        return assets::page(request.into_parts().0.headers).await;
    }
    not_found(request).await
}

async fn not_found(request: Request) -> Response {
    Problem::new(Code::NotFound, format!("no route {}", request.uri().path())).into_response()
}

async fn not_allowed(method: Method) -> Response {
    Problem::new(Code::MethodNotAllowed, format!("{method} is not possible here")).into_response()
}

/// Layers that refuse or give up before a handler runs answer in plain text.
async fn as_problem(response: Response) -> Response {
    let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE if !is_problem => Problem::of(Code::BodyTooLarge).into_response(),
        StatusCode::SERVICE_UNAVAILABLE if !is_problem => Problem::of(Code::RequestTimeout).into_response(),
        _ => response,
    }
}
