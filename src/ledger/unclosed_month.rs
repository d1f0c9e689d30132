//! Months that could not be closed for a customer, until they are.

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnclosedMonth {
    pub customer: CustomerId,
    pub month: Month,
    /// In a row.
    pub failures: u32,
    /// Of the last failure, which was `at`.
    pub error: String,
    pub at: UtcMillis,
}

/// Notes that a month could not be closed.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_unclosed(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    month: Month,
    error: &str,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO unclosed_months (customer_id, month, failures, error, updated_at_ms) VALUES (?1, ?2, 1, ?3, ?4)
         ON CONFLICT (customer_id, month) DO UPDATE SET
             failures = failures + 1, error = excluded.error, updated_at_ms = excluded.updated_at_ms",
        (customer, month, error, now),
    )
    .map(drop)
    .map_err(failed("noting a month that could not be closed for customer", customer))
}

/// Forgets it, because the month is closed.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn forget_unclosed(tx: &WriteTx<'_>, customer: CustomerId, month: Month) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM unclosed_months WHERE customer_id = ?1 AND month = ?2", (customer, month))
        .map(drop)
        .map_err(failed("forgetting that a month could not be closed for customer", customer))
}

/// Whether a month could not be closed, and that was at `since` or later.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn is_unclosed_since(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    month: Month,
    since: UtcMillis,
) -> Result<bool, LedgerError> {
    tx.first(
        "SELECT 1 FROM unclosed_months WHERE customer_id = ?1 AND month = ?2 AND updated_at_ms >= ?3",
        (customer, month, since),
        |_| Ok(()),
    )
    .map(|found| found.is_some())
    .map_err(failed("asking for a month that could not be closed for customer", customer))
}

/// At most `limit` of them, those that have failed longest ago first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn unclosed_months(tx: &ReadTx<'_>, limit: u32) -> Result<Vec<UnclosedMonth>, LedgerError> {
    tx.all("SELECT * FROM unclosed_months ORDER BY updated_at_ms, customer_id LIMIT ?1", (limit,), |row| {
        Ok(UnclosedMonth {
            customer: row.get("customer_id")?,
            month: row.get("month")?,
            failures: row.get("failures")?,
            error: row.get("error")?,
            at: row.get("updated_at_ms")?,
        })
    })
    .map_err(failed("listing", "months that could not be closed"))
}
