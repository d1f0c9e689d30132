//! Seal keys and their packages.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::page::PageParams;
use crate::app::{
    NewSealKey, NewSealPackage, SealKeyAction, SealKeyChange, SealKeyPage, SealKeyView, SealPackageChange,
};
use crate::http::extract::{Asked, Authorized, KeysRead, KeysWrite, Nothing, Params, Segment};
use crate::http::{HttpState, Problem};

type Answer = Result<Json<SealKeyView>, Problem>;
type Created = Result<(StatusCode, Json<SealKeyView>), Problem>;

/// Lists Seal keys that are not deleted with their packages, oldest first.
#[utoipa::path(
    get, path = "/api/services/seal/keys", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.read"])),
    params(PageParams), responses((status = 200, body = SealKeyPage))
)]
pub(crate) async fn list_seal_keys(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysRead>,
    Params(page): Params<PageParams>,
) -> Result<Json<SealKeyPage>, Problem> {
    let limit = page.limit();
    Ok(Json(state.app.list_seal_keys(&caller, page.cursor, limit).await?))
}

/// Creates a Seal key and queues its registration on the chain. Five an hour.
#[utoipa::path(
    post, path = "/api/services/seal/keys", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NewSealKey, responses((status = 201, body = SealKeyView))
)]
pub(crate) async fn create_seal_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    asked: Asked<NewSealKey>,
) -> Created {
    Ok((StatusCode::CREATED, Json(state.app.create_seal_key(&caller, asked.once, asked.body).await?)))
}

/// Changes the name of a Seal key, or whether it is enabled.
#[utoipa::path(
    patch, path = "/api/services/seal/keys/{seal_key_id}", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("seal_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = SealKeyChange, responses((status = 200, body = SealKeyView))
)]
pub(crate) async fn update_seal_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment(key): Segment<String>,
    asked: Asked<SealKeyChange>,
) -> Answer {
    Ok(Json(state.app.act_on_seal_key(&caller, asked.once, &key, SealKeyAction::Change(asked.body)).await?))
}

/// Deletes a Seal key for good. Its derivation index is never given out again.
#[utoipa::path(
    delete, path = "/api/services/seal/keys/{seal_key_id}", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("seal_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = SealKeyView))
)]
pub(crate) async fn delete_seal_key(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment(key): Segment<String>,
    asked: Asked<Nothing>,
) -> Answer {
    Ok(Json(state.app.act_on_seal_key(&caller, asked.once, &key, SealKeyAction::Delete).await?))
}

/// Adds a package, and registers the Seal key again.
#[utoipa::path(
    post, path = "/api/services/seal/keys/{seal_key_id}/packages", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(("seal_key_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = NewSealPackage, responses((status = 201, body = SealKeyView))
)]
pub(crate) async fn add_seal_package(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment(key): Segment<String>,
    asked: Asked<NewSealPackage>,
) -> Created {
    let action = SealKeyAction::AddPackage(asked.body);
    Ok((StatusCode::CREATED, Json(state.app.act_on_seal_key(&caller, asked.once, &key, action).await?)))
}

/// Changes the name of a package.
#[utoipa::path(
    patch, path = "/api/services/seal/keys/{seal_key_id}/packages/{seal_package_id}", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(
        ("seal_key_id" = String, Path), ("seal_package_id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)
    ),
    request_body = SealPackageChange, responses((status = 200, body = SealKeyView))
)]
pub(crate) async fn update_seal_package(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((key, package)): Segment<(String, String)>,
    asked: Asked<SealPackageChange>,
) -> Answer {
    let action = SealKeyAction::RenamePackage(package, asked.body);
    Ok(Json(state.app.act_on_seal_key(&caller, asked.once, &key, action).await?))
}

/// Removes a package, and registers the Seal key again.
#[utoipa::path(
    delete, path = "/api/services/seal/keys/{seal_key_id}/packages/{seal_package_id}", tag = "seal-keys",
    security(("session" = []), ("token" = ["keys.write"])),
    params(
        ("seal_key_id" = String, Path), ("seal_package_id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)
    ),
    responses((status = 200, body = SealKeyView))
)]
pub(crate) async fn remove_seal_package(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<KeysWrite>,
    Segment((key, package)): Segment<(String, String)>,
    asked: Asked<Nothing>,
) -> Answer {
    let action = SealKeyAction::RemovePackage(package);
    Ok(Json(state.app.act_on_seal_key(&caller, asked.once, &key, action).await?))
}
