//! How it stands with a customer's paying: one row for each.

use rusqlite::{Row, params};

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::charge::StoredPaymentMethod;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, unreadable};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStanding {
    /// Whether an invoice was ever paid.
    pub has_paid: bool,
    /// The month whose beginning was decided.
    pub month: Month,
    /// In the customer's order.
    pub methods: Vec<StoredPaymentMethod>,
    pub dunning: StoredDunning,
    pub cap: Option<StoredSpendCap>,
    pub cap_status: StoredCapStatus,
    /// Why nothing may be charged, and since when.
    pub parked: Option<(String, UtcMillis)>,
}

/// How it stands with a customer who does not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredDunning {
    /// The first failure that grace counts from; absent in good standing.
    pub since: Option<UtcMillis>,
    pub notices: u64,
    pub suspended: bool,
}

/// What usage may cost in a month at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSpendCap {
    /// More than 0.
    pub amount: Usd,
    pub hard_stop: bool,
}

/// What was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCapStatus {
    pub month: Month,
    /// 0 to 100.
    pub told_percent: u64,
    pub stopped: bool,
}

/// A customer for whom nothing is charged until a person has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedCustomer {
    pub customer: CustomerId,
    pub because: String,
    pub since: UtcMillis,
}

/// A method in a table that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unexpected payment method {0:?}")]
struct UnexpectedMethod(String);

/// How it stands; `None` before anything was decided.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn standing_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredStanding>, LedgerError> {
    tx.first("SELECT * FROM billing_standings WHERE customer_id = ?1", (customer,), read_standing)
        .map_err(failed("reading the standing of customer", customer))
}

/// Writes it.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn put_standing(tx: &WriteTx<'_>, customer: CustomerId, standing: &StoredStanding) -> Result<(), LedgerError> {
    let StoredStanding { has_paid, month, methods, dunning, cap, cap_status, parked } = standing;
    let methods: Vec<_> = methods.iter().map(|method| method.name()).collect();
    let (because, since) = parked.as_ref().map(|(because, since)| (because, since)).unzip();
    tx.execute(
        "INSERT OR REPLACE INTO billing_standings (customer_id, has_paid, month, methods, dunning_since_ms,
             dunning_notices, dunning_suspended, cap_micros, cap_hard_stop, cap_month, cap_told_percent, cap_stopped,
             parked_because, parked_since_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            customer,
            has_paid,
            month,
            methods.join(" "),
            dunning.since,
            Count(dunning.notices),
            dunning.suspended,
            cap.map(|cap| cap.amount),
            cap.is_some_and(|cap| cap.hard_stop),
            cap_status.month,
            Count(cap_status.told_percent),
            cap_status.stopped,
            because,
            since,
        ],
    )
    .map(drop)
    .map_err(failed("writing the standing of customer", customer))
}

/// Everybody who is parked, longest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn parked_customers(tx: &ReadTx<'_>) -> Result<Vec<ParkedCustomer>, LedgerError> {
    tx.all(
        "SELECT customer_id, parked_because, parked_since_ms FROM billing_standings WHERE parked_since_ms IS NOT NULL
         ORDER BY parked_since_ms, customer_id",
        (),
        |row| {
            Ok(ParkedCustomer {
                customer: row.get("customer_id")?,
                because: row.get("parked_because")?,
                since: row.get("parked_since_ms")?,
            })
        },
    )
    .map_err(failed("listing", "parked customers"))
}

/// Everybody who does not pay, longest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_in_dunning(tx: &ReadTx<'_>) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM billing_standings WHERE dunning_since_ms IS NOT NULL
         ORDER BY dunning_since_ms, customer_id",
        (),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing", "customers who do not pay"))
}

/// At most `limit` customers whose standing is of an earlier month, or who have none, in the order of their numbers,
/// those after `after` or from the first: for whom the turn of the month is still to be decided.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_before_month(
    tx: &ReadTx<'_>,
    month: Month,
    after: Option<CustomerId>,
    limit: u32,
) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM customers LEFT JOIN billing_standings USING (customer_id)
         WHERE customer_id > ?2 AND (month IS NULL OR month < ?1) ORDER BY customer_id LIMIT ?3",
        (month, after.map_or(0, CustomerId::get), limit),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing customers before the month", month))
}

fn read_standing(row: &Row<'_>) -> rusqlite::Result<StoredStanding> {
    let methods: String = row.get("methods")?;
    let cap: Option<Usd> = row.get("cap_micros")?;
    let hard_stop = row.get("cap_hard_stop")?;
    let (because, since): (Option<String>, Option<UtcMillis>) =
        (row.get("parked_because")?, row.get("parked_since_ms")?);
    Ok(StoredStanding {
        has_paid: row.get("has_paid")?,
        month: row.get("month")?,
        methods: methods.split_whitespace().map(read_method).collect::<Result<_, _>>()?,
        dunning: StoredDunning {
            since: row.get("dunning_since_ms")?,
            notices: row.get::<_, Count>("dunning_notices")?.0,
            suspended: row.get("dunning_suspended")?,
        },
        cap: cap.map(|amount| StoredSpendCap { amount, hard_stop }),
        cap_status: StoredCapStatus {
            month: row.get("cap_month")?,
            told_percent: row.get::<_, Count>("cap_told_percent")?.0,
            stopped: row.get("cap_stopped")?,
        },
        parked: because.zip(since),
    })
}

fn read_method(word: &str) -> rusqlite::Result<StoredPaymentMethod> {
    StoredPaymentMethod::from_name(word).ok_or_else(|| unreadable(UnexpectedMethod(word.to_owned())))
}
