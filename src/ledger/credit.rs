//! Credits: grants, and what is left of them.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, optional_count, word_enums};

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

/// Writes a grant: a new one, or what is left of a known one.
///
/// # Errors
/// [`LedgerError::Statement`], also for a change of anything else than what is left, and for less than nothing left.
pub fn put_credit(tx: &WriteTx<'_>, credit: &StoredCredit) -> Result<(), LedgerError> {
    let put = tx.execute(
        "INSERT INTO credits (credit_id, customer_id, reason, granted_micros, remaining_micros, granted_at_ms,
             expires_at_ms, invoice_id, note, expirations)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (credit_id) DO UPDATE SET
             customer_id = excluded.customer_id,
             reason = excluded.reason,
             granted_micros = excluded.granted_micros,
             remaining_micros = excluded.remaining_micros,
             granted_at_ms = excluded.granted_at_ms,
             expires_at_ms = excluded.expires_at_ms,
             invoice_id = excluded.invoice_id,
             expirations = excluded.expirations",
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
    );
    one_row("writing credit", credit.credit)(put)
}

/// One credit.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_credit(tx: &ReadTx<'_>, credit: u64) -> Result<Option<StoredCredit>, LedgerError> {
    tx.first("SELECT * FROM credits WHERE credit_id = ?1", (Count(credit),), read_credit)
        .map_err(failed("finding credit", credit))
}

/// All credits of a customer, oldest first, also those that are used up.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn credits_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredCredit>, LedgerError> {
    tx.all("SELECT * FROM credits WHERE customer_id = ?1 ORDER BY credit_id", (customer,), read_credit)
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
        "SELECT * FROM credits WHERE customer_id = ?1 AND credit_id < ?2 ORDER BY credit_id DESC LIMIT ?3",
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
        "SELECT * FROM credits WHERE customer_id = ?1 AND remaining_micros > 0 ORDER BY credit_id",
        (customer,),
        read_credit,
    )
    .map_err(failed("listing what is left of the credits of customer", customer))
}

/// At most `limit` customers with a credit that has expired and of which something is left, longest ago first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_with_expired_credits(
    tx: &ReadTx<'_>,
    now: UtcMillis,
    limit: u32,
) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM credits INDEXED BY credits_to_expire
         WHERE expires_at_ms <= ?1 AND expires_at_ms IS NOT NULL AND remaining_micros > 0
         GROUP BY customer_id ORDER BY min(expires_at_ms) LIMIT ?2",
        (now, limit),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing", "customers with expired credits"))
}

fn read_credit(row: &Row<'_>) -> rusqlite::Result<StoredCredit> {
    Ok(StoredCredit {
        credit: row.get::<_, Count>("credit_id")?.0,
        customer: row.get("customer_id")?,
        reason: row.get("reason")?,
        granted: row.get("granted_micros")?,
        remaining: row.get("remaining_micros")?,
        granted_at: row.get("granted_at_ms")?,
        expires_at: row.get("expires_at_ms")?,
        expirations: row.get("expirations")?,
        invoice: optional_count(row, "invoice_id")?,
        note: row.get("note")?,
    })
}
