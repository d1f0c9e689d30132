//! Opening the file: limits first, then the schema steps.

use std::path::Path;

use duckdb::{Config, Connection, params};

use super::{TrafficError, failed, sealed};

/// Limits that DuckDB keeps, set before the file is opened because replaying its log happens inside.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub memory_limit_mib: u64,
    pub threads: u32,
}

/// A log of this size is written into the file. Replaying it takes about 20 ms a megabyte, before anything is served.
const CHECKPOINT_AT: &str = "16MiB";

/// The oldest DuckDB that can read a new file. By itself DuckDB writes files for far older ones, which costs a tenth more
/// time and their newer ways to compress.
const FILE_FORMAT: &str = "v1.5.0";

/// The numbered steps that lead to `schema.sql`; each may run twice.
pub(super) const STEPS: [&str; 1] = [include_str!("../../schema/traffic/0001_initial.sql")];

pub(super) fn open(path: &Path, options: &Options, chunks: &Path) -> Result<Connection, TrafficError> {
    let opening = |source| TrafficError::Open { path: path.to_owned(), source };
    let config = config(options).map_err(opening)?;
    let connection = Connection::open_with_flags(path, config).map_err(opening)?;
    migrate(&connection, path)?;
    sealed::prepare_folder(chunks)?;
    let lock = format!(
        "SET parquet_metadata_cache = true; SET allowed_directories = [{}]; SET enable_external_access = false; SET lock_configuration = true",
        sealed::quoted(chunks)
    );
    connection.execute_batch(&lock).map_err(failed("lock the settings"))?;
    sealed::refresh_view(&connection, chunks)?;
    Ok(connection)
}

fn config(options: &Options) -> Result<Config, duckdb::Error> {
    Config::default()
        .max_memory(&format!("{}MiB", options.memory_limit_mib))?
        .threads(i64::from(options.threads))?
        .enable_autoload_extension(false)?
        .with("autoinstall_known_extensions", "false")?
        .with("preserve_insertion_order", "false")?
        .with("storage_compatibility_version", FILE_FORMAT)?
        .with("checkpoint_threshold", CHECKPOINT_AT)
}

/// Applies the steps that the file lacks, each in a transaction with its version number.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), TrafficError> {
    let migrating = failed("bring the schema up to date");
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version UINTEGER NOT NULL)")
        .map_err(&migrating)?;
    let found: u32 = connection
        .query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))
        .map_err(&migrating)?;
    let known = u32::try_from(STEPS.len()).map_err(|_| TrafficError::OutOfRange { what: "a count of steps" })?;
    if found > known {
        return Err(TrafficError::FromTheFuture { path: path.to_owned(), found, known });
    }
    for (version, step) in (1..).zip(STEPS).filter(|(version, _)| *version > found) {
        connection.execute_batch("BEGIN").map_err(&migrating)?;
        connection.execute_batch(step).map_err(&migrating)?;
        connection.execute("INSERT INTO schema_version VALUES (?)", params![version]).map_err(&migrating)?;
        connection.execute_batch("COMMIT").map_err(&migrating)?;
    }
    name_store(connection)
}

fn name_store(connection: &Connection) -> Result<(), TrafficError> {
    let mut name = [0; 16];
    getrandom::fill(&mut name).map_err(|source| TrafficError::Random { source })?;
    connection
        .execute(
            "INSERT INTO traffic_store SELECT ?, 0, 0, 0, NULL, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM traffic_store)",
            params![data_encoding::HEXLOWER.encode(&name)],
        )
        .map_err(failed("name the store"))?;
    connection
        .execute_batch("INSERT INTO retirement SELECT make_timestamp(0), 0 WHERE NOT EXISTS (SELECT 1 FROM retirement)")
        .map_err(failed("begin to count what is dropped"))
}
