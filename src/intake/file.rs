//! One open log file: who it is, and whether it still is who it was.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use sha2::{Digest, Sha256};
use tracing::warn;

use super::listing::Listed;
use crate::traffic::FilePosition;

/// How many bytes at its start identify a file. Lines begin with a time, so two files differ within these.
pub(super) const HEAD_BYTES: u32 = 1024;
/// A shorter head could be the same in two files by chance.
pub(super) const LEAST_HEAD: u32 = 32;

/// A file that is being read.
pub(super) struct LogFile {
    pub(super) file: File,
    pub(super) position: FilePosition,
    /// Where the search for the end of an over-long line goes on; `None` outside of one.
    pub(super) scan_from: Option<u64>,
    /// Whether it was all but empty when last looked at, and has changed: it may have been filled, copied and truncated.
    pub(super) has_filled: bool,
}

impl LogFile {
    /// Opens a listed file that has not been read before, to be read from the second of `counted`; what lies between
    /// the two was counted already. `None` if the path leads to
    /// another file by now.
    pub(super) fn open_new(listed: &Listed, source: &str, counted: (u64, u64)) -> io::Result<Option<Self>> {
        let Some((file, metadata)) = open(listed)? else { return Ok(None) };
        let position = FilePosition {
            source: source.to_owned(),
            device: listed.identity.0,
            inode: listed.identity.1,
            head_bytes: 0,
            head_hash: 0,
            counted_from: counted.0,
            read_offset: counted.1,
            modified_ns: modified_ns(&metadata),
        };
        let mut log_file = Self { file, position, scan_from: None, has_filled: false };
        log_file.extend_head()?;
        log_file.has_filled = false;
        Ok(Some(log_file))
    }

    /// Opens a listed file to be read on from a known position. `None` if the path leads to another file by now.
    pub(super) fn open_known(listed: &Listed, position: &FilePosition) -> io::Result<Option<Self>> {
        let position = position.clone();
        Ok(open(listed)?.map(|(file, _)| Self { file, position, scan_from: None, has_filled: false }))
    }

    /// Whether what has been read is still there: not truncated, not overwritten. To be asked *after* reading, so
    /// that an answer of yes covers the bytes that were read.
    pub(super) fn is_intact(&mut self) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        let modified_ns = modified_ns(&metadata);
        self.has_filled |= self.position.head_bytes < LEAST_HEAD && self.position.modified_ns != modified_ns;
        self.position.modified_ns = modified_ns;
        if !has_head(&self.file, &self.position)? {
            return Ok(false);
        }
        if metadata.len() < self.position.read_offset {
            // The same file, shorter: a crash of the machine took an end that was already counted.
            warn!(
                inode = self.position.inode,
                counted = self.position.read_offset,
                length = metadata.len(),
                "a log has lost lines that were counted; going on at its end"
            );
            self.position.read_offset = metadata.len();
            self.scan_from = None;
        }
        Ok(true)
    }

    /// Lets a short head grow with the file. `false` if the file does not begin with the old head.
    pub(super) fn extend_head(&mut self) -> io::Result<bool> {
        let old_bytes = usize::try_from(self.position.head_bytes).unwrap_or(0);
        if self.position.head_bytes >= HEAD_BYTES {
            return Ok(true);
        }
        let bytes = head(&self.file, HEAD_BYTES)?;
        let is_same = bytes.get(..old_bytes).map(hash) == Some(self.position.head_hash) || old_bytes == 0;
        if is_same {
            self.has_filled |= self.position.head_bytes < LEAST_HEAD
                && u32::try_from(bytes.len()).is_ok_and(|bytes| bytes >= LEAST_HEAD);
            self.position.head_bytes = u32::try_from(bytes.len()).unwrap_or(HEAD_BYTES);
            self.position.head_hash = hash(&bytes);
        }
        Ok(is_same)
    }

    /// Whether a listed file that is not empty begins with the same bytes, as far as both go.
    pub(super) fn begins_like(&self, listed: &Listed) -> io::Result<bool> {
        let Some((file, _)) = open(listed)? else { return Ok(false) };
        let (ours, theirs) = (head(&self.file, HEAD_BYTES)?, head(&file, HEAD_BYTES)?);
        let both = ours.len().min(theirs.len());
        Ok(both > 0 && ours.get(..both) == theirs.get(..both))
    }

    /// Whether there is more to tell it by than at the last look.
    pub(super) fn has_grown(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.len() >= u64::from(LEAST_HEAD))
    }

    /// Starts over with the same file after it was truncated.
    pub(super) fn restart(&mut self) {
        (self.position.counted_from, self.position.read_offset) = (0, 0);
        (self.position.head_bytes, self.position.head_hash) = (0, 0);
        self.scan_from = None;
    }

    pub(super) fn identity(&self) -> (u64, u64) {
        (self.position.device, self.position.inode)
    }
}

/// Whether `file` begins with the bytes that the position's head covers.
fn has_head(file: &File, position: &FilePosition) -> io::Result<bool> {
    if position.head_bytes == 0 {
        return Ok(position.read_offset == 0);
    }
    let bytes = head(file, position.head_bytes)?;
    Ok(u32::try_from(bytes.len()) == Ok(position.head_bytes) && hash(&bytes) == position.head_hash)
}

pub(super) fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Whether a listed file begins like the one that a position was noted for.
pub(super) fn begins_like(listed: &Listed, position: &FilePosition) -> io::Result<bool> {
    match open(listed)? {
        Some((file, _)) => has_head(&file, position),
        None => Ok(false),
    }
}

/// The same for a path. Heads that are too short to tell files apart are no sign.
pub(super) fn path_begins_like(path: &Path, position: &FilePosition) -> io::Result<bool> {
    Ok(position.head_bytes >= LEAST_HEAD && has_head(&File::open(path)?, position)?)
}

/// Opens what was listed, unless the name has gone over to another file since. Refuses what is not a regular file.
fn open(listed: &Listed) -> io::Result<Option<(File, Metadata)>> {
    if !std::fs::metadata(&listed.path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = File::open(&listed.path)?;
    let metadata = file.metadata()?;
    Ok((listed.identity == (metadata.dev(), metadata.ino())).then_some((file, metadata)))
}

/// Up to `limit` bytes at the start.
fn head(file: &File, limit: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(limit).unwrap_or(0)];
    let filled = read_full_at(file, &mut bytes, 0)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// The first eight bytes of SHA-256: the same in every version, as positions outlive the program.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Fills the buffer as far as the file goes, and tells how far that was.
pub(super) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset + u64::try_from(filled).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
