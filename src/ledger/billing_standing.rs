//! How far billing is with each customer, and when time brings something about next.

use rusqlite::Row;

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// One customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredStanding {
    pub customer: CustomerId,
    /// Whose beginning was carried out.
    pub month: Month,
    /// Of the draft: to be closed next.
    pub draft_month: Month,
    /// Whether an invoice was ever paid.
    pub has_paid: bool,
    /// When time brings something about next; absent: never.
    pub next_due: Option<UtcMillis>,
}

/// Where a customer stands; `None` before the first decision.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn standing_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredStanding>, LedgerError> {
    tx.first("SELECT * FROM billing_standing WHERE customer_id = ?1", (customer,), read_standing)
        .map_err(failed("reading how far billing is with customer", customer))
}

/// Writes it, unless it is so already.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn put_standing(tx: &WriteTx<'_>, standing: &StoredStanding) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO billing_standing (customer_id, month, draft_month, has_paid, next_due_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (customer_id) DO UPDATE SET
             month = excluded.month,
             draft_month = excluded.draft_month,
             has_paid = excluded.has_paid,
             next_due_ms = excluded.next_due_ms
         WHERE (month, draft_month, has_paid, next_due_ms)
            IS NOT (excluded.month, excluded.draft_month, excluded.has_paid, excluded.next_due_ms)",
        (standing.customer, standing.month, standing.draft_month, standing.has_paid, standing.next_due),
    )
    .map(drop)
    .map_err(failed("noting how far billing is with customer", standing.customer))
}

/// Looks at a customer again at `at` and not before, because what is due cannot be done at present.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn postpone(tx: &WriteTx<'_>, customer: CustomerId, at: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE billing_standing SET next_due_ms = ?2 WHERE customer_id = ?1 AND next_due_ms < ?2",
        (customer, at),
    )
    .map(drop)
    .map_err(failed("postponing what is due for customer", customer))
}

/// At most `limit` customers for whom something is due, the longest due first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_due(tx: &ReadTx<'_>, now: UtcMillis, limit: u32) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM billing_standing WHERE next_due_ms <= ?1 ORDER BY next_due_ms, customer_id LIMIT ?2",
        (now, limit),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing", "customers for whom something is due"))
}

/// The oldest month of a draft, if it is before `month`.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn oldest_draft_before(tx: &ReadTx<'_>, month: Month) -> Result<Option<Month>, LedgerError> {
    tx.first("SELECT min(draft_month) AS oldest FROM billing_standing WHERE draft_month < ?1", (month,), |row| {
        row.get("oldest")
    })
    .map(Option::flatten)
    .map_err(failed("finding the oldest draft before", month))
}

/// At most `limit` customers whose draft is of a month, in the order of their numbers, those after `after` or from the
/// first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_with_draft_of(
    tx: &ReadTx<'_>,
    month: Month,
    after: Option<CustomerId>,
    limit: u32,
) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM billing_standing WHERE draft_month = ?1 AND customer_id > ?2
         ORDER BY customer_id LIMIT ?3",
        (month, after.map_or(0, CustomerId::get), limit),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing customers with a draft of", month))
}

fn read_standing(row: &Row<'_>) -> rusqlite::Result<StoredStanding> {
    Ok(StoredStanding {
        customer: row.get("customer_id")?,
        month: row.get("month")?,
        draft_month: row.get("draft_month")?,
        has_paid: row.get("has_paid")?,
        next_due: row.get("next_due_ms")?,
    })
}
