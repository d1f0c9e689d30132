//! The reading end: durable records into batches.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use tracing::error;

use super::Spool;
use crate::core::log_line::{Detection, Format, Reject};
use crate::core::spool_record::{Behind, HEADER, MAX_RECORD_BYTES, Part, Record, next_part};
use crate::intake::file::read_full_at;
use crate::intake::reader::{Place, take_line, to_u64};
use crate::traffic::{Batch, QUARANTINE_HEAD_BYTES, Quarantined, SpoolPosition};

/// How much is read at once: several times the longest record.
const CHUNK_BYTES: usize = 16 * MAX_RECORD_BYTES;

/// Reads one spool in order.
pub(in crate::intake) struct SpoolReader {
    spool: Arc<Spool>,
    position: SpoolPosition,
    open: Option<(u64, File)>,
    buffer: Vec<u8>,
    detection: Detection,
    /// Batches on their way to the store, with the segment that each has got to.
    on_the_way: VecDeque<(u64, u64)>,
}

impl SpoolReader {
    /// Reads on from where the store is.
    pub(in crate::intake) fn new(spool: Arc<Spool>, counted: Option<SpoolPosition>) -> Self {
        let position = counted.unwrap_or(SpoolPosition { segment: 0, read_offset: 0 });
        spool.release_before(position.segment);
        Self {
            spool,
            position,
            open: None,
            buffer: vec![0; CHUNK_BYTES],
            detection: Detection::default(),
            on_the_way: VecDeque::new(),
        }
    }

    /// The format of the spool's lines, `None` before the first that could be parsed.
    pub(in crate::intake) fn format(&self) -> Option<Format> {
        self.detection.format()
    }

    pub(in crate::intake) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Takes durable records until the batch has `max_lines`, the end is reached, or the batch is due. Tells whether
    /// there were any.
    pub(in crate::intake) fn read(&mut self, batch: &mut Batch, max_lines: usize, due: Instant) -> bool {
        let mut any = false;
        while !(batch.is_full(max_lines) || any && Instant::now() >= due) {
            let Some((segment, durable, has_later)) = self.spool.segment_from(self.position.segment) else { break };
            if segment > self.position.segment || self.position.read_offset == 0 {
                self.position = SpoolPosition { segment, read_offset: to_u64(HEADER.len()) };
            }
            if self.position.read_offset < durable {
                if let Err(error) = self.read_chunk(durable, batch, max_lines) {
                    error!(segment, %error, "a segment of the spool cannot be read");
                    break;
                }
                any = true;
            } else if has_later {
                self.position = SpoolPosition { segment: segment + 1, read_offset: 0 };
            } else {
                break;
            }
        }
        any
    }

    fn read_chunk(&mut self, durable: u64, batch: &mut Batch, max_lines: usize) -> io::Result<()> {
        let SpoolPosition { segment, read_offset } = self.position;
        if self.open.as_ref().is_none_or(|(number, _)| *number != segment) {
            self.open = Some((segment, File::open(self.spool.path(segment))?));
        }
        let Some((_, file)) = &self.open else { return Ok(()) };
        let room = usize::try_from(durable - read_offset).unwrap_or(usize::MAX).min(self.buffer.len());
        let filled = read_full_at(file, self.buffer.get_mut(..room).unwrap_or_default(), read_offset)?;
        let chunk = self.buffer.get(..filled).unwrap_or_default();
        let behind = if filled < self.buffer.len() { Behind::Nothing } else { Behind::More };
        let name = &self.spool.name;
        let mut start = 0;
        while !batch.is_full(max_lines) {
            let rest = chunk.get(start..).unwrap_or_default();
            let place = Place {
                source: name,
                inode: segment,
                offset: read_offset + to_u64(start),
                gateway: self.spool.gateway,
            };
            let Some(part) = next_part(rest, behind) else { break };
            start += match part {
                Part::Record { record, bytes } => {
                    if let Record::Line(line) = record {
                        take_line(line, &place, batch, &mut self.detection);
                    }
                    bytes
                }
                Part::Damaged { bytes } => {
                    quarantine(rest.get(..bytes).unwrap_or_default(), to_u64(bytes), &place, batch);
                    bytes
                }
            };
        }
        if start == filled && filled < room {
            // Durable once, and its file ends before it.
            let offset = read_offset + to_u64(start);
            let place = Place { source: name, inode: segment, offset, gateway: self.spool.gateway };
            quarantine(&[], durable - place.offset, &place, batch);
            self.position.read_offset = durable;
        } else {
            self.position.read_offset = read_offset + to_u64(start);
        }
        batch.set_spool_position(name, self.position);
        Ok(())
    }

    /// Notes that a batch with what was read so far is on its way to the store.
    pub(in crate::intake) fn sent(&mut self, batch: u64) {
        if self.on_the_way.back().is_none_or(|(_, segment)| *segment < self.position.segment) {
            self.on_the_way.push_back((batch, self.position.segment));
        }
    }

    /// Lets go of the segments that are counted to their end once so many batches are stored.
    pub(in crate::intake) fn stored(&mut self, batches: u64) {
        let mut counted = None;
        while let Some((_, segment)) = self.on_the_way.pop_front_if(|(batch, _)| *batch <= batches) {
            counted = Some(segment);
        }
        if let Some(segment) = counted {
            self.spool.release_before(segment);
        }
    }
}

/// Notes a damaged stretch. How many lines were in it cannot be told.
fn quarantine(bytes: &[u8], length: u64, place: &Place<'_>, batch: &mut Batch) {
    let (segment, offset) = (place.inode, place.offset);
    error!(
        spool = place.source,
        segment,
        offset,
        bytes = length,
        "a segment of the spool is damaged: what was in these bytes is lost"
    );
    batch.quarantine(Quarantined {
        source: place.source.to_owned(),
        inode: segment,
        line_offset: offset,
        line_bytes: length,
        reason: Reject::Damaged,
        head: bytes.iter().copied().take(QUARANTINE_HEAD_BYTES).collect(),
    });
}
