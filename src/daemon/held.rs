//! The ledger in the hands of a command, while no daemon runs.

use super::{DaemonError, lock_data_dir};
use crate::config::Config;
use crate::ledger::Ledger;

/// Does something with the ledger of a data directory that no process has meanwhile. Its schema stays as it is. Blocks.
///
/// # Errors
/// [`DaemonError::InUse`] if a daemon has the data directory; [`DaemonError::Ledger`] if it cannot be opened.
pub fn with_ledger<T>(config: &Config, work: impl FnOnce(&Ledger) -> T) -> Result<T, DaemonError> {
    let _lock = lock_data_dir(&config.data_dir)?;
    let ledger = Ledger::open_as_it_is(&config.data_dir.join("ledger.db"), 1)?;
    let done = work(&ledger);
    ledger.close();
    Ok(done)
}
