//! An operator's own query: one `SELECT`, in a transaction that cannot write, with bounded rows and time.

use duckdb::arrow::array::Array;
use duckdb::arrow::datatypes::DataType;
use duckdb::arrow::record_batch::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::interrupt::{Interrupt, Reader};
use super::{Traffic, TrafficError, failed};

/// Functions that a query may select from. They make rows of their arguments and touch nothing else.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "range", "unnest"];

/// What a query has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlAnswer {
    pub columns: Vec<SqlColumn>,
    /// Values in the order of the columns: numbers as numbers, nothing as null, everything else as text.
    pub rows: Vec<Vec<Value>>,
    /// There were more rows than were asked for.
    pub is_cut: bool,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlColumn {
    pub name: String,
    /// As Arrow calls it.
    pub kind: String,
}

impl Traffic {
    /// Runs one `SELECT`. Tables are those of `schema/traffic/schema.sql`, and `all_requests`, which has sealed requests,
    /// too.
    ///
    /// # Errors
    /// [`TrafficError::NotASelect`], [`TrafficError::Query`] with DuckDB's message, [`TrafficError::Interrupted`].
    pub fn sql(&self, interrupt: &Interrupt, sql: &str, max_rows: usize) -> Result<SqlAnswer, TrafficError> {
        self.read_until(interrupt, |reader| {
            check_is_select(reader, sql)?;
            let asking = failed("answer this");
            // The answer is gathered outside of the store's memory limit, so it must be no longer than what is taken.
            let rows = max_rows.saturating_add(1);
            let limited = format!("SELECT * FROM ({}\n) LIMIT {rows}", sql.trim().trim_end_matches(';'));
            let mut statement = reader.connection.prepare(&limited).map_err(&asking)?;
            let batches = statement.query_arrow([]).map_err(&asking)?;
            let schema = batches.get_schema();
            let columns = schema
                .fields()
                .iter()
                .map(|field| SqlColumn { name: field.name().clone(), kind: field.data_type().to_string() });
            let mut answer = SqlAnswer { columns: columns.collect(), rows: Vec::new(), is_cut: false };
            for batch in batches {
                reader.go_on()?;
                take_rows(&batch, max_rows, &mut answer)?;
                if answer.is_cut {
                    break;
                }
            }
            Ok(answer)
        })
    }
}

/// DuckDB's own parser says what a text is. The transaction refuses writes as well; this also refuses what is no query
/// and a second statement, which could end that transaction.
fn check_is_select(reader: &Reader<'_>, sql: &str) -> Result<(), TrafficError> {
    let parsed: String = reader
        .connection
        .query_row("SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", [sql], |row| row.get(0))
        .map_err(failed("read this"))?;
    let parsed: Value = serde_json::from_str(&parsed).unwrap_or_default();
    let statements = parsed.get("statements").and_then(Value::as_array).map_or(0, Vec::len);
    match (parsed.get("error").and_then(Value::as_bool), statements) {
        (Some(false), 1) => match foreign_function(&parsed) {
            None => Ok(()),
            Some(name) => {
                Err(TrafficError::NotASelect { why: format!("the table function {name} is not for queries") })
            }
        },
        (Some(false), _) => Err(TrafficError::NotASelect { why: "give exactly one statement".to_owned() }),
        _ => {
            let why = parsed.get("error_message").and_then(Value::as_str).unwrap_or("it cannot be read");
            Err(TrafficError::NotASelect { why: why.to_owned() })
        }
    }
}

/// A table function that is not allowed, wherever in the query: some of them write files, change settings of the whole
/// store, or run a text as a query.
fn foreign_function(part: &Value) -> Option<String> {
    match part {
        Value::Array(parts) => parts.iter().find_map(foreign_function),
        Value::Object(fields) => {
            let is_table_function = fields.get("type").is_some_and(|kind| kind == "TABLE_FUNCTION");
            let name =
                fields.get("function").and_then(|function| function.get("function_name")).and_then(Value::as_str);
            match name.unwrap_or("of this kind") {
                name if is_table_function && !TABLE_FUNCTIONS.contains(&name.to_ascii_lowercase().as_str()) => {
                    Some(name.to_owned())
                }
                _ => fields.values().find_map(foreign_function),
            }
        }
        _ => None,
    }
}

fn take_rows(batch: &RecordBatch, max_rows: usize, answer: &mut SqlAnswer) -> Result<(), TrafficError> {
    let options = FormatOptions::default().with_display_error(true);
    let broken = |source| TrafficError::Batch { source };
    let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let formatters: Vec<_> = formatters.collect::<Result<_, _>>().map_err(broken)?;
    for row in 0..batch.num_rows() {
        if answer.rows.len() >= max_rows {
            answer.is_cut = true;
            return Ok(());
        }
        let values = batch.columns().iter().zip(&formatters);
        answer.rows.push(values.map(|(column, formatter)| value(column, formatter, row)).collect());
    }
    Ok(())
}

fn value(column: &dyn Array, formatter: &ArrayFormatter<'_>, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let text = formatter.value(row).to_string();
    let is_number = column.data_type().is_numeric() && !matches!(column.data_type(), DataType::Float16);
    match column.data_type() {
        DataType::Boolean => Value::Bool(text == "true"),
        // A number that JSON does not have (NaN) stays a text.
        _ if is_number => text.parse().map_or(Value::String(text), Value::Number),
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Options;

    fn traffic(folder: &tempfile::TempDir) -> Traffic {
        let options = Options { memory_limit_mib: 128, threads: 1 };
        Traffic::open(&folder.path().join("t.duckdb"), &options).unwrap().0
    }

    #[test]
    fn a_query_is_answered_with_its_columns_and_values() {
        let folder = tempfile::tempdir().unwrap();
        let sql = "SELECT i AS n, 'x' || i AS t, NULL AS nothing, i > 1 AS big, make_timestamp(0) AS at, [i] AS list,
                          1.50::DECIMAL(4, 2) AS money
                   FROM range(3) r(i) ORDER BY i DESC;";
        let answer = traffic(&folder).sql(&Interrupt::default(), sql, 2).unwrap();
        assert_eq!(
            answer.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
            ["n", "t", "nothing", "big", "at", "list", "money"]
        );
        let row = serde_json::json!([2, "x2", null, true, "1970-01-01T00:00:00", "[2]", 1.5]);
        assert_eq!(Value::Array(answer.rows[0].clone()), row);
        assert_eq!((answer.rows.len(), answer.is_cut), (2, true));
    }

    #[test]
    fn what_is_no_single_query_or_reaches_outside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let traffic = traffic(&folder);
        for sql in [
            "DELETE FROM requests",
            "CREATE TABLE x (y INT)",
            "DROP VIEW all_requests",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE requests",
            "ROLLBACK; DROP TABLE requests",
            "COMMIT",
            "COPY requests TO 'x.csv'",
            "ATTACH 'x.duckdb'",
            "SET memory_limit = '1TB'",
            "PRAGMA database_list",
            "INSTALL httpfs",
            "EXPLAIN ANALYZE DELETE FROM requests",
            "",
            ";",
            "nonsense",
        ] {
            let refused = traffic.sql(&Interrupt::default(), sql, 10).unwrap_err();
            assert!(matches!(refused, TrafficError::NotASelect { .. }), "{sql}: {refused:?}");
        }
        for sql in [
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM enable_logging(storage='file', storage_config={'path': '/nowhere'})",
            "SELECT * FROM (SELECT * FROM checkpoint())",
            "WITH x AS (SELECT * FROM query('SELECT 1')) SELECT * FROM x",
            "SELECT (SELECT count(*) FROM query_table('requests'))",
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM enable_profiling())",
            "SELECT * FROM requests, LATERAL (SELECT * FROM truncate_duckdb_logs())",
            "SELECT 1 UNION ALL SELECT 2 FROM duckdb_logs() JOIN checkpoint() ON true",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM glob('/etc/*')",
            "SELECT * FROM nowhere",
        ] {
            assert!(traffic.sql(&Interrupt::default(), sql, 10).is_err(), "{sql}");
        }
        assert_eq!(traffic.line_counts().unwrap(), (0, 0), "the tables are all there");
    }

    #[test]
    fn a_query_ends_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let (traffic, interrupt) = (traffic(&folder), Interrupt::default());
        let endless =
            "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE hash(a.range) = hash(b.range)";
        interrupt.fire();
        let ended = traffic.sql(&interrupt, endless, 10).unwrap_err();
        assert!(ended.is_interrupted(), "{ended:?}");
        let interrupt = Interrupt::default();
        let (firing, done) = (interrupt.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let is_done = done.clone();
        let firing = std::thread::spawn(move || {
            while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::sleep(std::time::Duration::from_millis(50));
                firing.fire();
            }
        });
        let ended = traffic.sql(&interrupt, endless, 10).unwrap_err();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        firing.join().unwrap();
        assert!(ended.is_interrupted(), "{ended:?}");
    }
}
