//! What tells this ledger from every other one, for as long as it exists.

use data_encoding::HEXLOWER;

use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// The identity: 16 hexadecimal digits.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn ledger_id(tx: &ReadTx<'_>) -> Result<Option<String>, LedgerError> {
    tx.first("SELECT ledger_id FROM ledger_identity", (), |row| row.get("ledger_id"))
        .map_err(failed("reading", "the ledger's identity"))
}

/// Gives the ledger an identity from random bytes, if it has none, and tells which it has.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn ensure_ledger_id(tx: &WriteTx<'_>, fresh: [u8; 8]) -> Result<String, LedgerError> {
    if let Some(known) = ledger_id(tx)? {
        return Ok(known);
    }
    let fresh = HEXLOWER.encode(&fresh);
    tx.execute("INSERT INTO ledger_identity (only_one, ledger_id) VALUES (1, ?1)", (&fresh,))
        .map_err(failed("giving an identity to", "the ledger"))?;
    Ok(fresh)
}
