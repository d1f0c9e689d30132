//! What customers were told about billing, each once.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::entry::Word;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingNotice {
    pub customer: CustomerId,
    /// What is told once has one key, for each customer.
    pub key: String,
    pub kind: Word,
    /// A JSON object.
    pub details: String,
    pub at: UtcMillis,
}

/// A notice as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    pub number: u64,
    pub notice: BillingNotice,
    pub read_at: Option<UtcMillis>,
}

/// Adds a notice, unless it was given. Tells whether it is new.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn insert_notice(tx: &WriteTx<'_>, notice: &BillingNotice) -> Result<bool, LedgerError> {
    tx.execute(
        "INSERT INTO billing_notices (customer_id, notice_key, kind, details, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (customer_id, notice_key) DO NOTHING",
        (notice.customer, &notice.key, &notice.kind, &notice.details, notice.at),
    )
    .map(|rows| rows > 0)
    .map_err(failed("adding a notice for customer", notice.customer))
}

/// Notes that a customer has read everything up to a notice.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn read_notices(tx: &WriteTx<'_>, customer: CustomerId, up_to: u64, now: UtcMillis) -> Result<usize, LedgerError> {
    tx.execute(
        "UPDATE billing_notices SET read_at_ms = ?3
         WHERE customer_id = ?1 AND billing_notice_id <= ?2 AND read_at_ms IS NULL",
        (customer, Count(up_to), now),
    )
    .map_err(failed("noting what was read by customer", customer))
}

/// At most `limit` notices of a customer, newest first, those before `before` or from the newest.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn notices_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredNotice>, LedgerError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    tx.all(
        "SELECT * FROM billing_notices WHERE customer_id = ?1 AND billing_notice_id < ?2
         ORDER BY billing_notice_id DESC LIMIT ?3",
        (customer, before, limit),
        read_notice,
    )
    .map_err(failed("listing the notices of customer", customer))
}

/// The same without those that are for the operator.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn notices_for(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredNotice>, LedgerError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    tx.all(
        "SELECT * FROM billing_notices
         WHERE customer_id = ?1 AND billing_notice_id < ?2 AND kind NOT IN ('overpaid', 'parked')
         ORDER BY billing_notice_id DESC LIMIT ?3",
        (customer, before, limit),
        read_notice,
    )
    .map_err(failed("listing the notices for customer", customer))
}

/// How many of these were not read.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_unread_notices_for(tx: &ReadTx<'_>, customer: CustomerId) -> Result<u64, LedgerError> {
    let count = tx.first(
        "SELECT count(*) AS unread FROM billing_notices
         WHERE customer_id = ?1 AND read_at_ms IS NULL AND kind NOT IN ('overpaid', 'parked')",
        (customer,),
        |row| row.get("unread"),
    );
    count
        .map(|count| count.map_or(0, |Count(unread)| unread))
        .map_err(failed("counting the unread notices for customer", customer))
}

fn read_notice(row: &Row<'_>) -> rusqlite::Result<StoredNotice> {
    let notice = BillingNotice {
        customer: row.get("customer_id")?,
        key: row.get("notice_key")?,
        kind: row.get::<_, String>("kind")?.into(),
        details: row.get("details")?,
        at: row.get("at_ms")?,
    };
    let number = row.get::<_, Count>("billing_notice_id")?.0;
    Ok(StoredNotice { number, notice, read_at: row.get("read_at_ms")? })
}
