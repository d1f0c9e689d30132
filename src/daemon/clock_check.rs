//! Whether the machine's clock can be right: held against the time at which the ledger was in use last.

use super::{DaemonError, with_ledger};
use crate::config::Config;
use crate::core::calendar::{DAY_MS, HOUR_MS, UtcMillis};
use crate::ledger::clock_mark::{last_in_use, note_in_use};
use crate::ledger::{Ledger, LedgerError};

/// A ledger may have been in use so much later than it is by the clock.
const BEHIND_MS: i64 = HOUR_MS;
/// And so much earlier: longer than a month, so that no month is closed for a clock that was never set.
const AHEAD_MS: i64 = 35 * DAY_MS;

/// Refuses a clock that would close months which are not over, or bill nothing for a long time. Blocks.
///
/// # Errors
/// [`DaemonError::ClockBehind`], [`DaemonError::ClockAhead`], [`DaemonError::Ledger`].
pub fn check_clock(ledger: &Ledger, now: UtcMillis) -> Result<(), DaemonError> {
    match ledger.read_blocking(last_in_use)? {
        Some(seen) if now < seen.plus_ms(-BEHIND_MS) => Err(DaemonError::ClockBehind { now, seen }),
        Some(seen) if now > seen.plus_ms(AHEAD_MS) => Err(DaemonError::ClockAhead { now, seen }),
        _ => Ok(()),
    }
}

/// Takes the clock to be right, because an operator says so. Blocks.
///
/// # Errors
/// [`DaemonError::InUse`] beside a running process, [`DaemonError::Ledger`].
pub fn accept_clock(config: &Config, now: UtcMillis) -> Result<(), DaemonError> {
    if !config.data_dir.join("ledger.db").exists() {
        return Ok(());
    }
    Ok(with_ledger(config, |ledger| ledger.write_blocking::<_, LedgerError, _>(move |tx| note_in_use(tx, now)))??)
}
