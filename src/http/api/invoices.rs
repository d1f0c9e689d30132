//! Invoices, with the files and the hours behind them.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::page::PageParams;
use crate::app::invoice_document::style_sha256;
use crate::app::{InvoiceDetail, InvoiceFile, InvoiceName, InvoicePage, LineHours};
use crate::core::billing::InvoiceState;
use crate::core::error_code::Code;
use crate::http::extract::{Asked, Authorized, BillingRead, BillingWrite, Nothing, Params, Segment};
use crate::http::{HttpState, Problem};

/// Which invoices, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvoicesParams {
    /// `draft`, `pending`, `paid`, `failed` or `voided`; all if it is left out.
    #[param(required = false, nullable = false, schema_with = state_schema)]
    state: Option<String>,
    /// `next_cursor` of the page before; absent for the first.
    #[param(required = false, nullable = false, max_length = 200)]
    cursor: Option<String>,
    /// Invoices of the page; more than 200 are as 200.
    #[param(required = false, nullable = false, minimum = 1, default = 50)]
    limit: Option<u32>,
}

fn state_schema() -> utoipa::openapi::schema::Object {
    let names = InvoiceState::ALL.map(InvoiceState::name);
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(names))
        .build()
}

/// What a path names; anything else is nothing that exists.
fn named(text: &str) -> Result<InvoiceName, Problem> {
    text.parse().map_err(|_| Problem::of(Code::NotFound))
}

/// Lists invoices: the draft of this month, then the newest number first.
#[utoipa::path(
    get, path = "/api/billing/invoices", tag = "billing", security(("session" = []), ("token" = ["billing.read"])),
    params(InvoicesParams), responses((status = 200, body = InvoicePage))
)]
pub(crate) async fn list_invoices(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Params(params): Params<InvoicesParams>,
) -> Result<Json<InvoicePage>, Problem> {
    let InvoicesParams { state: wanted, cursor, limit } = params;
    let unknown = || Problem::new(Code::InvalidParameter, "state must be draft, pending, paid, failed or voided");
    let wanted = wanted.map(|word| InvoiceState::from_name(&word).ok_or_else(unknown)).transpose()?;
    let page = PageParams { cursor, limit };
    Ok(Json(state.app.list_own_invoices(&caller, wanted, page.cursor.as_deref(), page.limit()).await?))
}

/// Gives an invoice with its lines, payments and credit notes: by the number printed on it, such as `INV-000042`, or
/// `draft` for that of this month.
#[utoipa::path(
    get, path = "/api/billing/invoices/{invoice}", tag = "billing",
    security(("session" = []), ("token" = ["billing.read"])),
    params(("invoice" = String, Path)), responses((status = 200, body = InvoiceDetail))
)]
pub(crate) async fn get_invoice(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment(name): Segment<String>,
) -> Result<Json<InvoiceDetail>, Problem> {
    Ok(Json(state.app.get_invoice(&caller, named(&name)?).await?))
}

/// Asks your payment methods for an unpaid invoice at once. The answer shows it paid, or that an answer is awaited.
#[utoipa::path(
    post, path = "/api/billing/invoices/{invoice}/pay", tag = "billing",
    security(("session" = []), ("token" = ["billing.write"])),
    params(("invoice" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = InvoiceDetail))
)]
pub(crate) async fn pay_invoice(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingWrite>,
    Segment(name): Segment<String>,
    asked: Asked<Nothing>,
) -> Result<Json<InvoiceDetail>, Problem> {
    Ok(Json(state.app.pay_invoice(&caller, asked.once, named(&name)?).await?))
}

/// Gives an invoice as one page of HTML, without scripts or anything that is fetched from elsewhere.
#[utoipa::path(
    get, path = "/api/billing/invoices/{invoice}/html", tag = "billing",
    security(("session" = []), ("token" = ["billing.read"])), params(("invoice" = String, Path)),
    responses((status = 200, description = "The page", content((String = "text/html"))))
)]
pub(crate) async fn invoice_html(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment(name): Segment<String>,
) -> Result<Response, Problem> {
    let page = state.app.invoice_html(&caller, named(&name)?).await?;
    let policy = format!(
        "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        style_sha256()
    );
    Ok(([(CONTENT_SECURITY_POLICY, policy)], file(page, "text/html; charset=utf-8", "inline")).into_response())
}

/// Gives an invoice as PDF/A.
#[utoipa::path(
    get, path = "/api/billing/invoices/{invoice}/pdf", tag = "billing",
    security(("session" = []), ("token" = ["billing.read"])), params(("invoice" = String, Path)),
    responses((status = 200, description = "The file", content((Vec<u8> = "application/pdf"))))
)]
pub(crate) async fn invoice_pdf(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment(name): Segment<String>,
) -> Result<Response, Problem> {
    Ok(file(state.app.invoice_pdf(&caller, named(&name)?).await?, "application/pdf", "attachment"))
}

/// Gives the hours behind each line of usage as CSV, with what each hour adds to its line in micro-dollars.
#[utoipa::path(
    get, path = "/api/billing/invoices/{invoice}/usage.csv", tag = "billing",
    security(("session" = []), ("token" = ["billing.read"])), params(("invoice" = String, Path)),
    responses((status = 200, description = "The file", content((String = "text/csv"))))
)]
pub(crate) async fn invoice_usage_csv(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment(name): Segment<String>,
) -> Result<Response, Problem> {
    let csv = state.app.invoice_usage_csv(&caller, named(&name)?).await?;
    Ok(file(csv, "text/csv; charset=utf-8", "attachment"))
}

/// Gives the hours behind a line of usage. To see an hour's requests, hand its `from` and `to` and the line's `service`
/// to `GET /api/traffic/requests`.
#[utoipa::path(
    get, path = "/api/billing/invoices/{invoice}/lines/{position}/hours", tag = "billing",
    security(("session" = []), ("token" = ["billing.read"])),
    params(("invoice" = String, Path), ("position" = u32, Path, minimum = 1, maximum = 1000)),
    responses((status = 200, body = LineHours))
)]
pub(crate) async fn line_hours(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
    Segment((name, position)): Segment<(String, u32)>,
) -> Result<Json<LineHours>, Problem> {
    Ok(Json(state.app.line_hours(&caller, named(&name)?, position).await?))
}

/// A file that is somebody's own: the gate says of it, as of every answer, that nothing may store it.
fn file(file: InvoiceFile, kind: &'static str, disposition: &str) -> Response {
    let disposition = format!("{disposition}; filename=\"{}\"", file.name);
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], file.bytes).into_response()
}
