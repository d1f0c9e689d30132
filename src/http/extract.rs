//! What handlers take from a request, read into types; what cannot be read is answered before the handler runs.

use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, OptionalFromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::Problem;
use super::gate::{ClientIp, Identity};
use crate::app::{Caller, Once};
use crate::core::api_token::Scope;
use crate::core::error_code::Code;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// What a route asks of its caller.
pub(super) trait Needs {
    /// `None`: a signed-in person; no token will do.
    const SCOPE: Option<Scope>;
}

macro_rules! needs {
    ($($name:ident = $scope:expr;)*) => {$(
        pub(super) struct $name;

        impl Needs for $name {
            const SCOPE: Option<Scope> = $scope;
        }
    )*};
}

needs! {
    Person = None;
    AccountRead = Some(Scope::AccountRead);
    AccountWrite = Some(Scope::AccountWrite);
    ServicesRead = Some(Scope::ServicesRead);
    ServicesWrite = Some(Scope::ServicesWrite);
    KeysRead = Some(Scope::KeysRead);
    KeysWrite = Some(Scope::KeysWrite);
    ActivityRead = Some(Scope::ActivityRead);
    TrafficRead = Some(Scope::TrafficRead);
    BillingRead = Some(Scope::BillingRead);
    BillingWrite = Some(Scope::BillingWrite);
}

/// A caller who may use the route.
pub(super) struct Authorized<N>(pub Caller, pub PhantomData<N>);

impl<S: Sync, N: Needs> FromRequestParts<S> for Authorized<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identity = parts.extensions.get::<Identity>().cloned();
        let caller = identity.ok_or_else(|| Problem::of(Code::SignInRequired))?.0?;
        match N::SCOPE {
            Some(scope) => caller.require(scope)?,
            None => drop(caller.session()?),
        }
        Ok(Self(caller, PhantomData))
    }
}

/// The caller, if there is one.
impl<S: Sync, N: Needs> OptionalFromRequestParts<S> for Authorized<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        Ok(<Self as FromRequestParts<S>>::from_request_parts(parts, state).await.ok())
    }
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| Problem::of(Code::Internal))
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Json::from_request(request, state)
            .await
            .map(|Json(value)| Self(value))
            .map_err(|rejection| unreadable(&rejection))
    }
}

/// A change that is asked for: its JSON body, and whether it is to happen once.
pub(super) struct Asked<T> {
    pub body: T,
    pub once: Option<Once>,
}

/// For changes that take no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Nothing;

impl<S: Send + Sync, T: FromBytes> FromRequest<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let key = idempotency_key(&request)?;
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        let head = format!("{} {}\n", request.method(), request.uri());
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| too_large(rejection.into_response().status()))?;
        let request_sha256 = Sha256::new().chain_update(head).chain_update(&bytes).finalize().into();
        let is_json = content_type.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let body = T::from_bytes(&bytes, is_json.as_deref())?;
        Ok(Self { body, once: key.map(|key| Once { key, request_sha256 }) })
    }
}

/// A body as a whole.
pub(super) trait FromBytes: Sized {
    /// # Errors
    /// [`Code::InvalidBody`], [`Code::UnsupportedMediaType`].
    fn from_bytes(bytes: &Bytes, content_type: Option<&str>) -> Result<Self, Problem>;
}

impl FromBytes for Nothing {
    fn from_bytes(bytes: &Bytes, _: Option<&str>) -> Result<Self, Problem> {
        if bytes.is_empty() { Ok(Self) } else { Err(Problem::new(Code::InvalidBody, "this takes no body")) }
    }
}

/// A body that is a JSON document.
impl<T: DeserializeOwned> FromBytes for T {
    fn from_bytes(bytes: &Bytes, content_type: Option<&str>) -> Result<Self, Problem> {
        let essence = content_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::of(Code::UnsupportedMediaType));
        }
        Json::from_bytes(bytes).map(|Json(value)| value).map_err(|rejection| unreadable(&rejection))
    }
}

fn idempotency_key(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let is_good =
        !text.is_empty() && text.len() <= MAX_IDEMPOTENCY_KEY && text.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong =
        || format!("Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters, such as a UUID");
    if is_good { Ok(Some(text.to_owned())) } else { Err(Problem::new(Code::InvalidParameter, wrong())) }
}

fn too_large(status: StatusCode) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::of(Code::BodyTooLarge)
    } else {
        Problem::new(Code::InvalidBody, "the body ended early")
    }
}

fn unreadable(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => Problem::of(Code::UnsupportedMediaType),
        JsonRejection::BytesRejection(_) => too_large(rejection.status()),
        rejection => Problem::new(Code::InvalidBody, cause(rejection)),
    }
}

/// The innermost sentence: the outer ones only say that JSON could not be read.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The query of an address.
pub(super) struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(value)| Self(value))
            .map_err(|rejection| Problem::new(Code::InvalidParameter, cause(&rejection)))
    }
}

/// A part of the path. What cannot be read names nothing that exists.
pub(super) struct Segment<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = <Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|_| Problem::of(Code::NotFound))
    }
}
