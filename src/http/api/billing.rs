//! How it stands with billing, and what customers choose about it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::page::PageParams;
use crate::app::{
    BillingOverview, CreditPage, EntryPage, NoticePage, NoticesLeft, NoticesRead, PaymentMethods, SpendCapChange,
    SpendCapView,
};
use crate::http::extract::{Asked, Authorized, BillingRead, BillingWrite, Nothing, Params};
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

/// Lists credits, newest first, also those that are used up.
#[utoipa::path(
    get, path = "/api/billing/credits", tag = "billing", security(("session" = []), ("token" = ["billing.read"])),
    params(PageParams), responses((status = 200, body = CreditPage))
)]
pub(crate) async fn list_credits(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Params(page): Params<PageParams>,
) -> Result<Json<CreditPage>, Problem> {
    Ok(Json(state.app.list_credits(&caller, page.cursor.as_deref(), page.limit()).await?))
}

/// Lists everything that happened to your money, newest first: the entries of the books with their postings, and what
/// you had and owed after each.
#[utoipa::path(
    get, path = "/api/billing/entries", tag = "billing", security(("session" = []), ("token" = ["billing.read"])),
    params(PageParams), responses((status = 200, body = EntryPage))
)]
pub(crate) async fn list_entries(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Params(page): Params<PageParams>,
) -> Result<Json<EntryPage>, Problem> {
    Ok(Json(state.app.list_entries(&caller, page.cursor.as_deref(), page.limit()).await?))
}

/// Lists what you were told about billing, newest first.
#[utoipa::path(
    get, path = "/api/billing/notices", tag = "billing", security(("session" = []), ("token" = ["billing.read"])),
    params(PageParams), responses((status = 200, body = NoticePage))
)]
pub(crate) async fn list_notices(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Params(page): Params<PageParams>,
) -> Result<Json<NoticePage>, Problem> {
    Ok(Json(state.app.list_notices(&caller, page.cursor.as_deref(), page.limit()).await?))
}

/// Notes that you have read all notices up to one.
#[utoipa::path(
    post, path = "/api/billing/notices/read", tag = "billing",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = NoticesRead,
    responses((status = 200, body = NoticesLeft))
)]
pub(crate) async fn note_notices_read(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    asked: Asked<NoticesRead>,
) -> Result<Json<NoticesLeft>, Problem> {
    Ok(Json(state.app.note_notices_read(&caller, asked.once, asked.body).await?))
}

/// Sets which payment methods are asked, and in which order. What is unpaid is asked for at once.
#[utoipa::path(
    put, path = "/api/billing/payment-methods", tag = "billing",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = PaymentMethods,
    responses((status = 200, body = PaymentMethods))
)]
pub(crate) async fn set_payment_methods(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    asked: Asked<PaymentMethods>,
) -> Result<Json<PaymentMethods>, Problem> {
    Ok(Json(state.app.set_payment_methods(&caller, asked.once, asked.body).await?))
}

/// Caps what a month's usage may cost: 50, 75, 90 and 100 per cent of it are told, and keys stop if you want it.
#[utoipa::path(
    put, path = "/api/billing/spend-cap", tag = "billing", security(("session" = []), ("token" = ["billing.write"])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = SpendCapChange,
    responses((status = 200, body = SpendCapView))
)]
pub(crate) async fn set_spend_cap(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    asked: Asked<SpendCapChange>,
) -> Result<Json<SpendCapView>, Problem> {
    Ok(Json(state.app.set_spend_cap(&caller, asked.once, asked.body).await?))
}

/// Takes the cap away, if there is one. Keys that it has stopped work again.
#[utoipa::path(
    delete, path = "/api/billing/spend-cap", tag = "billing",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 204))
)]
pub(crate) async fn remove_spend_cap(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    asked: Asked<Nothing>,
) -> Result<StatusCode, Problem> {
    state.app.remove_spend_cap(&caller, asked.once).await?;
    Ok(StatusCode::NO_CONTENT)
}
