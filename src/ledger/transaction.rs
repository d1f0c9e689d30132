//! Read and write transactions, two types: a function that changes something says so in its signature.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Params, Row, Transaction, TransactionBehavior, ffi};

use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::versions::Versions;

/// Sees the ledger as it was at one moment.
pub struct ReadTx<'conn> {
    transaction: Transaction<'conn>,
}

/// The only writer while it lasts. Reads what it has written; everything becomes visible to others at once.
pub struct WriteTx<'conn> {
    read: ReadTx<'conn>,
    touched: RefCell<Vec<CustomerId>>,
    /// Whether the work that runs has left something half done.
    spoiled: Cell<bool>,
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

    /// Calls `read` with every row of a query, without keeping them.
    pub(in crate::ledger) fn each(
        &self,
        sql: &'static str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            read(row)?;
        }
        Ok(())
    }

    /// Some errors (a full disk, for one) make SQLite roll back at once. Work that goes on regardless would then
    /// commit statement by statement.
    pub(in crate::ledger) fn prepare(&self, sql: &'static str) -> rusqlite::Result<CachedStatement<'_>> {
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
    /// Says that something of a customer is changed: once that is on disk, [`Ledger::version_of`] it is higher.
    ///
    /// [`Ledger::version_of`]: crate::ledger::Ledger::version_of
    pub fn touch(&self, customer: CustomerId) {
        self.touched.borrow_mut().push(customer);
    }

    /// Runs a statement and tells how many rows it changed.
    pub(in crate::ledger) fn execute(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(params)
    }

    /// Runs statements that belong together: if one fails, nothing of the whole work is kept, whatever the caller makes
    /// of the error. (A savepoint for each would copy every page that it changes.)
    pub(in crate::ledger) fn together<T>(
        &self,
        work: impl FnOnce() -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let done = work();
        self.spoiled.set(self.spoiled.get() || done.is_err());
        done
    }
}

/// A piece of work for the writer.
pub(in crate::ledger) struct WriteJob {
    work: Work,
    share: Share,
}

/// Does it, and tells what became of it once that is known.
type Work = Box<dyn FnOnce(Result<&WriteTx<'_>, &NotCommitted>) -> Outcome + Send>;

/// Whether work may find in its transaction what other work has written before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum Share {
    WithOthers,
    /// It begins with what is on disk.
    Alone,
}

/// Work that has been done, and is not on disk yet.
pub(in crate::ledger) struct Outcome {
    keep: bool,
    reply: Box<dyn FnOnce(Result<(), NotCommitted>)>,
}

impl Outcome {
    /// Is not kept, even if it thinks that it succeeded.
    fn undone(self) -> Self {
        let why = "the work went on after statements that belong together had failed".to_owned();
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT), Some(why));
        let failure = NotCommitted::when("keeping work that was left half done")(source);
        Self { keep: false, reply: Box::new(move |_| (self.reply)(Err(failure))) }
    }
}

/// Why a transaction came to nothing; told to everybody whose work was in it.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct NotCommitted {
    operation: &'static str,
    source: Arc<rusqlite::Error>,
}

impl NotCommitted {
    fn when(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self { operation, source: Arc::new(source) }
    }
}

impl From<NotCommitted> for LedgerError {
    fn from(NotCommitted { operation, source }: NotCommitted) -> Self {
        Self::NotCommitted { operation, source }
    }
}

/// Packs `work` for the writer; `reply` is called when its transaction is on disk, or failed.
pub(in crate::ledger) fn write_job<T, E>(
    share: Share,
    work: impl FnOnce(&WriteTx<'_>) -> Result<T, E> + Send + 'static,
    reply: impl FnOnce(Result<T, E>) + Send + 'static,
) -> WriteJob
where
    T: 'static,
    E: From<LedgerError> + 'static,
{
    let work: Work = Box::new(move |tx| {
        let done = match tx {
            Ok(tx) => caught(|| work(tx)),
            Err(failure) => Err(LedgerError::from(failure.clone()).into()),
        };
        match done {
            Ok(value) => Outcome {
                keep: true,
                reply: Box::new(move |committed| {
                    reply(committed.map(|()| value).map_err(|failure| LedgerError::from(failure).into()));
                }),
            },
            Err(error) => Outcome { keep: false, reply: Box::new(move |_| reply(Err(error))) },
        }
    });
    WriteJob { work, share }
}

/// Does every job in order, in one transaction but for those that want to be alone. Writing to disk once for all that
/// wait is what makes many small writes fast.
pub(in crate::ledger) fn run_writes(connection: &mut Connection, jobs: Vec<WriteJob>, versions: &Versions) {
    let mut together = Vec::new();
    for WriteJob { work, share } in jobs {
        if share == Share::Alone {
            run_together(connection, std::mem::take(&mut together), versions);
            run_together(connection, vec![work], versions);
        } else {
            together.push(work);
        }
    }
    run_together(connection, together, versions);
}

fn run_together(connection: &mut Connection, jobs: Vec<Work>, versions: &Versions) {
    if jobs.is_empty() {
        return;
    }
    // IMMEDIATE takes the lock here, where waiting is possible; a later upgrade from reading would fail instead.
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = match begun.map_err(NotCommitted::when("beginning a transaction")) {
        Ok(transaction) => transaction,
        Err(failure) => return jobs.into_iter().for_each(|job| (job(Err(&failure)).reply)(Err(failure.clone()))),
    };
    let tx = WriteTx { read: ReadTx { transaction }, touched: RefCell::default(), spoiled: Cell::default() };
    let outcomes = run_jobs(&tx, jobs);
    let (touched, transaction) = (tx.touched.into_inner(), tx.read.transaction);
    let ended = if outcomes.iter().any(|outcome| outcome.keep) { transaction.commit() } else { transaction.rollback() };
    let committed = ended.map_err(NotCommitted::when("committing a transaction"));
    // Before anybody is told: who has been told must not read something older.
    touched.into_iter().for_each(|customer| versions.raise(customer));
    versions.tell_vault_news();
    outcomes.into_iter().for_each(|outcome| (outcome.reply)(committed.clone()));
}

/// A job that fails leaves no trace and the others stay: each has a savepoint of its own. One job alone needs none, and
/// is the faster for it: SQLite keeps what every page was at a savepoint, and looks through all of that after each
/// statement that has a savepoint of its own.
fn run_jobs(tx: &WriteTx<'_>, mut jobs: Vec<Work>) -> Vec<Outcome> {
    match jobs.pop() {
        Some(only) if jobs.is_empty() => vec![run_job(tx, only)],
        last => jobs.into_iter().chain(last).map(|job| run_behind_savepoint(tx, job)).collect(),
    }
}

fn run_job(tx: &WriteTx<'_>, job: Work) -> Outcome {
    let outcome = job(Ok(tx));
    if tx.spoiled.take() { outcome.undone() } else { outcome }
}

/// What goes wrong with a savepoint has ended the whole transaction, so that committing it fails as well.
fn run_behind_savepoint(tx: &WriteTx<'_>, job: Work) -> Outcome {
    if let Err(failure) = tx.execute("SAVEPOINT work", ()).map_err(NotCommitted::when("beginning a savepoint")) {
        return job(Err(&failure));
    }
    let outcome = run_job(tx, job);
    if !outcome.keep {
        let _ = tx.execute("ROLLBACK TO work", ());
    }
    let _ = tx.execute("RELEASE work", ());
    outcome
}

/// Runs `work` in a read transaction of its own.
pub(in crate::ledger) fn run_read<T, E: From<LedgerError>>(
    connection: &mut Connection,
    work: impl FnOnce(&ReadTx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Deferred)
        .map_err(failed("beginning a transaction", "read"))?;
    let tx = ReadTx { transaction };
    caught(|| work(&tx))
}

/// A panic ends the work, not the thread that all other work depends on. What it left half done is rolled back by
/// the caller, so nobody sees it.
fn caught<T, E: From<LedgerError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(LedgerError::Panicked { message: message(&*payload) }.into()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let literal = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
