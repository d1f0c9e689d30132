//! Connections: one that may change the schema, for a moment at start; all others are refused that, provably.

use std::path::Path;
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::ledger::error::LedgerError;

/// How long to wait for a lock that another process holds (a backup, the command line).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More than there are statements, so that each is prepared once per connection.
const CACHED_STATEMENTS: usize = 128;

/// What a connection keeps of the file, in KiB; negative, as SQLite wants it. A writer that closes a month touches
/// pages all over the file, and what does not fit is written more than once.
const WRITER_CACHE: i64 = -64 * 1024;
const READER_CACHE: i64 = -8 * 1024;

/// Whether a connection for daily work may change rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum Use {
    Write,
    Read,
}

/// Opens or creates the file for changes of the schema. Foreign keys are off, as SQLite advises for such changes;
/// each step has its foreign keys checked instead.
pub(in crate::ledger) fn open_for_steps(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_common(&connection)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// Switches the file to write-ahead logging, for all connections and for good. Returns the mode that it has then.
pub(in crate::ledger) fn set_wal(connection: &Connection) -> rusqlite::Result<String> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
}

/// Opens the existing file for daily work, without the authorizer.
pub(in crate::ledger) fn open_for_work(path: &Path, usage: Use) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_common(&connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "query_only", usage == Use::Read)?;
    connection.pragma_update(None, "cache_size", if usage == Use::Write { WRITER_CACHE } else { READER_CACHE })?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

fn set_common(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A commit that has returned survives a power failure.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Copies of pages for savepoints: small, and a file would cost a call for each.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // What REPLACE removes is deleted, and the triggers that refuse deletions must see it.
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "trusted_schema", false)
}

/// From here on the connection can change rows at most, and none of its own settings.
pub(in crate::ledger) fn refuse_ddl(connection: &Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(authorize))
}

/// A list of what is allowed: what a later SQLite adds is refused until somebody has thought about it.
pub(in crate::ledger) fn authorize(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Recursive
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. } => true,
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => !table_name.starts_with("sqlite_"),
        AuthAction::Function { function_name } => function_name != "load_extension",
        // Moves committed pages into the main file, at closing; changes no setting.
        AuthAction::Pragma { pragma_name, .. } => pragma_name == "wal_checkpoint",
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// What must be refused. Each is only prepared: the authorizer speaks then, and nothing is carried out.
const FORBIDDEN: &[&str] = &[
    "CREATE TABLE forbidden (x)",
    "CREATE TEMP TABLE forbidden (x)",
    "CREATE INDEX forbidden ON customers (name)",
    "CREATE VIEW forbidden AS SELECT 1",
    "CREATE TEMP VIEW forbidden AS SELECT 1",
    "CREATE TRIGGER forbidden AFTER DELETE ON customers BEGIN SELECT 1; END",
    "ALTER TABLE customers ADD COLUMN forbidden",
    "ALTER TABLE customers RENAME TO forbidden",
    // One without triggers: dropping those would be refused before it.
    "DROP TABLE chain_cursor",
    "DROP INDEX invoices_one_draft",
    "REINDEX customers",
    "ANALYZE customers",
    "ATTACH ':memory:' AS forbidden",
    "PRAGMA query_only = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA writable_schema = ON",
];

/// Tries everything forbidden on a connection that is about to be put to use.
///
/// # Errors
/// [`LedgerError::DdlNotRefused`] for the first statement that the authorizer lets pass. A statement that fails for
/// another reason has not been refused either: the next one might not fail.
pub(in crate::ledger) fn prove_ddl_refused(connection: &Connection, name: &str) -> Result<(), LedgerError> {
    for statement in FORBIDDEN {
        let refused = connection
            .prepare(statement)
            .is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied));
        if !refused {
            return Err(LedgerError::DdlNotRefused { connection: name.to_owned(), statement });
        }
    }
    Ok(())
}
