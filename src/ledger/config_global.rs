//! Prices and limits, key by key.

use std::collections::BTreeMap;

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::config_global::KeySpec;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// The whole table, key → value, unchecked: `ConfigGlobal::from_table` checks it.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn load_config_global(tx: &ReadTx<'_>) -> Result<BTreeMap<String, String>, LedgerError> {
    tx.all("SELECT key, value FROM config_global", (), |row| Ok((row.get("key")?, row.get("value")?)))
        .map(BTreeMap::from_iter)
        .map_err(failed("loading", "config_global"))
}

/// Gives the keys that are not there their defaults; values that are there stay. Returns how many were added.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn insert_missing_config(tx: &WriteTx<'_>, defaults: &[KeySpec]) -> Result<usize, LedgerError> {
    defaults.iter().try_fold(0, |added, spec| {
        tx.execute(
            "INSERT INTO config_global (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING",
            (spec.key, spec.default),
        )
        .map(|rows| added + rows)
        .map_err(failed("adding the default of a config_global key", spec.key))
    })
}

/// A value that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub at: UtcMillis,
    pub key: String,
    pub old_value: String,
    pub new_value: String,
}

/// Writes a value, and that it was changed.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_config(tx: &WriteTx<'_>, change: &ConfigChange) -> Result<(), LedgerError> {
    let ConfigChange { at, key, old_value, new_value } = change;
    tx.execute(
        "INSERT INTO config_global (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, new_value),
    )
    .map_err(failed("changing the config_global key", key))?;
    tx.execute(
        "INSERT INTO config_changes (at_ms, key, old_value, new_value) VALUES (?1, ?2, ?3, ?4)",
        (at, key, old_value, new_value),
    )
    .map(drop)
    .map_err(failed("noting a change of the config_global key", key))
}

/// The number of the newest change; 0 if there was none.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn newest_config_change(tx: &ReadTx<'_>) -> Result<u64, LedgerError> {
    tx.first("SELECT coalesce(max(config_change_id), 0) AS newest FROM config_changes", (), |row| {
        row.get::<_, Count>("newest")
    })
    .map(|newest| newest.map_or(0, |Count(newest)| newest))
    .map_err(failed("reading", "the newest change of config_global"))
}

/// Changes of these keys since an instant, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn config_changes_since(
    tx: &ReadTx<'_>,
    [one, other]: [&str; 2],
    since: UtcMillis,
) -> Result<Vec<ConfigChange>, LedgerError> {
    tx.all(
        "SELECT * FROM config_changes WHERE key IN (?1, ?2) AND at_ms >= ?3 ORDER BY config_change_id DESC",
        (one, other, since),
        read_change,
    )
    .map_err(failed("listing changes of config_global since", since))
}

/// At most `limit` changes, newest first; of one key, or of all.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn config_changes(tx: &ReadTx<'_>, key: Option<&str>, limit: u32) -> Result<Vec<ConfigChange>, LedgerError> {
    tx.all(
        "SELECT * FROM config_changes WHERE ?1 IS NULL OR key = ?1 ORDER BY config_change_id DESC LIMIT ?2",
        (key, limit),
        read_change,
    )
    .map_err(failed("listing", "changes of config_global"))
}

fn read_change(row: &Row<'_>) -> rusqlite::Result<ConfigChange> {
    Ok(ConfigChange {
        at: row.get("at_ms")?,
        key: row.get("key")?,
        old_value: row.get("old_value")?,
        new_value: row.get("new_value")?,
    })
}
