//! Whether an invoice still follows from what it was made of: its lines from the ledger's hours of usage and prices, and
//! these hours from the requests that are stored. Nothing is changed.

mod compare;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::compare::{Found, InAll, compare_hours, compare_lines};
use super::App;
use super::billing::{BillingFailure, convert};
use super::invoice_document::counted;
use crate::core::billing::{Invoice, InvoiceState, Line, UsagePrices};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::config_global::{BadConfig, ConfigGlobal, PRICE_KEYS, PriceChange, PricePeriod, price_periods};
use crate::core::id::CustomerId;
use crate::core::usage::HourUsage;
use crate::ledger::billed_usage::billed_of;
use crate::ledger::billing_invoice::{find_invoice_by_number, invoices_of};
use crate::ledger::config_global::{config_changes_since, load_config_global};
use crate::ledger::credit::{StoredCredit, StoredCreditReason, credits_of};
use crate::ledger::usage::hours_between;
use crate::ledger::{Ledger, LedgerError, ReadTx};
use crate::traffic::{StoredUsage, Traffic, TrafficError};

/// What came of checking an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceCheck {
    /// `INV-000042`
    pub number: String,
    pub customer: u32,
    /// `2026-11`
    pub month: String,
    pub state: String,
    /// Whether nothing differs.
    pub is_equal: bool,
    /// The lines of usage.
    pub lines: Vec<LineCheck>,
    /// Hours of which the ledger says something else than the stored requests, by time.
    pub hours: Vec<HourDifference>,
    /// Hours that were counted anew from stored requests.
    pub hours_counted: u64,
    /// Hours whose requests are not kept any more, or are still being counted.
    pub hours_not_counted: u64,
}

/// One line of usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCheck {
    /// From 1, as printed.
    pub line: u32,
    /// What is printed.
    pub what: String,
    pub verdict: Verdict,
    /// Empty if it is equal.
    pub differences: Vec<Difference>,
}

/// How a line compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Equal,
    /// The hours changed after it was issued, and another line or a correction has settled exactly that.
    SettledElsewhere,
    Differs,
}

/// Something that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `quantity`, `digest`, `price`, or `lines`: all lines about the same usage together
    pub of: String,
    /// What the invoice says, or what was billed in all; of `lines`, what these say.
    pub invoice: String,
    /// What the ledger says; of `lines`, what was billed in all.
    pub ledger: String,
}

/// An hour that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourDifference {
    /// From 1, as printed.
    pub line: u32,
    pub service: String,
    /// RFC 3339.
    pub hour: String,
    /// Billable requests or bytes, as the line measures.
    pub ledger: u64,
    pub requests: u64,
}

/// An invoice cannot be checked, which says nothing about it.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("no invoice has the number {0}")]
    NoSuchInvoice(u64),
    #[error("the invoice cannot be read")]
    Billing(#[from] BillingFailure),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    #[error("config_global holds values that are not allowed")]
    ConfigGlobal(#[from] BadConfig),
    #[error("the query has panicked")]
    Panicked,
}

/// An invoice with everything that the ledger knows of what it bills.
struct Evidence {
    invoice: Invoice,
    hours: Vec<HourUsage>,
    prices: UsagePrices,
    in_all: InAll,
}

impl App {
    /// [`check_invoice`] of the running process.
    ///
    /// # Errors
    /// [`CheckError`].
    pub async fn check_invoice(&self, number: u64) -> Result<InvoiceCheck, CheckError> {
        check_invoice(&self.ledger, &self.traffic, number, self.clock.now()).await
    }
}

/// Compares the invoice with a printed number with the ledger and, as far as they are kept, with requests.
///
/// # Errors
/// [`CheckError`].
pub async fn check_invoice(
    ledger: &Ledger,
    traffic: &Traffic,
    number: u64,
    now: UtcMillis,
) -> Result<InvoiceCheck, CheckError> {
    let evidence = ledger.read(move |tx| load(tx, number)).await?.ok_or(CheckError::NoSuchInvoice(number))?;
    let windows = windows(&evidence.invoice);
    let (from, to) = (windows.iter().map(|window| window.0).min(), windows.iter().map(|window| window.1).max());
    let stored = match from.zip(to) {
        Some((from, to)) => {
            let (traffic, customer) = (traffic.clone(), evidence.invoice.customer);
            let counted = tokio::task::spawn_blocking(move || traffic.stored_usage(customer, from, to)).await;
            counted.map_err(|_| CheckError::Panicked)??
        }
        None => StoredUsage { kept_from: UtcMillis(0), hours: Vec::new() },
    };
    Ok(report(&evidence, &stored, now))
}

fn report(evidence: &Evidence, stored: &StoredUsage, now: UtcMillis) -> InvoiceCheck {
    let invoice = &evidence.invoice;
    let lines = compare_lines(invoice, &evidence.hours, &evidence.prices, &evidence.in_all);
    let Found { hours, counted, not_counted } = compare_hours(invoice, &evidence.hours, stored, now);
    InvoiceCheck {
        number: invoice.number.map_or_else(|| "draft".to_owned(), |number| number.to_string()),
        customer: invoice.customer.get(),
        month: invoice.month.to_string(),
        state: invoice.state.name().to_owned(),
        is_equal: hours.is_empty() && lines.iter().all(|line| line.verdict != Verdict::Differs),
        lines,
        hours,
        hours_counted: counted,
        hours_not_counted: not_counted,
    }
}

fn load(tx: &ReadTx<'_>, number: u64) -> Result<Option<Evidence>, CheckError> {
    let Some(stored) = find_invoice_by_number(tx, number)? else { return Ok(None) };
    let invoice = convert::invoice_from(&stored)?;
    let mut evidence =
        Evidence { invoice, hours: Vec::new(), prices: UsagePrices::default(), in_all: InAll::default() };
    let windows = windows(&evidence.invoice);
    let months: BTreeSet<Month> =
        evidence.invoice.lines.iter().filter(|line| line.usage.is_some()).map(|line| line.month).collect();
    if let Some((from, to)) =
        windows.iter().map(|window| window.0).min().zip(windows.iter().map(|window| window.1).max())
    {
        evidence.hours = hours_between(tx, evidence.invoice.customer, from, to)?;
        evidence.prices.requests = prices(tx, from, to)?;
    }
    if !months.is_empty() {
        evidence.in_all = load_in_all(tx, evidence.invoice.customer, months)?;
    }
    Ok(Some(evidence))
}

/// What was billed in all of usage of some months.
fn load_in_all(tx: &ReadTx<'_>, customer: CustomerId, months: BTreeSet<Month>) -> Result<InAll, CheckError> {
    let mut in_all = InAll::default();
    for stored in invoices_of(tx, customer, None, u32::MAX)? {
        let invoice = convert::invoice_from(&stored)?;
        if !matches!(invoice.state, InvoiceState::Draft | InvoiceState::Voided) {
            in_all.lines.extend(invoice.lines.into_iter().filter(Line::is_metered));
        }
    }
    for month in months {
        in_all.billed.extend(billed_of(tx, customer, month)?.iter().map(convert::billed_from));
    }
    let of_no_invoice =
        |credit: &StoredCredit| credit.reason == StoredCreditReason::Reconciliation && credit.invoice.is_none();
    in_all.is_corrected = credits_of(tx, customer)?.iter().any(of_no_invoice);
    Ok(in_all)
}

fn windows(invoice: &Invoice) -> Vec<(UtcMillis, UtcMillis)> {
    let of_line = |line| counted(invoice, line).map(|(counted, _)| (counted.window.from, counted.window.to));
    invoice.lines.iter().filter_map(of_line).collect()
}

/// The price of requests by its history.
fn prices(tx: &ReadTx<'_>, from: UtcMillis, to: UtcMillis) -> Result<Vec<PricePeriod>, CheckError> {
    let current = ConfigGlobal::from_table(&load_config_global(tx)?)?.request_price();
    let changes = config_changes_since(tx, PRICE_KEYS, from)?;
    let changes: Vec<_> = changes
        .into_iter()
        .map(|change| PriceChange { at: change.at, key: change.key, old_value: change.old_value })
        .collect();
    Ok(price_periods(current, &changes, from, to))
}
