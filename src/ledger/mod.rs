//! The ledger: SQLite, small and precious. The only place with its SQL, one named function per statement, in files
//! by noun.
//!
//! Invariants:
//! - One thread writes, one transaction at a time; readers see whole transactions only.
//! - What `write` has returned is on disk.
//! - After start nothing can change the schema: every connection refuses it, and [`Ledger::open`] has tried.
//! - Work that fails or panics leaves no trace.

use std::path::Path;

use rusqlite::Connection;

use crate::ledger::connection::{Use, open_for_work, prove_ddl_refused, refuse_ddl};
use crate::ledger::transaction::{run_read, run_write};
use crate::ledger::worker::Pool;

pub mod config_global;
mod connection;
pub mod customer;
mod error;
pub mod invoice;
mod migration;
mod transaction;
pub mod usage;
mod values;
mod worker;

#[cfg(test)]
mod tests;

pub use crate::ledger::error::LedgerError;
pub use crate::ledger::transaction::{ReadTx, WriteTx};

/// The open ledger. Shared by reference; all methods can be called at the same time.
pub struct Ledger {
    writer: Pool,
    readers: Pool,
}

impl Ledger {
    /// Opens or creates the ledger, brings its schema up to date and starts its threads: one writer and `readers`
    /// readers (at least one). Blocks.
    ///
    /// # Errors
    /// [`LedgerError::FromTheFuture`] for a database of a later version, which is left untouched;
    /// [`LedgerError::DdlNotRefused`] when a connection could change the schema; otherwise what failed.
    pub fn open(path: &Path, readers: usize) -> Result<Self, LedgerError> {
        migration::bring_up_to_date(path)?;
        let writer = connect(path, Use::Write, "writer".to_owned())?;
        let readers = (1..=readers.max(1))
            .map(|number| connect(path, Use::Read, format!("reader-{number}")))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { writer: Pool::start(vec![writer], checkpoint)?, readers: Pool::start(readers, |_| ())? })
    }

    /// Runs `work` in a write transaction on the writer thread. `Ok` commits, `Err` and a panic roll back. If the
    /// caller goes away while waiting, queued work is done all the same.
    ///
    /// # Errors
    /// What `work` returned, [`LedgerError::Panicked`], [`LedgerError::Closed`], or why it could not be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.writer.run(move |connection| run_write(connection, work)).await
    }

    /// Runs `work` in a read transaction on a reader thread.
    ///
    /// # Errors
    /// What `work` returned, [`LedgerError::Panicked`] or [`LedgerError::Closed`].
    pub async fn read<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.readers.run(move |connection| run_read(connection, work)).await
    }

    /// [`Self::write`] for plain threads. Panics within an asynchronous task.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.writer.run_blocking(move |connection| run_write(connection, work))
    }

    /// [`Self::read`] for plain threads. Panics within an asynchronous task.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.readers.run_blocking(move |connection| run_read(connection, work))
    }

    /// Takes no more work, has what is queued done, moves the write-ahead log into the main file and ends the
    /// threads. Blocks, so call it from a plain thread when the tasks that use the ledger have ended. Closing again
    /// does nothing; dropping the ledger does the same without waiting.
    pub fn close(&self) {
        // Readers first: an open snapshot would keep the log from being emptied.
        self.readers.close();
        self.writer.close();
    }
}

fn connect(path: &Path, usage: Use, name: String) -> Result<(String, Connection), LedgerError> {
    let opening = |source| LedgerError::Open { path: path.to_owned(), source };
    let connection = open_for_work(path, usage).map_err(opening)?;
    refuse_ddl(&connection).map_err(opening)?;
    prove_ddl_refused(&connection, &name)?;
    Ok((name, connection))
}

/// Best effort: what is not moved stays in the log, which belongs to the database and is read at the next opening.
fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}
