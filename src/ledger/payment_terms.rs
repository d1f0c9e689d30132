//! What a customer has chosen about paying, and how it stands: methods in order, a cap, and what follows when nothing
//! is paid.

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::charge::StoredPaymentMethod;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// What usage may cost in a month at most, and what has been said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSpendCap {
    /// Absent: no cap.
    pub cap: Option<Usd>,
    pub hard_stop: bool,
    /// That the rest is about.
    pub month: Month,
    pub told_percent: u8,
    pub stopped: bool,
    /// What usage of the month costs so far.
    pub spent: Usd,
}

/// How it stands with a customer who does not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredDunning {
    /// The first failure that grace counts from.
    pub since: UtcMillis,
    pub notices: u64,
    pub suspended: bool,
}

/// A customer's payment methods, the first to ask first. Without any choice: none.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn payment_methods_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredPaymentMethod>, LedgerError> {
    tx.all("SELECT method FROM payment_methods WHERE customer_id = ?1 ORDER BY position", (customer,), |row| {
        row.get("method")
    })
    .map_err(failed("listing the payment methods of customer", customer))
}

/// Sets them, in this order.
///
/// # Errors
/// [`LedgerError::Statement`], also for a method twice.
pub fn set_payment_methods(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    methods: &[StoredPaymentMethod],
) -> Result<(), LedgerError> {
    tx.together(|| {
        tx.execute("DELETE FROM payment_methods WHERE customer_id = ?1", (customer,))
            .map_err(failed("replacing the payment methods of customer", customer))?;
        (0_u32..).zip(methods).try_for_each(|(position, method)| {
            tx.execute(
                "INSERT INTO payment_methods (customer_id, position, method) VALUES (?1, ?2, ?3)",
                (customer, position, method),
            )
            .map(drop)
            .map_err(failed("setting the payment methods of customer", customer))
        })
    })
}

/// How many customers are suspended because they do not pay.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_suspended(tx: &ReadTx<'_>) -> Result<u64, LedgerError> {
    tx.first("SELECT count(*) FROM dunning WHERE suspended = 1", (), |row| row.get::<_, Count>(0))
        .map(|count| count.map_or(0, |count| count.0))
        .map_err(failed("counting", "suspended customers"))
}

/// A customer's cap, if one was ever set.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn spend_cap_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredSpendCap>, LedgerError> {
    tx.first("SELECT * FROM spend_caps WHERE customer_id = ?1", (customer,), |row| {
        Ok(StoredSpendCap {
            cap: row.get("cap_micros")?,
            hard_stop: row.get("hard_stop")?,
            month: row.get("month")?,
            told_percent: row.get("told_percent")?,
            stopped: row.get("stopped")?,
            spent: row.get("spent_micros")?,
        })
    })
    .map_err(failed("reading the spend cap of customer", customer))
}

/// Forgets it: there is no cap, and nothing was said of one.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn clear_spend_cap(tx: &WriteTx<'_>, customer: CustomerId) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM spend_caps WHERE customer_id = ?1", (customer,))
        .map(drop)
        .map_err(failed("clearing the spend cap of customer", customer))
}

/// Sets it.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_spend_cap(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    cap: StoredSpendCap,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO spend_caps (customer_id, cap_micros, hard_stop, month, told_percent, stopped, spent_micros,
             updated_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (customer_id) DO UPDATE SET
             cap_micros = excluded.cap_micros,
             hard_stop = excluded.hard_stop,
             month = excluded.month,
             told_percent = excluded.told_percent,
             stopped = excluded.stopped,
             spent_micros = excluded.spent_micros,
             updated_at_ms = excluded.updated_at_ms",
        (customer, cap.cap, cap.hard_stop, cap.month, cap.told_percent, cap.stopped, cap.spent, now),
    )
    .map(drop)
    .map_err(failed("setting the spend cap of customer", customer))
}

/// How it stands; `None`: in good standing.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn dunning_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredDunning>, LedgerError> {
    tx.first("SELECT * FROM dunning WHERE customer_id = ?1", (customer,), |row| {
        Ok(StoredDunning {
            since: row.get("since_ms")?,
            notices: row.get::<_, Count>("notices")?.0,
            suspended: row.get("suspended")?,
        })
    })
    .map_err(failed("reading the dunning of customer", customer))
}

/// Sets how it stands; `None`: in good standing.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_dunning(tx: &WriteTx<'_>, customer: CustomerId, dunning: Option<StoredDunning>) -> Result<(), LedgerError> {
    let set = match dunning {
        None => tx.execute("DELETE FROM dunning WHERE customer_id = ?1", (customer,)),
        Some(dunning) => tx.execute(
            "INSERT INTO dunning (customer_id, since_ms, notices, suspended) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (customer_id) DO UPDATE SET
                 since_ms = excluded.since_ms, notices = excluded.notices, suspended = excluded.suspended",
            (customer, dunning.since, Count(dunning.notices), dunning.suspended),
        ),
    };
    set.map(drop).map_err(failed("setting the dunning of customer", customer))
}
