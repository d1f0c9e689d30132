//! Prices and limits: the database is the single source of truth, memory holds a validated copy.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::json;
use tracing::info;

use super::{App, AppError};
use crate::core::activity::Activity;
use crate::core::calendar::UtcMillis;
use crate::core::config_global::{BadConfigChange, ConfigGlobal, KEYS, change};
use crate::ledger::activity::append_activity;
use crate::ledger::config_global::{
    ConfigChange, config_changes, insert_missing_config, load_config_global as load, newest_config_change, set_config,
};
use crate::ledger::{Ledger, LedgerError, ReadTx};

/// A snapshot, and the number of the newest change that it has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedConfig {
    pub config: ConfigGlobal,
    pub newest_change: u64,
}

impl Deref for LoadedConfig {
    type Target = ConfigGlobal;

    fn deref(&self) -> &ConfigGlobal {
        &self.config
    }
}

/// Gives keys that the database lacks their defaults, and reads all of them. Blocks.
///
/// # Errors
/// [`AppError::ConfigGlobal`] lists every value that is not allowed.
pub fn load_config_global(ledger: &Ledger) -> Result<LoadedConfig, AppError> {
    ledger.write_blocking(|tx| insert_missing_config(tx, KEYS))?;
    ledger.read_blocking(read)
}

/// Reads all keys, without a trace: what the database lacks has its default. Blocks.
///
/// # Errors
/// [`LedgerError`].
pub fn list_config_global(ledger: &Ledger) -> Result<BTreeMap<String, String>, LedgerError> {
    ledger.read_blocking(load_with_defaults)
}

fn load_with_defaults(tx: &ReadTx<'_>) -> Result<BTreeMap<String, String>, LedgerError> {
    let mut table = load(tx)?;
    for spec in KEYS {
        table.entry(spec.key.to_owned()).or_insert_with(|| spec.default.to_owned());
    }
    Ok(table)
}

fn read(tx: &ReadTx<'_>) -> Result<LoadedConfig, AppError> {
    Ok(LoadedConfig { newest_change: newest_config_change(tx)?, config: ConfigGlobal::from_table(&load(tx)?)? })
}

/// Why a value is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigChangeError {
    #[error(transparent)]
    Refused(#[from] BadConfigChange),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Gives one key a new value, and notes it in the activity log; every running process takes it over within a second or
/// two. Returns what was changed: nothing if the key had that value already. Blocks.
///
/// # Errors
/// [`ConfigChangeError`]; then nothing is changed.
pub fn change_config_global(
    ledger: &Ledger,
    key: &str,
    value: &str,
    now: UtcMillis,
) -> Result<Vec<ConfigChange>, ConfigChangeError> {
    let (key, value) = (key.to_owned(), value.to_owned());
    ledger.write_blocking(move |tx| {
        let table = load_with_defaults(tx)?;
        let mut changes = Vec::new();
        for (key, new_value) in change(&table, &key, &value)? {
            let old_value = table.get(&key).cloned().unwrap_or_default();
            let change = ConfigChange { at: now, key, old_value, new_value };
            set_config(tx, &change)?;
            append_activity(tx, activity(&change))?;
            changes.push(change);
        }
        Ok(changes)
    })
}

/// What was changed, newest first; of one key, or of all. Blocks.
///
/// # Errors
/// [`LedgerError`].
pub fn list_config_changes(ledger: &Ledger, key: Option<&str>, limit: u32) -> Result<Vec<ConfigChange>, LedgerError> {
    let key = key.map(str::to_owned);
    ledger.read_blocking(move |tx| config_changes(tx, key.as_deref(), limit))
}

fn activity(change: &ConfigChange) -> Activity {
    Activity {
        customer: None,
        at: change.at,
        actor: "operator".to_owned(),
        ip: String::new(),
        action: "config.change".to_owned(),
        subject: change.key.clone(),
        details: json!({"from": change.old_value, "to": change.new_value}).to_string(),
    }
}

impl App {
    /// Takes over what an operator has changed since the last look. A table that is not right is not taken over.
    ///
    /// # Errors
    /// [`AppError::ConfigGlobal`] lists every value that is not allowed.
    pub async fn reload_config_global(&self) -> Result<(), AppError> {
        let known = self.config_global.load().newest_change;
        let changed = self.ledger.read(move |tx| -> Result<_, AppError> {
            if newest_config_change(tx)? == known { Ok(None) } else { read(tx).map(Some) }
        });
        if let Some(loaded) = changed.await? {
            info!(version = loaded.config.version(), "changed prices and limits are in force");
            self.config_global.store(Arc::new(loaded));
        }
        Ok(())
    }
}
