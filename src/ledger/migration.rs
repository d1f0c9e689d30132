//! The numbered steps that lead to the current schema. The number of the last one applied is SQLite's `user_version`.
//!
//! A step that has been released is never changed: a new one follows it, and `schema/ledger/schema.sql` changes too.

use std::cmp::Ordering;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

use crate::ledger::connection::{Use, open_for_steps, open_for_work, set_wal};
use crate::ledger::error::LedgerError;

/// In order, from schema 1.
pub(in crate::ledger) const STEPS: &[&str] = &[
    include_str!("../../schema/ledger/0001_initial.sql"),
    include_str!("../../schema/ledger/0002_accounts.sql"),
    include_str!("../../schema/ledger/0003_billing.sql"),
    include_str!("../../schema/ledger/0004_vaults.sql"),
];

/// Creates the ledger or brings it up to date, in one transaction. A database of a later version is left untouched.
///
/// # Errors
/// [`LedgerError::FromTheFuture`], [`LedgerError::Open`], [`LedgerError::NotWal`], [`LedgerError::Migrate`].
pub(in crate::ledger) fn bring_up_to_date(path: &Path) -> Result<(), LedgerError> {
    let opening = |source| LedgerError::Open { path: path.to_owned(), source };
    let mut connection = open_for_steps(path).map_err(opening)?;
    check_version(&connection, path, Age::AnyPast)?;
    let journal_mode = set_wal(&connection).map_err(opening)?;
    if journal_mode != "wal" {
        return Err(LedgerError::NotWal { path: path.to_owned(), journal_mode });
    }
    apply_steps(&mut connection).map_err(|source| LedgerError::Migrate { path: path.to_owned(), source })
}

/// Checks that no step is missing, and changes nothing.
///
/// # Errors
/// [`LedgerError::FromTheFuture`], [`LedgerError::FromThePast`], [`LedgerError::Open`].
pub(in crate::ledger) fn require_current(path: &Path) -> Result<(), LedgerError> {
    let opening = |source| LedgerError::Open { path: path.to_owned(), source };
    let connection = open_for_work(path, Use::Read).map_err(opening)?;
    check_version(&connection, path, Age::Current)
}

/// How old a schema may be.
#[derive(PartialEq, Eq)]
enum Age {
    AnyPast,
    Current,
}

fn check_version(connection: &Connection, path: &Path, allowed: Age) -> Result<(), LedgerError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| LedgerError::Open { path: path.to_owned(), source })?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    match found.cmp(&known) {
        Ordering::Greater => Err(LedgerError::FromTheFuture { path: path.to_owned(), found, known }),
        Ordering::Less if allowed == Age::Current => {
            Err(LedgerError::FromThePast { path: path.to_owned(), found, known })
        }
        Ordering::Less | Ordering::Equal => Ok(()),
    }
}

fn apply_steps(connection: &mut Connection) -> rusqlite_migration::Result<()> {
    // Two processes that start at once apply the steps one after the other, not half each.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let steps = STEPS.iter().map(|step| M::up(step).foreign_key_check()).collect();
    Migrations::new(steps).to_latest(connection)
}
