//! Customers whose books do not add up, and how that is found.

use super::failure::BillingFailure;
use super::load::{entries_of_customer, load_whole};
use super::save::told;
use super::tariff::Included;
use crate::core::billing::{Notice, verify};
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

/// The first thing that does not add up in all that there ever was of a customer.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn mismatch_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    included: &Included,
    now: UtcMillis,
) -> Result<Option<String>, BillingFailure> {
    let found = load_whole(tx, customer, included, Month::of(now)?)
        .and_then(|account| Ok((account, entries_of_customer(tx, customer)?)));
    match found {
        Ok((Some(account), entries)) => Ok(verify(&account, &entries).first().map(ToString::to_string)),
        Ok((None, _)) => Ok(None),
        Err(failure) if failure.is_for_a_person() => Ok(Some(failure.to_string())),
        Err(failure) => Err(failure),
    }
}
