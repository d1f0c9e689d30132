//! Errors as RFC 9457 problem documents. The only place that knows which error has which status.

use std::borrow::Cow;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tracing::error;
use utoipa::ToSchema;

use super::limits::Left;
use crate::app::{AppError, Refusal};
use crate::core::error_code::Code;
use crate::core::field_error::FieldError;
use crate::telemetry::chain;

/// An error as the client sees it. A 4xx says what to change; a 5xx says nothing of the inside.
#[derive(Debug, Clone)]
pub struct Problem {
    refusal: Box<Refusal>,
    /// Of the limit that was reached, if one was.
    left: Option<Left>,
}

/// An error, as of RFC 9457.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// `urn:suiftly:error:` and the code.
    r#type: String,
    /// A short sentence, the same for every occurrence.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// The stable word to tell errors apart by.
    #[schema(schema_with = super::openapi::code_schema)]
    code: Cow<'static, str>,
    /// What happened in this case, and what to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// Every field that is not right, for `invalid_fields` and `invalid_parameter`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    errors: Vec<FieldProblem>,
}

/// A field and what it must be instead.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct FieldProblem {
    /// The name in the request, such as `name` or `ip_allowlist[2]`.
    field: String,
    /// A sentence that says what to change.
    message: String,
}

/// Which status an error has.
pub(super) const fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidBody | Code::InvalidParameter | Code::InvalidCursor => StatusCode::BAD_REQUEST,
        Code::SignInRequired | Code::SignatureRefused | Code::RefreshRefused => StatusCode::UNAUTHORIZED,
        Code::OriginRefused
        | Code::ScopeMissing
        | Code::SessionRequired
        | Code::AccountClosed
        | Code::AccountSuspended => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::ServiceState
        | Code::TierTooSmall
        | Code::PaymentPending
        | Code::PaymentUnderWay
        | Code::InvoiceUnpaid
        | Code::CannotPay
        | Code::PriceChanged
        | Code::BillingOnHold
        | Code::InvoiceState
        | Code::NoEscrowAccount
        | Code::TransactionState
        | Code::TooManyUnsigned
        | Code::WalletHasPlenty
        | Code::LimitReached
        | Code::KeyState
        | Code::NotRevealable
        | Code::AlreadyExists
        | Code::OffsetMismatch
        | Code::StreamSuperseded => StatusCode::CONFLICT,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::InvalidFields | Code::IdempotencyKeyReused | Code::SignatureSchemeUnsupported => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::RateLimited | Code::CreationsLimited | Code::SubscriptionsLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::ChainUnavailable
        | Code::TooManyWatchers
        | Code::NotReady
        | Code::RequestTimeout
        | Code::QueryTimeout
        | Code::QueriesBusy => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// Nothing to add to what the code means.
    pub fn of(code: Code) -> Self {
        Refusal::of(code).into()
    }

    /// With what happened in this case.
    pub fn new(code: Code, detail: impl ToString) -> Self {
        Refusal::new(code, detail).into()
    }

    /// Says which limit was reached.
    pub(super) fn with_left(self, left: Left) -> Self {
        Self { left: Some(left), ..self }
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> Code {
        self.refusal.code
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { refusal: Box::new(refusal), left: None }
    }
}

/// What is not the client's doing is logged here, once, and not told.
impl From<AppError> for Problem {
    fn from(cause: AppError) -> Self {
        match cause {
            AppError::Refused(refusal) => Self { refusal, left: None },
            cause => {
                error!(error = %chain(&cause), "a request could not be served");
                Self::of(Code::Internal)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Refusal { code, detail, fields, retry_after_s } = *self.refusal;
        let status = status(code);
        let document = Document {
            r#type: format!("urn:suiftly:error:{}", code.name()),
            title: code.title().into(),
            status: status.as_u16(),
            code: code.name().into(),
            detail: (!detail.is_empty()).then_some(detail),
            errors: fields.list().iter().map(FieldProblem::from).collect(),
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(left) = self.left {
            left.write(headers);
        }
        response
    }
}

impl From<&FieldError> for FieldProblem {
    fn from(error: &FieldError) -> Self {
        Self { field: error.field.clone(), message: error.message.clone() }
    }
}
