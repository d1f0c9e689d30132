//! The writing end: what is pushed is durable after the next flush.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use tracing::warn;

use super::{SEGMENT_BYTES, Spool, State, segment_number};
use crate::core::spool_record::{HEADER, intact_end};
use crate::traffic::SpoolPosition;

/// Writes the segments of one spool. There is one per spool.
pub struct Journal {
    spool: Arc<Spool>,
    current: Option<Segment>,
    next: u64,
    segment_bytes: u64,
    pending: Vec<u8>,
}

struct Segment {
    number: u64,
    file: File,
    durable: u64,
}

impl Journal {
    /// Opens the spool in `folder`, made if need be, and cuts what a crash has torn. `counted` is how far the store
    /// has read it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(name: &str, folder: &Path, max_bytes: u64, counted: Option<SpoolPosition>) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut state = State::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(number) = segment_number(&entry.path()) {
                state.segments.insert(number, entry.metadata()?.len());
            }
        }
        let spool = Spool {
            name: name.to_owned(),
            folder: folder.to_owned(),
            max_bytes,
            state: Mutex::new(state),
            freed: Condvar::new(),
        };
        let last = spool.lock().segments.last_key_value().map(|(number, _)| *number);
        if let Some(last) = last {
            cut_torn(&spool, last)?;
        }
        // Numbers of counted segments are not used again, even if all files are gone.
        let kept = super::kept::last_number(folder)?;
        let next = last.max(counted.map(|position| position.segment)).max(kept).map_or(1, |number| number + 1);
        Ok(Self { spool: Arc::new(spool), current: None, next, segment_bytes: SEGMENT_BYTES, pending: Vec::new() })
    }

    /// Smaller segments, so that tests have many.
    #[cfg(test)]
    pub(super) fn set_segment_bytes(&mut self, bytes: u64) {
        self.segment_bytes = bytes;
    }

    /// What readers share with this.
    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Takes whole records, to be written by the next flush.
    pub fn push(&mut self, records: &[u8]) {
        self.pending.extend_from_slice(records);
    }

    /// Bytes that wait to be written.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Writes what was pushed and makes it durable; readers see it then. May be called again after an error: the same
    /// bytes are written to the same place.
    ///
    /// # Errors
    /// Those of the file system; nothing of what was pushed is lost.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.current.as_ref().is_none_or(|segment| segment.durable >= self.segment_bytes) {
            self.current = Some(self.begin_segment()?);
        }
        let Some(segment) = &mut self.current else { return Ok(()) };
        segment.file.write_all_at(&self.pending, segment.durable)?;
        segment.file.sync_data()?;
        segment.durable += u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        self.spool.set_durable(segment.number, segment.durable);
        self.pending.clear();
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<Segment> {
        let number = self.next;
        // One that could not be begun before is begun again.
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.spool.path(number))?;
        file.write_all_at(&HEADER, 0)?;
        file.sync_data()?;
        File::open(&self.spool.folder)?.sync_all()?;
        let durable = u64::try_from(HEADER.len()).unwrap_or(0);
        self.spool.set_durable(number, durable);
        self.next += 1;
        Ok(Segment { number, file, durable })
    }
}

/// Cuts the newest segment behind its last whole record: what follows was being written when the process or the machine
/// ended, and nobody was told that it is kept. What is damaged before that is left for the reader to tell of.
fn cut_torn(spool: &Spool, number: u64) -> io::Result<()> {
    let path = spool.path(number);
    let bytes = fs::read(&path)?;
    let whole = match bytes.strip_prefix(&HEADER) {
        Some(records) => HEADER.len() + intact_end(records),
        // Not even begun: nothing in it was ever durable.
        None if bytes.len() < HEADER.len() || bytes.iter().all(|byte| *byte == 0) => 0,
        None => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is no segment that this version knows", path.display()),
            ));
        }
    };
    if whole < bytes.len() {
        warn!(path = %path.display(), bytes = bytes.len() - whole, "cut what was not written whole before a crash");
    }
    let length = u64::try_from(whole).unwrap_or(0);
    if whole == 0 {
        fs::remove_file(&path)?;
        spool.lock().segments.remove(&number);
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(&path)?;
    file.set_len(length)?;
    // What a killed process had written but not yet synced is read from now on, so it is to stay.
    file.sync_all()?;
    spool.set_durable(number, length);
    Ok(())
}
