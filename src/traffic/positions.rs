//! How far each log file has been read.

use duckdb::{Connection, Row, params};

use super::{FilePosition, Traffic, TrafficError, failed};

impl Traffic {
    /// The known files of a source, in no order; `None` if the source was never followed.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn file_positions(&self, source: &str) -> Result<Option<Vec<FilePosition>>, TrafficError> {
        self.read(|connection| {
            let begun: bool = connection
                .query_row("SELECT count(*) > 0 FROM intake_sources WHERE source = ?", params![source], |row| {
                    row.get(0)
                })
                .map_err(failed("look for a source"))?;
            if !begun {
                return Ok(None);
            }
            let mut statement = connection
                .prepare(
                    "SELECT source, device, inode, head_bytes, head_hash, counted_from, read_offset, modified_ns
                     FROM intake_files WHERE source = ?",
                )
                .map_err(failed("read file positions"))?;
            let rows = statement.query_map(params![source], position).map_err(failed("read file positions"))?;
            rows.collect::<Result<_, _>>().map(Some).map_err(failed("read file positions"))
        })
    }
}

pub(super) fn begin(connection: &Connection, source: &str) -> Result<(), TrafficError> {
    connection
        .execute("INSERT INTO intake_sources VALUES (?)", params![source])
        .map_err(failed("begin a source"))
        .map(|_| ())
}

pub(super) fn position(row: &Row<'_>) -> Result<FilePosition, duckdb::Error> {
    Ok(FilePosition {
        source: row.get(0)?,
        device: row.get(1)?,
        inode: row.get(2)?,
        head_bytes: row.get(3)?,
        head_hash: row.get(4)?,
        counted_from: row.get(5)?,
        read_offset: row.get(6)?,
        modified_ns: row.get(7)?,
    })
}

pub(super) fn set(connection: &Connection, position: &FilePosition) -> Result<(), TrafficError> {
    let FilePosition { source, device, inode, head_bytes, head_hash, counted_from, read_offset, modified_ns } =
        position;
    let changed = connection
        .execute(
            "UPDATE intake_files SET head_bytes = ?, head_hash = ?, counted_from = ?, read_offset = ?,
                 modified_ns = ?
             WHERE source = ? AND device = ? AND inode = ?",
            params![head_bytes, head_hash, counted_from, read_offset, modified_ns, source, device, inode],
        )
        .map_err(failed("move a file position"))?;
    if changed == 0 {
        connection
            .execute(
                "INSERT INTO intake_files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![source, device, inode, head_bytes, head_hash, counted_from, read_offset, modified_ns],
            )
            .map_err(failed("note a file position"))?;
    }
    Ok(())
}

pub(super) fn forget(connection: &Connection, position: &FilePosition) -> Result<(), TrafficError> {
    super::imports::remember(connection, position)?;
    connection
        .execute(
            "DELETE FROM intake_files WHERE source = ? AND device = ? AND inode = ?",
            params![position.source, position.device, position.inode],
        )
        .map_err(failed("forget a file position"))
        .map(|_| ())
}
