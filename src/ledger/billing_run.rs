//! What the monthly cycle has done for whom: a step that is done is not done again.

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// A step of a month for a customer: a word of the cycle's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    pub customer: CustomerId,
    pub month: Month,
    pub step: &'a str,
}

/// A step that could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    pub customer: CustomerId,
    pub month: Month,
    pub step: String,
    /// In a row.
    pub failures: u32,
    pub error: String,
    pub at: UtcMillis,
}

/// Notes that a step is done, in the transaction that does it. Tells whether that is new: if not, the transaction must
/// not do it again.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn finish_step(tx: &WriteTx<'_>, step: Step<'_>, now: UtcMillis) -> Result<bool, LedgerError> {
    tx.execute(
        "INSERT INTO billing_runs (customer_id, month, step, state, failures, updated_at_ms)
         VALUES (?1, ?2, ?3, 'done', 0, ?4)
         ON CONFLICT (customer_id, month, step) DO UPDATE SET
             state = 'done', error = NULL, updated_at_ms = excluded.updated_at_ms
         WHERE state <> 'done'",
        (step.customer, step.month, step.step, now),
    )
    .map(|rows| rows > 0)
    .map_err(failed("noting a step of billing for customer", step.customer))
}

/// Notes that a step could not be done, unless it is done.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn fail_step(tx: &WriteTx<'_>, step: Step<'_>, error: &str, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO billing_runs (customer_id, month, step, state, failures, error, updated_at_ms)
         VALUES (?1, ?2, ?3, 'failed', 1, ?4, ?5)
         ON CONFLICT (customer_id, month, step) DO UPDATE SET
             failures = failures + 1, error = excluded.error, updated_at_ms = excluded.updated_at_ms
         WHERE state = 'failed'",
        (step.customer, step.month, step.step, error, now),
    )
    .map(drop)
    .map_err(failed("noting a failed step of billing for customer", step.customer))
}

/// Whether a step is done.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn is_step_done(tx: &ReadTx<'_>, step: Step<'_>) -> Result<bool, LedgerError> {
    tx.first(
        "SELECT 1 FROM billing_runs WHERE customer_id = ?1 AND month = ?2 AND step = ?3 AND state = 'done'",
        (step.customer, step.month, step.step),
        |_| Ok(()),
    )
    .map(|found| found.is_some())
    .map_err(failed("asking for a step of billing of customer", step.customer))
}

/// Whether a step could not be done, and that was at `since` or later.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn has_failed_since(tx: &ReadTx<'_>, step: Step<'_>, since: UtcMillis) -> Result<bool, LedgerError> {
    tx.first(
        "SELECT 1 FROM billing_runs
         WHERE customer_id = ?1 AND month = ?2 AND step = ?3 AND state = 'failed' AND updated_at_ms >= ?4",
        (step.customer, step.month, step.step, since),
        |_| Ok(()),
    )
    .map(|found| found.is_some())
    .map_err(failed("asking for a failed step of billing of customer", step.customer))
}

/// At most `limit` customers for whom a step of a month is not done, in the order of their numbers, those after `after`
/// or from the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_without_step(
    tx: &ReadTx<'_>,
    (month, step): (Month, &str),
    after: Option<CustomerId>,
    limit: u32,
) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM customers
         WHERE customer_id > ?3 AND NOT EXISTS (
             SELECT 1 FROM billing_runs
             WHERE billing_runs.customer_id = customers.customer_id AND month = ?1 AND step = ?2 AND state = 'done')
         ORDER BY customer_id LIMIT ?4",
        (month, step, after.map_or(0, CustomerId::get), limit),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing customers without the step", step))
}

/// Steps that could not be done, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn failed_steps(tx: &ReadTx<'_>, limit: u32) -> Result<Vec<FailedStep>, LedgerError> {
    tx.all(
        "SELECT customer_id, month, step, failures, error, updated_at_ms FROM billing_runs WHERE state = 'failed'
         ORDER BY updated_at_ms LIMIT ?1",
        (limit,),
        |row| {
            Ok(FailedStep {
                customer: row.get("customer_id")?,
                month: row.get("month")?,
                step: row.get("step")?,
                failures: row.get("failures")?,
                error: row.get("error")?,
                at: row.get("updated_at_ms")?,
            })
        },
    )
    .map_err(failed("listing", "failed steps of billing"))
}
