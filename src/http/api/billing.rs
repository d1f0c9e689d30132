//! How it stands with billing, and what customers choose about it.

use axum::Json;
use axum::extract::State;

use crate::app::BillingOverview;
use crate::http::extract::{Authorized, BillingRead};
use crate::http::{HttpState, Problem};

/// Shows how it stands: balance, credits, what is owed, this month so far, and how long the balance lasts.
#[utoipa::path(
    get, path = "/api/billing", tag = "billing", security(("session" = []), ("token" = ["billing.read"])),
    responses((status = 200, body = BillingOverview))
)]
pub(crate) async fn overview(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
) -> Result<Json<BillingOverview>, Problem> {
    Ok(Json(state.app.billing_overview(&caller).await?))
}
