//! The reading end on a gateway's host: durable records as pieces of a stream, and what the primary has of them.
//!
//! ```text
//! segments ─▶ a piece ─▶ (sent) ─▶ heard: so much is durable there ─▶ anchor saved ─▶ segments before it deleted
//!                ▲                                        │
//!                └────────────────────────────────────────┘
//! ```
//! Invariants (`core::log_shipment` decides; a place in a segment and in the stream differ by a constant):
//! - The constant of a segment is saved before anything of it is sent, so that after any crash the primary's length says
//!   where to go on.
//! - A segment is deleted once the primary has said that all of it is durable and that place is saved. It is kept packed
//!   for a while (`sent`), for a primary that has lost what it had.
//! - The anchor is saved in place, so that a full disk does not keep it from being emptied.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::sent::Sent;
use super::{Journal, Spool};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::gateway_stream::MAX_PIECE_BYTES;
use crate::core::log_line::parse;
use crate::core::log_shipment::{
    Anchor, Piece, Resumption, SLOT_BYTES, Segments, Told, decode_slot, encode_slot, whole_until,
};
use crate::core::spool_record::{Behind, HEADER, MAX_RECORD_BYTES, intact_lines};
use crate::intake::file::read_full_at;
use crate::intake::reader::to_u64;
use crate::traffic::SpoolPosition;

/// The file of the anchor, in the spool's folder.
const PLACE: &str = "place";
/// Its two slots are so far from each other that one write cannot tear both.
const SLOTS: [u64; 2] = [0, 4096];
/// How old a saved anchor may be while it only moves on within its segment. After a crash the primary's length corrects it; only
/// if the primary does not know the stream any more at that very time, lines of so long are sent twice, which it recognises.
const SAVED_WITHIN: Duration = Duration::from_secs(1);
/// Of records, so that a piece that cannot be packed is no longer than it may be either.
const PIECE_BYTES: usize = MAX_PIECE_BYTES - (16 << 10);
/// As is usual; it packs lines to a tenth.
const PACK_LEVEL: i32 = 3;

/// A piece, ready to be sent.
#[derive(Debug)]
pub struct Packed {
    pub stream: u64,
    /// Where it begins in the stream.
    pub offset: u64,
    /// Packed with zstd.
    pub bytes: Vec<u8>,
}

/// What waits to be durable at the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// On disk.
    pub bytes: u64,
    /// When its first line was logged, if that can be told.
    pub oldest: Option<UtcMillis>,
}

/// What has become of it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Since the process began.
    pub bytes: u64,
    /// What the primary had said to be durable, and has lost.
    pub lost_bytes: u64,
    /// What was damaged on this disk before it was sent.
    pub damaged_bytes: u64,
}

/// Reads one spool in order, and deletes what is delivered.
pub struct Outbox {
    spool: Arc<Spool>,
    at: Anchor,
    place: Place,
    /// Whether a record begins there.
    is_aligned: bool,
    /// The last segment that was there at the beginning, until the primary was heard.
    inherited: Option<u64>,
    /// What the answer to the last piece is if all of it is taken, and how much of it is damaged.
    expected: Option<(Told, u64)>,
    delivered: Delivered,
    open: Option<(u64, File)>,
    sent: Sent,
}

/// What may be on disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Of what waits; nothing is taken in beyond.
    pub waiting: u64,
    /// Of what is delivered; the oldest of it is deleted.
    pub sent: u64,
}

impl Outbox {
    /// Opens the spool in a folder, made if need be, and what writes it. A new one begins a stream, whose number is the time.
    ///
    /// # Errors
    /// Those of the file system; or the anchor is damaged.
    pub fn open(name: &str, folder: &Path, limits: OutboxLimits, now_ms: u64) -> io::Result<(Self, Journal)> {
        let place = Place::open(folder)?;
        let known = place.saved;
        let sent = known.map(|at| SpoolPosition { segment: at.segment, read_offset: at.position });
        let journal = Journal::open(name, folder, limits.waiting, sent)?;
        let spool = journal.spool().clone();
        let inherited = spool.segments().last_key_value().map_or(0, |(number, _)| *number);
        let mut outbox = Self {
            spool,
            at: known.map_or(Anchor::begin(now_ms), |at| if is_impossible(at, now_ms) { at.anew(now_ms) } else { at }),
            place,
            is_aligned: false,
            inherited: Some(inherited),
            expected: None,
            delivered: Delivered::default(),
            open: None,
            sent: Sent::of_spool(folder, limits.sent),
        };
        outbox.save()?;
        outbox.delete_delivered();
        Ok((outbox, journal))
    }

    /// The stream that the next piece is of.
    pub fn stream(&self) -> u64 {
        self.at.stream
    }

    /// Learns what the primary has. A new stream, should there have to be one, has at least the number of the time.
    ///
    /// # Errors
    /// Those of the file system; then it has to be heard again before anything is sent.
    pub fn heard(&mut self, told: Told, now: UtcMillis) -> io::Result<()> {
        let expected = self.expected.take();
        self.is_aligned = expected.is_some_and(|(expected, _)| expected == told);
        if let Some((_, damaged)) = expected.filter(|_| self.is_aligned) {
            self.delivered.damaged_bytes += damaged;
        }
        let resumed = self.at.resume(&self.spool.segments(), self.inherited.take(), told);
        let (at, lost) = match resumed {
            Resumption::At(at) => (at, 0),
            Resumption::Anew { least, lost } => match self.bring_back(told)? {
                Some(at) => (at, 0),
                None => (self.at.anew(u64::try_from(now.0).unwrap_or(0).max(least)), lost),
            },
        };
        let (stream, before) = (at.stream, std::mem::replace(&mut self.at, at));
        if stream != before.stream {
            self.delivered.lost_bytes += lost;
            error!(stream, ?told, lost_bytes = lost, "the primary cannot go on with this log's stream: another begins");
        } else if at.offset < before.offset {
            let bytes = before.offset - at.offset;
            warn!(bytes, "the primary has lost the end of what it had of this log; it is sent again");
        } else {
            self.delivered.bytes += at.offset - before.offset;
        }
        self.save()
    }

    /// Of what the primary has lost, the first segment that is kept, if nothing is missing.
    fn bring_back(&self, told: Told) -> io::Result<Option<Anchor>> {
        let Some(length) = lost_from(told).filter(|length| *length < self.at.offset) else { return Ok(None) };
        let unpacked = self.sent.find(self.at.stream, length).and_then(|kept| {
            let Some(kept) = kept.filter(|kept| kept.begin.segment < self.at.segment) else { return Ok(None) };
            self.spool.set_durable(kept.begin.segment, kept.unpack(&self.spool.path(kept.begin.segment))?);
            Ok(Some(kept.begin))
        });
        match unpacked {
            Ok(begin) => Ok(begin.and_then(|begin| match begin.resume(&self.spool.segments(), None, told) {
                Resumption::At(at) => Some(at),
                Resumption::Anew { .. } => None,
            })),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
            Err(error) => {
                warn!(%error, "what was kept of the delivered log cannot be read");
                Ok(None)
            }
        }
    }

    /// What is to be sent next, if there is anything. It is the same until the primary is heard.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn next_piece(&mut self) -> io::Result<Option<Packed>> {
        let segments = self.go_ahead()?;
        self.save()?;
        self.delete_delivered();
        let at = self.at;
        let Some(durable) = segments.get(&at.segment).copied().filter(|durable| *durable > at.position) else {
            return Ok(None);
        };
        let begin = if self.is_aligned { at.position } else { self.record_begin(durable)? };
        let (records, behind) = self.records(begin, durable, PIECE_BYTES)?;
        let Piece { text, damaged } = Piece::of_records(&records, behind);
        if damaged > 0 {
            error!(
                segment = at.segment,
                position = begin,
                bytes = damaged,
                "a segment of the spool is damaged: what was in these bytes is lost"
            );
        }
        // A stream that was begun within a segment may have begun within a record.
        let (offset, text) = match at.offset_of(begin) {
            Some(offset) => (offset, text.as_slice()),
            None => (0, text.get(usize::try_from(at.position - at.offset - begin).unwrap_or(0)..).unwrap_or_default()),
        };
        self.expected = Some((Told::Length(offset + to_u64(text.len())), damaged));
        let bytes = zstd::encode_all(text, PACK_LEVEL)?;
        Ok(Some(Packed { stream: at.stream, offset, bytes }))
    }

    /// What waits.
    pub fn depth(&self) -> Depth {
        let segments = self.spool.segments();
        let at = ahead(self.at, &segments);
        let bytes = at.waiting(&segments);
        let oldest = || {
            let durable = segments.get(&at.segment)?;
            let path = self.spool.path(at.segment);
            let mut begin = vec![0; MAX_RECORD_BYTES.min(usize::try_from(durable.checked_sub(at.position)?).ok()?)];
            let filled = read_full_at(&File::open(path).ok()?, &mut begin, at.position).ok()?;
            intact_lines(begin.get(..filled)?).find_map(|line| parse(line).ok()).map(|line| line.ts)
        };
        Depth { bytes, oldest: if bytes > 0 { oldest() } else { None } }
    }

    pub fn delivered(&self) -> Delivered {
        self.delivered
    }

    /// Why nothing can be taken in at present.
    pub fn hindrance(&self) -> Option<String> {
        self.spool.hindrance("the primary has some of it")
    }

    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Saves how far it has got, so that less has to be asked again.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn close(&mut self) -> io::Result<()> {
        self.place.write(self.at)
    }

    /// Goes on to the first segment that is not delivered, and gives all there are.
    fn go_ahead(&mut self) -> io::Result<Segments> {
        loop {
            let segments = self.spool.segments();
            let Some(next) = self.at.next_segment(&segments) else { return Ok(segments) };
            let path = self.spool.path(self.at.segment);
            if let Some(begin) = self.at.begin_of_segment().filter(|begin| segments.contains_key(&begin.segment)) {
                self.sent.keep(&path, begin);
            }
            // After one that was brought back come its successors.
            match self.sent.following(self.at)?.filter(|kept| kept.begin.segment < next.segment) {
                Some(kept) => {
                    let bytes = kept.unpack(&self.spool.path(kept.begin.segment))?;
                    self.spool.set_durable(kept.begin.segment, bytes);
                    (self.at, self.is_aligned) = (kept.begin, true);
                }
                None => (self.at, self.is_aligned) = (next, true),
            }
        }
    }

    /// Saves what must not be forgotten, and now and then the rest.
    fn save(&mut self) -> io::Result<()> {
        let constant = |at: Anchor| (at.stream, at.segment, at.position.wrapping_sub(at.offset));
        let is_new = self.place.saved.map(constant) != Some(constant(self.at));
        let is_old = self.place.saved != Some(self.at) && self.place.saved_at.elapsed() >= SAVED_WITHIN;
        if is_new || is_old { self.place.write(self.at) } else { Ok(()) }
    }

    fn delete_delivered(&self) {
        self.spool.delete_before(self.at.segment, |_| Ok(()));
    }

    /// Where the record begins that the anchor is in.
    fn record_begin(&mut self, durable: u64) -> io::Result<u64> {
        let mut begin = to_u64(HEADER.len());
        loop {
            let (records, behind) = self.records(begin, durable, PIECE_BYTES)?;
            let place = usize::try_from(self.at.position.saturating_sub(begin)).unwrap_or(usize::MAX);
            let whole = to_u64(whole_until(&records, behind, place));
            if whole == 0 {
                return Ok(begin);
            }
            begin += whole;
        }
    }

    /// Durable bytes of the anchor's segment. Those that the file does not have, although it had them, are zeros, which
    /// is no record.
    fn records(&mut self, begin: u64, durable: u64, most: usize) -> io::Result<(Vec<u8>, Behind)> {
        let segment = self.at.segment;
        if self.open.as_ref().is_none_or(|(number, _)| *number != segment) {
            self.open = Some((segment, File::open(self.spool.path(segment))?));
        }
        let length = usize::try_from(durable.saturating_sub(begin)).unwrap_or(usize::MAX).min(most);
        let mut records = vec![0; length];
        if let Some((_, file)) = &self.open {
            read_full_at(file, &mut records, begin)?;
        }
        let behind = if begin + to_u64(length) < durable { Behind::More } else { Behind::Nothing };
        Ok((records, behind))
    }
}

/// Whether a stream was begun by a clock that was far ahead: a primary does not take such a number before its time.
fn is_impossible(at: Anchor, now_ms: u64) -> bool {
    at.offset == 0 && at.stream > now_ms.saturating_add(DAY_MS.unsigned_abs())
}

/// From where a primary has lost a stream that it knows.
fn lost_from(told: Told) -> Option<u64> {
    if let Told::Length(length @ 1..) = told { Some(length) } else { None }
}

/// The anchor, or the beginning of the first segment that is not delivered.
fn ahead(mut at: Anchor, segments: &Segments) -> Anchor {
    while let Some(next) = at.next_segment(segments) {
        at = next;
    }
    at
}

/// The saved anchor.
struct Place {
    file: File,
    writing: u64,
    saved: Option<Anchor>,
    saved_at: Instant,
}

impl Place {
    fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join(PLACE);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        File::open(folder)?.sync_all()?;
        let (mut slots, mut is_blank) = (Vec::new(), true);
        for slot in SLOTS {
            let mut bytes = [0; SLOT_BYTES];
            read_full_at(&file, &mut bytes, slot)?;
            is_blank &= bytes.iter().all(|byte| *byte == 0);
            slots.extend(decode_slot(&bytes));
        }
        let newest = slots.into_iter().max_by_key(|(writing, _)| *writing);
        if newest.is_none() && !is_blank {
            let what =
                format!("{} is damaged: delete it, and all in its folder is sent as a new stream", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let writing = newest.map_or(0, |(writing, _)| writing);
        Ok(Self { file, writing, saved: newest.map(|(_, at)| at), saved_at: Instant::now() })
    }

    fn write(&mut self, at: Anchor) -> io::Result<()> {
        if self.saved.is_none() {
            // Both slots get their room on the disk while there is some.
            self.file.write_all_at(&[0; SLOT_BYTES], SLOTS[1])?;
            info!(stream = at.stream, "a stream of this host's log begins");
        }
        let writing = self.writing + 1;
        let slot = if writing.is_multiple_of(2) { SLOTS[1] } else { SLOTS[0] };
        self.file.write_all_at(&encode_slot(writing, at), slot)?;
        self.file.sync_data()?;
        (self.writing, self.saved, self.saved_at) = (writing, Some(at), Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
