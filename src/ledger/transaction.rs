//! Read and write transactions, two types: a function that changes something says so in its signature.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{CachedStatement, Connection, Params, Row, Transaction, TransactionBehavior, ffi};

use crate::ledger::error::{LedgerError, failed};

/// Sees the ledger as it was at one moment.
pub struct ReadTx<'conn> {
    transaction: Transaction<'conn>,
}

/// The only writer while it lasts. Reads what it has written; everything becomes visible to others at once.
pub struct WriteTx<'conn> {
    read: ReadTx<'conn>,
}

/// Whatever can be asked can be asked while writing.
impl<'conn> Deref for WriteTx<'conn> {
    type Target = ReadTx<'conn>;

    fn deref(&self) -> &ReadTx<'conn> {
        &self.read
    }
}

impl ReadTx<'_> {
    /// Every row of a query.
    pub(in crate::ledger) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read_row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.prepare(sql)?.query_map(params, read_row)?.collect()
    }

    /// The first row of a query, if it has one.
    pub(in crate::ledger) fn first<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read_row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.prepare(sql)?.query(params)?.next()?.map(read_row).transpose()
    }

    /// Some errors (a full disk, for one) make SQLite roll back at once. Work that goes on regardless would then
    /// commit statement by statement.
    fn prepare(&self, sql: &'static str) -> rusqlite::Result<CachedStatement<'_>> {
        if self.transaction.is_autocommit() {
            let why = "the transaction has been rolled back already".to_owned();
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT), Some(why)));
        }
        self.transaction.prepare_cached(sql)
    }

    #[cfg(test)]
    pub(in crate::ledger) fn connection(&self) -> &Connection {
        &self.transaction
    }
}

impl WriteTx<'_> {
    /// Runs a statement and tells how many rows it changed.
    pub(in crate::ledger) fn execute(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(params)
    }
}

/// Runs `work` in a write transaction of its own: committed if it returns `Ok`, else rolled back.
pub(in crate::ledger) fn run_write<T>(
    connection: &mut Connection,
    work: impl FnOnce(&WriteTx<'_>) -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    // IMMEDIATE takes the lock here, where waiting is possible; a later upgrade from reading would fail instead.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("beginning a transaction", "write"))?;
    let tx = WriteTx { read: ReadTx { transaction } };
    let value = caught(|| work(&tx))?;
    tx.read.transaction.commit().map_err(failed("committing a transaction", "write"))?;
    Ok(value)
}

/// Runs `work` in a read transaction of its own.
pub(in crate::ledger) fn run_read<T>(
    connection: &mut Connection,
    work: impl FnOnce(&ReadTx<'_>) -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Deferred)
        .map_err(failed("beginning a transaction", "read"))?;
    let tx = ReadTx { transaction };
    caught(|| work(&tx))
}

/// A panic ends the work, not the thread that all other work depends on. The transaction is dropped by the caller,
/// which rolls it back, so nothing that a panic left half done is seen again.
fn caught<T>(work: impl FnOnce() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(LedgerError::Panicked { message: message(&*payload) }))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let literal = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
