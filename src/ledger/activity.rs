//! The activity log: rows are added and read, never changed.

use rusqlite::Row;

use crate::core::activity::{Activity, ChainedActivity, GENESIS, Hash};
use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// Adds an entry behind the newest one.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn append_activity(tx: &WriteTx<'_>, activity: Activity) -> Result<(), LedgerError> {
    let ChainedActivity { number, activity, previous_hash, hash } =
        ChainedActivity::after(activity_head(tx)?, activity);
    let Activity { customer, at, actor, ip, action, subject, details } = &activity;
    tx.execute(
        "INSERT INTO activity (activity_id, customer_id, at_ms, actor, ip, action, subject, details, previous_hash, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (Count(number), customer, at, actor, ip, action, subject, details, previous_hash, hash),
    )
    .map(drop)
    .map_err(failed("adding to the activity log", action))
}

/// Number and hash of the newest entry; 0 and [`GENESIS`] if there is none.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn activity_head(tx: &ReadTx<'_>) -> Result<(u64, Hash), LedgerError> {
    let newest = tx.first("SELECT activity_id, hash FROM activity ORDER BY activity_id DESC LIMIT 1", (), |row| {
        Ok((row.get::<_, Count>("activity_id")?.0, row.get("hash")?))
    });
    newest.map(|newest| newest.unwrap_or((0, GENESIS))).map_err(failed("reading", "the newest activity"))
}

/// At most `limit` entries of a customer, newest first, those before entry `before` or from the newest.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn activity_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<ChainedActivity>, LedgerError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    tx.all(
        "SELECT * FROM activity WHERE customer_id = ?1 AND activity_id < ?2 ORDER BY activity_id DESC LIMIT ?3",
        (customer, before, limit),
        read_activity,
    )
    .map_err(failed("listing the activity of customer", customer))
}

/// At most `limit` entries of everybody, oldest first, after entry `after`: for checking the chain.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn activity_after(tx: &ReadTx<'_>, after: u64, limit: u32) -> Result<Vec<ChainedActivity>, LedgerError> {
    tx.all(
        "SELECT * FROM activity WHERE activity_id > ?1 ORDER BY activity_id LIMIT ?2",
        (Count(after), limit),
        read_activity,
    )
    .map_err(failed("listing activity after entry", after))
}

fn read_activity(row: &Row<'_>) -> rusqlite::Result<ChainedActivity> {
    Ok(ChainedActivity {
        number: row.get::<_, Count>("activity_id")?.0,
        activity: Activity {
            customer: row.get("customer_id")?,
            at: row.get("at_ms")?,
            actor: row.get("actor")?,
            ip: row.get("ip")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            details: row.get("details")?,
        },
        previous_hash: row.get("previous_hash")?,
        hash: row.get("hash")?,
    })
}
