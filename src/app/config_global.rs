//! Prices and limits: the database is the single source of truth, memory holds a validated copy.

use super::AppError;
use crate::core::config_global::{ConfigGlobal, KEYS};
use crate::ledger::Ledger;
use crate::ledger::config_global::{insert_missing_config, load_config_global as load};

/// Gives keys that the database lacks their defaults, and reads all of them. Blocks.
///
/// # Errors
/// [`AppError::ConfigGlobal`] lists every value that is not allowed.
pub fn load_config_global(ledger: &Ledger) -> Result<ConfigGlobal, AppError> {
    ledger.write_blocking(|tx| insert_missing_config(tx, KEYS))?;
    Ok(ConfigGlobal::from_table(&ledger.read_blocking(load)?)?)
}
