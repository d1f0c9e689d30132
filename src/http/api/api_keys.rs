//! API keys of a service.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::page::PageParams;
use super::services::service;
use crate::app::{
    ApiKeyAction, ApiKeyChange, ApiKeyPage, ApiKeyUseList, ApiKeyView, CreatedApiKey, NewApiKey, RevealedApiKey,
    Rotation,
};
use crate::http::extract::{Asked, Authorized, KeysRead, KeysWrite, Nothing, Params, Person, Segment};
use crate::http::{HttpState, Problem};

/// Lists keys that are not deleted, oldest first.
#[utoipa::path(
    get, path = "/api/services/{service}/api-keys", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.read"])),
    params(("service" = String, Path), PageParams), responses((status = 200, body = ApiKeyPage))
)]
pub(crate) async fn list_api_keys(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysRead>,
    Segment(name): Segment<String>,
    Params(page): Params<PageParams>,
) -> Result<Json<ApiKeyPage>, Problem> {
    let limit = page.limit();
    Ok(Json(state.app.list_api_keys(&caller, service(&name)?, page.cursor, limit).await?))
}

/// How keys are used: when last, and how often in the last 24 hours.
#[utoipa::path(
    get, path = "/api/services/{service}/api-keys/usage", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.read"])),
    params(("service" = String, Path)), responses((status = 200, body = ApiKeyUseList))
)]
pub(crate) async fn api_key_use(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysRead>,
    Segment(name): Segment<String>,
) -> Result<Json<ApiKeyUseList>, Problem> {
    let list = state.app.api_key_use(&caller, service(&name)?).await?;
    Ok(Json(list.as_ref().clone()))
}

/// Creates a key. Its text is in this answer only, unless it is to be revealable. Five an hour.
#[utoipa::path(
    post, path = "/api/services/{service}/api-keys", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = NewApiKey, responses((status = 201, body = CreatedApiKey))
)]
pub(crate) async fn create_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment(name): Segment<String>,
    asked: Asked<NewApiKey>,
) -> Result<(StatusCode, Json<CreatedApiKey>), Problem> {
    let created = state.app.create_api_key(&caller, asked.once, service(&name)?, asked.body).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

type Answer = Result<Json<ApiKeyView>, Problem>;

/// Changes name or expiry.
#[utoipa::path(
    patch, path = "/api/services/{service}/api-keys/{api_key_id}", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("service" = String, Path), ("api_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = ApiKeyChange, responses((status = 200, body = ApiKeyView))
)]
pub(crate) async fn update_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((name, key)): Segment<(String, String)>,
    asked: Asked<ApiKeyChange>,
) -> Answer {
    let action = ApiKeyAction::Change(asked.body);
    Ok(Json(state.app.act_on_api_key(&caller, asked.once, service(&name)?, &key, action).await?))
}

/// Deletes a key for good.
#[utoipa::path(
    delete, path = "/api/services/{service}/api-keys/{api_key_id}", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("service" = String, Path), ("api_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ApiKeyView))
)]
pub(crate) async fn delete_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((name, key)): Segment<(String, String)>,
    asked: Asked<Nothing>,
) -> Answer {
    Ok(Json(state.app.act_on_api_key(&caller, asked.once, service(&name)?, &key, ApiKeyAction::Delete).await?))
}

/// Revokes a key until it is enabled again.
#[utoipa::path(
    post, path = "/api/services/{service}/api-keys/{api_key_id}/revoke", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("service" = String, Path), ("api_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ApiKeyView))
)]
pub(crate) async fn revoke_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((name, key)): Segment<(String, String)>,
    asked: Asked<Nothing>,
) -> Answer {
    Ok(Json(state.app.act_on_api_key(&caller, asked.once, service(&name)?, &key, ApiKeyAction::Revoke).await?))
}

/// Enables a revoked key again.
#[utoipa::path(
    post, path = "/api/services/{service}/api-keys/{api_key_id}/enable", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("service" = String, Path), ("api_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ApiKeyView))
)]
pub(crate) async fn enable_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((name, key)): Segment<(String, String)>,
    asked: Asked<Nothing>,
) -> Answer {
    Ok(Json(state.app.act_on_api_key(&caller, asked.once, service(&name)?, &key, ApiKeyAction::ReEnable).await?))
}

/// Creates the key's successor. The old key works on for the overlap, then expires by itself.
#[utoipa::path(
    post, path = "/api/services/{service}/api-keys/{api_key_id}/rotate", tag = "api-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("service" = String, Path), ("api_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = Rotation, responses((status = 201, body = CreatedApiKey))
)]
pub(crate) async fn rotate_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((name, key)): Segment<(String, String)>,
    asked: Asked<Rotation>,
) -> Result<(StatusCode, Json<CreatedApiKey>), Problem> {
    let created = state.app.rotate_api_key(&caller, asked.once, service(&name)?, &key, asked.body).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Shows the text of a revealable key. For signed-in people only, and noted in the activity log.
#[utoipa::path(
    post, path = "/api/services/{service}/api-keys/{api_key_id}/reveal", tag = "api-keys",
    security(("session" = [])), params(("service" = String, Path), ("api_key_id" = String, Path)),
    responses((status = 200, body = RevealedApiKey))
)]
pub(crate) async fn reveal_api_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
    Segment((name, key)): Segment<(String, String)>,
) -> Result<Json<RevealedApiKey>, Problem> {
    Ok(Json(state.app.reveal_api_key(&caller, service(&name)?, &key).await?))
}
