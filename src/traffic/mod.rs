//! DuckDB: requests, rollups, and how far each log file has been read. The only place with its SQL.
//!
//! Invariant: rows, their rollup deltas, rejected lines and the file positions that explain them commit in one
//! transaction ([`Writer::append`]), so after any crash intake resumes from the positions and every line counts once.
//!
//! There is one [`Writer`], owned by the thread that appends, and any number of readers, which are clones of its
//! connection and see whole batches only.

mod batch;
mod charts;
mod columns;
mod compact;
mod imports;
mod interrupt;
mod key_use;
mod live;
mod marks;
mod open;
mod overview;
mod positions;
mod rebuild;
mod relation;
mod requests;
mod scope;
mod sealed;
mod shapes;
mod shipping;
mod sql;
mod stored_usage;
mod tops;
mod usage;
mod window;
mod writer;

pub use batch::{Batch, Committed, FilePosition, QUARANTINE_HEAD_BYTES, Quarantined, SealedBatch};
pub use charts::{Bandwidth, By, Point, Totals};
pub use imports::{FollowedFile, ImportPosition};
pub use interrupt::Interrupt;
pub use key_use::KeyUse;
pub use live::News;
pub use marks::SpoolPosition;
pub use open::Options;
pub use overview::{Recent, RecentBucket, RecentQuery, StoreSize};
pub use rebuild::{Rebuild, is_set_aside, put_in_place, remove_store, set_aside};
pub use requests::{Position, RequestFilter, RequestPage, RequestQuery, RequestRow};
pub use scope::Scope;
pub use sealed::{Adopted, Dropped, KeptFor, Part, SealReport, VerifyReport};
pub use shapes::Shapes;
pub use shipping::LinesOfHour;
pub use sql::{SqlAnswer, SqlColumn};
pub use stored_usage::StoredUsage;
pub use tops::{COUNTED_REQUESTS, Common, Counted, GatewayShare, Top, TopItem};
pub use usage::UsageChanges;
pub use writer::Writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use duckdb::Connection;

/// Something the traffic store could not do, and why.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    #[error("cannot {operation} in the traffic store")]
    Query { operation: &'static str, source: duckdb::Error },
    #[error("cannot make a batch of rows")]
    Batch { source: duckdb::arrow::error::ArrowError },
    #[error("cannot open the traffic store {path}")]
    Open { path: PathBuf, source: duckdb::Error },
    #[error(
        "the traffic store {path} has schema version {found}, and this program knows versions up to {known}: \
         install the newer suiftly that wrote it, or restore a backup"
    )]
    FromTheFuture { path: PathBuf, found: u32, known: u32 },
    #[error("the traffic store gave {what} that is out of range")]
    OutOfRange { what: &'static str },
    #[error("a read of the traffic store was interrupted")]
    Interrupted,
    #[error("only a single SELECT is answered: {why}")]
    NotASelect { why: String },
    #[error("the query was given up after {within_ms} ms")]
    TookTooLong { within_ms: u64 },
    #[error("cannot {operation} {path}")]
    File { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "the sealed file {path} does not hold what was written to it: {was} instead of {wanted}; nothing was removed"
    )]
    Unequal { path: PathBuf, was: String, wanted: String },
    #[error("the system gave no random bytes")]
    Random { source: getrandom::Error },
}

impl TrafficError {
    /// Whether DuckDB gave up on the open file, so that only opening it again can help.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Query { source, .. } => {
                let text = source.to_string();
                text.contains("FATAL") || text.contains("database has been invalidated")
            }
            _ => false,
        }
    }

    /// Whether a read ended because its [`Interrupt`] was fired.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Query { source, .. } => source.to_string().contains("INTERRUPT"),
            _ => false,
        }
    }
}

/// Says what was being done when a DuckDB call failed.
fn failed(operation: &'static str) -> impl Fn(duckdb::Error) -> TrafficError {
    move |source| TrafficError::Query { operation, source }
}

/// Readers of the store. Cheap to clone; every method blocks and belongs on a blocking thread.
#[derive(Clone)]
pub struct Traffic {
    idle: Arc<Mutex<Vec<Connection>>>,
    first: Arc<Mutex<Connection>>,
    store_id: Arc<str>,
    path: Arc<Path>,
    chunks: Arc<Path>,
}

impl Traffic {
    /// Opens the store, creating it or bringing its schema up to date, and gives its only writer.
    ///
    /// # Errors
    /// [`TrafficError`] if the file cannot be opened, is locked by another process, or is of a newer version.
    pub fn open(path: &Path, options: &Options) -> Result<(Self, Writer), TrafficError> {
        let chunks: Arc<Path> = path.with_file_name(sealed::FOLDER).into();
        let connection = open::open(path, options, &chunks)?;
        let clone = || connection.try_clone().map_err(failed("open a second connection"));
        let writer = Writer::new(clone()?)?;
        let store_id = writer.store_id()?.into();
        let idle = Arc::new(Mutex::new(Vec::new()));
        Ok((Self { idle, first: Arc::new(Mutex::new(connection)), store_id, path: path.into(), chunks }, writer))
    }

    /// The random name that this file got when it was created.
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// Runs `query` in one read transaction, so that all its statements see the same batches.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, TrafficError>) -> Result<T, TrafficError> {
        let connection = self.take_idle()?;
        connection.execute_batch("BEGIN TRANSACTION READ ONLY").map_err(failed("begin to read"))?;
        let result = query(&connection);
        let ended = connection.execute_batch("ROLLBACK").map_err(failed("end a read"));
        if ended.is_ok() {
            lock(&self.idle).push(connection);
        }
        let value = result?;
        ended.map(|()| value)
    }

    /// Breaks or mends the store, for tests of what happens then.
    #[cfg(test)]
    pub(crate) fn execute(&self, sql: &str) {
        lock(&self.first).execute_batch(sql).expect("a test's statement is right");
    }

    fn take_idle(&self) -> Result<Connection, TrafficError> {
        if let Some(connection) = lock(&self.idle).pop() {
            return Ok(connection);
        }
        lock(&self.first).try_clone().map_err(failed("open another connection"))
    }
}

/// A list of idle connections stays sound whatever panicked while it was locked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
