//! The file of a simulated chain: records that are only ever added.
//!
//! ```text
//! header: "suiftly simulated chain 1\n"  genesis: 16 bytes  checksum: u64
//! record: length: u32  its checksum: u32  checksum: u64  JSON: length bytes        as many as there are
//! ```
//! Numbers are little-endian; checksums are XXH3-64 or its low half, seeded with the record's place in the file, so that
//! no record passes for another and a damaged length is not taken for a record that was cut short. A record is in the file before anybody hears of its effect, so a killed process loses nothing.
//! A crash of the whole machine can lose the newest: records are not synchronised one by one, but before the ledger relies
//! on them.
//!
//! What a torn write leaves at the end is cut off at opening: a record that is not whole, and zeros. Anything else that
//! is wrong is damage, and the file is refused as it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_64;

use super::record::Record;
use super::world::World;

const MAGIC: &[u8] = b"suiftly simulated chain 1\n";
const GENESIS_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;
const HEADER_BYTES: usize = MAGIC.len() + GENESIS_BYTES + CHECKSUM_BYTES;
const LENGTH_BYTES: usize = 8;
const FRAME_BYTES: usize = LENGTH_BYTES + CHECKSUM_BYTES;
/// The longest record: a Seal key with all its packages is far below.
pub(super) const MAX_RECORD_BYTES: usize = 64 * 1024;
/// The longest journal: about three million orders. It is read into memory at opening.
const MAX_JOURNAL_BYTES: u64 = 1 << 30;

/// Tells a chain from all others: random, drawn when it is made.
pub type Genesis = [u8; GENESIS_BYTES];

/// The file of a simulated chain cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error("opening the simulated chain {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("another process uses the simulated chain {}", path.display())]
    InUse { path: PathBuf },
    #[error("{} is no simulated chain of this version", path.display())]
    NotAChain { path: PathBuf },
    #[error(
        "the simulated chain {} is damaged at byte {at}: restore a backup, or move it away to begin with a new one",
        path.display()
    )]
    Damaged { path: PathBuf, at: u64 },
    #[error("the simulated chain {} has {bytes} bytes, more than it may: move it away to begin with a new one", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Where the next record begins.
    end: u64,
    /// Bytes that were written in vain are still behind `end`.
    has_rest: bool,
}

impl Journal {
    /// Opens the file, or makes it with this genesis, and computes the world that follows from its records.
    pub(super) fn open(path: &Path, genesis: Genesis) -> Result<(Self, World), SimError> {
        let opening = |source| SimError::Open { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(opening)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => SimError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => opening(source),
        })?;
        let length = file.metadata().map_err(opening)?.len();
        if length > MAX_JOURNAL_BYTES {
            return Err(SimError::TooLarge { path: path.to_owned(), bytes: length });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(opening)?;
        if is_unborn(&bytes) {
            bytes = header(genesis);
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&bytes)).map_err(opening)?;
            file.sync_all().and_then(|()| sync_folder_of(path)).map_err(opening)?;
        }
        let genesis = read_header(&bytes).ok_or_else(|| SimError::NotAChain { path: path.to_owned() })?;
        let mut world = World::new(genesis);
        let end = read_records(&bytes, &mut world)
            .map_err(|at| SimError::Damaged { path: path.to_owned(), at: to_u64(at) })?;
        let end = to_u64(end);
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(opening)?;
        Ok((Self { file, end, has_rest: false }, world))
    }

    /// Adds a record. After an error the file is as it was before, or becomes so before the next record.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        let json = serde_json::to_vec(record)?;
        let length = u32::try_from(json.len()).ok().filter(|_| json.len() <= MAX_RECORD_BYTES);
        let length = length.ok_or_else(|| io::Error::other("the record is too long"))?;
        if self.end > MAX_JOURNAL_BYTES {
            return Err(io::Error::other("the journal is full: move it away to begin with a new one"));
        }
        let mut frame = Vec::with_capacity(FRAME_BYTES + json.len());
        frame.extend_from_slice(&checked_length(self.end, length));
        frame.extend_from_slice(&checksum(self.end, &json));
        frame.extend_from_slice(&json);
        if self.has_rest {
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
            self.has_rest = false;
        }
        self.has_rest = true;
        self.file.write_all(&frame)?;
        self.has_rest = false;
        self.end = self.end.saturating_add(to_u64(frame.len()));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn exchange_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Another handle of the file, to wait until it is on disk.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// A file that was never finished: nothing of it, or a beginning of its header, or zeros.
fn is_unborn(bytes: &[u8]) -> bool {
    bytes.len() < HEADER_BYTES && (bytes.iter().all(|byte| *byte == 0) || starts_alike(bytes))
}

fn starts_alike(bytes: &[u8]) -> bool {
    bytes.iter().zip(MAGIC).all(|(byte, expected)| byte == expected)
}

fn header(genesis: Genesis) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&genesis);
    header.extend_from_slice(&checksum(0, &genesis));
    header
}

fn read_header(bytes: &[u8]) -> Option<Genesis> {
    let genesis: Genesis = bytes.strip_prefix(MAGIC)?.first_chunk().copied()?;
    bytes.starts_with(&header(genesis)).then_some(genesis)
}

/// Carries out all records. Where the next one belongs; `Err`: where the damage is.
fn read_records(bytes: &[u8], world: &mut World) -> Result<usize, usize> {
    let mut at = HEADER_BYTES;
    loop {
        match decode(at, bytes.get(at..).unwrap_or_default()) {
            Decoded::Record(record, length) => {
                world.take(&record);
                at += length;
            }
            Decoded::Torn => return Ok(at),
            Decoded::Damaged => return Err(at),
        }
    }
}

enum Decoded {
    Record(Record, usize),
    /// Nothing, or what a write that was cut short leaves at the end.
    Torn,
    Damaged,
}

fn decode(at: usize, rest: &[u8]) -> Decoded {
    // What was made longer and never written is zeros, and no record ends in one.
    let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let Some((field, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() else { return Decoded::Torn };
    if written < LENGTH_BYTES {
        return Decoded::Torn;
    }
    let Some(length) = read_length(at, field) else { return Decoded::Damaged };
    if written < FRAME_BYTES + length {
        return Decoded::Torn;
    }
    let record = behind.split_first_chunk::<CHECKSUM_BYTES>().and_then(|(sum, behind)| {
        let json = behind.get(..length).filter(|json| checksum(to_u64(at), json) == *sum)?;
        serde_json::from_slice(json).ok()
    });
    record.map_or(Decoded::Damaged, |record| Decoded::Record(record, FRAME_BYTES + length))
}

fn checked_length(place: u64, length: u32) -> [u8; LENGTH_BYTES] {
    let length = length.to_le_bytes();
    let [check @ .., _, _, _, _] = checksum(place, &length);
    let mut field = [0; LENGTH_BYTES];
    field.iter_mut().zip(length.into_iter().chain(check)).for_each(|(to, from)| *to = from);
    field
}

fn read_length(at: usize, field: &[u8; LENGTH_BYTES]) -> Option<usize> {
    let [length @ .., _, _, _, _] = *field;
    let length = u32::from_le_bytes(length);
    let is_right = checked_length(to_u64(at), length) == *field;
    usize::try_from(length).ok().filter(|length| is_right && (1..=MAX_RECORD_BYTES).contains(length))
}

fn checksum(place: u64, bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    XxHash3_64::oneshot_with_seed(place, bytes).to_le_bytes()
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
