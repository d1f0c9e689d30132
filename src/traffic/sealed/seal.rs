//! From the hot table to a file.

use std::fs::{self, File};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use duckdb::{Connection, Row, params};
use sha2::{Digest, Sha256};

use super::KeptFor;
use super::view::{HOT_COLUMNS, TO_FILE, quoted, refresh_view, relation_of};
use crate::core::calendar::{DAY_MS, MINUTE_MS, UtcMillis};
use crate::traffic::writer::in_transaction;
use crate::traffic::{Traffic, TrafficError, failed, shapes};

/// Rows of a file, about: more minutes of a day are taken together up to here. Bounds what is sorted at once.
const PART_ROWS: u64 = 4_000_000;
/// A day that has so many files gets another one for no fewer late rows than this.
const LATE_ROWS: u64 = 100_000;
const FILES_A_DAY: u64 = 24;
/// Bytes that are read at once for a checksum.
const READ_BYTES: usize = 1 << 20;
/// The extension of a file that is being written.
pub(super) const UNFINISHED: &str = "unfinished";

/// A sealed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name within the folder.
    pub file: String,
    pub from: UtcMillis,
    /// Exclusive.
    pub to: UtcMillis,
    pub totals: Totals,
    pub file_bytes: u64,
    /// Of the file, hexadecimal.
    pub sha256: String,
}

/// What rows add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub rows: u64,
    /// Merged ones counted.
    pub requests: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// What one round has sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealReport {
    pub parts: Vec<Part>,
    /// Spans for a later round: late lines came while they were written, or are few.
    pub postponed: u64,
}

impl Traffic {
    /// Seals every span of requests that is old enough by `kept`. Blocks; others read and append meanwhile.
    ///
    /// # Errors
    /// [`TrafficError`]; what was sealed before it stays sealed, and all else is in the hot table.
    pub fn seal(&self, kept: &KeptFor, now: UtcMillis) -> Result<SealReport, TrafficError> {
        let mut report = SealReport::default();
        let spans = self.read(|connection| spans_before(connection, kept.seal_before(now)))?;
        let mut first_error = None;
        for (from, to) in spans {
            match self.seal_span(from, to) {
                Ok(Some(part)) => report.parts.push(part),
                Ok(None) => report.postponed += 1,
                // The other spans can be sealed all the same.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        if !report.parts.is_empty()
            && let Err(error) = self.take_idle().and_then(|connection| shapes::forget(&connection))
        {
            first_error = first_error.or(Some(error));
        }
        first_error.map_or(Ok(report), Err)
    }

    fn seal_span(&self, from: UtcMillis, to: UtcMillis) -> Result<Option<Part>, TrafficError> {
        let Some((part, checksum)) = self.write_part(from, to)? else { return Ok(None) };
        let registered = self.register(&part, &checksum)?;
        if !registered {
            remove(&self.chunks.join(&part.file))?;
        }
        Ok(registered.then_some(part))
    }

    /// Writes the file of a span, noted as disposable until it is registered. `None` if there are so few rows that they
    /// can wait: late lines would make a file in each round.
    pub(super) fn write_part(&self, from: UtcMillis, to: UtcMillis) -> Result<Option<(Part, String)>, TrafficError> {
        if self.read(|connection| is_for_later(connection, from, to))? {
            return Ok(None);
        }
        let name = file_name(from)?;
        self.take_idle()?
            .execute("INSERT INTO disposable_parts VALUES (?)", params![name])
            .map_err(failed("note a sealed file that is being written"))?;
        let (unfinished, path) = (self.chunks.join(&name).with_extension(UNFINISHED), self.chunks.join(&name));
        let written = self.write_checked(from, to, &unfinished);
        if written.is_err() {
            // What is left of it is of no use, and the first error tells more than a second one would.
            let _ = fs::remove_file(&unfinished);
        }
        let (totals, checksum) = written?;
        let (file_bytes, sha256) = persist(&unfinished, &path, &self.chunks)?;
        Ok(Some((Part { file: name, from, to, totals, file_bytes, sha256 }, checksum)))
    }

    fn write_checked(&self, from: UtcMillis, to: UtcMillis, path: &Path) -> Result<(Totals, String), TrafficError> {
        let (written, checksum) = in_transaction(&self.take_idle()?, |connection| {
            write_file(connection, from, to, path)?;
            let hot = format!("requests WHERE {}", within(from, to));
            Ok((totals(connection, &hot)?, checksum_of(connection, &hot)?))
        })?;
        self.check_file(path, written, &checksum)?;
        Ok((written, checksum))
    }

    fn check_file(&self, path: &Path, wanted: Totals, checksum: &str) -> Result<(), TrafficError> {
        let file = relation_of(&[path.to_owned()]);
        let (was, found) = self.read(|connection| Ok((totals(connection, &file)?, checksum_of(connection, &file)?)))?;
        if was == wanted && found == checksum {
            return Ok(());
        }
        let say = |totals: Totals, checksum: &str| format!("{totals:?} with checksum {checksum}");
        let (was, wanted) = (say(was, &found), say(wanted, checksum));
        Err(TrafficError::Unequal { path: path.to_owned(), was, wanted })
    }

    /// Puts the file in the place of its rows; not if more rows have come.
    pub(super) fn register(&self, part: &Part, checksum: &str) -> Result<bool, TrafficError> {
        in_transaction(&self.take_idle()?, |connection| exchange(connection, part, checksum, &self.chunks))
    }
}

/// Spans of whole minutes within one day, oldest first, that hold every hot row from before `before`.
fn spans_before(connection: &Connection, before: UtcMillis) -> Result<Vec<(UtcMillis, UtcMillis)>, TrafficError> {
    let listing = failed("list minutes to seal");
    let mut statement = connection
        .prepare(
            "SELECT epoch_ms(ts) // 60000 AS minute, count(*)::UBIGINT FROM request_rows WHERE ts < make_timestamp(?)
             GROUP BY minute ORDER BY minute",
        )
        .map_err(&listing)?;
    let minutes = statement
        .query_map(params![before.micros()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?)))
        .map_err(&listing)?;
    let mut spans: Vec<(UtcMillis, UtcMillis)> = Vec::new();
    let mut filled = 0;
    for minute in minutes {
        let (minute, rows) = minute.map_err(&listing)?;
        let (from, to) = (UtcMillis(minute.saturating_mul(MINUTE_MS)), UtcMillis(minute.saturating_add(1) * MINUTE_MS));
        let day = |at: UtcMillis| at.0.div_euclid(DAY_MS);
        match spans.last_mut().filter(|span| day(span.0) == day(from) && filled + rows <= PART_ROWS) {
            Some(span) => {
                span.1 = to;
                filled += rows;
            }
            None => {
                spans.push((from, to));
                filled = rows;
            }
        }
    }
    Ok(spans)
}

/// Late lines of a day that has a file: few of them wait until there are more.
fn is_for_later(connection: &Connection, from: UtcMillis, to: UtcMillis) -> Result<bool, TrafficError> {
    let hot = totals(connection, &format!("requests WHERE {}", within(from, to)))?;
    if hot.rows >= LATE_ROWS {
        return Ok(false);
    }
    let day = UtcMillis(from.0.div_euclid(DAY_MS) * DAY_MS);
    let files: u64 = connection
        .query_row(
            "SELECT count(*)::UBIGINT FROM sealed_parts
             WHERE span_start < make_timestamp(?) AND span_end > make_timestamp(?)",
            params![day.plus_ms(DAY_MS).micros(), day.micros()],
            |row| row.get(0),
        )
        .map_err(failed("count the sealed files of a day"))?;
    Ok(files >= FILES_A_DAY)
}

pub(super) fn within(from: UtcMillis, to: UtcMillis) -> String {
    format!("ts >= make_timestamp({}) AND ts < make_timestamp({})", from.micros(), to.micros())
}

fn write_file(connection: &Connection, from: UtcMillis, to: UtcMillis, path: &Path) -> Result<(), TrafficError> {
    let copy = format!(
        "COPY (SELECT {} FROM requests WHERE {} ORDER BY customer_id, ts)
         TO {} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880)",
        TO_FILE,
        within(from, to),
        quoted(path)
    );
    connection.execute_batch(&copy).map_err(failed("write a sealed file"))
}

/// `rows` is a relation with its condition.
pub(super) fn totals(connection: &Connection, rows: &str) -> Result<Totals, TrafficError> {
    let read = |row: &Row<'_>| {
        Ok(Totals { rows: row.get(0)?, requests: row.get(1)?, bytes_in: row.get(2)?, bytes_out: row.get(3)? })
    };
    let sql = format!(
        "SELECT count(*)::UBIGINT, coalesce(sum(repeat), 0)::UBIGINT, coalesce(sum(bytes_in), 0)::UBIGINT,
                coalesce(sum(bytes_out), 0)::UBIGINT FROM {rows}"
    );
    connection.query_row(&sql, [], read).map_err(failed("add up requests"))
}

/// Of every column of every row, whatever their order. Not comparable between versions of DuckDB.
fn checksum_of(connection: &Connection, rows: &str) -> Result<String, TrafficError> {
    let sql = format!("SELECT coalesce(sum(hash({HOT_COLUMNS})), 0)::VARCHAR FROM {rows}");
    connection.query_row(&sql, [], |row| row.get(0)).map_err(failed("compute a checksum of requests"))
}

fn exchange(connection: &Connection, part: &Part, checksum: &str, folder: &Path) -> Result<bool, TrafficError> {
    let Part { from, to, totals: written, .. } = part;
    let hot = format!("requests WHERE {}", within(*from, *to));
    if totals(connection, &hot)? != *written || checksum_of(connection, &hot)? != checksum {
        return Ok(false);
    }
    let sealing = failed("replace requests by their sealed file");
    let delete = format!("DELETE FROM request_rows WHERE {}", within(*from, *to));
    let deleted = connection.execute(&delete, []).map_err(&sealing)?;
    if u64::try_from(deleted).ok() != Some(written.rows) {
        return Err(TrafficError::OutOfRange { what: "a row whose shape is missing" });
    }
    insert_part(connection, part).map_err(&sealing)?;
    connection.execute("DELETE FROM disposable_parts WHERE file = ?", params![part.file]).map_err(&sealing)?;
    refresh_view(connection, folder)?;
    Ok(true)
}

pub(super) fn insert_part(connection: &Connection, part: &Part) -> Result<(), duckdb::Error> {
    let Part { file, from, to, totals, file_bytes, sha256 } = part;
    let Totals { rows, requests, bytes_in, bytes_out } = totals;
    connection
        .execute(
            "INSERT INTO sealed_parts VALUES (?, make_timestamp(?), make_timestamp(?), ?, ?, ?, ?, ?, ?)",
            params![file, from.micros(), to.micros(), rows, requests, bytes_in, bytes_out, file_bytes, sha256],
        )
        .map(drop)
}

/// On disk for good, under its own name. Returns its length and SHA-256.
fn persist(unfinished: &Path, path: &Path, folder: &Path) -> Result<(u64, String), TrafficError> {
    let failed = |operation| move |source| TrafficError::File { operation, path: path.to_owned(), source };
    File::open(unfinished).and_then(|file| file.sync_all()).map_err(failed("write to disk"))?;
    let summed = sha256_of(unfinished).map_err(failed("read"))?;
    fs::rename(unfinished, path).map_err(failed("name"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write to disk the name of"))?;
    Ok(summed)
}

pub(super) fn sha256_of(path: &Path) -> io::Result<(u64, String)> {
    let mut reader = io::BufReader::with_capacity(READ_BYTES, File::open(path)?);
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    loop {
        let read = reader.fill_buf()?;
        if read.is_empty() {
            return Ok((bytes, HEXLOWER.encode(&hasher.finalize())));
        }
        hasher.update(read);
        let length = read.len();
        bytes += u64::try_from(length).unwrap_or(0);
        reader.consume(length);
    }
}

pub(super) fn remove(path: &PathBuf) -> Result<(), TrafficError> {
    fs::remove_file(path).map_err(|source| TrafficError::File { operation: "delete", path: path.clone(), source })
}

/// Day, and a random number so that no two files ever share a name.
fn file_name(from: UtcMillis) -> Result<String, TrafficError> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(|source| TrafficError::Random { source })?;
    let date = from.to_string();
    let hour = date.get(..13).unwrap_or(&date).replace('T', "-");
    Ok(format!("requests-{hour}-{}.parquet", HEXLOWER.encode(&random)))
}
