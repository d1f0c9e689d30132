//! The account and everything that was done to it.

use axum::Json;
use axum::extract::State;

use super::page::PageParams;
use crate::app::{ActivityPage, CustomerChange, CustomerView, TermsAccepted};
use crate::http::extract::{AccountRead, AccountWrite, ActivityRead, Asked, Authorized, Params, Person};
use crate::http::{HttpState, Problem};

/// Gives your profile.
#[utoipa::path(
    get, path = "/api/customer", tag = "customer", security(("session" = []), ("token" = ["account.read"])),
    responses((status = 200, body = CustomerView))
)]
pub(crate) async fn get_customer(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<AccountRead>,
) -> Result<Json<CustomerView>, Problem> {
    Ok(Json(state.app.get_customer(&caller).await?))
}

/// Changes your profile.
#[utoipa::path(
    patch, path = "/api/customer", tag = "customer", security(("session" = []), ("token" = ["account.write"])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = CustomerChange,
    responses((status = 200, body = CustomerView))
)]
pub(crate) async fn update_customer(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<AccountWrite>,
    asked: Asked<CustomerChange>,
) -> Result<Json<CustomerView>, Problem> {
    Ok(Json(state.app.update_customer(&caller, asked.once, asked.body).await?))
}

/// Accepts a version of the terms of service.
#[utoipa::path(
    post, path = "/api/customer/terms", tag = "customer", security(("session" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = TermsAccepted,
    responses((status = 200, body = CustomerView))
)]
pub(crate) async fn accept_terms(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
    asked: Asked<TermsAccepted>,
) -> Result<Json<CustomerView>, Problem> {
    Ok(Json(state.app.accept_terms(&caller, asked.once, asked.body).await?))
}

/// Lists everything that was done to your account, newest first.
#[utoipa::path(
    get, path = "/api/activity", tag = "customer", security(("session" = []), ("token" = ["activity.read"])),
    params(PageParams), responses((status = 200, body = ActivityPage))
)]
pub(crate) async fn list_activity(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ActivityRead>,
    Params(page): Params<PageParams>,
) -> Result<Json<ActivityPage>, Problem> {
    Ok(Json(state.app.list_activity(&caller, page.cursor.as_deref(), page.limit()).await?))
}
