//! All routes on one screen.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::{HttpState, Problem, assets, config, demo, health};

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

/// The public listener's routes. The demo's page and its data exist only where a demo is running: nothing else is
/// reachable without authentication.
pub fn router(state: HttpState) -> Router {
    let mut routes = Router::new()
        .route("/health", get(health::live))
        .route("/ready", get(health::ready))
        .route("/api/config/frontend", get(config::frontend));
    if state.demo.is_some() {
        routes = routes
            .route("/api/demo/overview", get(demo::overview))
            .route("/api/demo/events", get(demo::events))
            .route("/", get(assets::page))
            .route("/assets/{*path}", get(assets::file));
    }
    let routes = routes.method_not_allowed_fallback(not_allowed).fallback(not_found).with_state(state);
    let routes = routes
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(|_| Problem::INTERNAL.into_response()));
    SECURITY_HEADERS.into_iter().fold(routes, |routes, (name, value)| {
        routes.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    })
}

async fn not_found(request: Request) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here");
    problem.with_detail(format!("no route {}", request.uri().path())).into_response()
}

async fn not_allowed(method: Method) -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Not with this method");
    problem.with_detail(format!("{method} is not possible here")).into_response()
}
