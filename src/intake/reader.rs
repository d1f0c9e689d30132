//! Lines out of an open file, into a batch.

use std::io;

use tracing::info;

use super::file::{LogFile, read_full_at};
use crate::core::log_line::{self, Detection, Format, MAX_LINE_BYTES, Reject};
use crate::traffic::{Batch, QUARANTINE_HEAD_BYTES, Quarantined};

/// How many bytes are read at once: many lines, and always more than the longest.
const CHUNK_BYTES: usize = 1 << 20;

/// What one read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    /// Lines, or a part of an over-long one; there may be more.
    Progress,
    /// Nothing complete to read at present.
    AtEnd,
    /// The file was truncated or overwritten since it was last read; nothing was taken.
    Replaced,
}

/// A buffer that the reads of one source use in turn, and what they have shown of its lines.
pub(super) struct Reader {
    buffer: Vec<u8>,
    detection: Detection,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; CHUNK_BYTES], detection: Detection::default() }
    }

    /// The format that the source's lines have, `None` before the first that could be parsed.
    pub(super) fn format(&self) -> Option<Format> {
        self.detection.format()
    }

    /// Takes the complete lines of one chunk, starting at the file's position, until the batch has `max_lines`.
    pub(super) fn read_lines(
        &mut self,
        log: &mut LogFile,
        batch: &mut Batch,
        max_lines: usize,
    ) -> io::Result<ReadOutcome> {
        if let Some(scan_from) = log.scan_from {
            return self.end_overlong_line(log, scan_from, batch);
        }
        if !log.extend_head()? {
            return Ok(ReadOutcome::Replaced);
        }
        let length = read_full_at(&log.file, &mut self.buffer, log.position.read_offset)?;
        if !log.is_intact()? {
            return Ok(ReadOutcome::Replaced);
        }
        let chunk = self.buffer.get(..length).unwrap_or_default();
        let taken = memchr::memrchr(b'\n', chunk).map_or(0, |newline| newline + 1);
        take_lines(log, chunk.get(..taken).unwrap_or_default(), batch, max_lines, &mut self.detection);
        if batch.is_full(max_lines) {
            return Ok(ReadOutcome::Progress);
        }
        if length - taken > MAX_LINE_BYTES {
            log.scan_from = Some(log.position.read_offset + to_u64(length - taken));
        } else if taken == 0 {
            return Ok(ReadOutcome::AtEnd);
        }
        Ok(ReadOutcome::Progress)
    }

    /// Looks for the newline that ends an over-long line. The position stays at its start until it is found, so that
    /// a restart in the middle does not take the rest for a line.
    fn end_overlong_line(&mut self, log: &mut LogFile, from: u64, batch: &mut Batch) -> io::Result<ReadOutcome> {
        let length = read_full_at(&log.file, &mut self.buffer, from)?;
        let head = line_head(log)?;
        if !log.is_intact()? {
            return Ok(ReadOutcome::Replaced);
        }
        let chunk = self.buffer.get(..length).unwrap_or_default();
        let Some(newline) = memchr::memchr(b'\n', chunk) else {
            log.scan_from = Some(from + to_u64(length));
            return Ok(if length == 0 { ReadOutcome::AtEnd } else { ReadOutcome::Progress });
        };
        let end = from + to_u64(newline);
        quarantine_up_to(log, end, Reject::Overlong, head, batch);
        log.position.read_offset = end + 1;
        batch.set_position(log.position.clone());
        Ok(ReadOutcome::Progress)
    }

    /// Takes what is left in a file that will not grow: a last line without its end. `false` if it has grown after
    /// all, by a line's end.
    pub(super) fn take_unterminated(&mut self, log: &mut LogFile, batch: &mut Batch) -> io::Result<bool> {
        let from = log.scan_from.unwrap_or(log.position.read_offset);
        let length = read_full_at(&log.file, &mut self.buffer, from)?;
        let rest = self.buffer.get(..length).unwrap_or_default();
        if length == CHUNK_BYTES || memchr::memchr(b'\n', rest).is_some() {
            return Ok(false);
        }
        let end = from + to_u64(length);
        let head = line_head(log)?;
        if end > log.position.read_offset && log.is_intact()? {
            quarantine_up_to(log, end, Reject::Unterminated, head, batch);
        }
        Ok(true)
    }
}

/// The first bytes of the line at the file's position.
fn line_head(log: &LogFile) -> io::Result<Vec<u8>> {
    let mut head = vec![0; QUARANTINE_HEAD_BYTES];
    let filled = read_full_at(&log.file, &mut head, log.position.read_offset)?;
    head.truncate(filled);
    Ok(head)
}

/// Quarantines everything from the file's position to `end`, and moves the position there.
fn quarantine_up_to(log: &mut LogFile, end: u64, reason: Reject, head: Vec<u8>, batch: &mut Batch) {
    batch.quarantine(Quarantined {
        source: log.position.source.clone(),
        inode: log.position.inode,
        line_offset: log.position.read_offset,
        line_bytes: end - log.position.read_offset,
        reason,
        head,
    });
    log.scan_from = None;
    log.position.read_offset = end;
    batch.set_position(log.position.clone());
}

/// Parses whole lines that begin at the file's position, and moves it behind them.
fn take_lines(log: &mut LogFile, lines: &[u8], batch: &mut Batch, max_lines: usize, detection: &mut Detection) {
    let mut start = 0;
    for newline in memchr::memchr_iter(b'\n', lines) {
        let line = lines.get(start..newline).unwrap_or_default();
        let place = Place {
            source: &log.position.source,
            inode: log.position.inode,
            offset: log.position.read_offset + to_u64(start),
            gateway: None,
        };
        take_line(line, &place, batch, detection);
        start = newline + 1;
        // Exactly full, because the store writes whole row groups several times faster than odd ones.
        if batch.is_full(max_lines) {
            break;
        }
    }
    if start > 0 {
        log.position.read_offset += to_u64(start);
        batch.set_position(log.position.clone());
    }
}

/// Where a line was found.
pub(super) struct Place<'a> {
    pub(super) source: &'a str,
    /// The file's number, or what stands for it.
    pub(super) inode: u64,
    pub(super) offset: u64,
    /// The one gateway whose lines may be there; `None` if any may.
    pub(super) gateway: Option<u8>,
}

/// Parses one line, given without its end, into a row or into quarantine, and notes what it shows of its source.
pub(super) fn take_line(line: &[u8], place: &Place<'_>, batch: &mut Batch, detection: &mut Detection) {
    let reason = match log_line::parse_any(line) {
        Ok((_, request)) if !may_be_of(request.gateway, place.gateway) => Reject::OtherGateway,
        Ok((format, mut request)) => {
            // A format that has no column for it does not say whose line it is, and whoever sent it does.
            request.gateway = place.gateway.unwrap_or(request.gateway);
            batch.push(&request);
            if let Some(format) = detection.note(format) {
                info!(source = place.source, %format, "format of source detected");
            }
            return;
        }
        // HAProxy's own words about starting and stopping are no requests, and nothing is wrong with them.
        Err(Reject::Notice) => return,
        Err(reason) => reason,
    };
    batch.quarantine(Quarantined {
        source: place.source.to_owned(),
        inode: place.inode,
        line_offset: place.offset,
        line_bytes: to_u64(line.len()),
        reason,
        head: line.iter().copied().take(QUARANTINE_HEAD_BYTES).collect(),
    });
}

/// Whether a line that says `said` (0 for nothing) may come from a place where only `owner` writes.
fn may_be_of(said: u8, owner: Option<u8>) -> bool {
    owner.is_none_or(|owner| said == 0 || said == owner)
}

pub(super) fn to_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
