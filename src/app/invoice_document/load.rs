//! What is printed, from the ledger.

use super::{Billed, InvoiceDocument, Issuer, Payment, PrintedCreditNote};
use crate::app::billing::{BillingFailure, convert};
use crate::core::billing::{CreditId, CreditReason, EntryReason, Invoice};
use crate::core::calendar::UtcMillis;
use crate::core::usage::HourUsage;
use crate::ledger::ReadTx;
use crate::ledger::billing_invoice::find_invoice;
use crate::ledger::charge::{Direction, StoredAnswer, charges_of_invoice};
use crate::ledger::credit::find_credit;
use crate::ledger::credit_note::credit_notes_of;
use crate::ledger::customer::find_customer;
use crate::ledger::entry::find_entry;
use crate::ledger::usage::hours_between;

/// Everything that is on an invoice; `None` if there is none with this id. Whose it is, is in it: the caller asks.
///
/// # Errors
/// [`BillingFailure`], also for an invoice that does not add up.
pub fn load_document(
    tx: &ReadTx<'_>,
    invoice: u64,
    issuer: &Issuer,
    is_chain_simulated: bool,
    as_of: UtcMillis,
) -> Result<Option<InvoiceDocument>, BillingFailure> {
    let Some(stored) = find_invoice(tx, invoice)? else { return Ok(None) };
    let customer = find_customer(tx, stored.customer)?.ok_or(BillingFailure::NoSuchCustomer(stored.customer))?;
    let notes = credit_notes_of(tx, invoice)?.into_iter().map(|note| PrintedCreditNote {
        number: note.credit_note,
        at: note.issued_at,
        amount: note.amount,
        reason: note.reason,
    });
    let invoice = convert::invoice_from(&stored)?;
    Ok(Some(InvoiceDocument {
        credit_reasons: credit_reasons(tx, &invoice)?.into_iter().collect(),
        payments: payments(tx, stored.invoice)?,
        credit_notes: notes.collect(),
        issuer: issuer.clone(),
        billed: Billed { name: customer.name, wallet: customer.wallet_address },
        invoice,
        is_chain_simulated,
        as_of,
    }))
}

/// The hours that an invoice counts, each once.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn hours_of_invoice(tx: &ReadTx<'_>, invoice: &Invoice) -> Result<Vec<HourUsage>, BillingFailure> {
    let windows = || invoice.lines.iter().filter_map(|line| line.usage.map(|(window, _)| window));
    let (from, to) = (windows().map(|window| window.from).min(), windows().map(|window| window.to).max());
    match from.zip(to) {
        Some((from, to)) => Ok(hours_between(tx, invoice.customer, from, to)?),
        None => Ok(Vec::new()),
    }
}

fn credit_reasons(tx: &ReadTx<'_>, invoice: &Invoice) -> Result<Vec<(CreditId, CreditReason)>, BillingFailure> {
    let mut reasons = Vec::new();
    for (credit, _) in invoice.credits()? {
        if let Some(found) = find_credit(tx, credit.0)? {
            reasons.push((credit, convert::credit_from(&found).reason));
        }
    }
    Ok(reasons)
}

/// Only what was paid: what was declined moved nothing. The books say what became of it.
fn payments(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<Payment>, BillingFailure> {
    let charges = charges_of_invoice(tx, invoice)?;
    let mut payments = Vec::new();
    for charge in charges.iter().filter(|charge| charge.direction == Direction::Charge) {
        let Some((StoredAnswer::Succeeded { reference }, at)) = &charge.answer else { continue };
        let entry = find_entry(tx, &charge.key)?;
        payments.push(Payment {
            at: *at,
            method: convert::method_from(charge.method),
            amount: charge.amount,
            reference: reference.clone(),
            is_overpaid: entry.is_some_and(|found| found.entry.reason == EntryReason::Overpaid.name()),
        });
    }
    Ok(payments)
}
