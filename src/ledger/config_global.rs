//! Prices and limits, key by key.

use std::collections::BTreeMap;

use crate::core::config_global::KeySpec;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

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
