//! The writing end: what is pushed is durable after the next flush.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::Notify;
use tracing::{error, warn};

use super::{SEGMENT_BYTES, Spool, State, segment_number};
use crate::core::gateway_stream::StreamPosition;
use crate::core::spool_record::{HEADER, intact_end, last_mark};
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
        let spool = open_spool(name, None, folder, max_bytes)?;
        let last = spool.last_segment();
        if let Some(last) = last {
            cut_torn(&spool, last, intact_end)?;
        }
        Self::behind(spool, last, counted)
    }

    /// The same for the stream of a remote gateway: what follows the last mark is cut, because its sender was not told
    /// that it is kept and sends it again. Gives how much of the stream is kept, too.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open_stream(
        name: &str,
        gateway: u8,
        folder: &Path,
        max_bytes: u64,
        counted: Option<SpoolPosition>,
    ) -> io::Result<(Self, StreamPosition)> {
        let spool = open_spool(name, Some(gateway), folder, max_bytes)?;
        let (first_last, mut position, mut is_known) = (spool.last_segment(), StreamPosition::default(), false);
        while let Some(last) = spool.last_segment() {
            let mut found = None;
            let length = cut_torn(&spool, last, |records| {
                found = last_mark(records);
                found.map_or(0, |(_, end)| end)
            })?;
            if let Some((mark, _)) = found {
                (position, is_known) = (mark, true);
                // Damaged before a place that is counted: how much of the stream that was is not known any more.
                if counted.is_some_and(|counted| (counted.segment, counted.read_offset) > (last, length)) {
                    error!(
                        gateway,
                        stream = position.stream,
                        "the end of a stream is lost: its gateway has to begin another"
                    );
                    position = StreamPosition { stream: position.stream + 1, ..StreamPosition::default() };
                }
                break;
            }
        }
        if counted.is_some() && !is_known {
            let folder = folder.display();
            let what = format!(
                "{folder} does not say any more how much of the stream of gateway {gateway} was taken: move \
                the folder away, and have the gateway begin another stream"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok((Self::behind(spool, first_last, counted)?, position))
    }

    /// Numbers of counted segments are not used again, even if all files are gone.
    fn behind(spool: Spool, last: Option<u64>, counted: Option<SpoolPosition>) -> io::Result<Self> {
        let kept = super::kept::last_number(&spool.folder)?;
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
        match &mut self.current {
            Some(segment) if segment.durable < self.segment_bytes => {
                segment.file.write_all_at(&self.pending, segment.durable)?;
                segment.file.sync_data()?;
                segment.durable += u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
                self.spool.set_durable(segment.number, segment.durable);
            }
            _ => self.current = Some(self.begin_segment()?),
        }
        self.pending.clear();
        Ok(())
    }

    /// Begins a segment with what is pending. Nobody sees it before that is durable: readers let go of the segment before,
    /// and with it of its marks.
    fn begin_segment(&mut self) -> io::Result<Segment> {
        let number = self.next;
        // One that could not be begun before is begun again.
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.spool.path(number))?;
        let content = [&HEADER[..], &self.pending].concat();
        file.write_all_at(&content, 0)?;
        file.sync_data()?;
        File::open(&self.spool.folder)?.sync_all()?;
        let durable = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.spool.set_durable(number, durable);
        self.next += 1;
        Ok(Segment { number, file, durable })
    }
}

fn open_spool(name: &str, gateway: Option<u8>, folder: &Path, max_bytes: u64) -> io::Result<Spool> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A new folder is only there after a crash if its own folder is synced, and so on up to the data directory.
    for above in folder.ancestors().skip(1).take(2) {
        File::open(above)?.sync_all()?;
    }
    let mut state = State::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(number) = segment_number(&entry.path()) {
            state.segments.insert(number, entry.metadata()?.len());
        }
    }
    Ok(Spool {
        name: name.to_owned(),
        gateway,
        folder: folder.to_owned(),
        max_bytes,
        state: Mutex::new(state),
        freed: Condvar::new(),
        written: Notify::new(),
    })
}

/// Cuts the newest segment behind what `good` says of its records: what follows was being written when the process or
/// the machine ended, and nobody was told that it is kept. What is damaged before that is left for the reader to tell of.
/// Gives the length that is left; of nothing, no file is left.
fn cut_torn(spool: &Spool, number: u64, good: impl FnOnce(&[u8]) -> usize) -> io::Result<u64> {
    let path = spool.path(number);
    let bytes = fs::read(&path)?;
    let whole = match bytes.strip_prefix(&HEADER) {
        Some(records) => good(records),
        // Not even begun: nothing in it was ever durable.
        None if bytes.len() < HEADER.len() || bytes.iter().all(|byte| *byte == 0) => 0,
        None => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is no segment that this version knows", path.display()),
            ));
        }
    };
    let whole = if whole == 0 { 0 } else { HEADER.len() + whole };
    if whole.max(HEADER.len()) < bytes.len() {
        warn!(path = %path.display(), bytes = bytes.len() - whole, "cut what was not written whole before a crash");
    }
    let length = u64::try_from(whole).unwrap_or(0);
    if whole == 0 {
        fs::remove_file(&path)?;
        spool.lock().segments.remove(&number);
        return Ok(0);
    }
    let file = OpenOptions::new().write(true).open(&path)?;
    file.set_len(length)?;
    // What a killed process had written but not yet synced is read from now on, so it is to stay.
    file.sync_all()?;
    spool.set_durable(number, length);
    Ok(length)
}
