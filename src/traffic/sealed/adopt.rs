//! Taking sealed files over into a store that does not know them.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use duckdb::Connection;
use tracing::error;

use super::seal::{Part, insert_part, sha256_of, totals};
use super::view::{quoted, refresh_view, relation_of, sealed_files};
use crate::core::calendar::{DAY_MS, HOUR_MS, UtcMillis};
use crate::traffic::{Traffic, TrafficError, failed};

/// What follows the name of a file that cannot be read, so that it stays for people to look at.
const UNREADABLE: &str = "unreadable";

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adopted {
    pub parts: Vec<Part>,
    /// Files whose rows are all in another one: left by a crash while they were sealed.
    pub doubled: u64,
    /// Files that cannot be read, under their new names.
    pub unreadable: Vec<PathBuf>,
}

impl Traffic {
    /// Registers every sealed file in the folder.
    ///
    /// # Errors
    /// [`TrafficError`]; then the store is not to be used.
    pub fn adopt_parts(&self) -> Result<Adopted, TrafficError> {
        let connection = self.take_idle()?;
        let mut adopted = Adopted::default();
        for path in by_size(sealed_files(&self.chunks)?) {
            match examine(&connection, &path) {
                Ok(part) if is_doubled(&connection, &self.chunks, &part, &adopted.parts)? => adopted.doubled += 1,
                Ok(part) => {
                    insert_part(&connection, &part).map_err(failed("register a sealed file"))?;
                    adopted.parts.push(part);
                }
                Err(error) => {
                    error!(path = %path.display(), %error, "a sealed file cannot be read; it is kept under another name");
                    let aside = path.with_extension(UNREADABLE);
                    let failed = |source| TrafficError::File { operation: "set aside", path: path.clone(), source };
                    fs::rename(&path, &aside).map_err(failed)?;
                    adopted.unreadable.push(aside);
                }
            }
        }
        refresh_view(&connection, &self.chunks)?;
        Ok(adopted)
    }
}

/// Largest first, so that what a crash has doubled is found in what is there already.
fn by_size(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.sort_by_cached_key(|path| Reverse(fs::metadata(path).map_or(0, |metadata| metadata.len())));
    files
}

fn examine(connection: &Connection, path: &Path) -> Result<Part, TrafficError> {
    let failed_file = |source| TrafficError::File { operation: "read", path: path.to_owned(), source };
    let (file_bytes, sha256) = sha256_of(path).map_err(failed_file)?;
    let relation = relation_of(&[path.to_owned()]);
    let totals = totals(connection, &relation)?;
    let (first, last): (i64, i64) = connection
        .query_row(
            &format!("SELECT coalesce(epoch_ms(min(ts)), 0), coalesce(epoch_ms(max(ts)), 0) FROM {relation}"),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(failed("read the span of a sealed file"))?;
    let (from, to) = (first.div_euclid(HOUR_MS) * HOUR_MS, (last.div_euclid(HOUR_MS) + 1) * HOUR_MS);
    if totals.rows == 0 || first.div_euclid(DAY_MS) != last.div_euclid(DAY_MS) {
        return Err(TrafficError::OutOfRange { what: "a sealed file without rows or of several days" });
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Part { file, from: UtcMillis(from), to: UtcMillis(to), totals, file_bytes, sha256 })
}

fn is_doubled(connection: &Connection, folder: &Path, part: &Part, others: &[Part]) -> Result<bool, TrafficError> {
    let columns = "ts, gateway, pid, request_counter, client_ip_low, client_port, path, bytes_out";
    let of = |part: &Part| format!("SELECT {columns} FROM read_parquet({})", quoted(&folder.join(&part.file)));
    for other in others.iter().filter(|other| other.from < part.to && part.from < other.to) {
        let sql = format!("SELECT count(*) FROM ({} EXCEPT {})", of(part), of(other));
        let alone: u64 =
            connection.query_row(&sql, [], |row| row.get(0)).map_err(failed("compare two sealed files"))?;
        if alone == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
