//! The API's description, OpenAPI 3.1: paths and schemas come from the handlers; what all of them have in common is
//! added here, once.

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Info, License, OpenApi, Ref, ResponseBuilder, Tag};
use utoipa_axum::router::OpenApiRouter;

use super::problem::{Document, status};
use super::{HttpState, api};
use crate::core::error_code::Code;

const ABOUT: &str = "Everything that the dashboard can do, for programs.

**Signing in.** People sign in with a Sui wallet and get two cookies. Programs send a personal API token, which a
signed-in person creates: `Authorization: Bearer suiftly_pat_…`. An operation names the scope that a token needs.

**Errors** are problem documents (RFC 9457) with a stable `code`, listed below. Accounts never see each other: what
belongs to somebody else does not exist (404).

**Once only.** Changes take an `Idempotency-Key`: sent again within a day, the same request is answered as before and
nothing happens twice.

**Lists** are read page by page: give `next_cursor` back as `cursor` until it is absent.

**Limits.** Answers say in `RateLimit` what is left; beyond it, `429` says in `Retry-After` how long to wait.

Times are RFC 3339 in UTC. Amounts are whole micro-dollars (`…_micros`), often beside the same for people.";

/// The document, as the server of this version would serve it.
pub fn openapi() -> OpenApi {
    let (_, document) = api::routes().split_for_parts();
    document
}

/// An empty router with what paths do not say.
pub(super) fn described() -> OpenApiRouter<HttpState> {
    let mut info = Info::new("suiftly", env!("CARGO_PKG_VERSION"));
    info.description = Some(format!("{ABOUT}\n\n{}", codes_table()));
    info.license = Some(License::new("Apache-2.0"));
    let mut document = OpenApi::new(info, utoipa::openapi::Paths::new());
    document.tags = Some(TAGS.iter().map(|(name, about)| tag(name, about)).collect());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("session", session());
    components.add_security_scheme("token", token());
    OpenApiRouter::with_openapi(document)
}

const TAGS: [(&str, &str); 10] = [
    ("auth", "Signing in with a wallet, sessions, and personal API tokens"),
    ("customer", "The account, and everything that was done to it"),
    ("services", "Services, their tiers, states and settings"),
    ("api-keys", "API keys of a service"),
    ("seal-keys", "Seal keys, their packages, and their registration on the chain"),
    ("traffic", "Requests: figures, charts, and the requests themselves"),
    ("network", "The gateways that serve requests"),
    ("billing", "Invoices, credits, the statement of the account, and what is paid by what"),
    ("escrow", "The account on the chain, and transactions that the wallet signs"),
    ("config", "Public prices and limits"),
];

fn tag(name: &str, about: &str) -> Tag {
    let mut tag = Tag::new(name);
    tag.description = Some(about.to_owned());
    tag
}

fn session() -> SecurityScheme {
    let about = "Set by `verify-signature`, good for 15 minutes; `refresh` gives the next.";
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("__Host-suiftly-access", about)))
}

fn token() -> SecurityScheme {
    let about = "A personal API token, `suiftly_pat_…`.";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build())
}

fn codes_table() -> String {
    let row = |code: &Code| format!("| `{}` | {} | {} |\n", code.name(), status(*code).as_u16(), code.meaning());
    let rows: String = Code::ALL.iter().map(row).collect();
    format!("| code | status | what it means |\n|---|---|---|\n{rows}")
}

/// The schema of `code`: one of the words.
pub(super) fn code_schema() -> Schema {
    let names = Code::ALL.iter().map(|code| code.name());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
}

/// Adds to each operation the errors that every operation of its kind can have.
pub(super) fn add_errors(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.schemas.extend(schemas_of::<Document>());
    for (path, item) in &mut document.paths.paths {
        for (is_safe, operation) in operations(item) {
            for code in statuses(path, is_safe, operation) {
                let key = code.as_str().to_owned();
                operation.responses.responses.entry(key).or_insert_with(|| problem(code).into());
            }
        }
    }
}

fn schemas_of<T: utoipa::ToSchema>() -> Vec<(String, utoipa::openapi::RefOr<Schema>)> {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas.push((T::name().into_owned(), T::schema()));
    schemas
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let unsafe_ones = [put, post, delete, patch].into_iter().flatten().map(|operation| (false, operation));
    get.iter_mut().map(|operation| (true, operation)).chain(unsafe_ones)
}

fn statuses(path: &str, is_safe: bool, operation: &Operation) -> Vec<StatusCode> {
    let mut statuses = vec![
        StatusCode::BAD_REQUEST,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if operation.security.is_some() {
        statuses.extend([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
    }
    if path.contains('{') {
        statuses.push(StatusCode::NOT_FOUND);
    }
    if !is_safe {
        statuses.extend([StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY]);
        statuses.push(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if operation.request_body.is_some() {
        statuses.push(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    statuses
}

fn problem(status: StatusCode) -> utoipa::openapi::Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let reason = status.canonical_reason().unwrap_or_default();
    ResponseBuilder::new().description(reason).content("application/problem+json", content).build()
}
