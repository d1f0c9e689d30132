//! Which files were imported, and which were followed to their end: each is counted once.

use duckdb::{Connection, Row, params};

use super::batch::Batch;
use super::{FilePosition, Traffic, TrafficError, failed};

/// How far a file was imported. It is known by the first bytes of what is in it, packed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportPosition {
    pub head_bytes: u32,
    pub head_hash: u64,
    /// The first byte of its unpacked content that is not yet dealt with.
    pub read_offset: u64,
    /// XXH3-64 of the content before it.
    pub content_hash: u64,
    /// The file's name when it was last imported.
    pub name: String,
    /// Rows and rejected lines.
    pub lines: u64,
}

/// A log file that is or was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedFile {
    pub position: FilePosition,
    /// Whether it was gone when it was last looked for.
    pub is_gone: bool,
}

impl Batch {
    /// Notes how far a file is imported once this batch is committed. The last note for a file counts.
    pub fn set_import(&mut self, position: ImportPosition) {
        self.marks.imports.insert((position.head_bytes, position.head_hash), position);
    }
}

impl Traffic {
    /// All files that were imported, wholly or in part.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn imports(&self) -> Result<Vec<ImportPosition>, TrafficError> {
        self.read(|connection| {
            let reading = failed("read imports");
            let mut statement = connection
                .prepare("SELECT head_bytes, head_hash, read_offset, content_hash, name, lines FROM imports")
                .map_err(&reading)?;
            let rows = statement.query_map([], import_position).map_err(&reading)?;
            rows.collect::<Result<_, _>>().map_err(&reading)
        })
    }

    /// All log files that are followed, or were and are gone.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn followed_files(&self) -> Result<Vec<FollowedFile>, TrafficError> {
        self.read(|connection| {
            let reading = failed("read followed files");
            let mut statement = connection
                .prepare(
                    "SELECT source, device, inode, head_bytes, head_hash, counted_from, read_offset, modified_ns, false
                     FROM intake_files
                     UNION ALL
                     SELECT source, 0, 0, head_bytes, head_hash, counted_from, read_offset, 0, true FROM finished_files",
                )
                .map_err(&reading)?;
            let rows = statement.query_map([], followed_file).map_err(&reading)?;
            rows.collect::<Result<_, _>>().map_err(&reading)
        })
    }
}

fn import_position(row: &Row<'_>) -> Result<ImportPosition, duckdb::Error> {
    Ok(ImportPosition {
        head_bytes: row.get(0)?,
        head_hash: row.get(1)?,
        read_offset: row.get(2)?,
        content_hash: row.get(3)?,
        name: row.get(4)?,
        lines: row.get(5)?,
    })
}

fn followed_file(row: &Row<'_>) -> Result<FollowedFile, duckdb::Error> {
    Ok(FollowedFile { position: super::positions::position(row)?, is_gone: row.get(8)? })
}

pub(super) fn set(connection: &Connection, import: &ImportPosition) -> Result<(), TrafficError> {
    let ImportPosition { head_bytes, head_hash, read_offset, content_hash, name, lines } = import;
    let noting = failed("note an import");
    let changed = connection
        .execute(
            "UPDATE imports SET read_offset = ?, content_hash = ?, name = ?, lines = ?
             WHERE head_bytes = ? AND head_hash = ?",
            params![read_offset, content_hash, name, lines, head_bytes, head_hash],
        )
        .map_err(&noting)?;
    if changed == 0 {
        connection
            .execute(
                "INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?)",
                params![head_bytes, head_hash, read_offset, content_hash, name, lines],
            )
            .map_err(&noting)?;
    }
    Ok(())
}

/// Remembers a file that is gone, in case it comes again as a packed one.
pub(super) fn remember(connection: &Connection, position: &FilePosition) -> Result<(), TrafficError> {
    let FilePosition { source, head_bytes, head_hash, counted_from, read_offset, .. } = position;
    if counted_from >= read_offset {
        return Ok(());
    }
    connection
        .execute(
            "INSERT INTO finished_files VALUES (?, ?, ?, ?, ?)",
            params![source, head_bytes, head_hash, counted_from, read_offset],
        )
        .map_err(failed("remember a file that is gone"))
        .map(|_| ())
}
