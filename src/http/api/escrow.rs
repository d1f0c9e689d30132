//! The escrow account on the chain: what is in it, and transactions that the wallet signs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::app::{
    EscrowView, NewWalletTransaction, WalletSignature, WalletTransactionList, WalletTransactionView, WalletUsdc,
};
use crate::http::extract::{Asked, Authorized, BillingRead, BillingWrite, Nothing, Segment};
use crate::http::{HttpState, Problem};

/// Shows the account on the chain.
#[utoipa::path(
    get, path = "/api/billing/escrow", tag = "escrow", security(("session" = []), ("token" = ["billing.read"])),
    responses((status = 200, body = EscrowView))
)]
pub(crate) async fn get_escrow(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
) -> Result<Json<EscrowView>, Problem> {
    Ok(Json(state.app.escrow(&caller).await?))
}

/// Asks the chain what your wallet holds.
#[utoipa::path(
    get, path = "/api/billing/escrow/wallet", tag = "escrow",
    security(("session" = []), ("token" = ["billing.read"])), responses((status = 200, body = WalletUsdc))
)]
pub(crate) async fn get_wallet(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
) -> Result<Json<WalletUsdc>, Problem> {
    Ok(Json(state.app.wallet_usdc(&caller).await?))
}

/// Gives your wallet play money on a simulated chain, as long as it has little. On a real chain there is none (404).
#[utoipa::path(
    post, path = "/api/billing/escrow/faucet", tag = "escrow",
    security(("session" = []), ("token" = ["billing.write"])),
    responses(
        (status = 200, body = WalletUsdc),
        (status = 404, body = crate::http::problem::Document, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn draw_from_faucet(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    _: Asked<Nothing>,
) -> Result<Json<WalletUsdc>, Problem> {
    Ok(Json(state.app.draw_from_faucet(&caller).await?))
}

/// Lists the newest transactions, at most 100, newest first.
#[utoipa::path(
    get, path = "/api/billing/escrow/transactions", tag = "escrow",
    security(("session" = []), ("token" = ["billing.read"])), responses((status = 200, body = WalletTransactionList))
)]
pub(crate) async fn list_transactions(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
) -> Result<Json<WalletTransactionList>, Problem> {
    Ok(Json(state.app.wallet_transactions(&caller).await?))
}

/// Makes a transaction for your wallet to sign: a deposit, a withdrawal, or another spending limit. Nothing happens
/// before it is signed and handed in.
#[utoipa::path(
    post, path = "/api/billing/escrow/transactions", tag = "escrow",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = NewWalletTransaction,
    responses((status = 201, body = WalletTransactionView))
)]
pub(crate) async fn build_transaction(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    asked: Asked<NewWalletTransaction>,
) -> Result<(StatusCode, Json<WalletTransactionView>), Problem> {
    let built = state.app.build_wallet_transaction(&caller, asked.once, asked.body).await?;
    Ok((StatusCode::CREATED, Json(built)))
}

/// Shows a transaction, and how far it is.
#[utoipa::path(
    get, path = "/api/billing/escrow/transactions/{digest}", tag = "escrow",
    security(("session" = []), ("token" = ["billing.read"])), params(("digest" = String, Path)),
    responses((status = 200, body = WalletTransactionView))
)]
pub(crate) async fn get_transaction(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment(digest): Segment<String>,
) -> Result<Json<WalletTransactionView>, Problem> {
    Ok(Json(state.app.wallet_transaction(&caller, digest).await?))
}

/// Gives up a transaction that is not signed: no signature of it is taken any more. One that has failed stays as it is.
#[utoipa::path(
    delete, path = "/api/billing/escrow/transactions/{digest}", tag = "escrow",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("digest" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = WalletTransactionView))
)]
pub(crate) async fn give_up_transaction(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    Segment(digest): Segment<String>,
    asked: Asked<Nothing>,
) -> Result<Json<WalletTransactionView>, Problem> {
    Ok(Json(state.app.give_up_wallet_transaction(&caller, asked.once, digest).await?))
}

/// Hands in your wallet's signature of a transaction. It is on its way then: look at it again until it is `credited`.
#[utoipa::path(
    post, path = "/api/billing/escrow/transactions/{digest}/signature", tag = "escrow",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("digest" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = WalletSignature,
    responses((status = 200, body = WalletTransactionView))
)]
pub(crate) async fn hand_in_signature(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    Segment(digest): Segment<String>,
    asked: Asked<WalletSignature>,
) -> Result<Json<WalletTransactionView>, Problem> {
    Ok(Json(state.app.hand_in_wallet_transaction(&caller, asked.once, digest, asked.body).await?))
}
