//! What operators must hear of, as [`core::notification`](crate::core::notification) draws it.

use std::collections::BTreeMap;

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::core::calendar::UtcMillis;
use crate::core::notification::{Notification, Severity};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, word};

impl ToSql for Severity {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Severity {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        word(value, Self::from_name)
    }
}

/// A notification as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotification {
    pub number: u64,
    pub code: String,
    pub category: String,
    pub severity: Severity,
    pub text: String,
    /// When it began, and when it began last.
    pub first_at: UtcMillis,
    pub last_at: UtcMillis,
    /// How many times it has begun.
    pub openings: u64,
    /// When it was over; `None` while it is so.
    pub cleared_at: Option<UtcMillis>,
    pub acknowledged_at: Option<UtcMillis>,
}

/// Notes that something is so. While it is, only its text may change; what begins again before it is done is counted.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn open_notification(tx: &WriteTx<'_>, new: &Notification, now: UtcMillis) -> Result<(), LedgerError> {
    let Notification { key, code, category, severity, text } = new;
    tx.execute(
        "INSERT INTO notifications (notification_key, code, category, severity, text, first_at_ms, last_at_ms, openings)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1)
         ON CONFLICT (notification_key) WHERE cleared_at_ms IS NULL OR acknowledged_at_ms IS NULL DO UPDATE SET
             severity = excluded.severity, text = excluded.text,
             last_at_ms = CASE WHEN cleared_at_ms IS NULL THEN last_at_ms ELSE excluded.last_at_ms END,
             openings = openings + (cleared_at_ms IS NOT NULL), cleared_at_ms = NULL",
        (key, code, category, severity, text, now),
    )
    .map(drop)
    .map_err(failed("noting the notification", key))
}

/// Notes that something is over.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn clear_notification(tx: &WriteTx<'_>, key: &str, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE notifications SET cleared_at_ms = ?2 WHERE notification_key = ?1 AND cleared_at_ms IS NULL",
        (key, now),
    )
    .map(drop)
    .map_err(failed("clearing the notification", key))
}

/// What is open of a category: texts by key.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn open_notifications(tx: &ReadTx<'_>, category: &str) -> Result<BTreeMap<String, String>, LedgerError> {
    let rows = tx.all(
        "SELECT notification_key, text FROM notifications WHERE category = ?1 AND cleared_at_ms IS NULL",
        (category,),
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    Ok(rows.map_err(failed("listing what is open of", category))?.into_iter().collect())
}

/// Which notifications are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that are so, or were and nobody has acknowledged it.
    NotDone,
    All,
}

/// At most `limit` notifications: those that are so first, then the newest.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn list_notifications(tx: &ReadTx<'_>, which: Which, limit: u32) -> Result<Vec<StoredNotification>, LedgerError> {
    tx.all(
        "SELECT * FROM notifications WHERE ?1 OR cleared_at_ms IS NULL OR acknowledged_at_ms IS NULL
         ORDER BY cleared_at_ms IS NOT NULL, last_at_ms DESC, notification_id DESC LIMIT ?2",
        (which == Which::All, limit),
        read_notification,
    )
    .map_err(failed("listing", "notifications"))
}

/// Notes that somebody has seen a notification; the first time counts. `None`: there is no such notification.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn acknowledge_notification(
    tx: &WriteTx<'_>,
    number: u64,
    now: UtcMillis,
) -> Result<Option<StoredNotification>, LedgerError> {
    tx.execute(
        "UPDATE notifications SET acknowledged_at_ms = ?2 WHERE notification_id = ?1 AND acknowledged_at_ms IS NULL",
        (Count(number), now),
    )
    .map_err(failed("acknowledging notification", number))?;
    tx.first("SELECT * FROM notifications WHERE notification_id = ?1", (Count(number),), read_notification)
        .map_err(failed("finding notification", number))
}

/// Forgets what was over and acknowledged before an instant.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn delete_old_notifications(tx: &WriteTx<'_>, done_before: UtcMillis) -> Result<usize, LedgerError> {
    tx.execute("DELETE FROM notifications WHERE cleared_at_ms < ?1 AND acknowledged_at_ms < ?1", (done_before,))
        .map_err(failed("forgetting notifications that were done before", done_before))
}

fn read_notification(row: &Row<'_>) -> rusqlite::Result<StoredNotification> {
    Ok(StoredNotification {
        number: row.get::<_, Count>("notification_id")?.0,
        code: row.get("code")?,
        category: row.get("category")?,
        severity: row.get("severity")?,
        text: row.get("text")?,
        first_at: row.get("first_at_ms")?,
        last_at: row.get("last_at_ms")?,
        openings: row.get::<_, Count>("openings")?.0,
        cleared_at: row.get("cleared_at_ms")?,
        acknowledged_at: row.get("acknowledged_at_ms")?,
    })
}
