//! The ledger: SQLite, small and precious. The only place with its SQL, one named function per statement, in files
//! by noun.
//!
//! Invariants:
//! - One thread writes, one transaction at a time; readers see whole transactions only.
//! - What `write` has returned is on disk.
//! - After start nothing can change the schema: every connection refuses it, and [`Ledger::open`] has tried.
//! - Work that fails or panics leaves no trace.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::core::id::CustomerId;
use crate::ledger::connection::{Use, open_for_work, prove_ddl_refused, refuse_ddl};
use crate::ledger::transaction::{Share, WriteJob, run_read, run_writes, write_job};
use crate::ledger::versions::Versions;
use crate::ledger::worker::{Pool, Service};

pub mod activity;
pub mod api_key;
pub mod api_token;
pub mod balance;
pub mod billed_usage;
pub mod billing_invoice;
pub mod billing_notice;
pub mod billing_standing;
pub mod chain_event;
pub mod charge;
pub mod clock_mark;
pub mod config_global;
mod connection;
pub mod credit;
pub mod credit_note;
pub mod customer;
pub mod entry;
mod error;
pub mod escrow;
pub mod gateway;
pub mod idempotency;
pub mod identity;
pub mod invoice_line;
mod migration;
pub mod notification;
pub mod parked;
pub mod payment_terms;
mod prepared;
pub mod seal_key;
pub mod service;
pub mod session;
mod transaction;
pub mod unclosed_month;
pub mod usage;
mod values;
pub mod vault;
pub mod verify;
mod versions;
pub mod wallet_transaction;
mod worker;

#[cfg(test)]
mod tests;

pub use crate::ledger::error::LedgerError;
pub use crate::ledger::prepared::Giving;
pub use crate::ledger::transaction::{ReadTx, WriteTx};

/// The open ledger. Shared by reference; all methods can be called at the same time.
pub struct Ledger {
    writer: Pool<WriteJob>,
    readers: Pool<ReadJob>,
    /// Reads for the writer, see [`Ledger::write_prepared`].
    preparer: Arc<Pool<ReadJob>>,
    versions: Arc<Versions>,
}

type ReadJob = Box<dyn FnOnce(&mut Connection) + Send>;

/// Writes that are committed together at most: enough to share the disk's time, few enough to wait for.
const WRITES_AT_ONCE: usize = 128;

impl Ledger {
    /// Opens or creates the ledger, brings its schema up to date and starts its threads: one writer with one that reads
    /// for it, and `readers` readers (at least one). Blocks.
    ///
    /// # Errors
    /// [`LedgerError::FromTheFuture`] for a database of a later version, which is left untouched;
    /// [`LedgerError::DdlNotRefused`] when a connection could change the schema; otherwise what failed.
    pub fn open(path: &Path, readers: usize) -> Result<Self, LedgerError> {
        migration::bring_up_to_date(path)?;
        Self::start(path, readers)
    }

    /// The same for a ledger whose schema is this version's already, as beside a process that runs. Blocks.
    ///
    /// # Errors
    /// [`LedgerError::FromTheFuture`] or [`LedgerError::FromThePast`] for any other, which is left untouched; otherwise
    /// as for [`Ledger::open`].
    pub fn open_as_it_is(path: &Path, readers: usize) -> Result<Self, LedgerError> {
        migration::require_current(path)?;
        Self::start(path, readers)
    }

    fn start(path: &Path, readers: usize) -> Result<Self, LedgerError> {
        let writer = connect(path, Use::Write, "writer".to_owned())?;
        let versions = Arc::new(Versions::new());
        let seeing = Arc::clone(&versions);
        let watching = writer.1.update_hook(Some(move |_, _: &str, table: &str, _| seeing.saw_change_of(table)));
        watching.map_err(|source| LedgerError::Open { path: path.to_owned(), source })?;
        let readers = (1..=readers.max(1))
            .map(|number| connect(path, Use::Read, format!("reader-{number}")))
            .collect::<Result<Vec<_>, _>>()?;
        let preparer = connect(path, Use::Read, "preparer".to_owned())?;
        let raising = Arc::clone(&versions);
        let serve = move |connection: &mut Connection, jobs| run_writes(connection, jobs, &raising);
        let write = Service { serve: Arc::new(serve), at_once: WRITES_AT_ONCE, at_end: checkpoint };
        let read = || Service { serve: Arc::new(run_reads), at_once: 1, at_end: |_| () };
        Ok(Self {
            writer: Pool::start(vec![writer], write)?,
            readers: Pool::start(readers, read())?,
            preparer: Arc::new(Pool::start(vec![preparer], read())?),
            versions,
        })
    }

    /// A number that is higher after each change of a customer, and at times without one.
    pub fn version_of(&self, customer: CustomerId) -> u64 {
        self.versions.of(customer)
    }

    /// Tells when something that vaults show was committed here; what another process commits is not told.
    pub fn vault_news(&self) -> watch::Receiver<u64> {
        self.versions.vault_news()
    }

    /// Runs `work` in a write transaction on the writer thread, possibly together with other work that waits. `Ok`
    /// commits, `Err` and a panic roll back. If the caller goes away while waiting, queued work is done all the same.
    ///
    /// # Errors
    /// What `work` returned, [`LedgerError::Panicked`], [`LedgerError::Closed`], or why it could not be committed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (sender, reply) = oneshot::channel();
        self.writer.send(write_job(Share::WithOthers, work, answer(sender))).await?;
        reply.await.unwrap_or_else(|_| Err(LedgerError::Closed.into()))
    }

    /// Runs `work` in a read transaction on a reader thread.
    ///
    /// # Errors
    /// What `work` returned, [`LedgerError::Panicked`] or [`LedgerError::Closed`].
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (sender, reply) = oneshot::channel();
        self.readers.send(read_job(work, answer(sender))).await?;
        reply.await.unwrap_or_else(|_| Err(LedgerError::Closed.into()))
    }

    /// [`Self::write`] for plain threads. Panics within an asynchronous task.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_blocking<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
        F: FnOnce(&WriteTx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (sender, reply) = oneshot::channel();
        self.writer.send_blocking(write_job(Share::WithOthers, work, answer(sender)))?;
        reply.blocking_recv().unwrap_or_else(|_| Err(LedgerError::Closed.into()))
    }

    /// [`Self::read`] for plain threads. Panics within an asynchronous task.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
        F: FnOnce(&ReadTx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (sender, reply) = oneshot::channel();
        self.readers.send_blocking(read_job(work, answer(sender)))?;
        reply.blocking_recv().unwrap_or_else(|_| Err(LedgerError::Closed.into()))
    }

    /// Takes no more work, has what is queued done, moves the write-ahead log into the main file and ends the
    /// threads. Blocks, so call it from a plain thread when the tasks that use the ledger have ended. Closing again
    /// does nothing; dropping the ledger does the same without waiting.
    pub fn close(&self) {
        // Readers first: an open snapshot would keep the log from being emptied.
        self.readers.close();
        self.writer.close();
        self.preparer.close();
    }
}

fn connect(path: &Path, usage: Use, name: String) -> Result<(String, Connection), LedgerError> {
    let opening = |source| LedgerError::Open { path: path.to_owned(), source };
    let connection = open_for_work(path, usage).map_err(opening)?;
    refuse_ddl(&connection).map_err(opening)?;
    prove_ddl_refused(&connection, &name)?;
    Ok((name, connection))
}

/// Whoever asked may have gone; the work counts all the same.
fn answer<R: Send + 'static>(sender: oneshot::Sender<R>) -> impl FnOnce(R) + Send + 'static {
    move |result| drop(sender.send(result))
}

fn read_job<T, E: From<LedgerError>>(
    work: impl FnOnce(&ReadTx<'_>) -> Result<T, E> + Send + 'static,
    reply: impl FnOnce(Result<T, E>) + Send + 'static,
) -> ReadJob {
    Box::new(move |connection| reply(run_read(connection, work)))
}

fn run_reads(connection: &mut Connection, jobs: Vec<ReadJob>) {
    jobs.into_iter().for_each(|job| job(connection));
}

/// Best effort: what is not moved stays in the log, which belongs to the database and is read at the next opening.
fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}
