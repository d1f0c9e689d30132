//! What can go wrong with the ledger.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::customer::WalletAddress;
use crate::core::id::CustomerId;

/// Names the operation and its subject; the cause is chained.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("opening the ledger {}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },

    #[error("{} is no ledger in WAL mode: its journal mode is {journal_mode}", path.display())]
    NotWal { path: PathBuf, journal_mode: String },

    #[error("bringing the schema of the ledger {} up to date", path.display())]
    Migrate { path: PathBuf, source: rusqlite_migration::Error },

    /// Written by a later version. Nothing has been changed.
    #[error(
        "the ledger {} has schema {found}, but this version of suiftly knows schemas up to {known}: install the version \
         that wrote it or a later one, or restore a backup from before the upgrade",
        path.display()
    )]
    FromTheFuture { path: PathBuf, found: i64, known: i64 },

    /// Written by an earlier version, where nothing may be changed about that. Nothing has been.
    #[error(
        "the ledger {} has schema {found}, and this version of suiftly works with schema {known}: restart `suiftly serve` \
         with this version, which brings it up to date, or use the version that runs",
        path.display()
    )]
    FromThePast { path: PathBuf, found: i64, known: i64 },

    /// A connection for daily work could change the schema. The ledger is not opened.
    #[error("the {connection} connection of the ledger does not refuse `{statement}`")]
    DdlNotRefused { connection: String, statement: &'static str },

    #[error("starting the {thread} thread of the ledger")]
    Thread { thread: String, source: io::Error },

    #[error("{operation} ({subject})")]
    Statement { operation: &'static str, subject: String, source: rusqlite::Error },

    /// Nothing of it is on disk, nor of the work that shared its transaction.
    #[error("{operation}")]
    NotCommitted { operation: &'static str, source: Arc<rusqlite::Error> },

    #[error("customer number {0} is taken")]
    CustomerIdTaken(CustomerId),

    #[error("another customer has the wallet {0}")]
    WalletTaken(WalletAddress),

    /// Nothing of it is written.
    #[error("the entry {key} cannot be in the books: {broken}")]
    EntryRefused { key: String, broken: &'static str },

    /// The same key stands for something else already.
    #[error("entry {number} of the books has the key {key} and says something else")]
    EntryKeyReused { key: String, number: u64 },

    #[error("the lines of invoice {invoice} are fixed since it was issued, all but credits")]
    LinesFixed { invoice: u64 },

    /// Somebody else has done it, or it cannot be done in the state that the row has.
    #[error("{operation} ({subject}): no such row, or not in the state for it")]
    NotThere { operation: &'static str, subject: String },

    /// The work panicked. Its transaction was rolled back and the thread goes on.
    #[error("work on the ledger panicked and was rolled back: {message}")]
    Panicked { message: String },

    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    /// Whether what was to be written contradicts what is there, so that it will be refused again and again.
    pub fn is_contradiction(&self) -> bool {
        match self {
            Self::Statement { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
            }
            Self::NotThere { .. }
            | Self::EntryRefused { .. }
            | Self::EntryKeyReused { .. }
            | Self::LinesFixed { .. } => true,
            _ => false,
        }
    }
}

/// For `map_err`: gives an error of SQLite the operation and the subject that it happened to.
pub(in crate::ledger) fn failed(
    operation: &'static str,
    subject: impl Display,
) -> impl FnOnce(rusqlite::Error) -> LedgerError {
    move |source| LedgerError::Statement { operation, subject: subject.to_string(), source }
}

/// For statements that must change exactly one row.
pub(in crate::ledger) fn one_row(
    operation: &'static str,
    subject: impl Display + Clone,
) -> impl FnOnce(rusqlite::Result<usize>) -> Result<(), LedgerError> {
    move |changed| match changed.map_err(failed(operation, subject.clone()))? {
        0 => Err(LedgerError::NotThere { operation, subject: subject.to_string() }),
        _ => Ok(()),
    }
}
