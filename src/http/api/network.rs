//! How the gateways are that serve customers.

use axum::Json;
use axum::extract::State;

use crate::app::NetworkView;
use crate::http::HttpState;
use crate::http::extract::{Authorized, ServicesRead};

/// Tells whether each gateway serves, and how fresh the keys and limits there are.
#[utoipa::path(
    get, path = "/api/network", tag = "network", security(("session" = []), ("token" = ["services.read"])),
    responses((status = 200, body = NetworkView))
)]
pub(crate) async fn network(State(state): State<HttpState>, _customer: Authorized<ServicesRead>) -> Json<NetworkView> {
    Json(state.app.network())
}
