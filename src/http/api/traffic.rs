//! What customers see of their requests.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::app::{
    TrafficChartParams, TrafficGateways, TrafficPercentiles, TrafficRequestDetail, TrafficRequestPage,
    TrafficRequestsParams, TrafficSeries, TrafficSeriesParams, TrafficSummary, TrafficTops, TrafficTopsParams,
};
use crate::http::extract::{Authorized, Params, Segment, TrafficRead};
use crate::http::{HttpState, Problem};

/// Gives the figures of a stretch of time, and of the one before it.
#[utoipa::path(
    get, path = "/api/traffic/summary", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficChartParams), responses((status = 200, body = TrafficSummary))
)]
pub(crate) async fn summary(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficChartParams>,
) -> Result<Response, Problem> {
    Ok(json(&state.app.traffic_summary(&caller, &params).await?))
}

/// Draws requests by class or status, or bandwidth, over time.
#[utoipa::path(
    get, path = "/api/traffic/series", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficSeriesParams), responses((status = 200, body = TrafficSeries))
)]
pub(crate) async fn series(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficSeriesParams>,
) -> Result<Response, Problem> {
    Ok(json(&state.app.traffic_series(&caller, &params).await?))
}

/// Draws response times over time.
#[utoipa::path(
    get, path = "/api/traffic/percentiles", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficChartParams), responses((status = 200, body = TrafficPercentiles))
)]
pub(crate) async fn percentiles(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficChartParams>,
) -> Result<Response, Problem> {
    Ok(json(&state.app.traffic_percentiles(&caller, &params).await?))
}

/// Counts what the newest requests have most in common.
#[utoipa::path(
    get, path = "/api/traffic/tops", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficTopsParams), responses((status = 200, body = TrafficTops))
)]
pub(crate) async fn tops(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficTopsParams>,
) -> Result<Response, Problem> {
    Ok(json(&state.app.traffic_tops(&caller, &params).await?))
}

/// Counts the newest requests by gateway.
#[utoipa::path(
    get, path = "/api/traffic/gateways", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficChartParams), responses((status = 200, body = TrafficGateways))
)]
pub(crate) async fn gateways(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficChartParams>,
) -> Result<Response, Problem> {
    Ok(json(&state.app.traffic_gateways(&caller, &params).await?))
}

/// Lists requests, newest first.
#[utoipa::path(
    get, path = "/api/traffic/requests", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficRequestsParams), responses((status = 200, body = TrafficRequestPage))
)]
pub(crate) async fn requests(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficRequestsParams>,
) -> Result<Response, Problem> {
    Ok(json(&state.app.traffic_requests(&caller, &params).await?))
}

/// Gives one request by the `X-Request-ID` of its answer.
#[utoipa::path(
    get, path = "/api/traffic/requests/{request_id}", tag = "traffic",
    security(("session" = []), ("token" = ["traffic.read"])),
    params(("request_id" = String, Path)), responses((status = 200, body = TrafficRequestDetail))
)]
pub(crate) async fn request(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Segment(id): Segment<String>,
) -> Result<Json<TrafficRequestDetail>, Problem> {
    Ok(Json(state.app.traffic_request(&caller, &id).await?))
}

/// An answer that is JSON already.
fn json(text: &Arc<str>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}
