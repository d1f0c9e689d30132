//! Signing in, sessions and personal API tokens.

use axum::Json;
use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::{
    ApiTokenList, ApiTokenView, ChallengeView, CreatedApiToken, NewApiToken, SessionList, SignedIn, SignedInView,
};
use crate::core::customer::WalletAddress;
use crate::core::field_error::FieldErrors;
use crate::http::cookies;
use crate::http::extract::{Asked, Authorized, Body, Nothing, Person, Segment};
use crate::http::gate::ClientIp;
use crate::http::limits::place;
use crate::http::{HttpState, Problem};

/// Who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectWallet {
    /// The wallet's Sui address: `0x` and 64 hexadecimal digits.
    #[schema(pattern = "^0x[0-9a-fA-F]{64}$")]
    address: String,
}

/// A signed challenge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifySignature {
    /// The wallet's Sui address.
    #[schema(pattern = "^0x[0-9a-fA-F]{64}$")]
    address: String,
    /// The wallet's signature of the challenge as a personal message, in base64 with its scheme's flag in front.
    #[schema(max_length = 16384)]
    signature: String,
    /// The challenge's nonce.
    #[schema(max_length = 200)]
    nonce: String,
}

fn address(text: &str) -> Result<WalletAddress, Problem> {
    let mut errors = FieldErrors::new();
    let address = errors.take("address", text.parse());
    errors.finish().map_err(crate::app::Refusal::from)?;
    address.ok_or_else(|| Problem::of(crate::core::error_code::Code::InvalidFields))
}

/// Gives the text that a wallet signs to sign in.
#[utoipa::path(
    post, path = "/api/auth/connect-wallet", tag = "auth", request_body = ConnectWallet,
    responses((status = 200, body = ChallengeView))
)]
pub(crate) async fn connect_wallet(
    State(state): State<HttpState>,
    ClientIp(ip): ClientIp,
    Body(body): Body<ConnectWallet>,
) -> Result<Json<ChallengeView>, Problem> {
    let address = address(&body.address)?;
    state.gate.limits.check_sign_in(ip)?;
    Ok(Json(state.app.connect_wallet(&address)?))
}

/// Signs in with a signed challenge, which is used up by the attempt, right or wrong.
#[utoipa::path(
    post, path = "/api/auth/verify-signature", tag = "auth", request_body = VerifySignature,
    responses(
        (status = 200, body = SignedInView, description = "Signed in; both cookies are set"),
        (status = 401, body = crate::http::problem::Document, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn verify_signature(
    State(state): State<HttpState>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    Body(body): Body<VerifySignature>,
) -> Result<Response, Problem> {
    let address = address(&body.address)?;
    state.gate.limits.check_sign_in(ip)?;
    let opened = state.app.open_challenge(address.clone(), &body.nonce)?;
    state.gate.limits.sign_in_address.check(&(address, place(ip)))?;
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_in = state.app.verify_signature(opened, body.signature, ip, agent).await?;
    Ok(with_cookies(signed_in))
}

fn with_cookies(signed_in: SignedIn) -> Response {
    let SignedIn { view, access, refresh } = signed_in;
    let mut response = Json(view).into_response();
    cookies::set(response.headers_mut(), &access, &refresh);
    response
}

/// Exchanges the refresh cookie for new cookies. A refresh token is good once: when it comes again, its session ends.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth",
    responses(
        (status = 200, body = SignedInView, description = "Both cookies are new"),
        (status = 401, body = crate::http::problem::Document, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn refresh(
    State(state): State<HttpState>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match state.app.refresh(cookies::refresh_cookie(&headers), ip).await {
        Ok(signed_in) => Ok(with_cookies(signed_in)),
        Err(error) => {
            let mut response = Problem::from(error).into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                cookies::clear(response.headers_mut());
            }
            Ok(response)
        }
    }
}

/// Ends this session and has the browser forget its cookies. Does nothing else if there is none.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204)))]
pub(crate) async fn logout(
    State(state): State<HttpState>,
    ClientIp(ip): ClientIp,
    caller: Option<Authorized<Person>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = caller.map(|Authorized(caller, _)| caller);
    state.app.logout(session, cookies::refresh_cookie(&headers), ip).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookies::clear(response.headers_mut());
    Ok(response)
}

/// Lists where you are signed in.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "auth", security(("session" = [])),
    responses((status = 200, body = SessionList))
)]
pub(crate) async fn list_sessions(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
) -> Result<Json<SessionList>, Problem> {
    Ok(Json(state.app.list_sessions(&caller).await?))
}

/// Ends one session.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{session_id}", tag = "auth", security(("session" = [])),
    params(("session_id" = String, Path)), responses((status = 204))
)]
pub(crate) async fn revoke_session(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
    Segment(session): Segment<String>,
) -> Result<StatusCode, Problem> {
    state.app.revoke_session(&caller, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every session but this one.
#[utoipa::path(
    post, path = "/api/auth/sessions/revoke-others", tag = "auth", security(("session" = [])),
    responses((status = 200, body = SessionList, description = "What is left: this one"))
)]
pub(crate) async fn revoke_other_sessions(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
) -> Result<Json<SessionList>, Problem> {
    state.app.revoke_other_sessions(&caller).await?;
    Ok(Json(state.app.list_sessions(&caller).await?))
}

/// Lists personal API tokens that are not revoked.
#[utoipa::path(
    get, path = "/api/auth/tokens", tag = "auth", security(("session" = [])),
    responses((status = 200, body = ApiTokenList))
)]
pub(crate) async fn list_tokens(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
) -> Result<Json<ApiTokenList>, Problem> {
    Ok(Json(state.app.list_tokens(&caller).await?))
}

/// Creates a personal API token. Its text is in this answer only.
#[utoipa::path(
    post, path = "/api/auth/tokens", tag = "auth", security(("session" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = NewApiToken,
    responses((status = 201, body = CreatedApiToken))
)]
pub(crate) async fn create_token(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
    asked: Asked<NewApiToken>,
) -> Result<(StatusCode, Json<CreatedApiToken>), Problem> {
    let created = state.app.create_token(&caller, asked.once, asked.body).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a personal API token, for good.
#[utoipa::path(
    delete, path = "/api/auth/tokens/{api_token_id}", tag = "auth", security(("session" = [])),
    params(("api_token_id" = String, Path)), responses((status = 200, body = ApiTokenView))
)]
pub(crate) async fn revoke_token(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<Person>,
    Segment(token): Segment<String>,
    asked: Asked<Nothing>,
) -> Result<Json<ApiTokenView>, Problem> {
    Ok(Json(state.app.revoke_token(&caller, asked.once, &token).await?))
}
