//! One event, from what is stored to what is stored.

use super::failure::BillingFailure;
use super::load::load_account;
use super::rows::rows_of;
use super::save::save;
use super::tariff::Tariff;
use crate::core::billing::{Account, Counters, Decision, Event, Preview, decide, preview};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::billing_invoice::{NextNumbers, next_numbers};
use crate::ledger::entry::find_entry;
use crate::ledger::{ReadTx, WriteTx};

/// Decides about an event and writes what follows from it. An event of the chain that was dealt with before changes
/// nothing. What is to be done outside (charges and refunds that are `sent`) is in the outbox afterwards.
///
/// # Errors
/// [`BillingFailure`]; then the transaction is to be rolled back, by returning it. [`CatchUpFirst`] asks for months to be
/// closed first.
///
/// [`CatchUpFirst`]: crate::core::billing::BillingError::CatchUpFirst
pub fn carry_out(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    event: &Event,
    tariff: &Tariff,
    now: UtcMillis,
) -> Result<Decision, BillingFailure> {
    let (account, counters) = (load(tx, customer, event, tariff, now)?, next_counters(tx)?);
    if let Some(key) = event.entry_key()
        && find_entry(tx, &key.0)?.is_some()
    {
        return Ok(Decision { account, counters, actions: Vec::new() });
    }
    let decision = decide(&account, event, &tariff.terms, counters, now)?;
    tx.touch(customer);
    save(tx, &rows_of(&account, event, &decision, now)?, event, now)?;
    Ok(decision)
}

/// What [`carry_out`] would do, to be shown beforehand. Nothing is written.
///
/// # Errors
/// As [`carry_out`]; what cannot be paid is shown all the same.
pub fn foresee(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    event: &Event,
    tariff: &Tariff,
    now: UtcMillis,
) -> Result<Preview, BillingFailure> {
    let (account, counters) = (load(tx, customer, event, tariff, now)?, next_counters(tx)?);
    Ok(preview(&account, event, &tariff.terms, counters, now)?)
}

/// The account that an event of a customer is about.
///
/// # Errors
/// [`BillingFailure::NoSuchCustomer`], and as [`load_account`].
pub fn load(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    event: &Event,
    tariff: &Tariff,
    now: UtcMillis,
) -> Result<Account, BillingFailure> {
    let account = load_account(tx, customer, event, &tariff.included, Month::of(now)?)?;
    account.ok_or(BillingFailure::NoSuchCustomer(customer))
}

/// The numbers that come next.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn next_counters(tx: &ReadTx<'_>) -> Result<Counters, BillingFailure> {
    let NextNumbers { invoice, invoice_number, credit, credit_note } = next_numbers(tx)?;
    Ok(Counters {
        next_invoice: invoice,
        next_invoice_number: invoice_number,
        next_credit: credit,
        next_credit_note: credit_note,
    })
}
