//! What is appended at once: rows, their deltas, rejected lines and how far the files were read.

use std::collections::BTreeMap;

use duckdb::arrow::record_batch::RecordBatch;

use super::TrafficError;
use super::columns::{RequestColumns, delta_batch};
use super::marks::Marks;
use super::shapes::{FreshShapes, Shapes};
use crate::core::calendar::UtcMillis;
use crate::core::duplicates::Duplicates;
use crate::core::log_line::{Reject, RequestLine};
use crate::core::rollup::Rollup;

/// How many bytes of a rejected line are kept.
pub const QUARANTINE_HEAD_BYTES: usize = 512;

/// Bytes of paths that a batch takes, about: they are the only columns whose length others choose.
const MAX_PATHS_BYTES: usize = 16 << 20;

/// How far a log file has been read, and how to recognise it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePosition {
    /// The configured path that the file belongs to (the file itself may have been renamed).
    pub source: String,
    pub device: u64,
    pub inode: u64,
    /// How many bytes at its start `head_hash` covers.
    pub head_bytes: u32,
    pub head_hash: u64,
    /// The first byte that was counted: what is before it was there before the log was followed.
    pub counted_from: u64,
    /// The first byte that is not yet counted.
    pub read_offset: u64,
    /// Modification time when last looked at, in ns since the epoch.
    pub modified_ns: i64,
}

/// A line that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    pub source: String,
    pub inode: u64,
    pub line_offset: u64,
    pub line_bytes: u64,
    pub reason: Reject,
    /// Its first [`QUARANTINE_HEAD_BYTES`].
    pub head: Vec<u8>,
}

/// A batch while it fills.
pub struct Batch {
    shapes: Shapes,
    requests: RequestColumns,
    rollup: Rollup,
    quarantined: Vec<Quarantined>,
    positions: BTreeMap<(String, u64, u64), FilePosition>,
    forgotten: Vec<FilePosition>,
    begun: Vec<String>,
    pub(super) marks: Marks,
    pub(super) duplicates: Option<Duplicates>,
    newest_end: Option<UtcMillis>,
}

/// A full batch, ready to be appended as often as it takes.
pub struct SealedBatch {
    pub(super) shapes: FreshShapes,
    pub(super) requests: RecordBatch,
    pub(super) minutes: RecordBatch,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) positions: Vec<FilePosition>,
    pub(super) forgotten: Vec<FilePosition>,
    pub(super) begun: Vec<String>,
    pub(super) marks: Marks,
    newest_end: Option<UtcMillis>,
}

/// What has been appended since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// The newest batch's number, 0 before the first.
    pub batch: u64,
    pub rows: u64,
    pub rejects: u64,
    /// Between the end of the newest request in the last batch with any, and its commit.
    pub line_to_row_ms: Option<u64>,
    /// Whether the newest batch cannot be appended at present, and is tried again and again.
    pub stalled: bool,
}

impl Batch {
    /// Starts with the shapes that the store gave.
    pub fn new(shapes: Shapes) -> Self {
        Self {
            shapes,
            requests: RequestColumns::default(),
            rollup: Rollup::default(),
            quarantined: Vec::new(),
            positions: BTreeMap::new(),
            forgotten: Vec::new(),
            begun: Vec::new(),
            marks: Marks::default(),
            duplicates: None,
            newest_end: None,
        }
    }

    /// Takes a request, unless it is recognised as one that came before.
    pub fn push(&mut self, line: &RequestLine<'_>) {
        if self.is_duplicate(line) {
            return;
        }
        self.requests.push(line, &mut self.shapes);
        self.rollup.add(line);
        let end = line.ts.plus_ms(i64::from(line.times.total_ms.max(0)));
        self.newest_end = self.newest_end.max(Some(end));
    }

    pub fn quarantine(&mut self, line: Quarantined) {
        self.quarantined.push(line);
    }

    /// Notes how far a file is read once this batch is committed. The last note for a file counts.
    pub fn set_position(&mut self, position: FilePosition) {
        self.positions.insert((position.source.clone(), position.device, position.inode), position);
    }

    /// Drops the position of a file that is gone.
    pub fn forget(&mut self, position: FilePosition) {
        self.positions.remove(&(position.source.clone(), position.device, position.inode));
        self.forgotten.push(position);
    }

    /// Notes that a source is followed from here on.
    pub fn begin_source(&mut self, source: String) {
        self.begun.push(source);
    }

    /// Lines in it, parsed and rejected.
    pub fn lines(&self) -> usize {
        self.requests.rows() + self.quarantined.len()
    }

    /// Whether it should be committed: it has so many lines, or takes as much memory as it may.
    pub fn is_full(&self, max_lines: usize) -> bool {
        self.lines() >= max_lines || self.requests.path_bytes() >= MAX_PATHS_BYTES
    }

    /// Whether committing it would change nothing.
    pub fn is_empty(&self) -> bool {
        let has_no_position = self.positions.is_empty() && self.forgotten.is_empty() && self.begun.is_empty();
        self.lines() == 0 && has_no_position && self.marks.is_empty()
    }

    /// Takes what has been gathered, leaving an empty batch. Every sealed batch must be appended, in order: later ones
    /// use the shapes of earlier ones.
    ///
    /// # Errors
    /// [`TrafficError::Batch`] if the columns do not fit together.
    pub fn seal(&mut self, capacity: usize) -> Result<SealedBatch, TrafficError> {
        Ok(SealedBatch {
            shapes: self.shapes.take_fresh()?,
            requests: self.requests.take(capacity)?,
            minutes: delta_batch(&self.rollup.take())?,
            quarantined: std::mem::take(&mut self.quarantined),
            positions: std::mem::take(&mut self.positions).into_values().collect(),
            forgotten: std::mem::take(&mut self.forgotten),
            begun: std::mem::take(&mut self.begun),
            marks: self.marks.take(),
            newest_end: self.newest_end.take(),
        })
    }
}

impl SealedBatch {
    /// Requests in it.
    pub fn rows(&self) -> usize {
        self.requests.num_rows()
    }

    /// Rejected lines in it.
    pub fn rejects(&self) -> usize {
        self.quarantined.len()
    }

    /// When the last of its requests ended, `None` without any.
    pub fn newest_end(&self) -> Option<UtcMillis> {
        self.newest_end
    }
}
