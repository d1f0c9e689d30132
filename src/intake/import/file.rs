//! One file while it is imported.
//!
//! It is known by how its unpacked content begins, so it is the same file packed or not, and whatever its name. A file
//! that was imported in part is read again up to there, and the hash of what is read has to be the one that was noted.
//!
//! A packed file is unpacked to its end before anything of it is counted: only there it tells whether it is damaged, and
//! what a damaged one unpacks to may look like lines.

use std::fs;
use std::hash::Hasher;
use std::io;
use std::path::Path;

use twox_hash::XxHash3_64;

use super::unpack::Unpacked;
use crate::core::import_plan::{Known, Plan};
use crate::core::log_line::{Detection, MAX_LINE_BYTES, Reject};
use crate::intake::file::{HEAD_BYTES, LEAST_HEAD, hash};
use crate::intake::reader::{Place, take_line, to_u64};
use crate::traffic::{Batch, FilePosition, ImportPosition, QUARANTINE_HEAD_BYTES, Quarantined, Traffic, TrafficError};

/// Content that is unpacked at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Why a file is not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    #[error("it begins like {name}, which was imported, but goes on in another way: one of the two is damaged")]
    Differs { name: String },
    #[error(
        "it begins like a file of the log {source_log}, which is followed and does not have that file any more, so \
        what was not counted of it may be read there or not: put it into the folder again when the log is at its place, \
        or is followed no longer"
    )]
    Undecided { source_log: String },
}

pub(super) struct ImportFile {
    /// A second look at a packed file, which goes first.
    check: Option<Unpacked>,
    content: Unpacked,
    file_bytes: u64,
    /// The one gateway whose lines may be in it, if it was kept of what one has sent.
    gateway: Option<u8>,
    plan: Plan,
    position: ImportPosition,
    detection: Detection,
    /// What was imported of it before.
    before: Option<ImportPosition>,
    /// Files of logs that it was, of which this import goes on.
    abandoned: Vec<FilePosition>,
    hash: XxHash3_64,
    buffer: Vec<u8>,
    /// For what is only checked.
    scratch: Vec<u8>,
    /// The bytes in the buffer that are not yet dealt with.
    from: usize,
    to: usize,
    is_at_end: bool,
    /// Where a line began that is longer than any may be.
    overlong: Option<(u64, Vec<u8>)>,
    new_lines: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    More,
    End,
}

impl ImportFile {
    /// Opens a file and finds out what is known of it, by the store or by what is `noted` since. `is_there` tells whether a followed file still is; where it is not,
    /// its position goes on with the import, in case it comes back.
    pub(super) fn open(
        path: &Path,
        gateway: Option<u8>,
        traffic: &Traffic,
        noted: &[ImportPosition],
        is_there: impl Fn(&FilePosition) -> Option<bool>,
    ) -> Result<Self, Failure> {
        let mut content = Unpacked::open(path)?;
        let check = if content.is_packed() { Some(Unpacked::open(path)?) } else { None };
        let mut buffer = vec![0; CHUNK_BYTES];
        let to = content.read_full(&mut buffer)?;
        let bytes = buffer.get(..to).unwrap_or_default();
        let begins_so = |head_bytes: u32, head_hash: u64| {
            let head = usize::try_from(head_bytes).ok().and_then(|length| bytes.get(..length));
            head_bytes >= LEAST_HEAD && head.is_some_and(|head| hash(head) == head_hash)
        };
        let imports = traffic.imports()?;
        let before = imports
            .into_iter()
            .chain(noted.iter().cloned())
            .filter(|import| begins_so(import.head_bytes, import.head_hash));
        let before = before.max_by_key(|import| import.read_offset);
        let (mut known, mut abandoned) = (Vec::new(), Vec::new());
        for file in traffic.followed_files()? {
            let position = file.position;
            if begins_so(position.head_bytes, position.head_hash) {
                let undecided = || Failure::Undecided { source_log: position.source.clone() };
                let is_followed = !file.is_gone && is_there(&position).ok_or_else(undecided)?;
                let (counted_from, read_offset) = (position.counted_from, position.read_offset);
                known.push(Known { counted_from, read_offset, is_followed });
                if !file.is_gone && !is_followed {
                    abandoned.push(position);
                }
            }
        }
        let head_bytes = u32::try_from(to).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
        let head = bytes.get(..usize::try_from(head_bytes).unwrap_or(0)).unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (head_bytes, head_hash, lines) = before
            .as_ref()
            .map_or((head_bytes, hash(head), 0), |before| (before.head_bytes, before.head_hash, before.lines));
        Ok(Self {
            check,
            content,
            file_bytes: fs::metadata(path)?.len(),
            gateway,
            plan: Plan::of(&known),
            position: ImportPosition { head_bytes, head_hash, read_offset: 0, content_hash: 0, name, lines },
            detection: Detection::default(),
            before,
            abandoned,
            hash: XxHash3_64::new(),
            buffer,
            scratch: vec![0; CHUNK_BYTES],
            from: 0,
            to,
            is_at_end: to == 0,
            overlong: None,
            new_lines: 0,
        })
    }

    /// The logs that it was, and that are gone.
    pub(super) fn abandoned(&self) -> impl Iterator<Item = &str> {
        self.abandoned.iter().map(|position| position.source.as_str())
    }

    /// Bytes that were read, and all that there are to read: twice the file if it has to be checked first.
    pub(super) fn progress(&self) -> (u64, u64) {
        match &self.check {
            Some(check) => (check.packed(), 2 * self.file_bytes),
            None if self.content.is_packed() => (self.file_bytes + self.content.packed(), 2 * self.file_bytes),
            None => (self.content.packed(), self.file_bytes),
        }
    }

    /// How far it was read.
    pub(super) fn position(&self) -> ImportPosition {
        ImportPosition { content_hash: self.hash.finish(), ..self.position.clone() }
    }

    /// Lines that were counted now, and before.
    pub(super) fn lines(&self) -> (u64, u64) {
        (self.new_lines, self.position.lines.saturating_sub(self.new_lines))
    }

    /// Whether something of it was counted when it was followed, or will be.
    pub(super) fn was_counted(&self) -> bool {
        self.plan.skip_from < self.plan.skip_to || self.plan.end < u64::MAX
    }

    /// Takes the lines of a chunk, until the batch has `max_lines`.
    pub(super) fn step(&mut self, batch: &mut Batch, max_lines: usize) -> Result<Step, Failure> {
        if let Some(check) = &mut self.check {
            if check.read_full(&mut self.scratch)? == 0 {
                self.check = None;
                self.scratch = Vec::new();
            }
            return Ok(Step::More);
        }
        self.pass_over_what_was_imported()?;
        if self.before.is_none() {
            self.take_lines(batch, max_lines);
            if batch.is_full(max_lines) {
                return Ok(Step::More);
            }
        }
        if !self.is_at_end && self.position.read_offset < self.plan.end {
            self.fill()?;
            return Ok(Step::More);
        }
        if self.before.is_some() {
            // It ends before the place that an earlier import got to: what there is of it was counted.
            return Ok(Step::End);
        }
        self.end(batch);
        Ok(Step::End)
    }

    /// Goes on to where an earlier import has got to, as far as the buffer goes.
    fn pass_over_what_was_imported(&mut self) -> Result<(), Failure> {
        let Some(before) = &self.before else { return Ok(()) };
        let left = before.read_offset - self.position.read_offset;
        let (expected, name) = (before.content_hash, before.name.clone());
        let room = self.to - self.from;
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(room);
        self.advance(bytes);
        if to_u64(bytes) == left {
            if self.hash.finish() != expected {
                return Err(Failure::Differs { name });
            }
            self.before = None;
        }
        Ok(())
    }

    fn take_lines(&mut self, batch: &mut Batch, max_lines: usize) {
        let begun = (self.position.read_offset, batch.lines());
        while !batch.is_full(max_lines) {
            let rest = self.buffer.get(self.from..self.to).unwrap_or_default();
            let Some(newline) = memchr::memchr(b'\n', rest) else { break };
            let (offset, line) = (self.position.read_offset, rest.get(..newline).unwrap_or_default());
            // The rest is for whoever follows the file, and must not be noted as dealt with.
            if offset >= self.plan.end {
                break;
            }
            if let Some((begin, head)) = self.overlong.take() {
                self.quarantine(batch, begin, offset + to_u64(newline), Reject::Overlong, head);
            } else if self.plan.counts(offset) {
                let place = Place { source: &self.position.name, inode: 0, offset, gateway: self.gateway };
                take_line(line, &place, batch, &mut self.detection);
            }
            self.advance(newline + 1);
        }
        self.note(batch, begun);
    }

    /// Makes room behind what is left of the buffer, and fills it. A line that fills the whole buffer is over-long.
    fn fill(&mut self) -> Result<(), Failure> {
        if self.to - self.from > MAX_LINE_BYTES {
            let rest = self.buffer.get(self.from..self.to).unwrap_or_default();
            let head = rest.iter().copied().take(QUARANTINE_HEAD_BYTES).collect();
            self.overlong.get_or_insert((self.position.read_offset, head));
            self.advance(self.to - self.from);
        }
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let room = self.buffer.get_mut(self.to..).unwrap_or_default();
        let wanted = room.len();
        let read = self.content.read_full(room)?;
        self.to += read;
        // Only an empty read is the end: a short one may be what came before a damaged part.
        self.is_at_end = read == 0 && wanted > 0;
        Ok(())
    }

    /// A last line without its end is no line.
    fn end(&mut self, batch: &mut Batch) {
        let begun = (self.position.read_offset, batch.lines());
        let (offset, rest) = (self.position.read_offset, self.to - self.from);
        let head = self.buffer.get(self.from..self.to).unwrap_or_default();
        let head = head.iter().copied().take(QUARANTINE_HEAD_BYTES).collect();
        match self.overlong.take() {
            Some((begin, head)) => self.quarantine(batch, begin, offset + to_u64(rest), Reject::Unterminated, head),
            None if rest > 0 => self.quarantine(batch, offset, offset + to_u64(rest), Reject::Unterminated, head),
            None => {}
        }
        if self.position.read_offset < self.plan.end {
            self.advance(rest);
        }
        self.note(batch, begun);
    }

    fn quarantine(&self, batch: &mut Batch, begin: u64, end: u64, reason: Reject, head: Vec<u8>) {
        if self.plan.counts(begin) {
            let source = self.position.name.clone();
            batch.quarantine(Quarantined {
                source,
                inode: 0,
                line_offset: begin,
                line_bytes: end - begin,
                reason,
                head,
            });
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.hash.write(self.buffer.get(self.from..self.from + bytes).unwrap_or_default());
        self.from += bytes;
        self.position.read_offset += to_u64(bytes);
    }

    /// Notes in the batch how far it is; within an over-long line, that is its beginning.
    fn note(&mut self, batch: &mut Batch, (offset, lines): (u64, usize)) {
        let counted = to_u64(batch.lines() - lines);
        self.new_lines += counted;
        self.position.lines += counted;
        if self.position.read_offset > offset && self.overlong.is_none() {
            self.position.content_hash = self.hash.finish();
            batch.set_import(self.position.clone());
            let read = self.position.read_offset;
            for followed in self.abandoned.iter_mut().filter(|followed| followed.read_offset < read) {
                followed.read_offset = read;
                batch.set_position(followed.clone());
            }
        }
    }
}
