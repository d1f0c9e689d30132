//! The sending side of a gateway's stream: how the segments of its spool lie in it, and where to go on.
//! (`core::gateway_stream` is the receiving side, `core::spool_record` the layout of segments.)
//!
//! ```text
//! segment:  header │ frame line │ frame line │ damaged │ frame line │
//! stream:          │ line ⏎⏎⏎⏎⏎⏎⏎⏎ │ line ⏎… │ ⏎⏎⏎⏎⏎⏎⏎ │ line ⏎… │ next segment's records
//! ```
//! A record is as long in the stream as on disk: newlines stand for its frame, and for whatever is damaged. Blank lines
//! are none to who receives them. So a place in a segment and the same place in the stream differ by a constant, which is all that
//! has to be remembered, and no damage moves what comes behind it.

use std::collections::BTreeMap;

use twox_hash::XxHash3_64;

use crate::core::spool_record::{Behind, HEADER, Part, Record, next_part};

/// Where records begin in a segment.
const BEGIN: u64 = 16;
const _: () = assert!(HEADER.len() == 16, "BEGIN is the header's length");

/// Durable lengths of segments in bytes, by number.
pub type Segments = BTreeMap<u64, u64>;

/// A place in the spool, and the same place in the stream: what is before it is at the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub stream: u64,
    /// If there is no such segment, the next one that there is, from its beginning.
    pub segment: u64,
    /// Bytes from the beginning of the segment's file.
    pub position: u64,
    /// Bytes from the beginning of the stream.
    pub offset: u64,
}

/// What the primary says about a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So much of it is durable.
    Length(u64),
    /// A newer one has begun.
    Superseded { newest: u64 },
}

/// What follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// To go on there with the same stream.
    At(Anchor),
    /// To go on with a new stream, whose number is at least `least`. So many bytes of the old one the primary once had
    /// and has no longer.
    Anew { least: u64, lost: u64 },
}

impl Anchor {
    /// Where a stream begins that nothing is sent of: before everything in the spool.
    pub fn begin(stream: u64) -> Self {
        Self { stream, segment: 0, position: BEGIN, offset: 0 }
    }

    /// The same place at the beginning of another stream.
    pub fn anew(self, stream: u64) -> Self {
        Self { stream, offset: 0, ..self }
    }

    /// Where a place in the same segment is in the stream; `None` if before its beginning.
    pub fn offset_of(self, position: u64) -> Option<u64> {
        position.checked_add(self.offset)?.checked_sub(self.position)
    }

    fn position_of(self, offset: u64) -> Option<u64> {
        let position = offset.checked_add(self.position)?.checked_sub(self.offset)?;
        (position >= BEGIN).then_some(position)
    }

    /// The beginning of its segment, if that is of the same stream.
    pub fn begin_of_segment(self) -> Option<Self> {
        Some(self.at_segment(self.segment, self.offset_of(BEGIN)?))
    }

    fn at_offset(self, offset: u64) -> Option<Self> {
        Some(Self { position: self.position_of(offset)?, offset, ..self })
    }

    fn at_segment(self, segment: u64, offset: u64) -> Self {
        Self { segment, position: BEGIN, offset, ..self }
    }

    /// The stream's length when all that is durable of the segment is sent.
    fn end(self, segments: &Segments) -> u64 {
        let end = segments.get(&self.segment).and_then(|durable| self.offset_of(*durable));
        end.unwrap_or(0).max(self.offset)
    }

    /// The beginning of the next segment, if there is one and the present one is sent.
    pub fn next_segment(self, segments: &Segments) -> Option<Self> {
        let is_sent = self.end(segments) == self.offset;
        let (next, _) = segments.range(self.segment.checked_add(1)?..).next().filter(|_| is_sent)?;
        Some(self.at_segment(*next, self.offset))
    }

    /// Bytes of records behind it.
    pub fn waiting(self, segments: &Segments) -> u64 {
        let later = segments.range(self.segment.saturating_add(1)..).map(|(_, durable)| durable.saturating_sub(BEGIN));
        later.sum::<u64>() + (self.end(segments) - self.offset)
    }

    /// What to do once the primary has said how much it has.
    ///
    /// `inherited` is the last segment that was there when the process began, until the primary has been heard for the
    /// first time. What is there of those is older than what is not, so a primary that has more than all of them together has
    /// their successors, which are lost here: a disk was restored, or its end damaged. Later segments are new to it.
    pub fn resume(self, segments: &Segments, inherited: Option<u64>, told: Told) -> Resumption {
        let anew = |newest: u64, lost| Resumption::Anew { least: newest.saturating_add(1), lost };
        let length = match told {
            Told::Length(length) => length,
            Told::Superseded { newest } => return anew(newest.max(self.stream), 0),
        };
        if length < self.offset {
            // Having nothing of what it had, it may have counted it all the same: that is not sent again.
            let known = segments.contains_key(&self.segment) && length > 0;
            return match self.at_offset(length).filter(|_| known) {
                Some(at) => Resumption::At(at),
                None => anew(self.stream, self.offset - length),
            };
        }
        let mut at = self;
        loop {
            let end = at.end(segments);
            if length <= end {
                return at.at_offset(length).map_or(anew(self.stream, 0), Resumption::At);
            }
            let later = segments.range(at.segment.saturating_add(1)..).next();
            match (inherited, later) {
                (Some(last), Some((next, _))) if *next <= last => at = at.at_segment(*next, end),
                (Some(last), _) if at.segment <= last || at.position == BEGIN => {
                    return Resumption::At(at.at_segment(at.segment.max(last.saturating_add(1)), length));
                }
                _ => return anew(self.stream, 0),
            }
        }
    }
}

/// Of a slot that remembers an anchor.
pub const SLOT_BYTES: usize = 48;

/// An anchor as it is remembered: a count of writings, the four numbers of the anchor, and the XXH3-64 of these 40 bytes, all
/// little-endian. Of two slots that are written in turn, one is whole whenever a writing is cut off.
pub fn encode_slot(writing: u64, anchor: Anchor) -> [u8; SLOT_BYTES] {
    let Anchor { stream, segment, position, offset } = anchor;
    let mut slot = [0; SLOT_BYTES];
    let numbers = [writing, stream, segment, position, offset].into_iter().flat_map(u64::to_le_bytes);
    let content: Vec<u8> = numbers.collect();
    let checksum = XxHash3_64::oneshot(&content).to_le_bytes();
    slot.iter_mut().zip(content.into_iter().chain(checksum)).for_each(|(byte, value)| *byte = value);
    slot
}

/// Which writing a slot is of, and what it remembers; `None` of one that is not whole.
pub fn decode_slot(slot: &[u8]) -> Option<(u64, Anchor)> {
    let (content, checksum) = slot.get(..SLOT_BYTES)?.split_last_chunk::<8>()?;
    if XxHash3_64::oneshot(content).to_le_bytes() != *checksum {
        return None;
    }
    let mut numbers = content.chunks_exact(8).filter_map(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
    let writing = numbers.next()?;
    let (stream, segment, position, offset) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
    Some((writing, Anchor { stream, segment, position, offset }))
}

/// Records as a piece of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Piece {
    /// As long as the records that it was made of.
    pub text: Vec<u8>,
    /// How many bytes of it stand for what is damaged.
    pub damaged: u64,
}

impl Piece {
    /// Of as many whole records as there are.
    pub fn of_records(records: &[u8], behind: Behind) -> Self {
        let mut piece = Self { text: Vec::with_capacity(records.len()), damaged: 0 };
        while let Some(part) = next_part(records.get(piece.text.len()..).unwrap_or_default(), behind) {
            let bytes = match part {
                Part::Record { record, bytes } => {
                    if let Record::Line(line) = record {
                        piece.text.extend_from_slice(line);
                        piece.text.resize(piece.text.len() + bytes - line.len(), b'\n');
                        continue;
                    }
                    bytes
                }
                Part::Damaged { bytes } => {
                    piece.damaged += u64::try_from(bytes).unwrap_or(0);
                    bytes
                }
            };
            piece.text.resize(piece.text.len() + bytes, b'\n');
        }
        piece
    }
}

/// How far whole records go that end at or before a place.
pub fn whole_until(records: &[u8], behind: Behind, place: usize) -> usize {
    let mut at = 0;
    while let Some(Part::Record { bytes, .. } | Part::Damaged { bytes }) =
        next_part(records.get(at..).unwrap_or_default(), behind)
    {
        if at + bytes > place {
            break;
        }
        at += bytes;
    }
    at
}

#[cfg(test)]
mod tests;
