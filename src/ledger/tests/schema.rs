//! The steps, the schema that they lead to, and who may change it.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode};

use super::*;
use crate::ledger::connection::{Use, authorize, open_for_work, prove_ddl_refused, refuse_ddl};
use crate::ledger::migration::{STEPS, bring_up_to_date};

/// Kind, name and definition of everything in the schema, without comments and line breaks.
fn schema_of(connection: &Connection) -> Vec<(String, String, String)> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let rows = statement.query_map((), |row| {
        let sql: Option<String> = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, normalised(&sql.unwrap_or_default())))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn normalised(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split("--").next().unwrap());
    let words = code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    // A column that a step adds is separated by SQLite's own taste.
    words.replace(" ,", ",").replace(" )", ")").replace("( ", "(")
}

fn in_memory(batches: &[&str]) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for batch in batches {
        connection.execute_batch(batch).unwrap();
    }
    connection
}

#[test]
fn the_steps_lead_to_the_full_schema() {
    let full = schema_of(&in_memory(&[include_str!("../../../schema/ledger/schema.sql")]));
    assert_eq!(schema_of(&in_memory(STEPS)), full);
    assert!(full.iter().any(|(kind, name, _)| kind == "index" && name == "invoices_one_draft"), "{full:?}");

    let test = TestLedger::new();
    test.ledger.close();
    assert_eq!(schema_of(&Connection::open(test.path()).unwrap()), full);
}

#[test]
fn bringing_up_to_date_again_changes_nothing() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(7))).unwrap();
    test.ledger.close();
    let once = schema_of(&Connection::open(test.path()).unwrap());
    bring_up_to_date(&test.path()).unwrap();
    let connection = Connection::open(test.path()).unwrap();
    assert_eq!(schema_of(&connection), once);
    let customers: i64 = connection.query_row("SELECT count(*) FROM customers", (), |row| row.get(0)).unwrap();
    assert_eq!(customers, 1);
}

#[test]
fn a_ledger_of_every_earlier_schema_is_brought_up_to_date_with_its_content() {
    for steps in 1..STEPS.len() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ledger.db");
        let earlier = Connection::open(&path).unwrap();
        STEPS[..steps].iter().for_each(|step| earlier.execute_batch(step).unwrap());
        earlier.pragma_update(None, "user_version", i64::try_from(steps).unwrap()).unwrap();
        let wallet = format!("0x{:064x}", 7);
        let insert = "INSERT INTO customers (customer_id, wallet_address, created_at_ms) VALUES (7, ?1, 1)";
        earlier.execute(insert, (&wallet,)).unwrap();
        earlier.close().unwrap();

        let ledger = Ledger::open(&path, 1).unwrap();
        let found = ledger.read_blocking(|tx| customer::find_customer(tx, id(7))).unwrap();
        assert_eq!(found.unwrap().wallet_address.as_str(), wallet, "after {steps} steps");
    }
}

#[test]
fn every_table_is_strict() {
    let connection = in_memory(STEPS);
    let lax =
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND strict = 0";
    assert_eq!(connection.query_row(lax, (), |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn opening_again_keeps_the_content() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(7))).unwrap();
    test.ledger.close();
    let again = Ledger::open(&test.path(), 1).unwrap();
    let found = again.read_blocking(|tx| customer::find_customer(tx, id(7))).unwrap();
    assert_eq!(found, Some(customer(7)));
}

#[test]
fn a_database_of_a_later_version_is_refused_and_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.db");
    let future = Connection::open(&path).unwrap();
    future.execute_batch("CREATE TABLE marvels (x); PRAGMA user_version = 99;").unwrap();
    future.close().unwrap();
    let before = std::fs::read(&path).unwrap();

    let error = Ledger::open(&path, 1).err().unwrap();
    assert!(matches!(error, LedgerError::FromTheFuture { found: 99, known: 4, .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("install the version that wrote it") && message.contains("restore a backup"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.db");
    std::fs::write(&path, "a diary, ".repeat(500)).unwrap();
    assert!(matches!(Ledger::open(&path, 1), Err(LedgerError::Open { .. })));
    assert!(matches!(Ledger::open(&directory.path().join("no/such/folder.db"), 1), Err(LedgerError::Open { .. })));
}

#[test]
fn the_schema_cannot_be_changed_from_a_transaction() {
    let test = TestLedger::new();
    for statement in [
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "CREATE INDEX i ON customers (name)",
        "CREATE VIRTUAL TABLE t USING fts5(x)",
        "ALTER TABLE customers ADD COLUMN x",
        "DROP TABLE customers",
        "DROP INDEX invoices_one_draft",
        "REINDEX",
        "ATTACH ':memory:' AS other",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 7",
        "PRAGMA user_version",
        "PRAGMA writable_schema = ON",
    ] {
        let refused = move |connection: &Connection| {
            let code = connection.execute_batch(statement).err().and_then(|error| error.sqlite_error_code());
            assert_eq!(code, Some(ErrorCode::AuthorizationForStatementDenied), "{statement}");
            Ok(())
        };
        test.write(move |tx| refused(tx.connection())).unwrap();
        test.read(move |tx| refused(tx.connection()));
    }
}

#[test]
fn the_proof_fails_without_the_authorizer() {
    let test = TestLedger::new();
    for usage in [Use::Write, Use::Read] {
        let connection = open_for_work(&test.path(), usage).unwrap();
        let proof = prove_ddl_refused(&connection, "bare");
        assert!(matches!(proof, Err(LedgerError::DdlNotRefused { .. })), "{usage:?}: {proof:?}");
        refuse_ddl(&connection).unwrap();
        prove_ddl_refused(&connection, "guarded").unwrap();
    }
}

/// The authorizer with one kind of change let through, and with it writing to SQLite's own tables.
#[test]
fn the_proof_notices_every_gap() {
    let test = TestLedger::new();
    let gaps: [fn(&AuthAction<'_>) -> bool; 12] = [
        |action| matches!(action, AuthAction::CreateTable { .. }),
        |action| matches!(action, AuthAction::CreateTempTable { .. }),
        |action| matches!(action, AuthAction::CreateIndex { .. } | AuthAction::Reindex { .. }),
        |action| matches!(action, AuthAction::CreateView { .. }),
        |action| matches!(action, AuthAction::CreateTempView { .. }),
        |action| matches!(action, AuthAction::CreateTrigger { .. }),
        |action| matches!(action, AuthAction::AlterTable { .. }),
        |action| matches!(action, AuthAction::DropTable { .. }),
        |action| matches!(action, AuthAction::DropIndex { .. }),
        |action| matches!(action, AuthAction::Reindex { .. }),
        |action| matches!(action, AuthAction::Attach { .. }),
        |action| matches!(action, AuthAction::Pragma { .. }),
    ];
    for (number, gap) in gaps.into_iter().enumerate() {
        let connection = open_for_work(&test.path(), Use::Write).unwrap();
        let with_gap = move |context: AuthContext<'_>| {
            let rows = matches!(
                context.action,
                AuthAction::Insert { .. } | AuthAction::Update { .. } | AuthAction::Delete { .. }
            );
            if rows || gap(&context.action) { Authorization::Allow } else { authorize(context) }
        };
        connection.authorizer(Some(with_gap)).unwrap();
        let proof = prove_ddl_refused(&connection, "with a gap");
        assert!(matches!(proof, Err(LedgerError::DdlNotRefused { .. })), "gap {number}: {proof:?}");
    }
}

#[test]
fn connections_are_durable_and_strict() {
    let test = TestLedger::new();
    for (usage, query_only) in [(Use::Write, 0), (Use::Read, 1)] {
        let connection = open_for_work(&test.path(), usage).unwrap();
        for (pragma, expected) in [
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("trusted_schema", 0),
            ("busy_timeout", 5000),
            ("query_only", query_only),
        ] {
            let value: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
            assert_eq!(value, expected, "{pragma} {usage:?}");
        }
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}

#[test]
fn closing_empties_the_log_and_what_was_written_stays() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(1))).unwrap();
    let log = test.directory.path().join("ledger.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    test.ledger.close();
    test.ledger.close();
    assert!(!log.exists() || std::fs::metadata(&log).unwrap().len() == 0);
    let error = test.ledger.read_blocking(|tx| customer::find_customer(tx, id(1)));
    assert!(matches!(error, Err(LedgerError::Closed)), "{error:?}");
    bring_up_to_date(&test.path()).unwrap();
    let count: i64 = Connection::open(test.path())
        .unwrap()
        .query_row("SELECT count(*) FROM customers", (), |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1);
}

#[test]
fn errors_of_sqlite_keep_their_cause() {
    let test = TestLedger::new();
    let mut wrong = usage(1, Service::Seal, 0, 1);
    wrong.hour = wrong.hour.plus_ms(1);
    let error = test.write(move |tx| usage::set_usage(tx, &wrong)).unwrap_err();
    let LedgerError::Statement { operation, subject, source } = error else { panic!("{error:?}") };
    assert_eq!((operation, subject.as_str()), ("setting the usage of an hour of customer", "1"));
    assert_eq!(source.sqlite_error_code(), Some(ErrorCode::ConstraintViolation));
}
