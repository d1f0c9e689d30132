//! Credits: grants, and what is left of them.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Columns, Count, word_enums};

word_enums! {
    /// Why credit was granted.
    StoredCreditReason {
        Reconciliation = "reconciliation",
        Goodwill = "goodwill",
        Promo = "promo",
        Outage = "outage",
        Refund = "refund",
    }
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredit {
    pub credit: u64,
    pub customer: CustomerId,
    pub reason: StoredCreditReason,
    pub granted: Usd,
    /// Neither used nor expired: from 0 to `granted`.
    pub remaining: Usd,
    pub granted_at: UtcMillis,
    /// Absent: never.
    pub expires_at: Option<UtcMillis>,
    /// How often what was left has expired.
    pub expirations: u32,
    /// That it was granted for.
    pub invoice: Option<u64>,
    /// For the customer; may be empty.
    pub note: String,
}

/// Credits, with the columns that [`read_credit`] reads.
macro_rules! select_credits {
    ($rest:literal) => {
        concat!(
            "SELECT credit_id, customer_id, reason, granted_micros, remaining_micros, granted_at_ms, expires_at_ms,
                 expirations, invoice_id, note
             FROM credits ",
            $rest
        )
    };
}

/// Writes a new grant.
///
/// # Errors
/// [`LedgerError::Statement`], also if there is one with this number.
pub fn insert_credit(tx: &WriteTx<'_>, credit: &StoredCredit) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO credits (credit_id, customer_id, reason, granted_micros, remaining_micros, granted_at_ms,
             expires_at_ms, invoice_id, note, expirations)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            Count(credit.credit),
            credit.customer,
            credit.reason,
            credit.granted,
            credit.remaining,
            credit.granted_at,
            credit.expires_at,
            credit.invoice.map(Count),
            &credit.note,
            credit.expirations,
        ),
    )
    .map(drop)
    .map_err(failed("writing credit", credit.credit))
}

/// Notes what is left of a grant, and how often that has expired. Nothing else of it ever changes.
///
/// # Errors
/// [`LedgerError::NotThere`]; [`LedgerError::Statement`], also for less than nothing left and more than was granted.
pub fn set_remaining(tx: &WriteTx<'_>, credit: &StoredCredit) -> Result<(), LedgerError> {
    let set = tx.execute(
        "UPDATE credits SET remaining_micros = ?3, expirations = ?4 WHERE credit_id = ?1 AND customer_id = ?2",
        (Count(credit.credit), credit.customer, credit.remaining, credit.expirations),
    );
    one_row("noting what is left of credit", credit.credit)(set)
}

/// One credit.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_credit(tx: &ReadTx<'_>, credit: u64) -> Result<Option<StoredCredit>, LedgerError> {
    tx.first(select_credits!("WHERE credit_id = ?1"), (Count(credit),), read_credit)
        .map_err(failed("finding credit", credit))
}

/// All credits of a customer, oldest first, also those that are used up.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn credits_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredCredit>, LedgerError> {
    tx.all(select_credits!("WHERE customer_id = ?1 ORDER BY credit_id"), (customer,), read_credit)
        .map_err(failed("listing the credits of customer", customer))
}

/// At most `limit` credits of a customer, newest first, those before `before` or from the newest, also those that are
/// used up.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn list_credits(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredCredit>, LedgerError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    tx.all(
        select_credits!("WHERE customer_id = ?1 AND credit_id < ?2 ORDER BY credit_id DESC LIMIT ?3"),
        (customer, before, limit),
        read_credit,
    )
    .map_err(failed("listing the credits of customer", customer))
}

/// The credits of a customer of which something is left, oldest first; whether they have expired is not asked.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn open_credits_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredCredit>, LedgerError> {
    tx.all(
        select_credits!("WHERE customer_id = ?1 AND remaining_micros > 0 ORDER BY credit_id"),
        (customer,),
        read_credit,
    )
    .map_err(failed("listing what is left of the credits of customer", customer))
}

fn read_credit(row: &Row<'_>) -> rusqlite::Result<StoredCredit> {
    let mut at = Columns::of(row);
    Ok(StoredCredit {
        credit: at.count()?,
        customer: at.next()?,
        reason: at.next()?,
        granted: at.next()?,
        remaining: at.next()?,
        granted_at: at.next()?,
        expires_at: at.next()?,
        expirations: at.next()?,
        invoice: at.optional_count()?,
        note: at.next()?,
    })
}
