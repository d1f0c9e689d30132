//! One log followed through rotation, by rename and by copy and truncate, also while the program was down.
//!
//! A file is known by device, inode and its first bytes. Each known file has a position:
//!
//! ```text
//!          appears as the log                renamed away                 at its end for the grace time
//! (new) ───────────────────────▶ current ─────────────────▶ retired ──────────────────────────────────▶ finished
//!            read from byte 0       │                          ▲   ▲                                        │
//!                                   │ truncated                │   └────────── has grown after all ─────────┘
//!                                   ▼                          │
//!                 its copy, found by its first bytes, is read on from the old position;
//!                 the truncated file starts again at byte 0
//! ```
//!
//! What lies beside the log at the very first start is history and is noted as such before anything is read. From
//! then on an unknown file beside it is
//!
//! - a copy, perhaps one in the making, if it begins like the log: it is left alone until the log is truncated;
//! - not decided while it is empty, or while the log itself is missing, as between the two steps of a rotation;
//! - a rotated log if the log has become another file;
//! - passed over if not: somebody put it there.
//!
//! A log of less than 32 bytes cannot be told from another one, so it is not read before it has grown.
//!
//! Tools rename and copy while a folder is being listed, so what is seen only counts once two listings agree, and a
//! position is kept until its file has been missing for the grace time.
//!
//! What was written between a copy and the truncation that follows it is in neither file: that loss is the rotating
//! tool's, and its manual says so. Renaming loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::IntakeError;
use super::file::{LEAST_HEAD, LogFile, begins_like};
use super::hindrance::unreadable;
use super::listing::{Listed, list};
use super::reader::{ReadOutcome, Reader};
use crate::core::log_line::Format;
use crate::core::source::SourceState;
use crate::traffic::{Batch, FilePosition};

type Identity = (u64, u64);

/// The position in a file that is not to be read, however it grows.
const NEVER: u64 = u64::MAX;

/// Follows one log.
pub struct Follower {
    log: PathBuf,
    source: String,
    grace: Duration,
    open: Vec<Open>,
    /// Positions of all files of this log that still exist, open or not.
    known: BTreeMap<Identity, FilePosition>,
    current: Option<Identity>,
    /// Until the next scan is over, unknown files beside the log were the log for a while.
    rotated: bool,
    /// Siblings that are rotated logs unless they turn out to be copies.
    undecided: BTreeSet<Identity>,
    /// Since when a known file is missing.
    missing: BTreeMap<Identity, Instant>,
    /// Until the first scan of a log that was never followed is over.
    is_first: bool,
    state: SourceState,
    reader: Reader,
}

struct Open {
    log: LogFile,
    /// It was truncated or overwritten, which the next scan deals with.
    is_replaced: bool,
    /// Since when it is not the current log and at its end.
    idle_since: Option<Instant>,
}

impl Follower {
    /// Follows `log` from the positions that were stored for it; `None` if it was never followed, so that what lies
    /// beside it now is history. A retired file is finished when it has not grown for `grace`.
    ///
    /// # Errors
    /// [`IntakeError::NotAFile`] if the path cannot be that of a file.
    pub fn new(log: &Path, known: Option<Vec<FilePosition>>, grace: Duration) -> Result<Self, IntakeError> {
        if log.file_name().is_none() || log.parent().is_none() {
            return Err(IntakeError::NotAFile { path: log.to_owned() });
        }
        Ok(Self {
            log: log.to_owned(),
            source: log.to_string_lossy().into_owned(),
            grace,
            open: Vec::new(),
            is_first: known.is_none(),
            known: known.into_iter().flatten().map(|position| ((position.device, position.inode), position)).collect(),
            current: None,
            rotated: false,
            undecided: BTreeSet::new(),
            missing: BTreeMap::new(),
            state: SourceState::Waiting,
            reader: Reader::new(),
        })
    }

    /// The log's path.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How far it has read the files that it knows.
    pub(super) fn positions(&self) -> impl Iterator<Item = FilePosition> {
        self.known.values().chain(self.open.iter().map(|open| &open.log.position)).cloned()
    }

    /// Whether the log was never followed, so that the next scan notes what is history.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    pub fn state(&self) -> &SourceState {
        &self.state
    }

    /// The format of the log's lines, `None` before the first that could be parsed.
    pub fn format(&self) -> Option<Format> {
        self.reader.format()
    }

    /// Whether it would be well to look again at once: the log is another file than at the last scan, was truncated,
    /// or has got its first lines.
    pub fn wants_scan(&self) -> bool {
        // What cannot be read now can hardly be read a moment later.
        if matches!(self.state, SourceState::Unreadable(_)) {
            return false;
        }
        let metadata = std::fs::metadata(&self.log).ok();
        metadata.as_ref().map(|metadata| (metadata.dev(), metadata.ino())) != self.current
            || self.open.iter().any(|open| open.is_replaced || self.waits(open) && open.log.has_grown())
    }

    /// Looks which files there are, opens what is to be read and drops what is gone.
    pub fn scan(&mut self, batch: &mut Batch) {
        self.check_open(batch);
        match list(&self.log) {
            Ok(Some(listing)) => {
                self.start_over(&listing, batch);
                self.sort_out(&listing, batch);
            }
            // It is being rotated this very moment: the next look tells more.
            Ok(None) => {}
            Err(error) => self.set_state(unreadable(&self.log, &error)),
        }
    }

    /// Reads until the batch has `max_lines`, every file is at its end, or the batch is due: however much has piled up,
    /// a process that lives for a moment gets a part of it done. Tells whether there was anything.
    pub fn read(&mut self, batch: &mut Batch, max_lines: usize, due: Instant) -> bool {
        let mut any = false;
        let mut index = 0;
        while index < self.open.len() {
            if batch.is_full(max_lines) || (any && Instant::now() >= due) {
                return true;
            }
            if self.open.get(index).is_some_and(|open| self.waits(open)) {
                index += 1;
                continue;
            }
            let Some(open) = self.open.get_mut(index) else { break };
            match self.reader.read_lines(&mut open.log, batch, max_lines) {
                Ok(ReadOutcome::Progress) => {
                    open.idle_since = None;
                    any = true;
                }
                Ok(ReadOutcome::AtEnd) => index += 1,
                Ok(ReadOutcome::Replaced) => open.is_replaced = true,
                Err(error) if Some(open.log.identity()) == self.current => {
                    self.set_state(unreadable(&self.log, &error));
                    index += 1;
                }
                Err(error) => {
                    warn!(inode = open.log.identity().1, %error, "a rotated log cannot be read");
                    index += 1;
                }
            }
        }
        self.finish_retired(batch);
        any
    }

    /// Whether a file is not to be read before the next scan. The log may be filled, copied and truncated between two
    /// looks; as long as nobody has looked for the copy, no line of the new content may be counted.
    fn waits(&self, open: &Open) -> bool {
        let is_current = Some(open.log.identity()) == self.current;
        open.is_replaced || is_current && (open.log.has_filled || open.log.position.head_bytes < LEAST_HEAD)
    }

    fn sort_out(&mut self, listing: &[Listed], batch: &mut Batch) {
        for open in &self.open {
            self.known.insert(open.log.identity(), open.log.position.clone());
        }
        self.forget_vanished(listing, batch);
        let current = listing.iter().find(|file| file.is_current);
        self.current = current.map(|file| file.identity);
        self.rotated |= current.is_some_and(|file| !self.is_certainly_same(file));
        self.rotated |= self.open.iter_mut().fold(false, |any, open| any | std::mem::take(&mut open.log.has_filled));
        let mut state = SourceState::Waiting;
        // The log first: a copy that is being made of it must not be taken for a file of its own.
        for file in listing.iter().rev() {
            match (file.is_current, self.sort_out_file(file, listing, batch)) {
                (true, Ok(())) => state = SourceState::Reading,
                (false, Ok(())) => {}
                (true, Err(error)) => state = unreadable(&file.path, &error),
                (false, Err(error)) => {
                    warn!(path = %file.path.display(), %error, "a rotated log cannot be read");
                    // Once it can be, it is still a rotated log.
                    if self.rotated && !self.is_first {
                        self.undecided.insert(file.identity);
                    }
                }
            }
        }
        // As long as the log cannot be read, what lies beside it is history.
        if self.is_first && !matches!(state, SourceState::Unreadable(_)) {
            batch.begin_source(self.source.clone());
            self.is_first = false;
        }
        self.rotated = false;
        self.set_state(state);
    }

    fn is_open(&self, file: &Listed) -> bool {
        self.open.iter().any(|open| open.log.identity() == file.identity)
    }

    /// Whether the file is open, or known and still begins as it did. When in doubt it is.
    fn is_same(&self, file: &Listed) -> bool {
        self.is_open(file)
            || self.known.get(&file.identity).is_some_and(|position| begins_like(file, position).unwrap_or(true))
    }

    /// The same, where doubt counts as no: of a file that was all but empty when last seen, nobody can tell.
    fn is_certainly_same(&self, file: &Listed) -> bool {
        let is_known_well = |position: &FilePosition| position.head_bytes >= LEAST_HEAD;
        self.is_open(file) || self.is_same(file) && self.known.get(&file.identity).is_some_and(is_known_well)
    }

    fn sort_out_file(&mut self, file: &Listed, listing: &[Listed], batch: &mut Batch) -> io::Result<()> {
        if self.is_open(file) {
            return Ok(());
        }
        if let Some(position) = self.known.get(&file.identity).cloned() {
            if position.read_offset == NEVER && begins_like(file, &position)? {
                return Ok(());
            }
            let Some(mut log) = LogFile::open_known(file, &position)? else { return Ok(()) };
            if log.is_intact()? {
                // Of a file that was all but empty, only the inode is known, and that may be another file's by now.
                let may_be_copy = !file.is_current && position.head_bytes < LEAST_HEAD && self.is_copy(file)?;
                if !may_be_copy && (file.is_current || file.len > position.read_offset) {
                    log.extend_head()?;
                    if log.position.read_offset < position.read_offset {
                        batch.set_position(log.position.clone());
                    }
                    self.push(log);
                }
                return Ok(());
            }
            // It was truncated, or it is another file with the same inode.
            self.read_on_in_copy(&position, listing, batch)?;
            self.known.remove(&file.identity);
            batch.forget(position);
        }
        self.sort_out_unknown(file, batch)
    }

    fn sort_out_unknown(&mut self, file: &Listed, batch: &mut Batch) -> io::Result<()> {
        if !file.is_current {
            if self.is_first {
                // A copy in the making is found again when the log is truncated.
                return if self.is_copy(file)? { Ok(()) } else { self.pass_over(file, file.len, batch) };
            }
            let is_rotated = self.rotated || self.undecided.contains(&file.identity);
            if file.len == 0 || self.current.is_none() || self.is_copy(file)? {
                if is_rotated {
                    self.undecided.insert(file.identity);
                }
                return Ok(());
            }
            if !is_rotated {
                return self.pass_over(file, NEVER, batch);
            }
            self.undecided.remove(&file.identity);
        }
        let counted = if file.is_current { self.take_over(file, batch)? } else { (0, 0) };
        if let Some(log) = LogFile::open_new(file, &self.source, counted)? {
            info!(path = %file.path.display(), inode = file.identity.1, offset = counted.1, "reading a log");
            batch.set_position(log.position.clone());
            self.push(log);
        }
        Ok(())
    }

    /// Where to read on in a log that is one that has vanished, with another device or inode: it was copied and put
    /// back, or the system numbers its disks in another way since its start. From 0 in any other.
    fn take_over(&mut self, file: &Listed, batch: &mut Batch) -> io::Result<(u64, u64)> {
        let vanished: Vec<_> = self.missing.keys().filter_map(|identity| self.known.get(identity).cloned()).collect();
        for position in vanished {
            if position.read_offset != NEVER && is_copy_of(file, &position)? {
                self.known.remove(&(position.device, position.inode));
                let counted = (position.counted_from, position.read_offset.min(file.len));
                batch.forget(position);
                return Ok(counted);
            }
        }
        Ok((0, 0))
    }

    /// Notes a sibling that was never the log while it was followed, so that no later rotation makes it seem so. What
    /// lies there at the first start may grow beyond `offset`, what is put there later may not.
    fn pass_over(&mut self, file: &Listed, offset: u64, batch: &mut Batch) -> io::Result<()> {
        if let Some(log) = LogFile::open_new(file, &self.source, (offset, offset))? {
            info!(path = %file.path.display(), "a file beside the log was not the log while it was followed: passed over");
            batch.set_position(log.position.clone());
            self.known.insert(file.identity, log.position);
        }
        Ok(())
    }

    fn push(&mut self, log: LogFile) {
        self.known.insert(log.identity(), log.position.clone());
        self.open.push(Open { log, is_replaced: false, idle_since: None });
    }

    /// Looks which open files were truncated or overwritten; of the others, more is known of how they begin.
    fn check_open(&mut self, batch: &mut Batch) {
        for open in &mut self.open {
            let offset = open.log.position.read_offset;
            match open.log.is_intact().and_then(|is_intact| Ok(is_intact && open.log.extend_head()?)) {
                Ok(is_same) => open.is_replaced |= !is_same,
                Err(error) => warn!(inode = open.log.identity().1, %error, "a log cannot be looked at"),
            }
            if open.log.position.read_offset < offset {
                batch.set_position(open.log.position.clone());
            }
        }
    }

    /// What was not read of a truncated file is in its copy, and it starts again. Both positions are noted at once.
    fn start_over(&mut self, listing: &[Listed], batch: &mut Batch) {
        for index in 0..self.open.len() {
            let replaced = self.open.get(index).filter(|open| open.is_replaced);
            let Some(position) = replaced.map(|open| open.log.position.clone()) else { continue };
            self.rotated = true;
            match self.read_on_in_copy(&position, listing, batch) {
                Ok(true) => {}
                Ok(false) => warn!(path = %self.log.display(), offset = position.read_offset,
                    "a log was truncated and no copy of it was found: lines behind this offset are lost, if there were any"),
                Err(error) => warn!(path = %self.log.display(), %error, "cannot look for the copy of a truncated log"),
            }
            let Some(open) = self.open.get_mut(index) else { return };
            open.log.restart();
            (open.is_replaced, open.idle_since) = (false, None);
            self.known.insert(open.log.identity(), open.log.position.clone());
            // What was counted is remembered, should a packed copy of it be imported.
            batch.forget(position);
            batch.set_position(open.log.position.clone());
        }
    }

    /// Opens the newest copy of a file that is no longer what it was, where reading had stopped, if there is one.
    /// Other copies of it hold nothing new.
    fn read_on_in_copy(&mut self, old: &FilePosition, listing: &[Listed], batch: &mut Batch) -> io::Result<bool> {
        let mut found = false;
        for file in listing.iter().rev().filter(|file| !file.is_current) {
            let is_copy = is_copy_of(file, old).unwrap_or_else(|error| {
                warn!(path = %file.path.display(), %error, "cannot tell whether this is a copy of the log");
                false
            });
            if file.identity == (old.device, old.inode) || !is_copy || self.is_certainly_same(file) {
                continue;
            }
            let offset = if found { file.len } else { old.read_offset.min(file.len) };
            if let Some(log) = LogFile::open_new(file, &self.source, (old.counted_from, offset))? {
                info!(path = %file.path.display(), inode = file.identity.1, offset,
                    "reading on in the copy of a truncated log");
                found |= file.len >= old.read_offset;
                batch.set_position(log.position.clone());
                self.push(log);
            }
        }
        Ok(found)
    }

    /// Whether a sibling begins like a file that is read, or was.
    fn is_copy(&self, file: &Listed) -> io::Result<bool> {
        for open in &self.open {
            if open.log.begins_like(file)? {
                return Ok(true);
            }
        }
        for position in self.known.values().filter(|position| (position.device, position.inode) != file.identity) {
            if is_copy_of(file, position)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn finish_retired(&mut self, batch: &mut Batch) {
        for open in self.open.iter_mut().filter(|open| Some(open.log.identity()) != self.current) {
            let idle_since = *open.idle_since.get_or_insert_with(Instant::now);
            if idle_since.elapsed() >= self.grace {
                let identity = open.log.identity();
                match self.reader.take_unterminated(&mut open.log, batch) {
                    Ok(false) => {
                        open.idle_since = None;
                        continue;
                    }
                    Ok(true) => {
                        info!(inode = identity.1, offset = open.log.position.read_offset, "finished a rotated log")
                    }
                    Err(error) => warn!(inode = identity.1, %error, "cannot read the end of a rotated log"),
                }
                self.known.insert(identity, open.log.position.clone());
            }
        }
        let (current, grace) = (self.current, self.grace);
        self.open.retain(|open| {
            Some(open.log.identity()) == current || open.idle_since.is_none_or(|since| since.elapsed() < grace)
        });
    }

    /// Positions of files that no longer exist are of no use, unless a copy was made before they were deleted.
    fn forget_vanished(&mut self, listing: &[Listed], batch: &mut Batch) {
        let exists = |identity: &Identity| {
            listing.iter().any(|file| file.identity == *identity)
                || self.open.iter().any(|open| open.log.identity() == *identity)
        };
        let missing: Vec<_> = self.known.keys().copied().filter(|identity| !exists(identity)).collect();
        self.missing.retain(|identity, _| missing.contains(identity));
        self.undecided.retain(exists);
        for identity in missing {
            if self.missing.entry(identity).or_insert_with(Instant::now).elapsed() >= self.grace {
                self.forget(identity, listing, batch);
            }
        }
    }

    fn forget(&mut self, identity: Identity, listing: &[Listed], batch: &mut Batch) {
        self.missing.remove(&identity);
        let Some(position) = self.known.remove(&identity) else { return };
        if let Err(error) = self.read_on_in_copy(&position, listing, batch) {
            warn!(path = %self.log.display(), %error, "cannot look for the copy of a deleted log");
        }
        batch.forget(position);
    }

    fn set_state(&mut self, state: SourceState) {
        if state == self.state {
            return;
        }
        match &state {
            SourceState::Waiting => warn!(path = %self.log.display(), "the log does not exist; waiting for it"),
            SourceState::Reading => info!(path = %self.log.display(), "following the log"),
            SourceState::Unreadable(reason) => error!(path = %self.log.display(), %reason, "the log cannot be read"),
        }
        self.state = state;
    }
}

fn is_copy_of(file: &Listed, position: &FilePosition) -> io::Result<bool> {
    Ok(position.head_bytes >= LEAST_HEAD && begins_like(file, position)?)
}
