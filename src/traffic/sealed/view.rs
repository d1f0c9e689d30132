//! The one view over hot and sealed requests.

use std::fs;
use std::path::Path;

use duckdb::Connection;

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
pub(super) const FROM_FILE: &str = columns!(
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

/// Points the view to the hot table and to every registered file that is there. A file that is missing is told by
/// `verify` and at start, and hinders nothing else.
pub(in crate::traffic) fn refresh_view(connection: &Connection, folder: &Path) -> Result<(), TrafficError> {
    let listing = failed("list sealed files");
    let mut statement =
        connection.prepare("SELECT file FROM sealed_parts ORDER BY span_start, file").map_err(&listing)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&listing)?;
    let mut files = Vec::new();
    for name in names {
        let path = folder.join(name.map_err(&listing)?);
        if path.exists() {
            files.push(quoted(&path));
        } else {
            tracing::error!(path = %path.display(), "a sealed file is missing: its requests are in no answer");
        }
    }
    let mut view = format!("CREATE OR REPLACE VIEW all_requests AS SELECT {HOT_COLUMNS} FROM requests");
    if !files.is_empty() {
        view.push_str(&format!(" UNION ALL SELECT {FROM_FILE} FROM read_parquet([{}])", files.join(", ")));
    }
    connection.execute_batch(&view).map_err(failed("define the view of all requests"))
}
