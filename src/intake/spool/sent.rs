//! Segments that are delivered, kept packed for a while: a primary that is restored from a backup has lost what it had said
//! to be durable, and gets it again.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::SEGMENT_BYTES;
use crate::core::log_shipment::Anchor;

/// The folder, within the spool's.
const FOLDER: &str = "sent";
const EXTENSION: &str = ".zst";
const UNFINISHED: &str = "unfinished";
/// The fastest that packs well.
const LEVEL: i32 = 1;
/// No segment is longer: its last write begins below its limit.
const MAX_UNPACKED_BYTES: u64 = 4 * SEGMENT_BYTES;

/// What is kept, up to a limit on disk.
pub(super) struct Sent {
    folder: PathBuf,
    max_bytes: u64,
}

/// A kept segment. Its name says so much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The beginning of the segment.
    pub begin: Anchor,
    path: PathBuf,
}

impl Sent {
    /// In a spool's folder, whether there is one or not.
    pub fn of_spool(folder: &Path, max_bytes: u64) -> Self {
        Self { folder: folder.join(FOLDER), max_bytes }
    }

    /// Packs a segment that is delivered, unless it is kept already. What cannot be kept is given up, with all that is kept if the
    /// disk is full: new lines need the room more.
    pub fn keep(&self, segment: &Path, begin: Anchor) {
        let Anchor { stream, segment: number, offset, .. } = begin;
        let name = format!("{number:020}-{stream}-{offset}");
        let path = self.folder.join(format!("{name}{EXTENSION}"));
        let result = match self.max_bytes {
            0 => self.prune(),
            _ if path.exists() => Ok(()),
            _ => {
                self.pack(segment, &self.folder.join(format!("{name}.{UNFINISHED}")), &path).and_then(|()| self.prune())
            }
        };
        if let Err(error) = result {
            warn!(segment = number, %error, "a segment of the log that is delivered cannot be kept");
            if error.kind() == io::ErrorKind::StorageFull {
                self.list().unwrap_or_default().iter().for_each(|kept| drop(fs::remove_file(&kept.path)));
            }
        }
    }

    fn pack(&self, segment: &Path, unfinished: &Path, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        replace(path, unfinished, &zstd::encode_all(File::open(segment)?, LEVEL)?)
    }

    /// Deletes the oldest until the rest is within the limit.
    fn prune(&self) -> io::Result<()> {
        let mut bytes = 0;
        for kept in self.list()?.iter().rev() {
            bytes += fs::metadata(&kept.path)?.len();
            if bytes > self.max_bytes {
                fs::remove_file(&kept.path)?;
            }
        }
        Ok(())
    }

    /// The segment that a place of a stream is in, if it is kept.
    pub fn find(&self, stream: u64, offset: u64) -> io::Result<Option<Kept>> {
        let mut kept = self.list()?;
        kept.retain(|kept| kept.begin.stream == stream && kept.begin.offset <= offset);
        Ok(kept.pop())
    }

    /// The kept segment that follows a place at which another one ends.
    pub fn following(&self, end: Anchor) -> io::Result<Option<Kept>> {
        let follows = |begin: Anchor| begin.stream == end.stream && begin.offset == end.offset;
        Ok(self.list()?.into_iter().find(|kept| kept.begin.segment > end.segment && follows(kept.begin)))
    }

    /// Oldest first.
    fn list(&self) -> io::Result<Vec<Kept>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut list = Vec::new();
        for entry in entries {
            list.extend(Kept::of_path(entry?.path()));
        }
        list.sort_by_key(|kept| kept.begin.segment);
        Ok(list)
    }
}

impl Kept {
    fn of_path(path: PathBuf) -> Option<Self> {
        let mut parts = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.split('-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (segment, stream, offset) = (number()?, number()?, number()?);
        let begin = Anchor { segment, offset, ..Anchor::begin(stream) };
        Some(Self { begin, path })
    }

    /// Makes a segment of it again, and gives its length.
    pub fn unpack(&self, segment: &Path) -> io::Result<u64> {
        let mut bytes = Vec::new();
        zstd::Decoder::new(File::open(&self.path)?)?.take(MAX_UNPACKED_BYTES).read_to_end(&mut bytes)?;
        replace(segment, &segment.with_extension(UNFINISHED), &bytes)?;
        Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
    }
}

/// Writes a file that is there whole or not at all.
fn replace(path: &Path, unfinished: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = || {
        let mut file = File::create(unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(unfinished, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(unfinished)))
}
