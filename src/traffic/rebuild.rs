//! Making the store anew after its file was damaged.
//!
//! ```text
//! traffic.duckdb ── damaged ──▶ set aside ── sealed files adopted ── logs and packed ones read from their beginnings ──▶
//!     rows that are sealed already dropped ── rollups made of all rows ──▶ in the old one's place
//! ```
//! All of it happens in a file of another name, so that a crash in between begins again. What was in the old file only
//! (rows of logs that are gone, rollups older than the requests that are kept) is not in the new one; the ledger keeps
//! the hours that were billed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use duckdb::arrow::array::{Array, AsArray, UInt8Array};
use duckdb::arrow::datatypes::{Int32Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use duckdb::arrow::record_batch::RecordBatch;
use duckdb::{Connection, Row, params};

use super::columns::delta_batch;
use super::sealed::{registered_files, relation_of, within_day};
use super::writer::append_minutes;
use super::{Traffic, TrafficError, Writer, failed};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Network, Service};
use crate::core::log_line::{RequestLine, TrafficClass};
use crate::core::rollup::Rollup;

/// What follows the store's name when it is set aside.
const ASIDE: &str = ".damaged-";
/// How DuckDB says that a file is not what it wrote.
const DAMAGE: [&str; 8] = [
    "Corrupt",
    "checksum",
    "replaying WAL",
    "Serialization Error",
    "INTERNAL Error",
    "not a valid DuckDB",
    "Invalid bitpacking",
    "database has been invalidated",
];

/// When a store was made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuild {
    /// Earlier hours may lack what only the damaged store knew.
    pub at: UtcMillis,
    /// Hours before this were all billed: what the rebuild found more of them is history that was never counted.
    pub billed_before: UtcMillis,
    /// The last batch of the rebuild; what came later is none of it.
    pub batch: u64,
}

impl TrafficError {
    /// Whether the store's file is damaged, so that no later attempt to open it can help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Query { source, .. } => {
                let text = source.to_string();
                DAMAGE.iter().any(|part| text.contains(part))
            }
            _ => false,
        }
    }
}

/// Gives the store's file and its log another name. Returns the new one.
///
/// # Errors
/// [`TrafficError::File`]; then nothing is lost.
pub fn set_aside(path: &Path, now: UtcMillis) -> Result<PathBuf, TrafficError> {
    let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let aside = with_suffix(path, &format!("{ASIDE}{stamp}"));
    let failed = |source| TrafficError::File { operation: "set aside", path: path.to_owned(), source };
    // The log first: a store without its log is still known to be damaged, a log without its store is not.
    if_there(fs::rename(wal_of(path), wal_of(&aside))).map_err(failed)?;
    fs::rename(path, &aside).map_err(failed)?;
    Ok(aside)
}

/// Deletes a store that was not finished, if there is one.
///
/// # Errors
/// [`TrafficError::File`].
pub fn remove_store(path: &Path) -> Result<(), TrafficError> {
    for path in [path.to_owned(), wal_of(path)] {
        if_there(fs::remove_file(&path)).map_err(|source| TrafficError::File { operation: "delete", path, source })?;
    }
    Ok(())
}

/// Gives a finished store, which nobody has open, its name.
///
/// # Errors
/// [`TrafficError::File`].
pub fn put_in_place(from: &Path, to: &Path) -> Result<(), TrafficError> {
    let failed = |source| TrafficError::File { operation: "put in its place", path: to.to_owned(), source };
    if_there(fs::rename(wal_of(from), wal_of(to))).map_err(failed)?;
    fs::rename(from, to).map_err(failed)?;
    match to.parent() {
        Some(folder) => fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed),
        None => Ok(()),
    }
}

/// What is done to a file that need not be there.
fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn wal_of(path: &Path) -> PathBuf {
    with_suffix(path, ".wal")
}

/// Whether there is no store, but one that was set aside: it is to be made anew.
pub fn is_set_aside(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let prefix = format!("{}{ASIDE}", name.to_string_lossy());
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut names = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.file_name()));
    !path.exists() && names.any(|name| name.to_string_lossy().starts_with(&prefix))
}

/// A name with more behind it.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Traffic {
    /// Notes that logs were followed before, so that the files beside them are no history.
    ///
    /// # Errors
    /// [`TrafficError::Query`].
    pub fn begin_sources(&self, sources: impl IntoIterator<Item = String>) -> Result<(), TrafficError> {
        let connection = self.take_idle()?;
        for source in sources {
            super::positions::begin(&connection, &source)?;
        }
        Ok(())
    }

    /// `None` if this store was never made anew.
    ///
    /// # Errors
    /// [`TrafficError::Query`].
    pub fn rebuild(&self) -> Result<Option<Rebuild>, TrafficError> {
        let read = |row: &Row<'_>| {
            let times = row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?);
            let batch = row.get::<_, Option<u64>>(2)?.unwrap_or(0);
            Ok(times.map(|(at, before)| Rebuild { at: UtcMillis(at), billed_before: UtcMillis(before), batch }))
        };
        let sql = "SELECT epoch_ms(rebuilt_at), epoch_ms(billed_before), rebuilt_batch FROM traffic_store";
        self.read(|connection| connection.query_row(sql, [], read).map_err(failed("read when the store was made anew")))
    }
}

impl Writer {
    /// Ends a rebuild, after all logs were read: drops rows that sealed files have, too, and those from before `since`,
    /// which are history that was never counted; then makes every rollup of the rows that are left. Blocks.
    ///
    /// # Errors
    /// [`TrafficError`]; then the rebuild has to begin again.
    pub fn settle_rebuilt(
        &mut self,
        traffic: &Traffic,
        since: UtcMillis,
        billed_before: UtcMillis,
        now: UtcMillis,
    ) -> Result<(), TrafficError> {
        let settling = failed("settle a rebuilt store");
        let files = registered_files(&self.connection, &traffic.chunks)?;
        if !files.is_empty() {
            self.connection.execute_batch(&drop_sealed_twice(&relation_of(&files))).map_err(&settling)?;
        }
        self.connection
            .execute("DELETE FROM request_rows WHERE ts < make_timestamp(?)", params![since.micros()])
            .map_err(&settling)?;
        self.connection
            .execute_batch("DELETE FROM minute_deltas; DELETE FROM hour_deltas; DELETE FROM day_deltas")
            .map_err(&settling)?;
        // All counts are one batch, after those of the rows.
        let number = self.last_batch + 1;
        for day in days(&self.connection)? {
            let mut rollup = Rollup::default();
            add_day(&self.connection, day, &mut rollup)?;
            append_minutes(&self.connection, number, &delta_batch(&rollup.take())?)?;
        }
        self.connection
            .execute(
                "UPDATE traffic_store SET last_batch = ?, merged_batch = ?, rebuilt_at = make_timestamp(?),
                     billed_before = make_timestamp(?), rebuilt_batch = ?",
                params![number, self.last_batch, now.micros(), billed_before.micros(), number],
            )
            .map_err(&settling)?;
        self.last_batch = number;
        self.compact(now)?;
        self.checkpoint()
    }
}

/// Lines that are in a log and in a sealed file.
fn drop_sealed_twice(sealed: &str) -> String {
    format!(
        "DELETE FROM request_rows WHERE rowid IN (
             SELECT r.rowid FROM request_rows r JOIN request_shapes h ON h.number = r.shape
                 SEMI JOIN {sealed} s ON r.ts = s.ts AND h.gateway = s.gateway AND h.pid = s.pid AND r.request_counter = s.request_counter AND r.log_counter = s.log_counter
                 AND r.client_ip_high = s.client_ip_high AND r.client_ip_low = s.client_ip_low
                 AND r.client_port = s.client_port AND h.service = s.service AND h.class = s.class
                 AND h.status = s.status AND r.bytes_out = s.bytes_out AND r.time_total_ms = s.time_total_ms
                 AND coalesce(r.own_path, h.path) = s.path)"
    )
}

fn days(connection: &Connection) -> Result<Vec<i64>, TrafficError> {
    let listing = failed("list the days of a rebuilt store");
    let mut statement = connection
        .prepare("SELECT DISTINCT epoch_ms(ts) // 86400000 AS day FROM all_requests ORDER BY day")
        .map_err(&listing)?;
    let days = statement.query_map([], |row| row.get(0)).map_err(&listing)?;
    days.collect::<Result<_, _>>().map_err(&listing)
}

fn add_day(connection: &Connection, day: i64, rollup: &mut Rollup) -> Result<(), TrafficError> {
    let reading = failed("read the requests of a day");
    let mut statement = connection
        .prepare(&format!(
            "SELECT ts, customer_id, service, network, class, status, bytes_in, bytes_out, time_total_ms, repeat
             FROM all_requests WHERE {}",
            within_day(day)
        ))
        .map_err(&reading)?;
    for batch in statement.query_arrow([]).map_err(&reading)? {
        add_rows(&batch, rollup).ok_or(TrafficError::OutOfRange { what: "a request" })?;
    }
    Ok(())
}

/// `None` if a column or a value is not what the table says.
fn add_rows(batch: &RecordBatch, rollup: &mut Rollup) -> Option<()> {
    let column = |index: usize| batch.columns().get(index);
    let ts = column(0)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let customer = column(1)?.as_primitive_opt::<UInt32Type>()?;
    let service = column(2)?.as_primitive_opt::<UInt8Type>()?;
    let network = column(3)?.as_primitive_opt::<UInt8Type>()?;
    let class = column(4)?.as_primitive_opt::<UInt8Type>()?;
    let status = column(5)?.as_primitive_opt::<UInt16Type>()?;
    let bytes_in = column(6)?.as_primitive_opt::<UInt64Type>()?;
    let bytes_out = column(7)?.as_primitive_opt::<UInt64Type>()?;
    let total_ms = column(8)?.as_primitive_opt::<Int32Type>()?;
    let repeat = column(9)?.as_primitive_opt::<UInt32Type>()?;
    for row in 0..batch.num_rows() {
        let number = |column: &UInt8Array| column.value(row);
        let mut line = RequestLine::nothing(UtcMillis(ts.value(row).div_euclid(1000)));
        line.customer = customer.is_valid(row).then(|| customer.value(row)).and_then(CustomerId::new);
        line.service = Service::from_number(number(service))?;
        line.network = match network.is_valid(row) {
            true => Some(Network::from_number(number(network))?),
            false => None,
        };
        line.class = TrafficClass::from_number(number(class))?;
        line.status = status.value(row);
        (line.bytes_in, line.bytes_out) = (bytes_in.value(row), bytes_out.value(row));
        line.times.total_ms = total_ms.value(row);
        line.repeat = repeat.value(row);
        rollup.add(&line);
    }
    Some(())
}
