//! The one view over hot and sealed requests.

use std::fs;
use std::path::{Path, PathBuf};

use duckdb::Connection;
use tracing::error;

use crate::traffic::{TrafficError, failed};

/// The columns of `requests`, in their order, with a spelling for the counter of log lines.
macro_rules! columns {
    ($log_counter:literal) => {
        concat!(
            "batch, ts, idle_ms, gateway, pid, ",
            $log_counter,
            ", request_counter, customer_id, service, network, class, event, key_fp, client_ip_high, client_ip_low, \
             client_port, listener_port, method, path, status, bytes_in, bytes_out, time_request_ms, time_queue_ms, \
             time_connect_ms, time_response_ms, time_total_ms, termination, backend, server, repeat"
        )
    };
}

/// As in the hot table.
pub(super) const HOT_COLUMNS: &str = columns!("log_counter");
/// The hot table's columns as they are in files: two counters that go up together cost as much as one. Beyond 2⁶² they
/// stay apart.
pub(super) const TO_FILE: &str = columns!(
    "CASE WHEN log_counter < 4611686018427387904 AND request_counter < 4611686018427387904
          THEN log_counter::BIGINT - request_counter::BIGINT END AS log_offset,
     CASE WHEN log_counter >= 4611686018427387904 OR request_counter >= 4611686018427387904
          THEN log_counter END AS log_counter_whole"
);
/// A file's columns as they are in the hot table.
const FROM_FILE: &str = columns!(
    "coalesce(log_counter_whole, CASE WHEN log_offset IS NOT NULL
         THEN (request_counter::BIGINT + log_offset)::UBIGINT END) AS log_counter"
);

/// A path as a text of SQL.
pub(in crate::traffic) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}

/// Creates the folder, and removes what a crash has left half written in it.
pub(in crate::traffic) fn prepare_folder(folder: &Path) -> Result<(), TrafficError> {
    let failed = |operation| move |source| TrafficError::File { operation, path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed("create the folder"))?;
    for entry in fs::read_dir(folder).map_err(failed("list the folder"))? {
        let path = entry.map_err(failed("list the folder"))?.path();
        if path.extension().is_some_and(|extension| extension == super::seal::UNFINISHED) {
            fs::remove_file(&path).map_err(failed("clean the folder"))?;
        }
    }
    Ok(())
}

/// The sealed files in the folder, whether or not they are registered.
pub(super) fn sealed_files(folder: &Path) -> Result<Vec<PathBuf>, TrafficError> {
    let failed = |source| TrafficError::File { operation: "list the folder", path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("requests-") && name.ends_with(".parquet") {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The files that are registered, by span.
pub(in crate::traffic) fn registered_files(
    connection: &Connection,
    folder: &Path,
) -> Result<Vec<PathBuf>, TrafficError> {
    let listing = failed("list sealed files");
    let mut statement =
        connection.prepare("SELECT file FROM sealed_parts ORDER BY span_start, file").map_err(&listing)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&listing)?;
    names.map(|name| Ok(folder.join(name?))).collect::<Result<_, duckdb::Error>>().map_err(&listing)
}

/// One file or more as a relation in the shape of the hot table.
pub(in crate::traffic) fn relation_of(files: &[PathBuf]) -> String {
    let files: Vec<_> = files.iter().map(|path| quoted(path)).collect();
    format!("(SELECT {FROM_FILE} FROM read_parquet([{}]))", files.join(", "))
}

/// Points the view to the hot table and to every registered file that is there. A file that is missing is told by
/// `verify` and at start, and hinders nothing else.
pub(in crate::traffic) fn refresh_view(connection: &Connection, folder: &Path) -> Result<(), TrafficError> {
    let mut files = registered_files(connection, folder)?;
    files.retain(|path| {
        let is_there = path.exists();
        if !is_there {
            error!(path = %path.display(), "a sealed file is missing: its requests are in no answer");
        }
        is_there
    });
    let mut view = format!("CREATE OR REPLACE VIEW all_requests AS SELECT {HOT_COLUMNS} FROM requests");
    if !files.is_empty() {
        view.push_str(&format!(" UNION ALL SELECT * FROM {}", relation_of(&files)));
    }
    connection.execute_batch(&view).map_err(failed("define the view of all requests"))
}
