//! Customers whose books do not add up, and how that is found.

use super::failure::BillingFailure;
use super::load::{entries_of_customer, load_whole};
use super::save::told;
use super::tariff::Included;
use crate::core::billing::{Mismatch, Notice, verify};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::billing_notice::{BillingNotice, insert_notice};
use crate::ledger::parked::{Parked, park};
use crate::ledger::{ReadTx, WriteTx};

/// The same as deciding to park, for a customer whose account may not be readable.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn park_customer(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    reason: String,
    now: UtcMillis,
) -> Result<(), BillingFailure> {
    tx.touch(customer);
    if park(tx, &Parked { customer, reason: reason.clone(), since: now })? {
        let (kind, key, details) = told(&Notice::Parked { reason }, now);
        let notice = BillingNotice { customer, key, kind: kind.into(), details: details.to_string(), at: now };
        insert_notice(tx, &notice)?;
    }
    Ok(())
}

/// Everything that does not add up in all that there ever was of a customer.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn mismatches_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    included: &Included,
    now: UtcMillis,
) -> Result<Vec<String>, BillingFailure> {
    let found = load_whole(tx, customer, included, Month::of(now)?)
        .and_then(|account| Ok((account, entries_of_customer(tx, customer)?)));
    match found {
        Ok((Some(account), entries)) => {
            // Nobody has a draft before the first thing that is billed.
            let is_new = account.invoices.is_empty();
            let counts = |found: &Mismatch| !(is_new && *found == Mismatch::Drafts(0));
            Ok(verify(&account, &entries).into_iter().filter(counts).map(|found| found.to_string()).collect())
        }
        Ok((None, _)) => Ok(Vec::new()),
        Err(failure) if failure.is_for_a_person() => Ok(vec![failure.to_string()]),
        Err(failure) => Err(failure),
    }
}
