//! Services, their tiers, states and settings.

use axum::Json;
use axum::extract::State;

use crate::app::{
    Caller, Once, PreviewAsked, PreviewView, ServiceAction, ServiceList, ServiceSettingsChange, ServiceView, TierChoice,
};
use crate::core::error_code::Code;
use crate::core::id::Service;
use crate::http::extract::{Asked, Authorized, BillingRead, Body, Nothing, Segment, ServicesRead, ServicesWrite};
use crate::http::{HttpState, Problem};

type Answer = Result<Json<ServiceView>, Problem>;

/// What a path names; anything else is nothing that exists.
pub(super) fn service(name: &str) -> Result<Service, Problem> {
    Service::from_name(name).ok_or_else(|| Problem::of(Code::NotFound))
}

/// Lists every service, also those that you have not subscribed to.
#[utoipa::path(
    get, path = "/api/services", tag = "services", security(("session" = []), ("token" = ["services.read"])),
    responses((status = 200, body = ServiceList))
)]
pub(crate) async fn list_services(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesRead>,
) -> Result<Json<ServiceList>, Problem> {
    Ok(Json(state.app.list_services(&caller).await?))
}

/// Gives one service.
#[utoipa::path(
    get, path = "/api/services/{service}", tag = "services", security(("session" = []), ("token" = ["services.read"])),
    params(("service" = String, Path)), responses((status = 200, body = ServiceView))
)]
pub(crate) async fn get_service(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesRead>,
    Segment(name): Segment<String>,
) -> Answer {
    Ok(Json(state.app.get_service(&caller, service(&name)?).await?))
}

/// Changes settings. If one is not right, none is changed, and every mistake is told.
#[utoipa::path(
    patch, path = "/api/services/{service}", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = ServiceSettingsChange, responses((status = 200, body = ServiceView))
)]
pub(crate) async fn update_service(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<ServiceSettingsChange>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::ChangeSettings(asked.body)).await
}

async fn act(state: &HttpState, caller: &Caller, name: &str, once: Option<Once>, action: ServiceAction) -> Answer {
    Ok(Json(state.app.act_on_service(caller, once, service(name)?, action).await?))
}

/// Subscribes to a service: an invoice for the whole month is made and paid at once, if credits or a payment method
/// cover it. The service begins switched off, and works once it was paid for; the days before come back as credit.
#[utoipa::path(
    post, path = "/api/services/{service}/subscribe", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = TierChoice, responses((status = 200, body = ServiceView))
)]
pub(crate) async fn subscribe(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<TierChoice>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::Subscribe(asked.body)).await
}

/// Changes the tier: to a larger one at once, to a smaller one on the next 1st. The tier it has undoes that.
#[utoipa::path(
    post, path = "/api/services/{service}/tier", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = TierChoice, responses((status = 200, body = ServiceView))
)]
pub(crate) async fn change_tier(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<TierChoice>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::ChangeTier(asked.body)).await
}

/// Switches the service on: its keys work.
#[utoipa::path(
    post, path = "/api/services/{service}/enable", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ServiceView))
)]
pub(crate) async fn enable(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<Nothing>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::Enable).await
}

/// Switches the service off: every key answers 503.
#[utoipa::path(
    post, path = "/api/services/{service}/disable", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ServiceView))
)]
pub(crate) async fn disable(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<Nothing>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::Disable).await
}

/// Cancels the service at the end of the month.
#[utoipa::path(
    post, path = "/api/services/{service}/cancel", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ServiceView))
)]
pub(crate) async fn cancel(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<Nothing>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::Cancel).await
}

/// Undoes a cancellation, until the month has ended.
#[utoipa::path(
    post, path = "/api/services/{service}/undo-cancel", tag = "services",
    security(("session" = []), ("token" = ["services.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ServiceView))
)]
pub(crate) async fn undo_cancel(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<ServicesWrite>,
    Segment(name): Segment<String>,
    asked: Asked<Nothing>,
) -> Answer {
    act(&state, &caller, &name, asked.once, ServiceAction::UndoCancel).await
}

/// Shows what an action would cost: the invoice that it would make, to the micro-dollar, when it takes effect, and
/// whether and by what it can be paid. Nothing is done.
#[utoipa::path(
    post, path = "/api/services/{service}/preview", tag = "services",
    security(("session" = []), ("token" = ["billing.read"])),
    params(("service" = String, Path)), request_body = PreviewAsked, responses((status = 200, body = PreviewView))
)]
pub(crate) async fn preview(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment(name): Segment<String>,
    Body(asked): Body<PreviewAsked>,
) -> Result<Json<PreviewView>, Problem> {
    Ok(Json(state.app.preview_service(&caller, service(&name)?, asked).await?))
}
