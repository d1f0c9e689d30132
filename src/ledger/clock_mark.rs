//! Until when the ledger was in use: what a clock is compared with at the next start.

use crate::core::calendar::UtcMillis;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// The newest instant that was noted; `None` before any.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn last_in_use(tx: &ReadTx<'_>) -> Result<Option<UtcMillis>, LedgerError> {
    tx.first("SELECT in_use_at_ms FROM clock_mark", (), |row| row.get(0)).map_err(failed("reading", "the clock's mark"))
}

/// Notes an instant, also if it is before the one that is there.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_in_use(tx: &WriteTx<'_>, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO clock_mark (only_one, in_use_at_ms) VALUES (1, ?1)
         ON CONFLICT (only_one) DO UPDATE SET in_use_at_ms = excluded.in_use_at_ms",
        (now,),
    )
    .map(drop)
    .map_err(failed("noting", "the clock's mark"))
}
