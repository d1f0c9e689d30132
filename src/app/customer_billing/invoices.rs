//! Invoices: listed, shown with everything that belongs to them, and paid when their customer wants it.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::lines::{CreditReasons, InvoiceLineView, line_views};
use super::name::{InvoiceName, find_named};
use super::payments::{CompletenessView, CreditNoteView, PaymentAttempt};
use crate::app::billing::{carry_out, convert};
use crate::app::change::{Change, Once};
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::billing::{self, Event, Invoice, InvoiceState};
use crate::core::error_code::Code;
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::tier::Tier;
use crate::ledger::ReadTx;
use crate::ledger::billing_invoice::{StoredInvoice, StoredInvoiceState, page_of_invoices};
use crate::ledger::charge::charges_of_invoice;
use crate::ledger::credit::find_credit;
use crate::ledger::credit_note::credit_notes_of;
use crate::ledger::parked::parked;

/// What an invoice is for, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceSums {
    /// `monthly` for the usage of its month and the next month prepaid; `subscribe`, `resume` or `upgrade` for one
    /// service.
    pub purpose: String,
    /// Absent for a monthly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub service: Option<String>,
    /// The tier that an upgrade is to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<String>,
    /// Such as `2026-11`.
    pub month: String,
    /// All lines but credits.
    pub charges_micros: i64,
    /// The same, for people.
    pub charges: String,
    /// Credits that are used for it.
    pub credits_micros: i64,
    /// The same, for people.
    pub credits: String,
    /// What payment methods are asked for: charges less credits.
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
    /// What was rounded off its lines, and is not charged.
    pub remainder_micros: i64,
    /// Granted as credit when it is paid, for the days before a subscription.
    pub credit_on_payment_micros: i64,
    /// The same, for people.
    pub credit_on_payment: String,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Invoice)]
pub struct InvoiceView {
    /// The number printed on it, such as `INV-000042`; `draft` for the one that grows with the month.
    pub invoice: String,
    /// `draft`, `pending`, `paid`, `failed` or `voided`.
    pub state: String,
    #[serde(flatten)]
    pub sums: InvoiceSums,
    /// Absent for a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub issued_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub paid_at: Option<String>,
    /// When it first could not be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub first_failure_at: Option<String>,
    /// When it is tried again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub retry_at: Option<String>,
}

/// An invoice with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceDetail {
    #[serde(flatten)]
    pub head: InvoiceView,
    /// Charges, then tax, then credits.
    pub lines: Vec<InvoiceLineView>,
    /// Whom money was asked for, or given back by, oldest first.
    pub attempts: Vec<PaymentAttempt>,
    /// Oldest first.
    pub credit_notes: Vec<CreditNoteView>,
    /// Of monthly invoices that were issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub completeness: Option<CompletenessView>,
    /// Whether payments are on a simulated chain: play money.
    pub is_simulated_chain: bool,
}

/// A page of invoices: the draft, then the newest number first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvoicePage {
    pub items: Vec<InvoiceView>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

impl App {
    /// A page of the caller's invoices, those in `state` or all.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_own_invoices(
        &self,
        caller: &Caller,
        state: Option<InvoiceState>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<InvoicePage, AppError> {
        let after = cursor.map(str::parse::<InvoiceName>).transpose().map_err(|_| Refusal::of(Code::InvalidCursor))?;
        let before = after.map(|name| match name {
            InvoiceName::Draft => u64::MAX,
            InvoiceName::Number(number) => number.0,
        });
        let (customer, more) = (caller.customer, limit.saturating_add(1));
        let state = state.and_then(|state| StoredInvoiceState::from_name(state.name()));
        let read = move |tx: &ReadTx<'_>| Ok::<_, AppError>(page_of_invoices(tx, customer, state, before, more)?);
        let mut found = self.ledger.read(read).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let items: Vec<InvoiceView> =
            found.iter().map(|stored| head(&convert::invoice_from(stored)?)).collect::<Result<_, _>>()?;
        let next_cursor = items.last().filter(|_| !is_last).map(|last| last.invoice.clone());
        Ok(InvoicePage { items, next_cursor })
    }

    /// One invoice of the caller.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn get_invoice(&self, caller: &Caller, name: InvoiceName) -> Result<InvoiceDetail, AppError> {
        let (customer, is_simulated) = (caller.customer, self.chain.is_simulated());
        let read = move |tx: &ReadTx<'_>| detail(tx, &find_named(tx, customer, name)?, is_simulated);
        self.ledger.read(read).await
    }

    /// Asks the caller's payment methods for an unpaid invoice at once, and not only when it is tried again by itself.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::InvoiceState`] if nothing is owed for it, [`Code::PaymentUnderWay`],
    /// [`Code::CannotPay`], [`Code::BillingOnHold`].
    pub async fn pay_invoice(
        &self,
        caller: &Caller,
        once: Option<Once>,
        name: InvoiceName,
    ) -> Result<InvoiceDetail, AppError> {
        let is_simulated = self.chain.is_simulated();
        let paid = self.change(caller, once, move |change| pay(change, name, is_simulated)).await?;
        // Somebody may have been asked.
        self.payments.notify_one();
        Ok(paid)
    }
}

fn pay(change: &Change<'_>, name: InvoiceName, is_simulated: bool) -> Result<InvoiceDetail, AppError> {
    let refused = |why: billing::Refusal| AppError::from(Refusal::from(why));
    let before = convert::invoice_from(&find_named(change.tx, change.id(), name)?)?;
    if !before.state.is_unpaid() {
        return Err(refused(billing::Refusal::InvoiceState(before.state)));
    }
    if parked(change.tx, change.id())?.is_some() {
        return Err(refused(billing::Refusal::Parked));
    }
    let decision = carry_out(change.tx, change.id(), &Event::Collect(before.id), change.tariff, change.now)?;
    let after = decision.account.invoices.get(&before.id).unwrap_or(&before);
    if after.state.is_unpaid() && !decision.account.is_under_way(before.id) {
        return Err(refused(billing::Refusal::CannotPay(Box::new(after.clone()))));
    }
    change.note("invoice.pay", name, json!({"amount_micros": before.amount.micros()}))?;
    detail(change.tx, &find_named(change.tx, change.id(), name)?, is_simulated)
}

/// An invoice with everything that belongs to it.
pub(super) fn detail(
    tx: &ReadTx<'_>,
    stored: &StoredInvoice,
    is_simulated_chain: bool,
) -> Result<InvoiceDetail, AppError> {
    let invoice = convert::invoice_from(stored)?;
    Ok(InvoiceDetail {
        head: head(&invoice)?,
        lines: line_views(&invoice, &credit_reasons(tx, &invoice)?),
        attempts: charges_of_invoice(tx, stored.invoice)?.iter().map(Into::into).collect(),
        credit_notes: credit_notes_of(tx, stored.invoice)?.iter().map(Into::into).collect(),
        completeness: invoice.completeness.map(Into::into),
        is_simulated_chain,
    })
}

/// Why each credit was granted that an invoice uses.
pub(super) fn credit_reasons(tx: &ReadTx<'_>, invoice: &Invoice) -> Result<CreditReasons, AppError> {
    let mut reasons = CreditReasons::new();
    for (credit, _) in invoice.credits()? {
        if let Some(found) = find_credit(tx, credit.0)? {
            reasons.insert(credit, convert::credit_from(&found).reason);
        }
    }
    Ok(reasons)
}

pub(super) fn head(invoice: &Invoice) -> Result<InvoiceView, AppError> {
    let text = |at: Option<crate::core::calendar::UtcMillis>| at.map(|at| at.to_string());
    Ok(InvoiceView {
        invoice: InvoiceName::from(invoice.number).to_string(),
        state: invoice.state.name().to_owned(),
        sums: sums(invoice)?,
        issued_at: text(invoice.issued_at),
        paid_at: text(invoice.paid_at),
        first_failure_at: text(invoice.first_failure_at),
        retry_at: text(invoice.retry_at),
    })
}

pub(super) fn sums(invoice: &Invoice) -> Result<InvoiceSums, MoneyOverflow> {
    let charges = invoice.charges()?;
    let credits = Usd::sum(invoice.credits()?.into_iter().map(|(_, used)| used))?;
    Ok(InvoiceSums {
        purpose: invoice.purpose.name().to_owned(),
        service: invoice.purpose.service().map(Service::name).map(str::to_owned),
        tier: invoice.purpose.tier().map(Tier::name).map(str::to_owned),
        month: invoice.month.to_string(),
        charges_micros: charges.micros(),
        charges: charges.to_string(),
        credits_micros: credits.micros(),
        credits: credits.to_string(),
        amount_micros: invoice.amount.micros(),
        amount: invoice.amount.to_string(),
        remainder_micros: Usd::sum(invoice.lines.iter().map(|line| line.remainder))?.micros(),
        credit_on_payment_micros: invoice.credit_on_payment.micros(),
        credit_on_payment: invoice.credit_on_payment.to_string(),
    })
}
