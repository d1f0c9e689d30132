//! What a batch notes of its sources besides the positions in log files.

use std::collections::BTreeMap;

use duckdb::{Connection, OptionalExt, params};

use super::batch::Batch;
use super::imports::{self, ImportPosition};
use super::shipping::{append_duplicates, append_spans};
use super::{Traffic, TrafficError, failed};

use crate::core::calendar::UtcMillis;
use crate::core::lost_lines::{Span, SpanKey, Spans};

/// A place in a spool: the first record that is not yet counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpoolPosition {
    pub segment: u64,
    pub read_offset: u64,
}

/// To be stored with the batch's rows.
#[derive(Debug, Default)]
pub(super) struct Marks {
    spools: BTreeMap<String, SpoolPosition>,
    /// What came of each worker's lines, until it is taken.
    pub(super) spans: Spans,
    taken_spans: Vec<(SpanKey, Span)>,
    /// Lines that came again, by gateway and hour.
    pub(super) duplicates: BTreeMap<(u8, UtcMillis), u64>,
    pub(super) imports: BTreeMap<(u32, u64), ImportPosition>,
}

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        self.spools.is_empty() && self.imports.is_empty() && self.spans.is_empty() && self.duplicates.is_empty()
    }

    /// Takes what is noted, ready to be stored.
    pub(super) fn take(&mut self) -> Self {
        let mut taken = std::mem::take(self);
        taken.taken_spans = taken.spans.take();
        taken
    }
}

impl Batch {
    /// Notes how far a spool is read once this batch is committed. The last note for a spool counts.
    pub fn set_spool_position(&mut self, spool: &str, position: SpoolPosition) {
        match self.marks.spools.get_mut(spool) {
            Some(noted) => *noted = position,
            None => drop(self.marks.spools.insert(spool.to_owned(), position)),
        }
    }
}

impl Traffic {
    /// How far a spool has been read; `None` if nothing of it ever was.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn spool_position(&self, spool: &str) -> Result<Option<SpoolPosition>, TrafficError> {
        self.read(|connection| {
            connection
                .query_row("SELECT segment, read_offset FROM spool_positions WHERE spool = ?", params![spool], |row| {
                    Ok(SpoolPosition { segment: row.get(0)?, read_offset: row.get(1)? })
                })
                .optional()
                .map_err(failed("read a spool's position"))
        })
    }
}

pub(super) fn append(connection: &Connection, marks: &Marks) -> Result<(), TrafficError> {
    for (spool, position) in &marks.spools {
        set_spool_position(connection, spool, *position)?;
    }
    append_spans(connection, &marks.taken_spans)?;
    for (place, lines) in &marks.duplicates {
        append_duplicates(connection, *place, *lines)?;
    }
    marks.imports.values().try_for_each(|import| imports::set(connection, import))
}

fn set_spool_position(connection: &Connection, spool: &str, position: SpoolPosition) -> Result<(), TrafficError> {
    let SpoolPosition { segment, read_offset } = position;
    let moving = failed("move a spool's position");
    let changed = connection
        .execute(
            "UPDATE spool_positions SET segment = ?, read_offset = ? WHERE spool = ?",
            params![segment, read_offset, spool],
        )
        .map_err(&moving)?;
    if changed == 0 {
        connection
            .execute("INSERT INTO spool_positions VALUES (?, ?, ?)", params![spool, segment, read_offset])
            .map_err(&moving)?;
    }
    Ok(())
}
