//! From a line of usage down to its hours, and from there to requests.

use serde::Serialize;
use utoipa::ToSchema;

use super::invoices::credit_reasons;
use super::lines::{InvoiceLineView, line_view};
use super::name::{InvoiceName, find_named};
use crate::app::billing::convert;
use crate::app::invoice_document::{UsageOfInvoice, hours_of_invoice};
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::calendar::{DAY_MS, HOUR_MS};
use crate::core::error_code::Code;
use crate::ledger::ReadTx;

/// An hour of a line. `from` and `to` are what `GET /api/traffic/requests` takes, beside the line's `service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HourOfLine)]
pub struct HourOfLineView {
    #[schema(format = DateTime)]
    pub from: String,
    #[schema(format = DateTime)]
    pub to: String,
    /// Of what the line counts.
    pub quantity: u64,
    pub billable_requests: u64,
    pub billable_bytes: u64,
    /// What the hour adds to the line, to the micro-dollar. Absent for late usage, which bills only what the hours have
    /// more than was billed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub amount_micros: Option<i64>,
}

/// The hours that a line was counted from: those in which something was used, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineHours {
    pub invoice: String,
    pub line: InvoiceLineView,
    pub items: Vec<HourOfLineView>,
    /// SHA-256 of the hours as they are: equal to the line's `hours_sha256` as long as nothing came late.
    pub hours_sha256: String,
    /// Requests that were made before are not kept any more.
    #[schema(format = DateTime)]
    pub requests_kept_since: String,
}

impl App {
    /// The hours behind a line of usage of the caller's invoice. Lines are counted from 1.
    ///
    /// # Errors
    /// [`Code::NotFound`], also for a line that is none of usage.
    pub async fn line_hours(&self, caller: &Caller, name: InvoiceName, position: u32) -> Result<LineHours, AppError> {
        let customer = caller.customer;
        let kept_since = self.clock.now().plus_ms(-i64::from(self.kept.retention_days).saturating_mul(DAY_MS));
        let read = move |tx: &ReadTx<'_>| {
            let invoice = convert::invoice_from(&find_named(tx, customer, name)?)?;
            let place = position.checked_sub(1).and_then(|place| usize::try_from(place).ok());
            let line = place.and_then(|place| invoice.lines.get(place)).ok_or_else(|| Refusal::of(Code::NotFound))?;
            let hours = hours_of_invoice(tx, &invoice)?;
            let usage = UsageOfInvoice { invoice: &invoice, hours: &hours };
            let counted = usage.hours_of(line)?;
            let counted =
                counted.ok_or_else(|| Refusal::new(Code::NotFound, "this line was not counted from hours"))?;
            let item = |hour: &crate::app::invoice_document::HourOfLine| HourOfLineView {
                from: hour.start.to_string(),
                to: hour.start.plus_ms(HOUR_MS).to_string(),
                quantity: hour.quantity,
                billable_requests: hour.billable_requests,
                billable_bytes: hour.billable_bytes,
                amount_micros: hour.amount.map(crate::core::money::Usd::micros),
            };
            Ok::<_, AppError>(LineHours {
                invoice: name.to_string(),
                line: line_view(position, line, &credit_reasons(tx, &invoice)?),
                items: counted.hours.iter().map(item).collect(),
                hours_sha256: counted.digest.to_string(),
                requests_kept_since: kept_since.to_string(),
            })
        };
        self.ledger.read(read).await
    }
}
